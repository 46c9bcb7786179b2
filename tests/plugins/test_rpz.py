"""A response policy zone: what a real BIND answers for what is listed, and no longer is."""

from collections.abc import Iterator
from typing import ClassVar

import pytest
from connector_rpz import RpzAdapter, RpzSettings
from connector_rpz.names import observable_at, owner_of
from dns_relay import FAULTS, Relay, relay
from named_host import SECRET, ZONE, NamedHost, free_port, named
from outcome_words import words_on
from pydantic import ValidationError

from connector.adapter import (
    Entry,
    Held,
    Observable,
    ObservableType,
    RefusedError,
    SecretValue,
    UnavailableError,
    observable_of,
)
from connector.testing.adapter_suite import AdapterSuite
from connector.testing.context import output_context

T = ObservableType
LISTED = "CNAME ."


def entry(value: str) -> Entry:
    for kind in (T.IPV4_ADDR, T.DOMAIN_NAME):
        if (found := observable_of(kind, value)) is not None:
            return Entry(found)
    raise AssertionError(value)


def settings_for(*hosts: NamedHost | Relay | int, **options: object) -> RpzSettings:
    ports = [one if isinstance(one, int) else one.port for one in hosts]
    given = {
        "zone": ZONE,
        "servers": [f"127.0.0.1#{port}" for port in ports],
        "key_name": "connector",
        "key_secret": SecretValue(SECRET),
    }
    return RpzSettings(**(given | options))


def there(adapter: RpzAdapter) -> dict[str, Held]:
    return {held.value: held for held in adapter.read()}


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[NamedHost]]:
    with named(2) as running:
        yield running


@pytest.fixture
def host(hosts) -> NamedHost:
    return hosts[0]


@pytest.fixture
def made(hosts, tmp_path):
    """Makes adapters; what a test leaves in the zones is removed."""

    def make(*servers, **options):
        settings = settings_for(*(servers or hosts[:1]), **options)
        return RpzAdapter(settings, output_context(settings, tmp_path))

    yield make
    for host in hosts:
        cleaner = make(host)
        ours = list(cleaner.read())
        for start in range(0, len(ours), 200):
            cleaner.remove(ours[start : start + 200])


@pytest.fixture(scope="module")
def between(hosts) -> Iterator[Relay]:
    with relay(hosts[0].port) as running:
        yield running


@pytest.mark.real_server
class TestRpz(AdapterSuite):
    impossible: ClassVar = {
        "refuse": "it refuses by what a value is, which other tests try",
        "fill": "a zone is as large as the memory",
        "neighbour": "a zone is of one output",
    }

    @pytest.fixture
    def adapter(self, made, between):
        return made(between)

    @pytest.fixture
    def row_count(self):
        return 2_500

    @pytest.fixture
    def foreign(self, host):
        return lambda theirs: host.change(f"add {owner_of(theirs.observable)}.{ZONE} 60 CNAME .")

    @pytest.fixture
    def contrary(self, host):
        return lambda theirs: host.change(
            f"add {owner_of(theirs.observable)}.{ZONE} 60 CNAME rpz-passthru."
        )

    @pytest.fixture
    def break_target(self, host):
        yield host.stop
        host.start()

    @pytest.fixture
    def restart_target(self, host):
        return host.start

    @pytest.fixture
    def wrong_credentials(self, host):
        def change() -> None:
            host.take("YW5vdGhlci1vbmU=")
            host.start()

        yield change
        host.take(SECRET)
        host.start()

    @pytest.fixture
    def troubles(self, between):
        return [between.trouble(fault) for fault in FAULTS]


