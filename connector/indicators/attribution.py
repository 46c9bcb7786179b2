"""What context says about an indicator: a walk along the edges that lead from it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from connector.indicators.context import ContextNode, Link
from connector.model import UNMARKED, Context, Word

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


class Step(NamedTuple):
    """An edge, seen from its source; the markings of its object apply to it."""

    target: bytes
    link: int
    markings: tuple[str, ...]


def context_of(
    start: bytes,
    steps: Callable[[bytes], Sequence[Step]],
    nodes: Callable[[bytes], Sequence[ContextNode]],
) -> tuple[Context, int | None]:
    """Return an indicator's context, in whatever order it arrived, and its latest sighting.

    An opinion without an author does not count, as a judgement needs one. A sighting or
    relationship without an author is the feed's own statement, like an indicator without one.
    """
    words: set[Word] = set()
    judged: list[ContextNode] = []
    sighted: int | None = None
    seen = {start}
    frontier: list[tuple[bytes, frozenset[str]]] = [(start, frozenset())]
    for depth in range(DEEPEST):
        reached: list[tuple[bytes, frozenset[str]]] = []
        for key, path_markings in frontier:
            for step in sorted(steps(key)):
                placed = nodes(step.target)
                if step.link in (Link.JUDGED, Link.SIGHTED):
                    if depth:  # context of a duplicate does not apply to this one
                        continue
                    if step.link == Link.JUDGED:
                        judged += placed
                    else:
                        sighted = max([sighted or 0, *(each.at for each in placed)])
                    continue
                path = path_markings | _refs_of(step.markings)
                for each in placed:
                    words |= _words(each, step.link, path)
                if (
                    step.link != Link.TARGETS
                    and step.target not in seen
                    and len(seen) < _MOST_STEPS
                ):
                    seen.add(step.target)
                    through = [_refs_of(each.markings) for each in placed]
                    reached.append((step.target, path.union(*through)))
        frontier = reached
    return Context(tuple(sorted(words)[:_MOST_WORDS]), _opinions(judged)), sighted or None


def _refs_of(markings: tuple[str, ...]) -> frozenset[str]:
    """Return the markings; an object without any has the one that the configuration assumes."""
    return frozenset(markings or (UNMARKED,))


def _words(node: ContextNode, link: int, path: frozenset[str]) -> set[Word]:
    marks = tuple(sorted(path | _refs_of(node.markings)))
    if link == Link.TARGETS:  # the location of victims is not that of the actor
        return {Word("sector", sector, (), marks) for sector in node.sectors}
    words = {Word("country", at, (), marks) for at in node.countries[:1]}
    words = {word._replace(aliases=node.countries[1:]) for word in words}
    kind = _SAID_OF.get(node.type)
    if kind is not None and node.names:
        words.add(Word(kind, node.names[0], node.names[1:], marks))
    return words


def _opinions(judged: Sequence[ContextNode]) -> tuple[tuple[str, int], ...]:
    """Return the newest opinion of each producer, or the lower of two equally new ones."""
    newest: dict[str, tuple[int, int]] = {}
    for node in judged:
        said = (node.at, -node.score)
        if node.producer and node.score and said > newest.get(node.producer, (-1, 0)):
            newest[node.producer] = said
    return tuple((producer, -score) for producer, (_at, score) in sorted(newest.items()))
