"""A firewall in a dictionary, and the adapter that keeps a list in it: an example and a fake.

A `Rack` holds firewalls by name and gives an adapter class for a `Registry`; its firewalls may
keep their entries in files, so that they survive the process that wrote them, as devices do.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event, Lock
from typing import ClassVar, Final

from connector.adapter import (
    ALL_WRITTEN,
    Batch,
    BatchTooLargeError,
    Entry,
    EntryAdapter,
    Field,
    FieldSpec,
    FieldValue,
    Full,
    Held,
    Observable,
    ObservableType,
    Outcome,
    Outcomes,
    OutputContext,
    Refused,
    RefusedError,
    Settings,
    Subject,
    Text,
    UnavailableError,
)

__all__ = ["FakeFirewall", "FirewallAdapter", "FirewallSettings", "Rack"]

_FULL: Final = "table full"


class FakeFirewall:
    """Entries by observable, with the faults that real devices have.

    `fault` is raised by every request while it is set. `capacity` bounds the table: what does not
    fit is rejected, or has no room where it `says_full`. `refuses` maps values to the words they
    are rejected with, `contrary` those in the table that are its opposite to words on that.
    `largest_batch` bounds a request. A request waits for `gate` where there is one; `waiting` is
    set meanwhile. `stamp` is what it says of itself, where it can. `hook` is called with
    `adding`, `half added`, `added`, `removing` and `removed`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.fault: UnavailableError | RefusedError | None = None
        self.capacity: int | None = None
        self.says_full = False
        self.refuses: dict[str, str] = {}
        self.contrary: dict[str, str] = {}
        self.largest_batch: int | None = None
        self.gate: Event | None = None
        self.waiting = Event()
        self.hook: Callable[[str], None] = lambda _point: None
        self.by_hand: set[Observable] = set()
        self.writes = 0
        self.reads = 0
        self.stamp: str | None = None
        self._path = path
        self._lock = Lock()
        self._table: dict[Observable, dict[str, FieldValue]] = {}
        if path is not None and path.exists():
            for kind, value, fields in json.loads(path.read_text(encoding="utf-8")):
                self._table[Observable(ObservableType(kind), value)] = fields

    def entries(self) -> dict[Observable, dict[str, FieldValue]]:
        """Return what the device holds, without asking it over the network."""
        with self._lock:
            return {observable: dict(fields) for observable, fields in self._table.items()}

    def values(self) -> list[str]:
        """Return the values that the device holds, sorted."""
        return sorted(observable.value for observable in self.entries())

    def put_by_hand(self, observable: Observable, fields: Mapping[str, FieldValue]) -> None:
        """Add an entry as an administrator does at the device itself."""
        with self._lock:
            self._table[observable] = dict(fields)
            self.by_hand.add(observable)
            self._save()

    def take_by_hand(self, observable: Observable) -> None:
        """Remove an entry as an administrator does at the device itself."""
        with self._lock:
            del self._table[observable]
            self.by_hand.discard(observable)
            self._save()

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        """Take a batch, as far as the device takes it."""
        self._answer(len(entries))
        self.hook("adding")
        refused: dict[Subject, Outcome] = {}
        for number, entry in enumerate(entries, 1):
            with self._lock:
                if words := self._objection(entry.observable):
                    full = words == _FULL and self.says_full
                    refused[entry.observable] = Full() if full else Refused(words)
                else:
                    self._table[entry.observable] = dict(entry.fields)
                    self.writes += 1
                    self._save()
            if number == (len(entries) + 1) // 2:
                self.hook("half added")
        self.hook("added")
        return refused

    def remove(self, entries: Sequence[Held]) -> None:
        """Drop a batch; what is gone already is no error."""
        self._answer(len(entries))
        self.hook("removing")
        with self._lock:
            for entry in entries:
                self.writes += self._table.pop(entry.observable, None) is not None
            self._save()
        self.hook("removed")

    def read(self) -> Iterator[Held]:
        """Yield the whole table."""
        self._answer(0)
        self.reads += 1
        for observable, fields in self.entries().items():
            yield Held(observable, fields, contrary=self.contrary.get(observable.value, ""))

    def holds(self, observables: Collection[Observable]) -> list[Held]:
        """Return those of these that are in the table."""
        self._answer(0)
        with self._lock:
            there = [observable for observable in observables if observable in self._table]
            return [Held(one, contrary=self.contrary.get(one.value, "")) for one in there]

    def _answer(self, size: int) -> None:
        if self.gate is not None:
            self.waiting.set()
            self.gate.wait()
        if self.fault is not None:
            raise self.fault
        if self.largest_batch is not None and size > self.largest_batch:
            raise BatchTooLargeError(self.largest_batch)

    def _objection(self, observable: Observable) -> str:
        if words := self.refuses.get(observable.value):
            return words
        full = self.capacity is not None and len(self._table) >= self.capacity
        return _FULL if full and observable not in self._table else ""

    def _save(self) -> None:
        """Write the table in one step: a device that loses power has the old one or the new."""
        if self._path is None:
            return
        rows = [[key.type.value, key.value, fields] for key, fields in self._table.items()]
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(rows), encoding="utf-8")
        os.replace(draft, self._path)


