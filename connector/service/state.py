"""The configured state as a store, and the lock for one instance at a time."""

from connector.config.loading import Loaded
from connector.errors import ConnectorError
from connector.service.location import address_of, readable_address
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
    """Return the store for reading while the service runs, and whether it existed."""
    address, there = readable_address(loaded)
    store = Store(address)
    try:
        store.database.migrate()
    except ConnectorError:
        store.close()
        raise
    return store, there
