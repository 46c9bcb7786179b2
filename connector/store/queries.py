"""What people and monitoring query from the store; nothing here writes."""

import zlib
from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import Final, NamedTuple

from connector.decisions.records import UNFIT_REASONS, LedgerState
from connector.model import Reason
from connector.store.lists.reason_blocks import BLOCK
from connector.store.lists.suppressions import by_protector
from connector.store.outputs.kept_holds import HoldState
from connector.store.tallies import LIST_TALLY, OUTPUT_TALLY, reasons_of, tallies
from connector.store.transaction import Transaction

_BUCKET_OF: Final[Mapping[int, Reason]] = {
    LedgerState.WRITTEN: Reason.WRITTEN,
    LedgerState.FOREIGN: Reason.WRITTEN,  # it is there, added by others, and stays theirs
    LedgerState.REJECTED: Reason.REJECTED,
    LedgerState.CONTRARY: Reason.REJECTED,  # the target has the opposite, by others' hand
    **UNFIT_REASONS,
}


UNKNOWN: Final = -1
"""The number of a feed or list that the state does not know yet: nothing is kept under it."""


class FeedRow(NamedTuple):
    """How a feed's latest polls went; instants in microseconds since 1970.

    `last_recovery` is when a poll first went well after one that failed.
    """

    name: str
    last_success: int | None
    last_failure: int | None
    last_recovery: int | None
    error: str | None
    paused: str | None
    objects: int


class PurgeRow(NamedTuple):
    """How many objects have a marking that no longer lets us hold them, waiting since when."""

    marking: str
    objects: int
    since: int


class OutputRow(NamedTuple):
    """How an output's latest cycles went; `unread` until its target was read after a start."""

    number: int
    list: int
    seq: int
    last_success: int | None
    last_failure: int | None
    last_recovery: int | None
    error: str | None
    paused: str | None
    unread: int


def feed_numbers(transaction: Transaction) -> dict[str, int]:
    """Return the number of every feed that ever gave something, by name."""
    return dict(map(tuple, transaction.rows("SELECT name, number FROM feeds")))


def feed_names(transaction: Transaction) -> dict[int, str]:
    """Return the name of every feed that ever gave something, by number."""
    return {number: name for name, number in feed_numbers(transaction).items()}


def list_numbers(transaction: Transaction) -> dict[str, int]:
    """Return the number of every list by name."""
    return dict(map(tuple, transaction.rows("SELECT name, number FROM lists")))


def feed_rows(transaction: Transaction) -> dict[str, FeedRow]:
    """Return every feed by name."""
    sql = (
        "SELECT name, last_success, last_failure, last_recovery, error, paused, objects FROM feeds"
    )
    return {row[0]: FeedRow(*row) for row in transaction.rows(sql)}


def purges_waiting(transaction: Transaction, feed: int) -> list[PurgeRow]:
    """Return what waits in a feed for a person before it is deleted, by marking."""
    sql = (
        "SELECT marking, waiting, since FROM disposals WHERE feed = ? AND since IS NOT NULL "
        "ORDER BY marking"
    )
    return [PurgeRow(*row) for row in transaction.rows(sql, (feed,))]


def was_in_step(transaction: Transaction, output: str) -> bool:
    """Return whether a cycle of an output ever went well."""
    sql = "SELECT last_success FROM outputs WHERE name = ? AND standing = 'kept'"
    return transaction.one(sql, (output,)) is not None


def output_rows(transaction: Transaction) -> dict[str, OutputRow]:
    """Return every output by name, as it stands in the file in force or last stood in one."""
    sql = (
        "SELECT o.name, o.number, o.list, o.seq, "
        "CASE WHEN q.at > o.last_success THEN q.at ELSE o.last_success END, "
        "o.last_failure, o.last_recovery, o.error, o.paused, o.unread FROM outputs o "
        "LEFT JOIN quiet_cycles q ON q.output = o.number WHERE o.standing <> 'moved' "
        "ORDER BY CASE o.standing WHEN 'kept' THEN 1 ELSE 0 END, o.number"
    )
    return {row[0]: OutputRow(*row[1:]) for row in transaction.rows(sql)}


def claim_count(transaction: Transaction) -> int:
    """Return how many claims the store holds."""
    return int(transaction.one("SELECT count(*) FROM claims") or 0)


def suppressed(transaction: Transaction, number: int) -> dict[str, int]:
    """Return how many claims each group of the allowlist keeps off a list, the most first."""
    return by_protector(transaction, _counted(transaction, number))


def decided_at(transaction: Transaction) -> dict[str, int | None]:
    """Return when each list was decided last; None while it is, or where that was cut short."""
    rows = transaction.rows("SELECT name, decided_at FROM lists")
    return dict(map(tuple, rows))


def list_reasons(transaction: Transaction, number: int, claims: int) -> dict[Reason, int]:
    """Return the buckets of a list; claims that wait for its next refresh are `pending`."""
    reasons = reasons_of(_counted(transaction, number))
    if waiting := claims - sum(reasons.values()):
        reasons[Reason.PENDING] = waiting
    return reasons


def _counted(transaction: Transaction, number: int) -> Counter[int]:
    """Return how many of the existing claims have each reason byte of a list."""
    found = Counter(tallies(transaction, LIST_TALLY, number))
    found.subtract(_departed(transaction, number))
    return found


