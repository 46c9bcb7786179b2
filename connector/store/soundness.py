"""Whether our records can be believed: damage on the disk may hide rows without any error.

An index that lost three bytes showed 493 claims of 4,000 no more, and what they had listed would
have been removed.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy.exc import DBAPIError

from connector.errors import StoreError
from connector.store.database import Database, numbers, parts
from connector.store.transaction import Transaction

_FAULTS_TOLD: Final = 3
_BELIEVED_SECONDS: Final = 600.0
_SQLITE_WAYS: Final = (
    "keep a copy of the file and look at the disk; then `sqlite3 FILE REINDEX`, and if `PRAGMA "
    "integrity_check` still finds something, restore a backup"
)
_SERVER_WAYS: Final = "look at its disk; then REINDEX DATABASE, or restore a backup"
_AMCHECK: Final = "bt_index_check(regclass,boolean)"
_ALL_INDEXES: Final = (
    "SELECT bt_index_check(c.oid::regclass, true) FROM pg_index i "
    "JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam "
    "WHERE a.amname = 'btree' AND i.indisvalid "
    "AND c.relnamespace = current_schema()::regnamespace"
)
_CORRUPTED: Final = ("XX001", "XX002")  # data_corrupted, index_corrupted


class Soundness:
    """Checks the database before anything is removed that nobody asked to remove."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._db = database
        self._monotonic = monotonic
        self._believed_until = float("-inf")

    def expect_readable(self) -> None:
        """Raise StoreError where SQLite's file is not whole: what every start looks at.

        It reads each page once, and compares no index with its table.
        """
        if self._db.path is not None:
            with self._db.read() as transaction:
                self._tell(self._pragma(transaction, "quick_check"))

    def expect_sound(self, transaction: Transaction) -> None:
        """Raise StoreError where an index and its table differ.

        A state that was found sound is believed for ten minutes. PostgreSQL is asked where its
        extension amcheck is there and we may use it.
        """
        if self._monotonic() < self._believed_until:
            return
        if self._db.sqlite:
            self._tell(self._pragma(transaction, "integrity_check"))
        else:
            self._check_indexes(transaction)
        self._believed_until = self._monotonic() + _BELIEVED_SECONDS

    def expect_gone(self, transaction: Transaction, claims: Sequence[int]) -> None:
        """Raise StoreError where claims are there that their index did not show, or may be.

        Who takes a claim back marks what it claimed as changed. These claims carried entries of
        which nothing changed, and were not found.
        """
        for part in parts(claims):
            sql = f"SELECT count(*) FROM claims WHERE number IN ({numbers(part)})"  # noqa: S608 - only numbers
            if count := transaction.one(sql):
                self._tell([f"{count:,} claims are there that an index of them does not show"])
        self.expect_sound(transaction)

    def _pragma(self, transaction: Transaction, check: str) -> list[str]:
        rows = transaction.rows(f"PRAGMA {check}({_FAULTS_TOLD})")
        return [_in_one_line(row[0]) for row in rows if row[0] != "ok"]

    def _check_indexes(self, transaction: Transaction) -> None:
        """Let amcheck compare every index with its table; it raises what it finds."""
        sql = "SELECT has_function_privilege(to_regprocedure(?)::oid, 'EXECUTE')"
        if not transaction.one(sql, (_AMCHECK,)):
            return
        try:
            transaction.rows(_ALL_INDEXES)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") not in _CORRUPTED:
                raise
            self._tell([str(error.orig).partition("\n")[0]])  # after it come hints

    def _tell(self, faults: Sequence[str]) -> None:
        if faults:
            ways = _SQLITE_WAYS if self._db.sqlite else _SERVER_WAYS
            raise StoreError(
                f"{self._db.shown}: the state is damaged ({'; '.join(faults)}), and nothing was "
                f"removed because of it: {ways}"
            )


def _in_one_line(found: object) -> str:
    """Return what SQLite found without the heading that it puts before the first."""
    return " ".join(str(found).replace("*** in database main ***", "").split())
