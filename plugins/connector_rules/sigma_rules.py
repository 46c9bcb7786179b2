"""Sigma: whether a text is exactly one YAML document that is a rule."""

from typing import Final

import yaml

from connector_rules.texts import NotWritableError

_DEEPEST: Final = 50
_MOST_NODES: Final = 20_000


def names_of(text: str) -> frozenset[str]:
    """Return the rule's own id, where it has one; raise NotWritableError when it may not stand."""
    try:
        _refuse_unsafe(text)
        rule = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes texts only
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, NotWritableError):
            raise
        raise NotWritableError(f"is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(rule, dict):
        raise NotWritableError("is not a mapping")
    if "action" in rule:
        raise NotWritableError("has an `action`, which binds other rules of the file")
    if not isinstance(rule.get("title"), str):
        raise NotWritableError("has no `title`")
    if not isinstance(rule.get("logsource"), dict):
        raise NotWritableError("has no `logsource`")
    detection = rule.get("detection")
    if not isinstance(detection, dict) or "condition" not in detection:
        raise NotWritableError("has no `detection` with a `condition`")
    known = rule.get("id")
    return frozenset() if known is None else frozenset([str(known).lower()])


def _refuse_unsafe(text: str) -> None:
    """Refuse several documents, what refers to elsewhere, and what is far too deep or large."""
    depth = documents = 0
    for number, event in enumerate(yaml.parse(text, Loader=yaml.BaseLoader)):
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
