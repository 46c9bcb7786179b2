"""Changes that wait for a person, set aside from plans: where each hold stands, and how it moves.

| from \\ when | a limit breaks | a person accepts | a person refuses | all of it is done | nothing applies |
|---|---|---|---|---|---|
| (unknown) | held | | | | |
| held | held | accepted | refused | | void |
| refused | | accepted | refused | | void |
| accepted | | | | done | |
| done, void | held | | | | |

A hold is frozen: later cycles only take out of it what no longer applies. One that was refused until
an instant is void from then on. Everything else is refused with a HoldStateError.
"""  # noqa: E501 - a table

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from connector.decisions.holds import Acceptance, Hold
from connector.decisions.records import HoldKind
from connector.errors import ConnectorError
from connector.store.database import Database
from connector.store.outputs import held_changes as changes
from connector.store.outputs.held_changes import Due, HeldChange, LookedAt
from connector.store.outputs.kept_holds import LIVE, HoldState, KeptHold, read_holds
from connector.store.outputs.outputs import OutputState
from connector.store.transaction import Transaction

_NEXT: Final[Mapping[HoldState | None, frozenset[HoldState]]] = {
    None: frozenset({HoldState.HELD}),
    HoldState.HELD: frozenset(HoldState) - {HoldState.DONE},
    HoldState.REFUSED: frozenset({HoldState.ACCEPTED, HoldState.REFUSED, HoldState.VOID}),
    HoldState.ACCEPTED: frozenset({HoldState.DONE}),
    HoldState.DONE: frozenset({HoldState.HELD}),
    HoldState.VOID: frozenset({HoldState.HELD}),
}


class HoldStateError(ConnectorError):
    """A hold cannot move from where it stands to where it was asked to."""

    def __init__(self, hold: str, state: HoldState | None, asked: HoldState) -> None:
        now = "is not known" if state is None else f"is {state}"
        super().__init__(f"hold {hold} {now}, so it cannot become {asked}")
        self.state = state


class HeldCount(NamedTuple):
    """How many changes of holds are left."""

    add: int
    remove: int


class Settled(NamedTuple):
    """The ids of holds that are news, and those that ended, each with how."""

    news: Sequence[str] = ()
    ended: Sequence[tuple[str, HoldState]] = ()


