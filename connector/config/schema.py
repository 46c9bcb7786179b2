"""The file format as JSON Schema (draft 2020-12), for editors."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from connector.config.model import Config, FeedConfig, OutputConfig
from connector.model import Tlp
from connector.registry import Registry
from connector.settings import write_duration

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
# These keywords map names to schemas: a key below them is never a keyword itself.
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs"})


class _Generator(GenerateJsonSchema):
    """Writes defaults as the file writes them."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return write_duration(dft)
        return dft.label if isinstance(dft, Tlp) else super().encode_default(dft)


def json_schema(registry: Registry) -> Schema:
    """Return the schema of a file that may use these feeds and adapters, without broken ones."""
    feeds = {info.name: registry.feed(info.name) for info in registry.feeds() if not info.error}
    adapters = {
        info.name: registry.adapter(info.name) for info in registry.adapters() if not info.error
    }
    options: list[type[BaseModel]] = [kind.settings_type for kind in feeds.values()]
    options += [kind.settings_type for kind in adapters.values()]
    names, definitions = _definitions([Config, *options])
    by_feed = {name: names[kind.settings_type] for name, kind in feeds.items()}
    by_adapter = {name: names[kind.settings_type] for name, kind in adapters.items()}
    fields = {name: sorted(kind.fields) for name, kind in adapters.items()}
    _tell_feeds_apart(definitions[FeedConfig.__name__], by_feed, definitions)
    _tell_adapters_apart(definitions[OutputConfig.__name__], by_adapter, fields, definitions)
    used = _used({"$ref": _ref(Config.__name__)}, definitions)
    return {
        "$schema": DIALECT,
        "title": "Connector configuration",
        "$ref": _ref(Config.__name__),
        "$defs": {name: definitions[name] for name in sorted(used)},
    }


def _definitions(
    models: list[type[BaseModel]],
) -> tuple[dict[type[BaseModel], str], dict[str, Schema]]:
    """Return the definition of each model by name; the module distinguishes equal names."""
    mapped, whole = models_json_schema(
        [(model, "validation") for model in models],
        ref_template=_ref("{model}"),
        schema_generator=_Generator,
    )
    names = {model: str(mapped[model, "validation"]["$ref"])[8:] for model in models}
    return names, {name: clean(schema) for name, schema in whole["$defs"].items()}


def _ref(name: str) -> str:
    return f"#/$defs/{name}"


def clean(schema: Schema) -> Schema:
    """Return a schema without titles and without alternatives, which editors explain badly."""
    tidy: Schema = {}
    for key, value in schema.items():
        if key in _NAMED:
            tidy[key] = {name: clean(below) for name, below in value.items()}
        elif isinstance(value, dict) and key != "default":
            tidy[key] = clean(value)
        elif isinstance(value, list) and key in {"anyOf", "allOf"}:
            tidy[key] = [clean(below) for below in value]
        elif key != "title":
            tidy[key] = value
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False
    return _joined(_without_null(tidy))


def _without_null(schema: Schema) -> Schema:
    """Drop null where it only means that the key may be left out."""
    choices = schema.get("anyOf", [])
    if "default" not in schema or schema["default"] is not None or len(choices) != 2:
        return schema
    kept = [choice for choice in choices if choice != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
    return {**kept[0], **rest} if len(kept) == 1 else schema


def _joined(schema: Schema) -> Schema:
    """Join several plain types into one list of types."""
    choices = schema.get("anyOf", [])
    plain = [choice["type"] for choice in choices if set(choice) == {"type"}]
    if len(plain) < 2:
        return schema
    others = [choice for choice in choices if set(choice) != {"type"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**rest, "anyOf": [{"type": plain}, *others]} if others else {**rest, "type": plain}


def _tell_feeds_apart(
    feed: Schema, options: Mapping[str, str], definitions: Mapping[str, Schema]
) -> None:
    """List both the common options and the feed's own for each type, as they are siblings."""
    common = dict.fromkeys(feed["properties"], True)
    feed["properties"]["type"] = _chosen(feed["properties"]["type"], options)
    del feed["additionalProperties"]
    feed["allOf"] = [
        _when(
            "type",
            name,
            {
                "properties": {**definitions[model]["properties"], **common},
                "required": definitions[model].get("required", []),
                "additionalProperties": False,
            },
        )
        for name, model in options.items()
    ]


def _tell_adapters_apart(
    output: Schema,
    options: Mapping[str, str],
    fields: Mapping[str, list[str]],
    definitions: Mapping[str, Schema],
) -> None:
    output["properties"]["adapter"] = _chosen(output["properties"]["adapter"], options)
    output["allOf"] = [
        _when(
            "adapter",
            name,
            {
                "properties": {
                    "options": {"$ref": _ref(model)},
                    "mapping": {"propertyNames": {"enum": fields[name]}}
                    if fields[name]
                    else {"maxProperties": 0},
                },
                "required": ["options"] if definitions[model].get("required") else [],
            },
        )
        for name, model in options.items()
    ]


def _chosen(schema: Schema, names: Mapping[str, str]) -> Schema:
    return {"enum": list(names), "description": schema["description"]}


def _when(key: str, name: str, then: Schema) -> Schema:
    return {"if": {"properties": {key: {"const": name}}, "required": [key]}, "then": then}


def _used(schema: Any, definitions: Mapping[str, Schema]) -> set[str]:
    """Return the definitions that a schema refers to."""
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            name = str(value.get("$ref", ""))[8:]
            if name in definitions and name not in found:
                found.add(name)
                waiting.append(definitions[name])
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found
