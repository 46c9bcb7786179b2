"""Cleans places that outputs have left: by itself where they moved, else by a person's word."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from connector.adapter import Adapter
from connector.config.deadlines import DeadlinesConfig
from connector.config.loading import Loaded
from connector.errors import ConnectorError, StoreError, UnavailableError
from connector.instants import SECOND, Clock
from connector.log import log
from connector.registry import Registry, release
from connector.service.isolation import isolate_bugs
from connector.service.places import PlaceKeeper, accepts
from connector.service.placing import UnreachablePlaceError, remake
from connector.settings import Settings
from connector.store.outputs.places import (
    Place,
    PlacedLedger,
    Standing,
    left_behind,
    placed_ledgers,
    texts_of,
)
from connector.store.outputs.texts import KeptTexts
from connector.store.store import Store
from connector.sync.apply import Applier
from connector.sync.calls import Calls, OutputCalls
from connector.sync.device import Device, alone_at
from connector.sync.output import Output
from connector.sync.targets.kinds import target_of
from connector.sync.targets.target import Target
from connector.sync.withdrawal import remove_all

_AGAIN: Final = 15 * 60 * SECOND


@dataclass(frozen=True, slots=True)
class Cleaner:
    """Removes what is ours from places where no output keeps it any more."""

    loaded: Loaded
    registry: Registry
    store: Store
    now: Clock
    applier: Applier
    calls: Calls = field(default_factory=Calls)

    def clean(self, ledger: PlacedLedger, lender: Settings | None, now_at: Output | None) -> int:
        """Remove the entries of a ledger from its place; return how many were removed.

        `lender` has the credentials, `now_at` is where the output is now. What was removed leaves
        the ledger as soon as that is known, and the ledger is forgotten with the last. Raises
        UnreachablePlaceError, or the adapter's error, where that cannot be done.
        """
        adapter, whole = self.reach(ledger, lender)
        try:
            target = target_of(ledger.name, adapter)
            target.calls = self._calls(ledger.name) if now_at is None else now_at.target.calls
            self._expect_another_place(ledger, target, now_at)
            only = None if whole else accepts(adapter)
            with alone_at(_shared(adapter, now_at), self.applier.stopped, target.calls):
                removed = remove_all(ledger.name, ledger.number, target, self.applier, only)
        finally:
            release(adapter)
        self._expect_empty(ledger)
        return removed

    def _calls(self, name: str) -> OutputCalls:
        """Return the calls of an output that may no longer be in the file."""
        output = self.loaded.config.outputs.get(name)
        deadlines = DeadlinesConfig() if output is None else output.deadlines
        return self.calls.of(name, deadlines.seconds)

    def reach(self, ledger: PlacedLedger, lender: Settings | None) -> tuple[Adapter[Any], bool]:
        """Return an adapter for a place that was left, and whether for all of it.

        Raises UnreachablePlaceError where there cannot be one.
        """
        rest = self._not_kept_by_others(ledger)
        whole = ledger.placing is None or rest == ledger.placing.places
        places = rest or None  # its options may name more: places that the output still keeps
        kept = ledger.standing is Standing.KEPT
        owner = ledger.name if kept else texts_of(ledger.number)
        texts = KeptTexts(self.store.database, owner)
        adapter = remake(ledger, self.loaded, self.registry, lender, places=places, texts=texts)
        return adapter, whole

    def _not_kept_by_others(self, ledger: PlacedLedger) -> frozenset[Place]:
        """Return the places of a ledger that no output keeps; raise where one keeps them all."""
        if ledger.placing is None or not ledger.placing.places:
            return frozenset()
        rest = ledger.placing.places
        with self.store.database.read() as transaction:
            ledgers = placed_ledgers(transaction)
        for other in ledgers:
            if other.standing is Standing.KEPT and other.number != ledger.number and other.placing:
                rest -= other.placing.places
                if not rest:
                    words = (
                        f"its place is kept by {other.name} now, through {other.placing.adapter}"
                    )
                    raise UnreachablePlaceError(words)
        return rest

    def _expect_another_place(
        self, ledger: PlacedLedger, left: Target[Any], now_at: Output | None
    ) -> None:
        """Raise UnreachablePlaceError where the old place seems to be one that an output keeps."""
        with left.calls("stamp"):
            names = frozenset(left.adapter.known_as())
            stamp = left.adapter.stamp() if left.ours_alone else None
        for other in self._keepers_beside(ledger):
            asked = self._asked(other, now_at) if names or stamp else nullcontext()
            with asked as adapter, left.calls("stamp"):
                same = self._are_one(ledger, other, (names, stamp), adapter)
            if same:
                raise UnreachablePlaceError(
                    f"it seems to be the place of output {other.name} by another name: that would "
                    "lose what it keeps there"
                )

    def _keepers_beside(self, ledger: PlacedLedger) -> list[PlacedLedger]:
        """Return what outputs in force keep by the same adapter."""
        with self.store.database.read() as transaction:
            ledgers = placed_ledgers(transaction)
        return [
            one
            for one in ledgers
            if one.standing is Standing.KEPT and one.number != ledger.number
            if one.placing and ledger.placing and one.placing.adapter == ledger.placing.adapter
        ]

    @contextmanager
    def _asked(self, other: PlacedLedger, now_at: Output | None) -> Iterator[Adapter[Any]]:
        """Yield an adapter that tells how another output's target is known."""
        if now_at is not None and other.name == now_at.name:
            yield now_at.adapter
            return
        texts = KeptTexts(self.store.database, other.name)
        try:
            lender = self.lender(other)
            adapter = remake(other, self.loaded, self.registry, lender, texts=texts)
            try:
                yield adapter
            finally:
                release(adapter)
        except ConnectorError as error:
            words = f"output {other.name} does not say whether it keeps this place, too: {error}"
            raise UnreachablePlaceError(words) from error

    def _are_one(
        self, ledger: PlacedLedger, other: PlacedLedger,
        left: tuple[frozenset[str], str | None], adapter: Adapter[Any] | None,
    ) -> bool:  # fmt: skip
        """Return whether a place that was left is that of an output, as far as it shows.

        By what their targets are known as, and where nothing is said by what was found there.
        """
        names, stamp = left
        known = frozenset(adapter.known_as()) if adapter else frozenset()
        if names and known:
            return not names.isdisjoint(known)
        if adapter is not None and stamp is not None:
            return adapter.stamp() == stamp
        with self.store.database.read() as transaction:
            found, added = self.store.places.found_there(transaction, other.number, ledger.number)
        return found > added

    def _expect_empty(self, ledger: PlacedLedger) -> None:
        """Forget a ledger of which nothing is left; raise UnavailableError where something is."""
        with self.store.database.write(durable=True) as transaction:
            owned = self.store.ledger.owned(transaction, ledger.number)
            if not owned:
                self.store.places.forget(transaction, ledger.number)
        if owned:
            raise UnavailableError(f"{owned:,} entries could not be removed")

    def left(self, name: str | None = None) -> list[PlacedLedger]:
        """Return what outputs left behind, or one of them."""
        with self.store.database.read() as transaction:
            found = left_behind(transaction, tuple(self.loaded.config.outputs))
        return [ledger for ledger in found if name is None or ledger.name == name]

    def lender(self, ledger: PlacedLedger) -> Settings | None:
        """Return the options in the file that may have the credentials for a place."""
        output = self.loaded.config.outputs.get(ledger.name)
        if output is None or ledger.placing is None or output.adapter != ledger.placing.adapter:
            return None
        return self.loaded.outputs[ledger.name]


