"""Entries as members of keys in Redis, one key for each type, that other programs ask."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, Literal

from connector.adapter import (
    ALL_WRITTEN,
    Batch,
    Entry,
    EntryAdapter,
    Field,
    FieldSpec,
    Full,
    Held,
    Number,
    Observable,
    ObservableType,
    Outcomes,
    OutputContext,
    RedisFullError,
    RedisServer,
    RedisUrl,
    Text,
    TlsSettings,
)

from .forms import FORMS

__all__ = ["RedisAdapter", "RedisSettings"]


class RedisSettings(TlsSettings):
    """Where the keys are, and what they are."""

    url: RedisUrl = Field(
        description="Redis: `rediss://HOST:PORT/DB` with TLS, `redis://HOST:PORT/DB` without, or "
        "`unix:///PATH?db=DB`; `auth` has user name and password."
    )
    key: str = Field(
        "connector",
        pattern=r"^[A-Za-z0-9{][A-Za-z0-9_.:{}-]{0,99}$",
        description="Start of the keys: each type has one, such as `connector:domain-name`. "
        "Nobody else should write to them.",
    )
    form: Literal["set", "hash", "sorted_set"] = Field(
        "set",
        description="set: the values alone, for SISMEMBER; hash: with the mapped fields as JSON, "
        "for HGET; sorted_set: with the entry's end in Unix seconds as score, for ZSCORE.",
    )

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The keys of one database."""
        return frozenset({("redis keys", *RedisServer.place(self.url), self.key)})

    @property
    def credentials_are_for(self) -> object:
        """The server: a password for it is shown to no other."""
        return RedisServer.place(self.url)[:-1]


class RedisAdapter(EntryAdapter[RedisSettings]):
    """Keeps a list in keys of one Redis; a batch is one transaction."""

    settings_type = RedisSettings
    supports = frozenset(ObservableType)
    fields: ClassVar[Mapping[str, FieldSpec]] = {
        "confidence": Number(0, 100),
        "feed": Text(),
        "indicator": Text(),
        "note": Text(500),
        "tlp": Text(),
        "valid_until": Text(),
    }
    default_mapping: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "confidence": {"from": "confidence"},
        "feed": {"from": "feed.name"},
        "indicator": {"from": "indicator.id"},
        "tlp": {"from": "marking"},
        "valid_until": {"from": "valid_until"},
    }
    batch = Batch(entries=2000)

    def __init__(self, settings: RedisSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._form = FORMS[settings.form]
        self._server = RedisServer(settings.url, settings.auth, lambda: context.tls)
        self._types = {self._key(kind): kind for kind in ObservableType}
        self.expires = settings.form == "sorted_set"

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry with its fields where the form has room for them."""
        return entry if self.settings.form == "hash" else Entry(entry.observable)

    def known_as(self) -> Collection[str]:
        """Return the keys by the server that has them."""
        return self._server.known_as([self.settings.key])

    def stamp(self) -> str:
        """Return which start of Redis this is, and what our keys have."""
        return self._server.stamp(dict.fromkeys(self._types, self._form.kind))

    def read(self) -> Iterable[Held]:
        """Yield what our keys have, read in pages; what is no text is none of ours.

        Readers ask for our spelling alone: a member in another is no entry, and told as odd.
        """
        for key, row in self._server.members(dict.fromkeys(self._types, self._form.kind)):
            if (held := self._form.held(self._types[key], row)) is not None:
                yield held

    def holds(self, observables: Collection[Observable]) -> list[Held]:
        """Return those observables that are members of our keys."""
        by_key = _by_type(observables, lambda one: one.type)
        asked = [self._form.ask(self._key(kind), ones) for kind, ones in by_key]
        found: list[Held] = []
        for (kind, ones), told in zip(by_key, self._server.ask(asked), strict=True):
            for one, value in zip(ones, told, strict=True):
                if value is not None and value != 0:
                    row = one.value.encode(), value
                    found += filter(None, [self._form.held(kind, row)])
        return found

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        """Add members, or write their values anew; those that find no room are named."""
        by_key = _by_type(entries, lambda entry: entry.type)
        try:
            self._server.do([self._form.add(self._key(kind), some) for kind, some in by_key])
        except RedisFullError:
            return self._what_fits(entries)
        return ALL_WRITTEN

    def remove(self, held: Sequence[Held]) -> Outcomes:
        """Take members out of our keys."""
        by_key = _by_type([one.observable for one in held], lambda one: one.type)
        self._server.do([self._form.remove(self._key(kind), some) for kind, some in by_key])
        return ALL_WRITTEN

    def close(self) -> None:
        """Close the connection."""
        self._server.close()

    def _key(self, kind: ObservableType) -> str:
        return f"{self.settings.key}:{kind}"

    def _what_fits(self, entries: Sequence[Entry]) -> Outcomes:
        """Add the first of these entries, as many as there is room for."""
        middle = len(entries) // 2
        if not middle:
            return {entry.observable: Full() for entry in entries}
        full = self.add(entries[:middle])
        rest = entries[middle:]
        return {
            **full,
            **({entry.observable: Full() for entry in rest} if full else self.add(rest)),
        }


def _by_type(subjects: Collection[Any], type_of: Any) -> list[tuple[ObservableType, list[Any]]]:
    ordered = sorted(subjects, key=type_of)
    return [(kind, list(some)) for kind, some in groupby(ordered, type_of)]
