"""Values that many objects share, stored once: types, attributes, contexts, dictionaries."""

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from typing import Final, Generic, TypeVar

import msgspec

from connector.decisions.selection import IndicatorAttributes
from connector.model import Observable, ObservableType, RuleLanguage, RuleRef, Subject, SubjectType
from connector.store.database import Database, marks, numbers, parts
from connector.store.feeds.compression import TRAIN_FROM, Codec, train
from connector.store.transaction import Transaction

TYPES: Final[tuple[ObservableType, ...]] = tuple(ObservableType)
LANGUAGES: Final[tuple[RuleLanguage, ...]] = tuple(RuleLanguage)
FIRST_LANGUAGE: Final = 1000
TYPE_CODES: Final[Mapping[SubjectType, int]] = {
    **{kind: code for code, kind in enumerate(TYPES, 1)},
    **{language: code for code, language in enumerate(LANGUAGES, FIRST_LANGUAGE)},
}
_VALUES_HELD: Final = 100_000
_AHEAD: Final = 500

_COLUMN: Final = {
    "attributes": "attributes",
    "contexts": "context",
}  # where objects name their number

T = TypeVar("T")


def subject(code: int, value: str) -> Subject:
    """Return the observable or the rule of a row."""
    if code < FIRST_LANGUAGE:
        return Observable(TYPES[code - 1], value)
    return RuleRef(LANGUAGES[code - FIRST_LANGUAGE], value)


class Interned(Generic[T]):
    """Assigns every value of one table a number on first use, and remembers it."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._held: dict[T, int] = {}
        self._writer: Transaction | None = None

    def of(self, transaction: Transaction, wanted: set[T]) -> dict[T, int]:
        """Return the numbers of values; new ones are written."""
        if len(self._held) > _VALUES_HELD:
            self._held.clear()
        found = {value: self._held[value] for value in wanted if value in self._held}
        missing = {_digest(value): value for value in wanted if value not in found}
        for part in parts(list(missing)):
            sql = f"SELECT digest, number FROM {self._table} WHERE digest IN ({marks(part)})"  # noqa: S608 - our own tables
            for digest, number in transaction.rows(sql, part):
                found[missing.pop(bytes(digest))] = number
        # Numbers of a transaction that may yet fail are not remembered, nor what it reads of them.
        if missing:
            self._writer = transaction
            found.update(self._write(transaction, missing))
        elif transaction is not self._writer:
            self._held.update(found)
        return found

    def forget(self, transaction: Transaction, given: Collection[int]) -> None:
        """Overwrite values that no object has; their numbers are never reused."""
        self._held.clear()
        sql = f"UPDATE {self._table} SET digest = ?, body = '[]' WHERE number = ?"  # noqa: S608 - our own tables
        rows = [(bytes(8) + number.to_bytes(8, "big"), number) for number in given]
        transaction.many(sql, rows)

    def delete_unreferenced(self, transaction: Transaction) -> int:
        """Drop values that no object has any more, except the latest, to keep numbers unique."""
        self._held.clear()
        table, column = self._table, _COLUMN[self._table]
        sql = (
            f"DELETE FROM {table} WHERE number < (SELECT max(number) FROM {table}) AND number IN "  # noqa: S608 - our own tables
            f"(SELECT number FROM {table} EXCEPT SELECT {column} FROM objects)"
        )
        return transaction.run(sql)

    def _write(self, transaction: Transaction, fresh: dict[bytes, T]) -> dict[T, int]:
        highest = transaction.one(f"SELECT max(number) FROM {self._table}")  # noqa: S608 - our own tables
        given = {value: number for number, value in enumerate(fresh.values(), (highest or 0) + 1)}
        rows = [
            (given[value], digest, msgspec.json.encode(value).decode())
            for digest, value in fresh.items()
        ]
        sql = f"INSERT INTO {self._table} (number, digest, body) VALUES (?, ?, ?)"  # noqa: S608 - our own tables
        transaction.many(sql, rows)
        return given


class FeedCodecs:
    """Gives every feed its codec, trained on its first large page."""

    def __init__(self) -> None:
        self._codecs: dict[int, Codec] = {}
        self._dictionary_of: dict[int, int] = {}
        self._trainer: Transaction | None = None

    def of(
        self, transaction: Transaction, feed: int, samples: Sequence[bytes]
    ) -> tuple[Codec, int]:
        """Return the codec that packs a feed's objects, and the number of its dictionary."""
        number = self._dictionary_of.get(feed)
        if number is None:
            sql = "SELECT max(number) FROM dictionaries WHERE feed = ?"
            number = transaction.one(sql, (feed,)) or 0
            if not number and len(samples) >= TRAIN_FROM:
                number = self._train(transaction, feed, samples)
            elif number and transaction is not self._trainer:  # its transaction may yet fail
                self._dictionary_of[feed] = number
        return load_codec(transaction, self._codecs, number), number

    def _train(self, transaction: Transaction, feed: int, samples: Sequence[bytes]) -> int:
        body = train(samples)
        if not body:
            return 0
        self._trainer = transaction
        number = int(transaction.one("SELECT max(number) FROM dictionaries") or 0) + 1
        sql = "INSERT INTO dictionaries (number, feed, body) VALUES (?, ?, ?)"
        transaction.run(sql, (number, feed, body))
        self._codecs.pop(number, None)  # of a transaction that failed
        return number


def load_codec(transaction: Transaction, held: dict[int, Codec], number: int) -> Codec:
    """Return the codec of a dictionary; 0 is the one without."""
    if number not in held:
        sql = "SELECT body FROM dictionaries WHERE number = ?"
        held[number] = Codec(bytes(transaction.one(sql, (number,)) or b""))
    return held[number]


class Remembered(Generic[T]):
    """Returns values of one table by number; they never change, so each is read once."""

    def __init__(self, database: Database, table: str, kind: type[T]) -> None:
        self._db = database
        self._table, self._kind = table, kind
        self._held: dict[int, T] = {}

    def __call__(self, number: int) -> T:
        """Return a value by its number."""
        found = self._held.get(number)
        if found is None:
            if len(self._held) > 2 * _VALUES_HELD:
                self._held.clear()
            ahead = range(number, number + _AHEAD)  # a pass over many asks for the next ones soon
            with self._db.read() as transaction:
                near = load_interned(transaction, self._table, self._kind, ahead)
            self._held.update(near)
            found = near[number]
        return found


def load_traits(
    transaction: Transaction, wanted: Collection[int]
) -> dict[int, IndicatorAttributes]:
    """Return attributes by number."""
    return load_interned(transaction, "attributes", IndicatorAttributes, wanted)


def load_interned(
    transaction: Transaction, table: str, kind: type[T], wanted: Collection[int]
) -> dict[int, T]:
    """Return the values of a table by number."""
    found: dict[int, T] = {}
    decode = msgspec.json.Decoder(kind).decode
    for part in parts(list(wanted)):
        sql = f"SELECT number, body FROM {table} WHERE number IN ({numbers(part)})"  # noqa: S608 - our own tables, only numbers
        for number, body in transaction.rows(sql):
            found[number] = decode(body)
    return found


def _digest(value: object) -> bytes:
    return blake2b(msgspec.json.encode(value), digest_size=16).digest()
