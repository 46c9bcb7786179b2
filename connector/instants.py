"""Instants and spans as whole microseconds, and the clock.

An instant counts from 1970 (UTC). None is rounded: STIX compares versions as instants (STIX 2.1
section 3.6). Code that decides by time takes `now` as a value; code that reads it takes a `Clock`.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

Clock = Callable[[], int]

NEVER: Final = (1 << 62) - 1
"""Later than every instant: the end of things without an end."""
SECOND: Final = 1_000_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND


def system_clock() -> int:
    """Return the current instant of this machine's clock."""
    return time.time_ns() // 1000


def utc_now() -> datetime:
    """Return the current time as a datetime in UTC."""
    return to_datetime(system_clock())


def to_instant(moment: datetime) -> int:
    """Return the exact instant of a datetime with a time zone."""
    return (moment - EPOCH) // _MICROSECOND


def to_datetime(instant: int) -> datetime:
    """Return an instant as a datetime in UTC, or the first or last one of Python's calendar.

    An offset or an age bound can move an instant of year 1 or 9999 beyond Python's range.
    """
    return EPOCH + timedelta(microseconds=min(max(instant, _FIRST), _LAST))


def span(length: timedelta) -> int:
    """Return a timedelta in microseconds."""
    return length // _MICROSECOND
