"""Places of outputs as a configuration comes into force: who moved, who was dropped, who is where.

A ledger belongs to a place. An output that moves starts anew, and leaves its ledger with the old
place; one that comes to a place takes over what was left there: nothing is removed for a rename.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

from connector.adapter import Adapter, EntryAdapter, RuleAdapter
from connector.config.loading import Loaded
from connector.errors import ConfigError
from connector.instants import Clock
from connector.log import log
from connector.model import RuleRef, Subject
from connector.registry import Registry, release
from connector.service.placing import (
    UnreachablePlaceError,
    placing_of,
    placings,
    remake,
)
from connector.settings import OwnName
from connector.store.outputs.outputs import number_of
from connector.store.outputs.places import (
    Place,
    PlacedLedger,
    Placing,
    Standing,
    left_behind,
    placed_ledgers,
)
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.withdrawal import entries_of_ours


@dataclass(frozen=True, slots=True)
class Settler:
    """Moves ledgers as a file says; `lists` are the numbers of the outputs' lists."""

    loaded: Loaded
    registry: Registry
    store: Store
    now: Clock
    lists: Mapping[str, int]
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def settle(self, *, tells: bool = True) -> list[PlacedLedger]:
        """Give each output of the file the ledger of its place; return what is left behind.

        In one transaction: a crash leaves all as it was. Log and audit tell it, unless this is a
        copy of the state. Raises ConfigError where an output was
        renamed that its target knows by its name.
        """
        wanted, places = placings(self.loaded), self.store.places
        with self.store.database.write(durable=True) as transaction:
            expect_names_kept(self.loaded, placed_ledgers(transaction), wanted)
            for ledger in placed_ledgers(transaction):
                if ledger.standing is Standing.KEPT:
                    self._take_leave(transaction, ledger, wanted)
            for ledger in placed_ledgers(transaction):
                if ledger.standing is not Standing.KEPT:
                    self._find_heirs(transaction, ledger, wanted)
            for name, placing in wanted.items():
                places.put(transaction, self._number(transaction, name), placing, self.now())
            for ledger in placed_ledgers(transaction):
                if ledger.standing is not Standing.KEPT and not ledger.entries:
                    places.forget(transaction, ledger.number)
            left = left_behind(transaction, tuple(wanted))
        if tells:
            self._tell(left)
        return left

    def _take_leave(
        self, transaction: Transaction, ledger: PlacedLedger, wanted: Mapping[str, Placing]
    ) -> None:
        """Leave a ledger where it is, where its output is dropped or is elsewhere now."""
        new, old, places = wanted.get(ledger.name), ledger.placing, self.store.places
        if new is None:
            places.drop(transaction, ledger.number, ledger.name, self.now())
            return
        if old is None or not (gone := self._gone(ledger, old, new)):
            return
        left = replace(old, places=old.places & gone)
        kept = (old.places - left.places) & new.places
        among = self._among(transaction, ledger, left.places) if kept else None
        entries = ledger.entries if among is None else len(among)
        if entries:
            stays: Sequence[int] | None = ()
            if kept:  # what cannot be told apart may be at either
                stays = None if among is None else self._also_at(transaction, ledger, kept)
            number = places.leave(transaction, ledger, left, among, self.now())
            places.share(transaction, number, ledger.number, stays)
            words = {"old": left.words, "new": new.words}
            self.told.append(("moved", {"output": ledger.name, "entries": entries, **words}))
        places.begin(transaction, ledger.number)

    def _gone(self, ledger: PlacedLedger, old: Placing, new: Placing) -> frozenset[Place]:
        """Return the places that an output no longer keeps; empty where it is where it was."""
        if old.adapter != new.adapter:
            return old.places or frozenset({(old.adapter,)})
        if old.places and new.places:
            return old.places - new.places
        if old.options != new.options and ledger.entries:
            words = {"output": ledger.name, "entries": ledger.entries, "adapter": new.adapter}
            self.told.append(("may_have_moved", words))
        return frozenset()

    def _also_at(
        self, transaction: Transaction, ledger: PlacedLedger, kept: frozenset[Place]
    ) -> Sequence[int] | None:
        """Return which entries of a ledger are at its places that are kept as well; None for all.

        Where the target is ours alone a place may be a copy of another, such as a file for the
        start; elsewhere each entry is at one of them, if it can be told at which.
        """
        assert ledger.placing is not None  # noqa: S101 - the caller compared it
        if issubclass(self.registry.adapter(ledger.placing.adapter), EntryAdapter):
            return ()
        try:
            return self._accepted(transaction, ledger, kept)
        except UnreachablePlaceError:
            return None

    def _find_heirs(
        self, transaction: Transaction, ledger: PlacedLedger, wanted: Mapping[str, Placing]
    ) -> None:
        """Give a ledger that was left to the outputs that are at its place now."""
        left = ledger.placing
        for name, placing in wanted.items():
            if left is not None and left.meets(placing):
                left = self._take_over(transaction, replace(ledger, placing=left), name, placing)

    def _take_over(
        self, transaction: Transaction, ledger: PlacedLedger, name: str, placing: Placing
    ) -> Placing | None:
        """Give a ledger, or what it has of a place, to an output; return what is left of it."""
        old, places = ledger.placing, self.store.places
        assert old is not None  # noqa: S101 - the caller compared it
        common = old.places & placing.places
        words = {"output": name, "of": ledger.name, "place": placing.words}
        self.told.append(("took_over", {**words, "entries": ledger.entries}))
        if not common or common == old.places:
            if self._is_new(transaction, name):
                places.rename(transaction, ledger.number, name, self.now())
            else:
                places.take_over(transaction, ledger.number, self._number(transaction, name))
                places.take_texts(transaction, ledger.number, name)
                places.forget(transaction, ledger.number)
            return None
        among, number = self._among(transaction, ledger, common), self._number(transaction, name)
        places.take_over(transaction, ledger.number, number, () if among is None else among)
        if among is None:
            places.share(transaction, ledger.number, number, None)
        places.narrow(transaction, ledger.number, old.places - common)
        return replace(old, places=old.places - common)

    def _number(self, transaction: Transaction, name: str) -> int:
        return number_of(transaction, name, self.lists[name])

    def _is_new(self, transaction: Transaction, name: str) -> bool:
        return all(
            (ledger.name, ledger.standing) != (name, Standing.KEPT)
            for ledger in placed_ledgers(transaction)
        )

    def _among(
        self, transaction: Transaction, ledger: PlacedLedger, places: frozenset[Place]
    ) -> Sequence[int] | None:
        """Return which entries of a ledger are at these of its places; None if nothing tells."""
        try:
            return self._accepted(transaction, ledger, places)
        except UnreachablePlaceError:
            return None

    def _accepted(
        self, transaction: Transaction, ledger: PlacedLedger, places: frozenset[Place]
    ) -> Sequence[int]:
        lender = self.loaded.outputs.get(ledger.name)
        adapter = remake(ledger, self.loaded, self.registry, lender, places=places)
        try:
            ours = entries_of_ours(self.store, transaction, ledger.number, accepts(adapter))
        finally:
            release(adapter)
        return [one.observable for one in ours]

    def _tell(self, left: Sequence[PlacedLedger]) -> None:
        for event, words in self.told:
            if event == "took_over":
                self._audit(words)
            if event == "took_over" and words["output"] == words["of"]:
                continue  # it is in the file again
            log.warning(f"output.{event}", **words, what=_WHAT[event])
        for ledger in left:
            if ledger.standing is Standing.DROPPED:
                log.warning(
                    "output.left_behind", output=ledger.name, entries=ledger.entries,
                    place=ledger.words,
                    what="this output is no longer configured; its entries remain on the target "
                    "until connector withdraw or connector outputs forget",
                )  # fmt: skip

    def _audit(self, words: Mapping[str, Any]) -> None:
        said = f"{words['entries']} entries of {words['of']} at {', '.join(words['place'])}"
        self.store.audit.record(words["output"], "take over", "", said, [], self.now())


