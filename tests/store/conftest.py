"""Stores on both databases: SQLite in a file, and a PostgreSQL of our own on a Unix socket."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from postgres_server import Postgres, postgres

from connector.store.store import Store

__all__ = ["postgres"]

_numbers = count(1)


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """The name of a database that has our tables and nobody uses: to copy it is quick."""
    opened = Store(postgres.create("migrated"))
    opened.database.migrate()
    opened.close()
    return "migrated"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real_server)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once on each kind of server.

    On PostgreSQL it has our tables already where a test asks for a store.
    """
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/state/connector.db"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"connector_{next(_numbers)}"
    stored = "store" in request.fixturenames
    yield server.create(name, request.getfixturevalue("migrated") if stored else "template1")
    server.drop(name)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A migrated, empty store."""
    opened = Store(database_url)
    opened.database.migrate()
    yield opened
    opened.close()
