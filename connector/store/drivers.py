"""The databases that a state can be in, by their URLs."""

from connector.store import sqlite
from connector.store.database import Database


def open_database(url: str) -> Database:
    """Return the database of a URL; nothing is read of it yet."""
    if url.startswith(sqlite.PREFIX):
        return sqlite.SqliteDatabase(url)
    from connector.store.postgresql import PostgresqlDatabase  # noqa: PLC0415 - SQLAlchemy, for a server

    return PostgresqlDatabase(url)
