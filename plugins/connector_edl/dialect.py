"""What a format of a polled list is: which types a file has, and how their lines read."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from connector.adapter import (
    ADDRESSES,
    Family,
    FieldValue,
    Observable,
    ObservableType,
    misreading,
)

Writer = Callable[[str], str]
Lines = Mapping[Observable, "str | NotWritableError"]
Arranged = Callable[[Iterable[Observable], bool], Lines]


class NotWritableError(ValueError):
    """This format has no line that means exactly this value."""


class Empty(StrEnum):
    """How a list without entries is published."""

    SERVE_EMPTY = "serve-empty"
    COMMENT = "comment"
    SENTINEL = "sentinel"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one format says its entries.

    A file has types of one of `families`. A writer gives the line of a value, or several lines that
    mean it together; `complete` adds what the fields of its entry say. Lines of `noted` families
    have room for a comment. In those of `folded` two values may share a line. `arranged` says all
    lines at once where one depends on others: an empty one is covered by another. `value_on` finds
    the value on a line that someone else wrote. `lacks` tells which values of its types no file has
    a line for. Beside a file with a `checksum` stands its MD5. A `tabular` one has a column
    for each mapped field, one of `objects` the STIX objects of its entries in place of lines.
    """

    families: tuple[Family, ...]
    writers: Mapping[ObservableType, Writer]
    complete: Callable[[str, Observable, Mapping[str, FieldValue]], str] | None = None
    noted: tuple[Family, ...] = ()
    folded: tuple[Family, ...] = ()
    arranged: Mapping[Family, Arranged] | None = None
    head: str = ""
    checksum: bool = False
    tabular: bool = False
    objects: bool = False
    empty: Empty = Empty.SERVE_EMPTY
    remarks: bool = True
    value_on: Callable[[str], str | None] = str.strip
    lacks: Callable[[Observable], bool] | None = None

    def has_room_for_comments(self, types: Family) -> bool:
        """Return whether a line of these types may continue after its value."""
        return any(types <= family for family in self.noted)

    def folds(self, types: Family) -> bool:
        """Return whether two values may share a line, as `http://` and `https://` of one page."""
        return any(types <= family for family in self.folded)


DOMAINS: Final = frozenset({ObservableType.DOMAIN_NAME})
URLS: Final = frozenset({ObservableType.URL})
MAILBOXES: Final = frozenset({ObservableType.EMAIL_ADDR})
_HEX: Final = re.compile(r"[0-9a-f]+")
_DIGITS: Final = {"md5": 32, "sha1": 40, "sha256": 64}
_LINE_BREAKING: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def told_apart(kind: ObservableType, line: str) -> str:
    """Return a line that cannot be read as another type; NotWritableError names the other type."""
    if words := misreading(kind, line):
        raise NotWritableError(words)
    return line


domain: Final = partial(told_apart, ObservableType.DOMAIN_NAME)
mailbox: Final = partial(told_apart, ObservableType.EMAIL_ADDR)
VALUES: Final[Mapping[ObservableType, Writer]] = {
    kind: partial(told_apart, kind) for kind in ObservableType
}
ADDRESS_VALUES: Final = {kind: VALUES[kind] for kind in ADDRESSES}


def is_below(observable: Observable) -> bool:
    """Return whether a name means all names below it."""
    return observable.below


def plain_mailbox(value: str) -> str:
    """Return an e-mail address in ASCII without anything that a configuration reads."""
    if not value.isascii():
        raise NotWritableError("is not in ASCII, the only letters that this format is sure of")
    return mailbox(value)


def digest(kind: ObservableType, value: str) -> str:
    """Return a hash of this type, where the reader cannot take it for anything else."""
    if len(value) != _DIGITS[kind.rpartition("-")[2]] or not _HEX.fullmatch(value):
        raise NotWritableError("is not a hash of the type in this list")
    return value


def one_line(value: str) -> str:
    """Return a value that is one line to every reader."""
    if not value or value != value.strip():
        raise NotWritableError("is empty, or starts or ends with a space, which readers drop")
    if not value.isprintable():
        raise NotWritableError("contains a line break or control character")
    return value


def in_one_line(text: str) -> str:
    """Return a text without line breaks and control characters; it may be empty."""
    return " ".join(_LINE_BREAKING.sub(" ", text).split())


def in_ascii(text: str) -> str:
    """Return a text on one line, in ASCII and of at most 200 characters; it may be empty."""
    return in_one_line(text)[:200].rstrip().encode("ascii", "replace").decode("ascii")


def comment(text: str) -> str:
    """Return a text as the end of a line, in ASCII and without line breaks; it may be empty."""
    line = in_ascii(text)
    # Some readers take the text after an address for its mask, or a dash for a range.
    return line if line[:1].isalpha() or not line else f"# {line}"


def found_by(pattern: str) -> Callable[[str], str | None]:
    """Return what finds a value by the groups of a pattern, joined."""
    compiled = re.compile(pattern)

    def value_on(line: str) -> str | None:
        found = compiled.fullmatch(line)
        return "".join(filter(None, found.groups())) if found else None

    return value_on
