"""All markings on one object as one verdict for one viewer: the strictest wins, per dimension.

The dimensions are the TLP level, what we may do (use), who may see it, what is hidden from
comments and logs, and whether we may hold it at all (spill, disposition).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from connector.indicators.markings.acs_policy import Use
from connector.indicators.markings.applied import (
    AppliedMarking,
    Viewer,
    all_refs,
    apply_marking,
    decisive_refs,
)
from connector.indicators.markings.definition import KnownMarking, spilling
from connector.indicators.markings.redaction import CONSENT, Part, redactions
from connector.indicators.markings.tlp import PartMarking, level_of
from connector.model import Audience, Purpose, Tlp

__all__ = ["CONSENTS_TO_NOTHING", "Part", "Sharing", "Viewer", "combine", "is_proprietary"]

CONSENTS_TO_NOTHING: Final = f"{CONSENT}none"


@dataclass(frozen=True, slots=True)
class Sharing:
    """What all markings on one object allow for one viewer.

    Every text names the marking it comes from. `until` is the next instant at which the verdict
    changes by time alone; `notes` are contradictions in which the stricter side was taken.
    """

    level: Tlp
    level_why: str
    use: Use
    use_why: str
    withheld: tuple[str, ...]
    hidden: Mapping[Part, str]
    spill: str
    expired: str
    until: int | None
    notes: tuple[str, ...]

    @property
    def hides(self) -> frozenset[Part]:
        """What must not appear in comments, fields and logs; `hidden` has the reasons."""
        return frozenset(self.hidden)

    @property
    def blocks(self) -> bool:
        """Whether it may stop traffic for this viewer."""
        return not self.refusal(Purpose.BLOCK)

    @property
    def watches(self) -> bool:
        """Whether it may be watched for this viewer."""
        return not self.refusal(Purpose.WATCH)

    def refusal(self, purpose: Purpose) -> str:
        """Return which marking withholds it from a list, and why; empty if none does."""
        if refused := self.spill or self.expired or "; ".join(self.withheld):
            return refused
        most = Use.PERMIT if purpose is Purpose.BLOCK else Use.WATCH
        return self.use_why if self.use > most else ""


_PROPRIETARY: Final = "cisa-proprietary"


def combine(
    refs: Sequence[str],
    granular: Sequence[PartMarking],
    known: Mapping[str, KnownMarking],
    unmarked: Tlp,
    viewer: Viewer,
    now: int,
    labels: Collection[str] = (),
    producer: Collection[str] | None = None,
) -> Sharing:
    """Return the verdict on an object with these markings, labels and producer.

    `producer` has the labels of the identity that created it, or None if that is missing: an
    object with an ACS marking is then withheld from others, unless it says itself that it may be
    shared. `now` is in microseconds since 1970. Unresolved means red, and watch at most.
    """
    applied = {ref: apply_marking(ref, known, viewer, now) for ref in all_refs(refs, granular)}
    whole = [applied[ref] for ref in dict.fromkeys((*refs, *decisive_refs(granular)))]
    level, level_why = level_of([one.ref for one in whole], (), _levels(whole), unmarked)
    notes = _contradictions(level, whole)
    if notes:
        level, level_why = Tlp.GREEN, f"{Tlp.GREEN.label}: {notes[0]}"
    use, use_why = max((_use(one) for one in whole), default=(Use.PERMIT, ""))
    turns = [one.judgement.until for one in applied.values() if one.judgement is not None]
    return Sharing(
        level=level,
        level_why=level_why,
        use=use,
        use_why=use_why,
        withheld=tuple(_withheld(level, level_why, whole, viewer, labels, producer)),
        hidden=MappingProxyType(redactions(whole, granular, applied, viewer, producer)),
        spill=spilling(applied, known),
        expired=_expired(applied.values()),
        until=min((turn for turn in turns if turn is not None), default=None),
        notes=notes,
    )


def _levels(whole: Sequence[AppliedMarking]) -> dict[str, Tlp | None]:
    return {one.ref: one.marking.tlp for one in whole if one.marking is not None}


def _contradictions(level: Tlp, whole: Sequence[AppliedMarking]) -> tuple[str, ...]:
    if level is not Tlp.CLEAR:
        return ()
    return tuple(
        f"{one.ref} (ACS) says FOUO, which contradicts TLP:CLEAR"
        for one in whole
        if one.judgement is not None and one.judgement.official_use
    )


def _use(one: AppliedMarking) -> tuple[Use, str]:
    if one.marking is None:
        return Use.WATCH, f"{one.ref} is missing: watch at most"
    if one.judgement is None or one.judgement.use is Use.PERMIT:
        return Use.PERMIT, ""
    return one.judgement.use, f"{one.ref} (ACS): {one.judgement.why_use}"


def _withheld(
    level: Tlp,
    level_why: str,
    whole: Sequence[AppliedMarking],
    viewer: Viewer,
    labels: Collection[str],
    producer: Collection[str] | None,
) -> Iterator[str]:
    """Yield the reasons why this audience may not see it, each with its source."""
    if level > viewer.bound:
        yield f"{level_why} is stricter than TLP:{viewer.bound.label}"
    audience = viewer.audience
    for one in whole:
        if one.judgement is not None and not one.judgement.share:
            yield f"{one.ref} (ACS) withholds it from {audience}: {one.judgement.why_share}"
    if audience is not Audience.OWN:
        for said in (*_proprietary(labels, "label"), *_proprietary(producer or (), "producer")):
            yield f"{said} withholds it from {audience}: it must stay within our own systems"
        if producer is None and _may_be_proprietary(labels, whole):
            yield (
                f"the identity that created it is missing, and its consent may withhold it "
                f"from {audience}"
            )


def _may_be_proprietary(labels: Collection[str], whole: Sequence[AppliedMarking]) -> bool:
    """Return whether a missing producer's consent may forbid sharing, as is AIS's default."""
    cleared = any(label.strip().lower() == f"{_PROPRIETARY}-false" for label in labels)
    return not cleared and any(one.judgement is not None for one in whole)


def _proprietary(labels: Collection[str], where: str) -> Iterator[str]:
    """Yield labels of an object or its producer that forbid the recipient to share it."""
    for label in labels:
        if is_proprietary(label):
            yield f"{where} {label.strip().lower()[:40]!r}"


def is_proprietary(label: str) -> bool:
    """Return whether a label, of an object or its producer, forbids the recipient to share."""
    word = label.strip().lower()
    flagged = word.startswith(_PROPRIETARY) and word != f"{_PROPRIETARY}-false"
    return flagged or (word.startswith(CONSENT) and word.endswith("proprietary"))


def _expired(applied: Collection[AppliedMarking]) -> str:
    for one in applied:
        if one.judgement is not None and one.judgement.expired:
            return f"{one.ref} (ACS): its disposition date has passed"
    return ""
