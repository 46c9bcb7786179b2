"""How much a target held when it said that it is full, by pool, as far as it ever said so."""

from collections.abc import Mapping
from typing import NamedTuple

from connector.store.database import Database
from connector.store.transaction import Transaction


class FullPool(NamedTuple):
    """A pool of a target that said that it is full, how many entries of ours it held, and when."""

    pool: str
    held: int
    at: int


class Pools:
    """Keeps what the target of each output said of its room."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def full(self, transaction: Transaction, output: int) -> dict[str, int]:
        """Return how many entries of ours each full pool of a target held."""
        sql = "SELECT pool, held FROM full_pools WHERE output = ?"
        return dict(map(tuple, transaction.rows(sql, (output,))))

    def learn(self, output: int, held: Mapping[str, int | None], now: int) -> None:
        """Keep how many entries of ours each full pool held; None forgets that it was full."""
        with self._db.write() as transaction:
            for pool, count in held.items():
                sql = "DELETE FROM full_pools WHERE output = ? AND pool = ?"
                transaction.run(sql, (output, pool))
                if count is not None:
                    sql = "INSERT INTO full_pools (output, pool, held, at) VALUES (?,?,?,?)"
                    transaction.run(sql, (output, pool, count, now))


def full_pools(transaction: Transaction) -> dict[int, list[FullPool]]:
    """Return the full pools of each output that has one, by the output's number."""
    found: dict[int, list[FullPool]] = {}
    sql = "SELECT output, pool, held, at FROM full_pools ORDER BY output, pool"
    for output, *row in transaction.rows(sql):
        found.setdefault(output, []).append(FullPool(*row))
    return found
