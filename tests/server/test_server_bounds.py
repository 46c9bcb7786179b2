"""What one side may take of the list server is bounded, and leaves room for those who are known."""

import json
import logging
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from list_asker import Asker, KnownClient
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from connector.server import ConnectionBounds, ListServer, raise_file_limit
from connector.server.connections import Closed, Connections, site_of
from connector.server.seldom import Seldom, SeldomFilter

MIB = 1 << 20
HEAD = b"GET /lists/list.txt HTTP/1.1\r\nHost: h\r\n"
TEN = ConnectionBounds(in_all=10, per_address=4)
NO_WAITING = ConnectionBounds(request=0.2, stalled=0.2, patience=0.0)

Connect = Callable[..., socket.socket]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes connections from an address of loopback that send these bytes, and keeps them."""
    with ExitStack() as stack:

        def made(ask: Asker, sends: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
            connection = socket.create_connection(
                (ask.host, ask.port), timeout=20, source_address=(source, 0)
            )
            stack.callback(connection.close)
            if sends:
                connection.sendall(sends)
            return connection

        yield made


@pytest.fixture
def ask(serve: Any, tmp_path: Any) -> Callable[[ConnectionBounds], Asker]:
    """Serves one short list and one large one to whoever asks."""
    (tmp_path / "list.txt").write_bytes(b"192.0.2.7\n")
    (tmp_path / "large.txt").write_bytes(b"192.0.2.7\n" * MIB)
    return lambda bounds: serve(bounds=bounds)  # type: ignore[no-any-return]


def ends(connection: socket.socket) -> bytes:
    """Return what still comes until the server closes."""
    found = bytearray()
    try:
        while chunk := connection.recv(MIB):
            found += chunk
    except ConnectionError:
        pass
    return bytes(found)


def ended(connection: socket.socket) -> bool:
    """Return whether the server has closed, after a wait as long as the socket's timeout."""
    try:
        return connection.recv(MIB) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def closed(ask: Asker, why: str) -> int:
    told = json.loads(ask("/healthz", source="127.0.0.99").body)["server"]
    return int(told["closed"].get(why, 0))


HOSTILE = {
    "idle": b"",
    "half-a-request": HEAD,
    "a-body-that-never-ends": HEAD + b"Content-Length: 1000\r\n\r\nabc",
    "line-ends-only": b"\r\n\r\n",
}


