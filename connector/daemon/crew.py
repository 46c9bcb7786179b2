"""The crew that runs outputs: so many at work at once, no thread for one with nothing to do.

Who has waited longest is next. Those who wait for a target or in a pause give their place back;
those who come back, and those whose turn was so long that they let others in, take turns with those
who have yet to begin. So neither a dead target nor a large one delays the others.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final

from connector.adapter.turns import taking

_LONG_SECONDS: Final = 1.0  # a turn after which others are let in
_LOOK_SECONDS: Final = 0.1
_SILENT_SECONDS: Final = 5.0  # who shows no sign of life for so long waits for something


class Crew:
    """Runs work on threads of its own, with at most so many `places` at once."""

    def __init__(self, places: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.places = places
        self.monotonic = monotonic
        self._lock = threading.Lock()
        self._fresh: deque[_Turn] = deque()  # have yet to begin
        self._begun: deque[_Turn] = deque()  # want to go on
        self._at_work: set[_Turn] = set()
        self._threads: set[threading.Thread] = set()
        self._sharing = 0
        self._fresh_is_next = True
        self.ended = False

    def run(self, name: str, work: Callable[[], None]) -> None:
        """Have this done, on a thread of this name, as soon as it has its turn."""
        with self._lock:
            if not self.ended:
                self._fresh.append(_Turn(self, name, work))
                self._admit()

    @property
    def at_work(self) -> int:
        """How many have a place now."""
        return len(self._at_work)

    @property
    def threads(self) -> int:
        """How many threads there are now: at work, or waiting for a target or a place."""
        return len(self._threads)

    def look_after(self) -> None:
        """Take the place of whoever seems to wait for something without having said so."""
        with self._lock:
            if not (self._fresh or self._begun):
                return
            late = self.monotonic() - _SILENT_SECONDS
            self._at_work -= {turn for turn in self._at_work if turn.since < late}
            self._admit()

    def end(self) -> None:
        """Begin nothing more; who has begun need not wait for a place any longer."""
        with self._lock:
            self.ended = True
            self._fresh.clear()
            self._admit()

    def join(
        self, leaves: Callable[[Collection[threading.Thread]], bool] = lambda _: False
    ) -> None:
        """Wait until all who had begun are done, or `leaves` says not to wait for the rest."""
        while True:
            with self._lock:
                left = set(self._threads)
            if not left or leaves(left):
                return
            next(iter(left)).join(_LOOK_SECONDS)

    def _admit(self) -> None:
        """Give places that are free to those who wait; the lock is held."""
        while self.ended or len(self._at_work) < self.places:
            turn = self._next()
            if turn is None:
                return
            turn.since = self.monotonic()
            self._at_work.add(turn)
            if turn.begun:
                turn.admitted.set()
            else:
                turn.begun = True
                # A daemon: one that hangs in a target is left behind at the end.
                thread = threading.Thread(
                    target=self._work, args=[turn], name=turn.name, daemon=True
                )
                self._threads.add(thread)
                thread.start()

    def _next(self) -> "_Turn | None":
        """Take who is next: by turns the first who has begun, and the first who has not."""
        queue = self._fresh or self._begun
        if self._fresh and self._begun:
            queue = self._fresh if self._fresh_is_next else self._begun
            self._fresh_is_next = not self._fresh_is_next
        return queue.popleft() if queue else None

    def _work(self, turn: "_Turn") -> None:
        try:
            with taking(turn):
                turn.work()
        finally:
            with self._lock:
                self._at_work.discard(turn)
                self._threads.discard(threading.current_thread())
                self._admit()

    def leave(self, turn: "_Turn") -> None:
        """Give a place back."""
        with self._lock:
            self._at_work.discard(turn)
            self._admit()

    def come_back(self, turn: "_Turn") -> None:
        """Wait for a place."""
        with self._lock:
            self._queue_again(turn)
        turn.wait()

    def share(self, turn: "_Turn") -> None:
        """Let others work for a while, where a turn has been long or has lost its place.

        Only so many do that at once: each of them holds a snapshot of the state and a plan.
        """
        now = self.monotonic()
        if now - turn.since < _LONG_SECONDS:
            return
        with self._lock:
            turn.since = now
            has_place = turn in self._at_work
            wanted = self._fresh or self._begun
            if has_place and not (wanted and self._sharing < self.places):
                return
            self._at_work.discard(turn)
            self._sharing += 1
            self._queue_again(turn)
        turn.wait()
        with self._lock:
            self._sharing -= 1

    def _queue_again(self, turn: "_Turn") -> None:
        turn.admitted.clear()
        turn.queued = self.monotonic()
        self._begun.append(turn)
        self._admit()


class _Turn:
    """One piece of work, from when it is asked for until it is done."""

    __slots__ = ("_waited", "admitted", "begun", "crew", "name", "queued", "since", "work")

    def __init__(self, crew: Crew, name: str, work: Callable[[], None]) -> None:
        self.crew, self.name, self.work = crew, name, work
        self.begun = False
        self.since = float("inf")
        self.queued: float | None = None
        self._waited = 0.0
        self.admitted = threading.Event()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Give the place back meanwhile."""
        self.crew.leave(self)
        try:
            yield
        finally:
            self.crew.come_back(self)

    def share(self) -> None:
        """Let others work for a while, if this turn has been long."""
        self.crew.share(self)

    def wait(self) -> None:
        """Wait until admitted."""
        self.admitted.wait()
        self._waited, self.queued = self.waited, None

    @property
    def waited(self) -> float:
        """How many seconds it has waited for a place, after it had begun."""
        queued = self.queued
        return self._waited + (0.0 if queued is None else self.crew.monotonic() - queued)

    @property
    def over(self) -> bool:
        """Whether nothing more should be begun: the crew ends."""
        return self.crew.ended
