"""What became of an entry at the target, where there is more to say than "written"."""

from collections.abc import Mapping
from typing import Final

import msgspec

from connector.model import Subject

__all__ = ["ALL_WRITTEN", "Full", "Later", "Left", "Outcome", "Outcomes", "Refused", "Written"]


class Written(msgspec.Struct, frozen=True):
    """The target took it, and gave it a name of its own."""

    handle: str = ""


class Refused(msgspec.Struct, frozen=True):
    """The target does not take it; the words are its own, for `connector explain`."""

    words: str


class Full(msgspec.Struct, frozen=True):
    """The target has no room for it in this pool."""

    pool: str = ""

    @property
    def words(self) -> str:
        """What `connector explain` says."""
        return f"the target is full ({self.pool})" if self.pool else "the target is full"


class Later(msgspec.Struct, frozen=True):
    """The target could not say, or not yet: the next cycle tries again."""

    words: str


class Left(msgspec.Struct, frozen=True):
    """It stays at the target although we want it gone, as nobody can take it away; says `remove`.

    It is ours still, and asked for again when the target is read back.
    """

    words: str


Outcome = Written | Refused | Full | Later | Left

Outcomes = Mapping[Subject, Outcome]
"""By observable, or by a rule's `ref`. What is not named was written: empty means all is well."""

ALL_WRITTEN: Final[Outcomes] = {}
