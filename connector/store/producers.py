"""Who produced indicators, as identities and locations say: where they sit, how they are named."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import msgspec

from connector.decisions.policy import State
from connector.indicators.context import Node
from connector.indicators.identity import key_of_id
from connector.indicators.sharing import CONSENTS_TO_NOTHING, is_proprietary
from connector.model import NOBODY, Producer
from connector.store.context import Graph
from connector.store.database import Database, marks, parts

_NOWHERE: Final[frozenset[str]] = frozenset()
_STANDING: Final = (State.CURRENT, State.DISPUTED)
_node_of = msgspec.json.Decoder(Node).decode


class _Said(NamedTuple):
    """What one feed says of an identity; one that was taken back still restricts."""

    feed: int
    stands: bool
    name: str
    labels: tuple[str, ...]
    markings: tuple[str, ...]


class Producers:
    """Answers who a producer is, and remembers the answer until it has changed."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._held: dict[str, frozenset[str]] = {}
        self._said: dict[str, tuple[_Said, ...]] = {}

    def countries(self, producer: str) -> frozenset[str]:
        """Return the countries of a producer, by its STIX id."""
        if producer and producer not in self._held:
            self._held.update(self._read({producer}))
        return self._held.get(producer, _NOWHERE)

    def of(self, producer: str, feed: int) -> Producer:
        """Return what holds of a producer for the indicators of a feed.

        Only that feed can say who it is and consent for it; what restricts counts from any.
        """
        if not producer:
            return NOBODY
        if producer not in self._said:
            self._said.update(self._identities({producer}))
        said = self._said[producer]
        own = [one for one in said if one.feed == feed and one.stands]
        labels = dict.fromkeys(label for one in said for label in one.labels)
        if not own:
            kept = [label for label in labels if is_proprietary(label)]
            return Producer(producer, (CONSENTS_TO_NOTHING, *kept) if kept else None)
        return Producer(producer, tuple(labels), own[0].name, own[0].markings)

    def moved(self) -> bool:
        """Read anew where those sit that were asked for; return whether any answer changed."""
        before = dict(self._held)
        after = self._read(before.keys()) if before else {}
        self._held.update(after)
        return before != after

    def changed(self) -> set[str]:
        """Read anew who those are that were asked for; return those of whom other things hold."""
        before = dict(self._said)
        after = self._identities(before.keys()) if before else {}
        self._said.update(after)
        return {producer for producer, said in after.items() if said != before[producer]}

    def _read(self, producers: Collection[str]) -> dict[str, frozenset[str]]:
        keys = {producer: key_of_id(producer) for producer in producers}
        with self._db.read() as connection:
            graph = Graph(self._db, connection, keys.values())
            graph.add_nodes(keys.values())
        return {producer: _countries(graph, key) for producer, key in keys.items()}

    def _identities(self, producers: Collection[str]) -> Mapping[str, tuple[_Said, ...]]:
        keys = {key_of_id(producer): producer for producer in producers}
        found: dict[str, list[_Said]] = {producer: [] for producer in producers}
        with self._db.read() as connection:
            for part in parts(list(keys)):
                sql = (
                    "SELECT n.key, o.feed, o.state, n.body FROM nodes n JOIN objects o "  # noqa: S608 - only marks
                    f"ON o.number = n.object WHERE n.key IN ({marks(part)})"
                )
                for key, feed, state, body in self._db.rows(connection, sql, part):
                    node = _node_of(body)
                    said = _Said(
                        feed, state in _STANDING, "".join(node.names[:1]), node.labels,
                        node.markings or (f"unmarked:{feed}",),
                    )  # fmt: skip
                    found[keys[bytes(key)]].append(said)
        return {producer: tuple(sorted(said)) for producer, said in found.items()}


def _countries(graph: Graph, key: bytes) -> frozenset[str]:
    """Return what a producer says itself, and what a relationship says of it."""
    context, _sighted = graph.context_of(key)
    own = (country for placed in graph.nodes(key) for country in placed.node.countries)
    words = (word for word in context.words if word.kind == "country")
    return frozenset((*own, *(name for word in words for name in (word.name, *word.aliases))))
