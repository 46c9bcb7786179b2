"""What the store keeps as numbers and words: reasons, claims, entries at targets, kinds of hold."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from connector.instants import NEVER
from connector.model import Reason

REASONS: Final[tuple[Reason, ...]] = tuple(Reason)
CODES: Final[Mapping[Reason, int]] = {reason: code for code, reason in enumerate(REASONS, 1)}
# Stored bytes from here on encode the allowlist group that protects an observable.
ALLOWLISTED_FROM: Final = 32


def reason_of(code: int) -> Reason:
    """Return the reason that a stored byte encodes."""
    return Reason.ALLOWLISTED if code >= ALLOWLISTED_FROM else REASONS[code - 1]


class ClaimKind(IntEnum):
    """What a claim can do: block and watch, only watch, or nothing (with the reason).

    A rule can do whatever its engine does; only outputs that take rules have it.
    """

    ENFORCEABLE = 0
    WATCH_ONLY = 1
    UNREADABLE = 2
    UNSUPPORTED = 3
    NOT_ENFORCEABLE = 4
    RULE = 5


class ObjectState(IntEnum):
    """The status of an object with its producer and its feed."""

    CURRENT = 0
    REVOKED = 1
    WITHDRAWN = 2
    UNREADABLE = 3
    DISPUTED = 4
    DISPOSED = 5


class ClaimRow(NamedTuple):
    """A claim with its indicator's facts; `received` is when its latest version arrived."""

    number: int
    kind: int
    feed: int
    state: int
    modified: int
    valid_from: int | None
    valid_until: int | None
    confidence: int | None
    attributes: int
    context: int = 0
    sighted: int | None = None
    received: int = NEVER

    @property
    def dated(self) -> int:
        """When it was said: `modified`, but not later than we received it."""
        return min(self.modified, self.received)


class LedgerState(IntEnum):
    """The ledger's state of an entry at one output."""

    INTENDED = 1
    WRITTEN = 2
    REMOVING = 3
    REJECTED = 4
    UNSUPPORTED = 5
    OVER_CAPACITY = 6
    FOREIGN = 7
    OVER_SHARE = 8
    CONTRARY = 9
    PROTECTED = 10
    WITHHELD = 11


OURS: Final = frozenset({LedgerState.INTENDED, LedgerState.WRITTEN, LedgerState.REMOVING})
BELOW: Final = frozenset({LedgerState.OVER_CAPACITY, LedgerState.OVER_SHARE})
"""Ranked below what the target can hold."""
UNFIT_REASONS: Final[Mapping[int, Reason]] = {
    LedgerState.UNSUPPORTED: Reason.UNSUPPORTED_TYPE,
    LedgerState.OVER_CAPACITY: Reason.OVER_CAPACITY,
    LedgerState.OVER_SHARE: Reason.OVER_CAPACITY,
    LedgerState.PROTECTED: Reason.ALLOWLISTED,
    LedgerState.WITHHELD: Reason.WITHHELD,
}
"""Why a wanted entry is not at the target, by the mark that says so."""
STANDING: Final = frozenset({LedgerState.WRITTEN, LedgerState.FOREIGN})
"""At the target, by our hand or by others'."""
GONE: Final = 0


class HoldKind(StrEnum):
    """Which limit set the changes aside."""

    REMOVE = "remove"
    ADD = "add"
    EVICT = "evict"
    REPLACE = "replace"