class Holds:
    """Keeps holds and their changes, and moves each on."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def asked(
        self, transaction: Transaction, output: int, now: int, *, removals: bool
    ) -> list[int]:
        """Return the observables that a cycle looks at whether or not they changed on the list.

        A hold that was accepted, or whose refusal is over, is written or held anew as a whole;
        `removals` asks for all that waits to be removed.
        """
        rows = self._live(transaction, output)
        moved = [row[0] for row in rows if row[1] == HoldState.ACCEPTED or _is_over(row, now)]
        if not rows:
            return []
        return changes.observables_in(transaction, output, moved, removals=removals)

    def additions(self, transaction: Transaction, output: int, now: int) -> set[int]:
        """Return the observables of all additions that wait for a person."""
        rows = self._live(transaction, output)
        ids = [row[0] for row in rows if row[1] != HoldState.ACCEPTED and not _is_over(row, now)]
        return changes.additions_in(transaction, output, ids)

    def look(
        self, transaction: Transaction, output: OutputState, after: int | None,
        asked: Sequence[int], now: int,
    ) -> LookedAt:  # fmt: skip
        """Return what holds an output has, and their changes of what changed `after` or is asked.

        The cost follows what changed, not how much waits.
        """
        rows = self._live(transaction, output.number)
        if not rows:
            return LookedAt()
        over = frozenset(row[0] for row in rows if _is_over(row, now))
        kept = [row for row in rows if row[0] not in over]
        replaces = [row[1] == HoldState.ACCEPTED for row in kept if row[2] == HoldKind.REPLACE]
        number = output.number
        return LookedAt(
            changes.all_changes(transaction, number)
            if after is None
            else changes.late_changes(transaction, number, output.list, after, asked),
            frozenset(row[0] for row in rows),
            {
                row[0]: Acceptance(row[0], row[4] or "", row[5] or "")
                for row in kept
                if row[1] == HoldState.ACCEPTED
            },
            over,
            all(replaces) if replaces else None,
            any(row[6] for row in kept if row[1] != HoldState.ACCEPTED),
        )

    def _live(self, transaction: Transaction, output: int) -> list[Any]:
        sql = (
            "SELECT id, state, kind, until, by_whom, why, removals FROM holds "
            "WHERE output = ? AND state IN (?, ?, ?)"
        )
        return transaction.rows(sql, (output, *LIVE))

    def settle(
        self, output: int, looked: LookedAt, due: Due, now: int, holds: Sequence[Hold] = ()
    ) -> Settled:
        """Take out of holds what is not due any more, of what was looked at, and keep new ones.

        An accepted hold of which nothing is left is done, any other is void.
        """
        if not (looked.live or holds):
            return Settled()
        with self._db.write(durable=bool(holds)) as transaction:
            changes.drop_changes(transaction, output, looked.undue(due))
            ended = _end_empty(transaction, output, looked.over, due.replaces)
            news = [hold.id for hold in holds if _put(transaction, output, hold, now)]
            return Settled(news, ended)

    def asks_to_read(self, output: int, now: int) -> bool:
        """Return whether a list of others may be replaced now, or must be held anew: it is read."""
        with self._db.read() as transaction:
            rows = [row for row in self._live(transaction, output) if row[2] == HoldKind.REPLACE]
        return any(row[1] == HoldState.ACCEPTED or _is_over(row, now) for row in rows)

    def waiting(self, output: int) -> dict[HoldState, HeldCount]:
        """Return how much is left of the holds of an output that wait, by where they stand."""
        sql = (
            "SELECT state, sum(adds), sum(removals) FROM holds WHERE output = ? "
            "AND state IN (?, ?, ?) GROUP BY state"
        )
        with self._db.read() as transaction:
            found = {
                HoldState(state): HeldCount(int(adds), int(removals))
                for state, adds, removals in transaction.rows(sql, (output, *LIVE))
            }
        return {state: found.get(state, HeldCount(0, 0)) for state in LIVE}

    def accept(self, output: int, hold: str, by: str, why: str) -> None:
        """Let a hold be applied, because a person said so."""
        self._decide(output, hold, HoldState.ACCEPTED, by, why, None)

    def refuse(self, output: int, hold: str, by: str, why: str, until: int | None) -> None:
        """Leave the entries of a hold as they are, because a person said so."""
        self._decide(output, hold, HoldState.REFUSED, by, why, until)

    def _decide(
        self, output: int, hold: str, to: HoldState, by: str, why: str, until: int | None
    ) -> None:
        with self._db.write(durable=True) as transaction:
            _move(transaction, output, hold, to)
            sql = "UPDATE holds SET by_whom = ?, why = ?, until = ? WHERE output = ? AND id = ?"
            transaction.run(sql, (by, why, until, output, hold))

    def find(self, hold: str) -> KeptHold | None:
        """Return a hold by its id; None where there is none."""
        with self._db.read() as transaction:
            return next(iter(read_holds(transaction, "h.id = ?", (hold,))), None)


def hold_on(
    transaction: Transaction, output: int, observable: int
) -> tuple[KeptHold, HeldChange] | None:
    """Return the hold in which a change of an entry waits, and that change; None without one."""
    sql = (
        "SELECT hold, verb, observable, reason, feed FROM held_changes "
        "WHERE output = ? AND observable = ?"
    )
    for hold, *change in transaction.rows(sql, (output, observable)):
        for kept in read_holds(transaction, "h.output = ? AND h.id = ?", (output, hold)):
            return kept, HeldChange._make(change)
    return None


def _put(transaction: Transaction, output: int, hold: Hold, now: int) -> bool:
    """Keep a new hold; return whether it is one."""
    if _state(transaction, output, hold.id) in LIVE:
        return False
    sql = (
        "INSERT INTO holds (id, output, kind, state, since, sentences, adds, removals) "
        "VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (id, output) DO UPDATE SET state = excluded.state, "
        "since = excluded.since, sentences = excluded.sentences, adds = excluded.adds, "
        "removals = excluded.removals, by_whom = NULL, why = NULL, until = NULL"
    )
    body, counts = msgspec.json.encode(list(hold.sentences)).decode(), (hold.add, hold.remove)
    row = (hold.id, output, hold.kind, HoldState.HELD, now, body, *map(len, counts))
    transaction.run(sql, row)
    changes.put_changes(transaction, output, hold)
    return True


def _is_over(row: Any, now: int) -> bool:
    """Return whether a hold was refused until an instant that has passed."""
    return row[1] == HoldState.REFUSED and row[3] is not None and row[3] <= now


def _end_empty(
    transaction: Transaction, output: int, over: Collection[str], replaces: bool | None
) -> list[tuple[str, HoldState]]:
    """End the holds of which nothing is left; one that keeps a list ends with its cause."""
    sql = (
        "SELECT id, state, kind FROM holds WHERE output = ? AND state IN (?, ?, ?) "
        "AND (kind = ? OR adds + removals = 0)"
    )
    ended = []
    for hold, state, kind in transaction.rows(sql, (output, *LIVE, HoldKind.REPLACE)):
        if kind == HoldKind.REPLACE:
            if hold not in over and replaces is not False:
                continue
            sql = "DELETE FROM held_changes WHERE output = ? AND hold = ?"
            transaction.run(sql, (output, hold))
            sql = "UPDATE holds SET adds = 0, removals = 0 WHERE output = ? AND id = ?"
            transaction.run(sql, (output, hold))
        end = HoldState.DONE if state == HoldState.ACCEPTED else HoldState.VOID
        _move(transaction, output, hold, end)
        ended.append((hold, end))
    return ended


def _state(transaction: Transaction, output: int, hold: str) -> HoldState | None:
    sql = "SELECT state FROM holds WHERE id = ? AND output = ?"
    known = transaction.one(sql, (hold, output))
    return None if known is None else HoldState(known)


def _move(transaction: Transaction, output: int, hold: str, to: HoldState) -> None:
    """Move a hold on; raise HoldStateError where the table has no such way."""
    state = _state(transaction, output, hold)
    if to not in _NEXT[state]:
        raise HoldStateError(hold, state, to)
    transaction.run("UPDATE holds SET state = ? WHERE id = ? AND output = ?", (to, hold, output))
