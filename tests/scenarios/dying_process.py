"""A cycle in a process of its own that kills itself at one exact point, as `kill -9` would."""

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from scenario_site import Clock, Site
from stix_samples import indicator

from connector.service.service import Service
from connector.store.sqlite import SqliteDatabase
from connector.sync.targets import target
from connector.sync.view import EVERYTHING

AT_ONCE = 10_000


@dataclass
class Points:
    """Counts the points that a cycle passes, and ends the process at the nth of one kind."""

    where: str = ""
    nth: int = 0
    passed: Counter[str] = field(default_factory=Counter)

    def __call__(self, point: str) -> None:
        self.passed[point] += 1
        if point == self.where and self.passed[point] == self.nth:
            os.kill(os.getpid(), signal.SIGKILL)


def cycle(site: Site, points: Points, *, whole: bool, at_once: int = AT_ONCE) -> None:
    """Poll, refresh and sync everything, passing every point at which one may die.

    So many entries of a list that was published are confirmed at once.
    """
    with commits(points), pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, "_CONFIRMED_AT_ONCE", at_once)
        service = site.open()
        steps(service, points)
        for path in (site.folder / "devices").glob("*.json"):  # also those that outputs left
            site.rack[path.stem].hook = lambda point: points(f"device {point}")
        for name in service.feeds:
            service.feeds.poll(name, lambda _title, _count: points("page"))
        for name in service.lists:
            service.lists.refresh(name, everything=whole)
        for name in service.outputs:
            service.outputs.sync(name, EVERYTHING if whole else None)
    site.close()


def steps(service: Service, told: Callable[[str], None]) -> None:
    """Be told of every step of applying a plan, in the ledger and at the targets."""
    store = service.store
    tell(store.ledger, "intend", told, after="intended")
    tell(store.ledger, "confirm", told, after="added")
    tell(store.ledger, "confirm_removed", told, after="removed")
    tell(store.outputs, "finish", told, before="written", after="finished")
    for output in service.outputs.values():
        adapter = output.adapter
        if hasattr(adapter, "publish"):
            tell(adapter, "publish", told, after="published")
        if hasattr(adapter, "device"):
            adapter.device.hook = lambda point: told(f"device {point}")


def tell(
    owner: object, verb: str, told: Callable[[str], None], *, before: str = "", after: str = ""
) -> None:
    """Be told before or after each call of one object's method, which does what it always does."""
    method = getattr(owner, verb)

    def telling(*values: Any, **named: Any) -> Any:
        if before:
            told(before)
        answer = method(*values, **named)
        if after:
            told(after)
        return answer

    setattr(owner, verb, telling)


@contextmanager
def commits(told: Callable[[str], None]) -> Iterator[None]:
    """Be told before and after every commit, whoever writes."""
    write: Callable[[SqliteDatabase], Any] = SqliteDatabase.write

    @contextmanager
    def telling(database: SqliteDatabase, **options: Any) -> Iterator[Any]:
        with write(database, **options) as connection:
            yield connection
            told("before commit")
        told("after commit")

    SqliteDatabase.write = telling  # type: ignore[method-assign]
    try:
        yield
    finally:
        SqliteDatabase.write = write  # type: ignore[method-assign]


class Nursery:
    """Forks the processes that are to die from one that has imported everything already."""

    def __enter__(self) -> Self:
        self._forker = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._forker.communicate(timeout=300)

    def kill_in_cycle(
        self, site: Site, where: str, nth: int, *, whole: bool, at_once: int = AT_ONCE
    ) -> None:
        """Run a cycle in a process that dies at the nth `where`; fail when it lives on."""
        assert self._forker.stdin
        assert self._forker.stdout
        job = [str(site.folder), site.clock.moment.isoformat(), where, nth, whole, at_once]
        self._forker.stdin.write(json.dumps(job) + "\n")
        self._forker.stdin.flush()
        ended = self._forker.stdout.readline().strip()
        assert ended == str(-signal.SIGKILL), f"ended with {ended}, not by the kill"


def _serve() -> None:
    """Fork a process for every job that comes in, and answer how it ended."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a cycle logs goes elsewhere
    _warm_up()
    gc.freeze()  # a collection in a child would copy the memory that it has from here
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _live_and_die(*json.loads(line))
        _pid, ended = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(ended), file=answers, flush=True)


def _warm_up() -> None:
    """Import, and read, what the first cycle of a process does: half of each child's time."""
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder, "site"))
        site.configure()
        site.write("one.json", [indicator(1, "192.0.2.1")])
        cycle(site, Points(), whole=False)
    assert threading.active_count() == 1, "what is forked has one thread"


def _live_and_die(
    folder: str, moment: str, where: str, nth: int, whole: bool, at_once: int
) -> None:
    try:
        site = Site(Path(folder), Clock(datetime.fromisoformat(moment)))
        cycle(site, Points(where, nth), whole=whole, at_once=at_once)
    except BaseException:  # noqa: BLE001 - told, and then this process ends
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    _serve()
