"""Carrying a plan out: intent first, then batches with retries, then what the target said."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, NamedTuple

from connector.adapter import EntryAdapter, ListAdapter, RuleAdapter
from connector.decisions.plan import EntryRefs, LedgerState, Plan
from connector.errors import BatchTooLargeError, EntryRejectedError, UnavailableError
from connector.indicators.identity import id_of_key
from connector.instants import Clock
from connector.model import Entry, Observable, Reason, Subject
from connector.settings import Settings
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.cycle import (
    Line,
    Output,
    Proposal,
    check_decided,
    digest_held,
    listed_entries,
    listed_rules,
)

_CONFIRMED_AT_ONCE: Final = 10_000
_TRIES: Final = 3
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0


class WrittenLine(NamedTuple):
    """A line that was written: its number and digest, and the indicator that carries it."""

    number: int
    digest: int
    subject: Subject
    line: Line
    indicator: str


class StoppedError(Exception):
    """The service is ending: the write in hand is done and recorded, the rest waits."""


class ListMovedError(Exception):
    """The list changed since the plan was made: nothing was published, the plan is void."""


@dataclass(slots=True)
class ApplyResult:
    """What was written: entries added, updated and removed, and those the target refused."""

    added: int = 0
    updated: int = 0
    removed: int = 0
    rejected: int = 0


@dataclass(slots=True)
class Applier:
    """Carries plans out; `now`, `sleep` and `stopped` come from whoever runs the cycles."""

    store: Store
    now: Clock
    sleep: Callable[[float], None] = time.sleep
    stopped: Callable[[], bool] = lambda: False
    progress: Callable[[str, int, int], None] = lambda _output, _done, _all: None
    fault: Callable[[str], None] = lambda _point: None
    _random: random.Random = field(default_factory=random.Random)

    def apply(self, proposal: Proposal, output: Output) -> ApplyResult:
        """Write a plan whose limits are met or accepted; return what became of it."""
        plan, state, ledger = proposal.plan, proposal.state, self.store.ledger
        applied = ApplyResult()
        ledger.mark(state, plan, self.now())
        if not plan.empty:
            adapter = output.adapter
            again = _judged_anew(plan) if isinstance(adapter, RuleAdapter) else frozenset()
            ledger.intend(
                state, plan, self.now(),
                whole=proposal.scope.everything or bool(again), judged_anew=again,
            )  # fmt: skip
            self.fault("intended")
            if isinstance(adapter, ListAdapter | RuleAdapter):
                self._publish(proposal, output, adapter, applied)
            elif isinstance(adapter, EntryAdapter):
                self._change(proposal, output, adapter, applied)
            self.fault("written")
        done = replace(state, seq=proposal.seq, setup=output.setup)
        self.store.outputs.finish(
            done, proposal.seq, verified=proposal.scope.verifies, now=self.now()
        )
        self.fault("finished")
        return applied

    def _publish(
        self,
        proposal: Proposal,
        output: Output,
        adapter: ListAdapter[Settings] | RuleAdapter[Settings],
        applied: ApplyResult,
    ) -> None:
        rejected: dict[str, str] = {}

        def publish() -> None:
            rejected.clear()
            try:
                with self.store.database.read() as transaction:
                    self._check_unmoved(output, proposal, transaction)
                    if isinstance(adapter, RuleAdapter):
                        adapter.publish(listed_rules(output, self.store, transaction, proposal))
                    else:
                        adapter.publish(listed_entries(output, self.store, transaction, proposal))
            except EntryRejectedError as error:
                rejected.update(error.rejected)

        self._tried(publish)
        self.fault("published")
        plan = proposal.plan
        for steps, updates in ((plan.add, False), (plan.update, True)):
            for part in _parts(steps, _CONFIRMED_AT_ONCE):
                written = self._lines(output, proposal, part)
                self._confirm(output, proposal, written, rejected, applied, updates=updates)
        for part in _parts(plan.remove, _CONFIRMED_AT_ONCE):
            self._confirm_removed(output, proposal, part.numbers, applied)
        self._record_turned(output, proposal, rejected, applied)

    def _record_turned(
        self, output: Output, proposal: Proposal, rejected: Mapping[str, str], applied: ApplyResult
    ) -> None:
        """Record what became of lines that the plan does not name.

        A line may be rejected, or taken, for what stands beside it: one of two names that clash,
        a domain without the names below it.
        """
        with self.store.database.read() as transaction:
            turned = self.store.ledger.turned(transaction, proposal.state.number, rejected)
        for part in _parts(turned, _CONFIRMED_AT_ONCE):
            written = self._lines(output, proposal, part)
            self._confirm(output, proposal, written, rejected, applied, updates=False)

    def _change(
        self,
        proposal: Proposal,
        output: Output,
        adapter: EntryAdapter[Settings],
        applied: ApplyResult,
    ) -> None:
        """Add before remove; what is staged counts only once it is made live."""
        plan = proposal.plan
        staged: list[Callable[[], None]] = []
        size = adapter.batch_size
        total = len(plan.add) + len(plan.update) + len(plan.remove)
        done = 0
        for steps, updates in ((plan.add, False), (plan.update, True)):
            for part in _parts(steps, size):
                self._check_stopped()
                for written in _apart(self._lines(output, proposal, part, renewed=True)):
                    lines = [one.line for one in written if isinstance(one.line, Entry)]
                    rejected = self._add(adapter, lines)
                    confirm = partial(
                        self._confirm, output, proposal, written, rejected, applied, updates=updates
                    )
                    self._stage(staged, adapter, confirm)
                done += len(part)
                self.progress(output.name, done, total)
                self.fault("added")
        for part in _parts(plan.remove, size):
            self._check_stopped()
            self._remove(adapter, self._observables(part.numbers))
            gone = partial(self._confirm_removed, output, proposal, part.numbers, applied)
            self._stage(staged, adapter, gone)
            done += len(part)
            self.progress(output.name, done, total)
            self.fault("removed")
        if staged:
            self._tried(adapter.commit)
            for confirmed in staged:
                confirmed()

    def _stage(
        self,
        staged: list[Callable[[], None]],
        adapter: EntryAdapter[Settings],
        confirm: Callable[[], None],
    ) -> None:
        if type(adapter).commit is EntryAdapter.commit:
            confirm()
        else:
            staged.append(confirm)

    def _add(self, adapter: EntryAdapter[Settings], entries: Sequence[Entry]) -> dict[str, str]:
        rejected: dict[str, str] = {}

        def add() -> None:
            try:
                adapter.add(entries)
            except EntryRejectedError as error:
                rejected.update(error.rejected)

        try:
            self._tried(add)
        except BatchTooLargeError as error:
            for part in _smaller(entries, error):
                rejected |= self._add(adapter, part)
        return rejected

    def _remove(self, adapter: EntryAdapter[Settings], entries: Sequence[Entry]) -> None:
        try:
            self._tried(lambda: adapter.remove(entries))
        except BatchTooLargeError as error:
            for part in _smaller(entries, error):
                self._remove(adapter, part)

    def _tried(self, write: Callable[[], None]) -> None:
        """Write, again after a growing wait with jitter while the target is unavailable."""
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

    def _check_unmoved(self, output: Output, proposal: Proposal, transaction: Transaction) -> None:
        """What is published is the list as it is now, so that must be what the limits allowed."""
        if self.store.wanted.list_seq(transaction, proposal.state.list) != proposal.seq:
            raise ListMovedError
        check_decided(output, self.store, transaction)

    def _check_stopped(self) -> None:
        if self.stopped():
            raise StoppedError

    def _lines(
        self, output: Output, proposal: Proposal, steps: EntryRefs, *, renewed: bool = False
    ) -> list[WrittenLine]:
        """Return the entries or rules that steps name, as they are written.

        `renewed` asks for the digest of the entry as it is now: where the feed moved on since the
        plan, that is what is written.
        """
        digests = dict(steps)
        with self.store.database.read() as transaction:
            rows = self.store.wanted.rows_among(
                transaction, proposal.state.list, list(steps.numbers)
            )
            return [
                WrittenLine(
                    row.number,
                    digest_held(output, line) if renewed else digests[row.number],
                    row.observable,
                    line,
                    id_of_key(row.indicator),
                )
                for row, line in output.lines(
                    self.store, transaction, (row for row in rows if output.fits(row.observable))
                )
            ]

    def _observables(self, gone: Sequence[int]) -> list[Entry]:
        with self.store.database.read() as transaction:
            found = self.store.wanted.observables_of(transaction, gone)
            return [Entry(one) for _number, one in found if isinstance(one, Observable)]

    def _confirm(
        self,
        output: Output,
        proposal: Proposal,
        written: Sequence[WrittenLine],
        rejected: Mapping[str, str],
        applied: ApplyResult,
        *,
        updates: bool,
    ) -> None:
        refused = {
            one.number: rejected[one.subject.value]
            for one in written
            if one.subject.value in rejected
        }
        steps = [(one.number, one.digest) for one in written]
        # A single change that is refused leaves the entry there as it was; a list goes without it.
        stay = updates and isinstance(output.adapter, EntryAdapter)
        self.store.ledger.confirm(
            proposal.state, steps, refused, self.now(), stay=stay, fresh=not updates
        )
        took = len(written) - len(refused)
        applied.added += 0 if updates else took
        applied.updated += took if updates else 0
        applied.rejected += len(refused)
        lines: list[list[Any]] = [
            [one.subject.type.value, one.subject.shown, one.indicator, refused.get(one.number, "")]
            for one in written
        ]
        if lines:
            self.store.audit.record(
                output.name, "write", proposal.plan.id, "done", lines, self.now()
            )

    def _confirm_removed(
        self, output: Output, proposal: Proposal, gone: Sequence[int], applied: ApplyResult
    ) -> None:
        if not gone:
            return
        unfit = self._unfit(output, proposal, gone)
        with self.store.database.read() as transaction:
            reasons = self.store.wanted.reasons_among(transaction, proposal.state.list, gone)
            lines = [
                [found.type.value, found.shown, "", reasons.get(number, Reason.DESELECTED).value]
                for number, found in self.store.wanted.observables_of(transaction, gone)
            ]
        self.store.ledger.confirm_removed(proposal.state, gone, unfit, self.now())
        applied.removed += len(gone)
        self.store.audit.record(output.name, "remove", proposal.plan.id, "done", lines, self.now())

    def _unfit(self, output: Output, proposal: Proposal, gone: Sequence[int]) -> dict[int, int]:
        """Return the marks of entries still wanted that this target cannot have."""
        with self.store.database.read() as transaction:
            rows = list(self.store.wanted.rows_among(transaction, proposal.state.list, list(gone)))
        return {
            row.number: proposal.unfit(output, row) or LedgerState.OVER_CAPACITY for row in rows
        }


def _judged_anew(plan: Plan) -> frozenset[LedgerState]:
    """Return the marks of rules that a target which takes them all decides on with each plan.

    Two rules of one name cannot both be there: as one goes, one that was rejected may come. Under
    other options even one that is there may be rejected.
    """
    return frozenset(
        {LedgerState.REJECTED, LedgerState.WRITTEN} if plan.renews else {LedgerState.REJECTED}
    )


def _apart(written: list[WrittenLine]) -> Iterator[list[WrittenLine]]:
    """Yield groups in which no value stands twice: a target names what it refuses by value."""
    while written:
        first = {one.subject.value: one for one in reversed(written)}
        yield [one for one in written if first[one.subject.value] is one]
        written = [one for one in written if first[one.subject.value] is not one]


def _smaller(entries: Sequence[Entry], error: BatchTooLargeError) -> Iterator[Sequence[Entry]]:
    if len(entries) <= 1:
        raise UnavailableError("the target does not accept even a single entry") from error
    size = min(error.largest, len(entries) // 2)
    return (entries[at : at + size] for at in range(0, len(entries), size))


def _parts(steps: EntryRefs, size: int) -> Iterator[EntryRefs]:
    for at in range(0, len(steps), size):
        yield EntryRefs(steps.numbers[at : at + size], steps.digests[at : at + size])
