"""Objects as a feed sends them, read into the versions that the store takes."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from connector.decisions.records import ObjectState
from connector.decisions.selection import IndicatorAttributes, MarkedPart
from connector.indicators.context import CONTEXT_TYPES, read_context
from connector.indicators.identity import key_of_id, key_of_unreadable
from connector.indicators.pattern.reader import read_pattern
from connector.indicators.stix import StixObject, Unreadable, read_object
from connector.ingest.results import MOST_TOLD, Intake
from connector.ingest.spills import definition_in
from connector.instants import to_instant
from connector.model import Claim, Reason, RuleLanguage, RuleRef
from connector.store.database import parts
from connector.store.feeds.objects import READ_AT_ONCE
from connector.store.feeds.versions import UNDATED, ObjectVersion

_BARE: Final = IndicatorAttributes()
_LANGUAGES: Final = {language.value: language for language in RuleLanguage}
# Plain numbers: the database driver consults an enum's class for every row.
_CURRENT: Final = int(ObjectState.CURRENT)
_REVOKED: Final = int(ObjectState.REVOKED)
_UNREADABLE: Final = int(ObjectState.UNREADABLE)


@dataclass(slots=True)
class Reader:
    """Reads the objects of one page, and counts those in which something cannot be read.

    `scale` is what the feed's producers may write as confidence, where that is not STIX's own.
    """

    feed: str
    scale: Container[int] | None
    _unreadable: int = 0
    _off_scale: int = 0
    _faults: list[str] = field(default_factory=list)

    def versions(self, objects: Sequence[bytes]) -> Iterator[ObjectVersion]:
        """Yield a page's objects in the form of the store, read in parts."""
        for part in parts(objects, READ_AT_ONCE):
            versions = [read_version(raw, self.feed) for raw in part]
            self._count(versions)
            yield from versions

    def _count(self, versions: Sequence[ObjectVersion]) -> None:
        unreadable = [version for version in versions if version.state == _UNREADABLE]
        self._unreadable += len(unreadable)
        for version in unreadable[: MOST_TOLD - len(self._faults)]:
            self._faults.extend(claim.why for claim in version.claims())
        said = [version.confidence for version in versions if version.confidence is not None]
        if self.scale is None:
            self._unreadable += sum(confidence < 0 for confidence in said)
        else:
            self._off_scale += sum(confidence not in self.scale for confidence in said)

    def intake(self) -> Intake:
        """Return what was counted until now."""
        return Intake(
            unreadable=self._unreadable, off_scale=self._off_scale, faults=tuple(self._faults)
        )


def read_version(raw: bytes, feed: str) -> ObjectVersion:
    """Return one object received from a feed, in the form of the store.

    An unreadable one has the reason.
    """
    found = read_object(raw)
    if isinstance(found, Unreadable):
        return _unreadable_version(found, raw)
    marking = definition_in(raw, found) if found.type == "marking-definition" else None
    modified = 0 if found.modified is None else to_instant(found.modified)
    return ObjectVersion(
        key_of_id(found.id),
        _REVOKED if found.revoked else _CURRENT,
        modified if marking is None else marking.version,
        None if found.valid_from is None else to_instant(found.valid_from),
        None if found.valid_until is None else to_instant(found.valid_until),
        found.confidence,
        _traits(found),
        raw,
        partial(_claims, found, feed),
        partial(read_context, raw) if found.type in CONTEXT_TYPES else None,
        marking,
    )


def _unreadable_version(found: Unreadable, raw: bytes) -> ObjectVersion:
    """Return the key of the indicator whose older versions it replaces, or else its own."""
    claims = partial(_unreadable_claims, found)
    if not found.indicator:
        key = key_of_unreadable(raw)
        return ObjectVersion(key, _UNREADABLE, UNDATED, None, None, None, _BARE, raw, claims)
    modified = UNDATED if found.modified is None else to_instant(found.modified)
    return ObjectVersion(
        key_of_id(found.indicator), _UNREADABLE, modified, None, None, None, _BARE, raw, claims,
        unread_creator=found.created_by_ref,
    )  # fmt: skip


def _traits(found: StixObject) -> IndicatorAttributes:
    created_by = found.created_by_ref or ""
    if found.type != "indicator":
        return IndicatorAttributes(created_by)
    partly: tuple[MarkedPart, ...] = ()
    if found.granular_markings:
        partly = tuple(
            MarkedPart(part.marking_ref, part.selectors)
            for part in found.granular_markings
            if part.marking_ref is not None
        )
    return IndicatorAttributes(
        created_by,
        found.labels or (),
        found.indicator_types or (),
        found.object_marking_refs or (),
        partly,
    )


def _claims(found: StixObject, feed: str) -> Sequence[Claim]:
    if found.type != "indicator" or found.pattern is None:
        return ()
    if found.pattern_type not in (None, "stix"):
        if language := _LANGUAGES.get(found.pattern_type):
            why = f"a {language} rule, kept as it is and never searched for observables"
            return (Claim(RuleRef.of(language, found.id, feed), enforceable=True, why=why),)
        why = f"pattern type {found.pattern_type[:32]!r} is not searched for observables"
        reason = Reason.UNSUPPORTED_PATTERN
        return (Claim(None, enforceable=False, reason=reason, why=why),)
    return read_pattern(found.pattern, found.pattern_version or found.spec_version or "2.0")


def _unreadable_claims(found: Unreadable) -> Sequence[Claim]:
    claim = found.claim
    if claim is None or not found.id or not found.id.isprintable():
        return () if claim is None else (claim,)
    return (claim._replace(why=f"{found.id}: {claim.why}"),)  # its key may not be its id
