"""The changes that holds are made of: which of them a cycle looks at, and which are left."""

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from connector.decisions.holds import Acceptance, Hold, Standing
from connector.store.database import numbers, parts
from connector.store.transaction import Transaction

ADD: Final = 1
REMOVE: Final = 2
_COUNTS: Final = {ADD: "adds", REMOVE: "removals"}
_PART: Final = 1000
_PUT_AT_ONCE: Final = 10_000


class HeldChange(NamedTuple):
    """A change that is left of a hold, with what caused it when the hold was made.

    `reason` is a removal's reason as a code; `feed` the number of the one feed behind it, or 0.
    """

    verb: int
    observable: int
    reason: int
    feed: int


class Due(NamedTuple):
    """The observables whose addition or removal is due, or still waits.

    `replaces` is whether a list of others would be replaced, or None where nobody looked.
    """

    add: Collection[int]
    remove: Collection[int]
    replaces: bool | None = None


@dataclass(frozen=True, slots=True)
class LookedAt:
    """The held changes that a cycle looks at: all, or those of observables in its scope.

    `changes` has their observables by hold and verb; `live` are all holds that wait, were refused
    or accepted, `accepted` says by whom; `over` are those whose refusal has ended, so that their
    changes are looked at as if they were new.
    """

    changes: Mapping[tuple[str, int], "array[int]"] = field(default_factory=dict)
    live: frozenset[str] = frozenset()
    accepted: Mapping[str, Acceptance] = field(default_factory=dict)
    over: frozenset[str] = frozenset()
    replaces: bool | None = None
    keeps_room: bool = False

    def standing(self) -> Standing:
        """Return these changes as limits take them."""
        return Standing(
            held_add=self._of(ADD, accepted=False),
            held_remove=self._of(REMOVE, accepted=False),
            accepted_add=self._of(ADD, accepted=True),
            accepted_remove=self._of(REMOVE, accepted=True),
            keeps_room=self.keeps_room,
            replaces=self.replaces,
        )

    def _of(self, verb: int, *, accepted: bool) -> frozenset[int]:
        return frozenset().union(
            *(
                found
                for (hold, known), found in self.changes.items()
                if known == verb and hold not in self.over and (hold in self.accepted) == accepted
            )
        )

    @property
    def as_kept(self) -> "LookedAt":
        """What of this is still in holds, once the changes of those that are over left them."""
        left = {key: found for key, found in self.changes.items() if key[0] not in self.over}
        return replace(self, changes=left, over=frozenset())

    def acceptances(self) -> dict[int, Acceptance]:
        """Return who accepted the change of an observable, by its number."""
        return {
            number: self.accepted[hold]
            for (hold, _verb), found in self.changes.items()
            if hold in self.accepted
            for number in found
        }

    def undue(self, due: Due) -> Iterator[tuple[str, int, int]]:
        """Yield the changes that are not due any more, and those of holds that are over."""
        by_verb = {ADD: due.add, REMOVE: due.remove}
        for (hold, verb), found in self.changes.items():
            over = hold in self.over
            yield from ((hold, verb, one) for one in found if over or one not in by_verb[verb])


def put_changes(transaction: Transaction, output: int, hold: Hold) -> None:
    """Keep what a hold is made of."""
    sql = (
        "INSERT INTO held_changes (output, hold, verb, observable, reason, feed) "
        "VALUES (?,?,?,?,?,?)"
    )
    for verb, refs in ((ADD, hold.add), (REMOVE, hold.remove)):
        for at in range(0, len(refs), _PUT_AT_ONCE):
            part = refs.part(at, at + _PUT_AT_ONCE)
            rows = zip(part.numbers, part.causes, part.sources, strict=True)
            transaction.many(sql, [(output, hold.id, verb, *row) for row in rows])


def drop_changes(
    transaction: Transaction, output: int, gone: Iterable[tuple[str, int, int]]
) -> None:
    """Take changes out of their holds."""
    by_group: dict[tuple[str, int], list[int]] = {}
    for hold, verb, observable in gone:
        by_group.setdefault((hold, verb), []).append(observable)
    sql = "DELETE FROM held_changes WHERE output = ? AND hold = ? AND verb = ? AND observable = ?"
    for (hold, verb), observables in by_group.items():
        rows = [(output, hold, verb, number) for number in observables]
        _count_off(transaction, output, hold, verb, transaction.many(sql, rows))


