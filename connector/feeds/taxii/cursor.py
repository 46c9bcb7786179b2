"""Times as TAXII servers write them, and the cursor kept between runs."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Final, Self

import msgspec

from connector.errors import StoreError

LONGEST_STAMP: Final = 100
_BELIEVED_AHEAD: Final = timedelta(hours=1)
_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d+))?\s*(?:[Zz]|([+-])(\d\d):?(\d\d))"
)
# JavaScript's Date.toString(): "Thu Feb 20 2020 22:10:20 GMT+0000 (Coordinated Universal Time)".
_JAVASCRIPT: Final = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d\d) (\d{4}) (\d\d:\d\d:\d\d) GMT([+-]\d{4})"
)


def read_stamp(text: str | None) -> datetime | None:
    """Return the time that a server wrote, in any form that servers use, or None."""
    if not text or len(text) > LONGEST_STAMP:
        return None
    text = text.strip().strip('"')
    try:
        if found := _RFC3339.fullmatch(text):
            return _rfc3339(found)
        if found := _JAVASCRIPT.match(text):
            month, day, year, clock, offset = found.groups()
            text = f"{day} {month} {year} {clock} {offset}"
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def believed(stamp: datetime | None, now: datetime | None) -> datetime | None:
    """Ignore a stamp in the future: we would never read anything after it."""
    if stamp is None or now is None or stamp <= now + _BELIEVED_AHEAD:
        return stamp
    return None


def _rfc3339(found: re.Match[str]) -> datetime:
    day, clock, fraction, sign, hours, minutes = found.groups()
    if clock.endswith(":60"):  # a leap second, unknown to Python: take the moment before it
        clock, fraction = f"{clock[:-2]}59", "999999"
    moment = datetime.fromisoformat(f"{day}T{clock}").replace(
        microsecond=int((fraction or "0")[:6].ljust(6, "0")), tzinfo=UTC
    )
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        zone = timezone(offset if sign == "+" else -offset)
        moment = moment.replace(tzinfo=zone).astimezone(UTC)
    return moment


def write_stamp(moment: datetime) -> str:
    """Return the one form that every known server accepts: six digits and `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


class _Written(msgspec.Struct, omit_defaults=True):
    last: str | None = None
    read_at: str | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a collection was read, by the server's clock only.

    `last` is when the newest object read was added; `read_at` is when the last complete run
    began.
    """

    last: datetime | None = None
    read_at: datetime | None = None

    @classmethod
    def read(cls, text: str | None) -> Self:
        """Return the cursor that `write` wrote; a bare timestamp is accepted too."""
        if not text:
            return cls()
        if stamp := read_stamp(text):
            return cls(stamp)
        try:
            written = msgspec.json.decode(text, type=_Written)
        except msgspec.DecodeError as error:
            raise StoreError(f"a feed's cursor is unreadable: {text[:80]!r}") from error
        return cls(read_stamp(written.last), read_stamp(written.read_at))

    def write(self) -> str:
        """Return the text that is stored with a page."""
        last = None if self.last is None else write_stamp(self.last)
        read_at = None if self.read_at is None else write_stamp(self.read_at)
        return msgspec.json.encode(_Written(last, read_at)).decode()

    def past(self, stamp: datetime | None) -> Self:
        """Return the cursor after an object added at `stamp`, during a run."""
        last = stamp if self.last is None or (stamp and stamp > self.last) else self.last
        return replace(self, last=last, read_at=None)

    def resume(self, overlap: timedelta) -> datetime | None:
        """Return the time after which to read again.

        Servers stamp before they commit, so an object may appear later with an earlier stamp:
        objects added within `overlap` are read again. Once a complete run began well after that
        time (twice the overlap, as two clocks of one server may differ), it is settled.
        """
        if self.last is None:
            return None
        start = _earlier(self.last, overlap)
        if self.read_at is not None:
            start = max(start, min(self.last, _earlier(self.read_at, 2 * overlap)))
        return start


def _earlier(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment - by
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
