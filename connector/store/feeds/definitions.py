"""Feeds' marking definitions: each applies to its feed's own objects, until that revokes it.

A file shows all its objects in every run, so earlier definitions no longer count; one that came by
a cursor counts until a newer version arrives. If there are two definitions, both count.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from connector.indicators.markings.definition import (
    Definition,
    KnownMarking,
    marking_from_text,
    marking_to_text,
    meaning_of,
    strictest_of,
)
from connector.indicators.markings.tlp import tlp_of_id
from connector.store.database import Database, marks, parts
from connector.store.transaction import Transaction

_COLUMNS: Final = "id, collection, run, version, gone, body"


class ShownIn(NamedTuple):
    """Where a definition was shown: in which run of which whole collection; 0 and 0 by a cursor."""

    collection: int = 0
    run: int = 0


BY_CURSOR: Final = ShownIn()
_Held = dict[str, dict[int, tuple[int, Definition]]]


class Definitions:
    """Writes marking definitions, and when objects with them may no longer be held."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._moved: dict[int, set[str]] = {}

    def moved(self, feed: int) -> set[str]:
        """Return the markings whose meaning has changed since the last call."""
        return self._moved.pop(feed, set())

    def put(
        self,
        transaction: Transaction,
        feed: int,
        given: Mapping[str, Definition],
        shown: ShownIn = BY_CURSOR,
    ) -> bool:
        """Remember definitions; return whether any changes what may not be held, now or one day.

        Published ids mean what they mean, so nothing is kept under them.
        """
        given = {ref: said for ref, said in given.items() if tlp_of_id(ref) is None}
        held = self._held(transaction, feed, given)
        before = _meanings(held)
        rows = []
        for ref, said in given.items():
            places = held.setdefault(ref, {})
            old = places.get(shown.collection)
            new = (shown.run, said if old is None else _after(*old, said, shown.run))
            if new != old:
                places[shown.collection] = new
                rows.append((feed, ref, shown.collection, *_row(*new)))
        sql = (
            "INSERT INTO markings (feed, id, collection, run, version, gone, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (feed, id, collection) DO UPDATE SET "
            "run = excluded.run, version = excluded.version, gone = excluded.gone, "
            "body = excluded.body"
        )
        transaction.many(sql, rows)
        return self._note_moved(transaction, feed, before, _meanings(held)) if rows else False

    def end_run(self, transaction: Transaction, feed: int, shown: ShownIn) -> bool:
        """Revoke definitions that a whole collection showed before, but not in this run."""
        sql = "SELECT id FROM markings WHERE collection = ? AND run < ? AND gone = 0"
        left = [row[0] for row in transaction.rows(sql, shown)]
        return self.take_back(transaction, feed, left, shown.collection)

    def take_back(
        self,
        transaction: Transaction,
        feed: int,
        refs: Collection[str],
        collection: int = BY_CURSOR.collection,
        *,
        back: bool = False,
    ) -> bool:
        """Stop counting a collection's definitions; with `back`, count them again."""
        if not refs:
            return False
        before = _meanings(self._held(transaction, feed, refs))
        sql = "UPDATE markings SET gone = ? WHERE feed = ? AND id = ? AND collection = ?"
        rows = [(int(not back), feed, ref, collection) for ref in refs]
        transaction.many(sql, rows)
        return self._note_moved(
            transaction, feed, before, _meanings(self._held(transaction, feed, refs))
        )

    def _held(self, transaction: Transaction, feed: int, refs: Collection[str]) -> _Held:
        found: _Held = {}
        for part in parts(list(refs)):
            sql = f"SELECT {_COLUMNS} FROM markings WHERE feed = ? AND id IN ({marks(part)})"  # noqa: S608 - only marks
            for ref, collection, run, version, gone, body in transaction.rows(sql, (feed, *part)):
                said = Definition(marking_from_text(body), version, bool(gone))
                found.setdefault(ref, {})[collection] = (run, said)
        return found

    def _note_moved(
        self,
        transaction: Transaction,
        feed: int,
        before: Mapping[str, KnownMarking | None],
        after: Mapping[str, KnownMarking | None],
    ) -> bool:
        """Follow changed meanings: from when on objects with them may not be held."""
        changed = {ref for ref, meant in after.items() if meant != before.get(ref)}
        known = {ref for ref in changed if before.get(ref) is not None}
        if known:
            self._moved.setdefault(feed, set()).update(known)
        closing = {ref: _closing(after[ref]) for ref in changed}
        closing = {ref: at for ref, at in closing.items() if at != _closing(before.get(ref))}
        reopened = [ref for ref in closing if _closing(before.get(ref)) is not None]
        self._reopen(transaction, feed, reopened)
        rows = [(feed, ref, at[0], at[1], at[0]) for ref, at in closing.items() if at is not None]
        sql = "INSERT INTO disposals (feed, marking, at, spill, turn) VALUES (?, ?, ?, ?, ?)"
        transaction.many(sql, rows)
        return bool(closing)

    def _reopen(self, transaction: Transaction, feed: int, refs: Collection[str]) -> None:
        """Forget a disposition; if objects were lost by it, read the feed again from the start."""
        for part in parts(list(refs)):
            among = f"feed = ? AND marking IN ({marks(part)})"
            sql = f"SELECT max(lost) FROM disposals WHERE {among}"  # noqa: S608 - only marks
            if transaction.one(sql, (feed, *part)):
                sql = "UPDATE feeds SET reread = 1 WHERE number = ?"
                transaction.run(sql, (feed,))
            transaction.run(f"DELETE FROM disposals WHERE {among}", (feed, *part))  # noqa: S608 - only marks


def _meanings(held: _Held) -> dict[str, KnownMarking | None]:
    return {
        ref: meaning_of([said for _run, said in places.values()]) for ref, places in held.items()
    }


def _closing(marking: KnownMarking | None) -> tuple[int, str] | None:
    return None if marking is None else marking.closing


def _row(run: int, said: Definition) -> tuple[int, int, int, str]:
    return run, said.version, int(said.gone), marking_to_text(said.marking)


def _after(run: int, held: Definition, said: Definition, shown: int) -> Definition:
    """Return what one place says of a marking once it has said something more."""
    if said.gone:  # its body may be trimmed
        return held._replace(version=max(held.version, said.version), gone=True)
    if shown > run or (not shown and said.version > held.version):
        return said
    if not shown and said.version < held.version:
        return held
    if held.gone or held.marking == said.marking:
        return said
    return Definition(
        strictest_of(held.marking, said.marking), max(held.version, said.version), gone=False
    )
