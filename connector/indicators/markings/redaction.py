"""What must not appear in comments, fields and logs: marked parts, people and sources."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from connector.indicators.markings.acs_policy import Use
from connector.indicators.markings.applied import AppliedMarking, Viewer, apply_marking, roots
from connector.indicators.markings.definition import KnownMarking
from connector.indicators.markings.tlp import PartMarking
from connector.model import Audience

__all__ = ["CONSENT", "Part", "closed_part", "redactions", "refused_consent"]

CONSENT: Final = "ais-consent-"
_FEDERAL: Final = "USA.USG"


class Part(StrEnum):
    """What a comment, an entry's field or a log line could reveal about an object."""

    NAME = "name"
    DESCRIPTION = "description"
    LABELS = "labels"
    TYPES = "indicator_types"
    CONFIDENCE = "confidence"
    DATES = "dates"
    REFERENCES = "external_references"
    EMAIL = "email_addresses"
    SUBJECT = "email_subjects"
    PRODUCER = "producer"
    PRODUCER_NAME = "producer_name"
    VICTIM = "victim"


_PII: Final = (Part.NAME, Part.DESCRIPTION, Part.EMAIL, Part.SUBJECT)
_ORIGIN: Final = (Part.PRODUCER, Part.PRODUCER_NAME, Part.VICTIM, Part.REFERENCES)
_PARTS: Final[Mapping[str, tuple[Part, ...]]] = MappingProxyType(
    {
        "description": (Part.DESCRIPTION,),
        "labels": (Part.LABELS,),
        "indicator_types": (Part.TYPES,),
        "confidence": (Part.CONFIDENCE,),
        "created": (Part.DATES,),
        "modified": (Part.DATES,),
        "valid_from": (Part.DATES,),
        "valid_until": (Part.DATES,),
        "external_references": (Part.REFERENCES,),
        "created_by_ref": (Part.PRODUCER, Part.PRODUCER_NAME),
    }
)


def redactions(
    whole: Sequence[AppliedMarking],
    granular: Sequence[PartMarking],
    applied: Mapping[str, AppliedMarking],
    viewer: Viewer,
    producer: Collection[str] | None,
) -> dict[Part, str]:
    """Return the parts that must not be shown, each with its first reason."""
    hidden: dict[Part, str] = {}
    for one in whole:
        for part, why in _hidden_by(one):
            hidden.setdefault(part, why)
    for marked in granular:
        if marked.marking_ref is None or not (why := _closed(applied[marked.marking_ref], viewer)):
            continue
        for root in roots(marked):
            for part in _PARTS.get(root, ()):
                hidden.setdefault(part, why)
    if why := _anonymous(producer, viewer):
        hidden.setdefault(Part.PRODUCER_NAME, why)
    return hidden


def _hidden_by(one: AppliedMarking) -> Iterator[tuple[Part, str]]:
    if one.marking is None:
        for part in Part:
            yield part, f"{one.ref} is missing"
    elif one.judgement is not None:
        if one.judgement.pii:
            for part in _PII:
                yield part, f"{one.ref} (ACS): personal information"
        if not one.judgement.reveals_origin:
            for part in _ORIGIN:
                yield part, f"{one.ref} (ACS): the source and the target must not be named"


def _closed(one: AppliedMarking, viewer: Viewer) -> str:
    """Return why a part with a marking of its own must not be shown."""
    if one.marking is None:
        return f"{one.ref} is missing"
    level, judged = one.marking.tlp, one.judgement
    if level is not None and level > viewer.bound:
        return f"{level.label}: {one.ref}"
    if judged is None:
        return ""
    free = judged.use is Use.PERMIT and judged.share and judged.reveals_origin and not judged.pii
    return "" if free else f"{one.ref} (ACS) restricts it"


def closed_part(
    granular: Sequence[PartMarking], known: Mapping[str, KnownMarking], viewer: Viewer, now: int
) -> str:
    """Return which part of an object must not be shown, whatever it is, and why; or nothing."""
    for marked in granular:
        if marked.marking_ref is not None:
            why = _closed(apply_marking(marked.marking_ref, known, viewer, now), viewer)
            if why:
                return f"{', '.join(roots(marked))} must not be shown: {why}"
    return ""


def refused_consent(producer: Collection[str] | None, viewer: Viewer) -> str:
    """Return why an object must not name its producer even by an id; nothing where it may.

    That a producer says nothing of consent is no refusal; that it is unknown may hide one.
    """
    if producer is None:
        return "the identity that created it is missing, and with it its consent"
    return _refused(_consents(producer), viewer)


def _anonymous(producer: Collection[str] | None, viewer: Viewer) -> str:
    """Return why the producer's name must not be shown: that needs its own consent."""
    consents = _consents(producer)
    return _refused(consents, viewer) if consents else "the producer has not consented to be named"


def _consents(producer: Collection[str] | None) -> list[str]:
    words = [label.strip().lower() for label in producer or ()]
    return [word.removeprefix(CONSENT) for word in words if word.startswith(CONSENT)]


def _refused(consents: Sequence[str], viewer: Viewer) -> str:
    federal = viewer.audience is Audience.OWN and _FEDERAL in viewer.organisation.codes
    named = {"everyone", "everyone-cisa-proprietary"} | ({"usg"} if federal else set())
    refused = sorted(set(consents) - named)
    return f"the producer's consent is {refused[0][:40]!r}" if refused else ""