@pytest.mark.real_server
def test_what_is_listed_is_answered_by_the_policy_until_it_is_removed(host, made):
    adapter = made()
    listed = [entry(v) for v in ("bad.example", "*.worse.example", "203.0.113.7", "2001:db8::7")]
    asked = ["bad.example", "x.bad.example", "worse.example", "x.worse.example"]
    assert [host.ask(name)[0] for name in (*asked, "by-address.example")] == ["NOERROR"] * 5
    assert not adapter.add(listed)
    host.until("bad.example", "NXDOMAIN")
    answers = [host.ask(name)[0] for name in asked]
    assert answers == ["NXDOMAIN", "NOERROR", "NOERROR", "NXDOMAIN"]
    host.until("by-address.example", "NXDOMAIN")
    host.until("by-address.example", "NXDOMAIN", kind="AAAA")
    assert not adapter.remove([*there(adapter).values()])
    for name in (*asked, "by-address.example"):
        host.until(name, "NOERROR")


@pytest.mark.real_server
def test_every_form_of_an_address_is_one_that_bind_takes_and_reads_back(host, made):
    values = (
        "203.0.113.0/24", "2001:db8::/32", "2001:db8:0:1:1:1:1:1", "2001:db8:0:0:1:0:0:1",
        "::1:0:0:1/128", "2001:db8:1:2:3:4:5:0", "2001:db8:1:2:3:4:0:0", "64:ff9b::/96",
    )  # fmt: skip
    listed = [entry(value) for value in values]
    assert [observable_at(owner_of(one.observable)) for one in listed] == [
        one.observable for one in listed
    ]
    adapter = made()
    adapter.add(listed)
    assert {held.observable for held in adapter.read()} == {one.observable for one in listed}
    host.until("by-address.example", "NXDOMAIN")
    assert "invalid rpz" not in (host.folder / "log").read_text()
    assert "not canonical" not in (host.folder / "log").read_text()


@pytest.mark.real_server
def test_an_action_is_what_a_client_gets_and_another_replaces_it(host, made):
    sinks = {"action": "sinkhole", "sinkhole": ["198.51.100.9", "2001:db8::9"]}
    for options, status, data in (
        ({"action": "nodata"}, "NOERROR", []),
        (sinks, "NOERROR", ["198.51.100.9"]),
        ({"action": "sinkhole", "sinkhole": ["by-address.example"]}, "NOERROR", None),
        ({"action": "drop"}, "none", []),
        (sinks, "NOERROR", ["198.51.100.9"]),
        ({"action": "nxdomain"}, "NXDOMAIN", []),
    ):
        adapter = made(**options)
        adapter.add([entry("bad.example"), entry("_odd.example")])
        host.until("bad.example", status, data)
        assert there(adapter)["bad.example"].fields == adapter.as_held(entry("bad.example")).fields


