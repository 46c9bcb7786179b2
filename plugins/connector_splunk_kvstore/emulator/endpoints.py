"""What each path of the emulated management port does."""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, unquote_plus

from connector.testing.http_target import Reply
from connector_splunk_kvstore.emulator.answers import Entity, as_json, feed, plain
from connector_splunk_kvstore.emulator.collections import (
    KvCollection,
    KvError,
    KvLimits,
    over_limit,
)

_NAMESPACED: Final = re.compile(r"/servicesNS/(?P<owner>[^/]+)/(?P<app>[^/]+)/(?P<rest>.+)")
_CONFIG: Final = re.compile(r"storage/collections/config(?:/(?P<name>[^/]+))?/?")
_DATA: Final = re.compile(r"storage/collections/data/(?P<name>[^/]+)(?:/(?P<key>[^/]*))?")
_PROPERTY: Final = re.compile(r"properties/limits/kvstore/(?P<name>\w+)")
_NOT_FOUND: Final = "Could not find object."
_DEFAULTS: Final = {
    "disabled": "0",
    "enforceTypes": "false",
    "profilingEnabled": "false",
    "replicate": "false",
    "type": "undefined",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes


class Instance(Protocol):
    """The part of the emulator that the endpoints need."""

    apps: set[str]
    limits: KvLimits
    collections: dict[tuple[str, str], KvCollection]

    def collection(self, app: str, name: str) -> KvCollection: ...


def answer_to(splunk: Instance, call: Call) -> Reply:
    """Execute a request and return its answer."""
    if call.path == "/services/kvstore/status":
        return _single("status", call.path, {"current.status": "ready", "disabled": "0"})
    if call.path == "/services/server/info":
        return _single("server-info", call.path, {"version": "10.2.3", "kvStoreStatus": "ready"})
    found = _NAMESPACED.fullmatch(call.path)
    if not found:
        raise KvError(404, "Not Found")
    app, rest = found["app"], found["rest"]
    if app not in splunk.apps:
        raise KvError(404, f"Application does not exist: {app}")
    if limit := _PROPERTY.fullmatch(rest):
        return _property(limit["name"], splunk.limits, call.query.get("output_mode") == "json")
    if config := _CONFIG.fullmatch(rest):
        return _config(splunk, call, found["owner"], app, unquote_plus(config["name"] or ""))
    if data := _DATA.fullmatch(rest):
        collection = _visible(splunk, app, unquote_plus(data["name"]))
        return _data(collection, call, unquote_plus(data["key"] or ""))
    raise KvError(404, "Not Found")


def _single(name: str, path: str, content: Mapping[str, str]) -> Reply:
    return feed(name, [Entity(name, path, content, "system", "system")])


def _property(name: str, limits: KvLimits, json_mode: bool) -> Reply:
    if name not in {each.name for each in dataclasses.fields(limits)}:
        raise KvError(404, f"{name} does not exist")
    value = f"{getattr(limits, name):g}"
    if json_mode:
        return as_json(json.dumps({"entry": [{"name": name, "content": value}]}))
    return plain(200, value)


def _visible(splunk: Instance, app: str, name: str) -> KvCollection:
    """Return an app's own collection of that name, or else one that another app shares globally."""
    if own := splunk.collections.get((app, name)):
        return own
    for (_, other), collection in splunk.collections.items():
        if other == name and collection.sharing == "global":
            return collection
    raise KvError(404, _NOT_FOUND)


def _entity(collection: KvCollection) -> Entity:
    path = f"/servicesNS/nobody/{collection.app}/storage/collections/config/{collection.name}"
    content = {**_DEFAULTS, **collection.settings}
    return Entity(collection.name, path, content, collection.app, collection.sharing)


def _config(splunk: Instance, call: Call, owner: str, app: str, name: str) -> Reply:
    if owner != "nobody":
        raise KvError(
            400,
            "Must use user context of 'nobody' when interacting with collection configurations "
            f"(used user='{owner}')",
        )
    if not name:
        if call.method == "POST":
            return _create(splunk, call, app)
        shown = [
            each for each in splunk.collections.values() if each.app == app or each.sharing != "app"
        ]
        return feed("collections-conf", map(_entity, shown))
    collection = _visible(splunk, app, name)
    if call.method == "POST":
        collection.configure(dict(parse_qsl(call.body.decode())))
    elif call.method == "DELETE":
        del splunk.collections[collection.app, name]
        return feed("collections-conf", [])
    return feed("collections-conf", [_entity(collection)])


def _create(splunk: Instance, call: Call, app: str) -> Reply:
    form = dict(parse_qsl(call.body.decode()))
    name = form.pop("name", "")
    if not re.fullmatch(r"[A-Za-z][\w.-]*", name):
        raise KvError(400, f"Invalid collection name: '{name}'")
    if (app, name) in splunk.collections:
        raise KvError(409, f"An object with name={name} already exists")
    collection = KvCollection(app, name, splunk.limits)
    collection.configure(form)
    splunk.collections[app, name] = collection
    return feed("collections-conf", [_entity(collection)], 201)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise KvError(400, "JSON in the request is invalid. ( JSON parse error )") from error


def _data(collection: KvCollection, call: Call, key: str) -> Reply:
    if call.method == "POST":
        return as_json(json.dumps(_write(collection, call, key)))
    if call.method == "DELETE":
        if key:
            collection.delete_one(key)
        else:
            collection.delete(call.query.get("query", ""))
        return as_json("")
    if key:
        return as_json(json.dumps(collection.get(key)))
    return as_json(_rows(_find(collection, call.query)))


def _write(collection: KvCollection, call: Call, key: str) -> object:
    parsed = _parsed(call.body)
    if key == "batch_save":
        return collection.batch_save(parsed, len(call.body))
    if key == "batch_find":
        return [json.loads(_rows(found)) for found in _batch_find(collection, parsed)]
    if key:
        return {"_key": collection.replace(key, parsed)}
    return {"_key": collection.insert(parsed)}


def _batch_find(collection: KvCollection, parsed: object) -> list[list[str]]:
    if not isinstance(parsed, list):
        raise KvError(400, "Request body must be a JSON array.")
    if len(parsed) > collection.limits.max_queries_per_batch:
        raise over_limit(
            "Too many queries in a single batch",
            "max_queries_per_batch",
            collection.limits.max_queries_per_batch,
        )
    searches = [{**each, "query": json.dumps(each.get("query", {}))} for each in parsed]
    return [_find(collection, search) for search in searches]


def _find(collection: KvCollection, query: Mapping[str, Any]) -> list[str]:
    return collection.find(
        query=query.get("query", ""),
        fields=query.get("fields", ""),
        sort=query.get("sort", ""),
        skip=_count(query, "skip"),
        limit=_count(query, "limit"),
    )


def _count(query: Mapping[str, Any], name: str) -> int:
    text = str(query.get(name, "0"))
    if not text.isdigit():
        raise KvError(400, f"Invalid value for {name}: {text}")
    return int(text)


def _rows(rows: list[str]) -> str:
    return f"[ {', '.join(rows)} ]"
