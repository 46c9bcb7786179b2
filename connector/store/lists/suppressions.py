"""Which part of the allowlist keeps how many claims off each list.

A claim's reason byte says it: those from `ALLOWLISTED_FROM` on are one for each group of the
allowlist, so that the tallies of a list count them like any other reason.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from connector.decisions.decide import ALLOWLISTED_FROM, CODES, Decision
from connector.model import Reason
from connector.store.database import Database

# Of groups that no byte is left for only the sum is known.
OTHERS: Final = "others"
_ALLOWLISTED: Final = CODES[Reason.ALLOWLISTED]
_MOST: Final = 256 - ALLOWLISTED_FROM


class Protectors:
    """Gives every group of the allowlist a number at first sight."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._held: dict[str, int] = {}
        self._writer: Connection | None = None

    def codes(self, connection: Connection, decision: Decision) -> bytes:
        """Return the reason bytes of a decision, with what protects its observable in them."""
        if not decision.protector:
            return decision.codes
        code = self._code(connection, decision.protector)
        return bytes(code if held == _ALLOWLISTED else held for held in decision.codes)

    def _code(self, connection: Connection, group: str) -> int:
        number = self._held.get(group)
        if number is None:
            rows = self._db.rows(connection, "SELECT name, number FROM protectors")
            known = dict(map(tuple, rows))
            number = known.get(group)
            if number is None:
                number = max(known.values(), default=-1) + 1
                if number >= _MOST:
                    return _ALLOWLISTED
                sql = "INSERT INTO protectors (number, name) VALUES (?, ?)"
                self._db.run(connection, sql, (number, group))
                self._writer = connection
            elif connection is not self._writer:  # its transaction may yet fail
                self._held.update(known)
        return ALLOWLISTED_FROM + number


def by_protector(
    database: Database, connection: Connection, counts: Mapping[int, int]
) -> dict[str, int]:
    """Return how many claims each group keeps off a list, by its counts; the most first."""
    rows = database.rows(connection, "SELECT number, name FROM protectors")
    names = {ALLOWLISTED_FROM + number: name for number, name in rows} | {_ALLOWLISTED: OTHERS}
    found = {name: counts[code] for code, name in names.items() if counts.get(code)}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))
