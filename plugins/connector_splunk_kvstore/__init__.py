"""A Splunk KV store collection, for lookups, alerts and Enterprise Security."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from connector.adapter import (
    ALL_WRITTEN,
    Batch,
    Entry,
    EntryAdapter,
    Field,
    Held,
    Observable,
    ObservableType,
    Outcomes,
    OutputContext,
    OwnName,
    Refused,
)
from connector_splunk_kvstore.collection import OwnDocuments
from connector_splunk_kvstore.documents import (
    DEFAULT_MAPPING,
    MAPPED_FIELDS,
    document_of,
    held_in,
    key_of,
)
from connector_splunk_kvstore.server import SplunkServer
from connector_splunk_kvstore.splunk import Splunk

__all__ = ["SplunkKvstoreAdapter", "SplunkSettings"]


class SplunkSettings(SplunkServer):
    """Where the collection is; `auth` has a token, or a user name and password."""

    app: str = Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$",
        description="Folder name of the app that the collection belongs to.",
    )
    collection: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,79}$",
        description="Collection in that app; it is created with its schema when it does not exist.",
    )

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The documents with one tag; without the option it is the output's name."""
        tag = self.owner_tag or OwnName("owner_tag")
        return frozenset({("kvstore", self.server, self.app, self.collection, tag)})


class SplunkKvstoreAdapter(EntryAdapter[SplunkSettings]):
    """Keeps a list as documents of a KV store collection, beside those of others."""

    settings_type = SplunkSettings
    supports = frozenset(ObservableType)
    fields = MAPPED_FIELDS
    default_mapping: ClassVar[Mapping[str, Mapping[str, Any]]] = DEFAULT_MAPPING
    batch = Batch(entries=1000)

    def __init__(self, settings: SplunkSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._tag = settings.owner_tag or self.context.output
        splunk = Splunk(self.http, settings.url, settings.app, settings.auth)
        self._documents = OwnDocuments(splunk, settings.app, settings.collection, self._tag)

    def read(self) -> Iterable[Held]:
        """Yield the entries of our unaltered documents; documents of others are not read."""
        for page in self._documents.pages():
            for document in page:
                if (held := held_in(document, self._tag)) is not None:
                    yield held

    def holds(self, observables: Collection[Observable]) -> list[Held]:
        """Return those observables that `read` would show, asking for their keys only."""
        keys = [key_of(observable, self._tag) for observable in observables]
        shown = (held_in(document, self._tag) for document in self._documents.under(keys))
        return [held for held in shown if held is not None]

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        """Insert or replace one document per entry, with a key made from owner and value."""
        documents = [document_of(entry, self._tag) for entry in entries]
        refused = self._documents.save(documents) if documents else {}
        return {
            entry.observable: Refused(refused[document["_key"]])
            for entry, document in zip(entries, documents, strict=True)
            if document["_key"] in refused
        }

    def remove(self, held: Sequence[Held]) -> Outcomes:
        """Delete the documents of these entries that have our tag."""
        self._documents.remove([key_of(each.observable, self._tag) for each in held])
        return ALL_WRITTEN
