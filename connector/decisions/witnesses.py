"""How many independent sources claim an observable.

A feed is one source, however many indicators it sends. Two feeds that pass on one producer's
indicators are one source too; an indicator without a producer counts as its feed's own.
"""

from collections.abc import Iterable
from typing import Final

_UNNAMED: Final = ""


def witnesses(said: Iterable[tuple[int, str]]) -> int:
    """Return the maximum number of claims, as (feed, producer), without a common feed or producer.

    This is a matching of feeds and producers: a feed that claims under many names, some of them
    borrowed from other feeds, stays one source and displaces no other feed.
    """
    producers: dict[int, set[str | int]] = {}
    for feed, producer in said:
        producers.setdefault(feed, set()).add(feed if producer == _UNNAMED else producer)
    spoken_by: dict[str | int, int] = {}
    return sum(_placed(feed, producers, spoken_by, set()) for feed in producers)


def _placed(
    feed: int,
    producers: dict[int, set[str | int]],
    spoken_by: dict[str | int, int],
    tried: set[str | int],
) -> bool:
    """Match this feed with a producer, moving other feeds to other producers if needed."""
    for producer in producers[feed] - tried:
        tried.add(producer)
        other = spoken_by.get(producer)
        if other is None or _placed(other, producers, spoken_by, tried):
            spoken_by[producer] = feed
            return True
    return False
