import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from connector.config.machine_hosts import MACHINE_FILES, machine_hosts
from connector.service.own_hosts import OwnHosts, addresses_of

MINUTE = 60 * 1_000_000
HOUR = 60 * MINUTE
SAID = {
    "/etc/resolv.conf": "# made by hand\nnameserver 192.0.2.53\nsearch agency.example\n"
    "nameserver fe80::1%eth0\nnameserver 2001:db8::53\n",
    "/etc/systemd/timesyncd.conf": "[Time]\nNTP=time.agency.example 192.0.2.123\n#NTP=no.example\n",
    "/etc/systemd/resolved.conf": "[Resolve]\nDNS=192.0.2.54#dns.agency.example\n",
    "/etc/chrony/chrony.conf": "pool pool.agency.example iburst\n! server no.example\n"
    "server 2001:db8::123 prefer\nserver bad!name\n",
}


@pytest.fixture
def files(tmp_path: Path) -> dict[Path, Callable[[str], list[str]]]:
    """The files of a machine, each with what reads a line of it."""
    readers = {str(path): read for path, read in MACHINE_READERS.items()}
    found = {tmp_path / name.replace("/", "_"): readers[name] for name in SAID}
    for path, text in zip(found, SAID.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    return found


MACHINE_READERS = dict(MACHINE_FILES)


def test_name_and_time_servers_are_read_from_the_files_of_the_machine(files, tmp_path):
    assert machine_hosts({**files, tmp_path / "not-there": files[next(iter(files))]}) == {
        "192.0.2.53", "fe80::1", "2001:db8::53", "time.agency.example", "192.0.2.123",
        "192.0.2.54", "pool.agency.example", "2001:db8::123",
    }  # fmt: skip


class Zone:
    """A resolver whose answers a test changes; a name without one has no answer."""

    def __init__(self, **names: set[str]) -> None:
        self.names = {name.replace("_", "."): found for name, found in names.items()}
        self.asked: list[str] = []

    def __call__(self, name: str) -> frozenset[str]:
        self.asked.append(name)
        if name not in self.names:
            raise OSError("no answer")
        return frozenset(self.names[name])


def own(zone: Zone, *names: str, machine: frozenset[str] = frozenset()) -> OwnHosts:
    return OwnHosts(names, resolve=zone, machine=lambda: machine)


def test_names_and_their_addresses_are_kept_and_addresses_are_asked_of_nobody():
    zone = Zone(taxii_example={"198.51.100.7", "2001:db8::7"})
    hosts = own(zone, "taxii.example", "198.51.100.9", machine=frozenset({"192.0.2.53"}))
    assert hosts.refresh(0)
    assert hosts.hosts == {
        "taxii.example", "198.51.100.9", "192.0.2.53", "198.51.100.7", "2001:db8::7",
    }  # fmt: skip
    assert zone.asked == ["taxii.example"]


def test_hosts_are_looked_up_again_now_and_then_and_a_change_is_told_once():
    zone = Zone(taxii_example={"198.51.100.7"})
    hosts = own(zone, "taxii.example")
    assert hosts.refresh(0)
    zone.names["taxii.example"] = {"198.51.100.8"}
    assert not hosts.refresh(MINUTE)
    assert hosts.refresh(5 * MINUTE)
    assert {"198.51.100.7", "198.51.100.8"} <= hosts.hosts
    assert not hosts.refresh(10 * MINUTE)


def test_an_address_that_a_name_no_longer_has_ends_after_a_day():
    zone = Zone(taxii_example={"198.51.100.7"})
    hosts = own(zone, "taxii.example")
    hosts.refresh(0)
    zone.names["taxii.example"] = {"198.51.100.8"}
    hosts.refresh(HOUR)
    assert hosts.refresh(25 * HOUR)
    assert hosts.hosts == {"taxii.example", "198.51.100.8"}


def test_the_last_answer_counts_for_as_long_as_there_is_no_other():
    zone = Zone(taxii_example={"198.51.100.7"})
    hosts = own(zone, "taxii.example")
    hosts.refresh(0)
    zone.names.clear()
    assert not hosts.refresh(240 * HOUR)
    assert "198.51.100.7" in hosts.hosts


def test_a_reload_keeps_what_is_known_of_addresses():
    zone = Zone(taxii_example={"198.51.100.7"})
    hosts = own(zone, "taxii.example", "old.example")
    hosts.refresh(0)
    zone.names.clear()
    hosts.expect({"taxii.example"})
    assert hosts.refresh(MINUTE)
    assert hosts.hosts == {"taxii.example", "198.51.100.7"}


def test_a_name_that_is_slow_to_answer_delays_nobody_for_ever():
    answer = threading.Event()

    def slow(_name: str) -> frozenset[str]:
        answer.wait()
        return frozenset({"198.51.100.7"})

    hosts = OwnHosts({"slow.example"}, resolve=slow, machine=frozenset, wait_seconds=0)
    assert not hosts.refresh(0)
    answer.set()
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.current_thread():
            thread.join(5)
    assert hosts.refresh(5 * MINUTE)
    assert "198.51.100.7" in hosts.hosts


def test_the_machine_itself_knows_an_address_of_loopback():
    assert "127.0.0.1" in addresses_of("127.0.0.1")
