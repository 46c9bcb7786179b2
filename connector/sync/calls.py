"""The calls of adapters under way: how long each takes, and which are left behind.

Python cannot end a thread that waits for a target. So a call past its deadline goes on, its output
is told as failing, and nothing else waits for it; the service's end and a new configuration leave
it behind. What it returns then counts for nothing: what it may have written is in the ledger as
intended, and is found by the next full pass.
"""

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate, islice
from types import MappingProxyType
from typing import Final, TypeVar

from connector.adapter.turns import Turn, current
from connector.errors import StoppedError, UnavailableError
from connector.log import log

T = TypeVar("T")
CallTimes = Mapping[tuple[str, str], tuple[Sequence[float], float]]
BOUNDS: Final = (0.01, 0.1, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)  # seconds, of the metric
SLOW_SECONDS: Final = 30.0
GRACE_SECONDS: Final = 60.0  # how long the end of a configuration waits for a call
_DEADLINE: Final = 1800.0  # of a verb that nobody named
_AT_ONCE: Final = 1000
_NO_DEADLINES: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(slots=True, eq=False)
class Call:
    """One call under way; time in which it waits for its turn does not count."""

    output: str
    verb: str
    deadline: float
    calls: "Calls"
    thread: threading.Thread = field(default_factory=threading.current_thread)
    turn: Turn | None = field(default_factory=current)
    earlier: float = 0.0
    since: float = 0.0
    waited: float = 0.0
    slow: bool = False
    overdue: bool = False
    left: bool = False

    @property
    def seconds(self) -> float:
        """How long the target has kept it."""
        return self.earlier + self.calls.monotonic() - self.since - (self.idle - self.waited)

    @property
    def idle(self) -> float:
        """How long its turn has waited for a place, in all."""
        return 0.0 if self.turn is None else self.turn.waited

    @property
    def late(self) -> bool:
        """Whether it is past its deadline."""
        return self.seconds >= self.deadline

    @property
    def words(self) -> str:
        """What there is to say of it."""
        return (
            f"the adapter's call of {self.verb} has not returned after {self.seconds:.0f} s "
            f"(deadlines.{self.verb} is {self.deadline:.0f} s): the target or the adapter hangs"
        )


class Calls:
    """The calls of all outputs of this process, under way and done."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic = monotonic
        self._lock = threading.Lock()
        self._running: set[Call] = set()
        self._times: dict[tuple[str, str], list[float]] = {}

    def of(self, output: str, deadlines: Mapping[str, float] = _NO_DEADLINES) -> "OutputCalls":
        """Return what an output calls its adapter through; deadlines are seconds by verb."""
        return OutputCalls(output, self, deadlines)

    def begin(self, call: Call) -> None:
        """Note that a call begins, or goes on; raise UnavailableError while one is left behind."""
        with self._lock:
            for other in self._running:
                if other.left and other.output == call.output:
                    raise UnavailableError(
                        f"a call of {other.verb}, from before this configuration, has not returned "
                        f"after {other.seconds:.0f} s: the target or the adapter hangs"
                    )
            call.since, call.waited = self.monotonic(), call.idle
            self._running.add(call)

    def end(self, call: Call) -> None:
        """Note that a call ends, or pauses; raise StoppedError where it was left behind."""
        with self._lock:
            self._running.discard(call)
            call.earlier = call.seconds
        if call.left:
            log.warning("output.returned", output=call.output, verb=call.verb, what=_FOR_NOTHING)
            raise StoppedError

    def count(self, call: Call) -> None:
        """Count a call that is done."""
        with self._lock:
            times = self._times.setdefault((call.output, call.verb), [0.0] * (len(BOUNDS) + 2))
            times[bisect_left(BOUNDS, call.earlier)] += 1
            times[-1] += call.earlier
        if call.overdue:
            log.warning(
                "output.returned", output=call.output, verb=call.verb, seconds=round(call.earlier)
            )

    def look(self) -> list[Call]:
        """Warn once of each call that takes long; return those newly past their deadline."""
        with self._lock:
            slow = [one for one in self._running if one.seconds >= min(SLOW_SECONDS, one.deadline)]
        for call in slow:
            if not call.slow:
                call.slow = True
                log.warning(
                    "output.slow", output=call.output, verb=call.verb, seconds=round(call.seconds),
                    deadline_seconds=round(call.deadline), what="the adapter's call still runs",
                )  # fmt: skip
        return [call for call in slow if call.late and not call.overdue and not call.left]

    def leave(self, threads: Iterable[threading.Thread], *, late: bool) -> bool:
        """Leave the calls of these threads behind, if all are in one that may be: late, or any.

        Return whether they are. A thread that is in no call will end by itself.
        """
        with self._lock:
            by_thread = {call.thread: call for call in self._running}
            found = [by_thread.get(thread) for thread in threads]
            leaving = [call for call in found if call is not None and (call.late or not late)]
            if len(leaving) < len(found):
                return False
            for call in leaving:
                call.left = True
        for call in leaving:
            log.error("output.left", output=call.output, why=call.words)
        return True

    def times(self) -> CallTimes:
        """Return by output and verb how many took at most each of `BOUNDS`, all, and their sum."""
        with self._lock:
            found = {key: list(times) for key, times in self._times.items()}
        return {key: (list(accumulate(slots[:-1])), slots[-1]) for key, slots in found.items()}


_FOR_NOTHING: Final = "it was left behind; the next full pass finds what it wrote"


class OutputCalls:
    """The calls of one output's adapter."""

    def __init__(
        self, output: str, calls: Calls, deadlines: Mapping[str, float] = _NO_DEADLINES
    ) -> None:
        self._output = output
        self._calls = calls
        self._deadlines = deadlines
        self._latest: Call | None = None

    @property
    def left(self) -> bool:
        """Whether a call was left behind, and the adapter is not ours any more."""
        return self._latest is not None and self._latest.left

    @contextmanager
    def __call__(self, verb: str) -> Iterator[None]:
        """Do what follows as a call of this verb."""
        call = self._made(verb)
        self._calls.begin(call)
        try:
            yield
        finally:
            self._calls.end(call)
            self._calls.count(call)

    def drawn(self, verb: str, call_it: Callable[[], Iterable[T]]) -> Iterator[T]:
        """Yield what a verb returns, which may do its work only as it is drawn from."""
        call = self._made(verb)
        drawn: Iterator[T] | None = None
        try:
            while True:
                self._calls.begin(call)
                try:
                    drawn = iter(call_it()) if drawn is None else drawn
                    part = list(islice(drawn, _AT_ONCE))
                finally:
                    self._calls.end(call)
                if not part:
                    return
                yield from part
        finally:
            self._calls.count(call)

    def _made(self, verb: str) -> Call:
        if self.left:
            raise StoppedError
        deadline = self._deadlines.get(verb, _DEADLINE)
        self._latest = Call(self._output, verb, deadline, self._calls)
        return self._latest
