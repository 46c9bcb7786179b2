"""How many values of a feed had to be normalised, by what was wrong."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from connector.indicators.observables.canonical import (
    HASH_NAME_MISMATCH,
    HOST_BITS_MASKED,
    REFANGED,
    RETYPED,
)
from connector.indicators.observables.names import (
    ACCOUNT_DROPPED,
    FRAGMENT_DROPPED,
    USERINFO_DROPPED,
)
from connector.model import Claim, ObservableType
from connector.store.tallies import FEED_TALLY, add_to_tallies, tallies
from connector.store.transaction import Transaction

SCHEMELESS: Final = "schemeless"
# A note's place is the number it is kept under: new ones come last.
NOTES: Final = (
    REFANGED, RETYPED, HASH_NAME_MISMATCH, SCHEMELESS, USERINFO_DROPPED, FRAGMENT_DROPPED,
    HOST_BITS_MASKED, ACCOUNT_DROPPED,
)  # fmt: skip
_CODES: Final = {note: code for code, note in enumerate(NOTES, 1)}


def count_notes(transaction: Transaction, feed: int, claims: Iterable[Sequence[Claim]]) -> None:
    """Add the normalisations in these claims to the counts of their feed."""
    found: Counter[int] = Counter()
    for said in claims:
        for observable, _enforceable, _reason, why in said:
            if observable is None:
                continue
            if why:
                found.update(_CODES[word] for word in why.split("; ") if word in _CODES)
            kind, value = observable
            if kind is ObservableType.URL and "://" not in value:
                found[_CODES[SCHEMELESS]] += 1
    add_to_tallies(transaction, FEED_TALLY, feed, found)


def notes_of(transaction: Transaction, feed: int) -> dict[str, int]:
    """Return how often each note was made of a feed's values since the state began."""
    counted = tallies(transaction, FEED_TALLY, feed)
    return {note: counted[code] for note, code in _CODES.items() if counted.get(code)}
