"""Revocations by someone who may not be the object's creator: the latest of each object.

They are kept apart from the object's state, so that they count alike whenever they arrive: before
the object itself, before an older version of it, or while it is withdrawn.
"""

from collections.abc import Mapping
from typing import Final

from connector.decisions.records import ObjectState
from connector.store.transaction import Transaction

# The state of an object `o` that is not withdrawn.
STANDING: Final = (
    f"CASE WHEN o.modified <= (SELECT d.modified FROM disputes d WHERE d.object = o.number) "  # noqa: S608 - our own table
    f"THEN {int(ObjectState.DISPUTED)} ELSE {int(ObjectState.CURRENT)} END"
)


def keep_disputes(transaction: Transaction, disputes: Mapping[int, int | None]) -> None:
    """Record the latest dispute of objects; None ends it: the creator has spoken for good."""
    ended = [(number,) for number, modified in disputes.items() if modified is None]
    transaction.many("DELETE FROM disputes WHERE object = ?", ended)
    rows = [(number, at) for number, at in disputes.items() if at is not None]
    sql = (
        "INSERT INTO disputes (object, modified) VALUES (?, ?) "
        "ON CONFLICT (object) DO UPDATE SET modified = excluded.modified"
    )
    transaction.many(sql, rows)