class FirewallSettings(Settings):
    """Options of a firewall in a rack."""

    device: str = Field(description="Name of the firewall.")
    batch_size: int = Field(500, ge=1, description="Entries in one request.")
    types: frozenset[ObservableType] | None = Field(
        None, description="Kinds of observable that it takes; all it can when left out."
    )
    max_table: int | None = Field(None, ge=1, description="Entries that the device has room for.")

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The device, whatever it is asked to take."""
        return frozenset({("firewall", self.device)})


class FirewallAdapter(EntryAdapter[FirewallSettings]):
    """Keeps a list in a `FakeFirewall`; `Rack.adapter` is this class with the rack it stands in."""

    settings_type = FirewallSettings
    supports = frozenset(
        {
            ObservableType.IPV4_ADDR,
            ObservableType.IPV6_ADDR,
            ObservableType.DOMAIN_NAME,
            ObservableType.URL,
        }
    )
    fields: ClassVar[Mapping[str, FieldSpec]] = {"comment": Text()}
    rack: ClassVar["Rack"]

    def __init__(self, settings: FirewallSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self.device = self.rack[settings.device]
        # Set for each instance, as a device's own limits would be.
        self.batch = Batch(entries=settings.batch_size)  # type: ignore[misc]  # a class variable by contract
        self.capacity = settings.max_table  # type: ignore[misc]  # a class variable by contract

    def accepts(self, observable: Observable) -> bool:
        """Return whether this firewall takes the observable's type."""
        return observable.type in (self.settings.types or self.supports)

    def stamp(self) -> str | None:
        """Return what the firewall says of itself."""
        return self.device.stamp

    def read(self) -> Iterator[Held]:
        """Yield what the firewall holds."""
        return self.device.read()

    def holds(self, observables: Collection[Observable]) -> list[Held]:
        """Return what the firewall holds of these."""
        return self.device.holds(observables)

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        """Add or update entries."""
        return self.device.add(entries)

    def remove(self, held: Sequence[Held]) -> Outcomes:
        """Remove entries."""
        self.device.remove(held)
        return ALL_WRITTEN


class Rack:
    """Firewalls by name, made when first named; with a folder, each keeps its table in a file."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._firewalls: dict[str, FakeFirewall] = {}

    def __getitem__(self, name: str) -> FakeFirewall:
        """Return the firewall of that name."""
        if name not in self._firewalls:
            path = None if self._folder is None else self._folder / f"{name}.json"
            self._firewalls[name] = FakeFirewall(path)
        return self._firewalls[name]

    @property
    def adapter(self) -> type[FirewallAdapter]:
        """The adapter class for the firewalls of this rack."""
        return type("RackAdapter", (FirewallAdapter,), {"rack": self, "__doc__": "A firewall."})
