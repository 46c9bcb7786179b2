"""An owner's documents in an index or a data stream: read, found, changed in bulk."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from connector.adapter import (
    Http,
    Later,
    Outcome,
    Refused,
    RefusedError,
    Response,
    UnavailableError,
)
from connector_elastic.documents import INDEX_MAPPING, Document, lacks

T = TypeVar("T")
PAGE: Final = 2000
_MOST_HITS: Final = 10_000  # index.max_result_window, as shipped
# Statuses whose words are in an error of the API; the core's client raises for all others.
_TOLD: Final = frozenset({400, 401, 403, 404, 409})
_NO_INDEX: Final = "index_not_found_exception"
_EXISTS: Final = "resource_already_exists_exception"
_BLOCKED: Final = "cluster_block_exception"  # a full disk, or an index that is read-only
_DONE: Final = frozenset({200, 201})


class Row(NamedTuple):
    """A document as it is found; `at` names it for a change, in a data stream too."""

    key: str
    source: Mapping[str, Any]
    at: Mapping[str, Any]


class Change(NamedTuple):
    """One operation of a bulk request; without a document it deletes."""

    what: str
    at: Mapping[str, Any]
    document: Document | None = None


class Index:
    """The documents of one owner; those of others are neither read nor changed."""

    def __init__(
        self, http: Http, url: str, name: str, owner: str, *,
        headers: Mapping[str, str], data_stream: bool,
    ) -> None:  # fmt: skip
        self._http, self._url, self.name, self._owner = http, url.rstrip("/"), name, owner
        self._headers, self._data_stream = headers, data_stream
        self._ready = False

    def cluster(self) -> str:
        """Return the cluster's own name for itself."""
        return self._read(self._ask("GET", ""), lambda said: str(said["cluster_uuid"]))

    def summary(self) -> str:
        """Return a text that is another one after any change of our documents, by anyone."""
        body = {
            "size": 0,
            "track_total_hits": True,
            "aggs": {"changes": {"sum": {"field": "_seq_no"}}},
        }
        return self._search(body, _summary, "absent")

    def pages(self) -> Iterator[list[Row]]:
        """Yield all documents in the order of their keys, which stands while others change some."""
        after: list[Any] = []
        while True:
            body = {"size": PAGE, "sort": [{"connector.key": "asc"}]}
            page, last = self._search(
                body | ({"search_after": after} if after else {}), _page, _NONE
            )
            yield page
            if len(page) < PAGE or last == after:
                return
            after = last

    def under(self, keys: Sequence[str]) -> dict[str, list[Row]]:
        """Return the documents with these keys; a data stream may have several of one."""
        found: dict[str, list[Row]] = {}
        for start in range(0, len(keys), PAGE):
            for row in self._all_of(keys[start : start + PAGE]):
                found.setdefault(row.key, []).append(row)
        return {key: found[key] for key in keys if key in found}

    def _all_of(self, keys: Sequence[str]) -> list[Row]:
        """Return all documents with these keys; what may be cut off is asked for in halves."""
        body = {"size": _MOST_HITS, "seq_no_primary_term": True}
        rows, _ = self._search(body, _page, _NONE, {"terms": {"connector.key": list(keys)}})
        if len(rows) < _MOST_HITS:
            return rows
        if len(keys) == 1:
            raise UnavailableError(
                f"{self.name} has {_MOST_HITS:,} documents or more of one entry: delete those of "
                f'the key "{keys[0]}"'
            )
        half = len(keys) // 2
        return self._all_of(keys[:half]) + self._all_of(keys[half:])

    def change(self, changes: Sequence[Change]) -> list[Outcome | None]:
        """Return what became of each change, in their order; None where it was done."""
        if not changes:
            return []
        answer = self._ask(
            "POST", f"{self.name}/_bulk", _lines(changes), params={"refresh": "true"}
        )
        return self._read(answer, lambda said: _results(answer, said, len(changes)))

    def prepare(self) -> None:
        """Create the index, or the data stream, if it does not exist."""
        if self._found():
            return
        if self._data_stream:
            self._ask("PUT", f"_data_stream/{self.name}", tolerated=_EXISTS)
        else:
            self._ask("PUT", self.name, _json({"mappings": INDEX_MAPPING}), tolerated=_EXISTS)

    def _found(self) -> bool:
        """Return whether the index exists, with a mapping in which our documents are found."""
        if self._ready:
            return True
        answer = self._ask("GET", f"{self.name}/_mapping", tolerated=_NO_INDEX)
        if answer.status_code == 404:
            return False
        said = self._read(answer, lambda said: {i: lacks(m["mappings"]) for i, m in said.items()})
        for index, missing in said.items():
            if missing:
                raise RefusedError(
                    f"{self._url}: {index} does not have {' and '.join(missing)} as keyword, so "
                    "documents would not be found again: create it with the mapping that the page "
                    "of this output has, or name another index"
                )
        self._ready = bool(said)
        return self._ready

    def _search(
        self, body: Mapping[str, Any], read: Callable[[Any], T], none: T,
        *filters: Mapping[str, Any],
    ) -> T:  # fmt: skip
        """Return what is read from the answer to a search among our documents; `none` without."""
        if not self._found():
            return none
        owned = [{"term": {"connector.owner": self._owner}}, *filters]
        asked = {**body, "query": {"bool": {"filter": owned}}}
        answer = self._ask(
            "POST", f"{self.name}/_search", _json(asked), tolerated=_NO_INDEX, repeatable=True,
            params={"allow_partial_search_results": "false"},
        )  # fmt: skip
        if answer.status_code == 404:
            self._ready = False
            return none
        return self._read(answer, lambda said: read(_whole(answer, said)))

    def _ask(
        self, method: str, path: str, body: bytes | None = None, *, tolerated: str = "",
        repeatable: bool = False, params: Mapping[str, str] | None = None,
    ) -> Response:  # fmt: skip
        """Return the answer to a call; an error raises, unless it is of the type `tolerated`."""
        lines = "application/x-ndjson" if path.endswith("_bulk") else "application/json"
        headers = {**self._headers, **({} if body is None else {"Content-Type": lines})}
        answer = self._http.request(
            method, f"{self._url}/{path}", headers=headers, body=body, params=params,
            accept_statuses=_TOLD, repeatable=repeatable,
        )  # fmt: skip
        if answer.status_code < 300:
            return answer
        kind, words = _error(answer)
        if tolerated and kind == tolerated:
            return answer
        raise answer.error(words)

    @staticmethod
    def _read(answer: Response, read: Callable[[Any], T]) -> T:
        try:
            return read(answer.json())
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise answer.error("something else than its API answers") from error


