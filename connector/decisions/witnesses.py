"""How many independent witnesses stand behind an observable.

A feed is one witness, however many indicators it sends. Two feeds that pass on the word of one
producer are one witness too; an indicator whose producer is not named is its feed's own word.
"""

from collections.abc import Iterable
from typing import Final

_UNNAMED: Final = ""


def witnesses(said: Iterable[tuple[int, str]]) -> int:
    """Return the most claims, as (feed, producer), of which no two share a feed or a producer.

    That is a matching of feeds and producers: a feed that claims under many names, some of them
    borrowed from other feeds, stays one witness and takes no other feed's word away.
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
    """Find a producer whose word this feed is, moving other feeds to other producers."""
    for producer in producers[feed] - tried:
        tried.add(producer)
        other = spoken_by.get(producer)
        if other is None or _placed(other, producers, spoken_by, tried):
            spoken_by[producer] = feed
            return True
    return False
