"""Opens what decides, for commands that explain decisions: no feed is made, nothing is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connector.commands.looking import load_config, tell_absence
from connector.config.kept_lists import ListsOnDemand
from connector.instants import system_clock
from connector.registry import Registry
from connector.service.decider import Decider, languages_taken, make_decider
from connector.service.state import look_at_store


@contextmanager
def open_decider(path: Path) -> Iterator[Decider]:
    """Yield the lists as configured, on the state as it is, and close the state."""
    registry = Registry.installed()
    loaded = load_config(path, registry, tries=False)
    store, there = look_at_store(loaded)
    if not there:
        tell_absence(loaded)
    try:
        yield make_decider(
            loaded, store, system_clock, languages_taken(loaded, registry),
            warninglists=ListsOnDemand(loaded.warninglists),
        )  # fmt: skip
    finally:
        store.close()
