"""Entries that a target takes without a word, and never has when it is read back.

They are told, and tried again less and less often.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from connector.decisions.plan import Plan
from connector.decisions.records import LedgerState
from connector.instants import span, to_datetime
from connector.store.outputs.drifts import TOLD_FROM, LostEntry
from connector.sync.view import View

_LONGEST_REST: Final = span(timedelta(days=1))
_DOUBLED: Final = 16  # more often makes no rest longer


@dataclass(frozen=True, slots=True)
class Noticed:
    """What was noticed as a target was read: odd values by type, and all that it has lost.

    `news` counts what was now lost so often that it is told.
    """

    odd: Mapping[str, int]
    lost: Mapping[int, LostEntry]
    news: int


def noticed_in(
    view: View, lost: Mapping[int, LostEntry], missing: Collection[int]
) -> Noticed | None:
    """Return what was noticed; None where the target was not read. `missing` as for `lost_of`."""
    if view.present is None:
        return None
    news = sum(lost[number].times == TOLD_FROM for number in missing)
    return Noticed(view.present.odd, lost, news)


def lost_of(plan: Plan, view: View, missing: Collection[int]) -> dict[int, LostEntry]:
    """Return the entries that a plan adds and that were written before, each with how often.

    `missing` are those that the target had confirmed since, and does not have.
    """
    known = view.store.surprises.lost(view.transaction, view.output)
    found = {number: known[number] for number in plan.add.numbers if number in known}
    for number in missing:
        times = known[number].times if number in known else 0
        found[number] = LostEntry(times + 1, view.now)
    return found


def rested(plan: Plan, lost: Mapping[int, LostEntry], view: View, verify_every: int) -> Plan:
    """Return a plan without what was lost so often that it waits before it is tried again.

    Each time that it is lost doubles the wait, up to a day. Where most of what is ours is missing,
    the target has forgotten as a whole, and nothing waits.
    """
    often = {number: one for number, one in lost.items() if one.times >= TOLD_FROM}
    if not often or (view.present is not None and len(lost) > len(view.present)):
        return plan
    until = {number: one.at + _rest(one.times, verify_every) for number, one in often.items()}
    waits = {number: end for number, end in until.items() if often[number].at <= view.now < end}
    waits = {number: waits[number] for number in plan.add.numbers if number in waits}
    if not waits:
        return plan
    words = {
        number: f"written {often[number].times} times, and never there when the target was read "
        f"back; it is tried again after {to_datetime(end):%Y-%m-%dT%H:%M:%SZ}"
        for number, end in waits.items()
    }
    marks = (*plan.marks, *((number, LedgerState.INTENDED) for number in waits))
    return replace(
        plan, add=plan.add.without(waits), marks=tuple(sorted(marks)), words={**plan.words, **words}
    )


def _rest(times: int, verify_every: int) -> int:
    doubled = verify_every << min(times - TOLD_FROM + 1, _DOUBLED)
    return min(doubled, max(_LONGEST_REST, verify_every))
