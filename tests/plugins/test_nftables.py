"""Named sets in the running kernel: what is listed is dropped, and only that, and only ours."""

import re
import shlex
import sys
import textwrap
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import ClassVar

import nft_hosts
import pytest
from connector_nftables import NftablesAdapter, NftablesSettings
from connector_nftables.frame import Frame, Names, Wish
from connector_nftables.kinds import V4, V6, SetKind, kind_named, kind_of, place
from connector_nftables.netlink import Kernel
from hypothesis import given, settings
from hypothesis import strategies as st
from outcome_words import words_on
from output_pages import unit_command

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
FIREWALL = ("firewall", "192.0.2.1")
LAN = ("lan", "198.51.100.2")
CONTEXT = OutputContext("edge", Path())


def entry(value: str) -> Entry:
    if value.endswith(("/tcp", "/udp")):
        return Entry(Observable(T.ENDPOINT, value))
    return Entry(Observable(T.IPV6_ADDR if ":" in value else T.IPV4_ADDR, value))


def values(adapter: NftablesAdapter) -> set[str]:
    return {entry.value for entry in adapter.read()}


def adapter_in(netns: str, **options: object) -> NftablesAdapter:
    return NftablesAdapter(NftablesSettings(netns=netns, **options), CONTEXT)


@pytest.fixture
def netns() -> Iterator[str]:
    nft_hosts.require_nftables()
    with nft_hosts.namespace() as name:
        yield name


@pytest.fixture
def hosts() -> Iterator[nft_hosts.Hosts]:
    nft_hosts.require_nftables()
    with nft_hosts.hosts() as made:
        yield made


@pytest.mark.real_server
class TestNftables(AdapterSuite):
    impossible: ClassVar = {
        "contrary": "a set has no exceptions",
        "refuse": "a set takes every value of its kind",
        "fill": "a set is as large as memory",
        "wrong_credentials": "the kernel asks for the right, which another test takes away",
        "troubles": "the kernel takes a batch whole or not at all",
    }

    @pytest.fixture
    def adapter(self, netns):
        return adapter_in(netns)

    @pytest.fixture
    def foreign(self, netns):
        def put(theirs):
            kind, element = place(theirs.observable)
            name = f"inet connector blocklist_{kind.suffix}"
            nft_hosts.nft(
                netns,
                f"add table inet connector\nadd set {name} {{ {kind.declaration} }}\n"
                f"add element {name} {{ {element} }}\n",
            )

        return put

    @pytest.fixture
    def neighbour(self, netns):
        return adapter_in(netns, table="neighbour")

    @pytest.fixture
    def restart_target(self, netns):
        return lambda: nft_hosts.nft(netns, "flush ruleset\n")

    @pytest.fixture
    def break_target(self, netns):
        return lambda: nft_hosts.run("ip", "netns", "delete", netns)


CROSSINGS = [
    pytest.param("192.0.2.2", ATTACKER, FIREWALL, id="IPv4 host to the firewall"),
    pytest.param("192.0.2.2", ATTACKER, LAN, id="IPv4 host through the firewall"),
    pytest.param("192.0.2.2", LAN, ATTACKER, id="through the firewall to an IPv4 host"),
    pytest.param("192.0.2.2", FIREWALL, ATTACKER, id="from the firewall to an IPv4 host"),
    pytest.param("192.0.2.128/25", ("outside", "192.0.2.200"), LAN, id="from an IPv4 prefix"),
    pytest.param("192.0.2.128/25", LAN, ("outside", "192.0.2.200"), id="to an IPv4 prefix"),
    pytest.param("2001:db8::2", ("outside", "2001:db8::2"), ("lan", "2001:db8:1::2"), id="IPv6"),
    pytest.param(
        "2001:db8::f:0/112", ("lan", "2001:db8:1::2"), ("outside", "2001:db8::f:2"), id="IPv6 /112"
    ),
]


@pytest.mark.real_server
@pytest.mark.parametrize(("listed", "source", "target"), CROSSINGS)
def test_what_is_listed_is_dropped_until_it_is_removed(hosts, listed, source, target):
    adapter = adapter_in(hosts.firewall)
    assert hosts.passes(source, target)
    adapter.add([entry(listed)])
    assert not hosts.passes(source, target)
    adapter.remove([entry(listed)])
    assert hosts.passes(source, target)


