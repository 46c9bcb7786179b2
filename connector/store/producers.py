"""Where the producers of indicators sit, as identities and locations say."""

from collections.abc import Collection
from typing import Final

from connector.indicators.identity import key_of_id
from connector.store.context import Graph
from connector.store.database import Database

_NOWHERE: Final[frozenset[str]] = frozenset()


class Producers:
    """Answers where a producer sits, and remembers the answer until it has changed."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._held: dict[str, frozenset[str]] = {}

    def countries(self, producer: str) -> frozenset[str]:
        """Return the countries of a producer, by its STIX id."""
        if producer and producer not in self._held:
            self._held.update(self._read({producer}))
        return self._held.get(producer, _NOWHERE)

    def moved(self) -> bool:
        """Read anew where those sit that were asked for; return whether any answer changed."""
        before = dict(self._held)
        after = self._read(before.keys()) if before else {}
        self._held.update(after)
        return before != after

    def _read(self, producers: Collection[str]) -> dict[str, frozenset[str]]:
        keys = {producer: key_of_id(producer) for producer in producers}
        with self._db.read() as connection:
            graph = Graph(self._db, connection, keys.values())
            graph.add_nodes(keys.values())
        return {producer: _countries(graph, key) for producer, key in keys.items()}


def _countries(graph: Graph, key: bytes) -> frozenset[str]:
    """Return what a producer says itself, and what a relationship says of it."""
    context, _sighted = graph.context_of(key)
    own = (country for placed in graph.nodes(key) for country in placed.node.countries)
    words = (word for word in context.words if word.kind == "country")
    return frozenset((*own, *(name for word in words for name in (word.name, *word.aliases))))
