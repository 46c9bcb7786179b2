"""The refusal of a value that is not what its type says."""

from typing import Final

LONGEST_SHOWN: Final = 60


class UnfitValueError(ValueError):
    """A value has no canonical form under its type; the message says why, in words."""


class WildcardError(UnfitValueError):
    """A value stands for more than one, in no way that means the same everywhere."""


def shown(text: str) -> str:
    """Return text from a feed as it may stand in a sentence: short, and of printable ASCII."""
    return ascii(text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "...")
