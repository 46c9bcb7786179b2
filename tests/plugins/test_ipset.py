"""Sets of the running kernel: rules that name them stop what is listed, from the boot on."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import nft_hosts
import pytest
from connector_ipset import IpsetAdapter, IpsetSettings
from connector_ipset.sets import LARGEST
from outcome_words import words_on
from output_pages import shell_loops, unit_command

from connector.adapter import (
    Entry,
    Observable,
    ObservableType,
    OutputContext,
    RefusedError,
    UnavailableError,
)
from connector.testing.adapter_suite import AdapterSuite

T = ObservableType
ATTACKER = ("outside", "192.0.2.2")
LAN = ("lan", "198.51.100.2")


def require_ipset() -> None:
    nft_hosts.require_nftables()
    if missing := [name for name in ("ipset", "iptables") if shutil.which(name) is None]:
        pytest.skip(f"no {' and no '.join(missing)}: install the packages ipset and iptables")


def entries(*values: str) -> list[Entry]:
    def observable(value: str) -> Observable:
        if value.endswith(("/tcp", "/udp", "/icmp")):
            return Observable(T.ENDPOINT, value)
        return Observable(T.IPV6_ADDR if ":" in value else T.IPV4_ADDR, value)

    made = [Entry(observable(value)) for value in values]
    return sorted(made, key=lambda entry: (entry.type, entry.value))


def write(adapter: IpsetAdapter, *values: str) -> None:
    assert not adapter.publish(entries(*values))
    adapter.activate()


def held(adapter: IpsetAdapter) -> dict[str, str]:
    return {one.value: str(one.fields.get("where", "")) for one in adapter.read()}


def adapter_in(netns: str, folder: Path, **options: object) -> IpsetAdapter:
    named = {"netns": netns, "file": folder / "ipset.save"} | options
    return IpsetAdapter(IpsetSettings(**named), OutputContext("edge", folder))


def ipset(netns: str, *words: str, text: str | None = None) -> str:
    return nft_hosts.run("ip", "netns", "exec", netns, "ipset", *words, text=text)


def rules(netns: str) -> None:
    """What docs/outputs/ipset.md has the administrator write."""
    nft_hosts.run("ip", "netns", "exec", netns, "sh", "-ec", shell_loops("ipset.md"))


def start(netns: str, file: Path) -> None:
    """What the unit on that page runs when the machine starts."""
    command = unit_command("ipset.md", "ExecStart").replace("/var/lib/connector/ipset.save", "FILE")
    words = [str(file) if word == "FILE" else word for word in command.split()]
    nft_hosts.run("ip", "netns", "exec", netns, *words)


@pytest.fixture
def netns() -> Iterator[str]:
    require_ipset()
    with nft_hosts.namespace() as name:
        yield name


@pytest.fixture
def hosts() -> Iterator[nft_hosts.Hosts]:
    require_ipset()
    with nft_hosts.hosts() as made:
        yield made


@pytest.mark.real_server
class TestIpset(AdapterSuite):
    impossible: ClassVar = {
        "contrary": "its sets are ours alone, also what is excepted in them",
        "foreign": "its sets are ours alone",
        "refuse": "a set takes every value of its kind",
        "fill": "a set has room for two million",
        "wrong_credentials": "the kernel asks for the right alone",
        "troubles": "a set is changed by single elements, or swapped",
    }

    @pytest.fixture
    def adapter(self, netns, tmp_path):
        return adapter_in(netns, tmp_path)

    @pytest.fixture
    def neighbour(self, netns, tmp_path):
        return adapter_in(netns, tmp_path, set="neighbour", file=tmp_path / "neighbour.save")

    @pytest.fixture
    def restart_target(self, netns, tmp_path):
        def restart() -> None:
            ipset(netns, "destroy")
            if (tmp_path / "ipset.save").exists():
                start(netns, tmp_path / "ipset.save")

        return restart

    @pytest.fixture
    def break_target(self, netns):
        return lambda: nft_hosts.run("ip", "netns", "delete", netns)


@pytest.mark.real_server
def test_what_is_listed_is_dropped_until_it_is_removed_and_nothing_else(hosts, tmp_path):
    adapter = adapter_in(hosts.firewall, tmp_path)
    write(adapter)
    rules(hosts.firewall)
    other = ("outside", "192.0.2.200")
    assert hosts.passes(ATTACKER, LAN)
    write(adapter, "192.0.2.2")
    assert not hosts.passes(ATTACKER, LAN)
    assert hosts.passes(other, LAN)
    write(adapter, "192.0.2.128/25", "192.0.2.192/26", "192.0.2.200", "192.0.2.2:4444/udp")
    assert hosts.passes(ATTACKER, LAN)
    assert not hosts.passes(ATTACKER, LAN, sport=4444)
    for left in (("192.0.2.192/26", "192.0.2.200"), ("192.0.2.200",)):
        assert not hosts.passes(other, LAN)
        write(adapter, *left)
    assert not hosts.passes(other, LAN)
    write(adapter)
    assert hosts.passes(other, LAN)


@pytest.mark.real_server
def test_addresses_of_version_six_are_dropped_too(hosts, tmp_path):
    adapter = adapter_in(hosts.firewall, tmp_path)
    write(adapter, "2001:db8::2", "[2001:db8::f:2]:4444/udp")
    rules(hosts.firewall)
    lan = ("lan", "2001:db8:1::2")
    assert not hosts.passes(("outside", "2001:db8::2"), lan)
    assert hosts.passes(("outside", "2001:db8::f:2"), lan)
    assert not hosts.passes(("outside", "2001:db8::f:2"), lan, sport=4444)


@pytest.mark.real_server
def test_a_machine_that_starts_has_the_same_sets_before_anything_else(hosts, tmp_path):
    before = adapter_in(hosts.firewall, tmp_path)
    write(before, "192.0.2.2", "2001:db8::/112", "192.0.2.9:53/udp")
    listed = held(before)
    ipset(hosts.firewall, "destroy")
    assert set(held(before).values()) == {"running and on disk differ"}
    start(hosts.firewall, tmp_path / "ipset.save")
    rules(hosts.firewall)
    assert not hosts.passes(ATTACKER, LAN)
    assert held(before) == listed == dict.fromkeys(listed, "")


@pytest.mark.real_server
def test_what_people_change_in_a_set_is_told_by_the_stamp_and_mended(netns, tmp_path):
    adapter = adapter_in(netns, tmp_path)
    write(adapter, "192.0.2.2", "192.0.2.3", "198.51.100.0/24")
    stamp = adapter.stamp()
    assert adapter.stamp() == stamp
    changes = (
        "del connector_v4 192.0.2.2\nadd connector_v4 192.0.2.4\n",
        "del connector_v4 192.0.2.2\nadd connector_v4 192.0.2.2 nomatch\n",
        "add connector_v4 198.51.100.128/25 nomatch\n",
        "flush connector_v4\n",
        "create theirs hash:net\nswap theirs connector_v4\ndestroy theirs\n",
    )
    for change in changes:
        ipset(netns, "restore", text=change)
        assert adapter.stamp() != stamp
        assert "running and on disk differ" in held(adapter).values()
        adapter.activate()
        assert held(adapter) == {"192.0.2.2": "", "192.0.2.3": "", "198.51.100.0/24": ""}
        stamp = adapter.stamp()


@pytest.mark.real_server
def test_a_set_of_our_name_with_less_room_is_made_anew_under_the_rules_that_use_it(hosts, tmp_path):
    for name, kind in (("v4", "hash:net"), ("v4_port", "hash:ip,port")):
        ipset(hosts.firewall, "create", f"connector_{name}", kind, "maxelem", "2")
        six = f"connector_{name.replace('4', '6')}"
        ipset(hosts.firewall, "create", six, kind, "family", "inet6", "timeout", "60")
    rules(hosts.firewall)
    adapter = adapter_in(hosts.firewall, tmp_path)
    ipset(hosts.firewall, "create", "connector_v4_new", "hash:net")  # left by one that was killed
    write(adapter, "192.0.2.2", "192.0.2.5", "192.0.2.6")
    assert not hosts.passes(ATTACKER, LAN)
    assert f"maxelem {LARGEST} " in ipset(hosts.firewall, "list", "-terse", "connector_v4")
    assert "_new" not in ipset(hosts.firewall, "list", "-name")


@pytest.mark.real_server
def test_a_set_of_our_name_of_another_type_is_left_and_told(netns, tmp_path):
    ipset(netns, "create", "connector_v4", "bitmap:ip", "range", "192.0.2.0/24")
    adapter = adapter_in(netns, tmp_path)
    assert not adapter.publish(entries("192.0.2.2"))
    with pytest.raises(UnavailableError, match="a set of our name has another type"):
        adapter.activate()
    assert "bitmap:ip" in ipset(netns, "list", "-terse", "connector_v4")


@pytest.mark.real_server
def test_what_no_set_can_have_is_refused_by_name(netns, tmp_path):
    adapter = adapter_in(netns, tmp_path)
    values = ("0.0.0.0/0", "192.0.2.7/24", "192.0.2.7:53/icmp")
    refused = words_on(adapter.publish(entries("192.0.2.2", *values)))
    assert set(refused) == set(values)
    assert not any(adapter.accepts(entry.observable) for entry in entries(*values))
    adapter.activate()
    assert set(held(adapter)) == {"192.0.2.2"}


def test_a_command_that_is_not_there_is_told_with_its_package(tmp_path):
    adapter = IpsetAdapter(
        IpsetSettings(file=tmp_path / "ipset.save", ipset="no-such-ipset"),
        OutputContext("edge", tmp_path),
    )
    with pytest.raises(RefusedError, match="no-such-ipset: no such command; install the package"):
        list(adapter.read())


@pytest.mark.real_server
def test_who_lacks_the_right_is_told_which(netns, tmp_path):
    runs = tmp_path / "as-nobody"
    runs.write_text('#!/bin/sh\nexec setpriv --reuid=65534 --clear-groups ipset "$@"\n')
    runs.chmod(0o755)
    adapter = adapter_in(netns, tmp_path, ipset=runs)
    with pytest.raises(RefusedError, match="CAP_NET_ADMIN"):
        adapter.stamp()
