"""A Splunk KV store collection, for lookups, alerts and Enterprise Security."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from connector.adapter import (
    Entry,
    EntryAdapter,
    EntryRejectedError,
    Field,
    Http,
    HttpSettings,
    Observable,
    ObservableType,
    Place,
)
from connector_splunk_kvstore.collection import OwnDocuments
from connector_splunk_kvstore.documents import (
    DEFAULT_MAPPING,
    MAPPED_FIELDS,
    document_of,
    entry_of,
    key_of,
)
from connector_splunk_kvstore.splunk import Splunk

__all__ = ["SplunkKvstoreAdapter", "SplunkSettings"]


class SplunkSettings(HttpSettings):
    """Where the collection is; `auth` holds a token, or a user name and password."""

    url: str = Field(
        description="Management port of the search head, as https://splunk.example:8089; plain "
        "http is taken for this machine only."
    )
    app: str = Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$",
        description="Name of the app's folder that the collection belongs to.",
    )
    collection: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,79}$",
        description="Collection in that app; it is made, with its schema, when it is not there.",
    )
    owner_tag: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}$",
        description="Marks our documents, in the field `source`; the output's name when left out. "
        "Set it before an output is renamed, or its documents are no longer ours. Two "
        "installations that share a collection need different ones.",
    )

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The documents under one tag; without one each output has its own name for it."""
        if self.owner_tag is None:
            return frozenset()
        return frozenset({("kvstore", self.url, self.app, self.collection, self.owner_tag)})

    @field_validator("url")
    @classmethod
    def _management_port(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError as error:
            raise ValueError(f"should be as https://splunk.example:8089 ({error})") from error
        if parts.scheme not in ("https", "http") or not host or "@" in parts.netloc:
            raise ValueError("should be as https://splunk.example:8089")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("should end after the port; app and collection are options")
        if parts.scheme == "http" and not _is_loopback(host):
            raise ValueError("should be https: credentials would cross the network in the clear")
        return url

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if (self.auth.token is None) == (self.auth.username is None):
            raise ValueError("auth should hold either token, or username and password")
        return self


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class SplunkKvstoreAdapter(EntryAdapter[SplunkSettings]):
    """Keeps a list as documents of a KV store collection, beside those of others."""

    settings_type = SplunkSettings
    supports = frozenset(ObservableType)
    fields = MAPPED_FIELDS
    default_mapping: ClassVar[Mapping[str, Mapping[str, Any]]] = DEFAULT_MAPPING
    batch_size = 1000

    def __init__(
        self, settings: SplunkSettings, http: Http | None = None, place: Place | None = None
    ) -> None:
        super().__init__(settings, http, place)
        self._tag = settings.owner_tag or self.place.output
        splunk = Splunk(self.http, settings.url, settings.app, settings.auth)
        self._documents = OwnDocuments(splunk, settings.app, settings.collection, self._tag)

    def read(self) -> Iterable[Entry]:
        """Yield what we wrote and is still as we write it; others' documents are not looked at."""
        for page in self._documents.pages():
            for document in page:
                if (entry := entry_of(document, self._tag)) is not None:
                    yield entry

    def holds(self, observables: Collection[Observable]) -> set[Observable]:
        """Return those of these that `read` would show, by their keys alone."""
        keys = [key_of(observable, self._tag) for observable in observables]
        shown = (entry_of(document, self._tag) for document in self._documents.under(keys))
        return {entry.observable for entry in shown if entry is not None}

    def add(self, entries: Sequence[Entry]) -> None:
        """Insert or replace one document per entry, under a key made from owner and value."""
        documents = [document_of(entry, self._tag) for entry in entries]
        if not documents:
            return
        if refused := self._documents.save(documents):
            values = {each["_key"]: each["value"] for each in documents}
            raise EntryRejectedError({values[key]: why for key, why in refused.items()})

    def remove(self, entries: Sequence[Entry]) -> None:
        """Delete the documents of these entries, as far as they bear our tag."""
        self._documents.remove([key_of(entry.observable, self._tag) for entry in entries])