@pytest.mark.real_server
def test_a_neighbour_of_what_is_listed_passes(hosts):
    adapter = adapter_in(hosts.firewall)
    adapter.add([entry("192.0.2.4"), entry("192.0.2.192/26"), entry("192.0.2.0")])
    assert hosts.passes(ATTACKER, LAN)
    assert not hosts.passes(("outside", "192.0.2.200"), LAN)


@pytest.mark.real_server
def test_removing_a_prefix_leaves_the_prefix_inside_it_in_force(hosts):
    adapter = adapter_in(hosts.firewall)
    nested = ["192.0.2.128/25", "192.0.2.192/26", "192.0.2.200"]
    adapter.add([entry(value) for value in nested])
    assert values(adapter) == set(nested)
    for removed in nested:
        assert not hosts.passes(("outside", "192.0.2.200"), LAN)
        adapter.remove([entry(removed)])
    assert hosts.passes(("outside", "192.0.2.200"), LAN)


@pytest.mark.real_server
def test_an_endpoint_is_dropped_by_its_port_only(hosts):
    adapter = adapter_in(hosts.firewall)
    adapter.add([entry("192.0.2.2:4444/udp"), entry("[2001:db8::2]:4444/udp")])
    assert not hosts.passes(ATTACKER, LAN, sport=4444)
    assert hosts.passes(ATTACKER, LAN, sport=4445)
    assert not hosts.passes(("outside", "2001:db8::2"), ("lan", "2001:db8:1::2"), sport=4444)


@pytest.mark.real_server
def test_without_drop_the_administrators_rules_decide(hosts):
    adapter = adapter_in(hosts.firewall, drop=False)
    adapter.add([entry("192.0.2.2")])
    assert hosts.passes(ATTACKER, LAN)
    nft_hosts.nft(
        hosts.firewall,
        """
        add chain inet connector site { type filter hook forward priority 0; policy accept; }
        add rule inet connector site jump blocklist_from
        add rule inet connector blocklist_hit drop
        """,
    )
    adapter.add([entry("192.0.2.128/25")])
    assert not hosts.passes(ATTACKER, LAN)
    assert not hosts.passes(("outside", "192.0.2.200"), LAN)
    assert all(not held.fields for held in adapter.read())


@pytest.mark.real_server
def test_a_change_of_options_moves_our_chains(hosts):
    adapter_in(hosts.firewall).add([entry("192.0.2.2")])
    later = adapter_in(hosts.firewall, hooks=("forward",), priority=-150)
    assert [held.fields.get("enforced") for held in later.read()] == [False]
    later.add([entry("192.0.2.2")])
    assert not hosts.passes(ATTACKER, LAN)
    assert hosts.passes(ATTACKER, FIREWALL)
    off = adapter_in(hosts.firewall, drop=False)
    off.add([entry("192.0.2.2")])
    assert hosts.passes(ATTACKER, LAN)
    assert [held.fields for held in off.read()] == [{}]


@pytest.mark.real_server
def test_a_flushed_ruleset_is_read_as_empty_and_made_anew(hosts):
    adapter = adapter_in(hosts.firewall)
    adapter.add([entry("192.0.2.2"), entry("192.0.2.128/25")])
    nft_hosts.nft(hosts.firewall, "flush ruleset")
    assert values(adapter) == set()
    adapter.add([entry("192.0.2.2")])
    assert not hosts.passes(ATTACKER, LAN)


@pytest.mark.real_server
def test_a_machine_that_starts_has_what_the_unit_kept_before_anything_else(hosts, tmp_path):
    def unit(verb: str) -> None:
        file = f"FILE={tmp_path / 'boot.nft'}"
        words = shlex.split(unit_command("nftables.md", verb))
        nft_hosts.run("ip", "netns", "exec", hosts.firewall, "env", file, *words)

    adapter = adapter_in(hosts.firewall)
    unit("ExecStart")
    adapter.add([entry("192.0.2.2"), entry("192.0.2.128/25"), entry("[2001:db8::2]:53/udp")])
    listed = values(adapter)
    assert unit_command("nftables.md", "ExecStop") == unit_command("nftables.md", "ExecReload")
    unit("ExecStop")
    nft_hosts.nft(hosts.firewall, "flush ruleset")
    for _ in ("start", "start again"):
        unit("ExecStart")
        assert not hosts.passes(ATTACKER, LAN)
        assert values(adapter) == listed
        assert not any(held.fields for held in adapter.read())


