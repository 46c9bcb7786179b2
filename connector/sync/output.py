"""An output as configured."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from connector.adapter import Adapter
from connector.decisions.limits import Limits
from connector.decisions.records import BELOW
from connector.decisions.room import Room
from connector.sync.crowding import Bounds, Crowding, pool_of
from connector.sync.device import Device
from connector.sync.folding import Rank, first_of_rows
from connector.sync.listing import Listing
from connector.sync.targets.target import Target
from connector.sync.view import View


@dataclass(frozen=True, slots=True)
class Rollout:
    """What is new reaches an output once it has stood at another one for `wait` microseconds."""

    after: str
    wait: int


@dataclass(frozen=True, slots=True)
class Output:
    """An output as configured: its list, target, limits and capacity.

    `setup` is a digest of all that the file says about it; a change of it is a reason to look at
    everything again, and so is that the target was last verified longer than `verify_every` ago.
    """

    name: str
    listing: Listing
    target: Target[Any]
    limits: Limits
    setup: bytes
    verify_every: int
    max_entries: int | None = None
    device: Device | None = None
    rollout: Rollout | None = None

    @property
    def adapter(self) -> Adapter[Any]:
        """What writes to the target."""
        adapter: Adapter[Any] = self.target.adapter
        return adapter

    def crowding(self) -> Crowding:
        """Return what the target has said of its room so far: nothing."""
        return Crowding(self.adapter, self.target.folds, self.target.ours_alone)

    def bounds(self, view: View, *, probing: bool) -> Bounds:
        """Return how many entries the target can hold: by its adapter, by the file, by its word.

        Its word holds until the settings change; `probing` offers it somewhat more.
        """
        known = view.state.setup == self.setup
        full = view.store.pools.full(view.transaction, view.output) if known else {}
        return Bounds.of(self.adapter, self.max_entries, full, probing=probing)

    def room(self, view: View, bounds: Bounds) -> Room | None:
        """Return the entries that the target can hold, or None if all fit and always did.

        What is too early here takes nobody's room, and is not over capacity either.
        """
        if not self._is_short(view, bounds.least):
            return None
        ranks = view.store.wanted.ranks(view.transaction, view.state.list)
        fitting: Iterator[Rank] = (
            row for row in ranks if row[0] not in view.early and self.target.fits(row[1])
        )
        riders: dict[int, int] = {}
        if self.target.folds:
            fitting = first_of_rows(self.adapter, fitting, riders)
        return self._shared_out(fitting, bounds).with_riders(riders).also(view.early)

    def _is_short(self, view: View, least: int | None) -> bool:
        """Return whether not all that the list wants fits, or did not when we last looked."""
        if least is None:
            return False
        ledger, transaction = view.store.ledger, view.transaction
        return view.store.wanted.count(transaction, view.state.list) > least or any(
            ledger.marked(transaction, view.output, mark) for mark in BELOW
        )

    def _shared_out(self, fitting: Iterator[Rank], bounds: Bounds) -> Room:
        """Return who gets the room, in all or in each pool."""
        shares = self.listing.policy.shares
        if (whole := bounds.whole) is not None and len(bounds.pools) == 1:
            return Room.of(
                ((number, source) for number, _subject, source in fitting), whole, shares
            )
        pooled = (
            (number, source, pool_of(self.adapter, subject)) for number, subject, source in fitting
        )
        return Room.pooled(pooled, bounds.pools, bounds.total, shares)
