"""A field says which values it can have; a mapping that may give it another is told so at once."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import pytest

from connector.adapter import (
    ALL_WRITTEN,
    Choice,
    Entry,
    FieldSpec,
    Flag,
    Held,
    Instant,
    ListAdapter,
    Number,
    ObservableType,
    Outcomes,
    Settings,
    Text,
)
from connector.adapter.fields import longest, misfits
from connector.decisions.mapping import read_mapping
from connector.errors import ConfigError
from connector.registry import Registry

LEVEL = Choice("low", "high")


@pytest.mark.parametrize(
    ("spec", "filling"),
    [
        (Text(8), {"template": "{indicator.name}"}),
        (Text(8), {"default": "12345678"}),
        (Number(0, 100), {"from": "confidence"}),
        (Number(), {"from": "valid_until_epoch"}),
        (Number(1, 10), {"from": "confidence", "steps": {1: 0, 10: 80}}),
        (LEVEL, {"from": "confidence", "steps": {"low": 0, "high": 80}}),
        (LEVEL, {"from": "type", "values": {"url": "low"}, "default": "high"}),
        (Flag(), {"from": "type", "values": {"url": True}, "default": False}),
        (Instant(), {"from": "valid_until", "default": "2037-01-01T00:00:00Z"}),
        (Instant(), {"from": "valid_until_epoch", "default": 0}),
    ],
)
def test_a_mapping_that_only_gives_what_a_field_can_have_fits(
    spec: FieldSpec, filling: Mapping[str, Any]
) -> None:
    assert misfits(read_mapping({"field": filling}), {"field": spec}) == {}


@pytest.mark.parametrize(
    ("spec", "filling", "words"),
    [
        (Text(8), {"default": "123456789"}, "should be text of at most 8 characters: 123456789"),
        (Number(0, 10), {"from": "confidence"}, "at least 0 and at most 10: confidence may be"),
        (Number(0, 10), {"default": 11}, "should be a number of at least 0 and at most 10: 11"),
        (Number(), {"default": True}, "should be a number: True is not"),
        (Number(), {"template": "{confidence}"}, "a template gives text"),
        (Number(), {"from": "type"}, "type may be something else"),
        (LEVEL, {"default": "medium"}, "should be one of low, high: medium is not"),
        (LEVEL, {"from": "indicator.type"}, "indicator.type may be something else"),
        (LEVEL, {"from": "confidence", "steps": {"low": 0, "top": 9}}, "top is not"),
        (Flag(), {"default": "yes"}, "should be true or false: yes is not"),
        (Flag(), {"from": "type", "values": {"url": 1}}, "1 is not"),
        (Instant(), {"from": "feed.name"}, "feed.name may be something else"),
        (Instant(), {"default": "tomorrow"}, "tomorrow is not"),
        (Instant(), {"default": "2037-01-01T00:00:00"}, "is not"),
    ],
)
def test_a_mapping_that_may_give_what_a_field_cannot_have_is_told(
    spec: FieldSpec, filling: Mapping[str, Any], words: str
) -> None:
    assert words in misfits(read_mapping({"field": filling}), {"field": spec})["field"]


def test_a_field_that_is_dropped_or_unknown_has_no_misfit() -> None:
    assert misfits({"dropped": None}, {"dropped": LEVEL}) == {}
    assert misfits(read_mapping({"other": {"default": 1}}), {"field": LEVEL}) == {}


def test_only_text_has_a_length() -> None:
    assert longest({"a": Text(63), "b": Number(), "c": LEVEL}) == {"a": 63}


class Options(Settings):
    """None."""


class Graded(ListAdapter[Options]):
    """Has a level that its default mapping misses."""

    settings_type = Options
    supports = frozenset({ObservableType.URL})
    fields: ClassVar[Mapping[str, FieldSpec]] = {"level": LEVEL}
    default_mapping: ClassVar[Mapping[str, Mapping[str, Any]]] = {"level": {"from": "marking"}}

    def read(self) -> Iterable[Held]:
        return []

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        list(entries)
        return ALL_WRITTEN


def test_an_adapter_whose_default_mapping_leaves_the_bounds_is_broken() -> None:
    with pytest.raises(ConfigError, match=r"broken: default_mapping\.level: should be one of low"):
        Registry({"graded": Graded}, {}).adapter("graded")