def _departed(transaction: Transaction, number: int) -> Counter[int]:
    """Return the buckets of claims that are gone and that the list has still to take out."""
    sql = (
        "SELECT d.claim FROM departures d JOIN lists l ON l.number = ? AND d.touched > l.touched "
        "ORDER BY d.claim"
    )
    claims = [row[0] for row in transaction.rows(sql, (number,))]
    codes: Counter[int] = Counter()
    sql = "SELECT packed FROM buckets WHERE list = ? AND block = ?"
    for block, group in groupby(claims, lambda claim: claim // BLOCK):
        packed = transaction.one(sql, (number, block))
        if packed is not None:
            held = zlib.decompress(packed)
            codes.update(held[claim % BLOCK] for claim in group)
    del codes[0]
    return codes


def entries_there(transaction: Transaction, output: OutputRow) -> int:
    """Return how many entries the ledger says the target holds, wanted or not."""
    found = tallies(transaction, OUTPUT_TALLY, output.number)
    return (
        found.get(LedgerState.WRITTEN, 0)
        + found.get(LedgerState.REMOVING, 0)
        + found.get(LedgerState.FOREIGN, 0)
    )


def beyond_share(transaction: Transaction, output: OutputRow) -> dict[int, int]:
    """Return how many entries of each feed, by its number, its `max_share` keeps off an output."""
    counted = tallies(transaction, OUTPUT_TALLY, output.number)
    if not counted.get(LedgerState.OVER_SHARE):
        return {}
    sql = (
        "SELECT e.source, count(*) FROM ledger l JOIN entries e ON e.list = ? "
        "AND e.observable = l.observable WHERE l.output = ? AND l.state = ? AND e.wanted = 1 "
        "GROUP BY e.source"
    )
    values = (output.list, output.number, LedgerState.OVER_SHARE)
    return dict(map(tuple, transaction.rows(sql, values)))


def output_reasons(
    transaction: Transaction, output: OutputRow, listed: Mapping[Reason, int]
) -> dict[Reason, int]:
    """Return the buckets of an output: its list's, with the wanted ones split by their outcome."""
    reasons = dict(listed)
    wanted = reasons.pop(Reason.WANTED, 0)
    marked = _marks_of_wanted(transaction, output)
    held = _held_additions(transaction, output)
    for mark, count in held.items():
        marked[mark] = marked.get(mark, 0) - count
    if waiting := sum(held.values()):
        reasons[Reason.HELD] = waiting
        wanted -= waiting
    for mark, count in marked.items():
        bucket = _BUCKET_OF.get(mark)
        if bucket is not None and count:
            reasons[bucket] = reasons.get(bucket, 0) + count
            wanted -= count
    if wanted > 0:
        reasons[Reason.PENDING] = reasons.get(Reason.PENDING, 0) + wanted
    elif wanted:  # entries whose claims are gone stay at the target until the next refresh
        _take_off(reasons, -wanted)
    return reasons


def _take_off(reasons: dict[Reason, int], surplus: int) -> None:
    for bucket in dict.fromkeys(_BUCKET_OF.values()):
        fewer = min(surplus, reasons.get(bucket, 0))
        if fewer:
            reasons[bucket] -= fewer
            surplus -= fewer


def _marks_of_wanted(transaction: Transaction, output: OutputRow) -> dict[int, int]:
    """Return the marks of entries that are wanted now: the counts, less what left since."""
    found = tallies(transaction, OUTPUT_TALLY, output.number)
    sql = (
        "SELECT l.state, count(*) FROM entries e JOIN ledger l ON l.output = ? "
        "AND l.observable = e.observable WHERE e.list = ? AND e.seq > ? AND e.wanted = 0 "
        "GROUP BY l.state"
    )
    values = (output.number, output.list, output.seq)
    for mark, count in transaction.rows(sql, values):
        found[mark] = found.get(mark, 0) - count
    sql = (  # what waits to be removed: the output has passed it
        "SELECT l.state, count(*) FROM held_changes c "
        "JOIN ledger l ON l.output = c.output AND l.observable = c.observable "
        "LEFT JOIN entries e ON e.list = ? AND e.observable = c.observable "
        "WHERE c.output = ? AND c.verb = 2 AND coalesce(e.wanted, 0) = 0 "
        "AND coalesce(e.seq, 0) <= ? GROUP BY l.state"
    )
    for mark, count in transaction.rows(sql, (output.list, output.number, output.seq)):
        found[mark] = found.get(mark, 0) - count
    return found


def _held_additions(transaction: Transaction, output: OutputRow) -> dict[int, int]:
    """Return how many wanted entries are kept off by a hold, by their mark so far (0 for none).

    Those of a hold that was accepted are not: the next cycle writes them.
    """
    sql = (
        "SELECT coalesce(l.state, 0), count(*) FROM held_changes c "
        "JOIN holds h ON h.output = c.output AND h.id = c.hold AND h.state <> ? "
        "JOIN entries e ON e.list = ? AND e.observable = c.observable AND e.wanted = 1 "
        "LEFT JOIN ledger l ON l.output = c.output AND l.observable = c.observable "
        "WHERE c.output = ? AND c.verb = 1 GROUP BY 1"
    )
    values = (HoldState.ACCEPTED, output.list, output.number)
    return dict(map(tuple, transaction.rows(sql, values)))
