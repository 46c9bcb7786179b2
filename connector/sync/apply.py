"""Writing with patience, and recording what became of each batch as soon as that is known."""

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from connector.adapter import Full, Later, Outcome, Refused, Written
from connector.adapter.turns import share
from connector.decisions.holds import Acceptance
from connector.decisions.records import UNFIT_REASONS, LedgerState
from connector.errors import StoppedError, UnavailableError
from connector.instants import NEVER, Clock
from connector.model import Entry, Reason, Rule, Subject
from connector.store.outputs.audit import AuditRow
from connector.store.outputs.ledger import Confirmation
from connector.store.outputs.outputs import OutputState
from connector.store.store import Store
from connector.sync.proposal import Proposal

Line = Entry | Rule

_TRIES: Final = 3
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0
_MARKS: Final[Mapping[type[Outcome], LedgerState]] = {
    Refused: LedgerState.REJECTED,
    Full: LedgerState.OVER_CAPACITY,
    Later: LedgerState.INTENDED,
}


class ListMovedError(Exception):
    """The list has changed since the plan was made: nothing was published, the plan is void."""


class WrittenLine(NamedTuple):
    """A line that was written: its number and digest, and the indicator that provides it.

    `until` is its end on the list.
    """

    number: int
    digest: int
    subject: Subject
    line: Line
    indicator: str
    until: int = NEVER


@dataclass(frozen=True, slots=True)
class WrittenBatch:
    """Lines that a target was given, and what it said of those that were not simply written.

    `updates` says that the target had them before; `stays` that it keeps what it had of those
    that it did not take. Those that are `known` it was told of before, and cannot be asked about.
    """

    lines: Sequence[WrittenLine]
    outcomes: Mapping[Subject, Outcome]
    updates: bool = False
    stays: bool = False
    known: Collection[int] = ()

    def __len__(self) -> int:
        return len(self.lines)


@dataclass(frozen=True, slots=True)
class RemovedBatch:
    """Entries that are gone; `unfit` has the ledger's word on those that are still wanted.

    `kept` has the target's words on those that it did not let go: they stay ours, and are removed
    in the next cycle, but for those that are `left` until the target is read back.
    """

    numbers: Sequence[int]
    unfit: Mapping[int, int]
    kept: Mapping[int, str] = field(default_factory=dict)
    left: Collection[int] = ()

    def __len__(self) -> int:
        return len(self.numbers) + len(self.kept)


