"""What of a plan breaks a limit, set aside as holds, so that everything else goes on.

Pure: a plan and what is known of earlier holds come in, two parts of the plan go out. Every change
has a cause: a removal its reason and its feed, an addition its feed. Counted changes are grouped
by cause, and the largest groups are set aside until the rest is within all limits.
"""

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple

from connector.decisions.holds import Hold, Standing
from connector.decisions.limits import Bounds, Limits, Window
from connector.decisions.plan import AGAIN, EntryRefs, Plan
from connector.decisions.records import CODES, HoldKind, reason_of
from connector.model import Reason

_NOBODY: Final[frozenset[int]] = frozenset()
# A person, or the floor of the allowlist, asked for it: never counted, never held.
_ALLOWLISTED: Final = CODES[Reason.ALLOWLISTED]
_EXPIRED: Final = CODES[Reason.EXPIRED]
_OVER_CAPACITY: Final = CODES[Reason.OVER_CAPACITY]
# By these a producer or the clock takes every entry: a list may become empty of them.
_TAKEN_BACK: Final = frozenset({CODES[Reason.REVOKED], _EXPIRED})
_EXPLAINED: Final = _TAKEN_BACK | {AGAIN, _ALLOWLISTED, _OVER_CAPACITY}
_QUIET: Final = Window()
_FIRST: Final = Standing()
_NO_FEED: Final[Mapping[int, str]] = MappingProxyType({})


class SetAside(NamedTuple):
    """The part of a plan that goes on, the holds made of the rest, and what counts in the window.

    `withheld` and `kept` are the additions and removals that do not go on, those that stand in
    earlier holds too. With `stops` nothing at all may be written.
    """

    going: Plan
    holds: tuple[Hold, ...]
    counted: Window
    withheld: Collection[int] = _NOBODY
    kept: Collection[int] = _NOBODY
    stops: bool = False


class _Group(NamedTuple):
    """Why a change comes: the code of its reason (0 for an addition) and its feed."""

    cause: int
    source: int


_Groups = Mapping[_Group, "array[int]"]


def set_aside(
    plan: Plan,
    limits: Limits,
    now: int,
    *,
    window: Window = _QUIET,
    standing: Standing = _FIRST,
    emptied: Mapping[int, str] = _NO_FEED,
    capacity: int | None = None,
    jumped: bool = False,
) -> SetAside:
    """Return what of a plan goes on and what waits.

    `emptied` names the feeds of which the list wants nothing any more, by their numbers. `jumped`
    says that the clock ran away, so that an end that has passed says nothing.
    """
    if standing.replaces is False or (plan.drifted and not plan.before and not standing.replaces):
        return _not_replaced(plan, standing)
    if not plan.before and not plan.remove and not standing.held_add:
        return SetAside(plan, (), _QUIET)  # a first fill
    sorting = _Sorting(plan, Bounds(limits, plan.before, window), standing, 0 if jumped else now)
    return sorting.result(capacity, emptied)


def doubtful_feeds(plan: Plan, standing: Standing) -> set[int]:
    """Return the feeds, by number, of which a plan removes what nobody took back."""
    pairs = zip(plan.remove.numbers, plan.remove.causes, plan.remove.sources, strict=True)
    return {
        source
        for number, cause, source in pairs
        if source
        and cause not in _EXPLAINED
        and number not in standing.held_remove
        and number not in standing.accepted_remove
    }


def _not_replaced(plan: Plan, standing: Standing) -> SetAside:
    """Return that nothing goes on, and the hold that says why unless there is one."""
    words = (
        f"would replace {plan.drifted:,} entries that are neither wanted nor known to be ours: "
        "the ledger may be lost, or feeds have not answered yet"
    )
    hold = Hold(plan.output, HoldKind.REPLACE, (words,), plan.add, plan.remove)
    nothing = replace(
        plan, add=EntryRefs(), update=EntryRefs(), remove=EntryRefs(), drifted=0, renews=False
    )
    holds = () if standing.replaces is False else (hold,)
    withheld, kept = frozenset(plan.add.numbers), frozenset(plan.remove.numbers)
    return SetAside(nothing, holds, _QUIET, withheld, kept, stops=True)


