"""Opens the service described by the file that a command names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connector.commands.looking import load_config, tell_absence
from connector.registry import Registry
from connector.service.build import build
from connector.service.service import Service
from connector.service.state import look_at_store, open_store


@contextmanager
def open_service(path: Path, *, alone: bool = False) -> Iterator[Service]:
    """Yield the configured service on its store, and close both; without `alone`, read-only."""
    registry = Registry.installed()
    loaded = load_config(path, registry, tries=alone)
    store, there = (open_store(loaded), True) if alone else look_at_store(loaded)
    if not there:
        tell_absence(loaded)
    try:
        service = build(loaded, registry, store, polls=alone)
        try:
            yield service
        finally:
            service.close()
    finally:
        store.close()
