"""Reports a repeating fault once per interval, with how often it was suppressed."""

import logging
import time
from collections.abc import Callable
from typing import Final

_SECONDS: Final = 60.0
_MOST_KINDS: Final = 100


class Seldom:
    """Decides for each kind of fault when to report it again. Used from one thread."""

    def __init__(
        self, seconds: float = _SECONDS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._next: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def untold(self, kind: str) -> int | None:
        """Return how often a fault was suppressed since its last report, or None if not due yet."""
        now = self._monotonic()
        if now < self._next.get(kind, now):
            self._untold[kind] = self._untold.get(kind, 0) + 1
            return None
        if kind not in self._next and len(self._next) >= _MOST_KINDS:
            self._next.clear()
        self._next[kind] = now + self._seconds
        return self._untold.pop(kind, 0)


class SeldomFilter(logging.Filter):
    """Lets one line of each kind pass per interval; the kind is its unformatted message."""

    def __init__(self, seldom: Seldom | None = None) -> None:
        super().__init__()
        self._seldom = seldom or Seldom()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a line, and add how many like it were suppressed."""
        raised = record.exc_info[0] if record.exc_info else None
        untold = self._seldom.untold(f"{record.msg} {raised}")
        if untold:
            record.msg = f"{record.msg} ({untold} more like this since the last line)"
        return untold is not None
