"""A feed as the file names it: what is polled, and where the store keeps it."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from connector.config.model import FeedConfig, PartialRuns
from connector.feed import Feed
from connector.indicators.confidence import readings


@dataclass(frozen=True)
class ConfiguredFeed:
    """A configured feed with its number in the store; its plugin is made when first asked for."""

    name: str
    number: int
    config: FeedConfig
    make: Callable[[], Feed[Any]]

    @cached_property
    def feed(self) -> Feed[Any]:
        """What reads the source."""
        return self.make()

    def open(self) -> None:
        """Make what reads the source; raise ConfigError where its options cannot work."""
        _made = self.feed

    def close(self) -> None:
        """Close what reads the source, if anything did."""
        if "feed" in self.__dict__:
            self.feed.close()

    @property
    def window(self) -> timedelta | None:
        """How far back the server answers: as the file says, else as the feed knows of it."""
        return self.config.window or self.feed.window

    @property
    def partial_runs(self) -> bool:
        """Whether a page counts as it comes, and not only once its run has ended well."""
        return self.config.partial_runs is PartialRuns.ALLOW

    @property
    def scale(self) -> Container[int] | None:
        """What its producers may write as confidence, where that is not STIX's own."""
        return readings(self.config.confidence_scale)
