"""Searches for a value in objects from which no observable could be read."""

from typing import Final, NamedTuple

from connector.indicators.observables.mentions import Mention
from connector.store import evidence
from connector.store.database import parts
from connector.store.evidence import ClaimFound
from connector.store.store import Store
from connector.store.transaction import Transaction

__all__ = ["Mentions", "find_mentions"]

MOST_SEARCHED: Final = 20_000
_MOST_BYTES: Final = 64 << 20
_MOST_TOLD: Final = 100
_AT_ONCE: Final = 100


class Mentions(NamedTuple):
    """Claims without an observable whose original mentions a value, out of `searched` of `of`.

    The search starts with the newest, and ends once enough are found or read.
    """

    claims: list[ClaimFound]
    searched: int = 0
    of: int = 0


def find_mentions(store: Store, transaction: Transaction, asked: str) -> Mentions:
    """Return the claims that mention a value although no observable could be read from them."""
    total = evidence.unread_count(transaction)
    if not total:
        return Mentions([])
    mention, found, searched, size = Mention(asked), list[ClaimFound](), 0, 0
    for part in parts(evidence.newest_unread(transaction, MOST_SEARCHED), _AT_ONCE):
        originals = store.originals_of_claims(transaction, [claim.row.number for claim in part])
        searched += len(part)
        size += sum(map(len, originals.values()))
        found += [
            claim for claim in part if mention.stands_in(originals.get(claim.row.number, b""))
        ]
        if len(found) >= _MOST_TOLD or size >= _MOST_BYTES:
            break
    return Mentions(found[:_MOST_TOLD], searched, total)
