"""The difference between what a list wants and what its target holds, as a frozen value.

Pure: sorted facts come in, a plan goes out. Entries are identified by their observable's number in
the store, so a plan of a million entries takes only a few megabytes.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from hashlib import blake2b
from typing import Final, NamedTuple

from connector.decisions.snapshot import TargetSnapshot
from connector.model import Reason

RATIOS_COUNT_FROM: Final = 1000
SMALL: Final = 20
# A list may become empty if producers, the clock or the allowlist remove every entry.
_EMPTYING: Final = frozenset({Reason.REVOKED, Reason.EXPIRED, Reason.ALLOWLISTED})
# Removals caused by a producer, the clock, the allowlist or the target itself.
_ASKED_FOR: Final = _EMPTYING | {Reason.OVER_CAPACITY, Reason.UNSUPPORTED_TYPE}


class LedgerState(IntEnum):
    """The ledger's state of an entry at one output."""

    INTENDED = 1
    WRITTEN = 2
    REMOVING = 3
    REJECTED = 4
    UNSUPPORTED = 5
    OVER_CAPACITY = 6
    FOREIGN = 7
    OVER_SHARE = 8
    CONTRARY = 9


OURS: Final = frozenset({LedgerState.INTENDED, LedgerState.WRITTEN, LedgerState.REMOVING})
BELOW: Final = frozenset({LedgerState.OVER_CAPACITY, LedgerState.OVER_SHARE})
"""Ranked below what the target can hold."""
GONE: Final = 0
_OTHERS: Final = frozenset({LedgerState.FOREIGN, LedgerState.CONTRARY})


class Wanted(NamedTuple):
    """An entry that the list wants; `unfit` is the mark that says why the target cannot hold it."""

    observable: int
    digest: int
    unfit: int = 0


class LedgerEntry(NamedTuple):
    """The ledger's record of an entry."""

    observable: int
    mark: int
    digest: int


@dataclass(frozen=True, slots=True)
class EntryRefs:
    """Entries to write or remove, in the order of their numbers."""

    numbers: "array[int]" = field(default_factory=lambda: array("q"))
    digests: "array[int]" = field(default_factory=lambda: array("q"))

    def put(self, number: int, digest: int = 0) -> None:
        """Add one entry."""
        self.numbers.append(number)
        self.digests.append(digest)

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self.numbers, self.digests, strict=True))