@pytest.mark.parametrize("sends", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_request_that_is_not_complete_in_time_is_not_waited_for(ask, connect, sends):
    asker = ask(NO_WAITING)
    ends(connect(asker, sends))
    assert asker("/lists/list.txt").status == 200
    assert closed(asker, "slow_request") + closed(asker, "idle") >= 1


def test_bytes_that_drip_do_not_prolong_the_time_of_a_request(ask, connect):
    asker = ask(NO_WAITING)
    dripping = connect(asker, HEAD)
    dripping.settimeout(0.01)
    while not ended(dripping):
        with suppress(ConnectionError):
            dripping.sendall(b"X-A: a\r\n")
    assert closed(asker, "slow_request") == 1


def test_a_connection_that_is_kept_after_an_answer_is_closed_when_nothing_follows(ask, connect):
    asker = ask(NO_WAITING)
    kept = connect(asker, HEAD + b"\r\n")
    assert kept.recv(15) == b"HTTP/1.1 200 OK"
    ends(kept)
    late = connect(asker, HEAD + b"\r\n")
    with late.makefile("rb") as reading:
        while reading.readline() != b"192.0.2.7\n":
            pass
    late.sendall(b"\r\n")  # no request, and no reason to wait for ever
    ends(late)
    assert closed(asker, "idle") + closed(asker, "slow_request") == 2


def test_a_reader_that_takes_nothing_is_not_waited_for(ask, connect):
    asker = ask(replace(NO_WAITING, request=20))
    reader = connect(asker, HEAD.replace(b"list.txt", b"large.txt") + b"\r\n")
    other = connect(asker, (HEAD.replace(b"list.txt", b"large.txt") + b"Connection: close\r\n\r\n"))
    while closed(asker, "stalled") < 2:  # asked again until the watch has come round
        assert reader.fileno() >= 0
    assert len(ends(reader)) < 10 * MIB
    assert len(ends(other)) < 10 * MIB


TOO_LARGE = {
    "header": HEAD + b"X-A: " + b"a" * (40 * 1024),
    "headers": HEAD + b"X-A: a\r\n" * 200 + b"\r\n",
    "url": b"GET /" + b"a" * (40 * 1024),
    "line-ends": b"\r\n" * (20 * 1024),
    "chunk-extension": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * (40 * 1024),
    "requests-at-once": (HEAD + b"\r\n") * 500,
}


@pytest.mark.parametrize("sends", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_a_request_that_is_too_large_is_refused(ask, connect, sends):
    asker = ask(ConnectionBounds())
    large = connect(asker)
    with suppress(ConnectionError):
        large.sendall(sends)
    assert not ends(large).count(b"200 OK") > 10
    assert closed(asker, "too_large") == 1


def test_a_request_that_is_too_large_is_said_to_be_so(ask, connect):
    answer = ends(connect(ask(ConnectionBounds()), TOO_LARGE["headers"]))
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"connection: close" in answer


def test_what_is_not_http_is_refused_and_never_written_into_a_list(ask, connect):
    asker = ask(ConnectionBounds())
    assert ends(connect(asker, b"\x16\x03\x01\x02\x00\x01\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
    large = HEAD.replace(b"list.txt", b"large.txt") + b"\r\n"
    answer = ends(connect(asker, large + b"\x16\x03\x01\x02\x00\x01\r\n\r\n"))
    assert b"400" not in answer
    assert set(answer.partition(b"\r\n\r\n")[2].split(b"\n")[:-1]) <= {b"192.0.2.7"}
    assert closed(asker, "not_http") == 2


def test_one_address_leaves_room_for_all_others(ask, connect):
    asker = ask(TEN)
    hostile = [connect(asker, HEAD, source="127.0.0.2") for _ in range(50)]
    assert asker("/lists/list.txt", source="127.0.0.3").status == 200
    for early in hostile[:46]:  # the first made room for the last
        assert ends(early) == b""
    told = json.loads(asker("/healthz").body)["server"]
    assert (told["state"], told["max_connections"]) == ("full", 10)
    assert told["connections"] <= 5
    assert told["closed"]["address_full"] == 46


def test_a_client_is_answered_behind_the_address_of_a_hostile_one(ask, connect):
    asker = ask(TEN)
    for _ in range(50):
        connect(asker, HEAD)
    assert asker("/lists/list.txt").status == 200


@pytest.mark.parametrize("sends", [b"", HEAD, HEAD + b"\r\n"], ids=["idle", "half", "kept"])
def test_many_addresses_leave_room_for_a_known_client(ask, connect, sends):
    asker = ask(TEN)
    for number in range(60):
        connect(asker, sends, source=f"127.0.1.{number + 1}")
    assert asker("/lists/list.txt", source="127.0.0.3").status == 200
    assert closed(asker, "full") > 0


def test_readers_that_take_nothing_make_room_for_a_known_client(ask, connect):
    asker = ask(replace(TEN, patience=0.0))
    for number in range(30):
        sends = HEAD.replace(b"list.txt", b"large.txt") + b"\r\n"
        reader = connect(asker, sends, source=f"127.0.1.{number + 1}")
        assert reader.recv(15) == b"HTTP/1.1 200 OK"
    assert asker("/lists/list.txt", source="127.0.0.3").status == 200


def test_a_hostile_stranger_keeps_no_known_client_out(serve, connect, tmp_path):
    (tmp_path / "list.txt").write_bytes(b"192.0.2.7\n")
    known = KnownClient("fw", address=ip_network("127.0.0.2/32"))
    asker = serve(known, bounds=TEN)
    for number in range(100):
        connect(asker, (HEAD + b"\r\n") * 3, source=f"127.0.1.{number + 1}")
    assert asker("/lists/list.txt", source="127.0.0.2").status == 200


class Held:
    """A connection as the bounds see it."""

    def __init__(self, address: str, *, waits: bool = True) -> None:
        self.address = address
        self.waits = waits
        self.dropped = False

    def overdue(self, _now: float) -> Closed | None:
        return None

    def makes_room(self, _now: float) -> bool:
        return self.waits

    def drop(self) -> None:
        self.dropped = True


def test_no_answer_in_progress_is_cut_short_for_another_connection():
    connections = Connections(ConnectionBounds(in_all=3, per_address=2))
    answering = [Held("192.0.2.1", waits=False), Held("192.0.2.1", waits=False)]
    for one in answering:
        assert connections.has_room_for(one.address)
        connections.add(one)
    assert not connections.has_room_for("192.0.2.1")
    assert connections.has_room_for("192.0.2.2")
    assert not any(one.dropped for one in answering)


def test_what_made_progress_last_makes_room_last():
    connections = Connections(ConnectionBounds(in_all=2))
    first, second = Held("192.0.2.1"), Held("192.0.2.2")
    connections.add(first)
    connections.add(second)
    connections.progressed(first)
    assert connections.has_room_for("192.0.2.3")
    assert (first.dropped, second.dropped, len(connections)) == (False, True, 1)


def test_nothing_is_kept_of_an_address_that_is_gone():
    connections = Connections(ConnectionBounds())
    for number in range(300):
        one = Held(f"192.0.2.{number}")
        connections.add(one)
        connections.remove(one)
        connections.remove(one)
    assert len(connections) == 0
    assert connections._from == {}


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"), ("2001:db8::ffff:ffff:ffff:ffff", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"), ("", ""),
    ],
)  # fmt: skip
def test_a_host_with_many_ipv6_addresses_counts_as_one(address, site):
    assert site_of(address) == site


def test_connections_take_no_more_than_a_quarter_of_the_files():
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert ConnectionBounds(in_all=20_000_000).connections == soft // 4
    assert ConnectionBounds(in_all=7).connections == 7


def test_the_limit_of_files_is_raised_to_the_hard_one():
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300));"
        "from connector.server import raise_file_limit;"
        "print(raise_file_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["300", "300", "300"]
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert raise_file_limit() >= before[0]


