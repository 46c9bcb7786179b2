"""Which observables are one row at a target, for outputs whose adapter says that some are."""

from collections.abc import Collection, Mapping

from connector.store.database import Database, numbers, parts
from connector.store.transaction import Transaction


class Folds:
    """Keeps the row of each entry that was ever meant for a target that folds."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def members(self, transaction: Transaction, output: int, rows: Collection[int]) -> set[int]:
        """Return the observables that are one of these rows at an output's target."""
        found: set[int] = set()
        for part in parts(sorted(rows)):
            sql = (
                "SELECT observable FROM folds "  # noqa: S608 - only numbers
                f"WHERE output = ? AND fold IN ({numbers(part)})"
            )
            found.update(number for (number,) in transaction.rows(sql, (output,)))
        return found

    def keep(self, output: int, rows: Mapping[int, int], *, whole: bool) -> None:
        """Keep the row of each of these observables; forget all others where these are the `whole`.

        Must be kept before the intent to write: what is added later would not find its mates.
        """
        with self._db.write() as transaction:
            if whole:
                sql = "SELECT observable, fold FROM folds WHERE output = ?"
                known = dict(map(tuple, transaction.stream(sql, (output,))))
                gone = [(output, number) for number in known if number not in rows]
                transaction.many("DELETE FROM folds WHERE output = ? AND observable = ?", gone)
                rows = {number: row for number, row in rows.items() if known.get(number) != row}
            sql = (
                "INSERT INTO folds (output, observable, fold) VALUES (?,?,?) "
                "ON CONFLICT (output, observable) DO UPDATE SET fold = excluded.fold"
            )
            transaction.many(sql, [(output, *pair) for pair in rows.items()])