@dataclass(frozen=True, slots=True)
class Plan:
    """What one output would write: frozen once made, named by a hash of its contents.

    `before` counts our entries there; `drifted` counts entries on a list of ours that nobody
    wanted there; `renews` asks for a list to be published again though its entries are the same.
    `readds` and `reremoves` count steps that an earlier plan was already held to its limits for:
    entries that are ours and not there, removals that were cut short. `evicted` counts the
    removals of entries that the list wants but others displace by rank. `words` are the target's on
    those of which it has the opposite.
    """

    output: str
    scope: str
    add: EntryRefs
    update: EntryRefs
    remove: EntryRefs
    reasons: Mapping[Reason, int]
    marks: tuple[tuple[int, int], ...]
    unchanged: int
    before: int
    drifted: int = 0
    renews: bool = False
    readds: int = 0
    reremoves: int = 0
    evicted: int = 0
    words: Mapping[int, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits that name exactly these changes to this output."""
        digest = blake2b(self.output.encode(), digest_size=6)
        for verb, steps in (("add", self.add), ("update", self.update), ("remove", self.remove)):
            digest.update(verb.encode())
            digest.update(steps.numbers.tobytes())
            digest.update(steps.digests.tobytes())
        return digest.hexdigest()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.add or self.update or self.remove or self.drifted or self.renews)

    @property
    def unasked(self) -> int:
        """How many removals are unexplained: caused by a changed file, or a damaged state."""
        return sum(count for reason, count in self.reasons.items() if reason not in _ASKED_FOR)

    def without(self, theirs: Mapping[int, str]) -> "Plan":
        """Return the plan without these additions, which others made before us.

        Those with words are the opposite of what we would add.
        """
        if not theirs:
            return self
        add, marks, words = EntryRefs(), list(self.marks), dict(self.words)
        for number, digest in self.add:
            if number not in theirs:
                add.put(number, digest)
                continue
            contrary = theirs[number]
            marks.append((number, LedgerState.CONTRARY if contrary else LedgerState.FOREIGN))
            if contrary:
                words[number] = contrary
        return replace(self, add=add, marks=tuple(sorted(marks)), words=words)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one plan may change.

    A default ratio applies from 1,000 entries; the one for entries displaced by rank applies from
    more than 20 of them, however small the list.
    """

    max_remove_ratio: float = 0.3
    max_add_ratio: float = 0.5
    max_add: int | None = None
    max_remove: int | None = None
    always: frozenset[str] = frozenset()
    max_evict_ratio: float = 0.2


class _Draft:
    """A plan in the making."""

    def __init__(self) -> None:
        self.add, self.update, self.remove = EntryRefs(), EntryRefs(), EntryRefs()
        self.marks: list[tuple[int, int]] = []
        self.words: dict[int, str] = {}
        self.reasons: dict[Reason, int] = {}
        self.unchanged = self.readds = self.reremoves = self.evicted = 0

    def take_out(self, had: LedgerEntry, reason: Reason) -> None:
        self.remove.put(had.observable)
        self.reremoves += had.mark == LedgerState.REMOVING
        self.evicted += reason is Reason.OVER_CAPACITY and had.mark != LedgerState.REMOVING
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


def diff(
    output: str,
    scope: str,
    wanted: Iterable[Wanted],
    written: Iterable[LedgerEntry],
    *,
    why_not: Mapping[int, Reason],
    present: TargetSnapshot | None = None,
    before: int = 0,
    renews: bool = False,
) -> Plan:
    """Return the plan from the ledger (and the target, if it was read) to what is wanted.

    `wanted` and `written` are sorted by number; `why_not` says why an entry is no longer wanted.
    Only entries that the ledger calls ours are removed.
    """
    draft = _Draft()
    met = 0
    for number, want, had in _pairs(wanted, written):
        met += present is not None and number in present and _expected(want, had)
        if want is None:
            _unwanted(draft, number, had, why_not, present)
        elif want.unfit:
            _unfit(draft, want, had)
        elif present is not None and number in present.contrary:
            _opposed(draft, want, had, present.contrary[number])
        else:
            _fit(draft, want, had, present)
    drifted = 0
    if present is not None and present.ours_alone:
        drifted = len(present) - met + present.unknown
    return Plan(
        output, scope, draft.add, draft.update, draft.remove, draft.reasons,
        tuple(draft.marks), draft.unchanged, before, drifted, renews,
        draft.readds, draft.reremoves, draft.evicted, draft.words,
    )  # fmt: skip


def _pairs(
    wanted: Iterable[Wanted], written: Iterable[LedgerEntry]
) -> Iterator[tuple[int, Wanted | None, LedgerEntry | None]]:
    """Yield both sides of each number, merging two sorted streams."""
    left, right = iter(wanted), iter(written)
    want, had = next(left, None), next(right, None)
    while want is not None or had is not None:
        if had is None or (want is not None and want.observable < had.observable):
            assert want is not None  # noqa: S101 - one side is left, or the loop had ended
            yield want.observable, want, None
            want = next(left, None)
        elif want is None or had.observable < want.observable:
            yield had.observable, None, had
            had = next(right, None)
        else:
            yield want.observable, want, had
            want, had = next(left, None), next(right, None)


def _expected(want: Wanted | None, had: LedgerEntry | None) -> bool:
    """Return whether our list may contain an entry: it belongs there, or we wrote it."""
    return (want is not None and not want.unfit) or (had is not None and had.mark in OURS)


def _unwanted(
    draft: _Draft,
    number: int,
    had: LedgerEntry | None,
    why_not: Mapping[int, Reason],
    present: TargetSnapshot | None,
) -> None:
    assert had is not None  # noqa: S101 - a pair has at least one side
    if had.mark not in OURS:
        draft.marks.append((number, GONE))
    elif had.mark == LedgerState.WRITTEN and present is not None and number not in present:
        draft.marks.append((number, GONE))  # someone removed it before us
    else:
        draft.take_out(had, why_not.get(number, Reason.DESELECTED))


def _opposed(draft: _Draft, want: Wanted, had: LedgerEntry | None, words: str) -> None:
    """Leave alone what others put there against us; whatever we wrote is no longer there."""
    draft.words[want.observable] = words
    if had is None or had.mark != LedgerState.CONTRARY:
        draft.marks.append((want.observable, LedgerState.CONTRARY))


def _unfit(draft: _Draft, want: Wanted, had: LedgerEntry | None) -> None:
    if had is not None and had.mark in OURS:
        reason = Reason.UNSUPPORTED_TYPE
        if want.unfit in BELOW:
            reason = Reason.OVER_CAPACITY
        draft.take_out(had, reason)
    elif had is None or had.mark != want.unfit:
        draft.marks.append((want.observable, want.unfit))


def _fit(
    draft: _Draft, want: Wanted, had: LedgerEntry | None, present: TargetSnapshot | None
) -> None:
    mark = 0 if had is None else had.mark
    there = present is not None and want.observable in present
    if mark not in OURS and there and present is not None and not present.ours_alone:
        if mark != LedgerState.FOREIGN:
            draft.marks.append((want.observable, LedgerState.FOREIGN))
        return
    if mark in _OTHERS and present is None:
        return
    if (
        mark == LedgerState.REJECTED
        and had is not None
        and had.digest == want.digest
        and present is None
    ):
        return  # rejected as it is; retried when it changes, or in a full pass
    held = mark in OURS and (mark == LedgerState.WRITTEN if present is None else there)
    if had is None or not held:
        draft.add.put(want.observable, want.digest)
        draft.readds += mark in OURS
    elif (mark, had.digest) != (LedgerState.WRITTEN, want.digest) or not (
        present is None or present.agrees(want.observable, want.digest)
    ):
        draft.update.put(want.observable, want.digest)
    else:
        draft.unchanged += 1


def violations(plan: Plan, limits: Limits) -> tuple[str, ...]:
    """Return every limit that the plan breaks, as a sentence; none for a first fill."""
    broken = []
    added, removed = len(plan.add) - plan.readds, len(plan.remove) - plan.reremoves
    before = plan.before
    if before and (reason := _empties(plan)):
        broken.append(reason)
    if not before and plan.drifted:
        broken.append(
            f"would replace {plan.drifted:,} entries that are neither wanted nor known to be ours: "
            "the ledger may be lost, or feeds have not answered yet"
        )
    if before and _ratio_counts("max_remove_ratio", limits, before):
        share = removed / before
        if share > limits.max_remove_ratio:
            broken.append(_share("remove", removed, before, limits.max_remove_ratio))
    if before and _ratio_counts("max_add_ratio", limits, before):
        share = added / before
        if share > limits.max_add_ratio:
            broken.append(_share("add", added, before, limits.max_add_ratio))
    if before and (sentence := _pushes_out(plan, limits)):
        broken.append(sentence)
    if before and limits.max_add is not None and added > limits.max_add:
        broken.append(f"would add {added:,} entries; max_add allows {limits.max_add:,}")
    if limits.max_remove is not None and removed > limits.max_remove:
        broken.append(f"would remove {removed:,} entries; max_remove allows {limits.max_remove:,}")
    return tuple(broken)


def _ratio_counts(name: str, limits: Limits, before: int) -> bool:
    return name in limits.always or before >= RATIOS_COUNT_FROM


def _pushes_out(plan: Plan, limits: Limits) -> str:
    """Return that too many wanted entries are displaced by rank, or empty if not."""
    name, allowed = "max_evict_ratio", limits.max_evict_ratio
    counts = name in limits.always or plan.evicted > SMALL
    if not counts or plan.evicted / plan.before <= allowed:
        return ""
    return (
        f"would displace {plan.evicted:,} entries by rank, {plan.evicted / plan.before:.0%} of the "
        f"{plan.before:,} there; {name} allows {allowed:.0%}"
    )


def _share(verb: str, count: int, before: int, allowed: float) -> str:
    return (
        f"would {verb} {count:,} entries, {count / before:.0%} of the {before:,} there; "
        f"max_{verb}_ratio allows {allowed:.0%}"
    )


def _empties(plan: Plan) -> str:
    left = plan.before - len(plan.remove) + len(plan.add)
    if left > 0 or len(plan.remove) == plan.reremoves:
        return ""
    doubtful = {reason: count for reason, count in plan.reasons.items() if reason not in _EMPTYING}
    if not doubtful:
        return ""
    words = ", ".join(f"{count:,} {reason.value}" for reason, count in sorted(doubtful.items()))
    every = "the only entry" if plan.before == 1 else f"all {plan.before:,} entries"
    return f"would remove {every} ({words})"