@pytest.mark.real_server
def test_sets_without_their_rules_are_shown_as_not_enforced_and_mended(hosts):
    adapter = adapter_in(hosts.firewall)
    adapter.add([entry("192.0.2.2")])
    nft_hosts.nft(hosts.firewall, "flush chain inet connector blocklist_from")
    assert [held.fields.get("enforced") for held in adapter.read()] == [False]
    adapter.add([entry("192.0.2.2")])
    assert [held.fields for held in adapter.read()] == [{}]
    assert not hosts.passes(ATTACKER, LAN)


@pytest.mark.real_server
def test_a_table_that_was_put_to_sleep_is_shown_as_not_enforced_and_woken(hosts):
    adapter = adapter_in(hosts.firewall)
    adapter.add([entry("192.0.2.2")])
    nft_hosts.nft(hosts.firewall, "add table inet connector { flags dormant; }")
    assert hosts.passes(ATTACKER, LAN)
    assert [held.fields.get("enforced") for held in adapter.read()] == [False]
    adapter.add([entry("192.0.2.2")])
    assert [held.fields for held in adapter.read()] == [{}]
    assert not hosts.passes(ATTACKER, LAN)


@pytest.mark.real_server
@pytest.mark.parametrize("options", [{"priority": 5}, {"hooks": ("forward",)}, {"drop": False}])
def test_a_chain_is_not_moved_or_taken_away_with_rules_of_others_in_it(netns, options):
    adapter_in(netns).add([entry("192.0.2.2")])
    chain = "inet connector blocklist_input"
    nft_hosts.nft(netns, f"add rule {chain} ip saddr 192.0.2.7 accept")
    listing = ("ip", "netns", "exec", netns, "nft", "list", "table", "inet", "connector")
    before = nft_hosts.run(*listing)
    later = adapter_in(netns, **options)
    assert [held.fields.get("enforced") for held in later.read()] == [False]
    with pytest.raises(RefusedError, match=r"blocklist_input .* rules that are not ours"):
        later.add([entry("192.0.2.2")])
    assert nft_hosts.run(*listing) == before
    nft_hosts.nft(netns, f"flush chain {chain}")
    later.add([entry("192.0.2.2")])
    assert [held.fields for held in later.read()] == [{}]


@pytest.mark.real_server
def test_other_tables_and_rules_in_our_chains_survive(netns):
    nft_hosts.nft(
        netns,
        """
        add table inet site
        add set inet site blocklist_v4 { type ipv4_addr; elements = { 192.0.2.9 } }
        add chain inet site input { type filter hook input priority 0; policy accept; }
        """,
    )
    listing = ("ip", "netns", "exec", netns, "nft", "list", "table", "inet", "site")
    before = nft_hosts.run(*listing)
    adapter = adapter_in(netns)
    adapter.add([entry("192.0.2.1")])
    nft_hosts.nft(netns, "insert rule inet connector blocklist_from ip saddr 192.0.2.7 accept")
    adapter.add([entry("198.51.100.0/24")])
    adapter.remove([entry("192.0.2.1"), entry("192.0.2.9")])
    assert nft_hosts.run(*listing) == before
    assert "192.0.2.7 accept" in nft_hosts.run(
        *("ip", "netns", "exec", netns, "nft", "list", "chain", "inet connector blocklist_from")
    )


@pytest.mark.real_server
def test_two_outputs_share_a_table_without_seeing_each_other(netns):
    first, second = adapter_in(netns, set="block"), adapter_in(netns, set="block_v4")
    first.add([entry("192.0.2.1"), entry("198.51.100.0/24")])
    second.add([entry("192.0.2.1"), entry("203.0.113.0/24")])
    first.remove([entry("192.0.2.1"), entry("203.0.113.0/24")])
    assert values(first) == {"198.51.100.0/24"}
    assert values(second) == {"192.0.2.1", "203.0.113.0/24"}


