"""Removes objects from the store that may no longer be held, except what prevents replays.

A marking applies to objects of the feed that defined it. A disposition date (ACS 3.0) passes by
time alone. The id, version and creator of such an object remain, so that no replay brings it back,
and so do its claims without their contents, so that every count stays exact. A value that nothing
else claims is removed once no target holds it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from connector.decisions.records import ObjectState
from connector.decisions.selection import IndicatorAttributes
from connector.indicators.context import NOTHING_TOLD
from connector.indicators.markings.definition import markings_in
from connector.store.database import Database, marks, numbers, parts
from connector.store.feeds.claims import ClaimRows
from connector.store.feeds.compression import Codec
from connector.store.feeds.context import ContextRows
from connector.store.feeds.runs import Runs
from connector.store.interning import Interned, load_codec, load_traits
from connector.store.transaction import Transaction

HOUR: Final = 3_600_000_000
_PART: Final = 1000
# What was taken back stays so, and what nobody could read stays counted as that.
_KEPT_STATES: Final = f"{int(ObjectState.REVOKED)}, {int(ObjectState.UNREADABLE)}"


class Due(NamedTuple):
    """A marking whose objects a feed must be searched for; `spill` says why none may be held."""

    feed: int
    marking: str
    spill: str = ""
    waits: bool = False


class Disposals:
    """When objects may no longer be held by their markings, and their removal."""

    def __init__(
        self,
        database: Database,
        runs: Runs,
        attributes: Interned[IndicatorAttributes],
        claims: ClaimRows,
        context: ContextRows,
    ) -> None:
        self._db = database
        self._runs = runs
        self._traits = attributes
        self._claims = claims
        self._context = context

    def closed(
        self,
        transaction: Transaction,
        feed: int,
        refs: Collection[str] | None,
        now: int,
        *,
        spills: bool = False,
    ) -> dict[str, str]:
        """Return the feed's markings that admit no objects now; with the reason if they never do.

        With None for `refs` it says of any one whether there are some; `spills` leaves out dates.
        """
        which = "feed = ? AND at <= ?" + (" AND spill <> ''" if spills else "")
        sql = f"SELECT marking, spill FROM disposals WHERE {which}"  # noqa: S608 - fixed conditions
        if refs is None:
            return dict(map(tuple, transaction.rows(f"{sql} LIMIT 1", (feed, now))))
        found: dict[str, str] = {}
        for part in parts(list(refs)):
            among = f"{sql} AND marking IN ({marks(part)})"
            found.update(map(tuple, transaction.rows(among, (feed, now, *part))))
        return found

    def holds(self, transaction: Transaction, feed: int, keys: Collection[bytes]) -> set[bytes]:
        """Return the objects of a feed that are held with all their contents."""
        found: set[bytes] = set()
        for part in parts(list(keys)):
            sql = (
                "SELECT key FROM objects WHERE packed IS NOT NULL AND feed = ? "  # noqa: S608 - only marks
                f"AND key IN ({marks(part)})"
            )
            found.update(bytes(row[0]) for row in transaction.rows(sql, (feed, *part)))
        return found

    def count(self, feed: int) -> int:
        """Return how many objects of a feed are held with all their contents."""
        sql = "SELECT count(*) FROM objects WHERE feed = ? AND packed IS NOT NULL"
        with self._db.read() as transaction:
            return int(transaction.one(sql, (feed,)))

    def turned_away(self, feed: int, refs: Collection[str]) -> None:
        """Note that these markings cost us objects: if they end, the feed is read again."""
        with self._db.write() as transaction:
            for part in parts(sorted(refs)):
                sql = (
                    "UPDATE disposals SET lost = 1 WHERE lost = 0 AND feed = ? "  # noqa: S608 - only marks
                    f"AND marking IN ({marks(part)})"
                )
                transaction.run(sql, (feed, *part))

    def due(self, now: int) -> list[Due]:
        """Return the markings whose objects the store must be searched for now."""
        with self._db.read() as transaction:
            sql = (
                "SELECT feed, marking, spill, since IS NOT NULL FROM disposals WHERE turn <= ? "
                "ORDER BY feed, marking"
            )
            return [
                Due(row[0], row[1], row[2], waits=bool(row[3]))
                for row in transaction.rows(sql, (now,))
            ]

    def waiting(self, feed: int) -> list[Due]:
        """Return a feed's markings whose objects are waiting for a person to delete them."""
        with self._db.read() as transaction:
            sql = (
                "SELECT feed, marking, spill FROM disposals WHERE feed = ? AND since IS NOT NULL "
                "ORDER BY marking"
            )
            return [
                Due(row[0], row[1], row[2], waits=True) for row in transaction.rows(sql, (feed,))
            ]

    def wait(self, feed: int, counts: Mapping[str, int], now: int) -> None:
        """Set these markings aside for a person, with the number of objects of each."""
        sql = (
            "UPDATE disposals SET waiting = ?, since = coalesce(since, ?), turn = ? "
            "WHERE feed = ? AND marking = ?"
        )
        rows = [(count, now, now + HOUR, feed, ref) for ref, count in sorted(counts.items())]
        with self._db.write() as transaction:
            transaction.many(sql, rows)

    def bearing(self, feed: int, refs: Collection[str]) -> dict[int, frozenset[str]]:
        """Return a feed's objects with one of these markings, by reading all its objects.

        There is no index for this: every object would pay for a rare case.
        """
        wanted = frozenset(refs)
        with self._db.read() as transaction:
            return {
                number: found
                for number, raw in self._originals(transaction, feed)
                if (found := wanted & markings_in(raw))
            }

    def dispose(self, feed: int, objects: Collection[int]) -> None:
        """Reduce a feed's objects to what prevents replays, in parts that are complete."""
        for part in parts(sorted(objects), _PART):
            with self._db.write(erases=True) as transaction:
                touched = self._claims.next_change(transaction)
                self._let_go(transaction, feed, part, touched)
                self._strip(transaction, part)
                self._claims.mark_changed(transaction, part, touched)

    def purge(self, feed: int, objects: Collection[int]) -> None:
        """Remove every trace of objects of a feed."""
        for part in parts(sorted(objects), _PART):
            with self._db.write(erases=True) as transaction:
                touched = self._claims.next_change(transaction)
                self._let_go(transaction, feed, part, touched)
                self._runs.forget_objects(transaction, part, touched)
                sql = f"DELETE FROM nodes WHERE object IN ({numbers(part)})"  # noqa: S608 - only numbers
                transaction.run(sql)
        self._db.checkpoint_wal()

    def finish(self, feed: int, refs: Collection[str], lost: Collection[str], now: int) -> None:
        """Put these markings off: the store is searched once more, and then never again.

        A page that was let in the moment before may have been written the moment after.
        """
        sql = (
            "UPDATE disposals SET turn = CASE WHEN turn = at OR since IS NOT NULL THEN ? END, "
            "waiting = NULL, since = NULL, lost = CASE WHEN ? = 1 THEN 1 ELSE lost END "
            "WHERE feed = ? AND marking = ?"
        )
        rows = [(now + HOUR, int(ref in lost), feed, ref) for ref in sorted(refs)]
        with self._db.write() as transaction:
            transaction.many(sql, rows)

    def scrub(self) -> int:
        """Forget values that nobody claims in words any more and no target holds; return how many.

        Their rows stay without them: lists and ledgers know observables by number.
        """
        with self._db.read() as transaction:
            rows = transaction.rows("SELECT observable FROM disposed_values")
        done = 0
        for part in parts([row[0] for row in rows], _PART):
            with self._db.write(erases=True) as transaction:
                claimed = self._claimed(transaction, part)
                left = [number for number in part if number not in claimed]
                waiting = self._held(transaction, left)
                gone = [number for number in left if number not in waiting]
                sql = "UPDATE observables SET key = ?, value = '' WHERE number = ?"
                keys = [(b"\0" + number.to_bytes(8, "big"), number) for number in gone]
                transaction.many(sql, keys)
                settled = numbers((*claimed, *gone))
                sql = f"DELETE FROM disposed_values WHERE observable IN ({settled})"  # noqa: S608 - only numbers
                transaction.run(sql)
            done += len(gone)
        if done:
            self._db.checkpoint_wal()
        return done

    def _let_go(
        self, transaction: Transaction, feed: int, objects: Sequence[int], touched: int
    ) -> None:
        """Revoke what objects say about others, and remember the values that they claim."""
        held = numbers(objects)
        sql = f"SELECT object, key FROM nodes WHERE object IN ({held})"  # noqa: S608 - only numbers
        told = {row[0]: (bytes(row[1]), NOTHING_TOLD) for row in transaction.rows(sql)}
        self._context.take(transaction, feed, told, told, (), touched)
        sql = (
            "INSERT INTO disposed_values (observable) SELECT DISTINCT observable FROM claims "  # noqa: S608 - only numbers
            f"WHERE observable > 0 AND object IN ({held}) ON CONFLICT (observable) DO NOTHING"
        )
        transaction.run(sql)

    def _strip(self, transaction: Transaction, objects: Sequence[int]) -> None:
        """Reduce objects to what distinguishes them from their updates."""
        held = numbers(objects)
        sql = f"SELECT number, attributes FROM objects WHERE number IN ({held})"  # noqa: S608 - only numbers
        old = dict(map(tuple, transaction.rows(sql)))
        said = load_traits(transaction, set(old.values()))
        bare = {
            number: IndicatorAttributes(
                said[attributes].created_by, markings=said[attributes].markings
            )
            for number, attributes in old.items()
        }
        given = self._traits.of(transaction, set(bare.values()))
        sql = (
            f"UPDATE objects SET state = CASE WHEN state IN ({_KEPT_STATES}) THEN state "  # noqa: S608 - our own numbers
            f"ELSE {int(ObjectState.DISPOSED)} END, valid_from = NULL, valid_until = NULL, "
            "confidence = NULL, attributes = ?, dictionary = NULL, packed = NULL WHERE number = ?"
        )
        rows = [(given[attributes], number) for number, attributes in bare.items()]
        transaction.many(sql, rows)
        fresh = set(given.values())
        self._forget_traits(
            transaction, {attributes for attributes in old.values() if attributes not in fresh}
        )
        sql = f"UPDATE claims SET why = '' WHERE object IN ({held})"  # noqa: S608 - only numbers
        transaction.run(sql)

    def _forget_traits(self, transaction: Transaction, left: Collection[int]) -> None:
        """Overwrite the labels and types that no other object has."""
        sql = f"SELECT DISTINCT attributes FROM objects WHERE attributes IN ({numbers(left)})"  # noqa: S608 - only numbers
        others = {row[0] for row in transaction.rows(sql)}
        self._traits.forget(transaction, [number for number in left if number not in others])

    def _claimed(self, transaction: Transaction, observables: Sequence[int]) -> set[int]:
        """Return the observables claimed by objects whose contents we hold."""
        sql = (
            "SELECT DISTINCT c.observable FROM claims c "  # noqa: S608 - only numbers
            "JOIN objects o ON o.number = c.object AND o.packed IS NOT NULL "
            f"WHERE c.observable IN ({numbers(observables)})"
        )
        return {row[0] for row in transaction.rows(sql)}

    def _held(self, transaction: Transaction, observables: Sequence[int]) -> set[int]:
        """Return the observables that a list wants, or that are in a ledger."""
        found: set[int] = set()
        among = f"observable IN ({numbers(observables)})"
        for owners, sql in (
            ("lists", f"SELECT observable FROM entries WHERE list = ? AND wanted = 1 AND {among}"),  # noqa: S608 - only numbers
            ("outputs", f"SELECT observable FROM ledger WHERE output = ? AND {among}"),  # noqa: S608 - only numbers
        ):
            for (owner,) in transaction.rows(f"SELECT number FROM {owners}"):  # noqa: S608 - our own tables
                found.update(row[0] for row in transaction.rows(sql, (owner,)))
        return found

    def _originals(self, transaction: Transaction, feed: int) -> Iterator[tuple[int, bytes]]:
        codecs: dict[int, Codec] = {}
        sql = "SELECT number, dictionary, packed FROM objects WHERE feed = ? AND packed IS NOT NULL"
        for number, dictionary, packed in transaction.stream(sql, (feed,)):
            codec = load_codec(transaction, codecs, dictionary)
            yield number, codec.unpack(bytes(packed))
