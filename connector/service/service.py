"""The configured service: its feeds, lists and outputs on one store."""

from dataclasses import dataclass

from connector.adapter.stopping import Stop
from connector.config.loading import Loaded
from connector.instants import Clock
from connector.service.decider import Decider
from connector.service.feeds import Feeds
from connector.service.lists import Lists
from connector.service.outputs import Outputs
from connector.store.store import Store
from connector.sync.calls import Calls


@dataclass(slots=True)
class Service:
    """Feeds, lists and outputs as configured, each with its own cycles.

    `stop` ends each cycle after its current page, part of a list or write, and every pause at once.
    """

    loaded: Loaded
    store: Store
    now: Clock
    feeds: Feeds
    lists: Lists
    outputs: Outputs
    decider: Decider
    stop: Stop
    calls: Calls

    def close(self) -> None:
        """Close every connection to feeds and targets."""
        self.feeds.close()
        self.outputs.close()
