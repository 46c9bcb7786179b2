"""The difference between what a list wants and what its target holds, as a frozen value.

Pure: sorted facts come in, a plan goes out. Entries are identified by their observable's number in
the store, so a plan of a million entries takes only a few megabytes.
"""

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final, NamedTuple

from connector.decisions.records import CODES, GONE, OURS, UNFIT_REASONS, LedgerState
from connector.decisions.snapshot import TargetSnapshot
from connector.instants import NEVER
from connector.model import Reason

AGAIN: Final = -1
"""In place of a reason: an earlier plan had this change, and it was cut short or undone."""
# Removals caused by a producer, the clock, the allowlist or the target itself.
_ASKED_FOR: Final = frozenset(
    {
        AGAIN, CODES[Reason.REVOKED], CODES[Reason.EXPIRED], CODES[Reason.ALLOWLISTED],
        CODES[Reason.OVER_CAPACITY], CODES[Reason.UNSUPPORTED_TYPE],
    }
)  # fmt: skip


_OTHERS: Final = frozenset({LedgerState.FOREIGN, LedgerState.CONTRARY})


class Wanted(NamedTuple):
    """An entry that the list wants; `unfit` is the mark that says why the target cannot hold it.

    `ends` is when it expires by what is known now; `source` is the feed that alone claims it, or 0.
    """

    observable: int
    digest: int
    unfit: int = 0
    ends: int = NEVER
    source: int = 0


class LedgerEntry(NamedTuple):
    """The ledger's record of an entry, with the end and the feed that it had when written."""

    observable: int
    mark: int
    digest: int
    ends: int = NEVER
    source: int = 0


@dataclass(frozen=True, slots=True)
class EntryRefs:
    """Entries to write or remove, in the order of their numbers, each with what causes it.

    `causes` has a removal's reason as a code, 0 for anything else, or AGAIN; `ends` is when the
    entry expires, for a removal by what the ledger noted; `sources` has the one feed behind it.
    """

    numbers: "array[int]" = field(default_factory=lambda: array("q"))
    digests: "array[int]" = field(default_factory=lambda: array("q"))
    causes: "array[int]" = field(default_factory=lambda: array("b"))
    ends: "array[int]" = field(default_factory=lambda: array("q"))
    sources: "array[int]" = field(default_factory=lambda: array("h"))

    def put(
        self, number: int, digest: int = 0, cause: int = 0, ends: int = NEVER, source: int = 0
    ) -> None:
        """Add one entry."""
        self.numbers.append(number)
        self.digests.append(digest)
        self.causes.append(cause)
        self.ends.append(ends)
        self.sources.append(source)

    def part(self, start: int, end: int) -> "EntryRefs":
        """Return the entries from one position to before another."""
        return EntryRefs(
            self.numbers[start:end], self.digests[start:end], self.causes[start:end],
            self.ends[start:end], self.sources[start:end],
        )  # fmt: skip

    def because(self, numbers: Collection[int], cause: int) -> "EntryRefs":
        """Return all entries, these with another cause."""
        pairs = zip(self.numbers, self.causes, strict=True)
        causes = array("b", [cause if number in numbers else had for number, had in pairs])
        return replace(self, causes=causes)

    def without(self, numbers: Collection[int]) -> "EntryRefs":
        """Return all entries but these."""
        if not numbers:
            return self
        left = EntryRefs()
        rows = zip(self.numbers, self.digests, self.causes, self.ends, self.sources, strict=True)
        for row in rows:
            if row[0] not in numbers:
                left.put(*row)
        return left

    def only(self, numbers: Iterable[int]) -> "EntryRefs":
        """Return these entries."""
        chosen = frozenset(numbers)
        return self.without(frozenset(self.numbers).difference(chosen)) if chosen else EntryRefs()

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self.numbers, self.digests, strict=True))