@pytest.mark.real_server
def test_a_refused_transaction_changes_nothing(netns):
    nft_hosts.nft(
        netns,
        "add table inet connector\n"
        "add set inet connector blocklist_v4 { type ipv4_addr; size 3; }\n",
    )
    adapter = adapter_in(netns)
    adapter.add([entry("192.0.2.1")])
    batch = [entry(f"192.0.2.{n}") for n in range(2, 9)] + [entry("2001:db8::1")]
    with pytest.raises(UnavailableError, match="a set is full"):
        adapter.add(batch)
    assert values(adapter) == {"192.0.2.1"}


@pytest.mark.real_server
def test_what_is_gone_already_is_removed_from_a_full_set_together_with_what_is_there(netns):
    path = "inet connector blocklist_v4"
    declared = f"add table inet connector\nadd set {path} {{ type ipv4_addr; size 2; }}\n"
    nft_hosts.nft(netns, declared)
    adapter = adapter_in(netns)
    adapter.add([entry("192.0.2.1"), entry("192.0.2.2")])
    by_hand = f"delete element {path} {{ 192.0.2.1 }}\nadd element {path} {{ 192.0.2.9 }}\n"
    nft_hosts.nft(netns, by_hand)
    adapter.remove([entry("192.0.2.1"), entry("192.0.2.2")])
    assert values(adapter) == {"192.0.2.9"}


@pytest.mark.real_server
def test_a_value_that_is_none_is_rejected_and_the_others_are_taken(netns):
    adapter = adapter_in(netns)
    bad = "192.0.2.1 }; flush ruleset; add element inet connector blocklist_v4 { 192.0.2.2"
    refused = words_on(adapter.add([entry("192.0.2.7"), entry(bad)]))
    assert refused.keys() == {bad}
    assert values(adapter) == {"192.0.2.7"}


@pytest.mark.real_server
def test_a_set_made_otherwise_by_somebody_else_is_refused(netns):
    nft_hosts.nft(
        netns,
        "add table inet connector\n"
        "add set inet connector blocklist_v4 { type ipv4_addr; flags interval; }\n",
    )
    for use in (lambda a: list(a.read()), lambda a: a.add([entry("192.0.2.1")])):
        with pytest.raises(RefusedError, match="blocklist_v4 in table inet connector"):
            use(adapter_in(netns))


@pytest.mark.real_server
def test_a_set_that_vanishes_while_it_is_read_is_not_read_as_empty(netns, monkeypatch):
    adapter = adapter_in(netns)
    adapter.add([entry("192.0.2.1")])
    read = Kernel.elements

    def read_too_late(kernel, table, name):
        nft_hosts.nft(netns, "delete table inet connector")
        return read(kernel, table, name)

    monkeypatch.setattr(Kernel, "elements", read_too_late)
    with pytest.raises(UnavailableError, match="No such file"):
        list(adapter.read())


@pytest.mark.real_server
def test_an_element_is_told_from_what_covers_it_or_lies_beside_it(netns):
    adapter = adapter_in(netns)
    there = ["192.0.2.0/24", "192.0.2.9", "2001:db8::/32", "203.0.113.7:443/tcp"]
    there += ["[2001:db8::7]:53/udp"]
    absent = ["192.0.2.1", "192.0.2.0/25", "192.0.2.128/25", "192.0.0.0/16", "198.51.100.0/24"]
    absent += ["2001:db8::7", "2001:db8::/48", "203.0.113.7", "203.0.113.7:443/udp"]
    absent += ["203.0.113.7:444/tcp", "[2001:db8::7]:53/sctp", "203.0.113.8:443/tcp"]
    asked = [entry(value).observable for value in there + absent]
    assert adapter.holds(asked) == [], "there is no table yet"
    adapter.add([entry(value) for value in there])
    assert {each.value for each in adapter.holds(asked)} == set(there)
    assert {each.value for each in adapter.holds([*asked[:1], *asked[-1:]])} == {there[0]}


@pytest.mark.real_server
def test_many_elements_are_asked_for_one_by_one_without_reading_the_set(netns, monkeypatch):
    adapter = adapter_in(netns)
    many = [entry(f"10.0.{n // 256}.{n % 256}") for n in range(2000)]
    adapter.add(many[::3])
    monkeypatch.delattr(Kernel, "elements")
    found = {each.observable for each in adapter.holds([one.observable for one in many])}
    assert {each.value for each in found} == {each.value for each in many[::3]}


