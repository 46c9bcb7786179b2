"""Who fetched what when is kept, and a client that is silent for too long is told once."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from connector.config.service import ClientConfig, ServerConfig
from connector.daemon.listeners import Listeners
from connector.instants import SECOND, to_datetime
from connector.server import Fetch
from connector.store.outputs.fetches import FetchRow
from connector.store.store import Store

HOUR = 3600 * SECOND
DAY = 24 * HOUR
START = 1_700_000_000 * SECOND


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/c.db")
    store.database.migrate()
    yield store
    store.close()


def client(name: str, number: int, **options: Any) -> ClientConfig:
    return ClientConfig(name=name, address=f"192.0.2.{number}", **options)


CONFIG = ServerConfig(
    clients=(client("fw-01", 1), client("fw-02", 2, silent_after=timedelta(hours=1)))
)


@pytest.fixture
def start(store: Store, clock: Clock) -> Callable[..., Listeners]:
    def started(config: ServerConfig = CONFIG, **changed: Any) -> Listeners:
        given = {"files": None, "since": clock.now, **changed}
        return Listeners(store.fetches, config, now=clock, **given)

    return started


def fetch(name: str, file: str, at: int, status: int = 200) -> Fetch:
    return Fetch(name, file, to_datetime(at), status, "tag")


def told(listeners: Listeners, *fetched: Fetch) -> list[tuple[str, str, str | None]]:
    with capture_logs() as lines:
        listeners.keep(fetched)
    return [(line["event"], line["client"], line["list"]) for line in lines]


def test_a_fetch_outlives_the_process_and_many_at_once_are_one_write(
    store: Store, clock: Clock, start: Callable[..., Listeners]
) -> None:
    listeners = start()
    listeners.keep([fetch("fw-01", "a.txt", START), fetch("fw-02", "a.txt", START, 304)])
    kept = [
        FetchRow("fw-01", "a.txt", START, 200, "tag"),
        FetchRow("fw-02", "a.txt", START, 304, "tag"),
    ]
    assert store.fetches.all() == kept
    listeners.keep([fetch("fw-01", "a.txt", START)])
    clock.now += 60 * SECOND
    start().keep([])
    assert store.fetches.all() == kept


def test_silence_is_told_once_and_its_end_too_also_after_a_restart(
    clock: Clock, start: Callable[..., Listeners]
) -> None:
    listeners = start()
    fetched = (fetch("fw-01", "a.txt", START), fetch("fw-02", "a.txt", START))
    assert told(listeners, *fetched) == []
    clock.now += HOUR
    assert told(listeners, *fetched) == []
    clock.now += SECOND
    assert told(listeners, *fetched) == [("list.silent", "fw-02", "a.txt")]
    assert told(listeners, *fetched) == []
    clock.now += DAY
    again = start(since=START)
    assert told(again) == [("list.silent", "fw-01", "a.txt")]
    assert told(again, fetch("fw-02", "a.txt", clock.now)) == [
        ("list.fetched_again", "fw-02", "a.txt")
    ]
    assert told(again) == []


def test_a_client_that_never_came_is_silent_and_one_that_stops_with_one_file(
    clock: Clock, start: Callable[..., Listeners]
) -> None:
    listeners = start()
    assert told(listeners, fetch("fw-02", "a.txt", START), fetch("fw-02", "b.txt", START)) == []
    clock.now += DAY + SECOND
    b = fetch("fw-02", "b.txt", clock.now)
    assert told(listeners, b) == [("list.silent", "fw-01", None), ("list.silent", "fw-02", "a.txt")]
    back = told(listeners, b, fetch("fw-01", "a.txt", clock.now))
    assert back == [("list.fetched_again", "fw-01", None)]


def test_nobody_is_silent_for_the_time_when_nothing_was_served(
    clock: Clock, start: Callable[..., Listeners]
) -> None:
    told(start(), fetch("fw-01", "a.txt", START), fetch("fw-02", "a.txt", START))
    clock.now += 9 * DAY
    listeners = start()
    assert told(listeners) == []
    clock.now += HOUR + SECOND
    assert told(listeners) == [("list.silent", "fw-02", "a.txt")]


def test_what_nobody_waits_for_any_more_is_forgotten(
    store: Store, clock: Clock, start: Callable[..., Listeners]
) -> None:
    listeners = start()
    told(listeners, *(fetch(name, "a.txt", START) for name in ("fw-01", "fw-02")))
    clock.now += 31 * DAY
    told(listeners, fetch("fw-01", "b.txt", clock.now))  # goes on with another file
    names = [(row.client, row.file) for row in store.fetches.all()]
    assert names == [("fw-01", "b.txt"), ("fw-02", "a.txt")]
    told(start(files=frozenset({"a.txt"})))
    assert [(row.client, row.file) for row in store.fetches.all()] == [("fw-02", "a.txt")]
    told(start(ServerConfig(clients=(client("fw-03", 3),))))
    assert [(row.client, row.file) for row in store.fetches.all()] == [("fw-03", "")]


def test_without_clients_this_machine_is_kept_and_never_silent(
    store: Store, clock: Clock, start: Callable[..., Listeners]
) -> None:
    listeners = start(ServerConfig())
    told(listeners, fetch("loopback", "a.txt", START))
    clock.now += 9 * DAY
    assert told(listeners) == []
    assert [row.client for row in store.fetches.all()] == ["loopback"]
