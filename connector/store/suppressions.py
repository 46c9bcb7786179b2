"""Which observables a list leaves out because something protects them."""

import zlib
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection

from connector.decisions.policy import CODES
from connector.model import Observable, Reason
from connector.store.database import Database, numbers, parts
from connector.store.interning import TYPES
from connector.store.lists import BLOCK

_ALLOWLISTED: Final = CODES[Reason.ALLOWLISTED]


def allowlisted(database: Database, connection: Connection, number: int) -> Iterator[Observable]:
    """Yield every observable that a list would hold were it not on the allowlist, each once."""
    seen: set[int] = set()
    for claims in parts(list(_claims(database, connection, number))):
        sql = (
            "SELECT DISTINCT o.number, o.type, o.value FROM claims c "  # noqa: S608 - only numbers
            f"JOIN observables o ON o.number = c.observable WHERE c.number IN ({numbers(claims)})"
        )
        for observable, code, value in database.rows(connection, sql):
            if observable not in seen:
                seen.add(observable)
                yield Observable(TYPES[code - 1], value)


def _claims(database: Database, connection: Connection, number: int) -> Iterator[int]:
    sql = "SELECT block, packed FROM buckets WHERE list = ? ORDER BY block"
    for block, packed in database.rows(connection, sql, (number,)):
        codes = zlib.decompress(packed)
        at = codes.find(_ALLOWLISTED)
        while at >= 0:
            yield block * BLOCK + at
            at = codes.find(_ALLOWLISTED, at + 1)
