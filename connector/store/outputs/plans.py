"""Plans that are waiting for a person or were accepted by one: states and transitions.

| from \\ when | a limit holds it | another is held | a person accepts | it was applied | it is no longer the same |
|---|---|---|---|---|---|
| (unknown) | held | | | | |
| held | held | replaced | accepted | | outdated |
| accepted | accepted | | | done | outdated |
| done, outdated, replaced | held | | | | |

A plan is named by its contents, so one that was done or replaced is held again where the same
changes are due again. A plan that was accepted while a cycle was about to hold it stays accepted:
the next cycle applies it. Everything else is refused with a PlanStateError.
"""  # noqa: E501 - a table

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from connector.decisions.plan import Plan
from connector.errors import ConnectorError
from connector.store.database import Database
from connector.store.outputs.outputs import OutputState
from connector.store.transaction import Transaction


class PlanState(StrEnum):
    """The state of a plan that was held."""

    HELD = "held"
    ACCEPTED = "accepted"
    DONE = "done"
    OUTDATED = "outdated"
    REPLACED = "replaced"


_AGAIN: Final = frozenset({PlanState.HELD})
_NEXT: Final[Mapping[PlanState | None, frozenset[PlanState]]] = {
    None: _AGAIN,
    PlanState.HELD: frozenset(
        {PlanState.HELD, PlanState.REPLACED, PlanState.ACCEPTED, PlanState.OUTDATED}
    ),
    PlanState.ACCEPTED: frozenset({PlanState.DONE, PlanState.OUTDATED}),
    PlanState.DONE: _AGAIN,
    PlanState.OUTDATED: _AGAIN,
    PlanState.REPLACED: _AGAIN,
}


class PlanStateError(ConnectorError):
    """A plan cannot make this transition."""

    def __init__(self, plan_id: str, state: PlanState | None, asked: PlanState) -> None:
        now = "was never held" if state is None else f"is {state}"
        super().__init__(f"plan {plan_id} {now}, so it cannot become {asked}")
        self.state = state


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """A plan that was held: its output, its state, and its scope."""

    id: str
    output: str
    number: int
    state: PlanState
    scope: str


class Plans:
    """Keeps plans that were held, and changes their states."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def hold(self, output: OutputState, plan: Plan, broken: Sequence[str], now: int) -> bool:
        """Hold a plan for a person; return whether it is new."""
        with self._db.write() as transaction:
            known = _state(transaction, output.number, plan.id)
            if PlanState.HELD not in _NEXT[known]:
                return False
            sql = "UPDATE plans SET state = ? WHERE output = ? AND state = ? AND id <> ?"
            replaced = (PlanState.REPLACED, output.number, PlanState.HELD, plan.id)
            transaction.run(sql, replaced)
            sql = (
                "INSERT INTO plans (id, output, state, created, scope, adds, updates, removes, "
                "broken) VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (id, output) DO UPDATE SET "
                "state = excluded.state, broken = excluded.broken, scope = excluded.scope"
            )
            counts = (len(plan.add), len(plan.update), len(plan.remove))
            body = msgspec.json.encode(list(broken)).decode()
            row = (plan.id, output.number, PlanState.HELD, now, plan.scope, *counts, body)
            transaction.run(sql, row)
            sql = "UPDATE outputs SET held_plan = ? WHERE number = ?"
            transaction.run(sql, (plan.id, output.number))
        return known is not PlanState.HELD

    def accept(self, output: int, plan_id: str, by: str) -> None:
        """Let a held plan be applied, because a person said so."""
        with self._db.write() as transaction:
            _move(transaction, output, plan_id, PlanState.ACCEPTED)
            sql = "UPDATE plans SET accepted_by = ? WHERE id = ? AND output = ?"
            transaction.run(sql, (by, plan_id, output))

    def complete(self, output: int, plan_id: str) -> None:
        """Record that an accepted plan was applied."""
        with self._db.write() as transaction:
            _move(transaction, output, plan_id, PlanState.DONE)

    def outdate(self, output: int, plan_id: str) -> None:
        """Record that the changes due now are no longer those of a plan."""
        with self._db.write() as transaction:
            _move(transaction, output, plan_id, PlanState.OUTDATED)

    def find(self, plan_id: str) -> KeptPlan | None:
        """Return a plan by its id, or None if no such plan was ever held."""
        sql = (
            "SELECT o.name, p.output, p.state, p.scope FROM plans p "
            "JOIN outputs o ON o.number = p.output WHERE p.id = ? ORDER BY p.created DESC"
        )
        with self._db.read() as transaction:
            for name, number, state, scope in transaction.rows(sql, (plan_id,)):
                return KeptPlan(plan_id, name, number, PlanState(state), scope)
        return None

    def accepted(self, output: int) -> set[str]:
        """Return the plans of an output that a person accepted and that are not done."""
        with self._db.read() as transaction:
            sql = "SELECT id FROM plans WHERE output = ? AND state = ?"
            return {row[0] for row in transaction.rows(sql, (output, PlanState.ACCEPTED))}


def _state(transaction: Transaction, output: int, plan_id: str) -> PlanState | None:
    """Return the state of a plan, or None if it was never held."""
    sql = "SELECT state FROM plans WHERE id = ? AND output = ?"
    known = transaction.one(sql, (plan_id, output))
    return None if known is None else PlanState(known)


def _move(transaction: Transaction, output: int, plan_id: str, to: PlanState) -> None:
    """Change the state of a plan; raise PlanStateError if the table has no such transition."""
    state = _state(transaction, output, plan_id)
    if to not in _NEXT[state]:
        raise PlanStateError(plan_id, state, to)
    sql = "UPDATE plans SET state = ? WHERE id = ? AND output = ?"
    transaction.run(sql, (to, plan_id, output))
