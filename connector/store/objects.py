"""The feeds' side of the store: objects, originals, observables, claims and cursors.

One page and the cursor that follows it are one transaction. The latest read version of an object
wins by `(id, modified)`; a revocation is for ever (STIX 2.1 section 3.6).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from sqlalchemy import Connection

from connector.decisions.policy import Kind, State, Traits
from connector.indicators.keys import key_of
from connector.model import Claim, Observable, ObservableType, Reason, Tlp
from connector.store.compression import TRAIN_FROM, Codec, train
from connector.store.database import Database, numbers

T = TypeVar("T")
TYPES: Final[tuple[ObservableType, ...]] = tuple(ObservableType)
TYPE_CODES: Final = {kind: code for code, kind in enumerate(TYPES, 1)}
_KINDS: Final = {
    Reason.UNREADABLE: int(Kind.UNREADABLE),
    Reason.UNSUPPORTED_PATTERN: int(Kind.UNSUPPORTED),
    Reason.NOT_ENFORCEABLE: int(Kind.NOT_ENFORCEABLE),
}
_TRAITS_HELD: Final = 100_000
_LONGEST_WHY: Final = 300


class Version(NamedTuple):
    """One received version of an object, before the store knows whether it is news."""

    key: bytes
    state: int
    modified: int
    valid_from: int | None
    valid_until: int | None
    confidence: int | None
    traits: Traits
    raw: bytes
    claims: Callable[[], Sequence[Claim]]


class News(Enum):
    """What a received version means for the one that is held."""

    NONE = "none"
    NEWER = "newer"
    REVOKED = "revoked"
    DISPUTED = "disputed"
    RETURNED = "returned"
    FOREIGN = "foreign"


@dataclass(slots=True)
class Held:
    """What the store holds of an object that a page mentions again."""

    number: int
    state: int
    modified: int
    created_by: str


@dataclass(frozen=True, slots=True)
class CollectionState:
    """Where we stand with one collection of a feed."""

    number: int
    cursor: str | None
    run: int


@dataclass(slots=True)
class Stored:
    """What a page brought: new objects, new versions, revocations, repeats, quarantined ones."""

    new: int = 0
    updated: int = 0
    revoked: int = 0
    repeated: int = 0
    quarantined: int = 0


def news(held: Held, version: Version) -> News:
    """Return what a version means, by STIX 2.1 section 3.6 and its rule on object creators."""
    if held.state == State.REVOKED:
        return News.NONE
    ours = held.created_by == version.traits.created_by
    if version.state == State.REVOKED:
        return News.REVOKED if ours else News.DISPUTED
    if version.modified > held.modified:
        return News.NEWER if ours else News.FOREIGN
    if version.modified == held.modified and held.state == State.WITHDRAWN:
        return News.RETURNED
    return News.NONE


@dataclass(slots=True)
class _Page:
    """The rows of one transaction, gathered before they are written."""

    touched: int
    now: int
    objects: list[tuple[Any, ...]] = field(default_factory=list)
    changed: list[tuple[Any, ...]] = field(default_factory=list)
    originals: list[tuple[Any, ...]] = field(default_factory=list)
    claims: dict[int, Sequence[Claim]] = field(default_factory=dict)
    replaced: set[int] = field(default_factory=set)
    stirred: set[int] = field(default_factory=set)
    members: list[int] = field(default_factory=list)
    stored: Stored = field(default_factory=Stored)


class ObjectStore:
    """Takes pages of objects in; one per process."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._traits: dict[Traits, int] = {}
        self._codecs: dict[int, Codec] = {}
        self._dictionary_of: dict[int, int] = {}

    def feed_number(self, name: str) -> int:
        """Return the feed's number, given at first sight and kept for ever."""
        with self._db.write() as connection:
            return _numbered(self._db, connection, "feeds", name)

    def collection(self, feed: int, key: str, title: str) -> CollectionState:
        """Return where we stand with a collection, known by its key."""
        with self._db.write() as connection:
            asked = "SELECT number, cursor, run FROM collections WHERE feed = ? AND key = ?"
            if rows := self._db.rows(connection, asked, (feed, key)):
                return CollectionState(*rows[0])
            number = (self._db.one(connection, "SELECT max(number) FROM collections") or 0) + 1
            sql = "INSERT INTO collections (number, feed, key, title, run) VALUES (?, ?, ?, ?, 0)"
            self._db.run(connection, sql, (number, feed, key, title))
            return CollectionState(number, None, 0)

    def begin_run(self, collection: CollectionState) -> CollectionState:
        """Start a run of a whole collection: what it does not show again will be withdrawn."""
        with self._db.write() as connection:
            sql = "UPDATE collections SET run = ? WHERE number = ?"
            self._db.run(connection, sql, (collection.run + 1, collection.number))
        return CollectionState(collection.number, collection.cursor, collection.run + 1)

    def store_page(
        self,
        feed: int,
        collection: CollectionState,
        versions: Sequence[Version],
        cursor: str,
        *,
        whole: bool,
        now: int,
    ) -> Stored:
        """Store a page and the cursor after it in one transaction; a replay changes nothing."""
        with self._db.write() as connection:
            page = _Page(self._next_touch(connection), now)
            self._sort(connection, feed, versions, page)
            self._write(connection, feed, page)
            if whole:
                self._remember_members(connection, collection, page.members)
            sql = "UPDATE collections SET cursor = ? WHERE number = ?"
            self._db.run(connection, sql, (cursor, collection.number))
            if page.stored.new:
                sql = "UPDATE feeds SET objects = objects + ? WHERE number = ?"
                self._db.run(connection, sql, (page.stored.new, feed))
        return page.stored

    def _next_touch(self, connection: Connection) -> int:
        highest = self._db.one(connection, "SELECT max(touched) FROM observables")
        departed = self._db.one(connection, "SELECT max(touched) FROM departures")
        return int(max(highest or 0, departed or 0)) + 1

    def _sort(
        self, connection: Connection, feed: int, versions: Sequence[Version], page: _Page
    ) -> None:
        """Sort a page's versions into new objects, changes, and repeats."""
        known = self._held(connection, feed, [version.key for version in versions])
        codec, dictionary = self._codec(connection, feed, versions)
        traits = self._traits_of(connection, {version.traits for version in versions})
        number = self._db.one(connection, "SELECT max(number) FROM objects") or 0
        for version in versions:
            held = known.get(version.key)
            if held is None:
                number += 1
                known[version.key] = Held(
                    number, version.state, version.modified, version.traits.created_by
                )
                page.objects.append(
                    (number, feed, version.key, version.state, *version[2:6],
                     traits[version.traits], page.now)
                )  # fmt: skip
                page.originals.append((number, dictionary, codec.pack(version.raw)))
                page.claims[number] = version.claims()
                page.members.append(number)
                page.stored.new += 1
            else:
                page.members.append(held.number)
                self._take_news(held, version, page, traits, (codec, dictionary))

    def _take_news(
        self,
        held: Held,
        version: Version,
        page: _Page,
        traits: dict[Traits, int],
        packing: tuple[Codec, int],
    ) -> None:
        what = news(held, version)
        if what is News.NONE:
            page.stored.repeated += 1
            return
        if what is News.FOREIGN:
            page.stored.quarantined += 1
            return
        page.stirred.add(held.number)
        if what is News.NEWER:
            page.stored.updated += 1
            page.claims[held.number] = version.claims()
            page.replaced.add(held.number)
            held.state, held.modified = version.state, version.modified
            self._rewrite(held, version, page, traits, packing)
        elif what is News.RETURNED:
            page.stored.updated += 1
            held.state = State.CURRENT
            page.changed.append((held.state, held.number))
        else:
            page.stored.revoked += 1
            held.state = State.REVOKED if what is News.REVOKED else State.DISPUTED
            page.changed.append((held.state, held.number))

    def _rewrite(
        self,
        held: Held,
        version: Version,
        page: _Page,
        traits: dict[Traits, int],
        packing: tuple[Codec, int],
    ) -> None:
        codec, dictionary = packing
        page.changed.append((version.state, *version[2:6], traits[version.traits], held.number))
        page.originals.append((held.number, dictionary, codec.pack(version.raw)))

    def _write(self, connection: Connection, feed: int, page: _Page) -> None:
        many = self._db.many
        many(connection, "INSERT INTO objects (number, feed, key, state, modified, valid_from, "
             "valid_until, confidence, traits, seen) VALUES (?,?,?,?,?,?,?,?,?,?)",
             page.objects)  # fmt: skip
        many(connection, "UPDATE objects SET state = ?, modified = ?, valid_from = ?, "
             "valid_until = ?, confidence = ?, traits = ? WHERE number = ?",
             [row for row in page.changed if len(row) > 2])  # fmt: skip
        many(connection, "UPDATE objects SET state = ? WHERE number = ?",
             [row for row in page.changed if len(row) == 2])  # fmt: skip
        many(connection, "INSERT INTO originals (object, dictionary, packed) VALUES (?, ?, ?) "
             "ON CONFLICT (object) DO UPDATE SET dictionary = excluded.dictionary, "
             "packed = excluded.packed", page.originals)  # fmt: skip
        self._write_claims(connection, page)
        if page.stirred:
            self._stir(connection, page.stirred, page.touched)

    def _write_claims(self, connection: Connection, page: _Page) -> None:
        observed = self._observables(connection, page)
        kept = self._drop_replaced(connection, page, observed)
        number = self._db.one(connection, "SELECT max(number) FROM claims") or 0
        departed = self._db.one(connection, "SELECT max(claim) FROM departures") or 0
        number = max(number, departed)
        rows: list[tuple[Any, ...]] = []
        for owner, claims in page.claims.items():
            for claim in claims:
                kind, observable = _row_of(claim, observed)
                if (owner, observable, kind) in kept:
                    continue
                number += 1
                rows.append((number, owner, observable, kind, claim.why[:_LONGEST_WHY] or None))
        sql = "INSERT INTO claims (number, object, observable, kind, why) VALUES (?, ?, ?, ?, ?)"
        self._db.many(connection, sql, rows)

    def _observables(self, connection: Connection, page: _Page) -> dict[Observable, int]:
        """Return the number of every observable of a page; new ones are given one."""
        keys: dict[Observable, bytes] = {}
        for claims in page.claims.values():
            for claim in claims:
                if claim.observable is not None and claim.observable not in keys:
                    keys[claim.observable] = key_of(claim.observable)
        known = self._numbers_of(connection, list(keys.values()))
        number = self._db.one(connection, "SELECT max(number) FROM observables") or 0
        fresh: list[tuple[Any, ...]] = []
        found: dict[Observable, int] = {}
        old: list[int] = []
        for observable, key in keys.items():
            at = known.get(key)
            if at is None:
                number = at = number + 1
                known[key] = at
                code = TYPE_CODES[observable.type]
                fresh.append((at, key, code, observable.value, page.touched))
            else:
                old.append(at)
            found[observable] = at
        sql = "INSERT INTO observables (number, key, type, value, touched) VALUES (?,?,?,?,?)"
        self._db.many(connection, sql, fresh)
        self._touch(connection, old, page.touched)
        return found

    def _numbers_of(self, connection: Connection, keys: Sequence[bytes]) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        for part in _parts(keys):
            sql = f"SELECT key, number FROM observables WHERE key IN ({_marks(part)})"  # noqa: S608 - only marks
            for key, number in self._db.rows(connection, sql, part):
                found[bytes(key)] = number
        return found

    def _drop_replaced(
        self, connection: Connection, page: _Page, observed: dict[Observable, int]
    ) -> set[tuple[int, int, int]]:
        """Delete the claims that new versions no longer make; return those that stay."""
        if not page.replaced:
            return set()
        wanted = {
            (owner, *reversed(_row_of(claim, observed)))
            for owner in page.replaced
            for claim in page.claims[owner]
        }
        sql = (
            "SELECT number, object, observable, kind FROM claims "  # noqa: S608 - only numbers
            f"WHERE object IN ({numbers(page.replaced)})"
        )
        gone, kept, left = [], set(), []
        for number, owner, observable, kind in self._db.rows(connection, sql):
            row = (owner, observable, kind)
            # A claim without observable differs by its words alone, so it is always made anew.
            if row in wanted and row not in kept and observable:
                kept.add(row)
            else:
                gone.append(number)
                left.append(observable)
        self._depart(connection, gone, left, page.touched)
        return kept

    def _depart(
        self, connection: Connection, claims: Sequence[int], left: Sequence[int], touched: int
    ) -> None:
        for part in _parts(claims):
            sql = f"DELETE FROM claims WHERE number IN ({numbers(part)})"  # noqa: S608 - only numbers
            self._db.run(connection, sql)
        rows = [(claim, touched) for claim in claims]
        self._db.many(connection, "INSERT INTO departures (claim, touched) VALUES (?, ?)", rows)
        self._touch(connection, [observable for observable in left if observable], touched)

    def _touch(self, connection: Connection, observables: Sequence[int], touched: int) -> None:
        for part in _parts(observables):
            sql = f"UPDATE observables SET touched = ? WHERE number IN ({numbers(part)})"  # noqa: S608 - only numbers
            self._db.run(connection, sql, (touched,))

    def _stir(self, connection: Connection, objects: Collection[int], touched: int) -> None:
        """Touch every observable that these objects speak of."""
        for part in _parts(list(objects)):
            sql = (
                "UPDATE observables SET touched = ? WHERE number IN "  # noqa: S608 - only numbers
                f"(SELECT observable FROM claims WHERE object IN ({numbers(part)}))"
            )
            self._db.run(connection, sql, (touched,))

    def _held(self, connection: Connection, feed: int, keys: Sequence[bytes]) -> dict[bytes, Held]:
        found: dict[bytes, Held] = {}
        rows: list[Any] = []
        for part in _parts(keys):
            sql = (
                "SELECT key, number, state, modified, traits FROM objects "  # noqa: S608 - only marks
                f"WHERE feed = ? AND key IN ({_marks(part)})"
            )
            rows += self._db.rows(connection, sql, (feed, *part))
        creators = load_traits(self._db, connection, {row[4] for row in rows})
        for key, number, state, modified, traits in rows:
            found[bytes(key)] = Held(number, state, modified, creators[traits].created_by)
        return found

    def _traits_of(self, connection: Connection, wanted: set[Traits]) -> dict[Traits, int]:
        if len(self._traits) > _TRAITS_HELD:
            self._traits.clear()
        found = {traits: self._traits[traits] for traits in wanted if traits in self._traits}
        missing = {_digest(traits): traits for traits in wanted if traits not in found}
        for part in _parts(list(missing)):
            sql = f"SELECT digest, number FROM traits WHERE digest IN ({_marks(part)})"  # noqa: S608 - only marks
            for digest, number in self._db.rows(connection, sql, part):
                found[missing.pop(bytes(digest))] = number
        number = self._db.one(connection, "SELECT max(number) FROM traits") or 0
        rows = []
        for digest, traits in missing.items():
            number += 1
            found[traits] = number
            rows.append((number, digest, msgspec.json.encode(traits).decode()))
        self._db.many(
            connection, "INSERT INTO traits (number, digest, body) VALUES (?, ?, ?)", rows
        )
        if not missing:  # numbers of a transaction that may yet fail are not remembered
            self._traits.update(found)
        return found

    def _codec(
        self, connection: Connection, feed: int, versions: Sequence[Version]
    ) -> tuple[Codec, int]:
        """Return the feed's codec, trained on its first large page."""
        number = self._dictionary_of.get(feed)
        if number is None:
            sql = "SELECT max(number) FROM dictionaries WHERE feed = ?"
            number = self._db.one(connection, sql, (feed,)) or 0
            if not number and len(versions) >= TRAIN_FROM:
                number = self._train(connection, feed, versions)
            elif number:
                self._dictionary_of[feed] = number
        return load_codec(self._db, connection, self._codecs, number), number

    def _train(self, connection: Connection, feed: int, versions: Sequence[Version]) -> int:
        body = train([version.raw for version in versions])
        if not body:
            return 0
        number = int(self._db.one(connection, "SELECT max(number) FROM dictionaries") or 0) + 1
        sql = "INSERT INTO dictionaries (number, feed, body) VALUES (?, ?, ?)"
        self._db.run(connection, sql, (number, feed, body))
        self._codecs.pop(number, None)
        return number

    def _remember_members(
        self, connection: Connection, collection: CollectionState, members: Sequence[int]
    ) -> None:
        sql = (
            "INSERT INTO members (collection, object, run) VALUES (?, ?, ?) "
            "ON CONFLICT (collection, object) DO UPDATE SET run = excluded.run"
        )
        rows = [(collection.number, member, collection.run) for member in set(members)]
        self._db.many(connection, sql, rows)

    def finish_run(self, collection: CollectionState) -> int:
        """Withdraw what a whole collection no longer shows; return how many objects left."""
        with self._db.write() as connection:
            sql = "SELECT object FROM members WHERE collection = ? AND run < ?"
            rows = self._db.rows(connection, sql, (collection.number, collection.run))
            return self._leave(connection, collection.number, [row[0] for row in rows])

    def drop_collections(self, feed: int, present: Collection[str]) -> int:
        """Withdraw what only collections showed that are no longer there."""
        left = 0
        with self._db.write() as connection:
            sql = "SELECT number, key FROM collections WHERE feed = ? AND run > 0"
            for number, key in self._db.rows(connection, sql, (feed,)):
                if key in present:
                    continue
                rows = self._db.rows(
                    connection, "SELECT object FROM members WHERE collection = ?", (number,)
                )
                left += self._leave(connection, number, [row[0] for row in rows])
                self._db.run(connection, "DELETE FROM collections WHERE number = ?", (number,))
        return left

    def _leave(self, connection: Connection, collection: int, members: Sequence[int]) -> int:
        withdrawn = 0
        touched = self._next_touch(connection)
        for part in _parts(members):
            sql = f"DELETE FROM members WHERE collection = ? AND object IN ({numbers(part)})"  # noqa: S608 - only numbers
            self._db.run(connection, sql, (collection,))
            sql = f"SELECT DISTINCT object FROM members WHERE object IN ({numbers(part)})"  # noqa: S608 - only numbers
            elsewhere = {row[0] for row in self._db.rows(connection, sql)}
            gone = [member for member in part if member not in elsewhere]
            withdrawn += self._withdraw(connection, gone, touched)
        return withdrawn

    def _withdraw(self, connection: Connection, gone: Sequence[int], touched: int) -> int:
        sql = f"SELECT number FROM objects WHERE state = ? AND number IN ({numbers(gone)})"  # noqa: S608 - only numbers
        unreadable = [row[0] for row in self._db.rows(connection, sql, (State.UNREADABLE,))]
        self._forget(connection, unreadable, touched)
        sql = f"UPDATE objects SET state = ? WHERE state = ? AND number IN ({numbers(gone)})"  # noqa: S608 - only numbers
        changed = self._db.run(connection, sql, (State.WITHDRAWN, State.CURRENT))
        self._stir(connection, gone, touched)
        return changed + len(unreadable)

    def _forget(self, connection: Connection, unreadable: Sequence[int], touched: int) -> None:
        """Drop unreadable objects that left their file: there is nothing to take back."""
        held = numbers(unreadable)
        sql = f"SELECT number FROM claims WHERE object IN ({held})"  # noqa: S608 - only numbers
        claims = [row[0] for row in self._db.rows(connection, sql)]
        self._depart(connection, claims, [], touched)
        self._db.run(connection, f"DELETE FROM originals WHERE object IN ({held})")  # noqa: S608 - only numbers
        self._db.run(connection, f"DELETE FROM objects WHERE number IN ({held})")  # noqa: S608 - only numbers

    def add_markings(self, levels: dict[str, Tlp | None]) -> bool:
        """Remember marking definitions; return whether objects already bore one of them."""
        with self._db.write() as connection:
            known = known_markings(self._db, connection)
            fresh = {ref: tlp for ref, tlp in levels.items() if ref not in known}
            rows = [(ref, None if tlp is None else int(tlp)) for ref, tlp in fresh.items()]
            self._db.many(connection, "INSERT INTO markings (id, tlp) VALUES (?, ?)", rows)
            for ref in fresh:
                sql = "SELECT number FROM traits WHERE body LIKE ? LIMIT 1"
                if self._db.one(connection, sql, (f'%"{ref}"%',)):
                    return True
        return False

    def note_attempt(self, feed: int, now: int, error: str | None) -> None:
        """Record how a poll ended."""
        with self._db.write() as connection:
            sql = "UPDATE feeds SET last_attempt = ?, error = ? WHERE number = ?"
            self._db.run(connection, sql, (now, error, feed))
            if error is None:
                sql = "UPDATE feeds SET last_success = ? WHERE number = ?"
                self._db.run(connection, sql, (now, feed))


