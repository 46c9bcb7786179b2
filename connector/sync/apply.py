"""Writing with patience, and recording what became of each batch as soon as that is known."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from connector.errors import UnavailableError
from connector.instants import Clock
from connector.model import Entry, Reason, Rule, Subject
from connector.store.store import Store
from connector.sync.proposal import Proposal

Line = Entry | Rule

_TRIES: Final = 3
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0


class StoppedError(Exception):
    """The service is stopping: the current write is done and recorded, the rest waits."""


class ListMovedError(Exception):
    """The list has changed since the plan was made: nothing was published, the plan is void."""


class WrittenLine(NamedTuple):
    """A line that was written: its number and digest, and the indicator that provides it."""

    number: int
    digest: int
    subject: Subject
    line: Line
    indicator: str


@dataclass(frozen=True, slots=True)
class Written:
    """Lines that a target was given, and its words for those that it refused, by their value.

    `updates` says that the target had them before; `stays` that it keeps what it had of those
    that it refused.
    """

    lines: Sequence[WrittenLine]
    rejected: Mapping[str, str]
    updates: bool = False
    stays: bool = False


@dataclass(frozen=True, slots=True)
class Removed:
    """Entries that are gone; `unfit` has the ledger's word on those that are still wanted."""

    numbers: Sequence[int]
    unfit: Mapping[int, int]


Outcome = Written | Removed


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What was written: entries added, updated and removed, and those the target refused."""

    added: int = 0
    updated: int = 0
    removed: int = 0
    rejected: int = 0

    def __add__(self, other: "ApplyResult") -> "ApplyResult":
        return ApplyResult(
            self.added + other.added, self.updated + other.updated,
            self.removed + other.removed, self.rejected + other.rejected,
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
        """Raise StoppedError where the service is ending."""
        if self.stopped():
            raise StoppedError

    def record(self, output: str, proposal: Proposal, outcome: Outcome) -> ApplyResult:
        """Record in ledger and audit what became of a batch; return it in numbers."""
        if isinstance(outcome, Removed):
            return self._record_removed(output, proposal, outcome)
        return self._record_written(output, proposal, outcome)

    def _record_written(self, output: str, proposal: Proposal, outcome: Written) -> ApplyResult:
        rejected, ledger = outcome.rejected, self.store.ledger
        refused = {
            one.number: rejected[one.subject.value]
            for one in outcome.lines
            if one.subject.value in rejected
        }
        digests = [(one.number, one.digest) for one in outcome.lines]
        ledger.confirm(
            proposal.state, digests, refused, self.now(),
            stay=outcome.stays, fresh=not outcome.updates,
        )  # fmt: skip
        lines: list[list[Any]] = [
            [one.subject.type.value, one.subject.shown, one.indicator, refused.get(one.number, "")]
            for one in outcome.lines
        ]
        if lines:
            plan = proposal.plan.id
            self.store.audit.record(output, "write", plan, "done", lines, self.now())
        took = len(outcome.lines) - len(refused)
        if outcome.updates:
            return ApplyResult(updated=took, rejected=len(refused))
        return ApplyResult(added=took, rejected=len(refused))

    def _record_removed(self, output: str, proposal: Proposal, outcome: Removed) -> ApplyResult:
        gone, wanted = outcome.numbers, self.store.wanted
        with self.store.database.read() as transaction:
            reasons = wanted.reasons_among(transaction, proposal.state.list, gone)
            lines = [
                [found.type.value, found.shown, "", reasons.get(number, Reason.DESELECTED).value]
                for number, found in wanted.observables_of(transaction, gone)
            ]
        self.store.ledger.confirm_removed(proposal.state, gone, outcome.unfit, self.now())
        plan = proposal.plan.id
        self.store.audit.record(output, "remove", plan, "done", lines, self.now())
        return ApplyResult(removed=len(gone))
