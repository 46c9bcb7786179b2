"""Instants and spans as whole microseconds, and the one clock that says what time it is.

An instant counts from 1970 (UTC). None is rounded: STIX compares versions as instants (STIX 2.1
section 3.6). What decides by time takes `now` as a value; what has to read it takes a `Clock`.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

Clock = Callable[[], int]

NEVER: Final = (1 << 62) - 1
"""Later than every instant: what has no end ends then."""
SECOND: Final = 1_000_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND


def system_clock() -> int:
    """Return the instant now, by the clock of this machine."""
    return time.time_ns() // 1000


def utc_now() -> datetime:
    """Return the same as a datetime in UTC."""
    return to_datetime(system_clock())


def to_instant(moment: datetime) -> int:
    """Return the instant of a datetime that has a time zone, exactly."""
    return (moment - EPOCH) // _MICROSECOND


def to_datetime(instant: int) -> datetime:
    """Return an instant as a datetime in UTC; outside of Python's calendar, its first or last.

    An offset or an age bound can move an instant of year 1 or 9999 out of what Python counts.
    """
    return EPOCH + timedelta(microseconds=min(max(instant, _FIRST), _LAST))


def span(length: timedelta) -> int:
    """Return a length of time in microseconds."""
    return length // _MICROSECOND
