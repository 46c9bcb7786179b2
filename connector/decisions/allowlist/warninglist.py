"""One MISP warninglist, as it was read."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class ListKind(StrEnum):
    """How the entries of a list are to be compared."""

    STRING = "string"
    HOSTNAME = "hostname"
    CIDR = "cidr"
    SUBSTRING = "substring"
    REGEX = "regex"


@dataclass(frozen=True, slots=True)
class Warninglist:
    """One list; its entries are taken once, so that a million need not be held twice.

    Where several lists hold an entry, the one with the lowest number is named. `group` is what its
    protection is told as; `warninglist:` and its name when left out.
    """

    number: int
    name: str
    kind: ListKind
    attributes: frozenset[str] | None
    entries: Iterable[str]
    group: str = ""
