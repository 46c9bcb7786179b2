"""An OpenSearch as far as our documents need it, as unkind as the real one.

A search shows what was refreshed alone; a data stream takes new documents alone, and old ones are
changed where they are, each by the number of its last change.
"""

import json
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import count
from typing import Any

from search_cluster import BASIC, Cluster, actions, error

from connector.testing.http_target import Call, Reply, route

_LARGEST_WINDOW = 10_000
_NEW_ALONE = "only write ops with an op_type of create are allowed in data streams"
_UNNAMED = (
    "index request with op_type=index and no if_primary_term and if_seq_no set targeting backing "
    "indices is disallowed"
)


@dataclass
class Stored:
    """A document, and the number of its last change."""

    source: dict[str, Any]
    number: int


@dataclass
class Backing:
    """One index: what was written, and what a search sees of it."""

    mapping: dict[str, Any]
    written: dict[str, Stored] = field(default_factory=dict)
    seen: dict[str, Stored] = field(default_factory=dict)


class OpenSearch(Cluster):
    """Indices and data streams, with the errors of version 2."""

    accepted = frozenset({f"Basic {BASIC}"})

    def __init__(self) -> None:
        super().__init__()
        self.indices: dict[str, Backing] = {}
        self.streams: dict[str, list[str]] = {}
        self.templates: dict[str, dict[str, Any]] = {}
        self.shards_fail = False
        self._numbers = count()

    def unauthorized(self) -> Reply:
        return Reply(401, b"Unauthorized", {"WWW-Authenticate": 'Basic realm="OpenSearch"'})

    def roll_over(self, stream: str) -> None:
        """Let new documents go to another backing index."""
        names = self.streams[stream]
        names.append(f".ds-{stream}-{len(names) + 1:06}")
        self.indices[names[-1]] = Backing(self.templates[stream])

    def documents(self, index: str) -> dict[str, Any]:
        return {
            name: stored.source
            for backing in self._behind(index)
            for name, stored in self.indices[backing].written.items()
        }

    def put(self, index: str, name: str, document: Any) -> None:
        self._store(self._behind(index)[-1], name, document)
        self._refresh()

    def delete(self, index: str, name: str) -> None:
        """Delete a document by hand."""
        for backing in self._behind(index):
            self.indices[backing].written.pop(name, None)
        self._refresh()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        said = json.dumps(body).encode()
        return json.loads(self.reply_to(Call(0, method, path, {}, {}, said, path)).body)

    def reply_to(self, call: Call) -> Reply:
        for method, pattern, handler in self._routes:
            if method == call.method and (found := pattern.fullmatch(call.path)):
                reply: Reply = handler(self, call, **found.groupdict())
                return reply
        said = f"no handler found for uri [{call.target}] and method [{call.method}]"
        return Reply.of({"error": said}, 400)

    def _behind(self, name: str) -> list[str]:
        return self.streams.get(name) or ([name] if name in self.indices else [])

    def _refresh(self) -> None:
        for index in self.indices.values():
            index.seen = dict(index.written)

    def _store(self, index: str, name: str, document: dict[str, Any]) -> Stored:
        stored = Stored(document, next(self._numbers))
        self.indices[index].written[name] = stored
        return stored

    @route("GET", "/")
    def _cluster(self, _call: Call) -> Reply:
        version = {"distribution": "opensearch", "number": "2.19.1"}
        return Reply.of({"cluster_uuid": "uuid-of-the-cluster", "version": version})

    @route("PUT", "/_data_stream/{name}")
    def _make_stream(self, _call: Call, name: str) -> Reply:
        if name not in self.templates:
            return error(
                400, "illegal_argument_exception",
                f"no matching index template found for data stream [{name}]",
            )  # fmt: skip
        self.streams[name] = []
        self.roll_over(name)
        return Reply.of({"acknowledged": True})

    @route("GET", "/{index}/_mapping")
    def _mapping(self, _call: Call, index: str) -> Reply:
        if not (behind := self._behind(index)):
            return _no_index(index)
        return Reply.of({name: {"mappings": self.indices[name].mapping} for name in behind})

    @route("PUT", "/{index}")
    def _make(self, call: Call, index: str) -> Reply:
        if self._behind(index):
            return error(400, "resource_already_exists_exception", f"index [{index}] exists")
        self.indices[index] = Backing(call.json().get("mappings", {}))
        return Reply.of({"acknowledged": True, "shards_acknowledged": True, "index": index})

    @route("POST", "/{index}/_bulk")
    def _bulk(self, call: Call, index: str) -> Reply:
        if not call.body.endswith(b"\n"):
            words = "The bulk request must be terminated by a newline [\\n]"
            return error(400, "illegal_argument_exception", words)
        items = []
        for what, at, document in actions(call):
            name = at.get("_index", index)
            said = self._change(what, name, at, document)
            items.append({what: {"_index": name, "_id": at["_id"], **said}})
        if call.query.get("refresh") == "true":
            self._refresh()
        failed = any("error" in said for item in items for said in item.values())
        return Reply.of({"took": 3, "errors": failed, "items": items})

    def _change(self, what: str, name: str, at: Any, document: Any) -> dict[str, Any]:
        if name in self.streams:
            if what != "create":
                return _failed(400, "illegal_argument_exception", _NEW_ALONE)
            index = self.streams[name][-1]
        else:
            index = name
            self.indices.setdefault(name, Backing({}))
        if what == "index" and index.startswith(".ds-") and "if_seq_no" not in at:
            return _failed(400, "illegal_argument_exception", _UNNAMED)
        written = self.indices[index].written
        there = written.get(at["_id"])
        if what == "create" and there:
            words = f"[{at['_id']}]: version conflict, document already exists"
            return _failed(409, "version_conflict_engine_exception", words)
        if "if_seq_no" in at and (there is None or there.number != at["if_seq_no"]):
            words = f"[{at['_id']}]: version conflict, required seqNo [{at['if_seq_no']}]"
            return _failed(409, "version_conflict_engine_exception", words)
        if what == "delete":
            gone = written.pop(at["_id"], None)
            return {"result": "deleted", "status": 200} if gone else {
                "result": "not_found", "status": 404,
            }  # fmt: skip
        if words := self._misfit(at["_id"], document):
            return _failed(400, "mapper_parsing_exception", words)
        self._store(index, at["_id"], document)
        return {"result": "updated", "status": 200} if there else {
            "result": "created", "status": 201,
        }  # fmt: skip

    def _misfit(self, name: str, document: Any) -> str:
        if words := self.refuses.get(document["connector"]["value"]):
            return words
        address = document["threat"]["indicator"].get("ip")
        try:
            return "" if address is None else str(ip_address(address) and "")
        except ValueError:
            at = f"[threat.indicator.ip] of type [ip] in document with id '{name}'"
            return f"failed to parse field {at}. Preview of field's value: '{address}'"

    @route("POST", "/{index}/_search")
    def _search(self, call: Call, index: str) -> Reply:
        if not (behind := self._behind(index)):
            return _no_index(index)
        if self.shards_fail and call.query.get("allow_partial_search_results") == "false":
            words = "Partial shards failure"
            return error(503, "search_phase_execution_exception", words)
        asked = call.json()
        if asked["size"] > _LARGEST_WINDOW:
            words = "Result window is too large, from + size must be less than or equal to: [10000]"
            return error(400, "search_phase_execution_exception", words)
        return Reply.of(self._found(asked, behind))

    def _found(self, asked: Any, behind: list[str]) -> Any:
        wanted = [
            (name, values if isinstance(values, list) else [values])
            for one in asked["query"]["bool"]["filter"]
            for name, values in next(iter(one.values())).items()
        ]
        sets = [(name.split("."), frozenset(values)) for name, values in wanted]
        found = [
            (index, name, stored)
            for index in behind
            if self.indices[index].mapping  # text that is no keyword is not found by a term
            for name, stored in self.indices[index].seen.items()
            if all(stored.source.get(a, {}).get(b) in values for (a, b), values in sets)
        ]
        if "sort" in asked:
            found.sort(key=lambda one: str(one[2].source["connector"]["key"]))
            (after,) = asked.get("search_after", [""])
            page = [one for one in found if one[2].source["connector"]["key"] > after]
        else:
            page = found
        failed = int(self.shards_fail)
        numbers = sum(stored.number for _index, _name, stored in found)
        return {
            "took": 1,
            "timed_out": False,
            "_shards": {"total": 1, "successful": 1 - failed, "skipped": 0, "failed": failed},
            "hits": {
                "total": {"value": len(found), "relation": "eq"},
                "hits": [_hit(*one) for one in page[: asked["size"]]],
            },
            "aggregations": {"changes": {"value": float(numbers)}},
        }


def _hit(index: str, name: str, stored: Stored) -> dict[str, Any]:
    return {
        "_index": index, "_id": name, "_score": None, "_source": stored.source,
        "_seq_no": stored.number, "_primary_term": 1, "sort": [stored.source["connector"]["key"]],
    }  # fmt: skip


def _failed(status: int, kind: str, reason: str) -> dict[str, Any]:
    return {"status": status, "error": {"type": kind, "reason": reason}}


def _no_index(index: str) -> Reply:
    return error(404, "index_not_found_exception", f"no such index [{index}]")
