"""Who is behind an indicator, and who judged it: a graph of context objects.

Each feed has its own graph: context from one feed never applies to another's indicators. In
whatever order objects arrive, a change finds the indicators it may affect, backwards along the
edges, and the context of each is then gathered again from the store.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from connector.decisions.records import ObjectState
from connector.indicators.attribution import DEEPEST, Step, context_of
from connector.indicators.context import ContextNode, Link, Told
from connector.indicators.identity import INDICATOR_KEYS, is_indicator, speaks_alone
from connector.model import Context
from connector.store.database import Database, blob, marks, numbers, parts
from connector.store.feeds.claims import ClaimRows
from connector.store.interning import Interned
from connector.store.transaction import Transaction

_PART: Final = 1000
# Another's revocation has no effect here: it could unblock what its creator still claims.
_STANDS: Final = f"o.state IN ({int(ObjectState.CURRENT)}, {int(ObjectState.DISPUTED)})"
_ENDS: Final = (Link.JUDGED, Link.SIGHTED, Link.TARGETS)
_OWN_ENDS: Final = (Link.JUDGED, Link.SIGHTED)  # the object that lays such an edge is its end
_node_of = msgspec.json.Decoder(ContextNode).decode


class ContextRows:
    """Keeps the graph inside a transaction of the caller's, and its meaning beside indicators."""

    def __init__(self, database: Database, claims: ClaimRows) -> None:
        self._db = database
        self._claims = claims
        self._contexts: Interned[Context] = Interned("contexts")

    def take(
        self,
        transaction: Transaction,
        feed: int,
        told: Mapping[int, tuple[bytes, Told]],
        restated: Collection[int],
        fresh: Sequence[bytes],
        touched: int,
    ) -> None:
        """Update a feed's indicators after new or revoked context and new indicators.

        `told` has key and contents by object; `restated` are the objects that had contents before,
        or of which only the state changed.
        """
        affected: set[bytes] = set()
        if told or restated:
            start = self._sources(transaction, list(restated))
            self._replace(transaction, told, [number for number in told if number in restated])
            start.update(key for key, _ in told.values())
            start.update(edge.source for _, said in told.values() for edge in said.edges)
            affected = self._backwards(transaction, feed, start)
        if fresh and transaction.one("SELECT 1 FROM edges LIMIT 1"):
            affected |= self._spoken_of(transaction, fresh)
        for part in parts(sorted(affected), _PART):
            self._summarise(transaction, feed, part, touched)

    def delete_unreferenced(self, transaction: Transaction) -> int:
        """Drop contexts that no indicator has any more."""
        return self._contexts.delete_unreferenced(transaction)

    def _sources(self, transaction: Transaction, objects: Sequence[int]) -> set[bytes]:
        """Return the keys of objects, and where the edges that they laid begin."""
        found: set[bytes] = set()
        for part in parts(objects):
            held = numbers(part)
            sql = (
                f"SELECT key FROM nodes WHERE object IN ({held}) "  # noqa: S608 - only numbers
                f"UNION SELECT source FROM edges WHERE object IN ({held})"
            )
            found.update(bytes(row[0]) for row in transaction.rows(sql))
        return found

    def _replace(
        self,
        transaction: Transaction,
        told: Mapping[int, tuple[bytes, Told]],
        before: Sequence[int],
    ) -> None:
        for part in parts(before):
            for table in ("nodes", "edges"):
                sql = f"DELETE FROM {table} WHERE object IN ({numbers(part)})"  # noqa: S608 - only numbers
                transaction.run(sql)
        sql = "INSERT INTO nodes (object, key, body) VALUES (?, ?, ?)"
        bodies = [
            (number, blob(key), msgspec.json.encode(said.node).decode())
            for number, (key, said) in told.items()
        ]
        transaction.many(sql, bodies)
        sql = "INSERT INTO edges (source, target, link, object) VALUES (?, ?, ?, ?)"
        rows = [
            (blob(source), blob(target), int(link), number)
            for number, (_, said) in told.items()
            for source, target, link in said.edges
        ]
        transaction.many(sql, rows)

    def _backwards(self, transaction: Transaction, feed: int, start: set[bytes]) -> set[bytes]:
        """Return the indicators from which one of these can be reached."""
        among_indicators = any(
            transaction.one("SELECT 1 FROM edges WHERE target >= ? AND target < ?", span)
            for span in INDICATOR_KEYS
        )
        seen = set(start)
        frontier = {key for key in start if not speaks_alone(key)}
        if not among_indicators:  # as nearly always
            frontier = {key for key in frontier if not is_indicator(key)}
        for _depth in range(DEEPEST):
            reached: set[bytes] = set()
            for part in parts(list(frontier)):
                sql = (
                    "SELECT DISTINCT e.source FROM edges e "  # noqa: S608 - only marks
                    "JOIN objects o ON o.number = e.object AND o.feed = ? "
                    f"WHERE e.target IN ({marks(part)})"
                )
                rows = transaction.rows(sql, (feed, *part))
                reached.update(bytes(row[0]) for row in rows)
            frontier = reached - seen
            seen |= frontier
        return {key for key in seen if is_indicator(key)}

    def _spoken_of(self, transaction: Transaction, fresh: Sequence[bytes]) -> set[bytes]:
        found: set[bytes] = set()
        for part in parts(fresh):
            sql = f"SELECT DISTINCT source FROM edges WHERE source IN ({marks(part)})"  # noqa: S608 - only marks
            found.update(bytes(row[0]) for row in transaction.rows(sql, part))
        return found

    def _summarise(
        self, transaction: Transaction, feed: int, keys: Sequence[bytes], touched: int
    ) -> None:
        """Gather the context of indicators again; touch what they claim if it has changed."""
        sql = (
            "SELECT number, key, context, sighted FROM objects "  # noqa: S608 - only marks
            f"WHERE feed = ? AND key IN ({marks(keys)})"
        )
        rows = transaction.rows(sql, (feed, *keys))
        graph = Graph(transaction, feed, {bytes(row[1]) for row in rows})
        said = {bytes(row[1]): graph.context_of(bytes(row[1])) for row in rows}
        given = self._contexts.of(transaction, {found for found, _ in said.values() if any(found)})
        changed = []
        for number, key, context, sighted in rows:
            found, seen = said[bytes(key)]
            news = (given.get(found, 0), seen)
            if news != (context, sighted):
                changed.append((*news, number))
        transaction.many("UPDATE objects SET context = ?, sighted = ? WHERE number = ?", changed)
        self._claims.mark_changed(transaction, [row[-1] for row in changed], touched)


