"""What the store knows of one value, object or name, for `explain`; nothing here writes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from connector.decisions.records import ClaimRow
from connector.indicators.identity import UNREADABLE_KEYS
from connector.model import Subject
from connector.store.feeds.claims import CLAIM_COLUMNS
from connector.store.interning import subject
from connector.store.transaction import Transaction


class ClaimFound(NamedTuple):
    """A claim with what its object is called and why it is as it is."""

    row: ClaimRow
    object: bytes
    why: str


class EntryFound(NamedTuple):
    """What an output's ledger holds of an entry."""

    mark: int
    since: int
    why: str


def find_observables(transaction: Transaction, keys: Sequence[bytes]) -> dict[int, Subject]:
    """Return the observables that the store knows of these keys."""
    marks = ",".join("?" * len(keys))
    sql = f"SELECT number, type, value FROM observables WHERE key IN ({marks})"  # noqa: S608 - only marks
    return {
        number: subject(code, value) for number, code, value in transaction.rows(sql, list(keys))
    }


def observables_of_object(transaction: Transaction, key: bytes) -> dict[int, Subject]:
    """Return the observables that an object claims, and its rule."""
    sql = (
        "SELECT b.number, b.type, b.value FROM objects o JOIN claims c ON c.object = o.number "
        "JOIN observables b ON b.number = c.observable WHERE o.key = ?"
    )
    return {number: subject(code, value) for number, code, value in transaction.rows(sql, (key,))}


def claims_on(transaction: Transaction, observable: int) -> list[ClaimFound]:
    """Return every claim on an observable."""
    return _claims(transaction, "c.observable = ?", (observable,))


def bare_claims_of(transaction: Transaction, key: bytes) -> list[ClaimFound]:
    """Return an object's claims that have no observable."""
    return _claims(transaction, "c.observable = 0 AND o.key = ?", (key,))


def unreadable_named(transaction: Transaction, name: str) -> list[ClaimFound]:
    """Return the claims of unreadable objects that call themselves so: their keys are no ids."""
    where = "o.key >= ? AND o.key < ? AND substr(c.why, 1, ?) = ?"
    words = f"{name}: "
    return _claims(transaction, where, (*UNREADABLE_KEYS, len(words), words))


def unread_count(transaction: Transaction) -> int:
    """Return how many claims have no observable: unreadable, unsupported or about none."""
    sql = "SELECT count(*) FROM claims WHERE observable = 0"
    return int(transaction.one(sql) or 0)


def newest_unread(transaction: Transaction, most: int) -> list[ClaimFound]:
    """Return the newest of the claims that have no observable, the newest first."""
    where = (
        "c.number IN (SELECT number FROM claims WHERE observable = 0 ORDER BY number DESC LIMIT ?)"
    )
    return _claims(transaction, where, (most,))[::-1]


def _claims(transaction: Transaction, where: str, values: Sequence[Any]) -> list[ClaimFound]:
    sql = (
        f"SELECT o.key, c.why, {CLAIM_COLUMNS} FROM claims c JOIN objects o "  # noqa: S608 - fixed conditions
        f"ON o.number = c.object WHERE {where} ORDER BY c.number"
    )
    return [
        ClaimFound(ClaimRow._make(row[2:]), bytes(row[0]), row[1] or "")
        for row in transaction.rows(sql, values)
    ]


def entry_of(transaction: Transaction, output: int, observable: int) -> EntryFound | None:
    """Return what an output's ledger says of an observable."""
    sql = "SELECT state, since, why FROM ledger WHERE output = ? AND observable = ?"
    rows = transaction.rows(sql, (output, observable))
    return EntryFound(rows[0][0], rows[0][1], rows[0][2] or "") if rows else None


def listed_since(transaction: Transaction, number: int, observable: int) -> int | None:
    """Return since when an observable is, or is not, on a list."""
    sql = "SELECT since FROM entries WHERE list = ? AND observable = ?"
    found = transaction.one(sql, (number, observable))
    return None if found is None else int(found)
