"""How a file fills the fields of an entry: five verbs, and a closed list of inputs."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from math import isfinite
from string import Formatter
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, ValidationError, WithJsonSchema, field_validator
from pydantic import model_validator as after_all

from connector.errors import ConfigError
from connector.model import FieldValue
from connector.settings import Field, Settings

__all__ = [
    "UNPRINTABLE",
    "FieldSpec",
    "Input",
    "overlay",
    "read_mapping",
    "template_parts",
]

# Control characters, line and paragraph separators, text direction marks, lone surrogates: they
# could end a line, hide text in a console, or not be valid UTF-8 at all.
UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LARGEST_NUMBER: Final = 2**63 - 1


class Input(StrEnum):
    """What a mapping may read; `indicator.confidence` is another spelling of `confidence`."""

    TYPE = "type"
    VALUE = "value"
    CONFIDENCE = "confidence"
    INDICATOR_ID = "indicator.id"
    INDICATOR_NAME = "indicator.name"
    INDICATOR_TYPE = "indicator.type"
    INDICATOR_LABELS = "indicator.labels"
    INDICATOR_CREATED_BY = "indicator.created_by"
    INDICATOR_MODIFIED = "indicator.modified"
    CONTEXT_COUNTRY = "context.country"
    CONTEXT_THREAT_ACTOR = "context.threat_actor"
    CONTEXT_MALWARE = "context.malware"
    CONTEXT_CAMPAIGN = "context.campaign"
    CONTEXT_SECTOR = "context.sector"
    CONTEXT_REPORT = "context.report"
    PRODUCER_NAME = "producer.name"
    FEED_NAME = "feed.name"
    LIST_NAME = "list.name"
    OUTPUT_NAME = "output.name"
    MARKING = "marking"
    VALID_FROM = "valid_from"
    VALID_UNTIL = "valid_until"
    VALID_FROM_EPOCH = "valid_from_epoch"
    VALID_UNTIL_EPOCH = "valid_until_epoch"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls("confidence") if value == "indicator.confidence" else None

    @property
    def numeric(self) -> bool:
        """Whether this is a number, so that `steps` can be applied."""
        return self in _NUMERIC


_NUMERIC: Final = (Input.CONFIDENCE, Input.VALID_FROM_EPOCH, Input.VALID_UNTIL_EPOCH)
_SPELLINGS: Final = (*(str(one) for one in Input), "indicator.confidence")


def _input(value: object) -> Input:
    try:
        return Input(str(value))
    except ValueError:
        near = get_close_matches(str(value), _SPELLINGS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(
            f"{value} is not an input: {hint}Inputs are {', '.join(sorted(_SPELLINGS))}"
        ) from None


def _constant(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError("should be a text, a number, true or false")  # noqa: TRY004  pydantic
    if isinstance(value, str) and UNPRINTABLE.search(value):
        raise ValueError("should be one line without control characters")
    if isinstance(value, int | float) and not (isfinite(value) and abs(value) <= _LARGEST_NUMBER):
        raise ValueError(f"should be a number up to {_LARGEST_NUMBER}")
    return value


def _keys_as_text(value: object) -> object:
    """Turn keys such as 80 or true, which YAML reads as number or boolean, into text."""
    if not isinstance(value, dict):
        return value
    return {
        str(key).lower() if isinstance(key, bool) else str(key): one for key, one in value.items()
    }


Constant = Annotated[FieldValue, BeforeValidator(_constant)]
Word = Annotated[str | int, BeforeValidator(_constant)]
InputName = Annotated[
    Input,
    BeforeValidator(_input),
    WithJsonSchema({"type": "string", "enum": sorted(_SPELLINGS)}),
]


class FieldSpec(Settings):
    """How to fill one field: `from` or `template`, refined by `values`, `steps` and `default`."""

    from_: InputName | None = Field(None, alias="from", description="Input that fills this field.")
    template: str | None = Field(
        None, description="Text with inputs in braces, as in `{indicator.id} of {feed.name}`."
    )
    values: Annotated[dict[str, Constant], BeforeValidator(_keys_as_text)] | None = Field(
        None, description="Table in which to look up `from`; missing values take `default`."
    )
    steps: dict[Word, float] | None = Field(
        None,
        description="Results with their lower bounds, as in `{low: 0, high: 80}`; the one with the "
        "highest bound that `from` reaches is taken.",
    )
    default: Constant | None = Field(
        None, description="Value if there is no other; by itself, a constant."
    )

    @field_validator("template")
    @classmethod
    def _readable(cls, template: str | None) -> str | None:
        if template is not None:
            _constant(template)
            template_parts(template)
        return template

    @field_validator("steps")
    @classmethod
    def _ordered(cls, steps: dict[str | int, float] | None) -> dict[str | int, float] | None:
        if steps is not None:
            if not steps or not all(isfinite(bound) for bound in steps.values()):
                raise ValueError(
                    "should give each result its lower bound, as in {low: 0, high: 80}"
                )
            if len(set(steps.values())) < len(steps):
                raise ValueError("should have a different bound for each result")
        return steps

    @after_all(mode="after")
    def _fit_together(self) -> Self:
        if self.from_ is not None and self.template is not None:
            raise ValueError("should have from or template, not both")
        if self.from_ is None and (self.values is not None or self.steps is not None):
            raise ValueError("needs from with values or steps: the value to look up")
        if self.values is not None and self.steps is not None:
            raise ValueError("should have values or steps, not both")
        if self.steps is not None and self.from_ is not None and not self.from_.numeric:
            raise ValueError(
                f"steps need a number: {self.from_} is not one; {', '.join(_NUMERIC)} are"
            )
        if self.from_ is None and self.template is None and self.default is None:
            raise ValueError("should have from, template or default")
        return self


def template_parts(template: str) -> list[tuple[str, Input | None]]:
    """Return a template cut into literal text, each piece with the input that follows it."""
    parts: list[tuple[str, Input | None]] = []
    try:
        pieces = list(Formatter().parse(template))
    except ValueError:
        raise ValueError(
            "has an unmatched brace: inputs are written {value}, a literal brace {{ or }}"
        ) from None
    for text, name, form, conversion in pieces:
        if form or conversion:
            raise ValueError(f"should just be {{{name}}}: templates have no formatting")
        parts.append((text, None if name is None else _input(name)))
    return parts


def read_mapping(raw: Mapping[str, Any]) -> dict[str, FieldSpec]:
    """Return an adapter's default mapping; raise ConfigError with all its problems."""
    specs: dict[str, FieldSpec] = {}
    problems: list[str] = []
    for name, one in raw.items():
        try:
            specs[name] = FieldSpec.model_validate(one)
        except ValidationError as error:
            for found in error.errors():
                path = ".".join(str(step) for step in (name, *found["loc"]))
                problems.append(f"{path}: {found['msg'].removeprefix('Value error, ')}")
    if problems:
        raise ConfigError(problems)
    return specs


def overlay(
    default: Mapping[str, FieldSpec], operator: Mapping[str, FieldSpec | None]
) -> dict[str, FieldSpec]:
    """Return an adapter's mapping overridden by the operator's; null drops a field."""
    return {name: spec for name, spec in {**default, **operator}.items() if spec is not None}
