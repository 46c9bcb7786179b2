"""Squid and nginx load our files, and stop what was listed and nothing else."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from edl_files import ADDRESSES, DOMAIN, V4, V6, entries, published
from edl_programs import fetched, nginx, open_folder, squid
from test_kinds import NAMED, as_read, unread

from connector.adapter import Entry, ObservableType
from connector.testing.samples.entries import hostile_values, sample_values

pytestmark = pytest.mark.real_server

PLACES = [
    *entries(V4, "192.0.2.0/24", "192.0.2.7", "203.0.113.9"),
    *entries(V6, "2001:db8:1::/64", "2001:db8:1::9", "2001:db8::7"),
]
SITES = [
    *entries(DOMAIN, "*.a.both.example", "*.both.example", "*.worse.example"),
    *entries(DOMAIN, "a.both.example", "bad.example", "both.example", "xn--bcher-kva.example"),
]
LONG = entries(DOMAIN, f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 50}.example")
STOPPED = ["bad.example", "both.example", "a.both.example", "b.a.both.example", "x.both.example"]
SERVED = ["www.bad.example", "xbad.example", "good.example", "xboth.example", "worse.example"]


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


def files(form: str, folder: Path, places: list[Entry], sites: list[Entry]) -> tuple[Path, Path]:
    options = {"format": form}
    addresses, _ = published(folder, places, file="places", types=ADDRESSES, **options)
    names, _ = published(folder, sites, file="names", types=["domain-name"], **options)
    addresses.chmod(0o644)
    names.chmod(0o644)
    return addresses, names


def hostile() -> tuple[list[Entry], list[Entry]]:
    """Return what attacks under every kind, as addresses and as names."""
    texts = [*NAMED, *(value for kind in ObservableType for value in hostile_values(kind))]
    texts += [next(sample_values(kind)) for kind in ObservableType]
    found = [Entry(one) for one in sorted({*as_read(texts), *unread(texts)})]
    wide = {"0.0.0.0/0", "::/0"}  # these are what they say, and the allowlist's to refuse
    return (
        [one for one in found if one.type in {V4, V6} and one.value not in wide],
        [one for one in found if one.type is DOMAIN],
    )


def test_nginx_tells_listed_hosts_and_addresses_from_all_others(folder: Path) -> None:
    with nginx(*files("nginx", folder, PLACES, [*SITES, *LONG])) as port:

        def told(host: str, address: str = "198.51.100.1") -> str:
            return fetched("-H", f"Host: {host}", f"http://127.0.0.1:{port}/?from={address}")

        below = ["a.worse.example", "a.b.worse.example"]
        assert {told(host) for host in [*STOPPED, *below]} == {"01"}
        assert {told(host) for host in SERVED} == {"00"}
        listed = ["192.0.2.255", "192.0.2.7", "203.0.113.9", "2001:db8::7", "2001:db8:1::ffff"]
        assert {told("good.example", address) for address in listed} == {"10"}
        others = ["192.0.3.0", "203.0.113.8", "2001:db8::8", "2001:db8:2::1"]
        assert {told("good.example", address) for address in others} == {"00"}


def test_nginx_loads_hostile_values_and_lists_nothing_else(folder: Path) -> None:
    places, sites = hostile()
    with nginx(*files("nginx", folder, places, sites)) as port:
        url = f"http://127.0.0.1:{port}/?from=198.51.100.200"
        for host in ("yahoo.com", "gov", "localhost", "de", "www.gov"):
            assert fetched("-H", f"Host: {host}", url) == "00"


def status(port: int, *hosts: str) -> set[str]:
    """Return Squid's answers: 403 where it stops; else nobody listens at port 1 of the host."""
    urls = [part for host in hosts for part in ("-o", "/dev/null", f"http://{host}:1/")]
    said = fetched("-x", f"http://127.0.0.1:{port}", "-w", "%{http_code}\n", *urls)
    return set(said.split())


def test_squid_stops_listed_hosts_and_addresses_and_no_other(folder: Path) -> None:
    with squid(*files("squid", folder, PLACES, SITES), SERVED) as (port, said):
        assert "WARNING" not in said  # it says which of two lines it ignores
        assert status(port, *STOPPED) == {"403"}
        assert "403" not in status(port, *SERVED)
        stopped = ["192.0.2.200", "192.0.2.7", "203.0.113.9", "[2001:db8:1::5]", "[2001:db8::7]"]
        assert status(port, *stopped) == {"403"}
        assert "403" not in status(port, "127.0.0.1")


def test_squid_serves_again_what_left_the_list(folder: Path) -> None:
    with squid(*files("squid", folder, [], entries(DOMAIN, "other.example")), STOPPED) as (
        port,
        _said,
    ):
        assert "403" not in status(port, *STOPPED)
        assert status(port, "other.example") == {"403"}


def test_squid_parses_hostile_values_and_ignores_none(folder: Path) -> None:
    places, sites = hostile()
    hosts = ("yahoo.com", "www.gov", "localhost.example")
    with squid(*files("squid", folder, places, sites), hosts) as (port, said):
        assert "WARNING" not in said
        assert "403" not in status(port, *hosts)
    assert all(ip_network(line) for line in (folder / "places").read_text().split())
