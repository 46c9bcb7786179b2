"""Guesses what lines written by others mean: good enough to show that they are there."""

import re
from typing import Final

from connector.adapter import ADDRESSES, Entry, Observable, ObservableType
from connector_edl.forms import DOMAINS, SYSTEMS, Format, has_room_for_comments

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def entry_on(line: str, form: Format, types: frozenset[ObservableType]) -> Entry | None:
    """Return the entry that a line written by someone else seems to be; None for no entry.

    The entry always has a comment, even an empty one, so that it differs from an entry of ours.
    """
    text, comment = _UNPRINTABLE.sub("\ufffd", line.rstrip("\r")).strip(), ""
    if not text or text.startswith("#"):
        return None
    if has_room_for_comments(form, types):
        text, _, comment = text.partition(" ")
    if form is Format.PANOS and types == DOMAINS:
        text = text.removeprefix("^")
    if types == SYSTEMS:
        text = text.removeprefix("AS")
    return Entry(Observable(_type_of(text, types), text), {"comment": comment.strip()})


def _type_of(text: str, types: frozenset[ObservableType]) -> ObservableType:
    """Return the type that a line seems to have; all types are of one family."""
    if types == ADDRESSES:
        return ObservableType.IPV6_ADDR if ":" in text else ObservableType.IPV4_ADDR
    return min(types)
