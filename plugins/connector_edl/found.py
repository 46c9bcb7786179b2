"""Guesses what lines written by others mean: good enough to show that they are there."""

import re
from typing import Final

from connector.adapter import ADDRESSES, Entry, Family, Observable, ObservableType
from connector_edl.devices import PANOS, SYSTEMS
from connector_edl.dialect import DOMAINS, Dialect

_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def entry_on(line: str, dialect: Dialect, types: Family) -> Entry | None:
    """Return the entry that a line written by someone else seems to be; None for no entry.

    The entry always has a comment, even an empty one, so that it differs from an entry of ours.
    """
    text, comment = _UNPRINTABLE.sub("\ufffd", line.rstrip("\r")).strip(), ""
    if not text or (dialect.remarks and text.startswith("#")):
        return None
    if dialect.has_room_for_comments(types):
        text, _, comment = text.partition(" ")
    if dialect is PANOS and types == DOMAINS:
        text = text.removeprefix("^")
    if types == SYSTEMS:
        text = text.removeprefix("AS")
    text = dialect.value_on(text) or text
    text = text.replace("\t", " ")
    return Entry(Observable(_type_of(text, types), text), {"comment": comment.strip()})


def _type_of(text: str, types: Family) -> ObservableType:
    """Return the type that a line seems to have."""
    if types & ADDRESSES and re.fullmatch(r"[0-9a-f.:/]*[.:][0-9a-f.:/]*", text, re.IGNORECASE):
        return ObservableType.IPV6_ADDR if ":" in text else ObservableType.IPV4_ADDR
    if types <= ADDRESSES:
        return ObservableType.IPV6_ADDR if ":" in text else ObservableType.IPV4_ADDR
    return min(types - ADDRESSES)
