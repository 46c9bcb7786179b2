"""Targets that only take events: the ledger alone says what they were sent."""

from collections.abc import Sequence
from typing import Final

from connector.adapter import EventAdapter
from connector.store.outputs.outputs import OutputState
from connector.store.store import Store
from connector.sync.folding import Fold
from connector.sync.targets.single import SingleEntries

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

    def flush(self) -> None:
        """Have the receiver take what waits; raise where it does not."""
        with self.calls("flush"):
            if isinstance(self.adapter, EventAdapter):
                self.adapter.flush()