Batch = WrittenBatch | RemovedBatch


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What was written: entries added, updated and removed, and those the target refused.

    `later` counts those that the next cycle tries again.
    """

    added: int = 0
    updated: int = 0
    removed: int = 0
    rejected: int = 0
    later: int = 0

    def __add__(self, other: "ApplyResult") -> "ApplyResult":
        return ApplyResult(
            self.added + other.added, self.updated + other.updated,
            self.removed + other.removed, self.rejected + other.rejected,
            self.later + other.later,
        )  # fmt: skip


@dataclass(slots=True)
class Applier:
    """Writes and records; `now`, `sleep` and `stopped` come from whoever runs the cycles."""

    store: Store
    now: Clock
    sleep: Callable[[float], None] = time.sleep
    stopped: Callable[[], bool] = lambda: False
    progress: Callable[[str, int, int], None] = lambda _output, _done, _all: None
    _random: random.Random = field(default_factory=random.Random)

    def retry(self, write: Callable[[], None]) -> None:
        """Write, retrying with increasing waits and jitter while the target is unavailable."""
        for attempt in range(1, _TRIES + 1):
            try:
                return write()
            except UnavailableError as error:
                if attempt == _TRIES or self.stopped():
                    raise
                wait = error.retry_after_seconds or _FIRST_WAIT * 2**attempt
                if wait > _LONGEST_WAIT:
                    raise
                self.sleep(wait * self._random.uniform(0.75, 1.25))

    def check_stopped(self) -> None:
        """Let others work, if this has been long; raise StoppedError where the service ends."""
        share()
        if self.stopped():
            raise StoppedError

    def record(self, output: str, proposal: Proposal, batch: Batch) -> ApplyResult:
        """Record in ledger and audit what became of a batch; return it in numbers."""
        if isinstance(batch, RemovedBatch):
            state, plan = proposal.state, proposal.plan.id
            return self.record_removed(output, state, plan, batch, proposal.accepted)
        return self._record_written(output, proposal, batch)

    def _record_written(self, output: str, proposal: Proposal, batch: WrittenBatch) -> ApplyResult:
        said = {}
        if batch.outcomes:  # of nearly all there is nothing more to say
            asked = ((one.number, batch.outcomes.get(one.subject)) for one in batch.lines)
            said = {number: outcome for number, outcome in asked if outcome is not None}
        words = {
            number: outcome.words
            for number, outcome in said.items()
            if not isinstance(outcome, Written)
        }
        taken = [(one.number, one.digest) for one in batch.lines if one.number not in words]
        marked = [
            (one.number, *_marked(said[one.number], one, batch.known))
            for one in batch.lines
            if one.number in words and not batch.stays
        ]
        handles = {
            number: outcome.handle
            for number, outcome in said.items()
            if isinstance(outcome, Written) and outcome.handle
        }
        fresh = not batch.updates
        lines = [
            _Told(
                one.number, one.subject.type.value, one.subject.shown, one.indicator,
                words.get(one.number, ""),
            )
            for one in batch.lines
        ]  # fmt: skip
        audited = _audited(output, "write", proposal.plan.id, proposal.accepted, lines)
        confirmed = Confirmation(taken, marked, words, handles, fresh, audited)
        self.store.ledger.confirm(proposal.state, confirmed, self.now())
        return ApplyResult(
            added=len(taken) if fresh else 0,
            updated=0 if fresh else len(taken),
            rejected=sum(isinstance(outcome, Refused) for outcome in said.values()),
            later=sum(isinstance(outcome, Later) for outcome in said.values()),
        )

    def record_removed(
        self, output: str, state: OutputState, plan: str, batch: RemovedBatch,
        accepted: Mapping[int, Acceptance] = MappingProxyType({}),
    ) -> ApplyResult:  # fmt: skip
        """Record in ledger and audit that entries are gone; return it in numbers."""
        gone, wanted = batch.numbers, self.store.wanted
        with self.store.database.read() as transaction:
            reasons = wanted.reasons_among(transaction, state.list, gone)
            reasons |= {
                number: UNFIT_REASONS[batch.unfit[number]]
                for number in gone
                if number in batch.unfit
            }
            lines = [
                _Told(
                    number, found.type.value, found.shown, "",
                    reasons.get(number, Reason.DESELECTED).value,
                )
                for number, found in wanted.observables_of(transaction, gone)
            ]  # fmt: skip
        audited = _audited(output, "remove", plan, accepted, lines)
        self.store.ledger.confirm_removed(state, gone, batch.unfit, batch.kept, self.now(), audited)
        return ApplyResult(removed=len(gone), later=len(batch.kept) - len(batch.left))


def _marked(outcome: Outcome, line: WrittenLine, known: Collection[int]) -> tuple[int, int]:
    """Return the mark and digest of a line that was not taken.

    What the target knows stays ours, with a digest that no line has: another is written again.
    """
    mark = _MARKS[type(outcome)]
    if line.number in known and mark != LedgerState.INTENDED:
        return LedgerState.WRITTEN, 0
    return mark, line.digest


def _audited(
    output: str,
    action: str,
    plan: str,
    accepted: Mapping[int, Acceptance],
    lines: Sequence["_Told"],
) -> list[AuditRow]:
    """Return entries for the audit, those of each hold with who accepted it and why."""
    by: dict[Acceptance | None, list[list[Any]]] = {}
    for number, *line in lines:
        by.setdefault(accepted.get(number), []).append(line)
    return [AuditRow.of(output, action, plan, "done", told, under) for under, told in by.items()]


class _Told(NamedTuple):
    number: int
    type: str
    value: str
    indicator: str
    words: str
