"""Who protects a value, until when, and how far that reaches."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

__all__ = ["Protection", "Scope", "lasting", "live"]

_LAST: Final = datetime.max.replace(tzinfo=UTC)


class Scope(StrEnum):
    """How far the protection of a name, a network or a URL reaches.

    `TREE`: a name, all names below it, and what is at them; a URL with all below its path.
    `NAMES`: the same names, but not what is at them. `HOST`: this name and what is at it.
    `SHARED`: this name, network or URL alone, but not what each of its users has at it.
    `LISTED`: as `NAMES`, but of a top-level domain nothing below it: a list that has one slipped.
    `MAIL`: the mailboxes at the names that `LISTED` reaches, and nothing else.
    """

    TREE = "tree"
    NAMES = "names"
    HOST = "host"
    SHARED = "shared"
    LISTED = "listed"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Protection:
    """Who protects a value: the group and its entry, until when (None: always), and why."""

    group: str
    value: str
    until: datetime | None = None
    why: str = ""
    source: str = ""

    @property
    def end(self) -> datetime:
        """When it ends; the last instant there is where it always holds."""
        return self.until or _LAST


def lasting(one: Protection | None, other: Protection | None) -> Protection | None:
    """Return the protection that ends last; the first of two that end together."""
    if one is None or other is None:
        return one or other
    return other if other.end > one.end else one


def live(protection: Protection | None, now: datetime) -> Protection | None:
    """Return the protection while it is in force; it has ended at `until`."""
    if protection is None or protection.until is None or now < protection.until:
        return protection
    return None
