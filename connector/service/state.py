"""The configured state: its location, and the lock for one instance at a time."""

from pathlib import Path

from connector.config.loading import Loaded
from connector.errors import ConnectorError
from connector.store.store import Store


class AlreadyRunningError(ConnectorError):
    """Another instance is using the same state."""


def open_store(loaded: Loaded, *, alone: bool = True) -> Store:
    """Return the configured store, migrated; raise AlreadyRunningError if it is in use."""
    store = Store(address_of(loaded))
    if alone and not store.database.claim_instance():
        store.close()
        shown = store.database.shown
        raise AlreadyRunningError(f"another connector is using {shown}: stop it first")
    try:
        if alone:
            store.soundness.expect_readable()
        store.database.migrate()
    except ConnectorError:
        store.close()
        raise
    return store


def look_at_store(loaded: Loaded) -> tuple[Store, bool]:
    """Return the store for reading while the service runs, and whether it existed.

    Before the first run it is an empty one in memory: a file created by another user would be
    inaccessible to the service.
    """
    file = state_file(loaded)
    if file is None or not _is_absent(file):
        return open_store(loaded, alone=False), True
    store = Store("sqlite://")
    store.database.migrate()
    return store, False


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
