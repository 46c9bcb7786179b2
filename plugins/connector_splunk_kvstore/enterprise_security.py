"""Threat collections of Splunk Enterprise Security, which its correlation searches match."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final, TypeVar

from connector.adapter import (
    ALL_WRITTEN,
    Batch,
    Entry,
    EntryAdapter,
    Field,
    Held,
    Observable,
    ObservableType,
    Outcome,
    Outcomes,
    OutputContext,
    OwnName,
    Refused,
    Subject,
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

__all__ = ["EsSettings", "SplunkEsAdapter"]

T = ObservableType
Named = TypeVar("Named", Entry, Held, Observable)

# There is no collection for domains alone, and none has a field for the other types.
COLLECTIONS: Final[Mapping[ObservableType, str]] = {
    T.IPV4_ADDR: "ip_intel",
    T.IPV6_ADDR: "ip_intel",
    T.DOMAIN_NAME: "ip_intel",
    T.URL: "http_intel",
    T.USER_AGENT: "http_intel",
    T.EMAIL_ADDR: "email_intel",
    T.EMAIL_SUBJECT: "email_intel",
    T.FILE_MD5: "file_intel",
    T.FILE_SHA1: "file_intel",
    T.FILE_SHA256: "file_intel",
    T.FILE_SHA512: "file_intel",
    T.FILE_NAME: "file_intel",
    T.REGISTRY_KEY: "registry_intel",
    T.PROCESS_COMMAND: "process_intel",
}
_KEPT_FOR: Final = timedelta(days=30)  # the shortest default age: its own retention takes older


class EsSettings(SplunkServer):
    """The search head with Enterprise Security; `auth` has a token, or a user and password."""

    app: str = Field(
        "DA-ESS-ThreatIntelligence",
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$",
        description="App that the threat collections belong to; on some installations "
        "`SA-ThreatIntelligence`.",
    )

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The rows with one tag; without the option it is the output's name."""
        tag = self.owner_tag or OwnName("owner_tag")
        return frozenset({("threat collections", self.server, self.app, tag)})


class SplunkEsAdapter(EntryAdapter[EsSettings]):
    """Keeps a list as rows of the threat collections, beside those of others.

    Enterprise Security drops rows by their age: to us that is the end of an entry, and the core
    renews it before.
    """

    settings_type = EsSettings
    supports = frozenset(COLLECTIONS)
    fields = MAPPED_FIELDS
    default_mapping: ClassVar[Mapping[str, Mapping[str, Any]]] = DEFAULT_MAPPING
    batch = Batch(entries=1000)
    expires = True
    ttl_bound = _KEPT_FOR

    def __init__(self, settings: EsSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._tag = settings.owner_tag or context.output
        splunk = Splunk(self.http, settings.url, settings.app, settings.auth)
        self._rows = {
            name: OwnDocuments(splunk, settings.app, name, self._tag, vendors=True)
            for name in sorted(set(COLLECTIONS.values()))
        }

    def accepts(self, observable: Observable) -> bool:
        """Return whether a row can say it: a domain is that name alone."""
        return observable.type in COLLECTIONS and not observable.below

    def read(self) -> Iterable[Held]:
        """Yield the entries of our unaltered rows; those of others are not read."""
        for rows in self._rows.values():
            for page in rows.pages():
                yield from self._held(page)

    def holds(self, observables: Collection[Observable]) -> Iterator[Held]:
        """Yield those observables that `read` would show, asking for their keys only."""
        for rows, asked in self._by_collection(list(observables)):
            yield from self._held(rows.under([key_of(one, self._tag) for one in asked]))

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        """Insert or replace one row per entry."""
        refused: dict[Subject, Outcome] = {}
        for rows, part in self._by_collection(entries):
            documents = [document_of(one, self._tag) | _time_of(one) for one in part]
            words = rows.save(documents)
            for entry, document in zip(part, documents, strict=True):
                if document["_key"] in words:
                    refused[entry.observable] = Refused(words[document["_key"]])
        return refused

    def remove(self, held: Sequence[Held]) -> Outcomes:
        """Delete the rows of these entries that have our tag."""
        for rows, part in self._by_collection(held):
            rows.remove([key_of(one.observable, self._tag) for one in part])
        return ALL_WRITTEN

    def _held(self, documents: Iterable[Mapping[str, Any]]) -> Iterator[Held]:
        shown = (held_in(document, self._tag) for document in documents)
        return (held for held in shown if held is not None)

    def _by_collection(self, named: Sequence[Named]) -> Iterator[tuple[OwnDocuments, list[Named]]]:
        """Yield each collection with what belongs into it."""
        parts: dict[str, list[Named]] = {}
        for one in named:
            parts.setdefault(COLLECTIONS[one.type], []).append(one)
        for name, part in sorted(parts.items()):
            yield self._rows[name], part


def _time_of(entry: Entry) -> dict[str, int]:
    """Return the time of a row: so long before its end as Enterprise Security keeps it."""
    if entry.expires is None:
        return {}
    return {"time": int((entry.expires - _KEPT_FOR).timestamp())}
