"""What a look needs: the names of the file, what the state says, and the clock."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.config.model import Config, ListConfig
from connector.instants import Clock
from connector.settings import EventSettings
from connector.store.database import Database

if TYPE_CHECKING:  # a look at the state alone needs no service
    from connector.config.loading import Loaded
    from connector.service.service import Service


@dataclass(frozen=True, slots=True)
class Look:
    """A valid file and the state, read without a feed, a list or an output being made."""

    config: Config
    database: Database
    now: Clock
    sends: frozenset[str] = frozenset()
    """The outputs whose target only takes events, and cannot be read back."""

    def list_of(self, output: str) -> ListConfig:
        """Return the list that an output writes."""
        return self.config.lists[self.config.outputs[output].list]

    def feeds_of(self, output: str) -> tuple[str, ...]:
        """Return the feeds that an output's list takes, in the order of the file."""
        chosen = self.list_of(output).select.feeds or self.config.feeds
        return tuple(feed for feed in self.config.feeds if feed in chosen)


def look_of(service: "Service") -> Look:
    """Return the file and the state of a service that runs."""
    return look_at(service.loaded, service.store.database, service.now)


def look_at(loaded: "Loaded", database: Database, now: Clock) -> Look:
    """Return a file that was loaded and the state."""
    sends = (name for name, one in loaded.outputs.items() if isinstance(one, EventSettings))
    return Look(loaded.config, database, now, frozenset(sends))
