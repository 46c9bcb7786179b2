"""The holds that the store keeps, as a look at the state reads them."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from connector.decisions.records import HoldKind
from connector.store.transaction import Transaction


class HoldState(StrEnum):
    """Where a hold stands."""

    HELD = "held"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DONE = "done"
    VOID = "void"


LIVE: Final = (HoldState.HELD, HoldState.REFUSED, HoldState.ACCEPTED)


class KeptHold(NamedTuple):
    """A hold as the store has it, with how much of it is left."""

    id: str
    output: str
    number: int
    kind: HoldKind
    state: HoldState
    since: int
    sentences: tuple[str, ...]
    add: int
    remove: int
    by: str | None = None
    why: str | None = None
    until: int | None = None


def live_holds(transaction: Transaction) -> list[KeptHold]:
    """Return the holds that wait, were refused or are being applied, the oldest first."""
    return read_holds(transaction, "h.state IN (?, ?, ?)", LIVE)


def read_holds(transaction: Transaction, where: str, values: Iterable[object]) -> list[KeptHold]:
    sql = (
        "SELECT h.id, o.name, h.output, h.kind, h.state, h.since, h.sentences, "  # noqa: S608 - our own condition
        "h.adds, h.removals, h.by_whom, h.why, h.until "
        f"FROM holds h JOIN outputs o ON o.number = h.output WHERE {where} ORDER BY h.since, h.id"
    )
    return [
        KeptHold(
            row[0], row[1], row[2], HoldKind(row[3]), HoldState(row[4]), row[5],
            tuple(msgspec.json.decode(row[6])), *row[7:],
        )
        for row in transaction.rows(sql, list(values))
    ]  # fmt: skip
