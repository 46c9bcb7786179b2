"""Fills each entry's fields for an output: a mapping, compiled once and then only called."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from hashlib import blake2b
from types import MappingProxyType
from typing import Final

import msgspec

from connector.decisions.fields import (
    UNPRINTABLE,
    FieldSpec,
    Input,
    overlay,
    read_mapping,
    template_parts,
)
from connector.errors import ConfigError
from connector.model import FieldValue, Observable, Rule

__all__ = [
    "Facts",
    "FieldSpec",
    "Input",
    "Mapper",
    "compile_mapping",
    "digest",
    "overlay",
    "read_mapping",
    "unknown_fields",
]

_LONGEST_TEXT: Final = 255
_WRITTEN_BY_FEEDS: Final = ("indicator.", "context.", "producer.")


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts that the inputs of a mapping read, for one entry; times are in UTC.

    `hides_value` keeps a value that is personal information out of comments.
    """

    observable: Observable
    indicator_id: str
    indicator_name: str
    indicator_types: tuple[str, ...]
    labels: tuple[str, ...]
    created_by: str
    modified: datetime | None
    confidence: int | None
    feed: str
    list: str
    output: str
    marking: str
    valid_from: datetime | None
    valid_until: datetime | None
    context: Callable[[str], tuple[str, ...]] = lambda _kind: ()
    producer: Callable[[], str] = lambda: ""
    hides_value: bool = False


_Reader = Callable[[Facts], FieldValue | None]


class Mapper:
    """Fills the fields of entries; `needs` has the inputs that it reads, `names` the fields."""

    __slots__ = ("_constant", "_fields", "names", "needs")

    def __init__(self, specs: Mapping[str, FieldSpec], longest: Mapping[str, int]) -> None:
        self.names = tuple(specs)
        self.needs = frozenset(one for spec in specs.values() for one in _inputs(spec))
        self._constant = {
            name: spec.default
            for name, spec in specs.items()
            if spec.default is not None and not _inputs(spec)
        }
        self._fields = tuple(
            (name, _cut(_reader(spec), longest.get(name, _LONGEST_TEXT)))
            for name, spec in specs.items()
            if name not in self._constant
        )

    @property
    def blank(self) -> bool:
        """Whether nothing is mapped, so that no facts are needed."""
        return not (self._constant or self._fields)

    def __call__(self, facts: Facts) -> Mapping[str, FieldValue]:
        """Return the read-only fields of one entry; constant ones are shared."""
        if not self._fields:
            return self._constant
        fields = self._constant.copy()
        for name, read in self._fields:
            value = read(facts)
            if value is not None:
                fields[name] = value
        return fields


def compile_mapping(
    spec: Mapping[str, FieldSpec],
    allowed: Collection[str],
    longest: Mapping[str, int] = MappingProxyType({}),
) -> Mapper:
    """Return the mapper of an output whose target offers the fields `allowed`.

    `longest` has the fields whose text the target bounds.
    """
    if unknown := unknown_fields(spec, allowed):
        raise ConfigError([f"{name}: {words}" for name, words in unknown.items()])
    return Mapper(spec, longest)


