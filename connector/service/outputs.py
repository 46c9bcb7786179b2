"""The configured outputs: each kept in step with its list; held plans are accepted here."""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from connector.errors import ConnectorError, RefusedError, UnavailableError, UndecidedError
from connector.instants import Clock
from connector.log import log
from connector.service.isolation import isolate_bugs
from connector.service.lists import Lists
from connector.service.readiness import waiting_for
from connector.store import queries as questions
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult, ListMovedError
from connector.sync.cycle import CHANGED, EVERYTHING, Output, Proposal, Scope, check, propose

_PLANS: Final = 5
_WAIT_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What became of accepting a plan, in words for the operator."""

    words: str
    applied: bool = False
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class _HeldPlan:
    id: str
    output: Output
    number: int
    scope: Scope


@dataclass(slots=True, eq=False)
class Outputs(Mapping[str, Output]):
    """The outputs by name; `feeds` are the names of all feeds, in the order of the file."""

    outputs: Mapping[str, Output]
    feeds: Collection[str]
    lists: Lists
    store: Store
    now: Clock
    applier: Applier

    def __getitem__(self, name: str) -> Output:
        return self.outputs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)

    def scope_of(self, name: str) -> Scope:
        """Return what the next cycle of an output has to look at."""
        output = self.outputs[name]
        state = self.store.ledger.open(name, output.listing.number)
        stale = state.verified_at is None or self.now() - state.verified_at >= output.verify_every
        return EVERYTHING if stale or state.setup != output.setup else CHANGED

    def feeds_of(self, name: str) -> tuple[str, ...]:
        """Return the feeds that an output's list takes, in the order of the file."""
        chosen = self.outputs[name].listing.policy.select.feeds or self.feeds
        return tuple(feed for feed in self.feeds if feed in chosen)

    def propose(self, name: str, scope: Scope | None = None) -> Proposal:
        """Return what one output would write; writes nothing to its target.

        Raises UndecidedError while its list is being decided, or was never read.
        """
        with self.store.database.read() as transaction:
            rows = questions.feed_rows(transaction)
            output = questions.output_rows(transaction).get(name)
        in_step = output is not None and output.last_success is not None
        if feeds := waiting_for(self.feeds_of(name), rows, in_step=in_step):
            raise UndecidedError(f"waiting for the first poll of feed {', '.join(feeds)}")
        return propose(self.outputs[name], self.store, scope or self.scope_of(name))

    def sync(self, name: str, scope: Scope | None = None, accepted: str = "") -> ApplyResult:
        """Bring one output in step with its list.

        Raises PlanRefusedError when a limit holds the plan, and what the adapter raises when its
        target does not answer; both are recorded for `status`.
        """
        output, ledger = self.outputs[name], self.store.ledger
        state = ledger.open(name, output.listing.number)
        try:
            with isolate_bugs(output=name):
                proposal, applied = self._in_step(output, scope, accepted)
        except UndecidedError:
            raise
        except ConnectorError as error:
            paused = str(error) if isinstance(error, RefusedError) else None
            ledger.note_attempt(state.number, self.now(), str(error), paused)
            raise
        ledger.note_attempt(state.number, self.now(), None, None)
        self.store.database.checkpoint_after(applied.added + applied.updated + applied.removed)
        log.info(
            "output.applied", output=name, plan=proposal.plan.id, scope=proposal.scope.name,
            added=applied.added, updated=applied.updated, removed=applied.removed,
            rejected=applied.rejected, kept=proposal.plan.unchanged,
        )  # fmt: skip
        return applied

    def _in_step(
        self, output: Output, scope: Scope | None, accepted: str
    ) -> tuple[Proposal, ApplyResult]:
        """Plan, check and apply; again from the plan when the list moved under it."""
        ledger = self.store.ledger
        for _ in range(_PLANS):
            proposal = self.propose(output.name, scope)
            number, plan_id = proposal.state.number, proposal.plan.id
            agreed = ledger.accepted(number) | {accepted}
            for other in agreed - {accepted, plan_id}:
                ledger.set_plan_state(number, other, "outdated")
            self._check(proposal, output, agreed)
            try:
                applied = self.applier.apply(proposal, output)
            except ListMovedError:
                continue
            if plan_id in agreed:
                ledger.set_plan_state(number, plan_id, "done")
            return proposal, applied
        listed = output.listing.policy.name
        raise UnavailableError(
            f"list {listed} changed while it was being published; the next cycle tries again"
        )

    def _check(self, proposal: Proposal, output: Output, agreed: set[str]) -> None:
        try:
            check(proposal, output, agreed)
        except ConnectorError as error:
            broken = getattr(error, "broken", ())
            news = self.store.ledger.hold(proposal.state, proposal.plan, broken, self.now())
            self.store.ledger.mark(proposal.state, proposal.plan, self.now())
            if news:
                plan = proposal.plan
                self.store.ledger.record(output.name, "hold", plan.id, "held", [], self.now())
                log.warning(
                    "plan.held", output=output.name, plan=plan.id, add=len(plan.add),
                    update=len(plan.update), remove=len(plan.remove), broken=list(broken),
                )  # fmt: skip
            raise

    def accept(self, plan_id: str, by: str) -> Acceptance:
        """Accept a held plan and apply it, if it would still be the same plan."""
        held = self._held(plan_id)
        if isinstance(held, Acceptance):
            return held
        output, ledger = held.output, self.store.ledger
        listed = output.listing.policy.name
        if not self.lists.is_decided(listed):  # the file may have changed since it was held
            self.lists.refresh(listed)
        proposal = self.propose(output.name, held.scope)
        if proposal.plan.id != plan_id:
            ledger.set_plan_state(held.number, plan_id, "outdated")
            return Acceptance(
                f"Plan {plan_id} for {output.name} is out of date: things have changed since it "
                f"was held; run `connector plan {output.name}` to see what would be written now",
                outdated=True,
            )
        self._mark_accepted(held, by)
        applied = self.sync(output.name, proposal.scope, plan_id)
        return Acceptance(_words(output.name, plan_id, applied), applied=True)

    def hand_over(self, plan_id: str, by: str) -> Acceptance:
        """Accept a held plan and wait until the daemon has applied it or found it outdated."""
        held = self._held(plan_id)
        if isinstance(held, Acceptance):
            return held
        self._mark_accepted(held, by)
        plan = f"Plan {plan_id} for {held.output.name}"
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            with self.store.database.read() as transaction:
                known = self.store.ledger.plan_state(transaction, plan_id)
            if known is not None and known[1] == "done":
                return Acceptance(f"Plan {plan_id} applied to {held.output.name}", applied=True)
            if known is not None and known[1] in ("outdated", "replaced"):
                return Acceptance(f"{plan} is out of date", outdated=True)
            time.sleep(_LOOK_SECONDS)
        return Acceptance(f"{plan} is accepted; the daemon has not applied it yet")

    def _held(self, plan_id: str) -> _HeldPlan | Acceptance:
        """Return a held plan, or what to say where there is none of this id."""
        with self.store.database.read() as transaction:
            known = self.store.ledger.plan_state(transaction, plan_id)
        if known is None or known[0] not in self.outputs:
            words = f"Plan {plan_id} was never held; `connector status` names the held plans"
            return Acceptance(words)
        name, state, scope = known
        if state != "held":
            return Acceptance(
                f"Plan {plan_id} for {name} is {state}, no longer held", outdated=True
            )
        output, everything = self.outputs[name], scope == EVERYTHING.name
        number = self.store.ledger.open(name, output.listing.number).number
        scope_held = Scope(everything=everything, verifies=everything)
        return _HeldPlan(plan_id, output, number, scope_held)

    def _mark_accepted(self, held: _HeldPlan, by: str) -> None:
        ledger = self.store.ledger
        ledger.set_plan_state(held.number, held.id, "accepted", by)
        ledger.record(held.output.name, "accept", held.id, by, [], self.now())

    def close(self) -> None:
        """Close every adapter."""
        for output in self.outputs.values():
            output.adapter.close()


def _words(output: str, plan_id: str, applied: ApplyResult) -> str:
    return (
        f"Plan {plan_id} applied to {output}: {applied.added:,} added, "
        f"{applied.updated:,} updated, {applied.removed:,} removed, {applied.rejected:,} rejected"
    )
