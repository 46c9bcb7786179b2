"""The feeds' side of the store: pages of objects with their originals, stored one by one.

One page and the cursor that follows it are one transaction. The latest read version of an object
wins by `(id, modified)`; a revocation is for ever (STIX 2.1 section 3.6).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, Final

import msgspec

from connector.decisions.selection import IndicatorAttributes
from connector.indicators.identity import id_of_key
from connector.indicators.markings.definition import Definition, markings_in
from connector.store.attempts import note_failure, note_success
from connector.store.change_times import note_changes
from connector.store.database import Database, blob, marks, numbers, parts
from connector.store.feeds.alarms import Alarms
from connector.store.feeds.arrivals import Arrivals, StoreResult
from connector.store.feeds.claims import ClaimRows
from connector.store.feeds.compression import Codec
from connector.store.feeds.context import ContextRows
from connector.store.feeds.definitions import BY_CURSOR, Definitions, ShownIn
from connector.store.feeds.disputes import keep_disputes
from connector.store.feeds.gaps import Gaps
from connector.store.feeds.habits import Habits
from connector.store.feeds.inventory import Inventories
from connector.store.feeds.notes import count_notes
from connector.store.feeds.retention import Disposals
from connector.store.feeds.runs import CollectionState, Runs
from connector.store.feeds.staging import Staging
from connector.store.feeds.versions import HeldVersion, ObjectVersion
from connector.store.interning import FeedCodecs, Interned, load_traits
from connector.store.transaction import Transaction

READ_AT_ONCE: Final = 500
_MOST_PRODUCERS: Final = 100
_MOST_STIRRED: Final = 50_000


class ObjectStore:
    """Stores pages of objects; one per process."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.definitions = Definitions(database)
        self._claims = ClaimRows(database)
        self._context = ContextRows(database, self._claims)
        self.runs = Runs(database, self.definitions, self._claims, self._context)
        self.gaps = Gaps(database)
        self.staging = Staging(database)
        self.inventories = Inventories(database, self.runs)
        self.habits = Habits(database)
        self.alarms = Alarms(database)
        self._traits: Interned[IndicatorAttributes] = Interned("attributes")
        self.disposals = Disposals(database, self.runs, self._traits, self._claims, self._context)
        self._codecs = FeedCodecs()

    def reading(self) -> AbstractContextManager[Transaction]:
        """Return a transaction that reads one consistent snapshot."""
        return self._db.read()

    def feed_number(self, name: str) -> int:
        """Return the feed's number, assigned on first use and kept for good."""
        with self._db.write() as transaction:
            number = transaction.one("SELECT number FROM feeds WHERE name = ?", (name,))
            if number is None:
                number = (transaction.one("SELECT max(number) FROM feeds") or 0) + 1
                sql = "INSERT INTO feeds (number, name) VALUES (?, ?)"
                transaction.run(sql, (number, name))
            return int(number)

    def store_page(
        self,
        feed: int,
        collection: CollectionState,
        versions: Iterable[ObjectVersion],
        cursor: str,
        *,
        whole: bool,
        now: int,
        last: bool = False,
        most: int | None = None,
        stays: bool = False,
    ) -> StoreResult:
        """Store a page and the cursor after it in one transaction; a replay changes nothing.

        The last page of a whole collection also withdraws what the run did not show. Of a feed
        that holds as many objects as `most` says, only news of these is taken; the cursor then
        stays before what was not, as it does with `stays`, so that a later run reads it again.
        """
        with self._db.write() as transaction:
            shown = ShownIn(collection.number, collection.run) if whole else BY_CURSOR
            page = self._sort(transaction, feed, versions, shown, now, most)
            self._write(transaction, page)
            self.habits.note(transaction, page)
            count_notes(transaction, feed, page.claims.values())
            if whole:
                self.runs.remember_members(transaction, collection, page.members)
            if whole and last:
                page.stored.withdrawn = self.runs.end_run(transaction, collection)
            if not stays and not page.stored.refused:
                self.runs.move_cursor(transaction, collection, cursor)
            if page.stored.new:
                sql = "UPDATE feeds SET objects = objects + ? WHERE number = ?"
                transaction.run(sql, (page.stored.new, feed))
        return page.stored

    def _sort(
        self,
        transaction: Transaction,
        feed: int,
        versions: Iterable[ObjectVersion],
        shown: ShownIn,
        now: int,
        most: int | None,
    ) -> Arrivals:
        """Sort a page's versions into new objects, changes, and repeats."""
        highest = transaction.one("SELECT max(number) FROM objects") or 0
        page = Arrivals(feed, now, highest + 1, Codec())
        if most is not None:
            sql = "SELECT objects FROM feeds WHERE number = ?"
            page.room = most - (transaction.one(sql, (feed,)) or 0)
        coming = iter(self._that_may_be_held(transaction, feed, versions, now))
        while part := list(islice(coming, READ_AT_ONCE)):
            self._sort_part(transaction, part, page, shown)
        page.stored.marking_refs.update(
            *(_marking_refs(attributes) for attributes in page.attributes)
        )
        return page

    def _that_may_be_held(
        self, transaction: Transaction, feed: int, versions: Iterable[ObjectVersion], now: int
    ) -> Iterable[ObjectVersion]:
        """Return versions without those of a marking that came after they had passed the door."""
        if not self.disposals.closed(transaction, feed, None, now, spills=True):
            return versions
        coming = list(versions)
        marking_refs = {ref for version in coming for ref in markings_in(version.raw)}
        spills = self.disposals.closed(transaction, feed, marking_refs, now, spills=True).keys()
        doubted = [each for each in coming if not spills.isdisjoint(markings_in(each.raw))]
        held = self.disposals.holds(transaction, feed, [each.key for each in doubted])
        gone = {id(each) for each in doubted if each.key not in held}
        return [each for each in coming if id(each) not in gone]

    def _sort_part(
        self,
        transaction: Transaction,
        part: Sequence[ObjectVersion],
        page: Arrivals,
        shown: ShownIn,
    ) -> None:
        """Sort as many as fit into the processor's cache, with everything made from them."""
        if page.room is not None:
            part = self._within_room(transaction, part, page, page.room - page.stored.new)
        markings = {id_of_key(version.key): version.marking for version in part if version.marking}
        if markings:
            page.stored.markings.update(markings)
            self.definitions.put(transaction, page.feed, markings, shown)
        attributes = self._traits_of(transaction, part, page)
        samples = [version.raw for version in part]
        page.codec, page.dictionary = self._codecs.of(transaction, page.feed, samples)
        given = range(page.next_number, page.next_number + len(part))
        page.next_number += len(part)
        known = self._insert(transaction, given, part, attributes, page)
        if not known:
            page.take_new(given, part)
            return
        for number, version in zip(given, part, strict=True):
            held = known[version.key]
            if held.number == number:
                page.take_new((number,), (version,))
            else:
                page.take_again(held, version)

    def _within_room(
        self, transaction: Transaction, part: Sequence[ObjectVersion], page: Arrivals, room: int
    ) -> Sequence[ObjectVersion]:
        """Return the versions for which there is room; updates of held objects need none."""
        if len(part) <= room:
            return part
        taken = set(self._held(transaction, page.feed, [version.key for version in part]))
        kept = []
        for version in part:
            if version.key not in taken and room <= 0:
                page.stored.refused += 1
                continue
            room -= version.key not in taken
            taken.add(version.key)
            kept.append(version)
        return kept

    def _traits_of(
        self, transaction: Transaction, part: Sequence[ObjectVersion], page: Arrivals
    ) -> list[int]:
        """Return the number of each version's attributes; new ones are given one."""
        known = page.attributes
        found = [known.get(version.attributes, 0) for version in part]
        if 0 in found:
            pairs = list(zip(part, found, strict=True))
            fresh = {version.attributes for version, number in pairs if not number}
            known |= self._traits.of(transaction, fresh)
            found = [number or known[version.attributes] for version, number in pairs]
        return found

    def _insert(
        self,
        transaction: Transaction,
        given: range,
        part: Sequence[ObjectVersion],
        attributes: Sequence[int],
        page: Arrivals,
    ) -> dict[bytes, HeldVersion]:
        """Insert objects as if all were new, which nearly all are; else return all as held now.

        An object whose number differs from the one assigned here was held before.
        """
        feed, now = page.feed, page.now
        dictionary, pack = page.dictionary, page.codec.pack
        rows = [
            (number, feed, blob(version.key), version.state, version.modified, version.valid_from,
             version.valid_until, version.confidence, interned, now, dictionary,
             blob(pack(version.raw)))
            for number, version, interned in zip(given, part, attributes, strict=True)
        ]  # fmt: skip
        inserted = transaction.many(
            "INSERT INTO objects (number, feed, key, state, modified, valid_from, valid_until, "
            "confidence, attributes, received, dictionary, packed) "
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (key, feed) DO NOTHING", rows,
        )  # fmt: skip
        if inserted == len(part):
            return {}
        return self._held(transaction, page.feed, [version.key for version in part])

    def _write(self, transaction: Transaction, page: Arrivals) -> None:
        many = transaction.many
        many("UPDATE objects SET state = ?, modified = ?, valid_from = ?, "
             "valid_until = ?, confidence = ?, attributes = ?, received = ?, dictionary = ?, "
             "packed = ? WHERE number = ?",
             list(page.rewritten.values()))  # fmt: skip
        many("UPDATE objects SET state = ?, modified = ?, valid_from = NULL, "
             "valid_until = NULL, confidence = NULL, dictionary = ?, packed = ? WHERE number = ?",
             list(page.spoiled.values()))  # fmt: skip
        states = [(state, number) for number, state in page.states.items()]
        many("UPDATE objects SET state = ? WHERE number = ?", states)
        keep_disputes(transaction, page.disputes)
        touched = self._claims.next_change(transaction)
        self._claims.put(transaction, page.claims, page.replaced, touched)
        self._claims.mark_changed(transaction, page.stirred, touched)
        self._context.take(transaction, page.feed, page.told, page.restated, page.fresh, touched)

    def _held(
        self, transaction: Transaction, feed: int, keys: Sequence[bytes]
    ) -> dict[bytes, HeldVersion]:
        found: dict[bytes, HeldVersion] = {}
        rows: list[Any] = []
        for part in parts(keys):
            sql = (
                "SELECT o.key, o.number, o.state, o.modified, d.modified, o.attributes "  # noqa: S608 - only marks
                "FROM objects o LEFT JOIN disputes d ON d.object = o.number "
                f"WHERE o.feed = ? AND o.key IN ({marks(part)})"
            )
            rows += transaction.rows(sql, (feed, *part))
        creators = load_traits(transaction, {row[-1] for row in rows})
        for key, number, state, modified, disputed, attributes in rows:
            said = creators[attributes]
            found[bytes(key)] = HeldVersion(
                number, state, modified, said.created_by, disputed, said.markings
            )
        return found

    def add_markings(
        self, feed: int, markings: Mapping[str, Definition], shown: ShownIn = BY_CURSOR
    ) -> None:
        """Store a feed's marking definitions."""
        with self._db.write() as transaction:
            self.definitions.put(transaction, feed, markings, shown)

    def begin_poll(self, feed: int) -> None:
        """Forget the cursors of a feed that took back what had turned objects of it away."""
        sql = "SELECT reread FROM feeds WHERE number = ?"
        with self._db.read() as transaction:
            reread = transaction.one(sql, (feed,))
        if reread:
            with self._db.write() as transaction:
                sql = "UPDATE collections SET cursor = NULL WHERE feed = ?"
                transaction.run(sql, (feed,))
                transaction.run("UPDATE feeds SET reread = 0 WHERE number = ?", (feed,))

    def delete_unreferenced(self) -> int:
        """Drop the contexts that no object has any more.

        No index leads from a context to its objects, so this reads all of them: it is meant
        for a start, when all lists are decided again as well.
        """
        with self._db.write() as transaction:
            return self._traits.delete_unreferenced(
                transaction
            ) + self._context.delete_unreferenced(transaction)

    def mark_changed_of(self, producers: Collection[str]) -> bool:
        """Touch all that producers' indicators claim; False where that is no less than everything.

        No index leads there: what is said of a producer late is said once, and each object would
        have to pay for it.
        """
        if len(producers) > _MOST_PRODUCERS:
            return False
        heads = [f"[{msgspec.json.encode(producer).decode()}," for producer in producers]
        said = " OR ".join(f"substr(body, 1, {len(head)}) = ?" for head in heads)
        with self._db.write() as transaction:
            sql = f"SELECT number FROM attributes WHERE {said} LIMIT {_MOST_STIRRED + 1}"  # noqa: S608 - only marks and numbers
            interned = [row[0] for row in transaction.rows(sql, heads)]
            if len(interned) > _MOST_STIRRED:
                return False
            limit = f"LIMIT {_MOST_STIRRED + 1}"
            sql = f"SELECT number FROM objects WHERE attributes IN ({numbers(interned)}) {limit}"  # noqa: S608 - only numbers
            objects = [row[0] for row in transaction.rows(sql)]
            if len(objects) > _MOST_STIRRED:
                return False
            self._claims.mark_changed(transaction, objects, self._claims.next_change(transaction))
        return True

    def resume(self, names: Collection[str]) -> None:
        """Resume paused feeds: the file was reloaded, so the cause of the refusal may be fixed."""
        with self._db.write() as transaction:
            for name in names:
                sql = "UPDATE feeds SET paused = NULL WHERE name = ? AND paused IS NOT NULL"
                transaction.run(sql, (name,))

    def note_attempt(
        self, feed: int, now: int, error: str | None, paused: str | None = None
    ) -> None:
        """Record how a poll ended."""
        with self._db.write() as transaction:
            if error is None:
                note_success(transaction, "feeds", feed, now)
            else:
                note_failure(transaction, "feeds", feed, now, (error, paused))
            note_changes(transaction, self._claims.next_change(transaction) - 1, now)


def _marking_refs(attributes: IndicatorAttributes) -> Iterator[str]:
    yield from attributes.markings
    yield from (ref for ref, _selectors in attributes.partly)
