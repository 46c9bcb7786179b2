"""Onward to a TAXII 2.1 collection: indicators as their feeds sent them, for others to read."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final

from connector.adapter import (
    Batch,
    Duration,
    Entry,
    EntryAdapter,
    Field,
    Held,
    HttpSettings,
    Later,
    Left,
    Observable,
    ObservableType,
    Outcome,
    Outcomes,
    ServerUrl,
    Subject,
    Written,
)

if TYPE_CHECKING:
    from connector_taxii.collection import TaxiiCollection

__all__ = ["TaxiiAdapter", "TaxiiSettings"]

_NO_LONGER: Final = Later("what was received of it is no longer kept")
_LEFT: Final = (
    "left there: a TAXII collection has no way to take back what others said; `delete: true` "
    "deletes it from the collection"
)
_BY_OTHERS: Final = "left there: nobody knows which object of the collection it came with"


class TaxiiSettings(HttpSettings):
    """Options of a collection."""

    url: ServerUrl = Field(
        description="Address of the API root that has the collection; plain http is accepted for "
        "this machine only."
    )
    collection: str = Field(
        min_length=1, description="The collection's id, title or alias; a place of its own."
    )
    delete: bool = Field(
        False,
        description="Delete from the collection what is withdrawn. Others read a collection by "
        "what was added, so what they have they keep. Without it withdrawn indicators stay there, "
        "also those that their producer revoked.",
    )
    patience: Duration = Field(
        timedelta(seconds=60),
        description="How long to wait for the server to process what it accepted.",
    )

    @property
    def wants_originals(self) -> bool:
        """A collection gets the indicators themselves."""
        return True

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The collection."""
        return frozenset({("TAXII collection", self.url.rstrip("/"), self.collection)})


class TaxiiAdapter(EntryAdapter[TaxiiSettings]):
    """Keeps a list as indicators of a TAXII 2.1 collection, byte for byte as received."""

    settings_type = TaxiiSettings
    supports = frozenset(ObservableType)
    batch: ClassVar[Batch] = Batch(entries=200)

    @cached_property
    def _collection(self) -> "TaxiiCollection":
        from connector_taxii.collection import TaxiiCollection  # noqa: PLC0415 - only to talk

        return TaxiiCollection(self.settings, self.context)

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry as the manifest shows it: the version of its indicator."""
        if entry.original is None:
            return entry
        return Entry(entry.observable, {"version": _version(entry.original.modified)})

    def read(self) -> Iterator[Held]:
        """Yield what each indicator of the collection names, by the manifest."""
        for one in self._collection.indicators():
            for observable in frozenset(one.names):
                yield Held(observable, {"version": _version(one.modified)}, handle=one.id)

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        """Add the indicators; what stands beside them goes first, and without it they stay here."""
        said: dict[Subject, Outcome] = {
            entry.observable: _NO_LONGER for entry in entries if entry.original is None
        }
        carried = [(entry, entry.original) for entry in entries if entry.original is not None]
        refused = self._collection.add(
            beside for _entry, original in carried for beside in original.beside
        )
        going = []
        for entry, original in carried:
            words = [refused[one.id] for one in original.beside if one.id in refused]
            if words:
                said[entry.observable] = words[0]
            else:
                going.append((entry, original))
        refused = self._collection.add(original for _entry, original in going)
        for entry, original in going:
            said[entry.observable] = refused.get(original.id, Written(original.id))
        return said

    def remove(self, held: Sequence[Held]) -> Outcomes:
        """Delete the indicators, if we are to; else say that they are left there."""
        if not self.settings.delete:
            return {one.observable: Left(_LEFT) for one in held}
        said: dict[Subject, Outcome] = {}
        named: set[Observable] = set()
        if not all(one.handle for one in held):
            named = {one for each in self._collection.indicators() for one in each.names}
        for one in held:
            if not one.handle:
                if one.observable in named:
                    said[one.observable] = Left(_BY_OTHERS)
            elif words := self._collection.delete(one.handle):
                said[one.observable] = Left(words)
        return said


def _version(modified: datetime | None) -> str:
    return "" if modified is None else modified.isoformat()
