"""Sigma: checks that a text is exactly one YAML document with one rule that affects no other.

One scalar that is not what it looks like (a date on the 99th) makes a reader refuse the whole
file, and readers differ in what they accept. So a text is read as `yaml.safe_load` reads it, and
what only some readers accept is refused.
"""

import re
from typing import Any, Final

import yaml

from connector_rules.texts import RuleRejectedError

_DEEPEST: Final = 50
_MOST_NODES: Final = 20_000
_LONGEST_NUMBER: Final = 40  # a number, date or boolean; a longer one is slow or unreadable
_MARK: Final = re.compile(r"^(?:---|\.\.\.)", re.MULTILINE)
_LINE_ENDS: Final = "\r\n"
_TEXT: Final = "tag:yaml.org,2002:str"
# Keys with which, by the specification and pySigma, a document affects other rules of the file.
_BINDING: Final = ("action", "correlation", "filter")
_RESOLVER: Final = yaml.resolver.Resolver()


def names_of(text: str) -> frozenset[str]:
    """Return the rule's own id, if any; raise RuleRejectedError where it may not be written."""
    try:
        _refuse_unsafe(text)
        rule = yaml.safe_load(text)
    except RuleRejectedError:
        raise
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise RuleRejectedError(f"is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(rule, dict):
        raise RuleRejectedError("is not a mapping")
    for key in _BINDING:
        if key in rule:
            raise RuleRejectedError(f"has `{key}`, which affects other rules of the file")
    _refuse_formless(rule)
    known = rule.get("id")
    return frozenset() if known is None else frozenset([str(known).lower()])


def document_of(text: str) -> str:
    """Return a rule as one YAML document, without the document marks of its own text."""
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
        raise RuleRejectedError("has no `title`, or one that is not a string")
    if not isinstance(rule.get("logsource"), dict):
        raise RuleRejectedError("has no `logsource`")
    detection = rule.get("detection")
    if not isinstance(detection, dict) or "condition" not in detection:
        raise RuleRejectedError("has no `detection` with a `condition`")
    if not isinstance(rule.get("id", ""), str):
        raise RuleRejectedError("has an `id` that is not a string")


def _refuse_unsafe(text: str) -> None:
    """Refuse several documents, references, and what is nested too deeply or too large."""
    depth = documents = 0
    for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            raise RuleRejectedError("contains several documents: each would be a separate rule")
        if isinstance(event, yaml.DocumentStartEvent) and (event.version or event.tags):
            raise RuleRejectedError("contains a YAML directive")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise RuleRejectedError("contains an anchor or an alias")
        if getattr(event, "tag", None):
            raise RuleRejectedError("contains a tag")
        if depth > _DEEPEST or number > _MOST_NODES:
            raise RuleRejectedError("is nested too deeply or too large for a rule")
        if isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
            _refuse_bent(event.value)
    _refuse_repeated(yaml.compose(text, Loader=yaml.SafeLoader))


def _refuse_bent(value: str) -> None:
    """Refuse a plain scalar that a reader interprets instead of taking it as text."""
    if value in {"<<", "="}:
        raise RuleRejectedError(f"has a key {value}, which some readers replace")
    if len(value) > _LONGEST_NUMBER:
        kind = _RESOLVER.resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
        if kind != _TEXT:
            raise RuleRejectedError("contains a number that is too long")


def _refuse_repeated(node: yaml.Node | None) -> None:
    """Refuse a repeated key: readers take the first, the last, or nothing at all."""
    waiting = [] if node is None else [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, yaml.SequenceNode):
            waiting += part.value
        elif isinstance(part, yaml.MappingNode):
            keys = [key.value for key, _value in part.value if isinstance(key, yaml.ScalarNode)]
            if len(set(keys)) < len(keys):
                raise RuleRejectedError("has a key twice")
            waiting += [value for _key, value in part.value]
