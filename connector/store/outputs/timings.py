"""How long targets took to follow: histograms by output and reason, kept as tallies.

They are counted in the transaction that confirms an entry, so that no kill and no restart loses
or repeats one.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from connector.decisions.records import reason_of
from connector.instants import SECOND
from connector.model import Reason
from connector.store.tallies import add_to_tallies, tallies
from connector.store.transaction import Transaction

# Upper bounds in seconds: from one poll to a plan that was held for a week.
BOUNDS: Final = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400, 604_800)
_SLOTS: Final = 32  # for each reason: one a bound, one for what took longer, the last for the sum
_SUM: Final = _SLOTS - 1


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often it took at most so long, by `BOUNDS`; `count` is of all, `seconds` their sum."""

    within: tuple[int, ...]
    count: int
    seconds: float


def add_times(
    transaction: Transaction,
    kind: int,
    output: int,
    times: Iterable[tuple[int, int]],
) -> None:
    """Count times, each a reason's code and microseconds."""
    changes: dict[int, int] = {}
    for code, measured in times:
        took = max(0, measured)  # clocks are set back
        slot = code * _SLOTS + bisect_left(BOUNDS, took / SECOND)
        changes[slot] = changes.get(slot, 0) + 1
        total = code * _SLOTS + _SUM
        changes[total] = changes.get(total, 0) + took
    add_to_tallies(transaction, kind, output, changes)


def times_of(transaction: Transaction, kind: int, output: int) -> dict[Reason, Histogram]:
    """Return the histogram of each reason that has one."""
    counted = tallies(transaction, kind, output)
    found = {}
    for code in sorted({bucket // _SLOTS for bucket in counted}):
        slots = [counted.get(code * _SLOTS + slot, 0) for slot in range(len(BOUNDS) + 1)]
        *within, count = accumulate(slots)
        total = counted.get(code * _SLOTS + _SUM, 0)
        found[reason_of(code)] = Histogram(tuple(within), count, total / SECOND)
    return found