_NONE: Final[tuple[list[Row], list[Any]]] = ([], [])


def _json(said: object) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode()


def _lines(changes: Iterable[Change]) -> bytes:
    lines = []
    for one in changes:
        lines.append(_json({one.what: one.at}))
        if one.document is not None:
            lines.append(_json(one.document))
    return b"\n".join(lines) + b"\n"


def _error(answer: Response) -> tuple[str, str]:
    """Return type and words of an error; a proxy's, or an old plugin's, has no type."""
    try:
        said = json.loads(answer.content)["error"]
        return str(said["type"]), _words(said)
    except (LookupError, TypeError, ValueError):
        return "", ""


def _words(error: Mapping[str, Any]) -> str:
    cause = error.get("caused_by") or {}
    said = [str(error.get("reason") or error["type"]), str(cause.get("reason") or "")]
    return ": ".join(dict.fromkeys(filter(None, said)))[:300]


def _whole(answer: Response, said: Any) -> Any:
    """Return an answer of all shards; a part of the documents is no answer."""
    if said["timed_out"] or said["_shards"]["failed"]:
        raise answer.error("only a part of the shards answered")
    return said


def _summary(said: Any) -> str:
    return f"{said['hits']['total']['value']}/{said['aggregations']['changes']['value']}"


def _page(said: Any) -> tuple[list[Row], list[Any]]:
    hits = said["hits"]["hits"]
    return [_row(hit) for hit in hits], hits[-1].get("sort", []) if hits else []


def _row(hit: Any) -> Row:
    at = {"_index": hit["_index"], "_id": hit["_id"]}
    if "_seq_no" in hit:
        at |= {"if_seq_no": hit["_seq_no"], "if_primary_term": hit["_primary_term"]}
    return Row(hit["_id"], hit["_source"], at)


def _results(answer: Response, said: Any, count: int) -> list[Outcome | None]:
    items = [next(iter(item.values())) for item in said["items"]]
    if len(items) != count:
        raise answer.error(f"{len(items)} results for {count} documents")
    for one in items:
        refused = one["status"] in {401, 403}
        if refused or one.get("error", {}).get("type") == _BLOCKED:
            raise answer.error(_words(one["error"]), refused=refused)
    return [_result(one) for one in items]


def _result(item: Mapping[str, Any]) -> Outcome | None:
    status = item["status"]
    if status in _DONE or (status == 404 and item.get("result") == "not_found"):
        return None
    words = _words(item["error"])
    return Refused(words) if status == 400 else Later(words)
