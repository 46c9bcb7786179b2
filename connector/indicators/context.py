"""Reads context objects into nodes and edges: who is behind an indicator, and who judged it.

Edges lead away from the indicator: to what it indicates, the actors it is attributed to and their
locations; to the reports that contain it, and its opinions and sightings.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from typing import Final, NamedTuple, TypeGuard

import msgspec

from connector.indicators.identity import key_of_id
from connector.indicators.stix import LONGEST_ID, GranularMarking
from connector.indicators.timestamps import Timestamp, mended
from connector.instants import to_instant

CONTEXT_TYPES: Final = frozenset(
    {
        "relationship", "report", "grouping", "identity", "threat-actor", "intrusion-set",
        "campaign", "malware", "tool", "location", "opinion", "sighting",
    }
)  # fmt: skip
SCORES: Final[Mapping[str, int]] = {
    "strongly-disagree": 1, "disagree": 2, "neutral": 3, "agree": 4, "strongly-agree": 5,
}  # fmt: skip
# An identity's rules on whether it, and what refers to it, may be named (AIS).
_OF_CONSENT: Final = ("ais-consent-", "cisa-proprietary")
_MARKING: Final = "marking-definition--"
_NO_MARKING: Final = _MARKING  # an invalid marking id restricts like a missing marking
_MOST_REFS: Final = 20_000
_MOST_NAMES: Final = 64
_LONGEST_NAME: Final = 200
# What these say about their source applies to the indicator too. Not `uses`: an actor who uses a
# common tool does not own the tool's indicators. Nor `related-to`, which is vague.
_LEADING: Final = frozenset(
    {
        "indicates", "attributed-to", "authored-by", "located-at", "originates-from",
        "variant-of", "duplicate-of",
    }
)  # fmt: skip
NAMED: Final = frozenset(
    {"threat-actor", "intrusion-set", "campaign", "malware", "tool", "report", "grouping"}
)
# A report's locations and identities are as often those of victims.
_NAMED_IN_REPORTS: Final = (
    "threat-actor--",
    "intrusion-set--",
    "campaign--",
    "malware--",
    "tool--",
)


class Link(IntEnum):
    """The meaning of an edge for its source; stores keep the numbers."""

    LEADS = 1
    TARGETS = 2
    REPORTED = 3
    NAMES = 4
    JUDGED = 5
    SIGHTED = 6


class Edge(NamedTuple):
    """A step from one object to another, by their keys."""

    source: bytes
    target: bytes
    link: int


class ContextNode(NamedTuple):
    """The contents of a context object: names, location, markings, judgement.

    `labels` are an identity's own statements on consent.
    """

    type: str
    names: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()
    markings: tuple[str, ...] = ()
    producer: str = ""
    score: int = 0
    at: int = 0
    labels: tuple[str, ...] = ()


class Told(NamedTuple):
    """What one context object adds: a node, and the edges that it is or names."""

    node: ContextNode
    edges: tuple[Edge, ...] = ()

    def by(self, received: int) -> "Told":
        """Return it dated no later than when it was received."""
        if self.node.at <= received:
            return self
        return self._replace(node=self.node._replace(at=received))


NOTHING_TOLD: Final = Told(ContextNode(""))


class _Body(msgspec.Struct, gc=False):
    type: str
    id: str
    modified: Timestamp | None = None
    created_by_ref: str | None = None
    name: str | None = None
    labels: list[str] | None = None
    aliases: list[str] | None = None
    x_mitre_aliases: list[str] | None = None
    x_opencti_aliases: list[str] | None = None
    country: str | None = None
    administrative_area: str | None = None
    city: str | None = None
    sectors: list[str] | None = None
    object_marking_refs: list[str] | None = None
    granular_markings: list[GranularMarking] | None = None
    object_refs: list[str] | None = None
    relationship_type: str | None = None
    source_ref: str | None = None
    target_ref: str | None = None
    opinion: str | None = None
    sighting_of_ref: str | None = None
    count: int | None = None
    last_seen: Timestamp | None = None


_decode = msgspec.json.Decoder(_Body).decode


def read_context(raw: bytes) -> Told | None:
    """Return the contents of a context object, or None if a field that we need is malformed."""
    try:
        body = _decode(mended(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    modified = 0 if body.modified is None else to_instant(body.modified)
    seen = modified if body.last_seen is None else min(modified, to_instant(body.last_seen))
    node = ContextNode(
        body.type,
        _names(body),
        _countries(body),
        _clean(body.sectors or ()),
        _markings(body),
        body.created_by_ref or "",
        SCORES.get(body.opinion or "", 0),
        seen if body.type == "sighting" else modified,
        _consent(body),
    )
    return Told(node, tuple(dict.fromkeys(_edges(body))))


def _names(body: _Body) -> tuple[str, ...]:
    if body.type == "identity":  # never shown as context: its name needs its own consent
        return _clean((body.name or "",))
    if body.type not in NAMED:
        return ()
    lists = (body.aliases, body.x_mitre_aliases, body.x_opencti_aliases)
    return _clean((body.name or "", *(name for names in lists for name in names or ())))


def _consent(body: _Body) -> tuple[str, ...]:
    words = (label.strip().casefold() for label in body.labels or () if body.type == "identity")
    return _clean(sorted(word for word in words if word.startswith(_OF_CONSENT)))


def _countries(body: _Body) -> tuple[str, ...]:
    """Return the country as written; for a location that is a whole country also its name."""
    said = body.country or (body.administrative_area or "").partition("-")[0]
    if body.type != "location" or body.administrative_area or body.city or not body.country:
        return _clean((said,))
    return _clean((said, body.name or "", *(body.x_opencti_aliases or ())))


def _clean(words: Iterable[str]) -> tuple[str, ...]:
    """Return the words as written, each on one line and without repetitions."""
    found: dict[str, str] = {}
    for word in words:
        text = " ".join(word.split())[:_LONGEST_NAME]
        if text and len(found) < _MOST_NAMES:
            found.setdefault(text.casefold(), text)
    return tuple(found.values())


def _markings(body: _Body) -> tuple[str, ...]:
    """Return all markings; one on a part counts for the whole, as we show no part alone."""
    partly = (part.marking_ref for part in body.granular_markings or ())
    refs = {*(body.object_marking_refs or ()), *(ref for ref in partly if ref)}
    return tuple(sorted(ref if ref.startswith(_MARKING) else _NO_MARKING for ref in refs))


def _edges(body: _Body) -> Iterator[Edge]:
    own = key_of_id(body.id)
    if body.type == "relationship":
        link = _link_of(body)
        if link is not None and _is_id(body.source_ref) and _is_id(body.target_ref):
            yield Edge(key_of_id(body.source_ref), key_of_id(body.target_ref), link)
    elif body.type == "sighting":
        if body.count != 0 and _is_indicator(body.sighting_of_ref or ""):
            yield Edge(key_of_id(body.sighting_of_ref or ""), own, Link.SIGHTED)
    elif body.type in ("report", "grouping", "opinion"):
        link = Link.JUDGED if body.type == "opinion" else Link.REPORTED
        for ref in (body.object_refs or ())[:_MOST_REFS]:
            if _is_indicator(ref):
                yield Edge(key_of_id(ref), own, link)
            elif link is Link.REPORTED and ref.startswith(_NAMED_IN_REPORTS) and _is_id(ref):
                yield Edge(own, key_of_id(ref), Link.NAMES)


def _link_of(body: _Body) -> Link | None:
    if body.relationship_type == "targets":
        return Link.TARGETS
    return Link.LEADS if body.relationship_type in _LEADING else None


def _is_id(ref: str | None) -> TypeGuard[str]:
    """Return whether an id is usable; the key of a longer one would fit no index."""
    return ref is not None and 0 < len(ref) <= LONGEST_ID


def _is_indicator(ref: str) -> bool:
    return ref.startswith("indicator--") and _is_id(ref)
