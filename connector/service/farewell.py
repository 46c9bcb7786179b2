"""A person's word on what an output left behind: remove it, or forget it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import Final

from connector.config.loading import Loaded
from connector.errors import ConnectorError, StoppedError
from connector.instants import Clock, system_clock
from connector.log import log
from connector.registry import Registry
from connector.service.cleaning import Cleaner
from connector.service.deadline import in_time
from connector.service.state import AlreadyRunningError, look_at_store, open_store
from connector.store.outputs.places import PlacedLedger, Standing, placed_ledgers
from connector.store.store import Store
from connector.sync.apply import Applier
from connector.sync.targets.parts import in_parts
from connector.sync.withdrawal import entries_of_ours

_AUDITED_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Farewell:
    """What became of a person's word: how many entries, how many are left, in words."""

    count: int
    left: int
    words: str

    @property
    def done(self) -> bool:
        """Whether nothing of it is left."""
        return self.count > 0 and not self.left


@dataclass(frozen=True, slots=True)
class LeftPlaces:
    """What outputs left behind; `alone` says that no service runs beside this command."""

    loaded: Loaded
    cleaner: Cleaner
    store: Store
    now: Clock
    alone: bool

    def of(self, name: str) -> list[PlacedLedger]:
        """Return what an output left behind, as far as no running service may still keep it."""
        return [
            ledger
            for ledger in self.cleaner.left(name)
            if self.alone or ledger.standing is not Standing.KEPT
        ]

    def withdraw(self, name: str, by: str, why: str) -> Farewell:
        """Remove what is ours at every place that an output left; no limit applies."""
        ledgers = self.of(name)
        if not ledgers:
            return Farewell(0, 0, self._nothing(name))
        removed, failures = 0, []
        for ledger in ledgers:
            self._audit(ledger, "withdraw", by, why)
            try:
                removed += self._withdraw(ledger)
            except ConnectorError as error:
                self.store.places.note_error(ledger.number, str(error))
                failures.append(f"{', '.join(ledger.words)}: {error}")
        left = sum(ledger.entries for ledger in self.of(name))
        log.info("output.withdrawn", output=name, by=by, removed=removed, left=left)
        done = f"{name}: {removed:,} entries removed"
        return Farewell(removed, left, "; ".join([done, *failures]))

    def _withdraw(self, ledger: PlacedLedger) -> int:
        interrupted = Event()

        def stopped() -> bool:
            return interrupted.is_set() or not self._stands(ledger)

        applier = replace(self.cleaner.applier, stopped=stopped)
        cleaner, lender = replace(self.cleaner, applier=applier), self.cleaner.lender(ledger)
        try:
            clean = partial(cleaner.clean, ledger, lender, None)
            return in_time(cleaner.calls, interrupted.set, clean)
        except StoppedError:
            self.store.outputs.require_verification()
            raise CameBackError("an output came back to this place meanwhile") from None

    def _stands(self, ledger: PlacedLedger) -> bool:
        """Return whether a ledger is still left behind: a service may give it to an output."""
        with self.store.database.read() as transaction:
            return any(
                (one.number, one.standing) == (ledger.number, ledger.standing)
                for one in placed_ledgers(transaction)
            )

    def forget(self, name: str, by: str, why: str) -> Farewell:
        """Give up the memory of what an output left; what is at the target stays there for ever."""
        ledgers = self.of(name)
        if not ledgers:
            return Farewell(0, 0, self._nothing(name))
        for ledger in ledgers:
            self._audit(ledger, "forget", by, why, lists=True)
            with self.store.database.write(durable=True) as transaction:
                self.store.places.forget(transaction, ledger.number)
        count = sum(ledger.entries for ledger in ledgers)
        where = ", ".join(word for ledger in ledgers for word in ledger.words)
        log.info("output.forgotten", output=name, by=by, entries=count)
        words = f"{name}: {count:,} entries at {where} are no longer remembered as ours"
        return Farewell(count, 0, words)

    def _audit(
        self, ledger: PlacedLedger, action: str, by: str, why: str, *, lists: bool = False
    ) -> None:
        """Record who does what, why, and with how many entries at which place."""
        said = f"{by}: {why}: " if why else f"{by}: "
        said += f"{ledger.entries} entries at {', '.join(ledger.words)}"
        for lines in self._lines(ledger) if lists else [[]]:
            self.store.audit.record(ledger.name, action, "", said, lines, self.now())

    def _lines(self, ledger: PlacedLedger) -> Iterator[list[list[str]]]:
        with self.store.database.read() as transaction:
            ours = entries_of_ours(self.store, transaction, ledger.number)
        for part in in_parts((one.observable for one in ours), _AUDITED_AT_ONCE):
            with self.store.database.read() as transaction:
                found = self.store.wanted.observables_of(transaction, part)
                yield [[one.type.value, one.shown, "", ""] for _number, one in found]

    def _nothing(self, name: str) -> str:
        if self.cleaner.left(name):
            return (
                f"{name}: the running service still keeps this output: it has not taken up the "
                "file without it (systemctl reload connector)"
            )
        if name in self.loaded.config.outputs:
            return (
                f"{name} is in the file and has left nothing behind; take it out of the file and "
                "reload first"
            )
        return f"{name} has left nothing behind; `connector outputs` shows what was left"


class CameBackError(ConnectorError):
    """A place is kept again by an output, so nothing more is removed there."""


@contextmanager
def open_left_places(loaded: Loaded, registry: Registry) -> Iterator[LeftPlaces]:
    """Yield what is left behind by a configured state's outputs, whether or not a service runs."""
    alone = True
    try:
        store = open_store(loaded)
    except AlreadyRunningError:
        (store, _there), alone = look_at_store(loaded), False
    try:
        applier = Applier(store, system_clock)
        cleaner = Cleaner(loaded, registry, store, system_clock, applier)
        yield LeftPlaces(loaded, cleaner, store, system_clock, alone)
    finally:
        store.close()
