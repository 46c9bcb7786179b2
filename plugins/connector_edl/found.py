"""What lines that others wrote might mean: a guess, good enough to show that they are there."""

import re
from ipaddress import ip_network
from typing import Final

from connector.adapter import Entry, Observable, ObservableType
from connector_edl.forms import DOMAINS, Format, has_room_for_comments

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HASH_TYPES: Final = {
    32: ObservableType.FILE_MD5,
    40: ObservableType.FILE_SHA1,
    64: ObservableType.FILE_SHA256,
    128: ObservableType.FILE_SHA512,
}
_HEX: Final = re.compile(r"[0-9a-fA-F]+")


def entry_on(line: str, form: Format, types: frozenset[ObservableType]) -> Entry | None:
    """Return what a line written by other hands seems to list; None for blanks and comments.

    It bears a comment, if an empty one: what others wrote is not an entry as we would write it.
    """
    text, comment = _UNPRINTABLE.sub("\ufffd", line.rstrip("\r")).strip(), ""
    if not text or text.startswith("#"):
        return None
    if has_room_for_comments(form, types):
        text, _, comment = text.partition(" ")
    if form is Format.PANOS and types == DOMAINS:
        text = text.removeprefix("^")
    return Entry(Observable(_type_of(text, types), text), {"comment": comment.strip()})


def _type_of(text: str, types: frozenset[ObservableType]) -> ObservableType:
    if len(types) == 1:
        return next(iter(types))
    guess = _looks_like(text)
    return guess if guess in types else min(types)


def _looks_like(text: str) -> ObservableType:
    try:
        version = ip_network(text, strict=False).version
    except ValueError:
        pass
    else:
        return ObservableType.IPV4_ADDR if version == 4 else ObservableType.IPV6_ADDR
    if len(text) in _HASH_TYPES and _HEX.fullmatch(text):
        return _HASH_TYPES[len(text)]
    if "://" in text:
        return ObservableType.URL
    return ObservableType.EMAIL_ADDR if "@" in text else ObservableType.DOMAIN_NAME
