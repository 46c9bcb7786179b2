"""What context says of an indicator: a walk from it along the edges that others laid."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from connector.indicators.context import Link, Node
from connector.model import Context, Word

DEEPEST: Final = 6
_MOST_STEPS: Final = 1_000
_MOST_WORDS: Final = 400
_SAID_OF: Final[Mapping[str, str]] = {
    "threat-actor": "threat_actor",
    "intrusion-set": "threat_actor",
    "campaign": "campaign",
    "malware": "malware",
    "tool": "malware",
    "report": "report",
    "grouping": "report",
}


class Placed(NamedTuple):
    """A node as one feed gave it."""

    feed: int
    node: Node


class Step(NamedTuple):
    """An edge as one feed gave it, seen from its source; it is shared as its object allows."""

    target: bytes
    link: int
    feed: int
    markings: tuple[str, ...]


def context_of(
    start: bytes,
    steps: Callable[[bytes], Sequence[Step]],
    nodes: Callable[[bytes], Sequence[Placed]],
) -> tuple[Context, int | None]:
    """Return what is said of an indicator, however it arrived, and when it was last sighted."""
    words: set[Word] = set()
    judged: list[Placed] = []
    sighted: int | None = None
    seen = {start}
    frontier: list[tuple[bytes, frozenset[str]]] = [(start, frozenset())]
    for depth in range(DEEPEST):
        reached: list[tuple[bytes, frozenset[str]]] = []
        for key, borne in frontier:
            for step in sorted(steps(key)):
                placed = nodes(step.target)
                if step.link in (Link.JUDGED, Link.SIGHTED):
                    if depth:  # what is said of a duplicate is not said of this one
                        continue
                    if step.link == Link.JUDGED:
                        judged += placed
                    else:
                        sighted = max([sighted or 0, *(each.node.at for each in placed)])
                    continue
                path = borne | _bears(step.feed, step.markings)
                for each in placed:
                    words |= _words(each, step.link, path)
                if (
                    step.link != Link.TARGETS
                    and step.target not in seen
                    and len(seen) < _MOST_STEPS
                ):
                    seen.add(step.target)
                    through = [_bears(each.feed, each.node.markings) for each in placed]
                    reached.append((step.target, path.union(*through)))
        frontier = reached
    return Context(tuple(sorted(words)[:_MOST_WORDS]), _opinions(judged)), sighted or None


def _bears(feed: int, markings: tuple[str, ...]) -> frozenset[str]:
    """Return the markings; none is a marking too: what the feed's configuration assumes."""
    return frozenset(markings or (f"unmarked:{feed}",))


def _words(placed: Placed, link: int, path: frozenset[str]) -> set[Word]:
    node = placed.node
    marks = tuple(sorted(path | _bears(placed.feed, node.markings)))
    if link == Link.TARGETS:  # where victims sit says nothing of where the actor does
        return {Word("sector", sector, (), marks) for sector in node.sectors}
    words = {Word("country", at, (), marks) for at in node.countries[:1]}
    words = {word._replace(aliases=node.countries[1:]) for word in words}
    kind = _SAID_OF.get(node.type)
    if kind is not None and node.names:
        words.add(Word(kind, node.names[0], node.names[1:], marks))
    return words


def _opinions(judged: Sequence[Placed]) -> tuple[tuple[str, int, tuple[int, ...]], ...]:
    """Return the newest opinion of each producer; of two as new the lower."""
    newest: dict[str, tuple[int, int]] = {}
    for _feed, node in judged:
        said = (node.at, -node.score)
        if node.score and said > newest.get(node.producer, (-1, 0)):
            newest[node.producer] = said
    return tuple(
        (
            producer,
            -score,
            tuple(sorted({p.feed for p in judged if _same(p.node, producer, at, score)})),
        )
        for producer, (at, score) in sorted(newest.items())
    )


def _same(node: Node, producer: str, at: int, score: int) -> bool:
    return (node.producer, node.at, -node.score) == (producer, at, score)
