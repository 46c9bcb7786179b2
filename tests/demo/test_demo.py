"""The demo, seen from outside: what it prints, what can be asked of it, and what it leaves."""

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from connector.demo.stage import INDICATORS
from connector.indicators.pattern.reader import read_pattern
from connector.model import Reason
from connector.testing.samples.ais_like import whole_feed
from connector.testing.samples.feed import (
    MARKED_FOR_REVOCATION,
    NEVER_STOPPED,
    SHORT_LIVED,
    Indicators,
)

DOCUMENTATION = [
    ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
PROGRAM = Path(sys.executable).with_name("connector")
LAST_LINE = "That was all."


class Demo:
    """A running demo whose temporary files lie in a folder of ours."""

    def __init__(self, folder: Path, *words: str, terminal: int | None = None) -> None:
        self.folder = folder / "tmp"
        self.folder.mkdir()
        hidden = ("PYTHONWARNINGS", "CONNECTOR_CONFIG", "http_proxy", "HTTP_PROXY")
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        self.process = subprocess.Popen(
            [PROGRAM, "demo", *words], cwd=folder, text=True,
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.PIPE if terminal is None else terminal,
            env={**kept, "TMPDIR": str(self.folder), "TERM": "xterm-256color", "COLUMNS": "100"},
        )  # fmt: skip

    def read_until(self, words: str) -> str:
        """Return what it prints up to and with the line that has these words."""
        assert self.process.stdout is not None
        told = []
        for line in self.process.stdout:
            told.append(line)
            if words in line:
                return "".join(told)
        raise AssertionError(f"ended before it said {words!r}: {''.join(told)}")

    def rest(self) -> tuple[str, str]:
        return self.process.communicate(timeout=300)

    @property
    def left_behind(self) -> list[Path]:
        return list(self.folder.iterdir())


@pytest.fixture
def demos() -> Iterator[list[Demo]]:
    started: list[Demo] = []
    yield started
    for demo in started:
        demo.process.kill()
        demo.process.communicate()


def test_shows_the_whole_way_of_an_indicator_and_ends_by_ctrl_c(tmp_path, demos):
    demos.append(demo := Demo(tmp_path))
    told = demo.read_until(LAST_LINE)

    assert "\x1b" not in told
    assert re.search(r"TAXII 2\.1 server with [\d,]+ objects: http://localhost:\d+/taxii2/", told)
    assert "8[.]8[.]8[.]8      allowlisted: public_resolvers protects 8[.]8[.]8[.]8" in told
    gets = re.search(
        r"firewall   fetches addresses\.txt: (\d+) entries, including 198\[\.]51\[\.]100\[\.]23",
        told,
    )
    assert gets
    revokes = told.index("producer   revokes indicator--")
    gone = told.index("firewall   198[.]51[.]100[.]23 is gone")
    assert gets.start() < revokes < gone
    assert "explain    198[.]51[.]100[.]23: revoked" in told
    assert "explain    flash[.]phish[.]example: expired" in told

    port = int(re.search(r"curl http://127\.0\.0\.1:(\d+)/lists/addresses\.txt", told)[1])
    fetched = _fetch(port, "/lists/addresses.txt").split()
    assert "198.51.100.30" in fetched
    assert "198.51.100.23" not in fetched
    assert len(fetched) == int(gets[1]) - 1
    assert 20 < len(fetched) < 100, "a list to look at, of documentation addresses only"
    assert all(_documentation(value) for value in fetched)

    demo.process.send_signal(signal.SIGINT)
    ending, complaints = demo.rest()
    assert demo.process.returncode == 0
    assert "ended: servers stopped, temporary folder removed" in ending
    assert complaints == ""
    assert demo.left_behind == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=300)


def _documentation(value: str) -> bool:
    network = ip_network(value)
    return any(network.version == of.version and network.subnet_of(of) for of in DOCUMENTATION)


def test_nothing_else_in_its_feed_speaks_of_what_the_story_is_about() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    story = _values(found for found in Indicators(now).all() if found["type"] == "indicator")
    rest = _values(map(json.loads, whole_feed(INDICATORS, start=now)))
    assert {MARKED_FOR_REVOCATION, SHORT_LIVED, NEVER_STOPPED, "192.0.2.14"} <= story
    assert len(rest) > INDICATORS * 0.9
    assert not story & rest
    networks = [ip_network(value) for value in story if "/" in value and value[0].isdigit()]
    assert not [
        value
        for value in rest
        if re.fullmatch(r"[\d.]+", value) and any(ip_address(value) in net for net in networks)
    ]


def _values(objects: Iterable[Any]) -> set[str]:
    patterns = (found.get("pattern") for found in objects)
    return {
        claim.observable.value
        for pattern in patterns
        if isinstance(pattern, str)
        for claim in read_pattern(pattern)
        if claim.observable is not None
    }


def test_counts_every_reason_and_every_list_adds_up(tmp_path, demos):
    demos.append(demo := Demo(tmp_path, "--seconds", "60"))
    told = demo.read_until("each column adds up to")
    rows = dict(re.findall(r"^  (\w+) +((?:[\d·]+ +){3})", told, re.MULTILINE))
    counts = {
        reason: [0 if count == "·" else int(count) for count in row.split()]
        for reason, row in rows.items()
    }
    totals = counts.pop("all")
    assert [sum(column) for column in zip(*counts.values(), strict=True)] == totals
    assert len(set(totals)) == 1
    decided = list(Reason)[: list(Reason).index(Reason.WANTED) + 1]
    assert set(counts) == set(decided) - {Reason.WITHDRAWN}
    demo.process.terminate()
    demo.rest()
    assert demo.process.returncode == 0
    assert demo.left_behind == []


def test_ends_by_itself_after_the_seconds_given(tmp_path, demos):
    demos.append(demo := Demo(tmp_path, "--seconds", "1"))
    ending, complaints = demo.rest()
    assert demo.process.returncode == 0
    assert ending.splitlines()[-1].endswith("ended: servers stopped, temporary folder removed")
    assert complaints == ""
    assert demo.left_behind == []


def test_a_port_that_is_taken_ends_it_with_what_to_do(tmp_path, demos):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demos.append(demo := Demo(tmp_path, "--port", str(port)))
        _told, complaints = demo.rest()
    assert demo.process.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in complaints
    assert "choose another with --port" in complaints
    assert demo.left_behind == []


def test_the_port_asked_for_is_the_list_servers(tmp_path, demos, free_port):
    demos.append(demo := Demo(tmp_path, "--port", str(free_port)))
    demo.read_until(f"the list server is running: http://127.0.0.1:{free_port}/lists/")


def test_a_terminal_gets_a_live_panel_that_is_gone_at_the_end(tmp_path, demos):
    ours, theirs = pty.openpty()
    demos.append(demo := Demo(tmp_path, terminal=theirs))
    os.close(theirs)
    shown = _shown_until(ours, "Ctrl-C stops it")
    assert "served at" in shown
    demo.process.send_signal(signal.SIGINT)
    shown = _shown_until(ours, "temporary folder removed")
    assert "ending before everything was shown" in shown
    assert demo.process.wait(30) == 0
    os.close(ours)
    assert demo.left_behind == []


def _fetch(port: int, path: str) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def _shown_until(terminal: int, words: str) -> str:
    shown, deadline = "", time.monotonic() + 60
    while words not in shown:
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"nothing more was shown after {shown[-500:]!r}"
        try:
            shown += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # how Linux says that the other side has ended
            pytest.fail(f"ended before it showed {words!r}: {shown[-500:]!r}")
    return shown
