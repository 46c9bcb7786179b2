"""How much one observable stops: a wide prefix or an autonomous system holds many not meant.

What claims say of such an observable never changes; how wide a block may be is for the file to say
(`widest` of a feed, `wide` of a feed or list), so that it is asked when a list is decided.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from connector.model import ObservableType, Subject, SubjectType

__all__ = ["WIDEST", "exceeds", "reach_of", "words_of_reach"]

_T = ObservableType
_NONE_BUT_NAMED: Final = 1
WIDEST: Final[Mapping[SubjectType, int]] = MappingProxyType(
    {_T.IPV4_ADDR: 24, _T.IPV6_ADDR: 48, _T.AUTONOMOUS_SYSTEM: _NONE_BUT_NAMED}
)
"""The least reach that blocks where the file says nothing, of the types that have one."""

_ADDRESSES: Final = frozenset({_T.IPV4_ADDR, _T.IPV6_ADDR})


def reach_of(subject: Subject) -> int | None:
    """Return the length of a prefix, 0 for an autonomous system; None for what is just itself."""
    kind, value = subject
    if kind in _ADDRESSES:
        return int(value.rpartition("/")[2]) if "/" in value else None
    return 0 if kind is _T.AUTONOMOUS_SYSTEM else None


def exceeds(
    kind: SubjectType,
    reach: int | None,
    widest: Mapping[SubjectType, int],
    wide: Collection[SubjectType],
) -> bool:
    """Return whether an observable of this reach stops more than feed and list allow."""
    return reach is not None and kind not in wide and reach < widest.get(kind, 0)


def words_of_reach(kind: SubjectType, feed: str, widest: Mapping[SubjectType, int]) -> str:
    """Return why an observable that exceeds what is allowed does not block."""
    if kind is _T.AUTONOMOUS_SYSTEM:
        return (
            "an autonomous system holds many who did nothing: it blocks only where the feed "
            f"{feed} or the list says `wide: [{kind}]`"
        )
    return f"the prefix is wider than /{widest[kind]}, the bound (`widest`) of the feed {feed}"
