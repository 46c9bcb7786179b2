"""Whether our records can be trusted: damage on the disk may hide rows without any error.

An index that had lost three bytes no longer showed 493 of 4,000 claims, and their entries would
have been removed.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from connector.errors import StoreError
from connector.store.database import Database, numbers, parts
from connector.store.transaction import Transaction

_BELIEVED_SECONDS: Final = 600.0


class Soundness:
    """Checks the database before any unexplained removal."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._db = database
        self._monotonic = monotonic
        self._believed_until = float("-inf")

    def expect_readable(self) -> None:
        """Raise StoreError where SQLite's file is not whole: what every start looks at.

        It reads each page once, and compares no index with its table.
        """
        with self._db.read() as transaction:
            self._tell(self._db.page_faults(transaction))

    def expect_sound(self, transaction: Transaction) -> None:
        """Raise StoreError where an index and its table differ.

        A state that was found sound is believed for ten minutes. PostgreSQL is asked where its
        extension amcheck is there and we may use it.
        """
        if self._monotonic() < self._believed_until:
            return
        self._tell(self._db.index_faults(transaction))
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

    def _tell(self, faults: Sequence[str]) -> None:
        if faults:
            raise StoreError(
                f"{self._db.shown}: the state is damaged ({'; '.join(faults)}), and nothing was "
                f"removed because of it: {self._db.repair}"
            )