@pytest.mark.real_server
def test_a_set_made_otherwise_is_not_asked_either(netns):
    nft_hosts.nft(
        netns,
        "add table inet connector\n"
        "add set inet connector blocklist_v4 { type ipv4_addr; flags interval; }\n"
        "add element inet connector blocklist_v4 { 192.0.2.0/24 }\n",
    )
    with pytest.raises(RefusedError, match="blocklist_v4 in table inet connector"):
        adapter_in(netns).holds([entry("192.0.2.1").observable])


@pytest.mark.real_server
def test_what_the_kernel_refuses_to_answer_is_not_absent(netns, monkeypatch):
    adapter = adapter_in(netns)
    adapter.add([entry("192.0.2.1")])
    monkeypatch.setattr(SetKind, "key", lambda _kind, _element: b"\xc0\x00\x02")  # too short
    with pytest.raises(UnavailableError, match="Invalid argument"):
        adapter.holds([entry("192.0.2.1").observable])


@pytest.mark.real_server
def test_a_missing_command_is_refused_in_words(netns):
    adapter = adapter_in(netns, nft=Path("/nowhere/nft"))
    with pytest.raises(RefusedError, match="install the package nftables"):
        adapter.add([entry("192.0.2.1")])


@pytest.mark.real_server
def test_missing_rights_are_refused_in_words():
    nft_hosts.require_nftables()
    script = """
        from pathlib import Path
        from connector.adapter import Entry, Observable, OutputContext, RefusedError
        from connector_nftables import NftablesAdapter, NftablesSettings
        context = OutputContext("edge", Path())
        adapter = NftablesAdapter(NftablesSettings(table="tfc_never_made"), context)
        entry = Entry(Observable("ipv4-addr", "192.0.2.1"))
        asked = [entry.observable]
        uses = [adapter.stamp, adapter.read]
        uses += [lambda: adapter.holds(asked), lambda: adapter.add([entry])]
        for use in uses:
            try:
                print("no error", use())
            except RefusedError as error:
                print("CAP_NET_ADMIN" in str(error))
    """
    program = (sys.executable, "-c", textwrap.dedent(script))
    done = nft_hosts.run("setpriv", "--bounding-set", "-net_admin", "--", *program)
    assert done.split() == ["True"] * 4


@pytest.mark.real_server
def test_a_hundred_thousand_addresses_come_and_go(netns, capsys):
    adapter = adapter_in(netns)
    first = int(IPv4Address("11.0.0.0"))
    many = [entry(str(IPv4Address(first + 977 * n))) for n in range(100_000)]
    few = [entry(f"192.0.2.{n}") for n in range(250)]
    few += [entry(f"203.0.113.{n}") for n in range(250)]
    took = {}

    def timed(name, work):
        started = time.perf_counter()
        result = work()
        took[name] = time.perf_counter() - started
        return result

    def in_batches(change):
        for start in range(0, len(many), adapter.batch.entries):
            change(many[start : start + adapter.batch.entries])

    timed("add 100,000", lambda: in_batches(adapter.add))
    timed("add 500 beside them", lambda: adapter.add(few))
    held = timed("read", lambda: list(adapter.read()))
    assert {entry.value for entry in held} == {entry.value for entry in many + few}
    some = [each.observable for each in few]
    found = timed("find 500", lambda: adapter.holds(some))
    assert {each.observable for each in found} == set(some)
    timed("remove 500", lambda: adapter.remove(few))
    timed("remove 100,000", lambda: in_batches(adapter.remove))
    assert values(adapter) == set()
    with capsys.disabled():
        sys.stdout.write("\nnftables: " + ", ".join(f"{what} {took[what]:.3f} s" for what in took))


PLACES = [
    ("192.0.2.1", "v4", "192.0.2.1"),
    ("198.51.100.0/24", "v4_24", "198.51.100.0"),
    ("128.0.0.0/1", "v4_1", "128.0.0.0"),
    ("2001:db8::ffff:c000:201", "v6", "2001:db8::ffff:c000:201"),
    ("::ffff:c000:201", "v6", "::ffff:c000:201"),
    ("2001:db8:1::/48", "v6_48", "2001:db8:1::"),
    ("203.0.113.7:443/tcp", "v4_port", "203.0.113.7 . tcp . 443"),
    ("[2001:db8::7]:53/udp", "v6_port", "2001:db8::7 . udp . 53"),
]


