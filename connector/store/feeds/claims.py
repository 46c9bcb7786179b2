"""The rows of claims and their observables, and the last change of each.

Every change touches its observables with a rising number; lists consider what was touched since.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from connector.decisions.records import ClaimKind
from connector.indicators.observables.keys import key_of
from connector.model import Claim, Reason, RuleRef, Subject
from connector.store.database import Database, blob, marks, numbers, parts
from connector.store.interning import TYPE_CODES
from connector.store.transaction import Transaction

_KINDS: Final = {
    Reason.UNREADABLE: int(ClaimKind.UNREADABLE),
    Reason.UNSUPPORTED_PATTERN: int(ClaimKind.UNSUPPORTED),
    Reason.NOT_ENFORCEABLE: int(ClaimKind.NOT_ENFORCEABLE),
}
_ENFORCEABLE: Final = int(ClaimKind.ENFORCEABLE)
_WATCH_ONLY: Final = int(ClaimKind.WATCH_ONLY)
_RULE: Final = int(ClaimKind.RULE)
_LONGEST_WHY: Final = 300
# The columns of a ClaimRow, of claims `c` and objects `o`.
CLAIM_COLUMNS: Final = (
    "c.number, c.kind, o.feed, o.state, o.modified, o.valid_from, o.valid_until, o.confidence, "
    "o.attributes, o.context, o.sighted, o.received"
)

_Row = tuple[int, int, int, str]


class ClaimRows:
    """Writes the claims of objects inside a transaction of the caller's."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def next_change(self, transaction: Transaction) -> int:
        """Return the number of the change that begins now."""
        highest = transaction.one("SELECT max(touched) FROM observables")
        departed = transaction.one("SELECT max(touched) FROM departures")
        return int(max(highest or 0, departed or 0)) + 1

    def put(
        self,
        transaction: Transaction,
        claims: Mapping[int, Sequence[Claim]],
        replaced: Collection[int],
        touched: int,
    ) -> None:
        """Write what objects claim; of those that are replaced, only what differs."""
        observed = self._observables(transaction, claims, touched)
        kept = self._drop_replaced(transaction, claims, replaced, observed, touched)
        number = transaction.one("SELECT max(number) FROM claims") or 0
        departed = transaction.one("SELECT max(claim) FROM departures") or 0
        number = max(number, departed)
        rows = [_row_of(owner, claim, observed) for owner, said in claims.items() for claim in said]
        if kept:
            rows = [row for row in rows if row not in kept]
        sql = "INSERT INTO claims (number, object, observable, kind, why) VALUES (?, ?, ?, ?, ?)"
        transaction.many(sql, [(at, *row) for at, row in enumerate(rows, number + 1)])

    def depart(
        self, transaction: Transaction, claims: Sequence[int], left: Sequence[int], touched: int
    ) -> None:
        """Delete claims for good, and touch the observables they left."""
        for part in parts(claims):
            sql = f"DELETE FROM claims WHERE number IN ({numbers(part)})"  # noqa: S608 - only numbers
            transaction.run(sql)
        rows = [(claim, touched) for claim in claims]
        transaction.many("INSERT INTO departures (claim, touched) VALUES (?, ?)", rows)
        self._touch(transaction, [observable for observable in left if observable], touched)

    def mark_changed(
        self, transaction: Transaction, objects: Collection[int], touched: int
    ) -> None:
        """Touch every observable that these objects claim."""
        for part in parts(list(objects)):
            sql = (
                "UPDATE observables SET touched = ? WHERE touched <> ? AND number IN "  # noqa: S608 - only numbers
                f"(SELECT observable FROM claims WHERE object IN ({numbers(part)}))"
            )
            transaction.run(sql, (touched, touched))

    def _observables(
        self, transaction: Transaction, claims: Mapping[int, Sequence[Claim]], touched: int
    ) -> dict[Subject, int]:
        """Return the number of every observable claimed; new ones are given one."""
        spoken = dict.fromkeys(
            observable
            for said in claims.values()
            for observable, _enforceable, _reason, _why in said
            if observable is not None
        )
        keys = list(map(key_of, spoken))
        first = (transaction.one("SELECT max(number) FROM observables") or 0) + 1
        given: Sequence[int] = range(first, first + len(keys))
        rows = [
            (number, blob(key), TYPE_CODES[observable.type], observable.value, touched)
            for number, key, observable in zip(given, keys, spoken, strict=True)
        ]
        sql = (
            "INSERT INTO observables (number, key, type, value, touched) VALUES (?,?,?,?,?) "
            "ON CONFLICT (key) DO NOTHING"
        )
        if transaction.many(sql, rows) < len(rows):
            known = self._numbers_of(transaction, keys)
            given = [known[key] for key in keys]
            self._touch(transaction, [number for number in given if number < first], touched)
        return dict(zip(spoken, given, strict=True))

    def _numbers_of(self, transaction: Transaction, keys: Sequence[bytes]) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        for part in parts(keys):
            sql = f"SELECT key, number FROM observables WHERE key IN ({marks(part)})"  # noqa: S608 - only marks
            for key, number in transaction.rows(sql, part):
                found[bytes(key)] = number
        return found

    def _drop_replaced(
        self,
        transaction: Transaction,
        claims: Mapping[int, Sequence[Claim]],
        replaced: Collection[int],
        observed: Mapping[Subject, int],
        touched: int,
    ) -> set[_Row]:
        """Delete the claims that new versions no longer make; return those that stay."""
        wanted = {_row_of(owner, said, observed) for owner in replaced for said in claims[owner]}
        gone: list[int] = []
        left: list[int] = []
        kept: set[_Row] = set()
        for part in parts(list(replaced)):
            sql = (
                "SELECT number, object, observable, kind, why FROM claims "  # noqa: S608 - only numbers
                f"WHERE object IN ({numbers(part)})"
            )
            for number, *said in transaction.rows(sql):
                row = tuple(said)
                if row in wanted:
                    kept.add(row)
                else:
                    gone.append(number)
                    left.append(row[1])
        self.depart(transaction, gone, left, touched)
        return kept

    def _touch(self, transaction: Transaction, observables: Sequence[int], touched: int) -> None:
        for part in parts(observables):
            sql = f"UPDATE observables SET touched = ? WHERE number IN ({numbers(part)})"  # noqa: S608 - only numbers
            transaction.run(sql, (touched,))


def _row_of(owner: int, claim: Claim, observed: Mapping[Subject, int]) -> _Row:
    """Return what identifies a claim across versions of its object."""
    observable, enforceable, reason, why = claim
    said = why[:_LONGEST_WHY]
    if observable is None:
        return owner, 0, _KINDS[reason or Reason.UNREADABLE], said
    if type(observable) is RuleRef:
        return owner, observed[observable], _RULE, said
    return owner, observed[observable], _ENFORCEABLE if enforceable else _WATCH_ONLY, said
