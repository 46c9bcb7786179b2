"""STIX objects read one by one from raw bytes: the fields we use, typed, or the reason why not.

Nothing is invented: a field that is missing where STIX 2.0 or 2.1 requires it makes the object
unreadable (STIX 2.1 section 4.7 for indicators, section 3.2 for common properties).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec

from connector.indicators.confidence import code_of
from connector.model import Claim, Reason

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
# The end of time as .NET writes it, `9999-12-31T23:59:59.9999999Z`: rounding leaves the calendar.
_END_OF_TIME: Final = re.compile(rb'("9999-12-31T23:59:59\.9{6})9+(Z")')
LONGEST_ID: Final = 256
_LARGEST_OBJECT: Final = 1 << 20

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Confidence = Annotated[int, msgspec.Meta(ge=0, le=100)]


class GranularMarking(msgspec.Struct, gc=False):
    """A marking on parts of an object (STIX 2.1 section 7.2.3)."""

    selectors: tuple[str, ...]
    marking_ref: str | None = None


class StixObject(msgspec.Struct, gc=False):
    """The fields of a STIX object that decisions and mappings use; absent ones are None.

    A `confidence` below zero is a code for what is no whole number from 0 to 100.
    """

    type: str
    id: str
    spec_version: str | None = None
    created: Instant | None = None
    modified: Instant | None = None
    revoked: bool | None = None
    created_by_ref: str | None = None
    name: str | None = None
    pattern: str | None = None
    pattern_type: str | None = None
    pattern_version: str | None = None
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    confidence: Confidence | None = None
    labels: tuple[str, ...] | None = None
    indicator_types: tuple[str, ...] | None = None
    object_marking_refs: tuple[str, ...] | None = None
    granular_markings: list[GranularMarking] | None = None


class _Named(msgspec.Struct, gc=False):
    type: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that cannot be read: what is known of it, and why it cannot."""

    type: str
    id: str
    why: str

    @property
    def claim(self) -> Claim | None:
        """The claim that keeps it counted; None where it is known not to be an indicator."""
        if self.type not in ("", "indicator"):
            return None
        return Claim(None, enforceable=False, reason=Reason.UNREADABLE, why=self.why)


_decode = msgspec.json.Decoder(StixObject).decode
_decode_named = msgspec.json.Decoder(_Named).decode


def micros(instant: datetime) -> int:
    """Return microseconds since 1970, exactly; STIX compares versions as instants."""
    return (instant - EPOCH) // _MICROSECOND


def instant(microseconds: int) -> datetime:
    """Return the instant that `micros` was taken from; beyond the calendar, its first or last.

    An offset or an age bound can carry an instant of year 1 or 9999 out of what Python counts.
    """
    return EPOCH + timedelta(microseconds=min(max(microseconds, _FIRST), _LAST))


def read_object(raw: bytes) -> StixObject | Unreadable:
    """Return one object's typed fields, or why it cannot be read."""
    if len(raw) > _LARGEST_OBJECT:
        return _unreadable(raw, f"the object has {len(raw)} bytes, more than {_LARGEST_OBJECT}")
    try:
        found = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if str(error).endswith("`$.confidence`"):
            return _read_besides_confidence(raw)
        if isinstance(error, RecursionError):
            return _unreadable(raw, "the object is nested too deep")
        shortened, ends = _END_OF_TIME.subn(rb"\1\2", raw)
        return read_object(shortened) if ends else _unreadable(raw, str(error))
    why = _common_fault(found) or (_indicator_fault(found) if found.type == "indicator" else "")
    return Unreadable(found.type, found.id[:LONGEST_ID], why) if why else found


def _read_besides_confidence(raw: bytes) -> StixObject | Unreadable:
    """Read all else; on which scale the confidence is, the feed's configuration may know."""
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        said = msgspec.json.decode(fields.pop("confidence"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _unreadable(raw, str(error))
    found = read_object(msgspec.json.encode(fields))
    if isinstance(found, StixObject):
        found.confidence = code_of(said)
    return found


def _unreadable(raw: bytes, why: str) -> Unreadable:
    try:
        named = _decode_named(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        named = _Named()
    return Unreadable((named.type or "")[:64], (named.id or "")[:LONGEST_ID], why)


def _common_fault(found: StixObject) -> str:
    if not found.id.startswith(found.type + "--") or not found.type:
        return "`id` should start with the object's type and two hyphens"
    if len(found.id) > LONGEST_ID or not found.id.isprintable():
        return f"`id` should be printable and have at most {LONGEST_ID} characters"
    return ""


def _indicator_fault(found: StixObject) -> str:
    if found.created is None or found.modified is None:
        return "`created` and `modified` are required"
    if found.spec_version not in (None, "2.0", "2.1"):
        return f"spec_version {found.spec_version[:16]!r} is not 2.0 or 2.1"
    if found.revoked:
        return ""  # a revocation counts even when its body was trimmed
    if not found.pattern:
        return "`pattern` is required"
    if found.valid_from is None:
        return "`valid_from` is required"
    if found.valid_until is not None and found.valid_until <= found.valid_from:
        return "`valid_until` should be later than `valid_from`"
    if found.spec_version == "2.1" and not found.pattern_type:
        return "`pattern_type` is required"
    return ""
