"""Timestamps on which RFC 3339, as STIX requires (2.1 section 2.16), and our decoder differ."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

__all__ = ["Timestamp", "blank_in", "mended"]

Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]

# .NET's end of time, `9999-12-31T23:59:59.9999999Z`: rounding it leaves the calendar.
_END_OF_TIME: Final = re.compile(rb'("9999-12-31T23:59:59\.9{6})9+(Z")')
# A leap second, which Python cannot represent, becomes the last moment before it.
_LEAP: Final = re.compile(
    rb'"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d):60(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)"', re.ASCII
)
_NAMES: Final = frozenset({"created", "modified", "valid_from", "valid_until"})
_BLANK: Final = re.compile(rb"-[0-9][0-9] [0-9][0-9]:")  # tried on every object, so it is short


def mended(raw: bytes) -> bytes:
    """Return JSON with legal timestamps that the decoder refuses rewritten to a form it takes."""
    if b"59.999999" in raw:
        raw = _END_OF_TIME.sub(rb"\1\2", raw)
    return _LEAP.sub(_without_leap, raw) if b":60" in raw else raw


def blank_in(raw: bytes) -> str:
    """Return the timestamp of an object with a space for the T, which the decoder accepts."""
    if _BLANK.search(raw) is None:
        return ""
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    told = (name for name, said in fields.items() if bytes(said)[11:12] == b" ")
    return next((name for name in told if name in _NAMES), "")


def _without_leap(found: re.Match[bytes]) -> bytes:
    """Return the moment before a leap second, or no change if there can be none (RFC 3339, 5.7)."""
    text = b"%s:59.999999%s" % found.groups()
    try:
        moment = datetime.fromisoformat(text.decode().upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return found[0]
    return b'"%s"' % text if (moment.hour, moment.minute) == (23, 59) else found[0]
