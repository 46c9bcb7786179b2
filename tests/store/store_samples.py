"""Small STIX objects as a feed would send them, and what a store made of them."""

import json
from typing import Any

from connector.store.store import Store

PRODUCER = "identity--0a0a0a0a-0000-4000-8000-000000000001"
STRANGER = "identity--0b0b0b0b-0000-4000-8000-000000000002"


def indicator_id(number: int) -> str:
    return f"indicator--{number:08x}-0000-4000-8000-000000000000"


def at(day: int) -> str:
    return f"2026-01-{day:02}T00:00:00Z"


def pattern_of(*hosts: int) -> str:
    return " OR ".join(f"[ipv4-addr:value = '198.51.100.{host}']" for host in hosts)


def indicator(
    number: int,
    *,
    modified: int = 1,
    by: str = PRODUCER,
    hosts: tuple[int, ...] = (),
    **fields: Any,
) -> bytes:
    """Return an indicator on the given hosts; on one of its own where none are given."""
    body = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": indicator_id(number),
        "created_by_ref": by,
        "created": at(1),
        "modified": at(modified),
        "valid_from": at(1),
        "pattern": pattern_of(*(hosts or (number % 256,))),
        "pattern_type": "stix",
    }
    return json.dumps(body | fields).encode()


def dump(store: Store) -> dict[str, Any]:
    """Return all that the store holds of objects and claims, but for the numbers it gave."""
    with store.database.read() as transaction:
        rows = transaction.rows(
            "SELECT o.number, o.key, o.state, o.modified, o.valid_from, o.valid_until, "
            "o.confidence, t.body FROM objects o JOIN attributes t ON t.number = o.attributes",
        )
        claims = transaction.rows(
            "SELECT c.object, c.kind, c.why, b.type, b.value FROM claims c "
            "LEFT JOIN observables b ON b.number = c.observable",
        )
        originals = store.originals(transaction, [bytes(row[1]) for row in rows])
    return {
        bytes(row[1]).hex(): (
            *row[2:],
            originals[bytes(row[1])],
            sorted(map(repr, (claim[1:] for claim in claims if claim[0] == row[0]))),
        )
        for row in rows
    }
