"""Pages of an unfinished run, set aside until it is complete and counts as a whole."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import zstandard

from connector.indicators.markings.definition import markings_in
from connector.store.database import Database

_LEVEL: Final = -3  # quick: a page waits here for seconds


@dataclass(frozen=True, slots=True)
class Standing:
    """The progress of a run that is set aside; `ended` means that it is complete."""

    cursor: str
    ended: bool
    pages: int


@dataclass(frozen=True, slots=True)
class StagedPage:
    """A page that is set aside, with the cursor that follows it."""

    number: int
    objects: Sequence[bytes]
    cursor: str
    ended: bool


class Staging:
    """Sets pages aside by collection; each is one transaction, so a crash loses at most one."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def standing(self, collection: int) -> Standing | None:
        """Return the progress of the unfinished run, or None if no page is set aside."""
        sql = "SELECT number, cursor, ended FROM staged_pages WHERE collection = ? ORDER BY number"
        with self._db.read() as transaction:
            last = transaction.rows(f"{sql} DESC LIMIT 1", (collection,))
            asked = "SELECT count(*) FROM staged_pages WHERE collection = ?"
            count = transaction.one(asked, (collection,))
        return Standing(last[0][1], bool(last[0][2]), count) if last else None

    def put(
        self,
        collection: int,
        objects: Sequence[bytes],
        cursor: str,
        *,
        ended: bool,
        again: bool = False,
    ) -> None:
        """Set a page aside; with `again`, one that is there already is not kept twice.

        A server that always fails at one place gives the pages before it at every poll.
        """
        packed = _packed(objects)
        with self._db.write() as transaction:
            if again and not ended:
                sql = (
                    "SELECT 1 FROM staged_pages WHERE collection = ? AND cursor = ? AND packed = ?"
                )
                if transaction.one(sql, (collection, cursor, packed)):
                    return
            sql = "SELECT max(number) FROM staged_pages WHERE collection = ?"
            number = (transaction.one(sql, (collection,)) or 0) + 1
            sql = (
                "INSERT INTO staged_pages (collection, number, cursor, ended, packed) "
                "VALUES (?, ?, ?, ?, ?)"
            )
            transaction.run(sql, (collection, number, cursor, int(ended), packed))

    def pages(self, collection: int) -> Iterator[StagedPage]:
        """Yield the pages set aside, in order, one in memory at a time."""
        number = 0
        sql = (
            "SELECT number, packed, cursor, ended FROM staged_pages "
            "WHERE collection = ? AND number > ? ORDER BY number LIMIT 1"
        )
        while True:
            with self._db.read() as transaction:
                rows = transaction.rows(sql, (collection, number))
            if not rows:
                return
            number, packed, cursor, ended = rows[0]
            yield StagedPage(number, _unpacked(packed), cursor, bool(ended))

    def purge(self, feed: int, refs: Collection[str]) -> int:
        """Take a feed's objects that name any of these out of its pages; return how many."""
        wanted = frozenset(refs)
        purged = 0
        with self._db.write(erases=True) as transaction:
            sql = (
                "SELECT p.collection, p.number FROM staged_pages p "
                "JOIN collections c ON c.number = p.collection WHERE c.feed = ?"
            )
            for place in transaction.rows(sql, (feed,)):
                at = "WHERE collection = ? AND number = ?"
                held = transaction.one(f"SELECT packed FROM staged_pages {at}", place)  # noqa: S608 - a fixed condition
                objects = _unpacked(held)
                kept = [raw for raw in objects if wanted.isdisjoint(markings_in(raw))]
                if len(kept) < len(objects):
                    purged += len(objects) - len(kept)
                    sql = f"UPDATE staged_pages SET packed = ? {at}"  # noqa: S608 - a fixed condition
                    transaction.run(sql, (_packed(kept), *place))
        return purged

    def drop(self, collection: int, up_to: int | None = None) -> None:
        """Forget pages that are applied; all of them when no number is given."""
        with self._db.write() as transaction:
            sql = "DELETE FROM staged_pages WHERE collection = ?"
            if up_to is None:
                transaction.run(sql, (collection,))
            else:
                transaction.run(f"{sql} AND number <= ?", (collection, up_to))


def _packed(objects: Sequence[bytes]) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(msgspec.msgpack.encode(list(objects)))


def _unpacked(packed: bytes) -> list[bytes]:
    content = zstandard.ZstdDecompressor().decompress(bytes(packed))
    return msgspec.msgpack.decode(content, type=list[bytes])
