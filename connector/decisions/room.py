"""Which entries a full target gets: the best, within each feed's share."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

_ROUNDING: Final = 1e-9  # 0.29 of 100 is 29, not 28


@dataclass(frozen=True, slots=True)
class Room:
    """The entries that fit, and those that no longer fit because a feed has used up its share."""

    best: frozenset[int]
    beyond_share: frozenset[int] = frozenset()

    def with_riders(self, riders: Mapping[int, int]) -> "Room":
        """Return the room with those that are one row with another, by that one: none is extra."""
        if not riders:
            return self
        best = (number for number, first in riders.items() if first in self.best)
        beyond = (number for number, first in riders.items() if first in self.beyond_share)
        return Room(self.best.union(best), self.beyond_share.union(beyond))

    def also(self, early: Collection[int]) -> "Room":
        """Return the room with what takes none of it yet."""
        return Room(self.best.union(early), self.beyond_share) if early else self

    @classmethod
    def pooled(
        cls, ranked: Iterable[tuple[int, int, str]], pools: Mapping[str, int | None],
        total: int | None, shares: Mapping[int, float],
    ) -> "Room":  # fmt: skip
        """Return who gets the room of each pool, and of all together, from entries with pools."""
        rows = list(ranked)
        rooms = []
        for pool in {row[2] for row in rows}:
            within = [(number, feed) for number, feed, its in rows if its == pool]
            bound = pools.get(pool)
            rooms.append(cls.of(within, len(within) if bound is None else bound, shares))
        best = frozenset().union(*(room.best for room in rooms))
        beyond = frozenset().union(*(room.beyond_share for room in rooms))
        if total is None or len(best) <= total:
            return cls(best, beyond)
        return cls.of(
            ((number, feed) for number, feed, _pool in rows if number in best), total, shares
        )

    @classmethod
    def of(
        cls, ranked: Iterable[tuple[int, int]], capacity: int, shares: Mapping[int, float]
    ) -> "Room":
        """Return who gets the room, from (entry, the one feed it comes from or 0), best first.

        What exceeds a feed's share ranks below all others: it gets the room that these leave.
        """
        if not shares:
            return cls(frozenset(islice((number for number, _feed in ranked), capacity)))
        left = {feed: int(share * capacity + _ROUNDING) for feed, share in shares.items()}
        best: list[int] = []
        beyond: list[int] = []
        for number, feed in ranked:
            if len(best) == capacity:
                break
            if left.get(feed, 1) <= 0:
                beyond.append(number)
                continue
            best.append(number)
            if feed in left:
                left[feed] -= 1
        spare = capacity - len(best)
        return cls(frozenset((*best, *beyond[:spare])), frozenset(beyond[spare:]))
