"""Holds as values: changes of a plan that wait for a person, and those of earlier plans."""

from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, NamedTuple

from connector.decisions.plan import EntryRefs
from connector.decisions.records import HoldKind, reason_of

_NOBODY: Final[frozenset[int]] = frozenset()


def reason_name(cause: int) -> str:
    """Return the name of a removal's reason; nothing for an addition, or a removal begun before."""
    return reason_of(cause).value if cause > 0 else ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Changes of earlier holds: those that wait or were refused, and those that were accepted.

    Of those that wait only as many are named as a plan may touch; `keeps_room` says whether any
    keeps an entry at the target. `replaces` is the state of a hold that keeps a whole list from
    being replaced: True where that was accepted, False where it waits, None without one.
    """

    held_add: Collection[int] = _NOBODY
    held_remove: Collection[int] = _NOBODY
    accepted_add: Collection[int] = _NOBODY
    accepted_remove: Collection[int] = _NOBODY
    keeps_room: bool = False
    replaces: bool | None = None


class Acceptance(NamedTuple):
    """Who accepted a hold and why."""

    hold: str
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A frozen set of changes that waits for a person, named by a hash of them."""

    output: str
    kind: HoldKind
    sentences: tuple[str, ...]
    add: EntryRefs = field(default_factory=EntryRefs)
    remove: EntryRefs = field(default_factory=EntryRefs)

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits that name exactly these changes to this output."""
        digest = blake2b(f"{self.output} {self.kind}".encode(), digest_size=6)
        for verb, refs in (("add", self.add), ("remove", self.remove)):
            digest.update(verb.encode())
            digest.update(refs.numbers.tobytes())
        return digest.hexdigest()
