"""One owner's rows of a table, by SQLAlchemy: the same on both kinds of database."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Double,
    MetaData,
    RowMapping,
    Text,
    bindparam,
    create_engine,
    delete,
    inspect,
    select,
    text,
)
from sqlalchemy import Table as SqlTable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)

from connector.adapter import ConfigError, RefusedError, UnavailableError

__all__ = ["Table", "UnfitRowError"]

_ASKED_AT_ONCE: Final = 500
_CONNECT_SECONDS: Final = 10
_REFUSALS: Final = ("password authentication failed", "no pg_hba.conf entry", 'role "')
_NO_RIGHT: Final = "42501"  # insufficient_privilege
_COUNTERS: Final = text(
    "SELECT c.oid, pg_relation_filenode(c.oid), s.n_tup_ins, s.n_tup_upd, s.n_tup_del "
    "FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid "
    "WHERE c.oid = to_regclass(:name)"
)
_FLUSHES_BY_DEMAND: Final[tuple[int | str, ...]] = (15,)


class UnfitRowError(Exception):
    """The database takes a row of a batch not at all; nothing of the batch was written."""


class Table:
    """The rows of one owner, with a text or a number in each column besides."""

    def __init__(
        self,
        url: str,
        name: str,
        owner: str,
        columns: Sequence[str],
        numbers: Collection[str],
    ) -> None:
        self._url = make_url(url)
        self._shown = self._url.render_as_string(hide_password=True)
        self._owner = owner
        self._columns = columns
        self._numbers = frozenset(numbers)
        keys = [Column(key, Text, primary_key=True) for key in ("owner", "type", "value")]
        more: list[Column[Any]] = [
            Column(column, Double() if column in self._numbers else Text()) for column in columns
        ]
        self._table = SqlTable(name, MetaData(), *keys, *more)
        self._on_server = self._url.get_backend_name() == "postgresql"
        wait = {"connect_timeout": _CONNECT_SECONDS} if self._on_server else {}
        try:
            self._engine = create_engine(self._url, pool_pre_ping=True, connect_args=wait)
        except ModuleNotFoundError as error:
            raise ConfigError(
                [
                    f"{self._shown}: needs the Python package {error.name}; install it with: "
                    "pip install 'threat-feed-connector[postgresql]'"
                ]
            ) from error
        self._checked = False

    def stamp(self) -> str:
        """Return a text that any committed change of the table changes."""
        if not self._on_server:
            self._has_file()
            return " ".join(map(_file_stamp, (self._path, f"{self._path}-wal")))
        with self._connected() as connection:
            found = connection.execute(_COUNTERS, {"name": self._table.name}).first()
        return " ".join(map(str, found)) if found else ""

    def rows(self, values: Sequence[str] | None = None) -> Iterator[Mapping[str, Any]]:
        """Yield our rows, or those of certain values; none where there is no table yet."""
        if not self._on_server and not self._has_file():
            return
        kept = self._table.c
        asked = select(*(column for column in kept if column.name != "owner")).where(
            kept.owner == self._owner
        )
        with self._connected() as connection:
            if not self._exists(connection):
                return
            if values is None:
                live = connection.execution_options(stream_results=True, yield_per=2000)
                yield from (self._plain(row) for row in live.execute(asked).mappings())
                return
            for first in range(0, len(values), _ASKED_AT_ONCE):
                some = asked.where(kept.value.in_(values[first : first + _ASKED_AT_ONCE]))
                yield from (self._plain(row) for row in connection.execute(some).mappings())

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert or replace rows in one transaction.

        Raises UnfitRowError where the database cannot take one of them.
        """
        dialect = postgresql if self._on_server else sqlite
        insert = dialect.insert(self._table)
        replace = insert.on_conflict_do_update(
            index_elements=["owner", "type", "value"],
            set_={column: insert.excluded[column] for column in self._columns},
        )
        empty = dict.fromkeys(self._columns)
        whole = [{"owner": self._owner, **empty, **row} for row in rows]
        with self._changing() as connection:
            self._make(connection)
            connection.execute(replace, whole)

    def delete(self, keys: Sequence[tuple[str, str]]) -> None:
        """Delete our rows of these types and values in one transaction."""
        kept = self._table.c
        goes = delete(self._table).where(
            kept.owner == self._owner,
            kept.type == bindparam("goes_type"),
            kept.value == bindparam("goes_value"),
        )
        with self._changing() as connection:
            if keys and self._exists(connection):
                connection.execute(
                    goes, [{"goes_type": kind, "goes_value": value} for kind, value in keys]
                )

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @property
    def _path(self) -> str:
        return self._url.database or ""

    def _has_file(self) -> bool:
        """Return whether there is a file; raise UnavailableError where its folder is away.

        A folder that is not mounted says nothing of what its file has.
        """
        folder = os.path.dirname(self._path)
        if not os.path.isdir(folder):
            raise UnavailableError(
                f"{self._shown}: there is no folder {folder}; mount or create it, or correct the "
                "option url"
            )
        return os.path.exists(self._path)

    def _plain(self, row: RowMapping) -> dict[str, Any]:
        """Return a row with whole numbers as such."""
        return {
            name: int(value) if name in self._numbers and value == int(value or 0) else value
            for name, value in row.items()
        }

    def _make(self, connection: Connection) -> None:
        if not self._exists(connection):
            self._table.create(connection)

    def _exists(self, connection: Connection) -> bool:
        """Return whether the table is there; raise RefusedError if it is another one."""
        seen = inspect(connection)
        if not seen.has_table(self._table.name):
            return False
        if not self._checked:
            there = {column["name"] for column in seen.get_columns(self._table.name)}
            missing = [column.name for column in self._table.c if column.name not in there]
            keys = seen.get_pk_constraint(self._table.name)["constrained_columns"]
            if missing or set(keys) != {"owner", "type", "value"}:
                what = f"has no column {', '.join(missing)}" if missing else "has another key"
                raise RefusedError(
                    f"{self._shown}: the table {self._table.name} {what}; name another one in the "
                    "option table, and it is created"
                )
            self._checked = True
        return True

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._typed(error) from error

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
                version = connection.dialect.server_version_info or ()
                if self._on_server and version >= _FLUSHES_BY_DEMAND:
                    connection.execute(text("SELECT pg_stat_force_next_flush()"))
        except SQLAlchemyError as error:
            raise self._typed(error) from error

    def _typed(self, error: SQLAlchemyError) -> Exception:
        said = str(getattr(error, "orig", error)).strip().splitlines()
        words = f"{self._shown}: {said[0][:200] if said else type(error).__name__}"
        if isinstance(error, DataError | IntegrityError):
            return UnfitRowError(words)
        refused = getattr(getattr(error, "orig", None), "sqlstate", None) == _NO_RIGHT
        if refused or "readonly database" in words or any(told in words for told in _REFUSALS):
            return RefusedError(words)
        passes = isinstance(error, OperationalError | InterfaceError)
        return UnavailableError(words if passes else f"{words} ({type(error).__name__})")


def _file_stamp(path: str) -> str:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return ""
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"
