"""The contract of the store's database: transactions, one instance, our own errors."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar, Final, TypeVar

from connector.store.transaction import Transaction

# The newest migration: a state that has it needs none, and Alembic is slow to import.
NEWEST: Final = "0001"
_TABLES: Final = Path(__file__).with_name("tables.sql")

# SQLite's driver binds a bytearray directly; for bytes it looks up an adapter each time.
blob: Final = bytearray

T = TypeVar("T")


class Database(ABC):
    """Provides transactions, one writer at a time; its errors are StoreError or UnavailableError.

    `shown` is its address without a password, `path` the file of an SQLite database. `repair` says
    what to do about damage.
    """

    repair: ClassVar[str]
    shown: str
    path: Path | None = None

    @abstractmethod
    def read(self) -> AbstractContextManager[Transaction]:
        """Yield a transaction that reads one consistent snapshot."""

    @abstractmethod
    def write(
        self, *, durable: bool = False, erases: bool = False
    ) -> AbstractContextManager[Transaction]:
        """Yield a transaction whose changes are kept together, or not at all.

        A `durable` change outlives a power cut, as an intent must: an entry that is written and
        forgotten would have no owner. All else may be lost with its whole transaction and is then
        done again. One that `erases` overwrites in the file what it deletes.
        """

    def migrate(self) -> None:
        """Migrate the tables to this version; raise StoreError if they cannot be read."""
        with self.read() as transaction:
            found = self._version(transaction)
        if found is None:
            with self.write() as transaction:
                if self._version(transaction) is None:  # no one else created them meanwhile
                    self._make_tables(transaction)
        elif found != NEWEST:
            self._upgrade()

    def _version(self, transaction: Transaction) -> str | None:
        """Return the last migration applied here, or None if there are no tables yet."""
        if not self._has_tables(transaction):
            return None
        return str(transaction.one("SELECT version_num FROM alembic_version"))

    def _make_tables(self, transaction: Transaction) -> None:
        """Create the tables as declared, and record the version as Alembic would."""
        for statement in self._in_dialect(_TABLES.read_text(encoding="utf-8")).split(";\n"):
            if statement:
                transaction.run(statement)
        transaction.run("INSERT INTO alembic_version (version_num) VALUES (?)", (NEWEST,))

    @abstractmethod
    def _has_tables(self, transaction: Transaction) -> bool: ...

    @abstractmethod
    def _in_dialect(self, declared: str) -> str:
        """Return the declared tables in this database's words."""

    @abstractmethod
    def _upgrade(self) -> None:
        """Run the migrations that are due."""

    @abstractmethod
    def expect_in_place(self) -> None:
        """Raise StoreError if the open file is not the one at the path."""

    @abstractmethod
    def page_faults(self, transaction: Transaction) -> list[str]:
        """Return what is wrong with the pages of the file, each read once."""

    @abstractmethod
    def index_faults(self, transaction: Transaction) -> list[str]:
        """Return where an index and its table differ."""

    @abstractmethod
    def checkpoint_wal(self) -> None:
        """Empty the log into the file, so that nothing erased is left in it."""

    @abstractmethod
    def checkpoint_after(self, changes: int) -> None:
        """Move the log of bulk changes into the file, so that no small change pays for it."""

    @abstractmethod
    def claim_instance(self) -> bool:
        """Return whether we are now the only instance on this state; locked until `close`."""

    @abstractmethod
    def close(self) -> None:
        """Release the lock and all connections."""


def marks(values: Sequence[object]) -> str:
    """Return `?,?,...` for an SQL `IN (...)` over these values."""
    return ",".join("?" * len(values))


def parts(values: Sequence[T], size: int = 2000) -> list[Sequence[T]]:
    """Return the values in pieces that one statement can hold."""
    return [values[at : at + size] for at in range(0, len(values), size)]


def numbers(values: Iterable[int]) -> str:
    """Return whole numbers for an SQL `IN (...)`; both databases read literals fastest."""
    return ",".join(map(str, map(int, values))) or "-1"
