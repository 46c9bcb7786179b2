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

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from connector.decisions.holds import Hold, HoldKind, Standing, Window
from connector.errors import ConnectorError
from connector.store.database import Database
from connector.store.outputs.outputs import OutputState
from connector.store.transaction import Transaction

_HOUR: Final = 3_600_000_000
_ADD, _REMOVE = 1, 2


class HoldState(StrEnum):
    """Where a hold stands."""

    HELD = "held"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DONE = "done"
    VOID = "void"


_LIVE: Final = (HoldState.HELD, HoldState.REFUSED, HoldState.ACCEPTED)
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


@dataclass(frozen=True, slots=True)
class KeptHold:
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


class Holds:
    """Keeps holds and their changes, and moves each on."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def keep(self, output: OutputState, holds: Sequence[Hold], now: int) -> list[str]:
        """Keep new holds for a person; return the ids of those that are news."""
        news = []
        with self._db.write(durable=True) as transaction:
            for hold in holds:
                state = _state(transaction, output.number, hold.id)
                if state not in _LIVE:
                    news.append(hold.id)
                    _put(transaction, output.number, hold, now)
        return news

    def standing(self, transaction: Transaction, output: int, now: int) -> Standing:
        """Return the changes of an output that wait, were refused or were accepted."""
        found: dict[tuple[bool, int], set[int]] = {}
        sql = (
            "SELECT h.state, c.verb, c.observable FROM holds h JOIN held_changes c "
            "ON c.output = h.output AND c.hold = h.id WHERE h.output = ? "
            "AND (h.state IN (?, ?) OR (h.state = ? AND (h.until IS NULL OR h.until > ?)))"
        )
        asked = (output, HoldState.HELD, HoldState.ACCEPTED, HoldState.REFUSED, now)
        for state, verb, observable in transaction.stream(sql, asked):
            accepted = state == HoldState.ACCEPTED
            found.setdefault((accepted, verb), set()).add(observable)
        sql = (
            "SELECT h.state FROM holds h WHERE h.output = ? AND h.kind = ? "
            "AND (h.state IN (?, ?) OR (h.state = ? AND (h.until IS NULL OR h.until > ?)))"
        )
        kept_whole = transaction.rows(sql, (output, HoldKind.REPLACE, *asked[1:]))
        replaces = [state == HoldState.ACCEPTED for (state,) in kept_whole]
        return Standing(
            replaces=all(replaces) if replaces else None,
            held_add=found.get((False, _ADD), frozenset()),
            held_remove=found.get((False, _REMOVE), frozenset()),
            accepted_add=found.get((True, _ADD), frozenset()),
            accepted_remove=found.get((True, _REMOVE), frozenset()),
        )

    def numbers(self, transaction: Transaction, output: int) -> list[int]:
        """Return the observables of all changes in an output's holds, sorted."""
        sql = "SELECT DISTINCT observable FROM held_changes WHERE output = ? ORDER BY observable"
        return [row[0] for row in transaction.rows(sql, (output,))]

    def prune(
        self,
        output: int,
        add: Collection[int],
        remove: Collection[int],
        now: int,
        *,
        replaces: bool | None = None,
    ) -> list[tuple[str, HoldState]]:
        """Take out of an output's holds what no longer applies; return those that ended, and how.

        `add` and `remove` are all changes that are due now; `replaces` is whether a list of others
        would be replaced, or None where nobody looked. An accepted hold of which nothing is left is
        done, any other is void.
        """
        with self._db.read() as transaction:
            if not _count_in(transaction, output, _LIVE):
                return []
        with self._db.write() as transaction:
            sql = (
                "SELECT id FROM holds WHERE output = ? AND ((state = ? AND until <= ?) "
                "OR (kind = ? AND state IN (?, ?, ?) AND ? = 0))"
            )
            looked = 1 if replaces is None else int(replaces)
            asked = (output, HoldState.REFUSED, now, HoldKind.REPLACE, *_LIVE, looked)
            over = {row[0] for row in transaction.rows(sql, asked)}
            rows = transaction.rows(
                "SELECT hold, verb, observable FROM held_changes WHERE output = ?", (output,)
            )
            due = {_ADD: add, _REMOVE: remove}
            gone = [(output, *row) for row in rows if row[0] in over or row[2] not in due[row[1]]]
            transaction.many(
                "DELETE FROM held_changes WHERE output = ? AND hold = ? AND verb = ? "
                "AND observable = ?", gone,
            )  # fmt: skip
            return _end_empty(transaction, output, over)

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
            return next(iter(_read(transaction, "h.id = ?", (hold,))), None)

    def window(self, transaction: Transaction, output: int, since: int) -> Window:
        """Return what was added and removed since an instant, of what limits count."""
        sql = "SELECT sum(added), sum(removed) FROM counted_changes WHERE output = ? AND hour >= ?"
        [(added, removed)] = transaction.rows(sql, (output, since // _HOUR))
        return Window(int(added or 0), int(removed or 0))

    def count(self, output: int, counted: Window, now: int, since: int) -> None:
        """Count changes that were written; forget those from before the window."""
        if not any(counted):
            return
        with self._db.write() as transaction:
            sql = (
                "INSERT INTO counted_changes (output, hour, added, removed) VALUES (?,?,?,?) "
                "ON CONFLICT (output, hour) DO UPDATE SET "
                "added = counted_changes.added + excluded.added, "
                "removed = counted_changes.removed + excluded.removed"
            )
            transaction.run(sql, (output, now // _HOUR, *counted))
            sql = "DELETE FROM counted_changes WHERE output = ? AND hour < ?"
            transaction.run(sql, (output, since // _HOUR))


def live_holds(transaction: Transaction) -> list[KeptHold]:
    """Return the holds that wait, were refused or are being applied, the oldest first."""
    return _read(transaction, "h.state IN (?, ?, ?)", _LIVE)


def hold_on(transaction: Transaction, output: int, observable: int) -> KeptHold | None:
    """Return the hold in which a change of an entry waits; None where there is none."""
    where = (
        "h.output = ? AND h.id IN "
        "(SELECT hold FROM held_changes WHERE output = ? AND observable = ?)"
    )
    return next(iter(_read(transaction, where, (output, output, observable))), None)


def changes_of(transaction: Transaction, hold: KeptHold) -> tuple[list[int], list[int]]:
    """Return the observables that are left of what a hold would add and remove, by number."""
    sql = "SELECT verb, observable FROM held_changes WHERE output = ? AND hold = ? ORDER BY 2"
    add: list[int] = []
    remove: list[int] = []
    for verb, observable in transaction.rows(sql, (hold.number, hold.id)):
        (add if verb == _ADD else remove).append(observable)
    return add, remove


def _put(transaction: Transaction, output: int, hold: Hold, now: int) -> None:
    sql = (
        "INSERT INTO holds (id, output, kind, state, since, sentences) VALUES (?,?,?,?,?,?) "
        "ON CONFLICT (id, output) DO UPDATE SET state = excluded.state, since = excluded.since, "
        "sentences = excluded.sentences, by_whom = NULL, why = NULL, until = NULL"
    )
    body = msgspec.json.encode(list(hold.sentences)).decode()
    transaction.run(sql, (hold.id, output, hold.kind, HoldState.HELD, now, body))
    rows = [(output, hold.id, _ADD, number) for number in hold.add.numbers]
    rows += [(output, hold.id, _REMOVE, number) for number in hold.remove.numbers]
    sql = "INSERT INTO held_changes (output, hold, verb, observable) VALUES (?,?,?,?)"
    transaction.many(sql, rows)


def _count_in(transaction: Transaction, output: int, states: Sequence[HoldState]) -> int:
    """Return how many holds of an output have one of three states."""
    sql = "SELECT count(*) FROM holds WHERE output = ? AND state IN (?, ?, ?)"
    return int(transaction.one(sql, (output, *states)) or 0)


def _end_empty(
    transaction: Transaction, output: int, over: Collection[str]
) -> list[tuple[str, HoldState]]:
    """End the holds of which nothing is left; one that keeps a list must be `over` for that."""
    sql = (
        "SELECT h.id, h.state, h.kind FROM holds h WHERE h.output = ? AND h.state IN (?, ?, ?) "
        "AND NOT EXISTS (SELECT 1 FROM held_changes c WHERE c.output = h.output AND c.hold = h.id)"
    )
    ended = []
    for hold, state, kind in transaction.rows(sql, (output, *_LIVE)):
        if kind == HoldKind.REPLACE and hold not in over:
            continue
        end = HoldState.DONE if state == HoldState.ACCEPTED else HoldState.VOID
        _move(transaction, output, hold, end)
        ended.append((hold, end))
    return ended


def _read(transaction: Transaction, where: str, values: Iterable[object]) -> list[KeptHold]:
    sql = (
        "SELECT h.id, o.name, h.output, h.kind, h.state, h.since, h.sentences, "  # noqa: S608 - our own condition
        "(SELECT count(*) FROM held_changes c WHERE c.output = h.output AND c.hold = h.id "
        "AND c.verb = 1), "
        "(SELECT count(*) FROM held_changes c WHERE c.output = h.output AND c.hold = h.id "
        "AND c.verb = 2), h.by_whom, h.why, h.until "
        f"FROM holds h JOIN outputs o ON o.number = h.output WHERE {where} ORDER BY h.since, h.id"
    )
    return [
        KeptHold(
            row[0], row[1], row[2], HoldKind(row[3]), HoldState(row[4]), row[5],
            tuple(msgspec.json.decode(row[6])), *row[7:],
        )
        for row in transaction.rows(sql, list(values))
    ]  # fmt: skip


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