class _Sorting:
    """One plan on its way through the limits."""

    def __init__(self, plan: Plan, bounds: Bounds, standing: Standing, trusted_until: int) -> None:
        self._plan, self._bounds, self._standing = plan, bounds, standing
        self._trusted_until = trusted_until
        self._adds: dict[_Group, array[int]] = {}
        self._removals: dict[_Group, array[int]] = {}
        self._evicted: dict[_Group, array[int]] = {}
        self._passed = array("q")
        self._withheld: set[int] = set()
        self._kept: set[int] = set()
        self._accepted: list[int] = []  # additions
        add, remove = plan.add, plan.remove
        for number, cause, source in zip(add.numbers, add.causes, add.sources, strict=True):
            self._sort_addition(number, cause, source)
        rows = zip(remove.numbers, remove.causes, remove.ends, remove.sources, strict=True)
        for number, cause, ends, source in rows:
            self._sort_removal(number, cause, ends, source)

    def _sort_addition(self, number: int, cause: int, source: int) -> None:
        if cause == AGAIN:
            return
        if number in self._standing.accepted_add:
            self._accepted.append(number)
        elif number in self._standing.held_add:
            self._withheld.add(number)
        else:
            _put(self._adds, _Group(0, source), number)

    def _sort_removal(self, number: int, cause: int, ends: int, source: int) -> None:
        if cause in (AGAIN, _ALLOWLISTED) or number in self._standing.accepted_remove:
            return
        if number in self._standing.held_remove:
            self._kept.add(number)
        elif cause == _EXPIRED and ends <= self._trusted_until:
            self._passed.append(number)
        else:
            groups = self._evicted if cause == _OVER_CAPACITY else self._removals
            _put(groups, _Group(cause, source), number)

    def result(self, capacity: int | None, emptied: Mapping[int, str]) -> SetAside:
        evicted, evict_words = _within(self._evicted, self._bounds.evicting_too_much)
        held_evicted = _rest(self._evicted, evicted)
        self._kept.update(held_evicted)
        displacing = self._without_room(self._adds, capacity)
        fitting = _without(self._adds, displacing)
        adds, add_words = _within(fitting, self._bounds.adding_too_much)
        held_adds = _rest(fitting, adds)
        within, words = _within(
            self._removals, lambda count: self._bounds.removing_too_much(count, _count(adds))
        )
        lasting, passed, empty_words = self._leaving_something(within, adds)
        removals, feed_words = _leaving_feeds(lasting, emptied)
        held_removals = [
            *_rest(self._removals, removals),
            *(() if passed is self._passed else self._passed),
        ]
        self._kept.update(held_removals)
        crowded = self._without_room(adds, capacity)
        self._withheld.update(displacing, held_adds, crowded, self._accepted_too_soon(capacity))
        holds = (
            self._hold(HoldKind.ADD, add_words, held_adds, ()),
            self._hold(HoldKind.EVICT, evict_words, displacing, held_evicted),
            self._hold(
                HoldKind.REMOVE, (*words, *empty_words, *feed_words), crowded, held_removals
            ),
        )
        plan = self._plan
        going = replace(
            plan, add=plan.add.without(self._withheld), remove=plan.remove.without(self._kept)
        )
        counted = Window(_count(adds) - len(crowded), _count(removals) + _count(evicted))
        return SetAside(
            going, tuple(hold for hold in holds if hold is not None),
            counted if plan.before else _QUIET, self._withheld, self._kept,
        )  # fmt: skip

    def _hold(
        self, kind: HoldKind, words: tuple[str, ...], add: Iterable[int], remove: Iterable[int]
    ) -> Hold | None:
        if not words:
            return None
        plan = self._plan
        return Hold(plan.output, kind, words, plan.add.only(add), plan.remove.only(remove))

    def _leaving_something(
        self, removals: _Groups, adds: _Groups
    ) -> tuple[_Groups, "array[int]", tuple[str, ...]]:
        """Set aside what would empty the list though no producer and no person took it all back."""
        plan, nothing = self._plan, array("q")
        stays = len(self._kept) + len(_rest(self._removals, removals))
        before, added = plan.before, _count(adds) + len(self._accepted)
        if not before or before - (len(plan.remove) - stays) + added > 0:
            return removals, self._passed, ()
        doubtful = {
            group: numbers for group, numbers in removals.items() if group.cause not in _TAKEN_BACK
        }
        every = "the only entry" if before == 1 else f"all {before:,} entries"
        if doubtful:
            rest = {group: each for group, each in removals.items() if group not in doubtful}
            return rest, self._passed, (f"would remove {every} ({_by_reason(doubtful)})",)
        if len(self._passed) > self._bounds.limits.small:
            count = len(self._passed)
            return removals, nothing, (f"would remove {every} ({count:,} expired, all at once)",)
        return removals, self._passed, ()

    def _without_room(self, adds: _Groups, capacity: int | None) -> list[int]:
        """Return the additions that wait for the room of what stays though it should go."""
        if capacity is None or not self._keeps_room:
            return []
        room = max(0, self._room(capacity) - len(self._accepted))
        return sorted(number for group in adds.values() for number in group)[room:]

    def _accepted_too_soon(self, capacity: int | None) -> list[int]:
        """Return what a person accepted, and has no room yet."""
        if capacity is None or not self._keeps_room:
            return []
        return self._accepted[max(0, self._room(capacity)) :]

    @property
    def _keeps_room(self) -> bool:
        return bool(self._kept) or self._standing.keeps_room

    def _room(self, capacity: int) -> int:
        return capacity - (self._plan.before - (len(self._plan.remove) - len(self._kept)))


