"""A marking definition, read once, and as compact text to keep under its id for good."""

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import reduce
from typing import Any, Final, NamedTuple

import msgspec

from connector.indicators.markings.acs import ACS_EXTENSION, AcsMarking, read_acs
from connector.indicators.markings.tlp import TLP_2_0_EXTENSION, restriction_of, tlp_of_id
from connector.model import Tlp

__all__ = [
    "Definition",
    "KnownMarking",
    "find_marking",
    "marking_from_text",
    "marking_to_text",
    "markings_in",
    "meaning_of",
    "read_marking",
    "spilling",
    "strictest_of",
]

_REF: Final = re.compile(rb'"(marking-definition--[^"]{1,256})"')
_TWO_WORDS: Final = "two definitions of it contradict each other"
_UNDERSTOOD: Final = frozenset((ACS_EXTENSION, TLP_2_0_EXTENSION))


class KnownMarking(
    msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False
):
    """A marking's TLP level and its ACS marking; a statement has neither and restricts nothing."""

    tlp: Tlp | None
    acs: AcsMarking | None = None

    @property
    def closing(self) -> tuple[int, str] | None:
        """From when on objects with it may not be held, and why they never may; None for never.

        The instant is in microseconds since 1970.
        """
        if self.acs is not None and self.acs.spill:
            return 0, self.acs.spill
        if self.acs is not None and self.acs.disposal is not None:
            return self.acs.disposal, ""
        return None


class Definition(NamedTuple):
    """A marking as a feed defined it: its meaning, its version, and whether it was revoked."""

    marking: KnownMarking
    version: int = 0
    gone: bool = False


_LOST: Final = KnownMarking(Tlp.RED, AcsMarking(fault="our own record of it is damaged"))
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(KnownMarking).decode


def read_marking(definition: Mapping[str, Any]) -> KnownMarking:
    """Return what a marking definition says; one that is not fully understood counts as red.

    The nine published TLP ids keep their meaning, whatever a feed sends under them.
    """
    if (published := tlp_of_id(str(definition.get("id")))) is not None:
        return KnownMarking(published)
    level = restriction_of(definition, (ACS_EXTENSION,))
    extensions = definition.get("extensions")
    if isinstance(extensions, Mapping) and extensions.keys() - _UNDERSTOOD:
        level = Tlp.RED
    return KnownMarking(level, read_acs(definition))


def find_marking(ref: str, known: Mapping[str, KnownMarking]) -> KnownMarking | None:
    """Return the marking with this id among those that a feed defined, or None."""
    level = tlp_of_id(ref)
    return known.get(ref) if level is None else KnownMarking(level)


def strictest_of(one: KnownMarking, other: KnownMarking) -> KnownMarking:
    """Return what two definitions of one feed with the same id both allow.

    Definitions never change (STIX 2.1 section 7.2.1), so unless they are equal one of the two is
    false, and nobody knows which.
    """
    levels = [level for level in (one.tlp, other.tlp) if level is not None]
    return KnownMarking(max(levels, default=None), _strictest_acs(one.acs, other.acs))


def meaning_of(said: Collection[Definition]) -> KnownMarking | None:
    """Return what a feed means by an id, or None if it never defined it.

    A revoked definition still applies, except for its disposition date.
    """
    if standing := [each.marking for each in said if not each.gone]:
        return reduce(strictest_of, standing)
    if not said:
        return None
    meant = reduce(strictest_of, [each.marking for each in said])
    if meant.acs is None:
        return meant
    return KnownMarking(meant.tlp, msgspec.structs.replace(meant.acs, disposal=None))


def _strictest_acs(one: AcsMarking | None, other: AcsMarking | None) -> AcsMarking | None:
    if one is None or other is None or one == other:
        return one or other
    dates = [date for date in (one.disposal, other.disposal) if date is not None]
    return AcsMarking(
        fault=_TWO_WORDS, spill=one.spill or other.spill, disposal=min(dates, default=None)
    )


def spilling(refs: Iterable[str], known: Mapping[str, KnownMarking]) -> str:
    """Return why an object with these markings may not be held; empty if it may."""
    for ref in refs:
        marking = find_marking(ref, known)
        if marking is not None and marking.acs is not None and marking.acs.spill:
            return f"{ref} (ACS): {marking.acs.spill}"
    return ""


def markings_in(raw: bytes) -> set[str]:
    """Return the markings that an object references, however its text is escaped."""
    if b"\\u" in raw:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raw = msgspec.json.encode(msgspec.json.decode(raw))
    return {found.decode("utf-8", "replace") for found in _REF.findall(raw)}


def marking_to_text(marking: KnownMarking) -> str:
    """Return a marking as compact JSON; equal markings give equal texts."""
    return _encode(marking).decode()


def marking_from_text(text: str) -> KnownMarking:
    """Return the marking that a text encodes; a damaged text restricts everything."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return _LOST
