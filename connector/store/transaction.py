"""One transaction: statements with `?` marks, alike on SQLite and PostgreSQL."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

Row = Sequence[Any]


class Transaction(ABC):
    """Statements whose changes are kept together, or not at all."""

    __slots__ = ()

    @abstractmethod
    def many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run one statement over many rows; return how many rows it changed."""

    @abstractmethod
    def rows(self, sql: str, values: Row = ()) -> list[Any]:
        """Return all rows of a query."""

    @abstractmethod
    def stream(self, sql: str, values: Row = ()) -> Iterator[Any]:
        """Yield the rows of a large query without holding them all."""

    @abstractmethod
    def one(self, sql: str, values: Row = ()) -> Any:
        """Return the first column of the first row; None where there is none."""

    @abstractmethod
    def run(self, sql: str, values: Row = ()) -> int:
        """Run one statement; return how many rows it changed."""
