"""One transaction: statements with `?` marks, alike on SQLite and PostgreSQL."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

Row = Sequence[Any]


class Transaction:
    """A connection while its transaction lasts; what it changes is kept together, or not at all."""

    __slots__ = ("connection", "sqlite")

    def __init__(self, connection: Connection, *, sqlite: bool) -> None:
        self.connection = connection
        self.sqlite = sqlite

    def many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run one statement over many rows; return how many rows it changed."""
        if not rows:
            return 0
        return self.connection.exec_driver_sql(self._marks(sql), list(rows)).rowcount

    def rows(self, sql: str, values: Row = ()) -> list[Any]:
        """Return all rows of a query."""
        return list(self.connection.exec_driver_sql(self._marks(sql), tuple(values)).fetchall())

    def stream(self, sql: str, values: Row = ()) -> Iterator[Any]:
        """Yield the rows of a large query without holding them all."""
        # Options of the statement: as options of the connection they would last for its life.
        live = {"stream_results": True, "yield_per": 2000}
        marked = self._marks(sql)
        with self.connection.exec_driver_sql(
            marked, tuple(values), execution_options=live
        ) as found:
            yield from found  # closed also where the reader takes only the first rows

    def one(self, sql: str, values: Row = ()) -> Any:
        """Return the first column of the first row; None where there is none."""
        return self.connection.exec_driver_sql(self._marks(sql), tuple(values)).scalar()

    def run(self, sql: str, values: Row = ()) -> int:
        """Run one statement; return how many rows it changed."""
        return self.connection.exec_driver_sql(self._marks(sql), tuple(values)).rowcount

    def _marks(self, sql: str) -> str:
        return sql if self.sqlite else sql.replace("?", "%s")
