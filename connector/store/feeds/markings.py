"""Marking definitions by feed and id, read when they are asked for."""

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from threading import Lock
from typing import Final

from connector.indicators.markings.definition import (
    Definition,
    KnownMarking,
    marking_from_text,
    meaning_of,
)
from connector.store.database import Database

_HELD: Final = 200_000

# Producers give every object a marking of its own; what they say is nearly always the same.
_read = lru_cache(maxsize=10_000)(marking_from_text)


class KeptMarkings:
    """What each feed means by its markings; no feed defines those of another."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._feeds: dict[int, FeedMarkings] = {}

    def of(self, feed: int) -> "FeedMarkings":
        """Return the markings that a feed defined."""
        return self._feeds.setdefault(feed, FeedMarkings(self._db, feed))


class FeedMarkings(Mapping[str, KnownMarking]):
    """Every marking that one feed defined; bounded in memory, however many there are."""

    def __init__(self, database: Database, feed: int) -> None:
        self._db = database
        self._feed = feed
        self._held: dict[str, KnownMarking | None] = {}
        self._missed: set[int] = set()
        self._looks = 0
        self._keeping = Lock()

    def __getitem__(self, ref: str) -> KnownMarking:
        try:
            found = self._held[ref]
        except KeyError:
            found = self._look(ref)
        if found is None:
            raise KeyError(ref)
        return found

    def _look(self, ref: str) -> KnownMarking | None:
        """Find a marking and remember the answer, unless it may have come since."""
        looks = self._looks
        missed = hash(ref)  # of many that never come; two alike only cost a judgement too many
        with self._keeping:  # before looking: one that comes meanwhile has been asked for in vain
            self._missed.add(missed)
        found = self._find(ref)
        with self._keeping:
            if found is not None:
                self._missed.discard(missed)
            if looks == self._looks:
                if len(self._held) >= _HELD:
                    self._held.clear()
                self._held[ref] = found
        return found

    def _find(self, ref: str) -> KnownMarking | None:
        with self._db.read() as transaction:
            sql = "SELECT body, version, gone FROM markings WHERE feed = ? AND id = ?"
            rows = transaction.rows(sql, (self._feed, ref))
        return meaning_of([Definition(_read(row[0]), row[1], bool(row[2])) for row in rows])

    def look_again(self, refs: Collection[str]) -> bool:
        """Forget that these were missing; return whether any of them had been requested."""
        with self._keeping:
            self._looks += 1
            for ref in refs:
                self._held.pop(ref, None)
            asked = self._missed.intersection(map(hash, refs))
            self._missed -= asked
        return bool(asked)

    def __iter__(self) -> Iterator[str]:
        with self._db.read() as transaction:
            sql = "SELECT DISTINCT id FROM markings WHERE feed = ?"
            rows = transaction.rows(sql, (self._feed,))
        return iter([row[0] for row in rows])

    def __len__(self) -> int:
        with self._db.read() as transaction:
            sql = "SELECT count(DISTINCT id) FROM markings WHERE feed = ?"
            return int(transaction.one(sql, (self._feed,)))
