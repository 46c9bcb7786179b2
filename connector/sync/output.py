"""An output as configured."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from connector.adapter import Adapter
from connector.decisions.limits import Limits
from connector.decisions.plan import BELOW
from connector.decisions.room import Room
from connector.store.outputs.outputs import OutputState
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.crowding import Bounds, pool_of
from connector.sync.device import Device
from connector.sync.folding import Rank, first_of_rows
from connector.sync.listing import Listing
from connector.sync.targets.target import Target


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

    def bounds(
        self, store: Store, transaction: Transaction, state: OutputState, *, probing: bool
    ) -> Bounds:
        """Return how many entries the target can hold: by its adapter, by the file, by its word.

        Its word holds until the settings change; `probing` offers it somewhat more.
        """
        full = store.pools.full(transaction, state.number) if state.setup == self.setup else {}
        return Bounds.of(self.adapter, self.max_entries, full, probing=probing)

    def room(
        self, store: Store, transaction: Transaction, state: OutputState, bounds: Bounds,
        early: Collection[int] = (),
    ) -> Room | None:  # fmt: skip
        """Return the entries that the target can hold, or None if all fit and always did.

        What is too `early` here takes nobody's room, and is not over capacity either.
        """
        least = bounds.least
        if least is None:
            return None
        if store.wanted.count(transaction, state.list) <= least and not any(
            store.ledger.marked(transaction, state.number, mark) for mark in BELOW
        ):
            return None
        ranks = store.wanted.ranks(transaction, state.list)
        fitting: Iterator[Rank] = (
            row for row in ranks if row[0] not in early and self.target.fits(row[1])
        )
        riders: dict[int, int] = {}
        if self.target.folds:
            fitting = first_of_rows(self.adapter, fitting, riders)
        shares = self.listing.policy.shares
        if (whole := bounds.whole) is not None and len(bounds.pools) == 1:
            pairs = ((number, source) for number, _subject, source in fitting)
            return Room.of(pairs, whole, shares).with_riders(riders).also(early)
        pooled = (
            (number, source, pool_of(self.adapter, subject)) for number, subject, source in fitting
        )
        room = Room.pooled(pooled, bounds.pools, bounds.total, shares)
        return room.with_riders(riders).also(early)
