"""The errors for values that do not conform to their type."""

from typing import Final

LONGEST_SHOWN: Final = 60


class UnfitValueError(ValueError):
    """A value has no canonical form for its type; the message says why."""


class WildcardError(UnfitValueError):
    """A value means several, in a form without one common meaning."""


def shown(text: str) -> str:
    """Return text from a feed in a form safe for a sentence: short, and printable ASCII."""
    return ascii(text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "...")
