"""The effect of a received version on the one that is held."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import msgspec

from connector.decisions.records import ObjectState
from connector.decisions.selection import IndicatorAttributes
from connector.indicators.context import Told
from connector.indicators.markings.definition import Definition
from connector.instants import NEVER
from connector.model import Claim

UNDATED: Final = -(1 << 62)  # the time of an unreadable version whose own cannot be read


class ObjectVersion(msgspec.Struct, frozen=True, gc=False):
    """One received version of an object, before the store knows whether it is news.

    Who made an unreadable one is no trait of it: it counts against the creator that is known, and
    makes nobody the creator of what was never read.
    """

    key: bytes
    state: int
    modified: int
    valid_from: int | None
    valid_until: int | None
    confidence: int | None
    attributes: IndicatorAttributes
    raw: bytes
    claims: Callable[[], Sequence[Claim]]
    told: Callable[[], Told | None] | None = None
    marking: Definition | None = None
    unread_creator: str = ""


class News(Enum):
    """What a received version means for the one that is held."""

    NONE = "none"
    NEWER = "newer"
    REVOKED = "revoked"
    DISPUTED = "disputed"
    RETURNED = "returned"
    FOREIGN = "foreign"
    CLAIMED = "claimed"
    CONFIRMED = "confirmed"


@dataclass(slots=True)
class HeldVersion:
    """What the store holds of an object that a page mentions again.

    `disputed` is the time of the latest revocation by another than its creator; of an object
    that was revoked before anything else was seen of it, that revocation's own.
    """

    number: int
    state: int
    modified: int
    created_by: str
    disputed: int | None = None
    markings: tuple[str, ...] = ()

    @property
    def standing(self) -> ObjectState:
        """The state of the latest version that was not revoked by its creator."""
        doubted = self.disputed is not None and self.disputed >= self.modified
        return ObjectState.DISPUTED if doubted else ObjectState.CURRENT


def news(held: HeldVersion, version: ObjectVersion, now: int = NEVER) -> News:
    """Return what a version that came now means, by STIX 2.1 section 3.6 on object creators."""
    if version.state == ObjectState.UNREADABLE:
        return _news_of_unreadable(held, version)
    if held.state == ObjectState.UNREADABLE and not held.created_by:
        held = replace(held, created_by=version.attributes.created_by)
    ours = held.created_by == version.attributes.created_by
    revokes = version.state == ObjectState.REVOKED
    if held.state == ObjectState.REVOKED:
        if held.disputed is None:
            return News.NONE
        if revokes and ours:  # whether it is the creator is open still: its latest word counts
            return News.DISPUTED if _disputes(held, version, now) else News.NONE
        # Of two who revoke what nobody had seen, one may be its creator.
        return News.CONFIRMED if ours or revokes else News.CLAIMED
    if revokes:
        if ours:
            return News.REVOKED
        return News.DISPUTED if _disputes(held, version, now) else News.NONE
    if version.modified > held.modified:
        return News.NEWER if ours else News.FOREIGN
    if held.state == ObjectState.UNREADABLE and version.modified == held.modified:
        return News.NEWER if ours else News.NONE
    if held.state == ObjectState.DISPOSED:  # it passes the door again: its marking lets it be held
        same = version.modified == held.modified and version.attributes.markings == held.markings
        return News.NEWER if ours and same else News.NONE
    # The latest version counts also where the source now shows an older one of what it withdrew.
    return News.RETURNED if ours and held.state == ObjectState.WITHDRAWN else News.NONE


def _disputes(held: HeldVersion, version: ObjectVersion, now: int) -> bool:
    """Return whether a revocation by another is later than all that are known.

    One dated ahead counts once, as of when it came: its creator's next version ends the dispute.
    """
    return held.disputed is None or held.disputed < version.modified <= now


def _news_of_unreadable(held: HeldVersion, version: ObjectVersion) -> News:
    """Return what an unreadable version means: a newer one ends the older one.

    One without a time counts as newer than previous versions, and older than later ones.
    """
    if held.state in (ObjectState.REVOKED, ObjectState.DISPOSED):
        return News.NONE
    undated = version.modified == UNDATED and held.state != ObjectState.UNREADABLE
    if not undated and version.modified <= held.modified:
        return News.NONE
    unknown = held.state == ObjectState.UNREADABLE and not held.created_by
    return News.NEWER if unknown or held.created_by == version.unread_creator else News.FOREIGN
