"""What of a plan breaks a limit, set aside as holds, so that everything else goes on.

Pure: a plan and what is known of earlier holds come in, two parts of the plan go out. Every change
has a cause: a removal its reason and its feed, an addition its feed. Counted changes are grouped
by cause, and the largest groups are set aside until the rest is within all limits.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple

from connector.decisions.plan import EntryRefs, Plan
from connector.model import Reason

__all__ = ["Causes", "Hold", "HoldKind", "Limits", "SetAside", "Standing", "Window", "set_aside"]

_NOBODY: Final[Collection[int]] = frozenset()
# A person, or the floor of the allowlist, asked for these: they are never counted and never held.
_EXEMPT: Final = frozenset({Reason.ALLOWLISTED})
# By these a producer or the clock takes every entry: a list may become empty of them.
_TAKEN_BACK: Final = frozenset({Reason.REVOKED, Reason.EXPIRED})
_DAY: Final = timedelta(hours=24)


class HoldKind(StrEnum):
    """Which limit set the changes aside."""

    REMOVE = "remove"
    ADD = "add"
    EVICT = "evict"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may change without a person's word.

    A ratio counts the changes of one cycle, and for removals also the net loss over `window`.
    Fewer than `small` changes break no ratio, however small the list.
    """

    max_remove_ratio: float = 0.3
    max_add_ratio: float = 0.5
    max_evict_ratio: float = 0.2
    max_add: int | None = None
    max_remove: int | None = None
    window: timedelta = _DAY
    small: int = 20


class Window(NamedTuple):
    """What was added and removed over the window before this plan, of what limits count."""

    added: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """Changes of earlier holds: those that wait or were refused, and those that were accepted."""

    held_add: Collection[int] = _NOBODY
    held_remove: Collection[int] = _NOBODY
    accepted_add: Collection[int] = _NOBODY
    accepted_remove: Collection[int] = _NOBODY


