"""Entries as rows of a table that other programs read: in PostgreSQL, or in a SQLite file."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from connector.adapter import (
    ALL_WRITTEN,
    Batch,
    Entry,
    EntryAdapter,
    Field,
    FieldSpec,
    Held,
    Number,
    Observable,
    ObservableType,
    Outcome,
    Outcomes,
    OutputContext,
    OwnName,
    Refused,
    Secret,
    Settings,
    Text,
    url_with_password,
)

from .table import Table, UnfitRowError

__all__ = ["SqlAdapter", "SqlSettings"]

_FORM = "should be postgresql+psycopg://USER@HOST/DATABASE or sqlite:////PATH"
_SCHEMES = ("sqlite", "postgresql+psycopg")


class SqlSettings(Settings):
    """Where the table is, and which of its rows are ours."""

    url: str = Field(
        description="Database: `postgresql+psycopg://USER@HOST/DATABASE`, or `sqlite:////PATH` of "
        "a file whose folder exists."
    )
    password: Secret | None = Field(None, description="Password of the PostgreSQL user.")
    table: str = Field(
        "threat_indicators",
        pattern=r"^[a-z][a-z0-9_]{0,50}$",
        description="Table of the rows; created when it does not exist and the user may do so.",
    )
    owner: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}$",
        description="Value of the column `owner`, which marks our rows; the output's name when "
        "left out. An output that is renamed needs its former name here.",
    )

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The rows of one owner; without the option it is the output's name."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2].lower()
        owner = self.owner or OwnName("owner")
        return frozenset({("sql rows", parts.scheme, host, parts.path, self.table, owner)})

    @property
    def credentials_are_for(self) -> object:
        """The server: a password for it is shown to no other."""
        return urlsplit(self.url).netloc.lower()

    @property
    def connection_url(self) -> str:
        """The URL with its password: for the one place that connects, never for a log."""
        return url_with_password(self.url, self.password)

    @field_validator("url")
    @classmethod
    def _a_database(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            literal, _ = parts.password, parts.port
        except ValueError:
            raise ValueError(_FORM) from None
        if literal is not None:
            raise ValueError("contains a literal secret: remove it and set the option password")
        on_server = parts.scheme == "postgresql+psycopg" and parts.hostname and len(parts.path) > 1
        in_file = parts.scheme == "sqlite" and not parts.netloc and parts.path.startswith("//")
        if not (on_server or (in_file and len(parts.path) > len("//"))):
            raise ValueError(_FORM)
        return url

    @model_validator(mode="after")
    def _a_user_for_the_password(self) -> Self:
        if self.password is not None and "@" not in urlsplit(self.url).netloc:
            raise ValueError(
                "password needs a user: write url as postgresql+psycopg://USER@HOST/..."
            )
        return self


class SqlAdapter(EntryAdapter[SqlSettings]):
    """Keeps one row for each entry, beside the rows of other owners in the same table.

    A batch is one transaction: readers see all of it or nothing.
    """

    settings_type = SqlSettings
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
        "note": {"template": "{indicator.name}"},
        "tlp": {"from": "marking"},
        "valid_until": {"from": "valid_until"},
    }
    batch = Batch(entries=2000)

    def __init__(self, settings: SqlSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        owner = settings.owner or context.output
        numbers = [name for name, kind in self.fields.items() if isinstance(kind, Number)]
        self._table = Table(
            settings.connection_url, settings.table, owner, tuple(self.fields), numbers
        )

    def stamp(self) -> str:
        """Return what any write to the table changes: times of the file, counters of the server."""
        return self._table.stamp()

    def read(self) -> Iterable[Held]:
        """Yield our rows; one of a type that Connector does not know is left alone."""
        return filter(None, map(_held, self._table.rows()))

    def holds(self, observables: Collection[Observable]) -> list[Held]:
        """Return those observables that have a row of ours."""
        asked = frozenset(observables)
        found = map(_held, self._table.rows(sorted({one.value for one in asked})))
        return [held for held in found if held is not None and held.observable in asked]

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        """Insert or replace a row for each entry; one that the database refuses is named."""
        try:
            self._table.write(list(map(_row, entries)))
        except UnfitRowError as error:
            return self._one_by_one(entries, error)
        return ALL_WRITTEN

    def remove(self, held: Sequence[Held]) -> Outcomes:
        """Delete their rows."""
        self._table.delete([(one.type.value, one.value) for one in held])
        return ALL_WRITTEN

    def close(self) -> None:
        """Close the connections."""
        self._table.close()

    def _one_by_one(self, entries: Sequence[Entry], error: UnfitRowError) -> Outcomes:
        refused: dict[Any, Outcome] = {}
        if len(entries) == 1:
            return {entries[0].observable: Refused(str(error))}
        for entry in entries:
            refused |= self.add([entry])
        return refused


def _row(entry: Entry) -> dict[str, Any]:
    return {"type": entry.type.value, "value": entry.value, **entry.fields}


def _held(row: Mapping[str, Any]) -> Held | None:
    """Return a row as an entry; None for a type that is none of ours."""
    said = {name: value for name, value in row.items() if value is not None}
    try:
        observable = Observable(ObservableType(said.pop("type")), said.pop("value"))
    except ValueError:
        return None
    return Held(observable, said)
