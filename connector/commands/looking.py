"""Opens the file and the state for commands that only look: no feed, list or output is made."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connector.commands.terminal import begin_log, err
from connector.config.loading import Loaded, load
from connector.instants import system_clock
from connector.registry import Registry
from connector.reports.look import Look, look_at
from connector.service.location import look_at_database, state_file


def load_config(path: Path, registry: Registry, *, tries: bool = True) -> Loaded:
    """Return the loaded file, and set up the log as it says; `tries` as `load` has it."""
    loaded = load(path, registry, tries=tries)
    begin_log(loaded.config.log.format, loaded.config.log.level)
    return loaded


@contextmanager
def look(path: Path) -> Iterator[Look]:
    """Yield the file and the state as they are, and close the state."""
    loaded = load_config(path, Registry.installed(), tries=False)
    database, there = look_at_database(loaded)
    if not there:
        tell_absence(loaded)
    try:
        yield look_at(loaded, database, system_clock)
    finally:
        database.close()


def tell_absence(loaded: Loaded) -> None:
    """Say that there is no state yet."""
    words = f"There is no state yet; the first run creates {state_file(loaded)}."
    err.print(words, markup=False)
