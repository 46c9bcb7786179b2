"""Plans that wait for a person or were accepted by one, and the audit of what was done."""

from collections.abc import Sequence
from typing import Any

import msgspec
import zstandard

from connector.decisions.plan import Plan
from connector.store.database import Database
from connector.store.outputs.outputs import OutputState
from connector.store.transaction import Transaction


class Plans:
    """Keeps held plans and the append-only audit."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def hold(self, output: OutputState, plan: Plan, broken: Sequence[str], now: int) -> bool:
        """Keep a plan for a person; return whether it is news."""
        with self._db.write() as transaction:
            sql = "SELECT state FROM plans WHERE id = ? AND output = ?"
            known = transaction.one(sql, (plan.id, output.number))
            transaction.run(
                "UPDATE plans SET state = 'replaced' WHERE output = ? AND state = 'held' "
                "AND id <> ?",
                (output.number, plan.id),
            )
            sql = (
                "INSERT INTO plans (id, output, state, created, scope, adds, updates, removes, "
                "broken) VALUES (?,?,'held',?,?,?,?,?,?) ON CONFLICT (id, output) DO UPDATE SET "
                "state = 'held', broken = excluded.broken, scope = excluded.scope"
            )
            counts = (len(plan.add), len(plan.update), len(plan.remove))
            body = msgspec.json.encode(list(broken)).decode()
            row = (plan.id, output.number, now, plan.scope, *counts, body)
            transaction.run(sql, row)
            sql = "UPDATE outputs SET held_plan = ? WHERE number = ?"
            transaction.run(sql, (plan.id, output.number))
        return bool(known != "held")

    def plan_state(self, transaction: Transaction, plan_id: str) -> tuple[str, str, str] | None:
        """Return a plan's output, state and scope; None where no such plan was kept."""
        sql = (
            "SELECT o.name, p.state, p.scope FROM plans p JOIN outputs o ON o.number = p.output "
            "WHERE p.id = ? ORDER BY p.created DESC"
        )
        rows = transaction.rows(sql, (plan_id,))
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else None

    def set_plan_state(self, output: int, plan_id: str, state: str, by: str | None = None) -> None:
        """Move a plan on: held, accepted, done, outdated, replaced."""
        with self._db.write() as transaction:
            sql = "UPDATE plans SET state = ?, accepted_by = coalesce(?, accepted_by) "
            sql += "WHERE id = ? AND output = ?"
            transaction.run(sql, (state, by, plan_id, output))

    def accepted(self, output: int) -> set[str]:
        """Return the plans of an output that a person accepted and that are not done."""
        with self._db.read() as transaction:
            sql = "SELECT id FROM plans WHERE output = ? AND state = 'accepted'"
            return {row[0] for row in transaction.rows(sql, (output,))}

    def record(
        self, output: str, action: str, plan: str, result: str, entries: Sequence[Sequence[Any]],
        now: int,
    ) -> None:  # fmt: skip
        """Append to the audit: time, output, action, plan, result and the entries concerned."""
        body = zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(entries))
        with self._db.write() as transaction:
            number = (transaction.one("SELECT max(number) FROM audit") or 0) + 1
            sql = (
                "INSERT INTO audit (number, at, output, action, plan, result, count, entries) "
                "VALUES (?,?,?,?,?,?,?,?)"
            )
            row = (number, now, output, action, plan, result, len(entries), body)
            transaction.run(sql, row)
