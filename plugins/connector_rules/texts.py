"""What holds for the text of a rule in every language."""

import re
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# They make a text look otherwise than an engine reads it, or break a line for some of them.
_UNSEEN: Final = re.compile(r"[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_NOT_PLAIN: Final = re.compile(r"[^ -~]+")
_LONGEST_NAME: Final = 120


class NotWritableError(ValueError):
    """This rule would harm the file that it is written to, or says more than a rule may."""


def refuse_hostile(text: str) -> None:
    """Raise NotWritableError for a text that is not what it looks like."""
    if not text.strip():
        raise NotWritableError("is empty")
    if _CONTROL.search(text):
        raise NotWritableError("holds a control character")
    if _UNSEEN.search(text):
        raise NotWritableError("holds characters that cannot be seen")


def plain(text: str) -> str:
    """Return a text as part of a comment: one line of ASCII."""
    words = " ".join(_NOT_PLAIN.sub(" ", text).split())
    return words[:_LONGEST_NAME].rstrip("\\ ")
