"""Reads STIX objects one by one from raw bytes: the fields we use, typed, or why it failed.

Nothing is invented: an object without a field that STIX 2.0 or 2.1 requires is unreadable (STIX
2.1 section 4.7 for indicators, section 3.2 for common properties). A period that ends before it
begins is accepted: the indicator is never valid.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from connector.indicators.confidence import code_of
from connector.indicators.flat_json import TooManyError, members
from connector.indicators.timestamps import Timestamp, blank_in, mended
from connector.model import Claim, Reason

LONGEST_ID: Final = 256
_LARGEST_OBJECT: Final = 1 << 20

Confidence = Annotated[int, msgspec.Meta(ge=0, le=100)]


class GranularMarking(msgspec.Struct, gc=False):
    """A marking on parts of an object (STIX 2.1 section 7.2.3)."""

    selectors: tuple[str, ...]
    marking_ref: str | None = None


class StixObject(msgspec.Struct, gc=False):
    """The fields of a STIX object that decisions and mappings use; absent ones are None.

    A `confidence` below zero is a code for a value that is not a whole number from 0 to 100.
    """

    type: str
    id: str
    spec_version: str | None = None
    created: Timestamp | None = None
    modified: Timestamp | None = None
    revoked: bool | None = None
    created_by_ref: str | None = None
    name: str | None = None
    pattern: str | None = None
    pattern_type: str | None = None
    pattern_version: str | None = None
    valid_from: Timestamp | None = None
    valid_until: Timestamp | None = None
    confidence: Confidence | None = None
    labels: tuple[str, ...] | None = None
    indicator_types: tuple[str, ...] | None = None
    object_marking_refs: tuple[str, ...] | None = None
    granular_markings: list[GranularMarking] | None = None


class _Named(msgspec.Struct, gc=False):
    type: msgspec.Raw = msgspec.Raw()
    id: msgspec.Raw = msgspec.Raw()
    modified: msgspec.Raw = msgspec.Raw()
    created_by_ref: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that cannot be read: what is known about it, and why it cannot be read.

    `indicator` is the id of the indicator that it is a version of, or empty.
    """

    type: str
    id: str
    why: str
    indicator: str = ""
    modified: datetime | None = None
    created_by_ref: str = ""

    @property
    def claim(self) -> Claim | None:
        """The claim under which it counts, or None if it is certainly not an indicator."""
        if self.type not in ("", "indicator"):
            return None
        return Claim(None, enforceable=False, reason=Reason.UNREADABLE, why=self.why)


_decode = msgspec.json.Decoder(StixObject).decode
_decode_named = msgspec.json.Decoder(_Named).decode


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
        legal = mended(raw)
        return _unreadable(raw, str(error)) if legal == raw else read_object(legal)
    if name := blank_in(raw):
        return _unreadable(raw, f"`{name}` has a space instead of `T`")
    why = _common_fault(found) or (_indicator_fault(found) if found.type == "indicator" else "")
    return _unreadable(raw, why) if why else found


def _read_besides_confidence(raw: bytes) -> StixObject | Unreadable:
    """Read everything else; the feed's configuration may know the scale of the confidence."""
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
    named = _named(raw)
    kind, given = _field(named.type, str) or "", _field(named.id, str) or ""
    return Unreadable(
        kind[:64],
        given[:LONGEST_ID],
        why,
        given if kind in ("", "indicator") and _names_indicator(given) else "",
        _field(named.modified, Timestamp),
        (_field(named.created_by_ref, str) or "")[:LONGEST_ID],
    )


def _named(raw: bytes) -> _Named:
    """Return what an object says about itself, even if the rest of it is not valid JSON."""
    try:
        return _decode_named(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        found = members(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TooManyError):
        return _Named()
    return _Named(
        **{name: msgspec.Raw(found[name]) for name in _Named.__struct_fields__ if name in found}
    )


def _field(text: msgspec.Raw, kind: Any) -> Any:
    """Return one field in its type, or None if it is absent or of another type."""
    try:
        return msgspec.json.decode(mended(bytes(text)), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _names_indicator(stix_id: str) -> bool:
    return stix_id.startswith("indicator--") and _is_fit(stix_id)


def _common_fault(found: StixObject) -> str:
    if not found.id.startswith(found.type + "--") or not found.type:
        return "`id` should start with the object's type and two hyphens"
    if not _is_fit(found.id):
        return f"`id` should be printable and have at most {LONGEST_ID} characters"
    return ""


def _is_fit(stix_id: str) -> bool:
    return len(stix_id) <= LONGEST_ID and stix_id.isprintable()


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
    if found.spec_version == "2.1" and not found.pattern_type:
        return "`pattern_type` is required"
    return ""
