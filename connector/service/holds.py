"""Holds of the configured outputs: kept as a cycle finds them, decided by a person."""

from collections.abc import Collection
from dataclasses import dataclass

from connector.instants import Clock
from connector.log import log
from connector.store.outputs.holds import HoldState, HoldStateError, KeptHold
from connector.store.store import Store
from connector.sync.proposal import Proposal


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a person's word on a hold, in words for the operator."""

    words: str
    done: bool = False
    nothing_left: bool = False


@dataclass(frozen=True, slots=True)
class HoldKeeper:
    """Keeps the holds of proposals, and takes down what people say of them."""

    store: Store
    now: Clock

    def keep(self, proposal: Proposal) -> None:
        """Take out of earlier holds what is no longer due and keep the new ones, before a write.

        After a crash between the two, the next cycle finds the same changes set aside.
        """
        whole, holds = proposal.whole, proposal.aside.holds
        self._prune(proposal, whole.add.numbers, whole.remove.numbers, proposal.replaces)
        news = self.store.holds.keep(proposal.state, holds, self.now()) if holds else []
        for hold in holds:
            if hold.id in news:
                self.store.audit.record(whole.output, "hold", hold.id, "held", [], self.now())
                log.warning(
                    "hold.made", output=whole.output, hold=hold.id, kind=hold.kind.value,
                    add=len(hold.add), remove=len(hold.remove), broken=list(hold.sentences),
                )  # fmt: skip

    def applied(self, proposal: Proposal) -> None:
        """Take out of holds what a cycle has just written."""
        aside = proposal.aside
        replaces = aside.stops if proposal.scope.verifies else None
        self._prune(proposal, aside.withheld, aside.kept, replaces)

    def _prune(
        self,
        proposal: Proposal,
        add: Collection[int],
        remove: Collection[int],
        replaces: bool | None,
    ) -> None:
        ended = self.store.holds.prune(
            proposal.state.number, frozenset(add), frozenset(remove), self.now(), replaces=replaces
        )
        for hold, state in ended:
            output = proposal.whole.output
            self.store.audit.record(output, "hold", hold, state.value, [], self.now())
            log.info(f"hold.{state.value}", output=output, hold=hold)

    def find(self, hold_id: str, outputs: Collection[str]) -> KeptHold | Answer:
        """Return a hold that a person may decide on, or what to say where there is none."""
        kept = self.store.holds.find(hold_id)
        if kept is None or kept.output not in outputs:
            return Answer(f"Hold {hold_id} is not known; `connector status` shows what is held")
        if kept.state in (HoldState.DONE, HoldState.VOID):
            return _over(kept, kept.state)
        return kept

    def accept(self, hold: KeptHold, by: str, why: str) -> Answer | None:
        """Note that a person accepted a hold; return what to say where a cycle was faster."""
        try:
            self.store.holds.accept(hold.number, hold.id, by, why)
        except HoldStateError as error:
            return _over(hold, error.state)
        self._tell(hold, "accepted", by, why)
        return None

    def refuse(self, hold: KeptHold, by: str, why: str, until: int | None) -> Answer:
        """Note that a person refused a hold; return what to say."""
        try:
            self.store.holds.refuse(hold.number, hold.id, by, why, until)
        except HoldStateError as error:
            return _over(hold, error.state)
        self._tell(hold, "refused", by, why)
        words = f"Hold {hold.id} for {hold.output} is refused; its entries stay as they are"
        return Answer(words, done=True)

    def _tell(self, hold: KeptHold, what: str, by: str, why: str) -> None:
        said = f"{by}: {why}" if why else by
        self.store.audit.record(hold.output, what, hold.id, said, [], self.now())
        log.info(f"hold.{what}", output=hold.output, hold=hold.id, by=by)


def _over(hold: KeptHold, state: HoldState | None) -> Answer:
    """Return that there is nothing left to decide on."""
    how = {
        HoldState.DONE: "was applied",
        HoldState.VOID: "no longer applies: nothing of it is left",
        HoldState.ACCEPTED: "is accepted",
    }
    words = how.get(state, "is not known") if state is not None else "is not known"
    return Answer(f"Hold {hold.id} for {hold.output} {words}", nothing_left=True)
