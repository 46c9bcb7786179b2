"""Indexes that answer who protects a value, by containment both ways, without a linear scan.

Where several protections reach one place, the one that lasts longest stands for all: it is in
force whenever any of them is.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import NamedTuple

__all__ = ["Names", "Paths", "Protection", "Ranges", "Span", "keep", "lasting", "live"]


@dataclass(frozen=True, slots=True)
class Protection:
    """Who protects a value: the group and its entry, until when (None: always), and why."""

    group: str
    value: str
    until: datetime | None = None
    why: str = ""
    source: str = ""


def lasting(one: Protection | None, other: Protection | None) -> Protection | None:
    """Return the protection that ends last; the first of two that end together."""
    if one is None or other is None:
        return one or other
    if one.until is None:
        return one
    return other if other.until is None or other.until > one.until else one


def ipv4_number(text: str) -> int:
    """Return the number of an IPv4 address in its canonical form."""
    first, second, third, fourth = text.split(".")
    return int(first) << 24 | int(second) << 16 | int(third) << 8 | int(fourth)


def live(protection: Protection | None, now: datetime) -> Protection | None:
    """Return the protection while it is in force; it has ended at `until`."""
    if protection is None or protection.until is None or now < protection.until:
        return protection
    return None


def keep(index: dict[str, Protection], key: str, protection: Protection) -> None:
    """Put a protection under a key unless one that lasts as long is there."""
    if lasting(index.get(key), protection) is protection:
        index[key] = protection


class Span(NamedTuple):
    """Numbers from `first` to `last`, both included, and who protects them."""

    first: int
    last: int
    protection: Protection


class Ranges:
    """Protected spans of numbers, cut into pieces that do not overlap, for binary search."""

    __slots__ = ("_found", "_starts")

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._starts: list[int] = [0]
        self._found: list[Protection | None] = [None]
        for start, protection in _pieces(list(spans)):
            if start == 0:
                self._found[0] = protection
            elif protection is not self._found[-1]:
                self._starts.append(start)
                self._found.append(protection)

    def at(self, number: int, now: datetime) -> Protection | None:
        """Return who protects a number."""
        return live(self._found[bisect_right(self._starts, number) - 1], now)

    def touching(self, first: int, last: int, now: datetime) -> Protection | None:
        """Return who protects any number from `first` to `last`."""
        best: Protection | None = None
        begin = bisect_right(self._starts, first) - 1
        for place in range(begin, bisect_right(self._starts, last)):
            best = lasting(best, self._found[place])
            if best is not None and best.until is None:
                return best
        return live(best, now)


def _pieces(spans: Sequence[Span]) -> Iterator[tuple[int, Protection | None]]:
    """Sweep over all edges and yield who stands for the numbers from each edge on."""
    waiting = sorted(range(len(spans)), key=lambda place: spans[place].first, reverse=True)
    edges = sorted({span.first for span in spans} | {span.last + 1 for span in spans})
    open_spans: list[tuple[float, int, int]] = []
    for edge in edges:
        while waiting and spans[waiting[-1]].first == edge:
            place = waiting.pop()
            heappush(open_spans, _rank(spans[place], place))
        while open_spans and spans[open_spans[0][2]].last < edge:
            heappop(open_spans)
        yield edge, spans[open_spans[0][2]].protection if open_spans else None


def _rank(span: Span, place: int) -> tuple[float, int, int]:
    """Order spans: the one that ends last, of those the narrowest, of those the first."""
    until = span.protection.until or datetime.max.replace(tzinfo=UTC)
    return (-until.timestamp(), span.last - span.first, place)


class Names:
    """Protected domain names, found from names at, below and above them."""

    __slots__ = ("_above", "_below", "_hosts", "_named", "_shared")

    def __init__(self) -> None:
        self._below: dict[str, Protection] = {}
        self._named: dict[str, Protection] = {}
        self._hosts: dict[str, Protection] = {}
        self._shared: dict[str, Protection] = {}
        self._above: dict[str, Protection] = {}

    def add_tree(self, name: str, protection: Protection) -> None:
        """Protect a name and everything below it."""
        keep(self._below, name, protection)
        self._add_above(name, protection)

    def add_names(self, name: str, protection: Protection) -> None:
        """Protect a name and all names below it, but not what is at them."""
        keep(self._named, name, protection)
        self._add_above(name, protection)

    def add_host(self, name: str, protection: Protection) -> None:
        """Protect one host, all that is at it, and nothing below it."""
        keep(self._hosts, name, protection)
        self._add_above(name, protection)

    def add_shared(self, name: str, protection: Protection) -> None:
        """Protect a name that many share: the name, but not what each of them has at it."""
        keep(self._shared, name, protection)
        self._add_above(name, protection)

    def _add_above(self, name: str, protection: Protection) -> None:
        for parent in _parents(name):
            keep(self._above, parent, protection)

    def find(self, name: str, now: datetime) -> Protection | None:
        """Return who would suffer if a name, or all names below it, were stopped."""
        best: Protection | None = None
        for index in (self._hosts, self._shared, self._above):
            if name in index:
                best = lasting(best, index[name])
        best = lasting(best, _over(self._below, name))
        return live(lasting(best, _over(self._named, name)), now)

    def find_host(self, name: str, now: datetime) -> Protection | None:
        """Return who would suffer if only something at this very host were stopped."""
        return live(lasting(self._hosts.get(name), _over(self._below, name)), now)


def _over(trees: dict[str, Protection], name: str) -> Protection | None:
    """Return who protects a name as part of a tree."""
    best: Protection | None = None
    while name and trees:
        if name in trees:
            best = lasting(best, trees[name])
        name = name.partition(".")[2]
    return best


def _parents(name: str) -> Iterator[str]:
    while parent := name.partition(".")[2]:
        yield parent
        name = parent


class Paths:
    """Protected URLs: each with what is below its path, found from URLs below and above it.

    A URL is given as its steps: `host`, `host/a`, `host/a/b`, `host/a/b?query`.
    """

    __slots__ = ("_above", "_below")

    def __init__(self) -> None:
        self._below: dict[str, Protection] = {}
        self._above: dict[str, Protection] = {}

    def __bool__(self) -> bool:
        return bool(self._below)

    def add(self, steps: Sequence[str], protection: Protection) -> None:
        """Protect a URL and everything below it."""
        keep(self._below, steps[-1], protection)
        for step in steps[:-1]:
            keep(self._above, step, protection)

    def find(self, steps: Sequence[str], now: datetime) -> Protection | None:
        """Return who would suffer if a URL, or all that begins with it, were stopped."""
        best = self._above.get(steps[-1])
        for step in steps:
            best = lasting(best, self._below.get(step))
        return live(best, now)
