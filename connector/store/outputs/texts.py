"""A few texts that an adapter keeps with the ledger of its output."""

from collections.abc import Iterator, MutableMapping
from typing import Final

from connector.store.database import Database

_LONGEST: Final = 4_096
_MOST: Final = 100


class KeptTexts(MutableMapping[str, str]):
    """The texts of one output by name, each kept as soon as it is set."""

    def __init__(self, database: Database, output: str) -> None:
        self._db, self._output = database, output

    def __getitem__(self, name: str) -> str:
        with self._db.read() as transaction:
            sql = "SELECT text FROM texts WHERE output = ? AND name = ?"
            found = transaction.one(sql, (self._output, name))
        if found is None:
            raise KeyError(name)
        return str(found)

    def __setitem__(self, name: str, text: str) -> None:
        if not isinstance(text, str) or len(text) > _LONGEST:
            raise ValueError(f"{name} should be a text of at most {_LONGEST:,} characters")
        if name not in self and len(self) >= _MOST:
            raise ValueError(f"an output keeps at most {_MOST} texts")
        with self._db.write() as transaction:
            sql = (
                "INSERT INTO texts (output, name, text) VALUES (?,?,?) "
                "ON CONFLICT (output, name) DO UPDATE SET text = excluded.text"
            )
            transaction.run(sql, (self._output, name, text))

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        with self._db.write() as transaction:
            sql = "DELETE FROM texts WHERE output = ? AND name = ?"
            transaction.run(sql, (self._output, name))

    def __iter__(self) -> Iterator[str]:
        with self._db.read() as transaction:
            sql = "SELECT name FROM texts WHERE output = ? ORDER BY name"
            names = [name for (name,) in transaction.rows(sql, (self._output,))]
        return iter(names)

    def __len__(self) -> int:
        return sum(1 for _name in self)
