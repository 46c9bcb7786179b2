"""What a target can hold, by pool: as its adapter and the file say, and as it said itself."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connector.adapter import Adapter, Full
from connector.decisions.records import LedgerState
from connector.model import Observable, Subject
from connector.store.outputs.outputs import OutputState
from connector.store.store import Store
from connector.sync.apply import Batch, WrittenBatch
from connector.sync.folding import row_of

ONE_POOL: Final = ""
# A full pass offers that many more than the target held: there may be room again, and a target
# that is still full refuses few. So few also break no limit.
_OFFERED: Final = 10


def pool_of(adapter: Adapter[Any], subject: Subject) -> str:
    """Return the pool of a target that an entry takes its room from; rules have one pool."""
    return adapter.pool_of(subject) if isinstance(subject, Observable) else ONE_POOL


def ranks_pools(adapter: Adapter[Any]) -> bool:
    """Return whether the adapter knows of pools, and so may be told that one is full."""
    return type(adapter).pools is not Adapter.pools


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many entries fit into each pool (None: nobody knows), and into all of them together."""

    pools: Mapping[str, int | None]
    total: int | None

    @classmethod
    def of(
        cls, adapter: Adapter[Any], total: int | None, full: Mapping[str, int], *, probing: bool
    ) -> "Bounds":
        """Return the bounds of a target of which some pools were full; `probing` offers more."""
        pools = dict(adapter.pools())
        for pool, held in full.items():
            learnt = held + _OFFERED if probing else held
            said = pools.get(pool)
            pools[pool] = learnt if said is None else min(said, learnt)
        return cls(pools, total)

    @property
    def least(self) -> int | None:
        """How many entries fit in any case; None where there is no bound."""
        return min(
            (one for one in (*self.pools.values(), self.total) if one is not None), default=None
        )

    @property
    def whole(self) -> int | None:
        """How many entries fit where all have one pool; for several, what the file allows."""
        return self.least if len(self.pools) == 1 else self.total


@dataclass(slots=True)
class Crowding:
    """What a target says of its room while a plan is written."""

    adapter: Adapter[Any]
    folds: bool
    ours_alone: bool
    pools: set[str] = field(default_factory=set)
    _removed: list[int] = field(default_factory=list)

    def note(self, batch: Batch) -> None:
        """Note what was said of a batch."""
        if isinstance(batch, WrittenBatch):
            for subject, outcome in batch.outcomes.items():
                if isinstance(outcome, Full):
                    self.pools.add(pool_of(self.adapter, subject))
        elif self.pools and not self.ours_alone:
            self._removed += batch.numbers  # they were still there when it was full

    def settle(
        self, state: OutputState, store: Store, now: int, *, anew: bool, probed: bool
    ) -> bool:
        """Keep what was learnt; return whether there is room again, so that all is offered.

        `anew` says that the settings changed, `probed` that more was offered than was known to fit.
        """
        if not self.pools and not (anew or probed):
            return False
        with store.database.read() as transaction:
            known = store.pools.full(transaction, state.number)
        if not self.pools and not known:
            return False
        held = self._held(state, store)
        learnt: dict[str, int | None] = {pool: held[pool] for pool in self.pools}
        over = [
            pool for pool in known if pool not in self.pools and (anew or held[pool] > known[pool])
        ]
        store.pools.learn(state.number, {**dict.fromkeys(over), **learnt}, now)
        return bool(over)

    def _held(self, state: OutputState, store: Store) -> Counter[str]:
        """Return how many rows of ours each pool held."""
        with store.database.read() as transaction:
            written = store.ledger.marked(transaction, state.number, LedgerState.WRITTEN)
            if not self.folds and not ranks_pools(self.adapter):
                return Counter({ONE_POOL: written + len(self._removed)})
            there = [*store.ledger.subjects(transaction, state.number, LedgerState.WRITTEN)]
            there += [
                one for _number, one in store.wanted.observables_of(transaction, self._removed)
            ]
        pools: dict[str, set[int | Subject]] = {}
        for one in there:
            row = row_of(self.adapter, one) if self.folds and isinstance(one, Observable) else one
            pools.setdefault(pool_of(self.adapter, one), set()).add(row)
        return Counter({pool: len(rows) for pool, rows in pools.items()})
