"""What was done, to which entries and why: only ever appended to."""

from collections.abc import Sequence
from typing import Any

import msgspec
import zstandard

from connector.store.database import Database


class Audit:
    """Keeps one row for whatever was written, removed, held, accepted or allowed."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def record(
        self, output: str, action: str, plan: str, result: str, entries: Sequence[Sequence[Any]],
        now: int,
    ) -> None:  # fmt: skip
        """Append time, output, action, plan, result and the entries concerned."""
        body = zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(entries))
        with self._db.write() as transaction:
            number = (transaction.one("SELECT max(number) FROM audit") or 0) + 1
            sql = (
                "INSERT INTO audit (number, at, output, action, plan, result, count, entries) "
                "VALUES (?,?,?,?,?,?,?,?)"
            )
            row = (number, now, output, action, plan, result, len(entries), body)
            transaction.run(sql, row)
