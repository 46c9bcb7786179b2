"""Targets that only take events: the ledger alone says what they were sent."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from connector.adapter import EventAdapter
from connector.decisions.plan import EntryRefs
from connector.store.outputs.outputs import OutputState
from connector.store.store import Store
from connector.sync.apply import Applier, WrittenBatch
from connector.sync.folding import Fold
from connector.sync.proposal import Proposal
from connector.sync.targets.single import SingleEntries
from connector.sync.targets.target import entry_of

_STAMP: Final = "takes events"


class SentEntries(SingleEntries):
    """A receiver of events, which cannot be read back."""

    readable = False

    def stamp(self) -> str | None:
        """Return what all such targets say of themselves, by which `status` knows them."""
        return _STAMP

    def put_by_others(
        self, _added: Sequence[int], _state: OutputState, _store: Store, _fold: Fold | None
    ) -> dict[int, str]:
        """Return nothing: what others sent to the receiver concerns no entry of ours."""
        return {}

    def _added(
        self, part: EntryRefs, proposal: Proposal, applier: Applier, full: set[str], *,
        updates: bool,
    ) -> WrittenBatch:  # fmt: skip
        """Send a batch; what was sent before stays ours, whatever becomes of its change."""
        batch = super()._added(part, proposal, applier, full, updates=updates)
        known = {one.number for one in batch.lines if entry_of(one.line).handle}
        return replace(batch, stays=False, known=known)

    def flush(self) -> None:
        """Have the receiver take what waits; raise where it does not."""
        with self.calls("flush"):
            if isinstance(self.adapter, EventAdapter):
                self.adapter.flush()
