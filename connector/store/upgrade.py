"""Brings a state to the newest migration; the only module that imports Alembic to run it."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

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
            "a later one? Start that, or put back the backup of before"
        ) from error
