"""Turns validation errors into our own wording: what should be there, and what is."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from inspect import isclass
from typing import Any, Final, get_args

import msgspec
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from connector.config.values import WORD_ERROR
from connector.registry import nearest
from connector.settings import write_duration

_KEY: Final = "[key]"
_PLAIN: Final = re.compile(r"[^\s\"'\\\x00-\x1f]{1,80}")
_USERINFO: Final = re.compile(r"//[^/@\s]*@")
_QUOTED: Final = re.compile(r"'((?:[^'\\]|\\.)*)'")
_LONGEST: Final = 80


class Finding(msgspec.Struct, frozen=True):
    """What should be there (`wish`), and what is (`found`, empty if that adds nothing)."""

    wish: str
    found: str = ""

    def __str__(self) -> str:
        return f"{self.wish}, is {self.found}" if self.found else self.wish


def explain(
    error: ErrorDetails, model: type[BaseModel], owner: str, beside: tuple[str, ...]
) -> Finding:
    """Return one validation error in our words; `owner` and `beside` are for unknown keys."""
    kind, context = error["type"], error.get("ctx", {})
    loc = error["loc"]
    value = loc[-2] if loc and loc[-1] == _KEY else error["input"]
    if kind == "missing":
        return Finding("is missing")
    if kind == "extra_forbidden":
        would_do = _keys(model, loc[:-1]) if len(loc) > 1 else (*_keys(model, ()), *beside)
        return Finding(f"is not {owner} ({nearest(str(loc[-1]), would_do)})")
    if kind == "value_error":
        return _from_validator(str(context["error"]), value)
    if kind in {WORD_ERROR, "enum", "literal_error"}:
        words = _words(context)
        found = _typed(value) if value in words and kind == "literal_error" else shown(value)
        return Finding(f"should be {context.get('or', '')}{_choice(value, words)}", found)
    if kind in _SHAPES:
        return Finding(f"should be {_SHAPES[kind]}", _outline(value))
    if kind in _TYPES:
        return Finding(f"should be {_TYPES[kind]}", _typed(value))
    if kind == "string_type":
        hint = ": put it in quotes" if isinstance(value, int | float) else ""
        return Finding("should be text", shown(value) + hint)
    if kind in _BOUNDS:
        return Finding(_BOUNDS[kind](context), _measured(value))
    return Finding(error["msg"].replace("Input should", "should", 1), shown(value))


def merge(findings: Iterable[Finding]) -> Finding:
    """Return one finding for a value that was checked against several types."""
    several = list(dict.fromkeys(findings))
    if len(several) == 1 or not all(one.wish.startswith("should be ") for one in several):
        return several[0]
    wishes = dict.fromkeys(one.wish.removeprefix("should be ") for one in several)
    return Finding(f"should be {' or '.join(wishes)}", several[0].found)


def shown(value: Any) -> str:
    """Return a value as typed, shortened, and without any password in a URL."""
    if isinstance(value, str):
        if not value:
            return "empty text"
        hidden = _USERINFO.sub("//***@", value)
        cut = hidden if len(hidden) <= _LONGEST else hidden[: _LONGEST - 3] + "..."
        return cut if _PLAIN.fullmatch(cut) else json.dumps(cut, ensure_ascii=False)
    if isinstance(value, bool | int | float) or value is None:
        return json.dumps(value)
    return _outline(value)


def _outline(value: Any) -> str:
    """Name the kind of a value, never the value: it may be a secret in the wrong place."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "null"
    return "text" if isinstance(value, str) else shown(value)


def _typed(value: Any) -> str:
    return f"the text {shown(value)}" if isinstance(value, str) and value else shown(value)


def _measured(value: Any) -> str:
    return "" if isinstance(value, list | tuple | Mapping) else shown(value)


def _from_validator(message: str, value: Any) -> Finding:
    """Return a validator's own sentence, with the value where that cannot be a secret."""
    complete = "secret" in message or ", is " in message
    if (
        message.startswith("should")
        and not complete
        and isinstance(value, str | int | float | bool)
    ):
        return Finding(message, shown(value))
    return Finding(message)


def _words(context: Mapping[str, Any]) -> tuple[str, ...]:
    if "words" in context:
        return tuple(context["words"])
    expected = str(context.get("expected", ""))
    return tuple(_QUOTED.findall(expected)) or tuple(re.split(r", | or ", expected))


def _choice(value: Any, words: tuple[str, ...]) -> str:
    if len(words) <= 5:
        return " or ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)
    return f"one of {nearest(shown(value), words)}"


def _keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """Return the valid keys at the place of an unknown one."""
    current = model
    for part in loc:
        for name, field in current.model_fields.items():
            if part == (field.alias or name):
                current = next(_models(field.annotation), current)
                break
    return tuple(field.alias or name for name, field in current.model_fields.items())


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _amount(value: Any) -> str:
    if isinstance(value, timedelta):
        return write_duration(value)
    return str(int(value) if value == int(value) else value)


def _form(pattern: str) -> str:
    """Describe the pattern of a URL; show any other pattern as it is."""
    if pattern.startswith("^https?://"):
        return "should begin with https:// or http:// and a host"
    return f"should match {pattern}"


def _count(context: Mapping[str, Any], bound: str, few: str, noun: str) -> str:
    number = context[bound]
    return f"should have {few} {number} {noun}{'' if number == 1 else 's'}"


_SHAPES: Final[Mapping[str, str]] = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "list_type": "a list such as [a, b]",
    "tuple_type": "a list such as [a, b]",
    "set_type": "a list such as [a, b]",
    "frozen_set_type": "a list such as [a, b]",
}
_TYPES: Final[Mapping[str, str]] = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
_BOUNDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "greater_than_equal": lambda context: f"should be at least {_amount(context['ge'])}",
    "greater_than": lambda context: f"should be more than {_amount(context['gt'])}",
    "less_than_equal": lambda context: f"should be at most {_amount(context['le'])}",
    "less_than": lambda context: f"should be less than {_amount(context['lt'])}",
    "string_pattern_mismatch": lambda context: _form(context["pattern"]),
    "string_too_short": lambda context: _count(context, "min_length", "at least", "character"),
    "string_too_long": lambda context: _count(context, "max_length", "at most", "character"),
    "too_short": lambda context: _count(context, "min_length", "at least", "value"),
    "too_long": lambda context: _count(context, "max_length", "at most", "value"),
}
