"""Holds of the configured outputs: kept as a cycle finds them, decided by a person."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from connector.decisions.holds import Acceptance, Hold, reason_name
from connector.instants import Clock
from connector.log import log
from connector.store.outputs.held_changes import Due
from connector.store.outputs.holds import HoldStateError, Settled
from connector.store.outputs.kept_holds import HoldState, KeptHold
from connector.store.store import Store
from connector.sync.proposal import Proposal

_RECORDED_AT_ONCE: Final = 10_000


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
        whole, holds, number = proposal.whole, proposal.aside.holds, proposal.state.number
        add, remove = frozenset(whole.add.numbers), frozenset(whole.remove.numbers)
        due = Due(add, remove, proposal.replaces)
        settled = self.store.holds.settle(number, proposal.looked, due, self.now(), holds)
        self._tell_ended(proposal, settled)
        for hold in holds:
            if hold.id in settled.news:
                self._record_entries(whole.output, hold)
                log.warning(
                    "hold.made", output=whole.output, hold=hold.id, kind=hold.kind.value,
                    add=len(hold.add), remove=len(hold.remove), broken=list(hold.sentences),
                )  # fmt: skip

    def _record_entries(self, output: str, hold: Hold) -> None:
        """Record in the audit what a hold is made of, and what caused each."""
        feeds = self.store.feeds()
        for refs in (hold.add, hold.remove):
            for at in range(0, len(refs), _RECORDED_AT_ONCE):
                part = refs.part(at, at + _RECORDED_AT_ONCE)
                causes = dict(zip(part.numbers, part.causes, strict=True))
                sources = dict(zip(part.numbers, part.sources, strict=True))
                with self.store.database.read() as transaction:
                    lines = [
                        [
                            one.type.value, one.shown, "", reason_name(causes[number]),
                            feeds.get(sources[number], ""),
                        ]
                        for number, one in self.store.wanted.observables_of(
                            transaction, part.numbers
                        )
                    ]  # fmt: skip
                self.store.audit.record(output, "hold", hold.id, "held", lines, self.now())
        if not (hold.add or hold.remove):
            self.store.audit.record(output, "hold", hold.id, "held", [], self.now())

    def applied(self, proposal: Proposal) -> None:
        """Take out of holds what a cycle has just written."""
        aside = proposal.aside
        due = Due(aside.withheld, aside.kept, aside.stops if proposal.scope.verifies else None)
        number, looked = proposal.state.number, proposal.looked.as_kept
        settled = self.store.holds.settle(number, looked, due, self.now())
        self._tell_ended(proposal, settled)

    def _tell_ended(self, proposal: Proposal, settled: Settled) -> None:
        for hold, state in settled.ended:
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
        """Note that a person accepted a hold; return what to say where a cycle was faster.

        One that was accepted before is applied now: then the target may not have answered.
        """
        try:
            self.store.holds.accept(hold.number, hold.id, by, why)
        except HoldStateError as error:
            return None if error.state is HoldState.ACCEPTED else _over(hold, error.state)
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
        said, under = f"{by}: {why}" if why else by, Acceptance(hold.id, by, why)
        self.store.audit.record(hold.output, what, hold.id, said, [], self.now(), under)
        log.info(f"hold.{what}", output=hold.output, hold=hold.id, by=by)


def _over(hold: KeptHold, state: HoldState | None) -> Answer:
    """Return that there is nothing left to decide on."""
    how = {
        HoldState.DONE: "was applied",
        HoldState.VOID: "no longer applies: nothing of it is left",
        HoldState.ACCEPTED: "is accepted, and the next cycle applies it",
    }
    words = how.get(state, "is not known") if state is not None else "is not known"
    return Answer(f"Hold {hold.id} for {hold.output} {words}", nothing_left=True)