def _leaving_feeds(
    removals: _Groups, emptied: Mapping[int, str]
) -> tuple[_Groups, tuple[str, ...]]:
    """Set aside the last of what a feed brought, where no producer and no person took it back."""
    doubtful = {
        group: numbers
        for group, numbers in removals.items()
        if group.source in emptied and group.cause not in _TAKEN_BACK
    }
    if not doubtful:
        return removals, ()
    words = []
    for source in sorted({group.source for group in doubtful}):
        own = {group: each for group, each in doubtful.items() if group.source == source}
        count = _count(own)
        last = "the last entry" if count == 1 else f"the last {count:,} entries"
        words.append(f"would remove {last} of feed {emptied[source]} ({_by_reason(own)})")
    left = {group: each for group, each in removals.items() if group not in doubtful}
    return left, tuple(words)


def _by_reason(groups: _Groups) -> str:
    counts: dict[str, int] = {}
    for group, numbers in groups.items():
        name = reason_of(group.cause).value
        counts[name] = counts.get(name, 0) + len(numbers)
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))


def _put(groups: dict[_Group, "array[int]"], group: _Group, number: int) -> None:
    if group not in groups:
        groups[group] = array("q")
    groups[group].append(number)


def _within(
    groups: _Groups, broken: Callable[[int], tuple[str, ...]]
) -> tuple[_Groups, tuple[str, ...]]:
    """Return the groups that break no limit together, and what all of them would break."""
    words = broken(_count(groups))
    if not words:
        return groups, ()
    kept = dict(groups)
    for group in sorted(groups, key=lambda each: (-len(groups[each]), each)):
        if not broken(_count(kept)):
            break
        del kept[group]
    return kept, words


def _without(groups: _Groups, numbers: Collection[int]) -> _Groups:
    """Return the groups without these numbers."""
    if not numbers:
        return groups
    out = frozenset(numbers)
    left = {
        group: array("q", (one for one in each if one not in out)) for group, each in groups.items()
    }
    return {group: each for group, each in left.items() if each}


def _count(groups: _Groups) -> int:
    return sum(map(len, groups.values()))


def _rest(groups: _Groups, kept: _Groups) -> list[int]:
    if groups is kept:
        return []
    return [number for group in groups if group not in kept for number in groups[group]]
