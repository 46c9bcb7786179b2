"""Flags and times in MISP's files, for which the format allows several spellings."""

from datetime import UTC, date, datetime
from typing import Final

_YES: Final = frozenset({"1", "true", "yes", "on", "y", "t"})
_NO: Final = frozenset({"0", "false", "no", "off", "n", "f", ""})
_LATEST: Final = 253370764799  # the last second of 9998: leaves a year to add to


def read_flag(value: object) -> bool | None:
    """Return a flag written as boolean, number or word; None where it is neither yes nor no."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    word = str(value).strip().casefold() if isinstance(value, bool | int | str) else "?"
    if word in _YES:
        return True
    return False if word in _NO else None


def read_seconds(value: object) -> int | None:
    """Return a time in seconds since 1970, written as text or number; None where it is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip() if isinstance(value, int | str) else ""
    found = int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0
    return found if 0 < found <= _LATEST else None


def read_day(value: object) -> int | None:
    """Return the first second of a day such as 2026-03-01; None where it is none."""
    try:
        day = date.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return read_seconds(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()))
