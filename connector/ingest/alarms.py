"""Reports that a feed is full or out of character, before any list is affected."""

from connector.config.alarm import AlarmConfig
from connector.decisions.character import CHARACTER, Bounds, out_of_character
from connector.ingest.configured_feed import ConfiguredFeed
from connector.ingest.results import PollResult
from connector.instants import span
from connector.log import log
from connector.store.feeds.alarms import FULL
from connector.store.feeds.objects import ObjectStore


def begin(feed: ConfiguredFeed, store: ObjectStore, now: int) -> None:
    """Start counting again when the span has passed."""
    store.habits.begin(feed.number, now, _span(feed))


def judge(feed: ConfiguredFeed, polled: PollResult, store: ObjectStore, now: int) -> None:
    """Raise the alarms of a poll, with one warning each; clear `full` when all was taken."""
    intake = polled.intake
    store.habits.note_gone(feed.number, intake.revoked + intake.withdrawn)
    found = out_of_character(store.habits.lately(feed.number), _bounds(feed.config.alarm))
    if intake.refused:
        words = (
            f"{intake.refused:,} new objects are waiting at the source because max_objects is "
            f"{feed.config.max_objects or 0:,}: raise it and the next poll reads them"
        )
        found[FULL] = (words, intake.refused)
    elif not polled.errors:
        store.alarms.clear(feed.number, [FULL])
    for name in store.alarms.sound(feed.number, found, now):
        log.warning("feed.alarm", feed=feed.name, alarm=name, what=found[name][0])


def acknowledge(feed: ConfiguredFeed, store: ObjectStore, now: int) -> int:
    """Make the feed's current character its normal; return how many alarms that ends."""
    ended = store.alarms.clear(feed.number, CHARACTER)
    if ended:
        store.habits.begin(feed.number, now, _span(feed), anew=True)
    return ended


def _span(feed: ConfiguredFeed) -> int:
    return span(feed.config.alarm.span)


def _bounds(config: AlarmConfig) -> Bounds:
    return Bounds(config.growth, config.producers, config.kinds, config.twins, config.least)