@pytest.mark.real_server
def test_a_name_that_does_not_fit_is_refused_by_name_and_the_others_are_written(made):
    long = entry(".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 50, "example"]))
    trigger = Entry(Observable(T.DOMAIN_NAME, "32.7.113.0.203.rpz-ip"))
    outcomes = made().add([long, trigger, entry("bad.example")])
    assert list(outcomes) == [long.observable, trigger.observable]
    assert "at most 255" in words_on(outcomes)[long.value]
    assert there(made()).keys() == {"bad.example"}


@pytest.mark.real_server
def test_a_name_with_records_of_other_types_is_refused_and_never_said_to_be_written(host, made):
    """BIND ignores the CNAME there, and answers that all is well."""
    adapter = made()
    host.change(f"add told.example.{ZONE} 60 TXT told")
    (known,) = adapter.holds([entry("told.example").observable])
    assert known.contrary == "has TXT by hand"
    outcomes = adapter.add([entry("bad.example"), entry("told.example"), entry("worse.example")])
    assert "has other records at that name" in words_on(outcomes)["told.example"]
    assert {held.value for held in adapter.read() if not held.contrary} == {
        "bad.example", "worse.example",
    }  # fmt: skip
    adapter.remove([Held(entry("told.example").observable)])
    assert there(adapter)["told.example"].contrary == "has TXT by hand"
    host.change(f"delete told.example.{ZONE}")


@pytest.mark.real_server
def test_a_name_below_a_listed_wildcard_is_not_taken_for_listed(made):
    adapter = made()
    adapter.add([entry("*.bad.example")])
    asked = [entry(value).observable for value in ("x.bad.example", "bad.example", "*.bad.example")]
    assert [held.value for held in adapter.holds(asked)] == ["*.bad.example"]


@pytest.mark.real_server
def test_all_servers_answer_alike_and_one_that_forgot_is_told_and_mended(hosts, made):
    adapter = made(*hosts)
    adapter.add([entry("bad.example")])
    before = adapter.stamp()
    assert there(adapter)["bad.example"].partly == ""
    hosts[1].stop()
    hosts[1].empty()
    hosts[1].start()
    assert adapter.stamp() != before
    found = there(adapter)["bad.example"]
    assert found.partly == "is at some of the servers, and not at the others"
    adapter.add([entry("bad.example")])
    assert there(adapter)["bad.example"].fields == {"action": LISTED}
    for host in hosts:
        host.until("bad.example", "NXDOMAIN")


@pytest.mark.real_server
def test_what_others_let_pass_stays_and_all_else_of_a_batch_is_removed(host, made):
    names = [f"n{number}.example" for number in range(9)]
    made().add([entry(name) for name in names[:7]])
    made(action="drop").add([entry(names[7])])  # as it was before the option changed
    for line in ("CNAME rpz-passthru.", "TXT kept"):
        host.change(f"delete {names[3]}.{ZONE} CNAME", f"add {names[3]}.{ZONE} 60 {line}")
        made().remove([Held(entry(name).observable) for name in names])
        assert there(made()).keys() == {names[3]}
        made().add([entry(name) for name in names[:3]])
    made().remove([Held(entry(name).observable) for name in names[:3]])
    host.change(f"delete {names[3]}.{ZONE}")
    assert not there(made())


@pytest.mark.real_server
def test_a_name_that_is_gone_below_a_wildcard_is_no_trouble_for_a_removal(made):
    adapter = made()
    adapter.add([entry(value) for value in ("*.bad.example", "worse.example")])
    gone = [Held(entry(value).observable) for value in ("x.bad.example", "worse.example")]
    assert not adapter.remove(gone)
    assert not adapter.remove(gone[:1])
    assert there(adapter).keys() == {"*.bad.example"}


@pytest.mark.real_server
def test_a_server_that_is_away_is_told_and_keeps_the_others_from_nothing(host, made):
    adapter = made(free_port(), host)
    for call in (
        lambda: adapter.add([entry("bad.example")]),
        lambda: adapter.holds([entry("bad.example").observable]),
        lambda: list(adapter.read()),
        adapter.stamp,
    ):
        with pytest.raises(UnavailableError, match="Connection refused"):
            call()
    assert there(made()).keys() == {"bad.example"}
    with pytest.raises(UnavailableError):
        adapter.remove([Held(entry("bad.example").observable)])
    assert not there(made())


@pytest.mark.real_server
@pytest.mark.parametrize(
    "wrong",
    [{"key_name": "nobody"}, {"key_secret": SecretValue("d3Jvbmc=")}, {"zone": "other.test"}],
)
def test_a_wrong_key_or_zone_is_refused(made, wrong):
    adapter = made(**wrong)
    for call in (lambda: adapter.add([entry("bad.example")]), lambda: list(adapter.read())):
        with pytest.raises(RefusedError):
            call()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"servers": ["ns.example"]}, "should be an address"),
        ({"servers": ["127.0.0.1", "127.0.0.1#53"]}, "should name each server once"),
        ({"action": "sinkhole"}, "go together"),
        ({"sinkhole": ["192.0.2.1"]}, "go together"),
        ({"action": "sinkhole", "sinkhole": ["a.example", "192.0.2.1"]}, "one name alone"),
    ],
)
def test_options_that_cannot_work_are_refused(options, words):
    with pytest.raises(ValidationError, match=words):
        settings_for(53, **options)
