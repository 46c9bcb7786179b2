"""The KV store's query language, as its REST endpoints read it: operators, fields, sort."""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

Document = Mapping[str, Any]
Predicate = Callable[[Document], bool]

_MISSING: Final = object()
# MongoDB, on which the store is built, orders values of different kinds by kind.
_KINDS: Final[tuple[tuple[type | tuple[type, ...], int], ...]] = (
    (bool, 4),
    ((int, float), 1),
    (str, 2),
    ((dict, list), 3),
)


class QueryError(ValueError):
    """The store does not understand the query."""


def parse_query(text: str) -> dict[str, Any]:
    """Return the query of a request, which must be one JSON object."""
    try:
        query = json.loads(text)
    except ValueError as error:
        raise QueryError("JSON in the request is invalid. ( JSON parse error )") from error
    if not isinstance(query, dict):
        raise QueryError("Query must be a JSON object.")
    return query


def _kind(value: object) -> int:
    for types, rank in _KINDS:
        if isinstance(value, types):
            return rank
    return 0


def _order(value: object) -> tuple[int, Any]:
    """Return a sort key with which any two values can be compared."""
    kind = _kind(value)
    return (kind, json.dumps(value, sort_keys=True) if kind == 3 else value if kind else 0)


def _same(value: object, wanted: object) -> bool:
    return value is not _MISSING and _kind(value) == _kind(wanted) and value == wanted


def _compared(test: Callable[[Any, Any], bool]) -> Callable[[object, object], bool]:
    """Ordering operators match only values of the operand's own kind."""

    def holds(value: object, wanted: object) -> bool:
        return value is not _MISSING and _kind(value) == _kind(wanted) and test(value, wanted)

    return holds


_OPERATORS: Final[dict[str, Callable[[object, object], bool]]] = {
    "$gt": _compared(lambda value, wanted: value > wanted),
    "$gte": _compared(lambda value, wanted: value >= wanted),
    "$lt": _compared(lambda value, wanted: value < wanted),
    "$lte": _compared(lambda value, wanted: value <= wanted),
    "$ne": lambda value, wanted: not _same(value, wanted),
}


def _value_at(document: Document, path: str) -> object:
    value: object = document
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return _MISSING
        value = value[name]
    return value


def _field_predicate(path: str, condition: object) -> Predicate:
    if not isinstance(condition, dict) or not any(key.startswith("$") for key in condition):
        return lambda document: _same(_value_at(document, path), condition)
    if unknown := [operator for operator in condition if operator not in _OPERATORS]:
        raise QueryError(f"Unsupported operator in query: {unknown[0]}")
    tests = [(_OPERATORS[operator], wanted) for operator, wanted in condition.items()]
    return lambda document: all(test(_value_at(document, path), wanted) for test, wanted in tests)


def _parts(operator: str, condition: object) -> list[Predicate]:
    if not isinstance(condition, list) or not condition:
        raise QueryError(f"{operator} must be a nonempty array.")
    return [predicate(part) for part in condition]


def _clause(key: str, condition: object) -> Predicate:
    if key == "$and":
        every = _parts(key, condition)
        return lambda document: all(part(document) for part in every)
    if key == "$or":
        some = _parts(key, condition)
        return lambda document: any(part(document) for part in some)
    if key == "$not":
        inner = predicate(condition)
        return lambda document: not inner(document)
    if key.startswith("$"):
        raise QueryError(f"Unsupported operator in query: {key}")
    return _field_predicate(key, condition)


def predicate(query: object) -> Predicate:
    """Return the test that a query applies to a document; all of its clauses must match."""
    if not isinstance(query, dict):
        raise QueryError("Query must be a JSON object.")
    clauses = [_clause(key, condition) for key, condition in query.items()]
    return lambda document: all(clause(document) for clause in clauses)


def _conjuncts(query: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for key, condition in query.items():
        if key == "$and" and isinstance(condition, list):
            for part in condition:
                yield from _conjuncts(part)
        else:
            yield key, condition


def _named_keys(key: str, condition: object) -> list[str] | None:
    if key == "_key" and isinstance(condition, str):
        return [condition]
    if key != "$or" or not isinstance(condition, list):
        return None
    parts = [part for part in condition if isinstance(part, dict) and len(part) == 1]
    keys = [part["_key"] for part in parts if isinstance(part.get("_key"), str)]
    return keys if len(keys) == len(condition) else None


def candidates(query: Mapping[str, Any], sorted_keys: Sequence[str]) -> Iterable[str]:
    """Return, in order, the keys that can match, as the store's own index on `_key` does."""
    first, last = 0, len(sorted_keys)
    for key, condition in _conjuncts(query):
        if (named := _named_keys(key, condition)) is not None:
            return sorted(set(named))
        if key == "_key" and isinstance(condition, dict):
            for operator, bound in condition.items():
                if operator == "$gt" and isinstance(bound, str):
                    first = max(first, bisect_right(sorted_keys, bound))
                elif operator == "$gte" and isinstance(bound, str):
                    first = max(first, bisect_left(sorted_keys, bound))
    return sorted_keys[first:last]


def sort_order(text: str) -> list[tuple[str, bool]]:
    """Return the fields of `sort=a,b:-1`, each with whether it descends."""
    order = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = re.fullmatch(r"([^:]+)(?::(-?1))?", part)
        if not found:
            raise QueryError(f"Invalid sort: {part}")
        order.append((found[1], found[2] == "-1"))
    return order


def sort_documents(documents: list[dict[str, Any]], order: list[tuple[str, bool]]) -> None:
    """Sort in place, the first named field first."""
    for name, descending in reversed(order):
        documents.sort(key=lambda each: _order(each.get(name)), reverse=descending)


def project(document: dict[str, Any], fields: str) -> dict[str, Any]:
    """Return the part of a document that `fields=a,b,_key:0` selects; `_id` is `_key`."""
    if not fields:
        return document
    shown: set[str] = set()
    hidden: set[str] = set()
    for part in filter(None, (part.strip() for part in fields.split(","))):
        name, _, flag = part.partition(":")
        (hidden if flag == "0" else shown).add("_key" if name == "_id" else name)
    if shown:
        shown.add("_key")
        document = {name: value for name, value in document.items() if name in shown}
    return {name: value for name, value in document.items() if name not in hidden}
