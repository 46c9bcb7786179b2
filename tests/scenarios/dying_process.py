"""A cycle in a process of its own that kills itself at one exact point, as `kill -9` would."""

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from scenario_site import Clock, Site

from connector.reconcile import EVERYTHING
from connector.store.database import Database

# One process imports everything once; each that is to die is forked from it in milliseconds.
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["dying_process"])


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


def cycle(site: Site, points: Points, *, whole: bool) -> None:
    """Poll, refresh and sync everything, passing every point at which one may die."""
    with _commits(points):
        service = site.open(fault=points)
        for name, output in service.outputs.items():
            if hasattr(output.adapter, "device"):
                output.adapter.device.hook = lambda point, name=name: points(f"device {point}")
        for name in service.feeds:
            service.poll(name, lambda _title, _count: points("page"))
        for name in service.listings:
            service.refresh(name, everything=whole)
        for name in service.outputs:
            service.sync(name, EVERYTHING if whole else None)
    site.close()


@contextmanager
def _commits(points: Points) -> Iterator[None]:
    """Pass a point before and after every commit, whoever writes."""
    write: Callable[[Database], Any] = Database.write

    @contextmanager
    def told(database: Database, **options: Any) -> Iterator[Any]:
        with write(database, **options) as connection:
            yield connection
            points("before commit")
        points("after commit")

    Database.write = told  # type: ignore[method-assign]
    try:
        yield
    finally:
        Database.write = write  # type: ignore[method-assign]


def _live_and_die(folder: str, moment: datetime, where: str, nth: int, whole: bool) -> None:
    cycle(Site(Path(folder), Clock(moment)), Points(where, nth), whole=whole)


def kill_in_cycle(site: Site, where: str, nth: int, *, whole: bool) -> None:
    """Run a cycle on the site in a process that dies at the nth `where`; fail when it lives on."""
    arguments = (str(site.folder), site.clock.moment, where, nth, whole)
    process = _server.Process(target=_live_and_die, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, f"ended with {process.exitcode}, not by the kill"
    process.close()
