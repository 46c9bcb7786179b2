"""The markings applied to one object, each judged for one viewer."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from connector.indicators.markings.acs_policy import Judgement, Organisation, judge
from connector.indicators.markings.definition import KnownMarking, find_marking
from connector.indicators.markings.tlp import PartMarking, audience_limit
from connector.model import Audience, Tlp

__all__ = ["AppliedMarking", "Viewer", "all_refs", "apply_marking", "decisive_refs", "roots"]

# Nobody can block half a pattern, so a marking on one of these applies to the whole entry.
_DECISIVE: Final = frozenset(("pattern", "name", "*"))
_SELECTOR: Final = re.compile(r"[a-z0-9_]+(\.(\[[0-9]+\]|[^.\[\]\s]+))*")


@dataclass(frozen=True, slots=True)
class Viewer:
    """The viewer of a verdict: who we are, who sees it, and up to which level."""

    organisation: Organisation
    audience: Audience
    max_tlp: Tlp

    @property
    def bound(self) -> Tlp:
        """The most restrictive level to show; only for ourselves may it be red."""
        if self.audience is Audience.OWN:
            return self.max_tlp
        return min(self.max_tlp, audience_limit(self.audience))


class AppliedMarking(NamedTuple):
    """A marking applied to an object, its ACS part judged; unresolved without `marking`."""

    ref: str
    marking: KnownMarking | None
    judgement: Judgement | None


def apply_marking(
    ref: str, known: Mapping[str, KnownMarking], viewer: Viewer, now: int
) -> AppliedMarking:
    """Return a marking by its id, judged."""
    marking = find_marking(ref, known)
    if marking is None or marking.acs is None:
        return AppliedMarking(ref, marking, None)
    return AppliedMarking(
        ref, marking, judge(marking.acs, viewer.organisation, viewer.audience, now)
    )


def all_refs(refs: Sequence[str], granular: Sequence[PartMarking]) -> tuple[str, ...]:
    """Return every marking applied to an object or to a part of it."""
    parts = (part.marking_ref for part in granular)
    return (*refs, *(ref for ref in parts if ref is not None))


def decisive_refs(granular: Sequence[PartMarking]) -> Iterator[str]:
    """Yield the markings on parts without which there is no entry."""
    for part in granular:
        if part.marking_ref is not None and not _DECISIVE.isdisjoint(roots(part)):
            yield part.marking_ref


def roots(part: PartMarking) -> list[str]:
    """Return the properties that a granular marking covers, `*` for all of them.

    No selector means everything; so does a selector that does not conform to STIX 2.1.
    """
    return [_root(selector) for selector in part.selectors] or ["*"]


def _root(selector: str) -> str:
    return selector.partition(".")[0] if _SELECTOR.fullmatch(selector) else "*"
