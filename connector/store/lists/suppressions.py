"""How many claims each part of the allowlist suppresses on each list.

A claim's reason byte says it: those from `ALLOWLISTED_FROM` on are one for each group of the
allowlist, so that the tallies of a list count them like any other reason.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from connector.decisions.records import ALLOWLISTED_FROM, CODES
from connector.model import Reason
from connector.store.database import Database
from connector.store.transaction import Transaction

if TYPE_CHECKING:  # a look reads counts alone
    from connector.decisions.decide import Decision

# Of groups that no byte is left for only the sum is known.
OTHERS: Final = "others"
_ALLOWLISTED: Final = CODES[Reason.ALLOWLISTED]
_MOST: Final = 256 - ALLOWLISTED_FROM


class Protectors:
    """Gives every group of the allowlist a number at first sight."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._held: dict[str, int] = {}
        self._writer: Transaction | None = None

    def codes(self, transaction: Transaction, decision: "Decision") -> bytes:
        """Return the reason bytes of a decision, with what protects its observable in them."""
        if not decision.protector:
            return decision.codes
        code = self._code(transaction, decision.protector)
        return bytes(code if held == _ALLOWLISTED else held for held in decision.codes)

    def _code(self, transaction: Transaction, group: str) -> int:
        number = self._held.get(group)
        if number is None:
            rows = transaction.rows("SELECT name, number FROM protectors")
            known = dict(map(tuple, rows))
            number = known.get(group)
            if number is None:
                number = max(known.values(), default=-1) + 1
                if number >= _MOST:
                    return _ALLOWLISTED
                sql = "INSERT INTO protectors (number, name) VALUES (?, ?)"
                transaction.run(sql, (number, group))
                self._writer = transaction
            elif transaction is not self._writer:  # its transaction may yet fail
                self._held.update(known)
        return ALLOWLISTED_FROM + number


def by_protector(transaction: Transaction, counts: Mapping[int, int]) -> dict[str, int]:
    """Return how many claims each group keeps off a list, by its counts; the most first."""
    rows = transaction.rows("SELECT number, name FROM protectors")
    names = {ALLOWLISTED_FROM + number: name for number, name in rows} | {_ALLOWLISTED: OTHERS}
    found = {name: counts[code] for code, name in names.items() if counts.get(code)}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))