_WHAT = {
    "moved": "the new place is written first; then what is ours at the old one is removed",
    "may_have_moved": "its adapter does not say which options name the place: if it moved, what "
    "it wrote stays at the old one",
    "took_over": "another output of this adapter left this place; what it wrote is now this one's",
}


def accepts(adapter: Adapter[Any]) -> Callable[[Subject], bool]:
    """Return what says whether an adapter can have an observable, or a rule."""

    def accepted(subject: Subject) -> bool:
        if isinstance(subject, RuleRef):
            return isinstance(adapter, RuleAdapter) and adapter.takes(subject.type)
        return adapter.accepts(subject)

    return accepted


def expect_names_kept(
    loaded: Loaded, ledgers: Sequence[PlacedLedger], wanted: Mapping[str, Placing]
) -> None:
    """Raise ConfigError where an output has a new name, and its target knows it by the old one.

    Its entries would be those of others for ever, and all of them would be added once more.
    """
    known = {ledger.name for ledger in ledgers if ledger.standing is Standing.KEPT}
    gone = [one for one in ledgers if one.entries and one.placing and one.name not in wanted]
    for name, placing in wanted.items():
        if name in known:
            continue
        for ledger in gone:
            if ledger.placing is None or ledger.placing.meets(placing):
                continue
            if placing_of(loaded, name, ledger.name).places == ledger.placing.places:
                option = _own_name(loaded, name)
                raise ConfigError(
                    [
                        f"{loaded.path}: outputs.{name}.options: the target knows the "
                        f"{ledger.entries:,} entries of this place by the output's former name: "
                        f"set `{option}: {ledger.name}` to rename it. If it is another output, "
                        f"take {ledger.name} out of the file first, and run `connector withdraw "
                        f"{ledger.name}` or `connector outputs forget {ledger.name}`"
                    ]
                )


def expect_same_names(loaded: Loaded, store: Store) -> None:
    """Raise ConfigError as `expect_names_kept` does, before a file is put in force."""
    with store.database.read() as transaction:
        expect_names_kept(loaded, placed_ledgers(transaction), placings(loaded))


def _own_name(loaded: Loaded, output: str) -> str:
    parts = (part for place in loaded.outputs[output].places or () for part in place)
    return next((part.option for part in parts if isinstance(part, OwnName)), "")


@dataclass(slots=True, eq=False)
class PlaceKeeper:
    """Settles the places once, when the first cycle of a configuration begins."""

    settler: Settler
    left: list[PlacedLedger] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)
    _settled: bool = False

    def settle(self, *, tells: bool = True) -> None:
        """Settle the places, unless that was done."""
        with self._lock:
            if not self._settled:
                self.left = self.settler.settle(tells=tells)
                self._settled = True
