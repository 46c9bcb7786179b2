"""What targets keep between calls: sessions, tasks that take their time, and pages."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import uuid4

from connector.instants import SECOND, Clock, system_clock

T = TypeVar("T")


class Sessions:
    """Sessions that expire after an idle time, or when the target forgets them all.

    `issued` has the token of each that was ever opened: secrets, as passwords are.
    """

    def __init__(self, idle_seconds: float = 3600, clock: Clock = system_clock) -> None:
        self._idle = int(idle_seconds * SECOND)
        self._clock = clock
        self._used: dict[str, int] = {}
        self._new: set[str] = set()
        self.opened = 0
        self.issued: list[str] = []

    def open(self) -> str:
        """Return the token of a new session."""
        self.opened += 1
        token = f"session-{self.opened}-{uuid4().hex}"
        self.issued.append(token)
        self._new.add(token)
        self._used[token] = self._clock()
        return token

    def knows(self, token: str) -> bool:
        """Return whether a session is open, and restart its idle time."""
        now = self._clock()
        self._new.discard(token)
        if token not in self._used or now - self._used[token] > self._idle:
            self._used.pop(token, None)
            return False
        self._used[token] = now
        return True

    def close(self, token: str) -> None:
        """End one session; an unknown one is no error."""
        self._used.pop(token, None)

    def end(self, *, used: bool = False) -> None:
        """End all sessions, as a restart does, or those alone that were `used` since they began."""
        self._used = {token: at for token, at in self._used.items() if used and token in self._new}


class Tasks:
    """Work that completes only after a few polls."""

    def __init__(self, polls: int = 2) -> None:
        self.polls = polls
        self._left: dict[str, tuple[int, Callable[[], Any]]] = {}
        self._done: dict[str, Any] = {}

    def start(self, work: Callable[[], T]) -> str:
        """Return the id of a task that does the work when it ends."""
        name = f"task-{len(self._left) + len(self._done) + 1}"
        self._left[name] = (self.polls, work)
        return name

    def result(self, name: str) -> Any:
        """Return the result of the work; None while it runs, KeyError for an unknown task."""
        if name in self._done:
            return self._done[name]
        left, work = self._left[name]
        if left > 1:
            self._left[name] = (left - 1, work)
            return None
        del self._left[name]
        self._done[name] = work()
        return self._done[name]


def page_of(items: Sequence[T], start: str, size: int) -> tuple[Sequence[T], str]:
    """Return a page of at most `size` items and the token of the next page; empty at the end."""
    at = int(start or 0)
    return items[at : at + size], str(at + size) if at + size < len(items) else ""
