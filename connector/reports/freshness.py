"""How fresh a feed or an output is, and when it last failed and recovered."""

from datetime import timedelta
from typing import Final

from connector.instants import SECOND
from connector.reports.values import Json, moment
from connector.store.queries import FeedRow, OutputRow

_STALE_AFTER: Final = 3
_GRACE_SECONDS: Final = 60


def state_of(row: FeedRow | OutputRow | None, every: timedelta, now: int) -> str:
    """Return `paused`, `failing`, `never`, `stale` or `ok`."""
    if row is not None and row.paused:
        return "paused"
    if row is not None and row.error is not None:
        return "failing"
    age = _age(row, now)
    if age is None:
        return "never"
    return "stale" if age > _STALE_AFTER * every.total_seconds() + _GRACE_SECONDS else "ok"


def freshness_json(row: FeedRow | OutputRow | None, now: int) -> Json:
    """Return the latest success, failure and recovery, and the error of one that fails now."""
    return {
        "last_success": moment(row.last_success if row else None),
        "age_seconds": _age(row, now),
        "last_failure": moment(row.last_failure if row else None),
        "last_recovery": moment(row.last_recovery if row else None),
        "error": row.error if row else None,
    }


def failure_words(part: Json) -> str | None:
    """Return when a feed or an output last failed, and when that was over; None if it never did."""
    if part["last_failure"] is None:
        return None
    over = "not recovered since" if part["error"] else f"recovered at {part['last_recovery']}"
    return f"last failed at {part['last_failure']}, {over}"


def _age(row: FeedRow | OutputRow | None, now: int) -> int | None:
    last = row.last_success if row else None
    return None if last is None else max(0, (now - last) // SECOND)
