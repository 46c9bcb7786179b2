"""PostgreSQL through SQLAlchemy: its pool of connections, its dialect, and psycopg below them."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, Final

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from connector.errors import StoreError, UnavailableError
from connector.store.database import Database
from connector.store.transaction import Row, Transaction
from connector.store.upgrade import upgrade

_ADVISORY_LOCK: Final = 0x434F4E4E
_AMCHECK: Final = "bt_index_check(regclass,boolean)"
_ALL_INDEXES: Final = (
    "SELECT bt_index_check(c.oid::regclass, true) FROM pg_index i "
    "JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam "
    "WHERE a.amname = 'btree' AND i.indisvalid "
    "AND c.relnamespace = current_schema()::regnamespace"
)
_CORRUPTED: Final = ("XX001", "XX002")  # data_corrupted, index_corrupted
_IN_OUR_WORDS: Final = (("INTEGER", "BIGINT"), ("BLOB", "BYTEA"), (" WITHOUT ROWID", ""))


class PostgresqlTransaction(Transaction):
    """A transaction on one connection to the server."""

    __slots__ = ("connection",)

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run one statement over many rows; return how many rows it changed."""
        if not rows:
            return 0
        return self.connection.exec_driver_sql(_marked(sql), list(rows)).rowcount

    def rows(self, sql: str, values: Row = ()) -> list[Any]:
        """Return all rows of a query."""
        return list(self.connection.exec_driver_sql(_marked(sql), tuple(values)).fetchall())

    def stream(self, sql: str, values: Row = ()) -> Iterator[Any]:
        """Yield the rows of a large query without holding them all."""
        # Options of the statement: as options of the connection they would last for its life.
        live = {"stream_results": True, "yield_per": 2000}
        with self.connection.exec_driver_sql(
            _marked(sql), tuple(values), execution_options=live
        ) as found:
            yield from found  # closed also where the reader takes only the first rows

    def one(self, sql: str, values: Row = ()) -> Any:
        """Return the first column of the first row; None where there is none."""
        return self.connection.exec_driver_sql(_marked(sql), tuple(values)).scalar()

    def run(self, sql: str, values: Row = ()) -> int:
        """Run one statement; return how many rows it changed."""
        return self.connection.exec_driver_sql(_marked(sql), tuple(values)).rowcount


class PostgresqlDatabase(Database):
    """A database on a server, which several nodes may use."""

    repair: ClassVar[str] = "check its disk; then REINDEX DATABASE, or restore a backup"

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.shown = self.url.render_as_string(hide_password=True)
        self._lock_connection: Connection | None = None
        try:  # each output at work has a connection, however many there are
            self.engine = create_engine(
                self.url, pool_pre_ping=True, pool_use_lifo=True, max_overflow=40
            )
        except ModuleNotFoundError as error:
            raise StoreError(
                f"{self.shown}: needs the Python package {error.name}; install it with: "
                "pip install 'threat-feed-connector[postgresql]'"
            ) from error
        event.listen(self.engine, "connect", _let_no_text_fail)
        # A server reads a snapshot only where it is asked for one.
        self._reading = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._writing = threading.RLock()

    @contextmanager
    def read(self) -> Iterator[PostgresqlTransaction]:
        """Yield a transaction that reads one consistent snapshot."""
        with self._guarded(), self._reading.connect() as connection, connection.begin():
            yield PostgresqlTransaction(connection)

    @contextmanager
    def write(
        self, *, durable: bool = False, erases: bool = False
    ) -> Iterator[PostgresqlTransaction]:
        """Yield a transaction whose changes are kept together; the server makes each durable."""
        with self._guarded(), self._writing, self.engine.begin() as connection:
            yield PostgresqlTransaction(connection)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            text = f"{self.shown}: {_first_line(error)}"
            # A server that is away may come back, and a connection become free.
            passes = isinstance(error, (OperationalError, NoConnectionError))
            raise (UnavailableError if passes else StoreError)(text) from error

    def _has_tables(self, transaction: Transaction) -> bool:
        return transaction.one("SELECT to_regclass('alembic_version')::text") is not None

    def _in_dialect(self, declared: str) -> str:
        for word, ours in _IN_OUR_WORDS:
            declared = declared.replace(word, ours)
        return declared

    def _upgrade(self) -> None:
        with self.write() as transaction:
            upgrade(transaction.connection, self.shown)

    def expect_in_place(self) -> None:
        """Nothing: a server keeps no file of ours."""

    def page_faults(self, transaction: Transaction) -> list[str]:
        """Return nothing: a server checks its own pages."""
        return []

    def index_faults(self, transaction: Transaction) -> list[str]:
        """Return what amcheck raises first, where this extension is there and we may use it."""
        sql = "SELECT has_function_privilege(to_regprocedure(?)::oid, 'EXECUTE')"
        if not transaction.one(sql, (_AMCHECK,)):
            return []
        try:
            transaction.rows(_ALL_INDEXES)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") not in _CORRUPTED:
                raise
            return [_first_line(error)]  # after it come hints
        return []

    def checkpoint_wal(self) -> None:
        """Nothing: the server's log is its own."""

    def checkpoint_after(self, changes: int) -> None:
        """Nothing: the server's log is its own."""

    def claim_instance(self) -> bool:
        """Return whether we are now the only instance on this state; held until `close`.

        The server's lock lasts as long as the connection that took it.
        """
        with self._guarded():
            held = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            asked = f"SELECT pg_try_advisory_lock({_ADVISORY_LOCK})"
            if not held.exec_driver_sql(asked).scalar():
                held.close()
                return False
        self._lock_connection = held
        return True

    def close(self) -> None:
        """Release the lock and all connections."""
        if self._lock_connection is not None:
            with suppress(SQLAlchemyError):  # a server that went away holds nothing for us
                # A server under load takes note of a closed connection only later.
                self._lock_connection.exec_driver_sql(
                    f"SELECT pg_advisory_unlock({_ADVISORY_LOCK})"
                )
            self._lock_connection.close()
            self._lock_connection = None
        self.engine.dispose()


def _marked(sql: str) -> str:
    return sql.replace("?", "%s")


def _first_line(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).split("\n", 1)[0]


def _let_no_text_fail(connection: Any, _record: object) -> None:
    """Replace what PostgreSQL cannot hold in a server's words, or in a feed's id."""
    from psycopg.types.string import StrDumperUnknown  # noqa: PLC0415 - an extra; its absence is reported

    class Text(StrDumperUnknown):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd"))

    connection.adapters.register_dumper(str, Text)
