"""The configured outputs: each kept in step with its list; held plans are accepted here."""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from connector.errors import (
    ConnectorError,
    PlanRefusedError,
    RefusedError,
    UnavailableError,
    UndecidedError,
)
from connector.instants import SECOND, Clock
from connector.log import log
from connector.service.isolation import isolate_bugs
from connector.service.lists import Lists
from connector.service.readiness import waiting_for
from connector.store import queries as questions
from connector.store.outputs.plans import KeptPlan, PlanState, PlanStateError
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult, ListMovedError
from connector.sync.cycle import apply, check, propose
from connector.sync.output import Output
from connector.sync.proposal import CHANGED, EVERYTHING, Proposal, Scope

_PLANS: Final = 5
_WAIT_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.2
_FIRST_REST: Final = 60 * SECOND


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The result of accepting a plan, in words for the operator."""

    words: str
    applied: bool = False
    outdated: bool = False


@dataclass(slots=True)
class FalseCalls:
    """Stamps that changed although the target was as we left it, as a kernel's does with any rule.

    Each in a row doubles the time until the next is heeded, up to the output's `verify_every`:
    else a busy neighbour would have us read a large target in every cycle.
    """

    rests_until: int = 0
    _rest: int = 0

    def note(self, output: Output, now: int, *, false: bool) -> None:
        """Note whether a call was false."""
        self._rest = min(2 * self._rest or _FIRST_REST, output.verify_every) if false else 0
        self.rests_until = now + self._rest


@dataclass(slots=True, eq=False)
class Outputs(Mapping[str, Output]):
    """The outputs by name; `feeds` are the names of all feeds, in the order of the file."""

    outputs: Mapping[str, Output]
    feeds: Collection[str]
    lists: Lists
    store: Store
    now: Clock
    applier: Applier
    _calls: dict[str, FalseCalls] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Output:
        return self.outputs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)

    def scope_of(self, name: str) -> Scope:
        """Return what the next cycle of an output must cover."""
        output = self.outputs[name]
        state = self.store.outputs.open(name, output.listing.number)
        stale = state.verified_at is None or self.now() - state.verified_at >= output.verify_every
        return EVERYTHING if stale or state.setup != output.setup else CHANGED

    def feeds_of(self, name: str) -> tuple[str, ...]:
        """Return the feeds that an output's list takes, in the order of the file."""
        chosen = self.outputs[name].listing.policy.select.feeds or self.feeds
        return tuple(feed for feed in self.feeds if feed in chosen)

    def propose(self, name: str, scope: Scope | None = None) -> Proposal:
        """Return what one output would write, without writing to its target.

        Raises UndecidedError while its list is being decided, or was never read.
        """
        with self.store.database.read() as transaction:
            rows = questions.feed_rows(transaction)
            output = questions.output_rows(transaction).get(name)
        in_step = output is not None and output.last_success is not None
        if feeds := waiting_for(self.feeds_of(name), rows, in_step=in_step):
            raise UndecidedError(f"waiting for the first poll of feed {', '.join(feeds)}")
        heeds = self.now() >= self._calls.setdefault(name, FalseCalls()).rests_until
        scope = scope or self.scope_of(name)
        return propose(self.outputs[name], self.store, scope, heeds_stamp=heeds)

    def sync(self, name: str, scope: Scope | None = None) -> ApplyResult:
        """Bring one output in step with its list.

        Raises PlanRefusedError if a limit holds the plan, and the adapter's error if its target
        does not answer; both are recorded for `status`.
        """
        output, outputs = self.outputs[name], self.store.outputs
        state = outputs.open(name, output.listing.number)
        try:
            with isolate_bugs(output=name):
                proposal, applied = self._in_step(output, scope)
        except UndecidedError:
            raise
        except ConnectorError as error:
            paused = str(error) if isinstance(error, RefusedError) else None
            outputs.note_attempt(state.number, self.now(), str(error), paused)
            raise
        outputs.note_attempt(state.number, self.now(), None, None)
        self._tell_drift(name, proposal)
        self.store.database.checkpoint_after(applied.added + applied.updated + applied.removed)
        log.info(
            "output.applied", output=name, plan=proposal.plan.id, scope=proposal.scope.name,
            added=applied.added, updated=applied.updated, removed=applied.removed,
            rejected=applied.rejected, kept=proposal.plan.unchanged,
        )  # fmt: skip
        return applied

    def _tell_drift(self, name: str, proposal: Proposal) -> None:
        drift = proposal.drift
        if not any(drift):
            return
        self.store.drifts.note(proposal.state.number, *drift, self.now())
        log.warning(
            "output.drifted", output=name, **drift._asdict(),
            what="others changed the target since our last cycle; it is mended",
        )  # fmt: skip

    def _in_step(self, output: Output, scope: Scope | None) -> tuple[Proposal, ApplyResult]:
        """Plan, check and apply; again from the plan when the list moved under it."""
        plans = self.store.plans
        for _ in range(_PLANS):
            proposal = self.propose(output.name, scope)
            number, plan_id = proposal.state.number, proposal.plan.id
            accepted = plans.accepted(number)
            for other in accepted - {plan_id}:
                plans.outdate(number, other)
            self._check(proposal, output, accepted)
            try:
                applied = apply(proposal, output, self.applier)
            except ListMovedError:
                continue
            if plan_id in accepted:
                plans.complete(number, plan_id)
            if proposal.surprised:
                self._calls[output.name].note(output, self.now(), false=not any(proposal.drift))
            return proposal, applied
        listed = output.listing.policy.name
        raise UnavailableError(
            f"list {listed} changed while it was being published; the next cycle tries again"
        )

    def _check(self, proposal: Proposal, output: Output, accepted: Collection[str]) -> None:
        """Hold a plan that breaks a limit, and raise PlanRefusedError; one accepted may pass."""
        try:
            check(proposal, output, accepted)
        except PlanRefusedError as error:
            plan, store = proposal.plan, self.store
            news = store.plans.hold(proposal.state, plan, error.broken, self.now())
            store.ledger.mark(proposal.state, plan, self.now())
            if news:
                store.audit.record(output.name, "hold", plan.id, "held", [], self.now())
                log.warning(
                    "plan.held", output=output.name, plan=plan.id, add=len(plan.add),
                    update=len(plan.update), remove=len(plan.remove), broken=list(error.broken),
                )  # fmt: skip
            raise

    def accept(self, plan_id: str, by: str) -> Acceptance:
        """Accept a held plan and apply it, if it would still be the same plan."""
        held = self._held(plan_id)
        if isinstance(held, Acceptance):
            return held
        name, everything = held.output, held.scope == EVERYTHING.name
        listed = self.outputs[name].listing.policy.name
        if not self.lists.is_decided(listed):  # the file may have changed since it was held
            self.lists.refresh(listed)
        proposal = self.propose(name, Scope(everything=everything, verifies=everything))
        if proposal.plan.id != plan_id:
            self.store.plans.outdate(held.number, plan_id)
            return Acceptance(
                f"Plan {plan_id} for {name} is out of date: things have changed since it was held; "
                f"run `connector plan {name}` to see what would be written now",
                outdated=True,
            )
        if moved := self._mark_accepted(held, by):
            return moved
        applied = self.sync(name, proposal.scope)
        return Acceptance(_words(name, plan_id, applied), applied=True)

    def hand_over(self, plan_id: str, by: str) -> Acceptance:
        """Accept a held plan and wait until the daemon has applied it or found it outdated."""
        held = self._held(plan_id)
        if isinstance(held, Acceptance):
            return held
        if moved := self._mark_accepted(held, by):
            return moved
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            kept = self.store.plans.find(plan_id)
            state = None if kept is None else kept.state
            if state is PlanState.DONE:
                return Acceptance(f"Plan {plan_id} applied to {held.output}", applied=True)
            if state in (PlanState.OUTDATED, PlanState.REPLACED):
                return Acceptance(f"Plan {plan_id} for {held.output} is out of date", outdated=True)
            time.sleep(_LOOK_SECONDS)
        words = f"Plan {plan_id} for {held.output} is accepted; the daemon has not applied it yet"
        return Acceptance(words)

    def _held(self, plan_id: str) -> KeptPlan | Acceptance:
        """Return a held plan, or what to say where there is none of this id."""
        kept = self.store.plans.find(plan_id)
        if kept is None or kept.output not in self.outputs:
            words = f"Plan {plan_id} was never held; `connector status` shows the held plans"
            return Acceptance(words)
        if kept.state is not PlanState.HELD:
            return _no_longer_held(kept, kept.state)
        return kept

    def _mark_accepted(self, held: KeptPlan, by: str) -> Acceptance | None:
        """Mark a plan as accepted; return what to say where a running cycle was faster."""
        try:
            self.store.plans.accept(held.number, held.id, by)
        except PlanStateError as error:
            return _no_longer_held(held, error.state)
        self.store.audit.record(held.output, "accept", held.id, by, [], self.now())
        return None

    def close(self) -> None:
        """Close every adapter."""
        for output in self.outputs.values():
            output.adapter.close()


def _no_longer_held(plan: KeptPlan, state: PlanState | None) -> Acceptance:
    words = f"Plan {plan.id} for {plan.output} is {state}, no longer held"
    return Acceptance(words, outdated=True)


def _words(output: str, plan_id: str, applied: ApplyResult) -> str:
    return (
        f"Plan {plan_id} applied to {output}: {applied.added:,} added, "
        f"{applied.updated:,} updated, {applied.removed:,} removed, {applied.rejected:,} rejected"
    )
