"""SQLite in WAL mode, by Python's own driver: what else could reach it costs more to import."""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

from connector.errors import StoreError, UnavailableError
from connector.store.database import Database
from connector.store.transaction import Row, Transaction

PREFIX: Final = "sqlite://"
_IN_MEMORY: Final = ("", ":memory:")
_BUSY_MS: Final = 60_000
_PATIENCE_MS: Final = 500
_BULK: Final = 10_000  # changes, whose log is then moved into the file
_IDLE_KEPT: Final = 5
_CACHE_KIB: Final = 65_536
# Of a connection beyond those that are kept: hundreds of outputs may read while they wait.
_SMALL_CACHE_KIB: Final = 2_048
_FAULTS_TOLD: Final = 3
_RUINED: Final = ("file is not a database", "database disk image is malformed")
_WAYS_OUT: Final = (
    "restore a backup or move the file away; without it nothing on a target counts as ours"
)
_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    f"PRAGMA busy_timeout={_BUSY_MS}",
    "PRAGMA wal_autocheckpoint=16384",
    "PRAGMA foreign_keys=OFF",
)


class SqliteTransaction(Transaction):
    """A transaction on one connection to SQLite."""

    __slots__ = ("_connection", "_streams")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._streams: list[sqlite3.Cursor] = []

    def many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run one statement over many rows; return how many rows it changed."""
        return self._connection.executemany(sql, rows).rowcount if rows else 0

    def rows(self, sql: str, values: Row = ()) -> list[Any]:
        """Return all rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def stream(self, sql: str, values: Row = ()) -> Iterator[Any]:
        """Yield the rows of a large query without holding them all."""
        with closing(self._connection.execute(sql, values)) as found:
            self._streams.append(found)
            yield from found  # closed also where the reader takes only the first rows

    def one(self, sql: str, values: Row = ()) -> Any:
        """Return the first column of the first row; None where there is none."""
        row = self._connection.execute(sql, values).fetchone()
        return None if row is None else row[0]

    def run(self, sql: str, values: Row = ()) -> int:
        """Run one statement; return how many rows it changed."""
        return self._connection.execute(sql, values).rowcount

    def end_streams(self) -> None:
        """Close what a reader left open: it would hold the snapshot beyond the transaction."""
        for each in self._streams:
            each.close()


