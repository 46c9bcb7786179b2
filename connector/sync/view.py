"""What a cycle of an output looks at: its scope, and what list, ledger and target say in it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from connector.decisions.room import Room
from connector.decisions.snapshot import TargetSnapshot
from connector.store.outputs.outputs import OutputState
from connector.store.outputs.rollouts import Turn
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.listing import Listing


@dataclass(frozen=True, slots=True)
class Scope:
    """What a cycle covers: what changed, or everything; and whether it reads the target.

    `held` asks for all that waits to be removed, and where entries are one row for all that is
    there: the allowlist may have changed for it. Where the target has forgotten or others changed
    it since our last cycle, as its stamp tells, the scope becomes everything; without
    `heeds_stamp` the target is not asked for it.
    """

    everything: bool
    verifies: bool
    held: bool = False
    heeds_stamp: bool = True

    @property
    def name(self) -> str:
        """The scope's name in plans and JSON."""
        return "everything" if self.everything else "changed"


CHANGED: Final = Scope(everything=False, verifies=False)
EVERYTHING: Final = Scope(everything=True, verifies=True)


@dataclass(frozen=True, slots=True)
class View:
    """What a cycle of an output looks at, in one snapshot of the store.

    `seq` is how far the list had come. What changed `after` a sequence number is looked at, or
    everything where that is None; and beside it what is `asked` for, sorted, of which the target
    would end the `due` at the wrong time and the `turned` have waited long enough for `turn`.
    All that has yet to is `early`, where a cycle needs to know. `present` is what the target holds
    if it was read, `room` who fits where not all do, and `capacity` how many fit.
    """

    listing: Listing
    state: OutputState
    store: Store
    transaction: Transaction
    scope: Scope
    now: int
    seq: int
    present: TargetSnapshot | None = None
    capacity: int | None = None
    room: Room | None = None
    after: int | None = None
    asked: Sequence[int] = ()
    due: Collection[int] = ()
    turn: Turn | None = None
    turned: Sequence[int] = ()
    early: Collection[int] = ()

    @property
    def output(self) -> int:
        """The number of the output."""
        return self.state.number
