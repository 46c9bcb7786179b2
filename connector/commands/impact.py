"""What a changed file would change on each output, computed on a copy of the state."""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from connector.config.loading import Loaded
from connector.errors import StoreError
from connector.registry import Registry
from connector.reports.plans import plan_json
from connector.reports.status import Json
from connector.service.build import build
from connector.service.location import state_file
from connector.store.store import Store
from connector.sync.cycle import propose
from connector.sync.proposal import Scope

_AS_RECORDED = Scope(everything=True, verifies=False)


def impact(loaded: Loaded, registry: Registry) -> list[Json]:
    """Return the plan of every output under this file, based on the ledger.

    Polls no feed, reads no target, writes nothing. Raises StoreError unless the state is an SQLite
    file; without a state there is nothing to compare, and the plans are empty.
    """
    state = state_file(loaded)
    if state is None:
        raise StoreError("--impact needs a copy of the state, so it works with SQLite only")
    with TemporaryDirectory(prefix="connector-impact-") as folder:
        copy = Path(folder) / "state.db"
        if state.exists():
            _copy(state, copy)
        store = Store(f"sqlite:///{copy}")
        try:
            store.database.migrate()
            service = build(loaded, registry, store)
            for name in service.lists:
                service.lists.refresh(name, everything=True)
            return [
                plan_json(
                    service,
                    propose(output, store, _AS_RECORDED, service.now(), heeds_stamp=False),
                )
                for output in service.outputs.values()
            ]
        finally:
            store.close()


def _copy(state: Path, copy: Path) -> None:
    """Copy a consistent snapshot of a database that others may be writing to."""
    try:
        with (
            closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        raise StoreError(f"{state}: cannot be copied: {error}") from error
