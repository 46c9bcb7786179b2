"""Brings a state to the newest migration; the only module that imports Alembic."""

import sqlite3
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from connector.errors import StoreError

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def upgrade(connection: Connection, shown: str) -> None:
    """Migrate in the connection's transaction; raise StoreError for a state of a later version."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            f"{shown}: the state is not one that this version knows ({error}): was it written by "
            "a later one? Start that one, or restore the backup from before the upgrade"
        ) from error


def upgrade_sqlite(held: sqlite3.Connection, shown: str) -> None:
    """Migrate in one transaction of a connection of ours; raise the driver's own errors."""
    engine = create_engine("sqlite://", creator=lambda: held, poolclass=StaticPool)
    event.listen(engine, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            upgrade(connection, shown)
    except DBAPIError as error:
        raise error.orig or error from error
