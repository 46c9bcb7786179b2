"""Tests this adapter's promises at a real HAProxy, with requests."""

import signal
import socket
from typing import ClassVar

import pytest
from connector_haproxy_map import HaproxyMapAdapter, HaproxyMapSettings
from haproxy_host import haproxy

from connector.adapter import (
    Entry,
    Held,
    Observable,
    ObservableType,
    OutputContext,
    UnavailableError,
)
from connector.testing.adapter_suite import AdapterSuite

ADDRESS, PREFIX, SIX = "203.0.113.7", "198.51.100.0/24", "2001:db8::7"


def observable(value):
    return Observable(ObservableType.IPV6_ADDR if ":" in value else ObservableType.IPV4_ADDR, value)


def adapter_on(host):
    settings = HaproxyMapSettings(socket=host.socket, map=str(host.map))
    return HaproxyMapAdapter(settings, OutputContext("edge", host.folder))


@pytest.fixture
def host():
    with haproxy() as running:
        yield running


@pytest.fixture
def adapter(host):
    return adapter_on(host)


@pytest.mark.real_server
class TestHaproxyMap(AdapterSuite):
    impossible: ClassVar = {
        "contrary": "a map has no exceptions",
        "refuse": "it refuses what is no address, and no such value comes",
        "fill": "a map is as large as memory",
        "neighbour": "each of its maps is another file",
        "wrong_credentials": "the socket has none but the rights of its file",
        "troubles": "it breaks off only where it ends, which break_target tries",
    }

    @pytest.fixture
    def adapter(self, host):
        return adapter_on(host)

    @pytest.fixture
    def foreign(self, host):
        return lambda theirs: host.ask(f"add map {host.map} {theirs.value} by-hand") and None

    @pytest.fixture
    def break_target(self, host):
        return host.stop

    @pytest.fixture
    def restart_target(self, host):
        return host.restart


@pytest.mark.real_server
def test_a_listed_client_is_denied_until_it_is_removed(host, adapter):
    clients = (ADDRESS, "198.51.100.9", SIX)
    assert [host.status(client) for client in clients] == [200, 200, 200]
    adapter.add([Entry(observable(value)) for value in (ADDRESS, PREFIX, SIX)])
    assert [host.status(client) for client in clients] == [403, 403, 403]
    assert host.status("203.0.113.8") == 200
    adapter.remove([Held(observable(PREFIX))])
    assert [host.status(client) for client in clients] == [403, 200, 403]


@pytest.mark.real_server
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_empties_the_map_and_changes_the_stamp(host, adapter, by):
    adapter.add([Entry(observable(ADDRESS))])
    before = adapter.stamp()
    host.stop(by)
    host.start()
    assert host.status(ADDRESS) == 200
    assert adapter.stamp() != before
    assert list(adapter.read()) == []


@pytest.mark.real_server
def test_adding_again_changes_the_reason_and_repeats_nothing(host, adapter):
    for reason in ("one", "two"):
        adapter.add([Entry(observable(ADDRESS), {"reason": reason})])
    assert host.ask(f"show map {host.map}").split()[1:] == [ADDRESS, "two"]


@pytest.mark.real_server
def test_what_others_put_there_in_a_spelling_of_their_own_is_theirs(host, adapter):
    host.map.write_text("2001:DB8:0::7\n198.51.100.9/24 office\nfe80::1 \n", encoding="utf-8")
    host.restart()
    shown = {held.value: held.fields["reason"] for held in adapter.holds(map(observable, (SIX,)))}
    assert shown == {SIX: ""}
    assert {held.value for held in adapter.read()} == {SIX, PREFIX, "fe80::1"}


@pytest.mark.real_server
def test_an_address_that_haproxy_does_not_take_is_refused_in_its_words_and_the_others_stand(
    host, adapter
):
    odd = Observable(ObservableType.IPV4_ADDR, "203.0.113.300")
    outcomes = adapter.add([Entry(odd), Entry(observable(ADDRESS))])
    assert list(outcomes) == [odd]
    assert "'203.0.113.300' is not a valid IPv4 or IPv6 address" in outcomes[odd].words
    assert host.status(ADDRESS) == 403


@pytest.mark.real_server
def test_a_map_that_haproxy_does_not_know_is_never_empty(host):
    settings = HaproxyMapSettings(socket=host.socket, map="/etc/haproxy/other.map")
    adapter = HaproxyMapAdapter(settings, OutputContext("edge", host.folder))
    with pytest.raises(UnavailableError, match="Unknown map identifier"):
        list(adapter.read())


@pytest.mark.real_server
def test_an_answer_that_breaks_off_is_never_a_shorter_map(host, adapter, monkeypatch):
    adapter.add([Entry(observable(value)) for value in (ADDRESS, PREFIX, SIX)])
    received = socket.socket.recv

    def half(connection, size):
        said = received(connection, size)
        return said[: said.rindex(b"0x")] if b"0x" in said else said

    monkeypatch.setattr(socket.socket, "recv", half)
    with pytest.raises(UnavailableError, match="broke off its answer"):
        list(adapter.read())