@dataclass(frozen=True, slots=True)
class Plan:
    """What one output would write: frozen once made, named by a hash of its contents.

    `before` counts our entries there; `drifted` counts entries on a list of ours that nobody
    wanted there; `renews` asks for a list to be published again though its entries are the same.
    `later` has entries that stay as they are, and whose end the feed has moved back. `words` are
    the target's on those of which it has the opposite.
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
    later: tuple[tuple[int, int], ...] = ()
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

    def unasked(self, known: Collection[int]) -> int:
        """Return how many removals are unexplained: caused by a changed file, or a damaged state.

        Those that are `known` wait already.
        """
        pairs = zip(self.remove.numbers, self.remove.causes, strict=True)
        return sum(cause not in _ASKED_FOR and number not in known for number, cause in pairs)

    def without(self, theirs: Mapping[int, str]) -> "Plan":
        """Return the plan without these additions, which others made before us.

        Those with words are the opposite of what we would add.
        """
        if not theirs:
            return self
        marks = [
            *self.marks,
            *(
                (number, LedgerState.CONTRARY if contrary else LedgerState.FOREIGN)
                for number, contrary in theirs.items()
            ),
        ]
        words = {number: contrary for number, contrary in theirs.items() if contrary}
        return replace(
            self, add=self.add.without(theirs), marks=tuple(sorted(marks)),
            words={**self.words, **words},
        )  # fmt: skip


class _Draft:
    """A plan in the making."""

    def __init__(self) -> None:
        self.add, self.update, self.remove = EntryRefs(), EntryRefs(), EntryRefs()
        self.marks: list[tuple[int, int]] = []
        self.words: dict[int, str] = {}
        self.later: list[tuple[int, int]] = []
        self.reasons: dict[Reason, int] = {}
        self.unchanged = 0

    def take_out(self, had: LedgerEntry, reason: Reason) -> None:
        cause = AGAIN if had.mark == LedgerState.REMOVING else CODES[reason]
        self.remove.put(had.observable, 0, cause, had.ends, had.source)
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
    due: Collection[int] = (),
    forgotten: Collection[int] = (),
) -> Plan:
    """Return the plan from the ledger (and the target, if it was read) to what is wanted.

    `wanted` and `written` are sorted by number; `why_not` says why an entry is no longer wanted.
    Only entries that the ledger calls ours are removed. What is `due` is written again though it
    did not change.
    What is `forgotten` waits to be removed, and the target lost it: it is added again until then.
    """
    draft = _Draft()
    met = 0
    for number, want, had in _pairs(wanted, written):
        met += present is not None and number in present and _expected(want, had)
        if want is None:
            _unwanted(draft, number, had, why_not, present, forgotten)
        elif want.unfit:
            _unfit(draft, want, had)
        elif present is not None and number in present.contrary:
            _opposed(draft, want, had, present.contrary[number], there=number in present)
        else:
            _fit(draft, want, had, present, due)
    drifted = 0
    if present is not None and present.ours_alone:
        drifted = len(present) - met + present.unknown
    return Plan(
        output, scope, draft.add, draft.update, draft.remove, draft.reasons,
        tuple(draft.marks), draft.unchanged, before, drifted, renews, tuple(draft.later),
        draft.words,
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
    forgotten: Collection[int],
) -> None:
    assert had is not None  # noqa: S101 - a pair has at least one side
    if had.mark not in OURS:
        draft.marks.append((number, GONE))
    elif number in forgotten:
        draft.add.put(number, had.digest, AGAIN, had.ends, had.source)
        draft.take_out(had, why_not.get(number, Reason.DESELECTED))
    elif present is not None and number not in present and _is_gone(had, present):
        draft.marks.append((number, GONE))  # someone removed it before us, or we never wrote it
    else:
        draft.take_out(had, why_not.get(number, Reason.DESELECTED))


def _is_gone(had: LedgerEntry, present: TargetSnapshot) -> bool:
    """Return whether what is not there stays away; elsewhere a write under way may still come."""
    if had.mark == LedgerState.INTENDED:
        return present.ours_alone
    return had.mark == LedgerState.WRITTEN


def _opposed(
    draft: _Draft, want: Wanted, had: LedgerEntry | None, words: str, *, there: bool = False
) -> None:
    """Leave alone what others put there against us.

    Where a part of the target is still `there` with what we wrote, it stays ours until nobody
    wants it; what we were about to write again, over theirs as well, is taken out.
    """
    draft.words[want.observable] = words
    if there and had is not None and had.mark in OURS:
        if had.mark != LedgerState.WRITTEN:
            draft.remove.put(had.observable, 0, AGAIN, had.ends, had.source)
    elif had is None or had.mark != LedgerState.CONTRARY:
        draft.marks.append((want.observable, LedgerState.CONTRARY))


def _unfit(draft: _Draft, want: Wanted, had: LedgerEntry | None) -> None:
    if had is not None and had.mark in OURS:
        draft.take_out(had, UNFIT_REASONS[want.unfit])
    elif had is None or had.mark != want.unfit:
        draft.marks.append((want.observable, want.unfit))


def _fit(
    draft: _Draft, want: Wanted, had: LedgerEntry | None, present: TargetSnapshot | None,
    due: Collection[int],
) -> None:  # fmt: skip
    mark = 0 if had is None else had.mark
    there = present is not None and want.observable in present
    if (
        mark not in OURS
        and there
        and present is not None
        and not (present.ours_alone or want.observable in present.ours)
    ):
        if words := present.partly.get(want.observable):
            _opposed(draft, want, had, words)
        elif mark != LedgerState.FOREIGN:
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
        cause = AGAIN if mark in OURS else 0
        draft.add.put(want.observable, want.digest, cause, want.ends, want.source)
    elif (
        (mark, had.digest) != (LedgerState.WRITTEN, want.digest)
        or not (present is None or present.is_whole(want.observable, want.digest))
        or want.observable in due
    ):
        draft.update.put(want.observable, want.digest, 0, want.ends, want.source)
    else:
        draft.unchanged += 1
        if want.ends > had.ends:
            draft.later.append((want.observable, want.ends))
