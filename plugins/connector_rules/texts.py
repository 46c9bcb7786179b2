"""Checks on the text of a rule in any language."""

import re
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# They make a text look different from what an engine reads, or end a line for some engines.
_UNSEEN: Final = re.compile(r"[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_NOT_PLAIN: Final = re.compile(r"[^ -~]+")
_LONGEST_NAME: Final = 120


class RuleRejectedError(ValueError):
    """The rule would harm the file, or does more than it may; the message says what."""


def refuse_hostile(text: str) -> None:
    """Raise RuleRejectedError for a text that is not what it looks like."""
    if not text.strip():
        raise RuleRejectedError("is empty")
    if _CONTROL.search(text):
        raise RuleRejectedError("contains a control character")
    if _UNSEEN.search(text):
        raise RuleRejectedError("contains invisible characters")


def plain(text: str) -> str:
    """Return a text for use in a comment: one line of ASCII."""
    words = " ".join(_NOT_PLAIN.sub(" ", text).split())
    return words[:_LONGEST_NAME].rstrip("\\ ")