@pytest.mark.parametrize(("value", "suffix", "element"), PLACES)
def test_each_observable_has_one_place(value, suffix, element):
    kind, placed = place(entry(value).observable)
    assert (kind.suffix, placed) == (suffix, element)
    assert kind_named(suffix) == kind
    assert kind.reader()(kind.key(element)) == entry(value).observable


@pytest.mark.parametrize(
    "value",
    [
        "192.0.2.1/32", "192.0.2.1/24", "192.0.2.01", "192.0.2", "0.0.0.0/0", "::/0",
        "2001:DB8::1", "2001:db8:0:0::1", "2001:db8::1%eth0", "192.0.2.1\n", " 192.0.2.1",
        "192.0.2.0/255.255.255.0", "192.0.2.1:0/tcp", "192.0.2.1:65536/tcp", "192.0.2.1:80/icmp",
        "192.0.2.1-192.0.2.9", "", "1", "١٩٢.0.2.1",
    ],
)  # fmt: skip
def test_what_is_not_canonical_has_no_place(value):
    for kind in (T.IPV4_ADDR, T.IPV6_ADDR, T.ENDPOINT):
        with pytest.raises(ValueError, match=r"."):
            place(Observable(kind, value))


@settings(deadline=None)
@given(st.sampled_from([T.IPV4_ADDR, T.IPV6_ADDR, T.ENDPOINT]), st.data())
def test_an_element_is_an_address_and_nothing_else(kind, data):
    text = st.text(alphabet=st.characters() | st.sampled_from("019af:./[]%{};,\n tcp"), max_size=40)
    looks_right = r"\[?(([12]?[0-9]{1,2}\.){3}[0-9]{1,3}|([0-9a-f]{0,4}:){1,7}[0-9a-f]{0,4})"
    tail = r"(/[0-9]{1,3}|\]?:[0-9]{1,5}/(tcp|udp))?"
    try:
        found, element = place(
            Observable(kind, data.draw(text | st.from_regex(looks_right + tail)))
        )
    except ValueError:
        return
    assert re.fullmatch(r"[0-9a-f:.]+( \. (tcp|udp|sctp) \. [0-9]+)?", element)
    assert kind_named(found.suffix) == found


def test_a_family_takes_its_own_addresses_only():
    adapter = NftablesAdapter(NftablesSettings(family="ip6"), CONTEXT)
    assert adapter.accepts(entry("2001:db8::1").observable)
    assert not adapter.accepts(entry("192.0.2.1").observable)
    assert not adapter.accepts(Observable(T.DOMAIN_NAME, "bad.example"))


@pytest.mark.parametrize("suffix", ["v4_0", "v4_32", "v6_128", "v5", "v4_024", "v4_", "from", ""])
def test_no_other_names_are_taken_for_ours(suffix):
    assert kind_named(suffix) is None


def test_the_first_transaction_makes_table_sets_chains_and_rules():
    kinds = frozenset({kind_of(V4), kind_of(V6, 48)})
    script = Frame().repairs(kinds, Wish(("input",), -10), Names("inet", "connector", "block"))
    assert list(script) == [
        "add table inet connector",
        "add set inet connector block_v4 { type ipv4_addr; }",
        "add set inet connector block_v6_48 { type ipv6_addr; }",
        "add chain inet connector block_hit",
        "add chain inet connector block_from",
        "add chain inet connector block_to",
        "add chain inet connector block_input "
        "{ type filter hook input priority -10; policy accept; }",
        'add rule inet connector block_hit counter drop comment "connector: drop"',
        "add rule inet connector block_from ip saddr @block_v4 goto block_hit "
        'comment "connector: v4"',
        "add rule inet connector block_to ip daddr @block_v4 goto block_hit "
        'comment "connector: v4"',
        "add rule inet connector block_from ip6 saddr & ffff:ffff:ffff:: @block_v6_48 "
        'goto block_hit comment "connector: v6_48"',
        "add rule inet connector block_to ip6 daddr & ffff:ffff:ffff:: @block_v6_48 "
        'goto block_hit comment "connector: v6_48"',
        'add rule inet connector block_input jump block_from comment "connector: from"',
    ]