class SqliteDatabase(Database):
    """One file, or for a look at a state that is not there a database in memory."""

    repair: ClassVar[str] = (
        "keep a copy of the file and check the disk; then `sqlite3 FILE REINDEX`, and if `PRAGMA "
        "integrity_check` still finds errors, restore a backup"
    )

    def __init__(self, url: str) -> None:
        self.shown = url
        name = url.removeprefix(PREFIX).removeprefix("/")
        self.path = None if name in _IN_MEMORY else Path(name)
        # A name makes it one database for all our connections.
        self._address = f"file:{id(self)}?mode=memory&cache=shared" if self.path is None else name
        self._writing = threading.RLock()
        self._idle: list[sqlite3.Connection] = []
        self._large: set[sqlite3.Connection] = set()  # those with a large cache, idle or at work
        self._caches = threading.Semaphore(_IDLE_KEPT)
        self._lock_file: int | None = None
        if self.path is not None:
            with _typed(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self._file = _identity(self.path)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Yield a transaction that reads one consistent snapshot."""
        with (
            self._guarded(),
            self._connected() as connection,
            _transaction(connection, "BEGIN") as transaction,
        ):
            yield transaction

    @contextmanager
    def write(self, *, durable: bool = False, erases: bool = False) -> Iterator[Transaction]:
        """Yield a transaction whose changes are kept together, or not at all."""
        with self._guarded(), self._writing, self._connected() as connection:
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute(f"PRAGMA secure_delete={'ON' if erases else 'OFF'}")
            with _transaction(connection, "BEGIN IMMEDIATE") as transaction:
                yield transaction

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection for one thread alone; they grow in number as threads do."""
        idle = self._idle
        try:
            connection = idle.pop()  # the one at work last has the pages that are wanted next
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        finally:
            kept = connection in self._large and idle is self._idle
            if kept and not connection.in_transaction:
                idle.append(connection)
            else:  # closed meanwhile, more than are often at work, or one that failed to roll back
                self._close(connection)

    def _close(self, connection: sqlite3.Connection) -> None:
        connection.close()
        if connection in self._large:
            self._large.discard(connection)
            self._caches.release()

    def _connect(self) -> sqlite3.Connection:
        # Without an isolation level we say BEGIN ourselves: the driver's guess is too late.
        connection = sqlite3.connect(
            self._address, isolation_level=None, check_same_thread=False, uri=self.path is None
        )
        large = self._caches.acquire(blocking=False)
        if large:
            self._large.add(connection)
        try:
            kib = _CACHE_KIB if large else _SMALL_CACHE_KIB
            for pragma in (*_PRAGMAS, f"PRAGMA cache_size=-{kib}"):
                connection.execute(pragma)
        except sqlite3.Error:
            self._close(connection)
            raise
        return connection

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            text = f"{self.shown}: {str(error).partition(chr(10))[0]}"
            if any(words in text for words in _RUINED):
                text += f": {_WAYS_OUT}"
            raise (UnavailableError if _may_pass(error) else StoreError)(text) from error

    def _has_tables(self, transaction: Transaction) -> bool:
        sql = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
        return bool(transaction.one(sql))

    def _in_dialect(self, declared: str) -> str:
        return declared

    def _upgrade(self) -> None:
        from connector.store.upgrade import upgrade_sqlite  # noqa: PLC0415 - slow, seldom due

        with self._guarded(), self._writing, self._connected() as connection:
            upgrade_sqlite(connection, self.shown)

    def expect_in_place(self) -> None:
        """Raise StoreError when the file that is open is not the one that the path names.

        SQLite goes on in a file that was removed, and all of it is lost with the process.
        """
        if self.path is not None and _identity(self.path) != self._file:
            raise StoreError(
                f"{self.path}: the state was removed or replaced while in use: restore it or a "
                "backup before the next start; without it nothing on a target counts as ours"
            )

    def page_faults(self, transaction: Transaction) -> list[str]:
        """Return what is wrong with the pages of the file, each read once."""
        return [] if self.path is None else _faults(transaction, "quick_check")

    def index_faults(self, transaction: Transaction) -> list[str]:
        """Return where an index and its table differ."""
        return _faults(transaction, "integrity_check")

    def checkpoint_wal(self) -> None:
        """Empty SQLite's log into the file, so that nothing erased is left in it.

        While others read that is not possible; the log is then overwritten as it goes on.
        """
        with self._guarded(), self._writing, self._connected() as connection:
            connection.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")

    def checkpoint_after(self, changes: int) -> None:
        """Move the log of a bulk of changes into the file; else a small change would pay for it.

        As far as nobody reads it: nobody is waited for.
        """
        if changes >= _BULK:
            with self._guarded(), self._connected() as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def claim_instance(self) -> bool:
        """Return whether we are now the only instance on this state; locked until `close`."""
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

    def close(self) -> None:
        """Release the lock and all connections."""
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None
        self.disconnect()

    def disconnect(self) -> None:
        """Close all connections; the next transaction opens a new one."""
        idle, self._idle = self._idle, []
        while idle:
            self._close(idle.pop())


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[Transaction]:
    """Yield a transaction that begins so; commit it, or roll it back."""
    connection.execute(begin)
    transaction = SqliteTransaction(connection)
    try:
        yield transaction
        transaction.end_streams()
        connection.commit()
    except BaseException:
        transaction.end_streams()
        connection.rollback()
        raise


def _faults(transaction: Transaction, check: str) -> list[str]:
    """Return what SQLite finds, without the heading that it puts before the first."""
    rows = transaction.rows(f"PRAGMA {check}({_FAULTS_TOLD})")
    found = (row[0].replace("*** in database main ***", "") for row in rows if row[0] != "ok")
    return [" ".join(fault.split()) for fault in found]


def _may_pass(error: sqlite3.Error) -> bool:
    """Return whether the same may go well later: a lock, or a full disk."""
    words = str(error)
    return isinstance(error, sqlite3.OperationalError) and ("locked" in words or "full" in words)


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the identity of the file at a path, or None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _typed(path: Path) -> Iterator[None]:
    """Turn a refusal of the operating system into an error of ours."""
    try:
        yield
    except OSError as error:
        words = f"{path}: cannot open the state: {error.strerror}"
        if isinstance(error, PermissionError):
            words += ": run this as the service's user, or let this user write there"
        raise StoreError(words) from error