class Causes(NamedTuple):
    """Why entries come and go, by number; what is not named has no feed of its own.

    `sources` names the one feed that an entry comes from. `foreseen` are entries whose end was
    known when they were first written, and has passed.
    """

    sources: Mapping[int, int] = {}
    reasons: Mapping[int, Reason] = {}
    foreseen: Collection[int] = _NOBODY
    counted_before: Collection[int] = _NOBODY
    """Additions of what is ours, and removals that were cut short: an earlier plan had them."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A frozen set of changes that waits for a person, named by a hash of them."""

    output: str
    kind: HoldKind
    sentences: tuple[str, ...]
    add: EntryRefs = field(default_factory=EntryRefs)
    remove: EntryRefs = field(default_factory=EntryRefs)

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits that name exactly these changes to this output."""
        digest = blake2b(f"{self.output} {self.kind}".encode(), digest_size=6)
        for verb, refs in (("add", self.add), ("remove", self.remove)):
            digest.update(verb.encode())
            digest.update(refs.numbers.tobytes())
        return digest.hexdigest()


_QUIET: Final = Window()
_FIRST: Final = Standing()


class SetAside(NamedTuple):
    """The part of a plan that goes on, the holds made of the rest, and what counts in the window.

    What stands in earlier holds is in neither part.
    """

    going: Plan
    holds: tuple[Hold, ...]
    counted: Window


class _Group(NamedTuple):
    """Why a change comes: its reason (none for an addition) and its feed."""

    reason: Reason | None
    source: int


_Groups = dict[_Group, list[int]]


def set_aside(
    plan: Plan,
    limits: Limits,
    causes: Causes,
    *,
    window: Window = _QUIET,
    standing: Standing = _FIRST,
    capacity: int | None = None,
    jumped: bool = False,
) -> SetAside:
    """Return what of a plan goes on and what waits.

    `jumped` says that the clock ran away, so that an end that has passed says nothing.
    """
    if plan.drifted and not plan.before:
        words = (
            f"would replace {plan.drifted:,} entries that are neither wanted nor known to be ours: "
            "is the ledger lost, or have feeds not answered yet?"
        )
        hold = Hold(plan.output, HoldKind.REPLACE, (words,), plan.add, plan.remove)
        if standing.accepted_add or standing.accepted_remove:
            return SetAside(plan, (), Window())
        nothing = replace(plan, add=EntryRefs(), update=EntryRefs(), remove=EntryRefs(), drifted=0)
        return SetAside(nothing, (hold,), Window())
    sorting = _Sorting(plan, limits, causes, window, standing, jumped=jumped)
    return sorting.result(capacity)


class _Sorting:
    """One plan on its way through the limits."""

    def __init__(
        self,
        plan: Plan,
        limits: Limits,
        causes: Causes,
        window: Window,
        standing: Standing,
        *,
        jumped: bool,
    ) -> None:
        self._plan, self._limits, self._window = plan, limits, window
        self._free_add: set[int] = set()
        self._free_remove: set[int] = set()
        self._adds: _Groups = {}
        self._removals: _Groups = {}
        self._evicted: _Groups = {}
        self._passed: list[int] = []
        for number in plan.add.numbers:
            self._sort_addition(number, causes, standing)
        for number in plan.remove.numbers:
            self._sort_removal(number, causes, standing, jumped=jumped)

    def _sort_addition(self, number: int, causes: Causes, standing: Standing) -> None:
        if number in standing.held_add:
            return
        if number in standing.accepted_add or number in causes.counted_before:
            self._free_add.add(number)
            return
        group = _Group(None, causes.sources.get(number, 0))
        self._adds.setdefault(group, []).append(number)

    def _sort_removal(
        self, number: int, causes: Causes, standing: Standing, *, jumped: bool
    ) -> None:
        reason = causes.reasons.get(number, Reason.DESELECTED)
        exempt = reason in _EXEMPT or number in causes.counted_before
        if number in standing.accepted_remove or exempt:
            self._free_remove.add(number)
        elif number in standing.held_remove:
            return
        elif reason is Reason.EXPIRED and number in causes.foreseen and not jumped:
            self._passed.append(number)
        else:
            groups = self._evicted if reason is Reason.OVER_CAPACITY else self._removals
            group = _Group(reason, causes.sources.get(number, 0))
            groups.setdefault(group, []).append(number)

    def result(self, capacity: int | None) -> SetAside:
        plan = self._plan
        holds: list[Hold] = []
        adds, add_words = _within(self._adds, self._adding_too_much)
        evicted, evict_words = _within(self._evicted, self._evicting_too_much)
        going_adds = _count(adds)
        removals, words = _within(
            self._removals, lambda count: self._removing_too_much(count, going_adds)
        )
        removals, passed, empty_words = self._leaving_something(removals, evicted, going_adds)
        going = self._free_remove.union(passed, *removals.values(), *evicted.values())
        kept_adds, waiting = self._with_room(adds, going, capacity)
        parts = (
            (HoldKind.ADD, add_words, _rest(self._adds, adds), ()),
            (HoldKind.EVICT, evict_words, waiting if evict_words else (),
             _rest(self._evicted, evicted)),
            (HoldKind.REMOVE, (*words, *empty_words), () if evict_words else waiting,
             [*_rest(self._removals, removals), *(n for n in self._passed if n not in passed)]),
        )  # fmt: skip
        for kind, sentences, held_adds, held_removals in parts:
            if held_adds or held_removals:
                holds.append(
                    Hold(
                        plan.output, kind, sentences,
                        _only(plan.add, set(held_adds)), _only(plan.remove, set(held_removals)),
                    )
                )  # fmt: skip
        going_plan = replace(
            plan, add=_only(plan.add, kept_adds | self._free_add), remove=_only(plan.remove, going)
        )
        counted = Window(len(kept_adds), _count(removals) + _count(evicted))
        return SetAside(going_plan, tuple(holds), counted)

    def _adding_too_much(self, count: int) -> tuple[str, ...]:
        plan, limits, broken = self._plan, self._limits, []
        if not plan.before:
            return ()
        if count >= limits.small and count / plan.before > limits.max_add_ratio:
            broken.append(_share("add", count, plan.before, limits.max_add_ratio))
        if limits.max_add is not None and count > limits.max_add:
            broken.append(f"would add {count:,} entries; max_add allows {limits.max_add:,}")
        return tuple(broken)

    def _evicting_too_much(self, count: int) -> tuple[str, ...]:
        before, limits = self._plan.before, self._limits
        if not before or count < limits.small or count / before <= limits.max_evict_ratio:
            return ()
        return (
            f"would push out {count:,} entries by rank, {count / before:.0%} of the {before:,} "
            f"there; max_evict_ratio allows {limits.max_evict_ratio:.0%}",
        )

    def _removing_too_much(self, count: int, added: int) -> tuple[str, ...]:
        before, limits, window = self._plan.before, self._limits, self._window
        broken = []
        if limits.max_remove is not None and count > limits.max_remove:
            broken.append(
                f"would remove {count:,} entries; max_remove allows {limits.max_remove:,}"
            )
        if not before or not count:
            return tuple(broken)
        if count >= limits.small and count / before > limits.max_remove_ratio:
            return (_share("remove", count, before, limits.max_remove_ratio), *broken)
        lost = window.removed + count - window.added - added
        base = before + max(0, window.removed - window.added)
        if lost >= limits.small and lost / base > limits.max_remove_ratio:
            hours = limits.window.total_seconds() / 3600
            broken.append(
                f"would bring what is lost in {hours:g} hours to {lost:,} entries, "
                f"{lost / base:.0%} of the {base:,} there before; "
                f"max_remove_ratio allows {limits.max_remove_ratio:.0%}"
            )
        return tuple(broken)

    def _leaving_something(
        self, removals: _Groups, evicted: _Groups, added: int
    ) -> tuple[_Groups, list[int], tuple[str, ...]]:
        """Set aside what would empty the list though no producer and no person took it all back."""
        before = self._plan.before
        added += len(self._free_add)
        gone = _count(removals) + _count(evicted) + len(self._passed) + len(self._free_remove)
        if not before or before - gone + added > 0:
            return removals, self._passed, ()
        doubtful = {
            group: numbers for group, numbers in removals.items()
            if group.reason not in _TAKEN_BACK
        }  # fmt: skip
        every = "the only entry" if before == 1 else f"all {before:,} entries"
        if doubtful:
            words = ", ".join(
                f"{len(numbers):,} {group.reason.value}"
                for group, numbers in sorted(doubtful.items(), key=str)
                if group.reason is not None
            )
            rest = {group: each for group, each in removals.items() if group not in doubtful}
            return rest, self._passed, (f"would remove {every} ({words})",)
        if len(self._passed) > self._limits.small:
            count = len(self._passed)
            return removals, [], (f"would remove {every} ({count:,} expired, all at once)",)
        return removals, self._passed, ()

    def _with_room(
        self, adds: _Groups, going: Collection[int], capacity: int | None
    ) -> tuple[set[int], list[int]]:
        """Return the additions that fit beside what stays, and those that wait for its room."""
        numbers = sorted(number for group in adds.values() for number in group)
        if capacity is None:
            return set(numbers), []
        room = capacity - (self._plan.before - len(going)) - len(self._free_add)
        return set(numbers[: max(0, room)]), numbers[max(0, room) :]


def _within(
    groups: _Groups, broken: Callable[[int], tuple[str, ...]]
) -> tuple[_Groups, tuple[str, ...]]:
    """Return the groups that break no limit together, and what all of them would break."""
    kept, words = dict(groups), broken(_count(groups))
    for group in sorted(groups, key=lambda each: (-len(groups[each]), str(each))):
        if not broken(_count(kept)):
            break
        del kept[group]
    return kept, words


def _count(groups: _Groups) -> int:
    return sum(map(len, groups.values()))


def _rest(groups: _Groups, kept: _Groups) -> list[int]:
    return [number for group in groups if group not in kept for number in groups[group]]


def _only(refs: EntryRefs, numbers: Collection[int]) -> EntryRefs:
    if len(numbers) == len(refs):
        return refs
    chosen = EntryRefs()
    for number, digest in refs:
        if number in numbers:
            chosen.put(number, digest)
    return chosen


def _share(verb: str, count: int, before: int, allowed: float) -> str:
    return (
        f"would {verb} {count:,} entries, {count / before:.0%} of the {before:,} there; "
        f"max_{verb}_ratio allows {allowed:.0%}"
    )