def test_the_bound_is_reported_once_and_shown_as_a_metric(serve, connect, tmp_path):
    with capture_logs() as logged:
        asker = serve(bounds=TEN)
        for _ in range(40):
            connect(asker, HEAD)
        metrics = asker("/metrics", source="127.0.0.2").body.decode()
    told = [line for line in logged if line["event"] == "server.closed"]
    assert [(line["why"], line["log_level"]) for line in told] == [("address_full", "warning")]
    assert 'connector_server_closed_total{why="address_full"} 36.0' in metrics
    assert "connector_server_full 1.0" in metrics
    assert "connector_server_max_connections 10.0" in metrics
    assert "connector_server_connections " in metrics


def test_a_fault_that_repeats_is_reported_once_in_an_interval_with_its_number():
    now = 0.0
    seldom = Seldom(60, lambda: now)
    assert [seldom.untold("a"), seldom.untold("a"), seldom.untold("b")] == [0, None, 0]
    now = 61.0
    assert [seldom.untold("a"), seldom.untold("b"), seldom.untold("a")] == [1, 0, None]
    for number in range(1000):
        seldom.untold(f"kind {number}")
    assert len(seldom._next) <= 100


def test_a_bug_in_every_answer_is_one_traceback_in_the_log(serve, caplog):
    def bug() -> dict[str, object]:
        return {"healthy": 1 / 0}

    asker = serve(status=bug)
    with caplog.at_level(logging.ERROR):
        for _ in range(20):
            assert asker("/healthz").status == 503
        asker.server.stop()
    assert caplog.text.count("Traceback") == caplog.text.count("ZeroDivisionError: ") <= 1


def test_lines_of_other_kinds_are_not_lost_for_one_that_repeats(caplog):
    now = 0.0
    logger = logging.getLogger("connector.test")
    filtering = SeldomFilter(Seldom(60, lambda: now))
    logger.addFilter(filtering)
    for number in range(3):
        logger.warning("first %s", number)
        logger.warning("second")
    now = 61.0
    logger.warning("first %s", 3)
    logger.removeFilter(filtering)
    told = [record.getMessage() for record in caplog.records]
    assert told == ["first 0", "second", "first 3 (2 more like this since the last line)"]


@pytest.mark.parametrize("sends", [b"", HEAD, HEAD + b"\r\n"], ids=["idle", "half", "kept"])
def test_hostile_connections_do_not_hold_up_the_stop(ask, connect, sends):
    asker = ask(ConnectionBounds())
    for _ in range(50):
        connect(asker, sends)
    assert asker("/lists/list.txt").status == 200
    asker.server.stop()
    with pytest.raises(ConnectionRefusedError):
        asker("/lists/list.txt")


def test_a_server_that_is_started_again_counts_from_the_start(tmp_path):
    registry = CollectorRegistry()
    for _ in range(2):
        server = ListServer("127.0.0.1:0", (), tmp_path, dict, registry)
        server.start()
        server.stop()
    assert registry.get_sample_value("connector_server_connections") is None


def test_where_all_are_busy_one_more_waits_and_is_answered(ask, connect):
    asker = ask(replace(TEN, patience=0.5))
    sends = HEAD.replace(b"list.txt", b"large.txt") + b"\r\n"
    for number in range(10):
        reader = connect(asker, sends, source=f"127.0.1.{number + 1}")
        assert reader.recv(15) == b"HTTP/1.1 200 OK"  # and takes no more of it
    assert asker("/lists/list.txt", source="127.0.0.3").status == 200
