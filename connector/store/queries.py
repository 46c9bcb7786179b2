"""What people and monitoring ask of the store; nothing here writes."""

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection

from connector.decisions.decide import ClaimRow
from connector.decisions.plan import Mark
from connector.indicators.identity import UNREADABLE_KEYS
from connector.model import Reason, Subject
from connector.store.database import Database
from connector.store.feeds.claims import CLAIM_COLUMNS
from connector.store.interning import subject
from connector.store.lists.reason_blocks import BLOCK
from connector.store.lists.suppressions import by_protector
from connector.store.tallies import LIST_TALLY, OUTPUT_TALLY, reasons_of, tallies

_BUCKET_OF: Final[Mapping[int, Reason]] = {
    Mark.WRITTEN: Reason.WRITTEN,
    Mark.FOREIGN: Reason.WRITTEN,  # it is there, put by others, and stays theirs
    Mark.REJECTED: Reason.REJECTED,
    Mark.UNSUPPORTED: Reason.UNSUPPORTED_TYPE,
    Mark.OVER_CAPACITY: Reason.OVER_CAPACITY,
    Mark.OVER_SHARE: Reason.OVER_CAPACITY,
}


@dataclass(frozen=True, slots=True)
class FeedRow:
    """How a feed's latest polls went; instants in microseconds since 1970."""

    name: str
    last_attempt: int | None
    last_success: int | None
    error: str | None
    paused: str | None
    objects: int


@dataclass(frozen=True, slots=True)
class PurgeRow:
    """How many objects bear a marking that lets us hold them no longer, and wait since when."""

    marking: str
    objects: int
    since: int


@dataclass(frozen=True, slots=True)
class OutputRow:
    """How an output's latest cycles went."""

    number: int
    list: int
    seq: int
    last_success: int | None
    error: str | None
    paused: str | None
    held_plan: str | None


@dataclass(frozen=True, slots=True)
class ClaimFound:
    """A claim with what its object is called and why it is as it is."""

    row: ClaimRow
    object: bytes
    why: str


@dataclass(frozen=True, slots=True)
class EntryFound:
    """What an output's ledger holds of an entry."""

    mark: int
    since: int
    why: str


def feed_rows(database: Database, connection: Connection) -> dict[str, FeedRow]:
    """Return every feed by name."""
    sql = "SELECT name, last_attempt, last_success, error, paused, objects FROM feeds"
    return {row[0]: FeedRow(*row) for row in database.rows(connection, sql)}


def purges_waiting(database: Database, connection: Connection, feed: int) -> list[PurgeRow]:
    """Return what waits in a feed for a person before it is deleted, by marking."""
    sql = (
        "SELECT marking, waiting, since FROM disposals WHERE feed = ? AND since IS NOT NULL "
        "ORDER BY marking"
    )
    return [PurgeRow(*row) for row in database.rows(connection, sql, (feed,))]


def output_rows(database: Database, connection: Connection) -> dict[str, OutputRow]:
    """Return every output by name."""
    sql = "SELECT name, number, list, seq, last_success, error, paused, held_plan FROM outputs"
    return {row[0]: OutputRow(*row[1:]) for row in database.rows(connection, sql)}


def claim_count(database: Database, connection: Connection) -> int:
    """Return how many claims the store holds."""
    return int(database.one(connection, "SELECT count(*) FROM claims") or 0)


def suppressed(database: Database, connection: Connection, number: int) -> dict[str, int]:
    """Return how many claims each group of the allowlist keeps off a list, the most first."""
    return by_protector(database, connection, _counted(database, connection, number))


def decided_at(database: Database, connection: Connection) -> dict[str, int | None]:
    """Return when each list was decided last; None while it is, or where that was cut short."""
    rows = database.rows(connection, "SELECT name, decided_at FROM lists")
    return dict(map(tuple, rows))


def list_reasons(
    database: Database, connection: Connection, number: int, claims: int
) -> dict[Reason, int]:
    """Return the buckets of a list; claims that wait for its next refresh are `pending`."""
    reasons = reasons_of(_counted(database, connection, number))
    if waiting := claims - sum(reasons.values()):
        reasons[Reason.PENDING] = waiting
    return reasons


