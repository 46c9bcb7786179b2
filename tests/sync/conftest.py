"""Stores of outputs' cycles: in memory, and where a test is marked so on PostgreSQL as well."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from postgres_server import Postgres, postgres

from connector.store.store import Store

__all__ = ["postgres"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked so on both databases."""
    if metafunc.definition.get_closest_marker("both_databases") is not None:
        both = ["sqlite", pytest.param("postgresql", marks=pytest.mark.real_server)]
        metafunc.parametrize("store", both, indirect=True)


@dataclass(frozen=True)
class Emptied:
    """A database with our tables, for one test after the other: to make one takes a second."""

    url: str
    tables: Sequence[str]

    def empty(self) -> None:
        opened = Store(self.url)
        with opened.database.write() as transaction:
            for table in self.tables:
                transaction.run(f"DELETE FROM {table}", ())  # noqa: S608 - our own tables
        opened.close()


@pytest.fixture(scope="session")
def emptied(postgres: Postgres) -> Emptied:
    """A database with our tables on a server."""
    url = postgres.create("cycles")
    opened = Store(url)
    opened.database.migrate()
    with opened.database.read() as transaction:
        sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        tables = [name for (name,) in transaction.rows(sql)]
        filled = "SELECT 1 FROM {} LIMIT 1"  # by the migration
        left = [name for name in tables if transaction.one(filled.format(name)) is None]
    opened.close()
    return Emptied(url, left)


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A migrated, empty store."""
    on_a_server = getattr(request, "param", "sqlite") != "sqlite"
    database = request.getfixturevalue("emptied") if on_a_server else None
    opened = Store(database.url if database else "sqlite://")
    if database is None:
        opened.database.migrate()
    yield opened
    opened.close()
    if database is not None:
        database.empty()
