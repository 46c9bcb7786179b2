"""Sigma: whether a text is exactly one YAML document that is a rule, and bears on no other one.

A reader refuses a file whole for one scalar that is not what it looks like (a date of the 99th),
and readers differ in what they make of one. So a text is read as `yaml.safe_load` does, and what
only some would read is refused.
"""

import re
from typing import Any, Final

import yaml

from connector_rules.texts import NotWritableError

_DEEPEST: Final = 50
_MOST_NODES: Final = 20_000
_LONGEST_NUMBER: Final = 40  # a number, date or truth value; a longer one is slow or not readable
_MARK: Final = re.compile(r"^(?:---|\.\.\.)", re.MULTILINE)
_LINE_ENDS: Final = "\r\n"
_TEXT: Final = "tag:yaml.org,2002:str"
# What the specification and pySigma read as binding other rules of the file.
_BINDING: Final = ("action", "correlation", "filter")
_RESOLVER: Final = yaml.resolver.Resolver()


def names_of(text: str) -> frozenset[str]:
    """Return the rule's own id, where it has one; raise NotWritableError when it may not stand."""
    try:
        _refuse_unsafe(text)
        rule = yaml.safe_load(text)
    except NotWritableError:
        raise
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise NotWritableError(f"is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(rule, dict):
        raise NotWritableError("is not a mapping")
    for key in _BINDING:
        if key in rule:
            raise NotWritableError(f"has `{key}`, which binds other rules of the file")
    _refuse_formless(rule)
    known = rule.get("id")
    return frozenset() if known is None else frozenset([str(known).lower()])


def document_of(text: str) -> str:
    """Return a rule as a document of its own, whatever marks it begins and ends its own with."""
    begins, ends = 0, len(text)
    if not _MARK.search(text):
        return f"---\n{text.strip(_LINE_ENDS)}\n"
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.DocumentStartEvent) and event.explicit:
            begins = getattr(event.end_mark, "index", begins)
        if isinstance(event, yaml.DocumentEndEvent) and event.explicit:
            ends = getattr(event.start_mark, "index", ends)
    return f"---\n{text[begins:ends].strip(_LINE_ENDS)}\n"


def _refuse_formless(rule: dict[Any, Any]) -> None:
    if not isinstance(rule.get("title"), str):
        raise NotWritableError("has no `title` that is a text")
    if not isinstance(rule.get("logsource"), dict):
        raise NotWritableError("has no `logsource`")
    detection = rule.get("detection")
    if not isinstance(detection, dict) or "condition" not in detection:
        raise NotWritableError("has no `detection` with a `condition`")
    if not isinstance(rule.get("id", ""), str):
        raise NotWritableError("has an `id` that is not a text")


def _refuse_unsafe(text: str) -> None:
    """Refuse several documents, what refers to elsewhere, and what is far too deep or large."""
    depth = documents = 0
    for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            raise NotWritableError("holds several documents: each would be a rule of its own")
        if isinstance(event, yaml.DocumentStartEvent) and (event.version or event.tags):
            raise NotWritableError("holds a YAML directive")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise NotWritableError("holds an anchor or an alias")
        if getattr(event, "tag", None):
            raise NotWritableError("holds a tag")
        if depth > _DEEPEST or number > _MOST_NODES:
            raise NotWritableError("is too deep or too large for a rule")
        if isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
            _refuse_bent(event.value)
    _refuse_repeated(yaml.compose(text, Loader=yaml.SafeLoader))


def _refuse_bent(value: str) -> None:
    """Refuse a plain scalar that a reader takes apart instead of taking it as it is."""
    if value in {"<<", "="}:
        raise NotWritableError(f"has a key {value}, which some readers replace")
    if len(value) > _LONGEST_NUMBER:
        kind = _RESOLVER.resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
        if kind != _TEXT:
            raise NotWritableError("holds a number that is too long to be one")


def _refuse_repeated(node: yaml.Node | None) -> None:
    """Refuse a key that stands twice: readers take the first, the last, or nothing at all."""
    waiting = [] if node is None else [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, yaml.SequenceNode):
            waiting += part.value
        elif isinstance(part, yaml.MappingNode):
            keys = [key.value for key, _value in part.value if isinstance(key, yaml.ScalarNode)]
            if len(set(keys)) < len(keys):
                raise NotWritableError("has a key twice")
            waiting += [value for _key, value in part.value]