def _shared(adapter: Adapter[Any], now_at: Output | None) -> Device | None:
    """Return the device that an old place shares with the new one, and let them share a session."""
    if now_at is None or now_at.device is None or adapter.shares() != now_at.adapter.shares():
        return None
    adapter.context.session = now_at.device.session
    return now_at.device


@dataclass(slots=True, eq=False)
class AutomaticCleaning:
    """Cleans the places that outputs moved from, each once its output is in step at the new one."""

    cleaner: Cleaner
    keeper: PlaceKeeper
    outputs: Mapping[str, Output]
    _rests_until: dict[int, int] = field(default_factory=dict)
    _said: dict[int, str] = field(default_factory=dict)

    def clean(self, name: str) -> None:
        """Clean what an output left, as far as that can be done from here; else say why.

        What fails is tried again after a quarter of an hour.
        """
        for ledger in [one for one in self.keeper.left if one.name == name]:
            moved = ledger.standing is Standing.MOVED
            if moved and self.cleaner.now() >= self._rests_until.get(ledger.number, 0):
                self._clean(ledger)

    def _clean(self, ledger: PlacedLedger) -> None:
        place = ledger.words
        try:
            with isolate_bugs(output=ledger.name):
                removed = self._remove(ledger)
        except StoreError:
            raise
        except ConnectorError as error:
            self._rests_until[ledger.number] = self.cleaner.now() + _AGAIN
            self._note(ledger, str(error))
            return
        log.info("output.cleaned", output=ledger.name, place=place, removed=removed)
        self.keeper.left = [one for one in self.keeper.left if one.number != ledger.number]

    def why_not(self, ledger: PlacedLedger) -> str | None:
        """Return why a place that an output moved from cannot be cleaned, as far as that shows."""
        try:
            adapter, _whole = self.cleaner.reach(ledger, self._lender(ledger))
        except UnreachablePlaceError as error:
            return str(error)
        release(adapter)
        return None

    def _lender(self, ledger: PlacedLedger) -> Settings:
        lender = self.cleaner.lender(ledger)
        if lender is None:
            adapter = ledger.placing.adapter if ledger.placing else "another adapter"
            raise UnreachablePlaceError(f"it was kept through {adapter}, and the output is not now")
        return lender

    def _remove(self, ledger: PlacedLedger) -> int:
        return self.cleaner.clean(ledger, self._lender(ledger), self.outputs[ledger.name])

    def _note(self, ledger: PlacedLedger, words: str) -> None:
        if self._said.get(ledger.number) == words:
            return
        self._said[ledger.number] = words
        self.cleaner.store.places.note_error(ledger.number, words)
        log.warning(
            "output.not_cleaned", output=ledger.name, place=ledger.words,
            why=words, what="entries stay there until connector withdraw or outputs forget",
        )  # fmt: skip
