"""How much one observable stops: a wide prefix or AS covers many innocent parties.

What claims say about such an observable never changes; the file sets how wide a block may be
(`widest` of a feed, `wide` of a feed or list), so this is checked when a list is decided.
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
"""The smallest reach that blocks by default, for the types that have one."""

_ADDRESSES: Final = frozenset({_T.IPV4_ADDR, _T.IPV6_ADDR})


def reach_of(subject: Subject) -> int | None:
    """Return the length of a prefix, 0 for an autonomous system, None for a single value."""
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
            "an autonomous system covers many innocent parties: it blocks only if the feed "
            f"{feed} or the list says `wide: [{kind}]`"
        )
    return f"the prefix is wider than /{widest[kind]}, the bound (`widest`) of the feed {feed}"
