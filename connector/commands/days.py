"""Days as people type them."""

from datetime import date

from connector.decisions.allowlist.site import end_of_day
from connector.instants import to_instant


def last_day(until: str, now: int, past: str) -> int | None:
    """Return the end of a day of UTC; None for no day.

    Raises ValueError for what is no day, or one that is over; `past` says what that would mean.
    """
    if not until:
        return None
    try:
        instant = to_instant(end_of_day(date.fromisoformat(until)))
    except ValueError:
        raise ValueError(f"--until: should be a day, such as 2027-06-30, is {until}") from None
    if instant <= now:
        raise ValueError(f"--until: {until} is already over (UTC), so {past}")
    return instant
