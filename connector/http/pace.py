"""How fast a host may be asked: one pace for all clients of this process that ask it."""

import time
from bisect import insort
from collections import Counter
from collections.abc import Callable
from threading import Lock
from typing import Final

from connector.errors import UnavailableError
from connector.settings import Rate

LONGEST_PAUSE: Final = 30.0  # seconds; if a host asks for more, the next cycle tries again


class Pace:
    """The calls to one host: within the strictest rate of its clients, and never while it rests.

    A host rests after it answered 429 to any of them, for as long as it asked.
    """

    def __init__(self, host: str, monotonic: Callable[[], float]) -> None:
        self._host = host
        self._monotonic = monotonic
        self._lock = Lock()
        self._rates: Counter[Rate] = Counter()
        self._begun: list[float] = []
        self._rests_until = float("-inf")

    def join(self, rate: Rate) -> None:
        """Count a client with this rate in."""
        with self._lock:
            self._rates[rate] += 1

    def leave(self, rate: Rate) -> None:
        """Count a client with this rate out."""
        with self._lock:
            self._rates[rate] -= 1
            self._rates += Counter()  # drops what nobody has any more

    def rest(self, seconds: float) -> float:
        """Let nobody ask for so long; return the end of that."""
        until = self._monotonic() + seconds
        with self._lock:
            self._rests_until = max(self._rests_until, until)
        return until

    def wait(self, pause: Callable[[float], None], rested: float = float("-inf")) -> None:
        """Return when a call may begin; `rested` is the end of a rest that the caller waited for.

        Raises UnavailableError where the host rests for longer than anybody should wait.
        """
        now = self._monotonic()
        while (at := self._begin(now, rested)) > now:
            pause(at - now)
            now = max(at, self._monotonic())

    def _begin(self, now: float, rested: float) -> float:
        """Count a call that begins now, or return when one may."""
        with self._lock:
            if self._rests_until <= max(now, rested):
                self._rests_until = float("-inf")
            free = max(now, self._rests_until)
            if free - now > LONGEST_PAUSE:
                raise UnavailableError(
                    f"{self._host}: asked us to wait, another {free - now:.0f} s", free - now
                )
            for rate in self._rates:
                if len(self._begun) >= rate.calls:
                    free = max(free, self._begun[-rate.calls] + rate.seconds)
            if free <= now:
                insort(self._begun, now)
                del self._begun[: -max((rate.calls for rate in self._rates), default=1)]
            return free


class Paces:
    """The pace of each host that this process asks."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._by_host: dict[str, Pace] = {}

    def of(self, host: str) -> Pace:
        """Return the pace of a host, named with its port."""
        with self._lock:
            if host not in self._by_host:
                self._by_host[host] = Pace(host, self._monotonic)
            return self._by_host[host]
