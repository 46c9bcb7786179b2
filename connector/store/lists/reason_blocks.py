"""Why each claim is on a list or not: one byte per claim, in compressed blocks by number.

The change from the old byte to the new one is also the change of the count, so the sums are exact
without counting again.
"""

import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from connector.store.database import Database, numbers
from connector.store.tallies import LIST_TALLY, add_to_tallies
from connector.store.transaction import Transaction

BLOCK: Final = 4096


class Buckets:
    """Writes reason bytes inside a transaction of the caller's, and brings the counts along."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def mark(self, transaction: Transaction, owner: int, marks: Sequence[tuple[int, int]]) -> None:
        """Give claims of a list their reason bytes."""
        by_block: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for claim, code in marks:
            by_block[claim // BLOCK].append((claim % BLOCK, code))
        held = self._blocks(transaction, owner, list(by_block))
        changes: dict[int, int] = defaultdict(int)
        rows = []
        for block, pairs in by_block.items():
            codes = held.get(block) or bytearray(BLOCK)
            if _mark_block(codes, pairs, changes):
                rows.append((owner, block, zlib.compress(bytes(codes), 1)))
        sql = (
            "INSERT INTO buckets (list, block, packed) VALUES (?, ?, ?) "
            "ON CONFLICT (list, block) DO UPDATE SET packed = excluded.packed"
        )
        transaction.many(sql, rows)
        add_to_tallies(transaction, LIST_TALLY, owner, changes)

    def _blocks(
        self, transaction: Transaction, owner: int, blocks: Sequence[int]
    ) -> dict[int, bytearray]:
        if not blocks:
            return {}
        sql = f"SELECT block, packed FROM buckets WHERE list = ? AND block IN ({numbers(blocks)})"  # noqa: S608 - only numbers
        rows = transaction.rows(sql, (owner,))
        return {block: bytearray(zlib.decompress(packed)) for block, packed in rows}


def _mark_block(
    codes: bytearray, pairs: Sequence[tuple[int, int]], changes: dict[int, int]
) -> bool:
    changed = False
    for at, code in pairs:
        before = codes[at]
        if before != code:
            changed = True
            codes[at] = code
            changes[before] -= 1
            changes[code] += 1
    return changed
