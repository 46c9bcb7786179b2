"""A service that polls has made its feeds before any thread asks for one; a look makes none."""

from typing import Any

import pytest
from scenario_site import QuickRegistry, Site
from stix_samples import indicator

from connector.errors import ConfigError
from connector.feed import Feed
from connector.feeds.bundle import BundleFeed
from connector.service.build import build


class CountedFeed(BundleFeed):
    """Counts how often one is made; its file may vanish between the check and the start."""

    made = 0
    broken = False

    def __init__(self, *given: Any) -> None:
        type(self).made += 1
        if self.broken:
            raise ConfigError(["path: is gone"])
        super().__init__(*given)


@pytest.fixture
def feed(site: Site) -> type[CountedFeed]:
    kind: type[CountedFeed] = type("Fresh", (CountedFeed,), {"__doc__": "Files."})
    feeds: dict[str, type[Feed[Any]]] = {"bundle": kind}
    site.registry = QuickRegistry({"firewall": site.rack.adapter}, feeds)
    site.configure()
    site.write("one.json", [indicator("a", "192.0.2.1")])
    return kind


def test_a_feed_is_made_once_and_before_anybody_polls(site: Site, feed: type[CountedFeed]) -> None:
    service = site.open()
    before, feed.made = feed.made, 0
    assert before == 2, "one to see whether its options work, one to poll"
    service.feeds.warn_of_windows()
    service.feeds.poll("files")
    assert feed.made == 0


def test_a_feed_that_cannot_be_made_stops_the_start_and_not_what_asks_first(
    site: Site, feed: type[CountedFeed]
) -> None:
    site.once()
    loaded, store = site.load(), site.service.store
    feed.broken = True
    with pytest.raises(ConfigError, match="path: is gone"):
        build(loaded, site.registry, store)


def test_a_look_at_the_state_makes_no_feed(site: Site, feed: type[CountedFeed]) -> None:
    site.once()
    loaded, store = site.load(), site.service.store
    feed.made = 0
    build(loaded, site.registry, store, polls=False)
    assert feed.made == 0
