"""Maps of HAProxy: what is listed is denied by the real one, also after a restart."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from connector_haproxy import HaproxyAdapter, HaproxySettings
from haproxy_host import HaproxyHost, haproxy
from outcome_words import words_on
from pydantic import ValidationError

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
RULES = """\
  http-request deny if { src,map_ip(%s/addresses.map) -m found }
  http-request set-var(txn.host) req.hdr(host),field(1,:),lower
  http-request deny if { var(txn.host),map_str(%s/names.map) -m found }
  http-request deny if { var(txn.host),field(2,.,0),map_str(%s/below.map) -m found }
  http-request deny if { var(txn.host),field(3,.,0),map_str(%s/below.map) -m found }
  http-request deny if { var(txn.host),field(4,.,0),map_str(%s/below.map) -m found }
"""
CLIENT, PREFIX, SIX = "203.0.113.7", "198.51.100.0/24", "2001:db8::7"


def observable(value: str) -> Observable:
    if ":" in value:
        return Observable(T.IPV6_ADDR, value)
    if value.replace(".", "").replace("/", "").isdigit():
        return Observable(T.IPV4_ADDR, value)
    return Observable(T.DOMAIN_NAME, value)


def entries(*values: str, **fields: str) -> list[Entry]:
    return sorted(
        (Entry(observable(value), fields) for value in values),
        key=lambda entry: (entry.type, entry.value),
    )


def adapter_on(host: HaproxyHost) -> HaproxyAdapter:
    maps = {"addresses": host.map, "names": host.folder / "names.map"}
    maps["names_below"] = host.folder / "below.map"
    settings = HaproxySettings(socket=host.socket, **maps)
    return HaproxyAdapter(settings, OutputContext("web", host.folder))


def write(adapter: HaproxyAdapter, *values: str) -> None:
    adapter.publish(entries(*values))
    adapter.activate()


def held(adapter: HaproxyAdapter) -> dict[str, dict[str, object]]:
    return {one.value: dict(one.fields) for one in adapter.read()}


@pytest.fixture
def host() -> Iterator[HaproxyHost]:
    with haproxy(RULES) as running:
        yield running


@pytest.fixture
def adapter(host: HaproxyHost) -> HaproxyAdapter:
    return adapter_on(host)


@pytest.mark.real_server
class TestHaproxy(AdapterSuite):
    impossible: ClassVar = {
        "refuse": "it refuses what is no address, and no such value comes",
        "fill": "a map is as large as memory",
        "neighbour": "each map is a file of its own",
        "wrong_credentials": "the socket has none but the rights of its file",
        "troubles": "it breaks off only where it ends, which break_target tries",
        "foreign": "its maps are ours alone, and its files are published anew",
    }

    @pytest.fixture
    def restart_target(self, host):
        return host.restart

    @pytest.fixture
    def adapter(self, host):
        return adapter_on(host)

    @pytest.fixture
    def break_target(self, host):
        return host.stop


@pytest.mark.real_server
def test_a_listed_client_is_denied_until_it_is_removed(host, adapter):
    clients = (CLIENT, "198.51.100.9", SIX, "203.0.113.8")
    assert [host.status(client) for client in clients] == [200, 200, 200, 200]
    write(adapter, CLIENT, PREFIX, SIX)
    assert [host.status(client) for client in clients] == [403, 403, 403, 200]
    write(adapter, CLIENT, SIX)
    assert [host.status(client) for client in clients] == [403, 200, 403, 200]


@pytest.mark.real_server
def test_a_name_means_that_name_and_one_below_means_all_below_and_not_itself(host, adapter):
    write(adapter, "bad.example", "*.worse.example")
    asked = {
        "bad.example": 403, "BAD.example:8080": 403, "x.bad.example": 200, "notbad.example": 200,
        "worse.example": 200, "x.worse.example": 403, "a.b.c.worse.example": 403,
        "notworse.example": 200, "example": 200,
    }  # fmt: skip
    assert {name: host.status(host=name) for name in asked} == asked
    write(adapter)
    assert {host.status(host=name) for name in asked} == {200}


@pytest.mark.real_server
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_leaves_nothing_open(host, adapter, by):
    write(adapter, CLIENT, "bad.example")
    before = adapter.stamp()
    host.stop(by)
    host.start()
    assert host.status(CLIENT) == 403
    assert host.status(host="bad.example") == 403
    assert adapter.stamp() != before
    assert held(adapter) == {CLIENT: {"reason": "listed"}, "bad.example": {"reason": "listed"}}


@pytest.mark.real_server
def test_the_file_is_whole_before_haproxy_takes_it_up_and_after_it_did_not(host, adapter):
    write(adapter, CLIENT)
    adapter.publish(entries(CLIENT, SIX))
    assert host.status(SIX) == 200
    assert held(adapter)[SIX]["where"] == "running and on disk differ"
    host.stop()
    with pytest.raises(UnavailableError):
        adapter.activate()
    host.start()
    assert host.status(SIX) == 403


@pytest.mark.real_server
@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("clear map {map}", {CLIENT, PREFIX}),
        ("del map {map} " + CLIENT, {CLIENT}),
        ("set map {map} " + CLIENT + " mine", {CLIENT}),
        ("add map {map} " + CLIENT + " twice", {CLIENT}),
        ("add map {map} 192.0.2.99 by-hand", {"192.0.2.99"}),
    ],
)
def test_what_others_do_to_a_map_changes_the_stamp_and_shows(host, adapter, harm, found):
    write(adapter, CLIENT, PREFIX)
    before = adapter.stamp()
    assert adapter.stamp() == before
    host.ask(harm.format(map=host.map))
    assert adapter.stamp() != before
    assert {value for value, fields in held(adapter).items() if "where" in fields} == found
    write(adapter, CLIENT, PREFIX)
    assert held(adapter) == {key: {"reason": "listed"} for key in (CLIENT, PREFIX)}


@pytest.mark.real_server
@pytest.mark.parametrize("text", ["", "# kept\n192.0.2.99 by hand\n"])
def test_what_others_do_to_a_file_changes_the_stamp_and_shows(host, adapter, text):
    write(adapter, CLIENT)
    before = adapter.stamp()
    host.map.write_text(text, encoding="utf-8")
    assert adapter.stamp() != before
    assert "where" in held(adapter)[CLIENT]


@pytest.mark.real_server
def test_a_file_of_others_is_refused_and_left_as_it_is(host, adapter):
    host.map.write_text("192.0.2.99 by hand\n", encoding="utf-8")
    with pytest.raises(RefusedError, match="was not written by this output"):
        adapter.publish(entries(CLIENT))
    assert host.map.read_text(encoding="utf-8") == "192.0.2.99 by hand\n"
    assert not list(host.folder.glob(".*.new"))


@pytest.mark.real_server
def test_mode_and_group_that_the_administrator_gave_a_file_stay(host, adapter):
    os.chown(host.map, -1, 12)
    host.map.chmod(0o640)
    write(adapter, CLIENT)
    found = host.map.stat()
    assert (found.st_mode & 0o777, found.st_gid) == (0o640, 12)


@pytest.mark.real_server
def test_a_reason_is_reduced_to_what_a_map_can_hold(host, adapter):
    adapter.publish(entries(CLIENT, reason="indicator--1; \\ a\nb\t# 'c'" + "x" * 100))
    adapter.activate()
    (shown,) = host.ask(f"show map {host.map}").splitlines()[:-1]
    assert shown.partition(f"{CLIENT} ")[2] == ("indicator--1 a b c " + "x" * 100)[:80]


@pytest.mark.real_server
def test_a_hundred_thousand_entries_arrive_in_one_step(host, adapter):
    many = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(100_000)]
    write(adapter, *many)
    assert host.status("10.1.134.159") == 403
    assert host.status("10.1.134.160") == 200
    assert len(held(adapter)) == len(many)


@pytest.mark.real_server
def test_a_map_that_haproxy_does_not_know_is_never_empty(host):
    settings = HaproxySettings(socket=host.socket, addresses=host.folder / "other.map")
    adapter = HaproxyAdapter(settings, OutputContext("web", host.folder))
    with pytest.raises(UnavailableError, match="HAProxy has no map"):
        adapter.stamp()
    with pytest.raises(UnavailableError, match="Unknown map identifier"):
        held(adapter)


def test_a_value_that_is_not_canonical_is_refused(tmp_path: Path):
    settings = HaproxySettings(socket=tmp_path / "none", addresses=tmp_path / "addresses.map")
    adapter = HaproxyAdapter(settings, OutputContext("web", tmp_path))
    odd = [Entry(Observable(T.IPV4_ADDR, "192.0.2.7 x\n198.51.100.7")), *entries("192.0.2.8")]
    refused = adapter.publish(odd)
    assert words_on(refused) == {
        "192.0.2.7 x\n198.51.100.7": "is no ipv4-addr that a map of HAProxy can have"
    }
    lines = (tmp_path / "addresses.map").read_text(encoding="utf-8").splitlines()
    assert lines[1:] == ["192.0.2.8 listed"]


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        ({}, "name at least one map"),
        ({"names": "/x/a.map", "addresses": "/x/a.map"}, "should be different maps"),
        ({"names": "/x/a b.map"}, "should have no spaces"),
    ],
)
def test_options_that_cannot_work_are_refused(maps, words):
    with pytest.raises(ValidationError, match=words):
        HaproxySettings(socket="/run/haproxy.sock", **maps)


def test_only_what_has_a_map_is_accepted(tmp_path):
    settings = HaproxySettings(socket=tmp_path / "none", names=tmp_path / "names.map")
    adapter = HaproxyAdapter(settings, OutputContext("web", tmp_path))
    accepted = [adapter.accepts(observable(one)) for one in ("bad.example", "*.bad.example", SIX)]
    assert accepted == [True, False, False]
