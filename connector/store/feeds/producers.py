"""The producers of indicators, from identities and locations: their countries and names."""

from collections.abc import Collection
from typing import Final, NamedTuple

import msgspec

from connector.decisions.records import ObjectState
from connector.indicators.context import ContextNode
from connector.indicators.identity import key_of_id
from connector.indicators.markings.sharing import CONSENTS_TO_NOTHING, is_proprietary
from connector.model import NOBODY, UNMARKED, Producer
from connector.store.database import Database, marks, parts
from connector.store.feeds.context import Graph

_NOWHERE: Final[frozenset[str]] = frozenset()
_STANDING: Final = (ObjectState.CURRENT, ObjectState.DISPUTED)
_Asked = tuple[int, str]  # a feed's number, and the id of a producer of its indicators
_node_of = msgspec.json.Decoder(ContextNode).decode


class _Said(NamedTuple):
    """What a feed says of an identity; one that was taken back still restricts."""

    stands: bool
    name: str
    labels: tuple[str, ...]
    markings: tuple[str, ...]


class Producers:
    """Answers who a producer is by the word of one feed, and remembers it until it has changed.

    Anybody can write down an identity under another's id, so no feed speaks of those who produced
    the indicators of another.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._held: dict[_Asked, frozenset[str]] = {}
        self._said: dict[_Asked, _Said | None] = {}

    def countries(self, producer: str, feed: int) -> frozenset[str]:
        """Return the countries of a producer, by its STIX id."""
        asked = (feed, producer)
        if producer and asked not in self._held:
            self._held.update(self._read({asked}))
        return self._held.get(asked, _NOWHERE)

    def of(self, producer: str, feed: int) -> Producer:
        """Return what holds of a producer for the indicators of a feed."""
        if not producer:
            return NOBODY
        asked = (feed, producer)
        if asked not in self._said:
            self._said.update(self._identities({asked}))
        said = self._said[asked]
        if said is not None and said.stands:
            return Producer(producer, said.labels, said.name, said.markings)
        kept = [label for label in said.labels if is_proprietary(label)] if said else []
        return Producer(producer, (CONSENTS_TO_NOTHING, *kept) if kept else None)

    def moved(self) -> bool:
        """Read the countries of requested producers again; return whether any has changed."""
        before = dict(self._held)
        after = self._read(before.keys()) if before else {}
        self._held.update(after)
        return before != after

    def changed(self) -> set[tuple[int, str]]:
        """Read requested producers again; return the changed ones by feed."""
        before = dict(self._said)
        after = self._identities(before.keys()) if before else {}
        self._said.update(after)
        return {asked for asked, said in after.items() if said != before[asked]}

    def _read(self, wanted: Collection[_Asked]) -> dict[_Asked, frozenset[str]]:
        found: dict[_Asked, frozenset[str]] = {}
        with self._db.read() as transaction:
            for feed, producers in _by_feed(wanted).items():
                keys = {producer: key_of_id(producer) for producer in producers}
                graph = Graph(transaction, feed, keys.values())
                graph.add_nodes(keys.values())
                for producer, key in keys.items():
                    found[feed, producer] = _countries(graph, key)
        return found

    def _identities(self, wanted: Collection[_Asked]) -> dict[_Asked, _Said | None]:
        found: dict[_Asked, _Said | None] = dict.fromkeys(wanted)
        with self._db.read() as transaction:
            for feed, producers in _by_feed(wanted).items():
                keys = {key_of_id(producer): producer for producer in producers}
                for part in parts(list(keys)):
                    sql = (
                        "SELECT n.key, o.state, n.body FROM nodes n JOIN objects o "  # noqa: S608 - only marks
                        f"ON o.number = n.object AND o.feed = ? WHERE n.key IN ({marks(part)})"
                    )
                    for key, state, body in transaction.rows(sql, (feed, *part)):
                        found[feed, keys[bytes(key)]] = _said_by(_node_of(body), state)
        return found


def _by_feed(wanted: Collection[_Asked]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for feed, producer in wanted:
        found.setdefault(feed, []).append(producer)
    return found


def _said_by(node: ContextNode, state: int) -> _Said:
    name = "".join(node.names[:1])
    return _Said(state in _STANDING, name, node.labels, node.markings or (UNMARKED,))


def _countries(graph: Graph, key: bytes) -> frozenset[str]:
    """Return what a producer says itself, and what a relationship says of it."""
    context, _sighted = graph.context_of(key)
    own = (country for node in graph.nodes(key) for country in node.countries)
    words = (word for word in context.words if word.kind == "country")
    return frozenset((*own, *(name for word in words for name in (word.name, *word.aliases))))
