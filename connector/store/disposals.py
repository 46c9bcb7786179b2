"""What may not be held any more is taken out of the store, but for what keeps it out.

A disposition date (ACS 3.0) comes by time alone. Of an object that bears one, what remains is its
id, version and creator, so that no replay brings it back, and its claims without a word of theirs,
so that every count stays exact. A value that nothing else claims goes once no target holds it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from connector.decisions.policy import State
from connector.decisions.selection import Traits
from connector.indicators.context import NOTHING_TOLD, Told
from connector.indicators.known_marking import KnownMarking, markings_in
from connector.store.claims import ClaimRows
from connector.store.compression import Codec
from connector.store.context import ContextRows
from connector.store.database import Database, numbers, parts
from connector.store.interning import Interned, load_codec, load_traits
from connector.store.runs import Runs
from connector.store.staging import Staging

HOUR: Final = 3_600_000_000
_PART: Final = 1000
_NEVER: Final = (1 << 62) - 1
# What was taken back stays so, and what nobody could read stays counted as that.
_KEPT_STATES: Final = f"{int(State.REVOKED)}, {int(State.UNREADABLE)}"


class Disposals:
    """When markings let go of what bears them, and how it leaves the store."""

    def __init__(
        self,
        database: Database,
        runs: Runs,
        staging: Staging,
        traits: Interned[Traits],
        claims: ClaimRows,
        context: ContextRows,
    ) -> None:
        self._db = database
        self._runs = runs
        self._staging = staging
        self._traits = traits
        self._claims = claims
        self._context = context
        self._past: frozenset[str] = frozenset()
        self._next = 0

    def expect(self, connection: Connection, markings: Mapping[str, KnownMarking]) -> None:
        """Note the dates of markings that have one; of two, the earlier counts."""
        rows = [
            (ref, marking.acs.disposal, marking.acs.disposal)
            for ref, marking in markings.items()
            if marking.acs is not None and marking.acs.disposal is not None
        ]
        sql = (
            "INSERT INTO disposals (marking, at, turn) VALUES (?, ?, ?) "
            "ON CONFLICT (marking) DO UPDATE SET at = excluded.at, turn = excluded.turn "
            "WHERE excluded.at < disposals.at"
        )
        self._db.many(connection, sql, rows)

    def look_again(self) -> None:
        """Read the dates anew: others have been noted."""
        self._next = 0

    def past(self, now: int) -> frozenset[str]:
        """Return the markings whose date has come: nothing that bears them enters any more."""
        if now >= self._next:
            with self._db.read() as connection:
                sql = "SELECT marking FROM disposals WHERE at <= ?"
                rows = self._db.rows(connection, sql, (now,))
                turn = self._db.one(
                    connection, "SELECT min(at) FROM disposals WHERE at > ?", (now,)
                )
            self._past = frozenset(row[0] for row in rows)
            self._next = turn or _NEVER
        return self._past

    def due(self, now: int) -> list[str]:
        """Return the markings for whose objects the store is to be searched now."""
        with self._db.read() as connection:
            sql = "SELECT marking FROM disposals WHERE turn <= ? ORDER BY marking"
            return [row[0] for row in self._db.rows(connection, sql, (now,))]

    def bearing(self, refs: Collection[str]) -> dict[int, frozenset[str]]:
        """Return the objects that bear one of these markings; it looks at all that is held.

        No index leads there: every object would have to pay for what few ever come to.
        """
        wanted = frozenset(refs)
        with self._db.read() as connection:
            return {
                number: found
                for number, raw in self._originals(connection)
                if (found := wanted & markings_in(raw))
            }

    def dispose(self, objects: Collection[int], refs: Collection[str]) -> None:
        """Purge objects, and what waits of their kind; a part at a time, each whole."""
        self._staging.purge(refs)
        for part in parts(sorted(objects), _PART):
            with self._db.write(erases=True) as connection:
                touched = self._claims.next_touch(connection)
                self._let_go(connection, part, touched)
                self._strip(connection, part)
                self._claims.stir(connection, part, touched)

    def settle(self, refs: Collection[str], now: int) -> None:
        """Put these markings off: the store is searched once more, and then never again.

        A page that was let in the moment before may have been written the moment after.
        """
        with self._db.write() as connection:
            for part in parts(sorted(refs), _PART):
                sql = "UPDATE disposals SET turn = CASE WHEN turn = at THEN ? END WHERE marking = ?"
                later = [(now + HOUR, ref) for ref in part]
                self._db.many(connection, sql, later)

    def purge(self, refs: Collection[str]) -> int:
        """Remove every trace of objects that bear these markings; return how many there were."""
        borne = sorted(self.bearing(refs))
        for part in parts(borne, _PART):
            with self._db.write(erases=True) as connection:
                touched = self._claims.next_touch(connection)
                self._let_go(connection, part, touched)
                self._runs.forget_objects(connection, part, touched)
                sql = f"DELETE FROM nodes WHERE object IN ({numbers(part)})"  # noqa: S608 - only numbers
                self._db.run(connection, sql)
        self._db.fold_log()
        return len(borne) + self._staging.purge(refs)

    def scrub(self) -> int:
        """Forget values that nobody claims in words any more and no target holds; return how many.

        Their rows stay without them: lists and ledgers know observables by number.
        """
        with self._db.read() as connection:
            rows = self._db.rows(connection, "SELECT observable FROM disposed_values")
        done = 0
        for part in parts([row[0] for row in rows], _PART):
            with self._db.write(erases=True) as connection:
                claimed = self._claimed(connection, part)
                left = [number for number in part if number not in claimed]
                waiting = self._held(connection, left)
                gone = [number for number in left if number not in waiting]
                sql = "UPDATE observables SET key = ?, value = '' WHERE number = ?"
                keys = [(b"\0" + number.to_bytes(8, "big"), number) for number in gone]
                self._db.many(connection, sql, keys)
                settled = numbers((*claimed, *gone))
                sql = f"DELETE FROM disposed_values WHERE observable IN ({settled})"  # noqa: S608 - only numbers
                self._db.run(connection, sql)
            done += len(gone)
        if done:
            self._db.fold_log()
        return done

    def _let_go(self, connection: Connection, objects: Sequence[int], touched: int) -> None:
        """Take back what objects say of others, and remember the values that they claim."""
        held = numbers(objects)
        sql = (
            "SELECT o.feed, n.object, n.key FROM nodes n JOIN objects o ON o.number = n.object "  # noqa: S608 - only numbers
            f"WHERE n.object IN ({held})"
        )
        told: dict[int, dict[int, tuple[bytes, Told]]] = {}
        for feed, number, key in self._db.rows(connection, sql):
            told.setdefault(feed, {})[number] = (bytes(key), NOTHING_TOLD)
        for feed, said in told.items():
            self._context.take(connection, feed, said, said, (), touched)
        sql = (
            "INSERT INTO disposed_values (observable) SELECT DISTINCT observable FROM claims "  # noqa: S608 - only numbers
            f"WHERE observable > 0 AND object IN ({held}) ON CONFLICT (observable) DO NOTHING"
        )
        self._db.run(connection, sql)

    def _strip(self, connection: Connection, objects: Sequence[int]) -> None:
        """Leave of objects what tells them apart from news of them."""
        held = numbers(objects)
        sql = f"SELECT number, traits FROM objects WHERE number IN ({held})"  # noqa: S608 - only numbers
        old = dict(map(tuple, self._db.rows(connection, sql)))
        said = load_traits(self._db, connection, set(old.values()))
        bare = {
            number: Traits(said[traits].created_by, markings=said[traits].markings)
            for number, traits in old.items()
        }
        given = self._traits.of(connection, set(bare.values()))
        sql = (
            f"UPDATE objects SET state = CASE WHEN state IN ({_KEPT_STATES}) THEN state "  # noqa: S608 - our own numbers
            f"ELSE {int(State.DISPOSED)} END, valid_from = NULL, valid_until = NULL, "
            "confidence = NULL, traits = ?, dictionary = NULL, packed = NULL WHERE number = ?"
        )
        rows = [(given[traits], number) for number, traits in bare.items()]
        self._db.many(connection, sql, rows)
        fresh = set(given.values())
        self._forget_traits(connection, {traits for traits in old.values() if traits not in fresh})
        sql = f"UPDATE claims SET why = '' WHERE object IN ({held})"  # noqa: S608 - only numbers
        self._db.run(connection, sql)

    def _forget_traits(self, connection: Connection, left: Collection[int]) -> None:
        """Overwrite the labels and types that no other object has."""
        sql = f"SELECT DISTINCT traits FROM objects WHERE traits IN ({numbers(left)})"  # noqa: S608 - only numbers
        others = {row[0] for row in self._db.rows(connection, sql)}
        self._traits.forget(connection, [number for number in left if number not in others])

    def _claimed(self, connection: Connection, observables: Sequence[int]) -> set[int]:
        """Return the observables that an object claims whose words we hold."""
        sql = (
            "SELECT DISTINCT c.observable FROM claims c "  # noqa: S608 - only numbers
            "JOIN objects o ON o.number = c.object AND o.packed IS NOT NULL "
            f"WHERE c.observable IN ({numbers(observables)})"
        )
        return {row[0] for row in self._db.rows(connection, sql)}

    def _held(self, connection: Connection, observables: Sequence[int]) -> set[int]:
        """Return the observables that a list wants, or that a ledger speaks of."""
        found: set[int] = set()
        among = f"observable IN ({numbers(observables)})"
        for owners, sql in (
            ("lists", f"SELECT observable FROM entries WHERE list = ? AND wanted = 1 AND {among}"),  # noqa: S608 - only numbers
            ("outputs", f"SELECT observable FROM ledger WHERE output = ? AND {among}"),  # noqa: S608 - only numbers
        ):
            for (owner,) in self._db.rows(connection, f"SELECT number FROM {owners}"):  # noqa: S608 - our own tables
                found.update(row[0] for row in self._db.rows(connection, sql, (owner,)))
        return found

    def _originals(self, connection: Connection) -> Iterator[tuple[int, bytes]]:
        codecs: dict[int, Codec] = {}
        sql = "SELECT number, dictionary, packed FROM objects WHERE packed IS NOT NULL"
        for number, dictionary, packed in self._db.stream(connection, sql):
            codec = load_codec(self._db, connection, codecs, dictionary)
            yield number, codec.unpack(bytes(packed))