def known_markings(database: Database, connection: Connection) -> dict[str, Tlp | None]:
    """Return every marking definition received, with the TLP level it stands for, if any."""
    rows = database.rows(connection, "SELECT id, tlp FROM markings")
    return {ref: None if tlp is None else Tlp(tlp) for ref, tlp in rows}


def load_traits(
    database: Database, connection: Connection, wanted: Collection[int]
) -> dict[int, Traits]:
    """Return traits by number."""
    found: dict[int, Traits] = {}
    for part in _parts(list(wanted)):
        sql = f"SELECT number, body FROM traits WHERE number IN ({numbers(part)})"  # noqa: S608 - only numbers
        for number, body in database.rows(connection, sql):
            found[number] = msgspec.json.decode(body, type=Traits)
    return found


def load_codec(
    database: Database, connection: Connection, held: dict[int, Codec], number: int
) -> Codec:
    """Return the codec of a dictionary; 0 is the one without."""
    if number not in held:
        sql = "SELECT body FROM dictionaries WHERE number = ?"
        held[number] = Codec(bytes(database.one(connection, sql, (number,)) or b""))
    return held[number]


def _numbered(database: Database, connection: Connection, table: str, name: str) -> int:
    number = database.one(connection, f"SELECT number FROM {table} WHERE name = ?", (name,))  # noqa: S608 - our own table
    if number is None:
        number = (database.one(connection, f"SELECT max(number) FROM {table}") or 0) + 1  # noqa: S608 - our own table
        sql = f"INSERT INTO {table} (number, name) VALUES (?, ?)"  # noqa: S608 - our own table
        database.run(connection, sql, (number, name))
    return int(number)


def _row_of(claim: Claim, observed: dict[Observable, int]) -> tuple[int, int]:
    if claim.observable is None:
        return _KINDS[claim.reason or Reason.UNREADABLE], 0
    kind = Kind.ENFORCEABLE if claim.enforceable else Kind.WATCH_ONLY
    return int(kind), observed[claim.observable]


def _digest(traits: Traits) -> bytes:
    return blake2b(msgspec.json.encode(traits), digest_size=16).digest()


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _parts(values: Sequence[T], size: int = 2000) -> list[Sequence[T]]:
    return [values[at : at + size] for at in range(0, len(values), size)]
