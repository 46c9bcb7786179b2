"""What a received version of an object means for the one that is held."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from connector.decisions.policy import State
from connector.decisions.selection import Traits
from connector.indicators.context import Told
from connector.indicators.known_marking import KnownMarking
from connector.model import Claim


class Version(NamedTuple):
    """One received version of an object, before the store knows whether it is news."""

    key: bytes
    state: int
    modified: int
    valid_from: int | None
    valid_until: int | None
    confidence: int | None
    traits: Traits
    raw: bytes
    claims: Callable[[], Sequence[Claim]]
    told: Callable[[], Told | None] | None = None
    marking: KnownMarking | None = None


class News(Enum):
    """What a received version means for the one that is held."""

    NONE = "none"
    NEWER = "newer"
    REVOKED = "revoked"
    DISPUTED = "disputed"
    RETURNED = "returned"
    FOREIGN = "foreign"


@dataclass(slots=True)
class Held:
    """What the store holds of an object that a page mentions again."""

    number: int
    state: int
    modified: int
    created_by: str


def news(held: Held, version: Version) -> News:
    """Return what a version means, by STIX 2.1 section 3.6 and its rule on object creators."""
    if held.state == State.REVOKED:
        return News.NONE
    ours = held.created_by == version.traits.created_by
    if version.state == State.REVOKED:
        return News.REVOKED if ours else _dispute(held, version)
    if version.modified > held.modified:
        return News.NEWER if ours else News.FOREIGN
    if ours and version.modified == held.modified and held.state == State.WITHDRAWN:
        return News.RETURNED
    return News.NONE


def _dispute(held: Held, version: Version) -> News:
    """A stranger's revocation counts until its creator says the object anew."""
    if held.state == State.CURRENT and version.modified >= held.modified:
        return News.DISPUTED
    return News.NONE
