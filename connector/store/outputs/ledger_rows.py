"""The rows of the ledger: set, confirmed and deleted many at once, with their counts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from connector.decisions.records import OURS, STANDING, LedgerState
from connector.instants import NEVER
from connector.store.database import numbers, parts
from connector.store.outputs.rollouts import note_standing
from connector.store.tallies import OUTPUT_TALLY, add_to_tallies
from connector.store.transaction import Transaction

_PART: Final = 1000
_SET_AT_ONCE: Final = 10_000
_LONGEST_WORDS: Final = 300
_OURS: Final = numbers(sorted(OURS))
SET: Final = (  # what is being removed keeps its digest
    "INSERT INTO ledger (output, observable, state, digest, since, ends, source) "  # noqa: S608 - only numbers
    "VALUES (?,?,?,?,?,?,?) ON CONFLICT (output, observable) DO UPDATE SET "
    "state = excluded.state, why = NULL, "
    f"digest = CASE WHEN excluded.state = {int(LedgerState.REMOVING)} THEN ledger.digest "
    "ELSE excluded.digest END, "
    "since = CASE WHEN ledger.state = excluded.state THEN ledger.since ELSE excluded.since END"
)
# What is ours keeps the later end: to move one forward is a feed's act, and not time that passes.
SET_WITH_ENDS: Final = (
    f"{SET}, source = excluded.source, ends = CASE WHEN ledger.state IN ({_OURS}) "
    "AND ledger.ends > excluded.ends THEN ledger.ends ELSE excluded.ends END"
)
# Number, mark and digest; where the entry is only now meant to be there, its end and feed as well.
Row = tuple[int, int, int] | tuple[int, int, int, int, int]


def move_ends(transaction: Transaction, output: int, ends: Iterable[tuple[int, int]]) -> None:
    """Note the ends that feeds moved back."""
    sql = "UPDATE ledger SET ends = ? WHERE output = ? AND observable = ? AND ends < ?"
    rows = [(end, output, number, end) for number, end in ends]
    if rows:
        transaction.many(sql, rows)


def confirm_at_once(
    transaction: Transaction, output: int, taken: Sequence[tuple[int, int]], now: int
) -> bool:
    """Confirm what was intended just so, without a row each; return whether that was all."""
    if len({digest for _number, digest in taken}) != 1:
        return False
    digest, confirmed = taken[0][1], 0
    intended = int(LedgerState.INTENDED)
    for part in parts([number for number, _digest in taken], _PART):
        sql = (
            "UPDATE ledger SET state = ?, why = NULL, since = ? WHERE output = ? "  # noqa: S608 - only numbers
            f"AND state = ? AND digest = ? AND observable IN ({numbers(part)})"
        )
        values = (int(LedgerState.WRITTEN), now, output, intended, digest)
        confirmed += transaction.run(sql, values)
    changes = {int(LedgerState.WRITTEN): confirmed, intended: -confirmed}
    add_to_tallies(transaction, OUTPUT_TALLY, output, changes)
    note_standing(transaction, output, [number for number, _digest in taken], now)
    return confirmed == len(taken)


def keep_names(transaction: Transaction, output: int, handles: Mapping[int, str]) -> None:
    sql = "UPDATE ledger SET handle = ? WHERE output = ? AND observable = ?"
    rows = [(handle, output, number) for number, handle in handles.items()]
    transaction.many(sql, rows)


def keep_words(transaction: Transaction, output: int, words: Mapping[int, str]) -> None:
    """Keep the target's words on entries, for `explain`."""
    sql = "UPDATE ledger SET why = ? WHERE output = ? AND observable = ?"
    rows = [(why[:_LONGEST_WORDS], output, number) for number, why in words.items()]
    transaction.many(sql, rows)


def set_rows(
    transaction: Transaction, output: int, rows: Iterable[Row], now: int,
    sql: str = SET,
) -> None:  # fmt: skip
    """Set marks and digests, a part at a time: a plan may name millions."""
    coming = iter(rows)
    while part := list(islice(coming, _SET_AT_ONCE)):
        _set_part(transaction, output, part, now, sql)


def _set_part(
    transaction: Transaction, output: int, rows: Sequence[Row], now: int, sql: str
) -> None:
    changing = [row[0] for row in rows]
    before = (
        {} if _all_new(transaction, output, changing) else marks_of(transaction, output, changing)
    )
    changes = Counter(int(row[1]) for row in rows)
    changes.subtract(before.values())
    unknown = (NEVER, 0)
    values = [(output, row[0], int(row[1]), row[2], now, *(row[3:] or unknown)) for row in rows]
    transaction.many(sql, values)
    add_to_tallies(transaction, OUTPUT_TALLY, output, changes)
    came = [row[0] for row in rows if row[1] in STANDING and before.get(row[0]) not in STANDING]
    note_standing(transaction, output, came, now)


def _all_new(transaction: Transaction, output: int, observables: Sequence[int]) -> bool:
    """Return whether the ledger has nothing from the first to the last, as in a first fill."""
    sql = "SELECT 1 FROM ledger WHERE output = ? AND observable BETWEEN ? AND ? LIMIT 1"
    ends = (min(observables), max(observables))
    return transaction.one(sql, (output, *ends)) is None


def delete_rows(transaction: Transaction, output: int, gone: Sequence[int]) -> None:
    before = marks_of(transaction, output, gone)
    changes = {mark: -count for mark, count in Counter(before.values()).items()}
    sql = "DELETE FROM ledger WHERE output = ? AND observable = ?"
    transaction.many(sql, [(output, number) for number in before])
    add_to_tallies(transaction, OUTPUT_TALLY, output, changes)


def marks_of(transaction: Transaction, output: int, wanted: Sequence[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for part in parts(wanted, _PART):
        sql = (
            "SELECT observable, state FROM ledger "  # noqa: S608 - only numbers
            f"WHERE output = ? AND observable IN ({numbers(part)})"
        )
        found.update(map(tuple, transaction.rows(sql, (output,))))
    return found