def unknown_fields(names: Mapping[str, object], allowed: Collection[str]) -> dict[str, str]:
    """Return the mapped fields that a target does not offer, each with the valid ones."""
    offered = ", ".join(sorted(allowed)) or "it has none"
    problems: dict[str, str] = {}
    for name in names:
        if name not in allowed:
            near = get_close_matches(name, allowed, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems[name] = f"is not a field of this target ({offered}){hint}"
    return problems


def digest(fields: Mapping[str, FieldValue]) -> int:
    """Return 63 bits that change with the fields, the same on every run; 0 for no fields."""
    if not fields:
        return 0
    return _hashed(msgspec.json.encode(dict(fields), order="sorted"))


def digest_of_rule(rule: Rule) -> int:
    """Return 63 bits that change with any part of a rule, the same on every run."""
    return _hashed(msgspec.json.encode(rule))


def _hashed(encoded: bytes) -> int:
    return int.from_bytes(blake2b(encoded, digest_size=8).digest(), "big") >> 1 or 1


def _inputs(spec: FieldSpec) -> frozenset[Input]:
    if spec.template is not None:
        return frozenset(one for _, one in template_parts(spec.template) if one is not None)
    return frozenset() if spec.from_ is None else frozenset([spec.from_])


def _reader(spec: FieldSpec) -> _Reader:
    """Return the function that fills one field; None leaves the field out."""
    if spec.from_ is None:
        return _fill(spec.template or "", spec.default)
    read = _clean(spec.from_)
    if spec.values is not None:
        return _look_up(read, spec.values, spec.default)
    if spec.steps is not None:
        return _climb(read, spec.steps, spec.default)
    return read if spec.default is None else _fall_back(read, spec.default)


def _cut(read: _Reader, longest: int) -> _Reader:
    """Return a reader whose texts are no longer than that; every text already is of 255 or less."""
    if longest >= _LONGEST_TEXT:
        return read

    def reader(facts: Facts) -> FieldValue | None:
        value = read(facts)
        return value[:longest] if isinstance(value, str) else value

    return reader


def _fall_back(read: _Reader, default: FieldValue) -> _Reader:
    def reader(facts: Facts) -> FieldValue | None:
        value = read(facts)
        return default if value is None or value == "" else value

    return reader


def _look_up(
    read: _Reader, values: Mapping[str, FieldValue], default: FieldValue | None
) -> _Reader:
    def reader(facts: Facts) -> FieldValue | None:
        return values.get(str(read(facts)), default)

    return reader


def _climb(read: _Reader, steps: Mapping[str | int, float], default: FieldValue | None) -> _Reader:
    ladder = sorted(steps.items(), key=lambda step: step[1])
    bounds = [bound for _, bound in ladder]
    results: list[FieldValue | None] = [default, *(result for result, _ in ladder)]

    def reader(facts: Facts) -> FieldValue | None:
        value = read(facts)
        return default if not isinstance(value, int) else results[bisect_right(bounds, value)]

    return reader


def _fill(template: str, default: FieldValue | None) -> _Reader:
    parts = template_parts(template)
    shape = "".join(text.replace("%", "%%") + ("%s" if one else "") for text, one in parts)
    readers = [_raw_text(one) for _, one in parts if one is not None]

    def reader(facts: Facts) -> FieldValue | None:
        texts = [read(facts) for read in readers]
        if default is not None and not any(texts):
            return default
        return _one_line(shape % tuple(texts))

    return reader


def _one_line(text: str) -> str:
    """Join hostile feed text into one line: it must not start a line of its own at a target."""
    return (text if text.isprintable() else UNPRINTABLE.sub(" ", text))[:_LONGEST_TEXT]


def _raw_text(one: Input) -> _Reader:
    """Return the function that gives a template its input: text, or empty if absent."""
    read = _READERS[one]
    if not one.numeric:
        return read

    def reader(facts: Facts) -> str:
        value = read(facts)
        return "" if value is None else str(value)

    return reader


def _clean(one: Input) -> _Reader:
    """Return the function that reads an input, as one line if the text is from the feed."""
    read = _READERS[one]
    if not one.startswith(_WRITTEN_BY_FEEDS) or one is Input.INDICATOR_MODIFIED:
        return read
    return lambda facts: _one_line(str(read(facts)))


def _iso(moment: datetime | None) -> str:
    """Return `2026-11-23T01:00:00Z`, or nothing for an open end."""
    return "" if moment is None or moment.year == 9999 else f"{moment.isoformat()[:19]}Z"


def _epoch(moment: datetime | None) -> int | None:
    return None if moment is None or moment.year == 9999 else int(moment.timestamp())


_READERS: Final[Mapping[Input, _Reader]] = MappingProxyType(
    {
        Input.TYPE: lambda facts: str(facts.observable.type),
        Input.VALUE: lambda facts: "" if facts.hides_value else facts.observable.value,
        Input.CONFIDENCE: lambda facts: facts.confidence,
        Input.INDICATOR_ID: lambda facts: facts.indicator_id,
        Input.INDICATOR_NAME: lambda facts: facts.indicator_name,
        Input.INDICATOR_TYPE: lambda facts: _first(facts.indicator_types, facts.labels),
        Input.INDICATOR_LABELS: lambda facts: ",".join(facts.labels),
        Input.INDICATOR_CREATED_BY: lambda facts: facts.created_by,
        Input.INDICATOR_MODIFIED: lambda facts: _iso(facts.modified),
        Input.CONTEXT_COUNTRY: lambda facts: ",".join(facts.context("country")),
        Input.CONTEXT_THREAT_ACTOR: lambda facts: ",".join(facts.context("threat_actor")),
        Input.CONTEXT_MALWARE: lambda facts: ",".join(facts.context("malware")),
        Input.CONTEXT_CAMPAIGN: lambda facts: ",".join(facts.context("campaign")),
        Input.CONTEXT_SECTOR: lambda facts: ",".join(facts.context("sector")),
        Input.CONTEXT_REPORT: lambda facts: ",".join(facts.context("report")),
        Input.PRODUCER_NAME: lambda facts: facts.producer(),
        Input.FEED_NAME: lambda facts: facts.feed,
        Input.LIST_NAME: lambda facts: facts.list,
        Input.OUTPUT_NAME: lambda facts: facts.output,
        Input.MARKING: lambda facts: facts.marking,
        Input.VALID_FROM: lambda facts: _iso(facts.valid_from),
        Input.VALID_UNTIL: lambda facts: _iso(facts.valid_until),
        Input.VALID_FROM_EPOCH: lambda facts: _epoch(facts.valid_from),
        Input.VALID_UNTIL_EPOCH: lambda facts: _epoch(facts.valid_until),
    }
)


def _first(*choices: tuple[str, ...]) -> str:
    """Return the first word, if any: STIX 2.0 has an indicator's type among its labels."""
    return next((words[0] for words in choices if words), "")