class Graph:
    """A feed's edges that lead away from some objects."""

    def __init__(self, transaction: Transaction, feed: int, start: Iterable[bytes]) -> None:
        self._transaction = transaction
        self._feed = feed
        self._nodes: dict[bytes, list[ContextNode]] = {}
        self._steps: dict[bytes, list[Step]] = {}
        self._load(set(start))

    def context_of(self, key: bytes) -> tuple[Context, int | None]:
        """Return the context of an object."""
        return context_of(key, self.steps, self.nodes)

    def nodes(self, key: bytes) -> Sequence[ContextNode]:
        """Return what a node says, if the feed has not revoked it."""
        return self._nodes.get(key, ())

    def steps(self, key: bytes) -> Sequence[Step]:
        """Return the edges that lead away from an object."""
        return self._steps.get(key, ())

    def add_nodes(self, keys: Iterable[bytes]) -> None:
        """Read objects themselves too, beside what they lead to."""
        self._load_nodes(set(keys) - self._nodes.keys())

    def _load(self, start: set[bytes]) -> None:
        frontier, seen = start, set(start)
        for _depth in range(DEEPEST):
            reached = self._load_steps(frontier)
            self._load_nodes(reached.keys() - self._nodes.keys())
            frontier = {key for key, leads in reached.items() if leads and key not in seen}
            seen |= frontier

    def _load_steps(self, sources: set[bytes]) -> dict[bytes, bool]:
        """Read the edges from some objects; return their ends, and whether those lead on."""
        reached: dict[bytes, bool] = {}
        sql = (
            "SELECT e.source, e.target, e.link, n.body FROM edges e "  # noqa: S608 - only marks
            f"JOIN objects o ON o.number = e.object AND o.feed = ? AND {_STANDS} "
            "JOIN nodes n ON n.object = e.object WHERE e.source IN ({keys})"
        )
        for source, target, link, body in self._rows(sql, sources):
            to, node = bytes(target), _node_of(body)
            self._steps.setdefault(bytes(source), []).append(Step(to, link, node.markings))
            if link in _OWN_ENDS and node not in self.nodes(to):
                self._nodes.setdefault(to, []).append(node)
            reached[to] = reached.get(to, False) or link not in _ENDS
        return reached

    def _load_nodes(self, keys: set[bytes]) -> None:
        sql = (
            "SELECT n.key, n.body FROM nodes n "  # noqa: S608 - only marks
            f"JOIN objects o ON o.number = n.object AND o.feed = ? AND {_STANDS} "
            "WHERE n.key IN ({keys})"
        )
        for key, body in self._rows(sql, keys):
            self._nodes.setdefault(bytes(key), []).append(_node_of(body))

    def _rows(self, sql: str, keys: set[bytes]) -> Iterable[Any]:
        for part in parts(list(keys)):
            marked = sql.replace("{keys}", marks(part))
            yield from self._transaction.rows(marked, (self._feed, *part))