def drop_done(transaction: Transaction, output: int, verb: int, done: Sequence[int]) -> None:
    """Take the addition of entries that are there, or the removal of those gone, out of holds."""
    asked = "SELECT 1 FROM held_changes WHERE output = ? LIMIT 1"
    if transaction.one(asked, (output,)) is None:
        return
    for part in parts(done, _PART):
        sql = (
            "SELECT hold, verb, observable FROM held_changes "  # noqa: S608 - only numbers
            f"WHERE output = ? AND verb = ? AND observable IN ({numbers(part)})"
        )
        drop_changes(transaction, output, transaction.rows(sql, (output, verb)))


def _count_off(transaction: Transaction, output: int, hold: str, verb: int, count: int) -> None:
    column = _COUNTS[verb]
    sql = f"UPDATE holds SET {column} = {column} - ? WHERE output = ? AND id = ?"  # noqa: S608 - our own columns
    transaction.run(sql, (count, output, hold))


def changes_of(transaction: Transaction, output: int, hold: str) -> list[HeldChange]:
    """Return what is left of a hold, sorted by number."""
    sql = (
        "SELECT verb, observable, reason, feed FROM held_changes WHERE output = ? AND hold = ? "
        "ORDER BY observable"
    )
    return [HeldChange._make(row) for row in transaction.rows(sql, (output, hold))]


def all_waiting(transaction: Transaction, output: int) -> tuple[set[int], set[int]]:
    """Return the observables of all additions, and all removals, in an output's holds."""
    found: dict[int, set[int]] = {ADD: set(), REMOVE: set()}
    sql = "SELECT verb, observable FROM held_changes WHERE output = ?"
    for verb, observable in transaction.stream(sql, (output,)):
        found[verb].add(observable)
    return found[ADD], found[REMOVE]


def additions_in(transaction: Transaction, output: int, holds: Collection[str]) -> set[int]:
    """Return the observables of the additions in these holds."""
    sql = "SELECT observable FROM held_changes WHERE output = ? AND hold = ? AND verb = ?"
    return {number for hold in holds for (number,) in transaction.rows(sql, (output, hold, ADD))}


def observables_in(
    transaction: Transaction, output: int, holds: Collection[str], *, removals: bool
) -> list[int]:
    """Return the observables of these holds, with `removals` those of all removals, sorted."""
    found: set[int] = set()
    for hold in holds:
        sql = "SELECT observable FROM held_changes WHERE output = ? AND hold = ?"
        found.update(number for (number,) in transaction.rows(sql, (output, hold)))
    if removals:
        sql = "SELECT observable FROM held_changes WHERE output = ? AND verb = ?"
        found.update(number for (number,) in transaction.rows(sql, (output, REMOVE)))
    return sorted(found)


def all_changes(transaction: Transaction, output: int) -> dict[tuple[str, int], "array[int]"]:
    """Return all held changes of an output by hold and verb."""
    sql = "SELECT hold, verb, observable FROM held_changes WHERE output = ?"
    return _grouped(transaction.stream(sql, (output,)))


def late_changes(
    transaction: Transaction, output: int, listed: int, after: int, asked: Sequence[int]
) -> dict[tuple[str, int], "array[int]"]:
    """Return the held changes of what changed on the list since, and of what is `asked` for."""
    # CROSS JOIN keeps SQLite from walking a large hold for a few late changes.
    sql = (
        "SELECT c.hold, c.verb, c.observable FROM entries e CROSS JOIN held_changes c "
        "WHERE e.list = ? AND e.seq > ? AND c.output = ? AND c.observable = e.observable"
    )
    found = {tuple(row) for row in transaction.rows(sql, (listed, after, output))}
    for part in parts(asked, _PART):
        sql = (
            "SELECT hold, verb, observable FROM held_changes "  # noqa: S608 - only numbers
            f"WHERE output = ? AND observable IN ({numbers(part)})"
        )
        found.update(tuple(row) for row in transaction.rows(sql, (output,)))
    return _grouped(iter(sorted(found)))


def _grouped(rows: Iterator[tuple[str, int, int]]) -> dict[tuple[str, int], "array[int]"]:
    found: dict[tuple[str, int], array[int]] = {}
    for hold, verb, observable in rows:
        if (hold, verb) not in found:
            found[hold, verb] = array("q")
        found[hold, verb].append(observable)
    return found
