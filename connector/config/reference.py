"""Makes the reference page from the models: each key with type, default, bounds and sentence."""

from collections.abc import Iterator
from typing import Any, Final

from connector.config.schema import Schema, json_schema
from connector.config.values import DURATION_PATTERN, NAME_PATTERN
from connector.model import ObservableType
from connector.registry import PluginInfo, Registry
from connector.settings import SECRET_KINDS

__all__ = ["json_schema", "reference_page"]

_HEAD: Final = """\
# Configuration reference

Every key that the file can have. `connector docs` generates this page from the code, and `connector
schema` generates the schema for editors (`connector.schema.json`): do not edit either. For a
commented example see `config.example.yaml`.

- A **duration** is a whole number with its unit: `30s`, `15m`, `6h`, `90d`, `2w`.
- A **secret** is a reference, never the secret itself: `{env: NAME}` (environment variable),
  `{file: PATH}` (without its final line end) or `{credential: NAME}` (systemd
  `LoadCredential=`).
- **Names** of feeds, lists, outputs and clients have at most 63 lower-case letters, digits, `-` and
  `_`.
- Paths are relative to the folder of the file.
- Everything except `true`, `false`, `null`, whole numbers and decimals is text, including `no`,
  `12:30` and `1_000`. A key that is unknown, empty or given twice is an error. Anchors, aliases and
  merge keys (`<<: *name`) are allowed, tags are not.
"""
_TABLE: Final = "| key | type | default | |\n|---|---|---|---|\n"
_MOST_WORDS: Final = 8


def reference_page(registry: Registry) -> str:
    """Return the page in Markdown, for the feeds and adapters of a registry."""
    return _Page(json_schema(registry), registry).text()


class _Page:
    """Walks the schema; each definition is described once, where it first occurs."""

    def __init__(self, schema: Schema, registry: Registry) -> None:
        self._definitions: dict[str, Schema] = schema["$defs"]
        self._registry = registry
        self._anchors: dict[str, str] = {}
        self._waiting: list[tuple[str, str]] = []

    def text(self) -> str:
        """Return the whole page."""
        parts = [_HEAD, *self._sections("The file", "Config")]
        for info in self._registry.feeds():
            if not info.error:
                parts += self._feed(info)
        for info in self._registry.adapters():
            if not info.error:
                parts += self._adapter(info)
        parts.append(_types_section())
        return "\n".join(parts)

    def _sections(self, title: str, name: str) -> Iterator[str]:
        self._waiting.append((title, name))
        yield from self._rest()

    def _rest(self) -> Iterator[str]:
        while self._waiting:
            (title, name), *later = self._waiting
            self._waiting = []
            schema = self._definitions[name]
            yield f"## {title}\n\n{schema.get('description', '')}\n\n{self._table(title, schema)}"
            self._waiting += later

    def _feed(self, info: PluginInfo) -> Iterator[str]:
        common = set(self._definitions["FeedConfig"]["properties"])
        schema = _chosen(self._definitions["FeedConfig"], info.name)
        own = {key: below for key, below in schema["properties"].items() if key not in common}
        title = f"Feed type {info.name}"
        table = self._table(title, {**schema, "properties": own})
        yield (
            f"## {title}\n\n{info.summary}\n\nThese keys come in addition to those of every feed."
            f"\n\n{table}"
        )
        yield from self._rest()

    def _adapter(self, info: PluginInfo) -> Iterator[str]:
        options = _chosen(self._definitions["OutputConfig"], info.name)["properties"]["options"]
        held = f"rules ({_listed(info.takes_rules)})" if info.takes_rules else _types(info)
        facts = [f"- Holds: {held}", f"- Takes: {info.writes}"]
        if info.capacity:
            facts.append(f"- Capacity: {info.capacity:,} entries")
        if info.rate:
            facts.append(f"- Calls: `{info.rate}` unless `rate` says otherwise")
        fields = (f"`{name}` ({spec.words})" for name, spec in sorted(info.fields.items()))
        facts.append(f"- Fields of its mapping: {', '.join(fields) or 'none'}")
        title = f"Adapter {info.name}"
        table = self._table(title, self._definitions[options["$ref"][8:]])
        lines = "\n".join(facts)
        yield f"## {title}\n\n{info.summary}\n\n{lines}\n\nIts `options`:\n\n{table}"
        yield from self._rest()

    def _table(self, title: str, schema: Schema) -> str:
        required = schema.get("required", [])
        rows = []
        for key, below in schema.get("properties", {}).items():
            path = _path(title, key)
            default = "**required**" if key in required else _default(below)
            sentence = _cell(below.get("description", ""))
            rows.append(f"| `{key}` | {self._type(path, below)} | {default} | {sentence} |\n")
        return _TABLE + "".join(rows)

    def _type(self, path: str, schema: Schema) -> str:
        """Return the type of a key in words; a mapping becomes a section of its own below."""
        if "$ref" in schema:
            return self._referred(path, schema["$ref"][8:])
        if "anyOf" in schema:
            return " or ".join(self._type(path, one) for one in schema["anyOf"])
        if "enum" in schema:
            return _words(schema["enum"])
        if "const" in schema:
            return f"`{schema['const']}`"
        kind = schema.get("type")
        if isinstance(kind, list):
            return " or ".join(self._type(path, {**schema, "type": one}) for one in kind)
        if kind == "array":
            return f"list of {self._type(f'{path}[]', schema.get('items', {}))}{_sizes(schema)}"
        return self._object(path, schema) if kind == "object" else _scalar(schema)

    def _referred(self, path: str, name: str) -> str:
        schema = self._definitions[name]
        if "enum" in schema:
            same = schema["enum"] == [kind.value for kind in ObservableType]
            return "[observable type](#observable-types)" if same else _words(schema["enum"])
        if name not in self._anchors:
            self._anchors[name] = path
            self._waiting.append((path, name))
        return f"[mapping](#{_anchor(self._anchors[name])})"

    def _object(self, path: str, schema: Schema) -> str:
        if set(schema.get("properties", {})) == set(SECRET_KINDS):
            return "secret"
        for below in schema.get("patternProperties", {}).values():
            return f"names, each with a {self._type(f'{path}.NAME', below)}"
        below = schema.get("additionalProperties")
        if not isinstance(below, dict):
            return "mapping"
        keys = schema.get("propertyNames", {}).get("enum", [])
        what = "text" if not keys else "observable type, `file`, `rule` or `default`"
        return f"mapping of {what} to {self._type(path, below)}"


