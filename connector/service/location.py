"""Where the configured state is, and the state as a database to look at."""

from pathlib import Path

from connector.config.loading import Loaded
from connector.errors import ConnectorError
from connector.store.database import Database
from connector.store.drivers import open_database


def look_at_database(loaded: Loaded) -> tuple[Database, bool]:
    """Return the state for reading while the service runs, and whether it existed."""
    address, there = readable_address(loaded)
    database = open_database(address)
    try:
        database.migrate()
    except ConnectorError:
        database.close()
        raise
    return database, there


def readable_address(loaded: Loaded) -> tuple[str, bool]:
    """Return the URL of the state for one who only looks, and whether there is a state.

    Before the first run it is an empty one in memory: a file created by another user would be
    inaccessible to the service.
    """
    file = state_file(loaded)
    there = file is None or not _is_absent(file)
    return address_of(loaded) if there else "sqlite://", there


def _is_absent(file: Path) -> bool:
    """Return whether there is certainly no file; opening one that we may not see says why."""
    try:
        return not file.exists()
    except OSError:
        return False


def state_file(loaded: Loaded) -> Path | None:
    """Return the SQLite file of the state, by the configuration's folder; None for a server."""
    scheme, _, path = loaded.config.state.connection_url.partition(":///")
    return loaded.path.absolute().parent / path if scheme.startswith("sqlite") else None


def address_of(loaded: Loaded) -> str:
    """Return the URL of the state; a relative file is in the configuration's folder."""
    file = state_file(loaded)
    return loaded.config.state.connection_url if file is None else f"sqlite:///{file}"
