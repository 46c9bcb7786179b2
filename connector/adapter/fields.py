"""What a mapping may fill beside an entry's value: each field with the values that it can have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from connector.decisions.fields import FieldSpec as Filling
from connector.decisions.fields import Input
from connector.model import FieldValue

__all__ = ["Choice", "FieldSpec", "Flag", "Instant", "Number", "Text", "longest", "misfits"]

_CONFIDENCES: Final = (0, 100)
_INSTANTS: Final = {
    Input.INDICATOR_MODIFIED,
    Input.VALID_FROM,
    Input.VALID_UNTIL,
    Input.VALID_FROM_EPOCH,
    Input.VALID_UNTIL_EPOCH,
}


class Text(msgspec.Struct, frozen=True):
    """Free text on one line; what a mapping fills is cut to `max_length` characters."""

    max_length: int = 255

    @property
    def words(self) -> str:
        """The kind of value, for people."""
        return f"text of at most {self.max_length} characters"

    def takes(self, value: FieldValue) -> bool:
        """Return whether the field can have this constant."""
        return len(str(value)) <= self.max_length

    def takes_input(self, _input: Input | None) -> bool:
        """Return whether an input, or a template, may fill the field as it is."""
        return True


class Number(msgspec.Struct, frozen=True):
    """A number, within bounds where they are given."""

    least: float | None = None
    most: float | None = None

    @property
    def words(self) -> str:
        """The kind of value, for people."""
        bounds = (("at least", self.least), ("at most", self.most))
        said = " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
        return f"a number of {said}" if said else "a number"

    def takes(self, value: FieldValue) -> bool:
        """Return whether the field can have this constant."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        low = self.least is not None and value < self.least
        return not low and not (self.most is not None and value > self.most)

    def takes_input(self, given: Input | None) -> bool:
        """Return whether an input, or a template, may fill the field as it is."""
        if given is Input.CONFIDENCE:
            return all(self.takes(bound) for bound in _CONFIDENCES)
        return given is not None and given.numeric


@dataclass(frozen=True, slots=True, init=False)
class Choice:
    """One of a few words."""

    choices: tuple[str, ...]

    def __init__(self, *choices: str) -> None:
        object.__setattr__(self, "choices", choices)

    @property
    def words(self) -> str:
        """The kind of value, for people."""
        return "one of " + ", ".join(self.choices)

    def takes(self, value: FieldValue) -> bool:
        """Return whether the field can have this constant."""
        return value in self.choices

    def takes_input(self, _input: Input | None) -> bool:
        """Return whether an input, or a template, may fill the field as it is."""
        return False


class Flag(msgspec.Struct, frozen=True):
    """True or false."""

    @property
    def words(self) -> str:
        """The kind of value, for people."""
        return "true or false"

    def takes(self, value: FieldValue) -> bool:
        """Return whether the field can have this constant."""
        return isinstance(value, bool)

    def takes_input(self, _input: Input | None) -> bool:
        """Return whether an input, or a template, may fill the field as it is."""
        return False


class Instant(msgspec.Struct, frozen=True):
    """A time: RFC 3339 text in UTC, or seconds since 1970, as the mapping's input gives it."""

    @property
    def words(self) -> str:
        """The kind of value, for people."""
        return "a time, as RFC 3339 text or in seconds since 1970"

    def takes(self, value: FieldValue) -> bool:
        """Return whether the field can have this constant."""
        if not isinstance(value, str):
            return not isinstance(value, bool)
        try:
            return datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            return False

    def takes_input(self, given: Input | None) -> bool:
        """Return whether an input, or a template, may fill the field as it is."""
        return given in _INSTANTS


FieldSpec = Text | Number | Choice | Flag | Instant


def misfits(
    fillings: Mapping[str, Filling | None], fields: Mapping[str, FieldSpec]
) -> dict[str, str]:
    """Return the mapped fields that may get a value which they cannot have, each with words."""
    found: dict[str, str] = {}
    for name, filling in fillings.items():
        spec = fields.get(name)
        if filling is not None and spec is not None:
            for words in _misfits(filling, spec):
                found.setdefault(name, f"should be {spec.words}: {words}")
    return found


def longest(fields: Mapping[str, FieldSpec]) -> dict[str, int]:
    """Return how long the text of each field may be, where that is bounded."""
    return {name: spec.max_length for name, spec in fields.items() if isinstance(spec, Text)}


def _misfits(filling: Filling, spec: FieldSpec) -> Iterator[str]:
    for value in _constants(filling):
        if not spec.takes(value):
            yield f"{str(value)[:80]} is not"
    if filling.values is not None or filling.steps is not None:
        return
    if filling.template is not None and not spec.takes_input(None):
        yield "a template gives text"
    if filling.from_ is not None and not spec.takes_input(filling.from_):
        hint = ", so use steps or values" if filling.from_ is Input.CONFIDENCE else ""
        yield f"{filling.from_} may be something else{hint}"


def _constants(filling: Filling) -> Iterator[FieldValue]:
    if filling.default is not None:
        yield filling.default
    yield from (filling.values or {}).values()
    yield from filling.steps or {}
