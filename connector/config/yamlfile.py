"""Reads one YAML document into plain values, and keeps the line of every path.

YAML 1.1 converts words to other values (`no`, `12:30`, `1_000`, `017`, `2027-06-30`). Here
everything except `true`, `false`, `null`, whole numbers and decimals is text, as editors show it:
`country: [NO]` stays Norway, and `1_000` is refused where a number is needed.
Anchors, aliases and merge keys (`<<: *name`) work within bounds; tags are refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from connector.config.problems import Path, Position, Problems

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32
MAX_VALUES: Final = 100_000
_WHOLE: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})?\.[0-9]{1,17}")
_WORDS: Final = {"true": True, "false": False, "null": None, "~": None}
# Text may contain line feeds and tabs; other control characters only hide what it says.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_MERGE: Final = "<<"
_LONGEST_KEY: Final = 1000
_SHOWN: Final = 60

Scalar = str | int | float | bool | None


@dataclass(slots=True)
class YamlNode:
    """A value with its position; `values` and `depth` count aliases as if written out."""

    position: Position
    content: "Scalar | list[YamlNode] | dict[str, Child]"
    values: int = 1
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Child:
    """A value in a mapping, and the position of its key."""

    position: Position
    node: YamlNode


class YamlFile:
    """One document: its plain value, and the position of every path in it."""

    def __init__(self, root: YamlNode) -> None:
        self._root = root
        self.value: Any = _plain(root)

    def position(self, path: Path) -> Position:
        """Return the position of a path, or of its nearest ancestor in the file."""
        return self._walk(path)[1]

    def known(self, path: Path) -> Path:
        """Return the longest part of a path that is in the file."""
        return path[: self._walk(path)[0]]

    def at(self, path: Path) -> Any:
        """Return the plain value at a path, or at its nearest ancestor."""
        value = self.value
        for part in self.known(path):
            value = value[part]
        return value

    def _walk(self, path: Path) -> tuple[int, Position]:
        node, position = self._root, self._root.position
        for taken, part in enumerate(path):
            below = node.content
            if isinstance(below, dict) and isinstance(part, str) and part in below:
                node, position = below[part].node, below[part].position
            elif isinstance(below, list) and isinstance(part, int) and part < len(below):
                node, position = below[part], below[part].position
            else:
                return taken, position
        return len(path), position


class _Fatal(Exception):  # noqa: N818 - control flow: ends the reading of a file
    """The rest cannot be read; the problem is noted already."""


def read_yaml(raw: bytes, problems: Problems) -> YamlFile:
    """Return the document in these bytes; note problems, raise ConfigError if unreadable."""
    try:
        return YamlFile(_Composer(_text(raw, problems), problems).document())
    except _Fatal:
        problems.refuse()
        raise


def _text(raw: bytes, problems: Problems) -> str:
    if len(raw) > MAX_BYTES:
        raise _fatal(problems, Position(1, 1), (), f"is larger than {MAX_BYTES >> 10} KiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _fatal(problems, Position(line, 1), (), "is not UTF-8 text") from error


def _fatal(problems: Problems, position: Position, path: Path, text: str) -> _Fatal:
    problems.add(position, path, text)
    return _Fatal(text)


class _Composer:
    """Builds nodes from parser events; checks the bounds before it builds anything."""

    def __init__(self, text: str, problems: Problems) -> None:
        self._problems = problems
        self._text = text
        self._events = self._guarded(text)
        self._anchors: dict[str, YamlNode | None] = {}

    def document(self) -> YamlNode:
        """Return the one document of the file; an empty file is null."""
        self._expect(yaml.StreamStartEvent)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return YamlNode(Position(1, 1), None)
        root = self._node(next(self._events), (), 1)
        self._expect(yaml.DocumentEndEvent)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._stop(
                _start(event), (), "should be one YAML document, but a second one starts here"
            )
        return root

    def _guarded(self, text: str) -> Iterator[Any]:
        """Yield events; turn any parser error into one problem."""
        try:
            yield from yaml.parse(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            position = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
            raise self._not_yaml(position, error.problem or str(error)) from error
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            column = error.position - text.rfind("\n", 0, error.position)
            reason = f"the character U+{ord(text[error.position]):04X} is not allowed"
            raise self._not_yaml(Position(line, column), reason) from error
        except (ValueError, OverflowError) as error:  # PyYAML on escapes beyond Unicode
            raise self._not_yaml(Position(1, 1), str(error)) from error

    def _not_yaml(self, position: Position, reason: str) -> _Fatal:
        text = f"is not valid YAML at column {position.column}: {reason}"
        return self._stop(position, (), text)

    def _stop(self, position: Position, path: Path, text: str) -> _Fatal:
        return _fatal(self._problems, position, path, text)

    def _expect(self, kind: type[yaml.Event]) -> None:
        event = next(self._events)
        if not isinstance(event, kind):
            raise TypeError(f"the YAML parser yielded {event}, expected {kind.__name__}")

    def _node(self, event: Any, path: Path, depth: int) -> YamlNode:
        position = _start(event)
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event, path, depth)
        if depth > MAX_DEPTH:
            raise self._stop(position, path, f"is nested more than {MAX_DEPTH} deep")
        if event.tag is not None:
            self._problems.add(position, path, f"has the tag {str(event.tag)[:_SHOWN]}: remove it")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = YamlNode(position, self._scalar(event, path))
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(position, path, depth)
        else:
            node = self._mapping(position, path, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _aliased(self, event: yaml.AliasEvent, path: Path, depth: int) -> YamlNode:
        position, name = _start(event), str(event.anchor)[:_SHOWN]
        if event.anchor not in self._anchors:
            raise self._stop(position, path, f"*{name} has no &{name} above it")
        node = self._anchors[event.anchor]
        if node is None:
            raise self._stop(position, path, f"*{name} is inside its own &{name}")
        if depth + node.depth - 1 > MAX_DEPTH:
            raise self._stop(position, path, f"is nested more than {MAX_DEPTH} deep")
        return node

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> Scalar:
        text: str = event.value
        if found := _CONTROL.search(text):
            reason = f"contains the control character U+{ord(found[0]):04X}"
            self._problems.add(_start(event), path, reason)
            return ""
        if event.style is not None:
            return text
        if text == "":
            reason = "is empty: give a value or remove the key"
            self._problems.add(_start(event), path, reason)
        return _resolve(text)

    def _sequence(self, position: Position, path: Path, depth: int) -> YamlNode:
        node = YamlNode(position, [])
        items: list[YamlNode] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items)), depth + 1))
            self._count(node, items[-1], path)
        node.content = items
        return node

    def _mapping(self, position: Position, path: Path, depth: int) -> YamlNode:
        node = YamlNode(position, {})
        children: dict[str, Child] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key, at = self._key(event, path), _start(event)
            below = self._node(next(self._events), (*path, key), depth + 1)
            self._count(node, below, path)
            if key in children:
                self._problems.add_repeated(at, (*path, key), children[key].position)
            else:
                children[key] = Child(at, below)
        brought = children.pop(_MERGE, None)
        merged = self._merge(brought.node, (*path, _MERGE)) if brought else {}
        node.content = {**merged, **children}
        return node

    def _key(self, event: Any, path: Path) -> str:
        position = _start(event)
        if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
            raise self._stop(position, path, "a key should be plain text")
        key: str = event.value
        if not key or not key.isprintable() or len(key) > _LONGEST_KEY:
            raise self._stop(position, path, f"{key[:_SHOWN]!r} cannot be used as a key")
        if event.anchor is not None:
            self._anchors[event.anchor] = YamlNode(position, key)
        return key

    def _merge(self, node: YamlNode, path: Path) -> dict[str, Child]:
        """Return the children that `<<` merges in; explicit keys override them."""
        sources = node.content if isinstance(node.content, list) else [node]
        merged: dict[str, Child] = {}
        for source in sources:
            if not isinstance(source.content, dict):
                text = "should be an alias of a mapping, such as *defaults"
                self._problems.add(node.position, path, text)
                return {}
            merged = {**source.content, **merged}
        return merged

    def _count(self, node: YamlNode, below: YamlNode, path: Path) -> None:
        node.values += below.values
        node.depth = max(node.depth, below.depth + 1)
        if node.values > MAX_VALUES:
            reason = f"contains more than {MAX_VALUES} values, counting each alias in full"
            raise self._stop(node.position, path, reason)


def _start(event: Any) -> Position:
    return Position(event.start_mark.line + 1, event.start_mark.column + 1)


def _resolve(text: str) -> Scalar:
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text or None


def _plain(node: YamlNode) -> Any:
    content = node.content
    if isinstance(content, list):
        return [_plain(below) for below in content]
    if isinstance(content, dict):
        return {key: _plain(child.node) for key, child in content.items()}
    return content
