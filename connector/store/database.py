"""One database behind the store: SQLite in WAL mode, or PostgreSQL; transactions and bulk rows."""

import fcntl
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from connector.errors import StoreError, UnavailableError
from connector.store.transaction import Transaction

# The newest migration: a state that has it needs none, and Alembic is slow to import.
NEWEST: Final = "0001"
_VERSIONED: Final = {
    True: "SELECT name FROM sqlite_master WHERE name = 'alembic_version'",
    False: "SELECT to_regclass('alembic_version')::text",
}
_ADVISORY_LOCK: Final = 0x434F4E4E
_BUSY_MS: Final = 60_000
_PATIENCE_MS: Final = 500
_BULK: Final = 10_000  # changes, whose log is then moved into the file
_RUINED: Final = ("file is not a database", "database disk image is malformed")
_WAYS_OUT: Final = (
    "restore a backup or move the file away; without it nothing on a target counts as ours"
)
_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    f"PRAGMA busy_timeout={_BUSY_MS}",
    "PRAGMA cache_size=-65536",
    "PRAGMA wal_autocheckpoint=16384",
    "PRAGMA foreign_keys=OFF",
)

# SQLite's driver binds a bytearray at once; of bytes it asks first how to be bound, each time.
blob: Final = bytearray

T = TypeVar("T")