def _chosen(schema: Schema, name: str) -> Schema:
    """Return what a schema requires when this feed type or adapter is named."""
    for choice in schema["allOf"]:
        if {"const": name} in choice["if"]["properties"].values():
            then: Schema = choice["then"]
            return then
    raise LookupError(name)


def _path(title: str, key: str) -> str:
    """Return the path of a key; sections of the file are paths, other titles are not."""
    return key if " " in title else f"{title}.{key}"


def _anchor(title: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    kept = (letter for letter in title.lower() if letter.isalnum() or letter in " -_")
    return "".join(kept).replace(" ", "-")


def _words(words: list[Any]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _types(info: PluginInfo) -> str:
    return "every type" if len(info.supports) == len(ObservableType) else _listed(info.supports)


def _listed(words: frozenset[Any]) -> str:
    return ", ".join(f"`{word}`" for word in sorted(words))


def _scalar(schema: Schema) -> str:
    kind = schema.get("type")
    if kind == "boolean":
        return "`true` or `false`"
    if kind in {"integer", "number"}:
        return f"{'whole number' if kind == 'integer' else 'number'}{_bounds(schema)}"
    if schema.get("pattern") == f"^{NAME_PATTERN}$":
        return "name"
    if schema.get("pattern") == DURATION_PATTERN:
        bounds = schema.get("$comment")
        return f"duration, {bounds}" if bounds else "duration"
    if kind == "null":
        return "`null`"
    if schema.get("format") == "date":
        return "day, as 2027-06-30"
    return f"text matching `{_cell(schema['pattern'])}`" if "pattern" in schema else "text"


def _bounds(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f", {least:,} to {most:,}"
    if least is not None:
        return f", at least {least:,}"
    return "" if most is None else f", at most {most:,}"


def _sizes(schema: Schema) -> str:
    least = schema.get("minItems")
    return f", at least {least}" if least else ""


def _default(schema: Schema) -> str:
    if "default" not in schema:
        return ""
    value = schema["default"]
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return f"`[{', '.join(str(one) for one in value)}]`"
    return f"`{_cell(str(value))}`"


def _cell(text: str) -> str:
    """Escape bars, which would end the cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _types_section() -> str:
    words = "\n".join(f"- `{kind.value}`" for kind in ObservableType)
    return (
        "## Observable types\n\nTypes of value that a list can hold. Addresses can be prefixes; an "
        "`endpoint` is an address, a port and a protocol; `*.bad.example` means every name below "
        f"a domain, but not the domain itself.\n\n{words}\n"
    )