def _counted(database: Database, connection: Connection, number: int) -> Counter[int]:
    """Return how many of the claims that are there bear each reason byte of a list."""
    found = Counter(tallies(database, connection, LIST_TALLY, number))
    found.subtract(_departed(database, connection, number))
    return found


def _departed(database: Database, connection: Connection, number: int) -> Counter[int]:
    """Return the buckets of claims that are gone and that the list has still to take out."""
    sql = (
        "SELECT d.claim FROM departures d JOIN lists l ON l.number = ? AND d.touched > l.touched "
        "ORDER BY d.claim"
    )
    claims = [row[0] for row in database.rows(connection, sql, (number,))]
    codes: Counter[int] = Counter()
    sql = "SELECT packed FROM buckets WHERE list = ? AND block = ?"
    for block, group in groupby(claims, lambda claim: claim // BLOCK):
        packed = database.one(connection, sql, (number, block))
        if packed is not None:
            held = zlib.decompress(packed)
            codes.update(held[claim % BLOCK] for claim in group)
    del codes[0]
    return codes


def entries_there(database: Database, connection: Connection, output: OutputRow) -> int:
    """Return how many entries the ledger says the target holds, wanted or not."""
    found = tallies(database, connection, OUTPUT_TALLY, output.number)
    return found.get(Mark.WRITTEN, 0) + found.get(Mark.REMOVING, 0) + found.get(Mark.FOREIGN, 0)


def beyond_share(database: Database, connection: Connection, output: OutputRow) -> dict[int, int]:
    """Return how many entries of each feed, by its number, its `max_share` keeps off an output."""
    counted = tallies(database, connection, OUTPUT_TALLY, output.number)
    if not counted.get(Mark.OVER_SHARE):
        return {}
    sql = (
        "SELECT e.source, count(*) FROM ledger l JOIN entries e ON e.list = ? "
        "AND e.observable = l.observable WHERE l.output = ? AND l.state = ? AND e.wanted = 1 "
        "GROUP BY e.source"
    )
    values = (output.list, output.number, Mark.OVER_SHARE)
    return dict(map(tuple, database.rows(connection, sql, values)))


def output_reasons(
    database: Database, connection: Connection, output: OutputRow, listed: Mapping[Reason, int]
) -> dict[Reason, int]:
    """Return the buckets of an output: its list's, with what is wanted told apart."""
    reasons = dict(listed)
    wanted = reasons.pop(Reason.WANTED, 0)
    for mark, count in _marks_of_wanted(database, connection, output).items():
        bucket = _BUCKET_OF.get(mark)
        if bucket is not None and count:
            reasons[bucket] = reasons.get(bucket, 0) + count
            wanted -= count
    if wanted > 0:
        waits = Reason.HELD if output.held_plan else Reason.PENDING
        reasons[waits] = reasons.get(waits, 0) + wanted
    elif wanted:  # entries whose claims are gone stay at the target until the next refresh
        _take_off(reasons, -wanted)
    return reasons


def _take_off(reasons: dict[Reason, int], surplus: int) -> None:
    for bucket in dict.fromkeys(_BUCKET_OF.values()):
        fewer = min(surplus, reasons.get(bucket, 0))
        if fewer:
            reasons[bucket] -= fewer
            surplus -= fewer


def _marks_of_wanted(
    database: Database, connection: Connection, output: OutputRow
) -> dict[int, int]:
    """Return the marks of entries that are wanted now: the counts, less what left since."""
    found = tallies(database, connection, OUTPUT_TALLY, output.number)
    sql = (
        "SELECT l.state, count(*) FROM entries e JOIN ledger l ON l.output = ? "
        "AND l.observable = e.observable WHERE e.list = ? AND e.seq > ? AND e.wanted = 0 "
        "GROUP BY l.state"
    )
    values = (output.number, output.list, output.seq)
    for mark, count in database.rows(connection, sql, values):
        found[mark] = found.get(mark, 0) - count
    return found


def find_observables(
    database: Database, connection: Connection, keys: Sequence[bytes]
) -> dict[int, Subject]:
    """Return the observables that the store knows of these keys."""
    marks = ",".join("?" * len(keys))
    sql = f"SELECT number, type, value FROM observables WHERE key IN ({marks})"  # noqa: S608 - only marks
    return {
        number: subject(code, value)
        for number, code, value in database.rows(connection, sql, list(keys))
    }


def observables_of_object(
    database: Database, connection: Connection, key: bytes
) -> dict[int, Subject]:
    """Return the observables that an object claims, and the rule it bears."""
    sql = (
        "SELECT b.number, b.type, b.value FROM objects o JOIN claims c ON c.object = o.number "
        "JOIN observables b ON b.number = c.observable WHERE o.key = ?"
    )
    return {
        number: subject(code, value)
        for number, code, value in database.rows(connection, sql, (key,))
    }


def claims_on(database: Database, connection: Connection, observable: int) -> list[ClaimFound]:
    """Return every claim on an observable."""
    return _claims(database, connection, "c.observable = ?", (observable,))


def bare_claims_of(database: Database, connection: Connection, key: bytes) -> list[ClaimFound]:
    """Return an object's claims that have no observable."""
    return _claims(database, connection, "c.observable = 0 AND o.key = ?", (key,))


def unreadable_named(database: Database, connection: Connection, name: str) -> list[ClaimFound]:
    """Return the claims of unreadable objects that call themselves so: their keys are no ids."""
    where = "o.key >= ? AND o.key < ? AND substr(c.why, 1, ?) = ?"
    words = f"{name}: "
    return _claims(database, connection, where, (*UNREADABLE_KEYS, len(words), words))


def unread_count(database: Database, connection: Connection) -> int:
    """Return how many claims have no observable: unreadable, unsupported or about none."""
    sql = "SELECT count(*) FROM claims WHERE observable = 0"
    return int(database.one(connection, sql) or 0)


def newest_unread(database: Database, connection: Connection, most: int) -> list[ClaimFound]:
    """Return the newest of the claims that have no observable, the newest first."""
    where = (
        "c.number IN (SELECT number FROM claims WHERE observable = 0 ORDER BY number DESC LIMIT ?)"
    )
    return _claims(database, connection, where, (most,))[::-1]


def _claims(
    database: Database, connection: Connection, where: str, values: Sequence[Any]
) -> list[ClaimFound]:
    sql = (
        f"SELECT o.key, c.why, {CLAIM_COLUMNS} FROM claims c JOIN objects o "  # noqa: S608 - fixed conditions
        f"ON o.number = c.object WHERE {where} ORDER BY c.number"
    )
    return [
        ClaimFound(ClaimRow._make(row[2:]), bytes(row[0]), row[1] or "")
        for row in database.rows(connection, sql, values)
    ]


def entry_of(
    database: Database, connection: Connection, output: int, observable: int
) -> EntryFound | None:
    """Return what an output's ledger says of an observable."""
    sql = "SELECT state, since, why FROM ledger WHERE output = ? AND observable = ?"
    rows = database.rows(connection, sql, (output, observable))
    return EntryFound(rows[0][0], rows[0][1], rows[0][2] or "") if rows else None


def listed_since(
    database: Database, connection: Connection, number: int, observable: int
) -> int | None:
    """Return since when an observable is, or is not, on a list."""
    sql = "SELECT since FROM entries WHERE list = ? AND observable = ?"
    found = database.one(connection, sql, (number, observable))
    return None if found is None else int(found)


def recount(
    database: Database, connection: Connection, output: OutputRow
) -> dict[Reason | None, int]:
    """Count an output's wanted entries one by one; None stands for no word in the ledger."""
    sql = (
        "SELECT l.state, count(*) FROM entries e LEFT JOIN ledger l ON l.output = ? "
        "AND l.observable = e.observable WHERE e.list = ? AND e.wanted = 1 GROUP BY l.state"
    )
    counts: dict[Reason | None, int] = {}
    for mark, count in database.rows(connection, sql, (output.number, output.list)):
        bucket = _BUCKET_OF.get(mark)
        counts[bucket] = counts.get(bucket, 0) + count
    return counts
