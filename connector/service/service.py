"""The configured service: its feeds, lists and outputs over one store."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connector.config.loading import Loaded
from connector.errors import ConnectorError, RefusedError, UnavailableError, UndecidedError
from connector.instants import SECOND, Clock
from connector.log import log
from connector.service.feeds import Feeds
from connector.service.isolation import isolate_bugs
from connector.service.lists import Lists
from connector.service.readiness import waiting_for
from connector.store import queries as questions
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult, ListMovedError
from connector.sync.cycle import CHANGED, EVERYTHING, Output, Proposal, Scope, check, propose

_PLANS: Final = 5


@dataclass(slots=True)
class Service:
    """Feeds, lists and outputs as the file names them; each has the cycles of its own."""

    loaded: Loaded
    store: Store
    now: Clock
    feeds: Feeds
    lists: Lists
    outputs: dict[str, Output]
    applier: Applier

    def stop_when(self, stopped: Callable[[], bool]) -> None:
        """Let every cycle end after the page, part of a list or write in hand, once that is so."""
        self.feeds.stopped = self.lists.stopped = self.applier.stopped = stopped

    def scope_of(self, name: str) -> Scope:
        """Return what the next cycle of an output has to look at."""
        output = self.outputs[name]
        state = self.store.ledger.open(name, output.listing.number)
        every = self.loaded.config.outputs[name].verify_every.total_seconds() * SECOND
        stale = state.verified_at is None or self.now() - state.verified_at >= every
        return EVERYTHING if stale or state.setup != output.setup else CHANGED

    def feeds_of(self, output: str) -> tuple[str, ...]:
        """Return the feeds that an output's list takes, in the order of the file."""
        chosen = self.outputs[output].listing.policy.select.feeds or self.feeds
        return tuple(name for name in self.feeds if name in chosen)

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
        """Plan, check and carry out; again from the plan when the list moved under it."""
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

    def close(self) -> None:
        """Close every connection to feeds and targets."""
        self.feeds.close()
        for output in self.outputs.values():
            output.adapter.close()
