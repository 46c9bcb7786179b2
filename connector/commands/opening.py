"""Opens the service described by the file that a command names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connector.commands.terminal import begin_log, err
from connector.config.loading import Loaded, load
from connector.registry import Registry
from connector.service.build import build
from connector.service.service import Service
from connector.service.state import look_at_store, open_store, state_file


def load_config(path: Path, *, tries: bool = True) -> Loaded:
    """Return the loaded file, and set up the log as it says; `tries` as `load` has it."""
    return _load_config(path, Registry.installed(), tries=tries)


def _load_config(path: Path, registry: Registry, *, tries: bool) -> Loaded:
    loaded = load(path, registry, tries=tries)
    begin_log(loaded.config.log.format, loaded.config.log.level)
    return loaded


@contextmanager
def open_service(path: Path, *, alone: bool = False) -> Iterator[Service]:
    """Yield the configured service on its store, and close both; without `alone`, read-only."""
    registry = Registry.installed()
    loaded = _load_config(path, registry, tries=alone)
    store, there = (open_store(loaded), True) if alone else look_at_store(loaded)
    if not there:
        words = f"There is no state yet; the first run creates {state_file(loaded)}."
        err.print(words, markup=False)
    try:
        service = build(loaded, registry, store, polls=alone)
        try:
            yield service
        finally:
            service.close()
    finally:
        store.close()
