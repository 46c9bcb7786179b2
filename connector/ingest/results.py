"""What a poll brought, as values: of one page, of one collection, of the feed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from connector.errors import ConnectorError, RefusedError, UnavailableError
from connector.store.feeds.arrivals import StoreResult

MOST_TOLD: Final = 3  # of what is wrong, in the log: the rest is counted
_NUMBERS: Final = (
    "objects", "new", "updated", "revoked", "withdrawn", "quarantined", "refused", "unreadable",
    "off_scale",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What was taken in, and what follows from it; that of several pages adds up.

    `faults` say of the first `unreadable` objects what is wrong; `off_scale` counts confidences.
    `marking_refs` are the markings of objects, `defined` those that were defined; `spilled` says
    of classified markings why what bears them was kept out.
    """

    objects: int = 0
    new: int = 0
    updated: int = 0
    revoked: int = 0
    withdrawn: int = 0
    quarantined: int = 0
    refused: int = 0
    unreadable: int = 0
    off_scale: int = 0
    faults: tuple[str, ...] = ()
    marking_refs: frozenset[str] = frozenset()
    defined: frozenset[str] = frozenset()
    spilled: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def stored(cls, result: StoreResult) -> Self:
        """Return what became of a page in the store."""
        return cls(
            new=result.new, updated=result.updated, revoked=result.revoked,
            withdrawn=result.withdrawn, quarantined=result.quarantined, refused=result.refused,
            marking_refs=frozenset(result.marking_refs), defined=frozenset(result.markings),
        )  # fmt: skip

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        """Return what parts brought together."""
        parts = list(parts)
        numbers = {name: sum(getattr(part, name) for part in parts) for name in _NUMBERS}
        return cls(
            **numbers,
            faults=tuple(fault for part in parts for fault in part.faults)[:MOST_TOLD],
            marking_refs=frozenset().union(*(part.marking_refs for part in parts)),
            defined=frozenset().union(*(part.defined for part in parts)),
            spilled={ref: why for part in parts for ref, why in part.spilled.items()},
        )


@dataclass(frozen=True, slots=True)
class CollectionResult:
    """What one collection brought, whether or not its run ended well.

    `gap` says that a gap was found that was not known; `waiting` counts the pages that an
    unfinished run left: nothing of them counts until it has ended well.
    """

    title: str
    intake: Intake
    error: ConnectorError | None = None
    gap: bool = False
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class PollResult:
    """What one poll of a feed brought, of all its collections."""

    intake: Intake
    errors: tuple[ConnectorError, ...] = ()

    def raise_error(self) -> None:
        """Raise the error of a poll; one closed collection does not pause those that answer."""
        for first in self.errors[:1]:
            if isinstance(first, RefusedError) and self.intake.objects:
                raise UnavailableError(str(first))
            raise first
