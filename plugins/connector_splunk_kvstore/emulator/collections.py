"""KV store collections in memory: schemas, typed fields, documents, and the limits on them."""

import json
import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connector_splunk_kvstore.emulator.query import (
    candidates,
    parse_query,
    predicate,
    project,
    sort_documents,
    sort_order,
)

_ACCELERATION: Final = "accelerated_fields."
_DROPPED: Final = object()
_TRUE: Final = frozenset({"true", "t", "1", "yes"})
_FALSE: Final = frozenset({"false", "f", "0", "no"})


@dataclass(slots=True)
class KvLimits:
    """The `[kvstore]` stanza of limits.conf as shipped with 10.2; tests set lower values."""

    max_documents_per_batch_save: int = 1000
    max_size_per_batch_save_mb: float = 50
    max_rows_per_query: int = 50_000
    max_size_per_result_mb: float = 50
    max_queries_per_batch: int = 1000
    max_accelerations_per_collection: int = 10


class KvError(Exception):
    """An answer other than success: the status and the message of the store."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def over_limit(text: str, name: str, value: float) -> KvError:
    """Return the error for a request that breaks a limit, with the message of the store."""
    return KvError(
        400, f"Request exceeds API limits - see limits.conf for details. ({text}, {name}={value:g})"
    )


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _as_number(value: object) -> object:
    if isinstance(value, bool):
        return _DROPPED
    if isinstance(value, int | float):
        return value
    try:
        number = float(str(value))
    except ValueError:
        return _DROPPED
    return int(number) if number.is_integer() else number


def _as_bool(value: object) -> object:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    return True if word in _TRUE else False if word in _FALSE else _DROPPED


def _as_string(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


_CONVERSIONS: Final = {
    "number": _as_number,
    "time": _as_number,
    "bool": _as_bool,
    "string": _as_string,
}


@dataclass
class KvCollection:
    """One collection of one app: its stanza in collections.conf, and its documents by key."""

    app: str
    name: str
    limits: KvLimits
    settings: dict[str, str] = field(default_factory=dict)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    sharing: str = "app"

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._sorted: list[str] | None = None

    def configure(self, settings: Mapping[str, str]) -> None:
        """Set or change settings of the stanza, leaving the others."""
        merged = {**self.settings, **settings}
        accelerations = [value for name, value in merged.items() if name.startswith(_ACCELERATION)]
        if not all(map(_is_json_object, accelerations)):
            raise KvError(400, "An accelerated field must be a JSON object.")
        most = self.limits.max_accelerations_per_collection
        if len(accelerations) > most:
            raise over_limit("Too many accelerations", "max_accelerations_per_collection", most)
        self.settings = merged

    def _typed(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Convert declared fields; a value that cannot be converted is dropped, or refused."""
        enforced = self.settings.get("enforceTypes", "false").lower() in _TRUE
        typed = {}
        for name, value in document.items():
            convert = _CONVERSIONS.get(self.settings.get(f"field.{name}", ""))
            kept = value if convert is None or value is None else convert(value)
            if kept is not _DROPPED:
                typed[name] = kept
            elif enforced:
                raise KvError(400, f"Field '{name}' is not of the type that the schema declares.")
        return typed

    def _store(self, document: Mapping[str, Any]) -> str:
        typed = self._typed(document)
        key = str(typed.get("_key") or uuid.uuid4().hex[:24])
        if key not in self.documents:
            self._sorted = None
        self.documents[key] = {**typed, "_user": "nobody", "_key": key}
        return key

    @staticmethod
    def _document(parsed: object) -> dict[str, Any]:
        if not isinstance(parsed, dict):
            raise KvError(400, "Document must be a JSON object.")
        return parsed

    def fill(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Add documents as someone else, whatever the limits."""
        with self._lock:
            for document in documents:
                self._store(document)

    def insert(self, parsed: object) -> str:
        """Store a new document and return its key."""
        document = self._document(parsed)
        with self._lock:
            if document.get("_key") in self.documents:
                raise KvError(409, "A document with the same key and user already exists.")
            return self._store(document)

    def replace(self, key: str, parsed: object) -> str:
        """Replace a whole document."""
        with self._lock:
            self.get(key)
            return self._store({**self._document(parsed), "_key": key})

    def batch_save(self, parsed: object, size: int) -> list[str]:
        """Insert or replace many documents and return their keys, or refuse the batch."""
        limits = self.limits
        if not isinstance(parsed, list):
            raise KvError(400, "Request body must be a JSON array.")
        if len(parsed) > limits.max_documents_per_batch_save:
            raise over_limit(
                "Too many documents for a single batch save",
                "max_documents_per_batch_save",
                limits.max_documents_per_batch_save,
            )
        if size > limits.max_size_per_batch_save_mb * 1024 * 1024:
            raise over_limit(
                "Batch save size too large",
                "max_size_per_batch_save_mb",
                limits.max_size_per_batch_save_mb,
            )
        with self._lock:
            return [self._store(self._document(each)) for each in parsed]

    def get(self, key: str) -> dict[str, Any]:
        """Return one document."""
        with self._lock:
            if key not in self.documents:
                raise KvError(404, "Could not find object.")
            return self.documents[key]

    def _matching(self, query: str) -> Iterable[dict[str, Any]]:
        parsed = parse_query(query) if query else {}
        matches = predicate(parsed)
        if self._sorted is None:
            self._sorted = sorted(self.documents)
        for key in candidates(parsed, self._sorted):
            document = self.documents.get(key)
            if document is not None and matches(document):
                yield document

    def find(
        self, query: str = "", fields: str = "", sort: str = "", skip: int = 0, limit: int = 0
    ) -> list[str]:
        """Return the matching documents as rows of JSON, silently cut at a limit."""
        rows = min(limit or self.limits.max_rows_per_query, self.limits.max_rows_per_query)
        order = sort_order(sort)
        found: list[dict[str, Any]] = []
        with self._lock:
            for document in self._matching(query):
                found.append(document)
                # The scan already runs in the order of keys, so it can stop early.
                if order in ([], [("_key", False)]) and len(found) >= skip + rows:
                    break
        sort_documents(found, order)
        return self._within_size(project(each, fields) for each in found[skip : skip + rows])

    def _within_size(self, documents: Iterable[dict[str, Any]]) -> list[str]:
        room = self.limits.max_size_per_result_mb * 1024 * 1024
        rows = []
        for document in documents:
            row = json.dumps(document)
            room -= len(row)
            if room < 0:
                break
            rows.append(row)
        return rows

    def delete(self, query: str) -> None:
        """Delete the matching documents; an absent query matches all."""
        with self._lock:
            for document in list(self._matching(query)):
                del self.documents[document["_key"]]
            self._sorted = None

    def delete_one(self, key: str) -> None:
        """Delete one document."""
        with self._lock:
            self.get(key)
            del self.documents[key]
            self._sorted = None
