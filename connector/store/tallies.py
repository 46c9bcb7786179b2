"""Counts by bucket, kept with what they count: claims by reason, entries by mark or feed, times."""

from collections.abc import Mapping
from typing import Final

from connector.decisions.records import reason_of
from connector.model import Reason
from connector.store.transaction import Transaction

LIST_TALLY: Final = 1
OUTPUT_TALLY: Final = 2
FEED_TALLY: Final = 3
REMOVAL_TALLY: Final = 4
ENFORCE_TALLY: Final = 5
SOURCE_TALLY: Final = 6


def add_to_tallies(
    transaction: Transaction, kind: int, owner: int, changes: Mapping[int, int]
) -> None:
    """Update counts with what changed; bucket 0 is not counted."""
    sql = (
        "INSERT INTO tallies (kind, owner, bucket, count) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (kind, owner, bucket) DO UPDATE SET count = tallies.count + excluded.count"
    )
    rows = [(kind, owner, code, by) for code, by in changes.items() if code and by]
    transaction.many(sql, rows)


def tallies(transaction: Transaction, kind: int, owner: int) -> dict[int, int]:
    """Return counts by bucket."""
    sql = "SELECT bucket, count FROM tallies WHERE kind = ? AND owner = ?"
    return {bucket: count for bucket, count in transaction.rows(sql, (kind, owner))}


def reasons_of(counts: Mapping[int, int]) -> dict[Reason, int]:
    """Return counts by reason from counts by stored byte, without those of nothing."""
    reasons: dict[Reason, int] = {}
    for code, count in sorted(counts.items()):
        if count:
            reason = reason_of(code)
            reasons[reason] = reasons.get(reason, 0) + count
    return reasons
