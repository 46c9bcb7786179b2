"""Indicators in Elasticsearch and OpenSearch, as the rules of Elastic Security read them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import urlsplit

from msgspec.structs import replace

from connector.adapter import (
    Batch,
    ConfigError,
    Entry,
    EntryAdapter,
    Field,
    Held,
    HttpSettings,
    Observable,
    ObservableType,
    Outcome,
    Outcomes,
    OutputContext,
    OwnName,
    Secret,
    ServerUrl,
)
from connector_elastic.documents import (
    DEFAULT_MAPPING,
    MAPPED_FIELDS,
    MATCHED_FOR,
    document_of,
    held_in,
    key_of,
    with_instants,
)
from connector_elastic.index import Change, Index

__all__ = ["ElasticAdapter", "ElasticSettings", "OpensearchAdapter", "OpensearchSettings"]


class OpensearchSettings(HttpSettings):
    """Where the index is; `auth` has a user name and password, or a client certificate."""

    url: ServerUrl = Field(
        description="Address of the cluster, as https://search.example:9200; plain http is "
        "accepted for this machine only."
    )
    index: str = Field(
        "logs-ti_connector",
        pattern=r"^[a-z0-9][a-z0-9._-]{0,199}$",
        description="Index, alias or data stream; an index is created with its mapping when it "
        "does not exist. The stock rules of Elastic Security read `logs-ti_*`.",
    )
    data_stream: bool = Field(
        False, description="Create a data stream when nothing of that name exists."
    )
    owner_tag: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}$",
        description="Value of `connector.owner`, which marks our documents; the output's name "
        "when left out. An output that is renamed needs its former name here. Two installations "
        "that share an index need different tags.",
    )

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The documents with one tag; without the option it is the output's name."""
        parts = urlsplit(self.url)
        server = f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"
        tag = self.owner_tag or OwnName("owner_tag")
        return frozenset({("search index", server, self.index, tag)})


class ElasticSettings(OpensearchSettings):
    """Where the index is; `api_key` proves who we are, or `auth` does."""

    api_key: Secret | None = Field(
        None, description="API key in its encoded form, as Kibana shows it; in place of `auth`."
    )


S = TypeVar("S", bound=OpensearchSettings)


class _IndexAdapter(EntryAdapter[S], Generic[S]):
    """Keeps a list as documents of one index, beside those of others.

    Rules match what is at most 30 days old: to them that is the end of an entry, and the core
    renews it before.
    """

    supports = frozenset(ObservableType)
    fields = MAPPED_FIELDS
    default_mapping: ClassVar[Mapping[str, Mapping[str, Any]]] = DEFAULT_MAPPING
    batch = Batch(entries=2000)
    expires = True
    ttl_bound = MATCHED_FOR

    def __init__(self, settings: S, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._owner = settings.owner_tag or context.output
        self._index = Index(
            self.http, settings.url, settings.index, self._owner,
            headers=self._credentials(), data_stream=settings.data_stream,
        )  # fmt: skip

    def _credentials(self) -> Mapping[str, str]:
        """Return headers that prove who we are, where `auth` does not."""
        return {}

    def known_as(self) -> Collection[str]:
        """Return our documents by the cluster's own name."""
        return [f"{self._index.cluster()}/{self._index.name}/{self._owner}"]

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry with its times in one spelling."""
        return replace(entry, fields=with_instants(entry.fields))

    def stamp(self) -> str:
        """Return the number of our documents, and the sum of the numbers of their changes."""
        return self._index.summary()

    def read(self) -> Iterable[Held]:
        """Yield the entries of our unaltered documents; documents of others are not read."""
        shown: set[str] = set()
        for page in self._index.pages():
            for row in page:
                held = held_in(row.source, self._owner)
                if held is not None and held.handle == row.key and row.key not in shown:
                    shown.add(row.key)
                    yield held

    def holds(self, observables: Collection[Observable]) -> list[Held]:
        """Return those observables that `read` would show, asking for their keys only."""
        found = self._index.under([key_of(one, self._owner) for one in observables])
        shown = (held_in(rows[0].source, self._owner) for rows in found.values())
        return [held for held in shown if held is not None]

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        """Create a document for each entry, or replace the one that is there where it is."""
        if not entries:
            return {}
        self._index.prepare()
        keys = [key_of(entry.observable, self._owner) for entry in entries]
        found = self._index.under(keys)
        changes: list[Change] = []
        named: list[Observable] = []
        for key, entry in zip(keys, entries, strict=True):
            document = document_of(entry, self._owner)
            first, *others = found.get(key, [None])
            what, at = ("create", {"_id": key}) if first is None else ("index", first.at)
            changes.append(Change(what, at, document))
            changes += [Change("delete", other.at) for other in others if other is not None]
            named += [entry.observable] * (1 + len(others))
        return self._outcomes(named, changes)

    def remove(self, held: Sequence[Held]) -> Outcomes:
        """Delete our documents of these entries, wherever in a data stream they are."""
        keys = {key_of(one.observable, self._owner): one.observable for one in held}
        gone = [row for rows in self._index.under(list(keys)).values() for row in rows]
        return self._outcomes(
            [keys[row.key] for row in gone], [Change("delete", row.at) for row in gone]
        )

    def _outcomes(self, named: Sequence[Observable], changes: Sequence[Change]) -> Outcomes:
        results: Iterable[tuple[Observable, Outcome | None]] = zip(
            named, self._index.change(changes), strict=True
        )
        return {one: outcome for one, outcome in results if outcome is not None}


class ElasticAdapter(_IndexAdapter[ElasticSettings]):
    """Keeps a list as indicators of Elastic Security, as its stock rules read them."""

    settings_type = ElasticSettings

    def _credentials(self) -> Mapping[str, str]:
        """Return the header with the API key."""
        if self.settings.api_key is None:
            return {}
        key = self.settings.api_key.reveal()
        auth = self.settings.auth
        if auth.username is not None or auth.token is not None or auth.header is not None:
            raise ConfigError(["api_key: should be left out where auth has credentials"])
        if not (key.isascii() and key.isprintable()):
            raise ConfigError(["api_key: contains characters that a header cannot contain"])
        self.http.keep_secret(key)
        return {"Authorization": f"ApiKey {key}"}


class OpensearchAdapter(_IndexAdapter[OpensearchSettings]):
    """Keeps a list as documents of an OpenSearch index, with the fields of Elastic Security."""

    settings_type = OpensearchSettings