class Database:
    """Hands out connections inside transactions; one writer at a time."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._writing = threading.RLock()
        self._lock_file: int | None = None
        self._lock_connection: Connection | None = None
        self.engine = self._engine()
        self._file = None if self.path is None else _identity(self.path)
        # SQLite reads a snapshot in any transaction; PostgreSQL only where it is asked for one.
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reading = self.engine if self.sqlite else self.engine.execution_options(**snapshot)

    def _engine(self) -> Engine:
        """Return the engine; each output at work holds a connection, however many there are."""
        if not self.sqlite:
            try:
                engine = create_engine(
                    self.url, pool_pre_ping=True, pool_use_lifo=True, max_overflow=40
                )
            except ModuleNotFoundError as error:
                raise StoreError(
                    f"{self.shown}: needs the Python package {error.name}; install it with: "
                    "pip install 'threat-feed-connector[postgresql]'"
                ) from error
            event.listen(engine, "connect", _prepare_postgresql)
            return engine
        if self.path is not None:
            with _typed(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        # The connection that was at work last holds the pages that are wanted next.
        pool = {} if self.path is None else {"max_overflow": -1, "pool_use_lifo": True}
        engine = create_engine(self.url, **pool)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for a server."""
        if not self.sqlite or not self.url.database or self.url.database == ":memory:":
            return None
        return Path(self.url.database)

    def migrate(self) -> None:
        """Bring the tables to this version's shape; raise StoreError when they cannot be read."""
        if self._version() == NEWEST:
            return
        from connector.store.upgrade import upgrade  # noqa: PLC0415 - slow, seldom due

        with self.write() as transaction:
            upgrade(transaction.connection, self.shown)

    def _version(self) -> str | None:
        """Return which migration was the last here; None where there was none yet."""
        with self.read() as transaction:
            if transaction.one(_VERSIONED[self.sqlite]) is None:
                return None
            found: str | None = transaction.one("SELECT version_num FROM alembic_version")
            return found

    def expect_in_place(self) -> None:
        """Raise StoreError when the file that is open is not the one that the path names.

        SQLite goes on in a file that was removed, and all of it is lost with the process.
        """
        if self.path is not None and _identity(self.path) != self._file:
            raise StoreError(
                f"{self.path}: the state was removed or replaced while in use: restore it or a "
                "backup before the next start; without it nothing on a target counts as ours"
            )

    @property
    def shown(self) -> str:
        """The address of the state without its password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Yield a transaction that reads one consistent snapshot."""
        with self._guarded(), self._reading.connect() as connection, connection.begin():
            yield Transaction(connection, sqlite=self.sqlite)

    @contextmanager
    def write(self, *, durable: bool = False, erases: bool = False) -> Iterator[Transaction]:
        """Yield a transaction whose changes are kept together, or not at all.

        A `durable` change outlives a power cut, as an intent must: an entry that is written and
        forgotten would have no owner. All else may be lost with its whole transaction and is then
        done again. One that `erases` overwrites in the file what it deletes.
        """
        options = {
            "connector_write": True, "connector_durable": durable, "connector_erases": erases,
        }  # fmt: skip
        engine = self.engine.execution_options(**options)
        with self._guarded(), self._writing, engine.connect() as connection, connection.begin():
            yield Transaction(connection, sqlite=self.sqlite)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            text = f"{self.shown}: {_first_line(error)}"
            if any(words in text for words in _RUINED):
                text += f": {_WAYS_OUT}"
            raise (UnavailableError if self._may_pass(error) else StoreError)(text) from error

    def _may_pass(self, error: SQLAlchemyError) -> bool:
        """Return whether the same may go well later: a lock, a full disk, a server that is away."""
        if isinstance(error, NoConnectionError):  # none became free in time
            return True
        if not isinstance(error, OperationalError):
            return False
        text = _first_line(error)
        return not self.sqlite or "locked" in text or "full" in text

    def checkpoint_wal(self) -> None:
        """Empty SQLite's log into the file, so that nothing erased is left in it.

        While others read that is not possible; the log is then overwritten as it goes on.
        """
        if self.path is None:
            return
        with self._guarded(), self._writing:
            raw = self.engine.raw_connection()
            try:
                cursor = raw.cursor()
                cursor.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
            finally:
                raw.close()

    def checkpoint_after(self, changes: int) -> None:
        """Move the log of a bulk of changes into the file; else a small change would pay for it.

        As far as nobody reads it: nobody is waited for.
        """
        if self.sqlite and changes >= _BULK:
            with self._guarded(), self.engine.connect() as connection:
                held = connection.execution_options(isolation_level="AUTOCOMMIT")
                held.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    def claim_instance(self) -> bool:
        """Return whether we are now the only instance on this state; held until `close`."""
        if not self.sqlite:
            return self._claim_server()
        if self.path is None:
            return True
        with _typed(self.path):
            lock = os.open(f"{self.path}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock_file = lock
        return True

    def _claim_server(self) -> bool:
        """Take the server's lock; it lasts as long as the connection that took it."""
        with self._guarded():
            held = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            asked = f"SELECT pg_try_advisory_lock({_ADVISORY_LOCK})"
            if not held.exec_driver_sql(asked).scalar():
                held.close()
                return False
        self._lock_connection = held
        return True

    def close(self) -> None:
        """Let go of the lock and all connections."""
        if self._lock_connection is not None:
            with suppress(SQLAlchemyError):  # a server that went away holds nothing for us
                # A server under load takes note of a closed connection only later.
                self._lock_connection.exec_driver_sql(
                    f"SELECT pg_advisory_unlock({_ADVISORY_LOCK})"
                )
            self._lock_connection.close()
            self._lock_connection = None
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None
        self.engine.dispose()


def marks(values: Sequence[object]) -> str:
    """Return `?,?,...` for an SQL `IN (...)` over these values."""
    return ",".join("?" * len(values))


def parts(values: Sequence[T], size: int = 2000) -> list[Sequence[T]]:
    """Return the values in pieces that one statement can hold."""
    return [values[at : at + size] for at in range(0, len(values), size)]


def numbers(values: Iterable[int]) -> str:
    """Return whole numbers for an SQL `IN (...)`; both databases read literals fastest."""
    return ",".join(map(str, map(int, values))) or "-1"


def _identity(path: Path) -> tuple[int, int] | None:
    """Return which file a path names now, whatever it holds; None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _typed(path: Path) -> Iterator[None]:
    """Tell what the operating system refuses as an error of ours."""
    try:
        yield
    except OSError as error:
        words = f"{path}: cannot open the state: {error.strerror}"
        if isinstance(error, PermissionError):
            words += ": work as the user that the service runs as, or let this one write there"
        raise StoreError(words) from error


def _first_line(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).split("\n", 1)[0]


def _prepare_postgresql(connection: Any, _record: object) -> None:
    """Let no text fail: a server's words, or a feed's id, may hold what PostgreSQL cannot."""
    from psycopg.types.string import StrDumperUnknown  # noqa: PLC0415 - only a server needs it

    class Text(StrDumperUnknown):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd"))

    connection.adapters.register_dumper(str, Text)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves; the driver's guess is too late
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("connector_write"):
        connection.exec_driver_sql("BEGIN")
        return
    level = "FULL" if options.get("connector_durable") else "NORMAL"
    connection.exec_driver_sql(f"PRAGMA synchronous={level}")
    erases = "ON" if options.get("connector_erases") else "OFF"
    connection.exec_driver_sql(f"PRAGMA secure_delete={erases}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
