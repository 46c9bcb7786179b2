import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.mapping import (
    Facts,
    FieldSpec,
    Input,
    compile_mapping,
    digest,
    overlay,
    read_mapping,
    unknown_fields,
)
from connector.errors import ConfigError
from connector.model import NO_FIELDS, Observable, ObservableType

OPEN_END = datetime.max.replace(tzinfo=UTC)
FACTS = Facts(
    observable=Observable(ObservableType.IPV4_ADDR, "198.51.100.7"),
    indicator_id="indicator--5f3c1f0e-6d0b-4a43-9f0a-2f8f6c9f1d11",
    indicator_name="C2 host",
    indicator_types=("malicious-activity", "anonymization"),
    labels=("c2", "elevated"),
    created_by="identity--a1b2c3d4-0000-4000-8000-000000000001",
    modified=datetime(2026, 3, 4, 4, 16, 13, 999000, tzinfo=UTC),
    confidence=70,
    feed="ais",
    list="perimeter",
    output="edge",
    marking="amber+strict",
    valid_from=datetime(2026, 3, 1, 14, 17, 59, tzinfo=UTC),
    valid_until=datetime(2026, 11, 23, 1, tzinfo=UTC),
    context=lambda kind: (f"a {kind}", "another"),
    producer=lambda: "Example CERT",
)
BARE = replace(
    FACTS,
    indicator_name="",
    indicator_types=(),
    labels=(),
    created_by="",
    modified=None,
    confidence=None,
    valid_from=None,
    valid_until=None,
    context=lambda _kind: (),
    producer=lambda: "",
)


def mapped(spec, facts=FACTS):
    """Return what one field of a mapping takes; None where it is left out."""
    return compile_mapping(read_mapping({"field": spec}), frozenset(["field"]))(facts).get("field")


@pytest.mark.parametrize(
    ("name", "full", "bare"),
    [
        ("type", "ipv4-addr", "ipv4-addr"),
        ("value", "198.51.100.7", "198.51.100.7"),
        ("confidence", 70, None),
        ("indicator.confidence", 70, None),
        ("indicator.id", FACTS.indicator_id, FACTS.indicator_id),
        ("indicator.name", "C2 host", ""),
        ("indicator.type", "malicious-activity", ""),
        ("indicator.labels", "c2,elevated", ""),
        ("indicator.created_by", FACTS.created_by, ""),
        ("indicator.modified", "2026-03-04T04:16:13Z", ""),
        ("producer.name", "Example CERT", ""),
        ("context.country", "a country,another", ""),
        ("context.threat_actor", "a threat_actor,another", ""),
        ("context.malware", "a malware,another", ""),
        ("context.campaign", "a campaign,another", ""),
        ("context.sector", "a sector,another", ""),
        ("context.report", "a report,another", ""),
        ("feed.name", "ais", "ais"),
        ("list.name", "perimeter", "perimeter"),
        ("output.name", "edge", "edge"),
        ("marking", "amber+strict", "amber+strict"),
        ("valid_from", "2026-03-01T14:17:59Z", ""),
        ("valid_until", "2026-11-23T01:00:00Z", ""),
        ("valid_from_epoch", 1772374679, None),
        ("valid_until_epoch", 1795395600, None),
    ],
)
def test_each_input_reads_one_fact_and_an_absent_one_takes_the_default(name, full, bare):
    assert mapped({"from": name}) == full
    assert type(mapped({"from": name})) is type(full)
    assert mapped({"from": name}, BARE) == bare
    assert mapped({"template": f"<{{{name}}}>"}) == f"<{full}>"
    assert mapped({"template": f"<{{{name}}}>"}, BARE) == f"<{bare or ''}>"
    assert mapped({"from": name, "default": "none"}, BARE) == (bare or "none")


def test_no_input_is_left_untested():
    assert {Input(name) for name in Input} == set(Input)
    assert len(Input) == 24
    assert Input("indicator.confidence") is Input.CONFIDENCE


def test_an_end_at_the_end_of_time_is_an_open_end():
    facts = replace(FACTS, valid_until=OPEN_END)
    assert mapped({"from": "valid_until"}, facts) == ""
    assert mapped({"from": "valid_until_epoch"}, facts) is None


def test_the_type_of_a_stix_2_0_indicator_is_its_first_label():
    assert mapped({"from": "indicator.type"}, replace(FACTS, indicator_types=())) == "c2"


@pytest.mark.parametrize(
    ("confidence", "severity"),
    [(0, "low"), (49, "low"), (50, "medium"), (79, "medium"), (80, "high"), (100, "high")],
)
def test_steps_take_the_highest_bound_that_is_reached(confidence, severity):
    spec = {"from": "confidence", "steps": {"high": 80, "low": 0, "medium": 50}}
    assert mapped(spec, replace(FACTS, confidence=confidence)) == severity


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"from": "confidence", "steps": {"high": 80}}, None),
        ({"from": "confidence", "steps": {"high": 80}, "default": "low"}, "low"),
        ({"from": "confidence", "steps": {3: 0, 9: 69.5}}, 9),
        ({"from": "valid_until_epoch", "steps": {"old": 0, "new": 1795395600}}, "new"),
        ({"from": "type", "values": {"ipv4-addr": "ip", "url": "page"}}, "ip"),
        ({"from": "type", "values": {"url": "page"}}, None),
        ({"from": "type", "values": {"url": "page"}, "default": "other"}, "other"),
        ({"from": "confidence", "values": {70: True}}, True),
        ({"from": "feed.name", "values": {"ais": 7}}, 7),
        ({"default": "fixed"}, "fixed"),
        ({"default": 5}, 5),
        ({"default": 0.5}, 0.5),
        ({"default": False}, False),
        ({"default": ""}, ""),
        ({"from": None, "template": None, "values": None, "steps": None, "default": 1}, 1),
        ({"template": "{{100 %}} {value} %s"}, "{100 %} 198.51.100.7 %s"),
        ({"template": "no input", "default": "x"}, "x"),
        ({"template": "no input"}, "no input"),
        ({"template": ""}, ""),
    ],
)
def test_verbs_give_what_they_say(spec, value):
    assert mapped(spec) == value
    assert type(mapped(spec)) is type(value)


def test_a_step_below_all_or_of_nothing_takes_the_default():
    spec = {"from": "confidence", "steps": {"high": 80}, "default": "unrated"}
    assert mapped(spec, BARE) == "unrated"
    assert mapped({"from": "confidence", "steps": {"high": 80}}, BARE) is None


def test_a_template_whose_inputs_are_all_empty_takes_the_default():
    spec = {"template": "{indicator.name} {indicator.labels}", "default": "unnamed"}
    assert mapped(spec, BARE) == "unnamed"
    assert mapped(spec, replace(BARE, labels=("c2",))) == " c2"


def test_yaml_truth_as_a_key_is_looked_up_as_text():
    assert read_mapping({"f": {"from": "feed.name", "values": {True: "x"}}})["f"].values == {
        "true": "x"
    }


@given(st.text(), st.text())
def test_text_of_the_feed_stays_one_short_line(name, label):
    facts = replace(FACTS, indicator_name=name, labels=(label,))
    for spec in ({"from": "indicator.name"}, {"template": "{indicator.name}|{indicator.labels}"}):
        text = mapped(spec, facts)
        assert len(text) <= 255
        assert len(text.splitlines()) <= 1
        assert "\x00" not in text
        text.encode()


def test_unprintable_characters_become_spaces_and_others_stay():
    name = "a\nb\r\x1b[2J\u2028c\u2029d\x85e\u202ef\u00a0ü\ud800g"
    assert mapped({"from": "indicator.name"}, replace(FACTS, indicator_name=name)) == (
        "a b  [2J c d e f\u00a0ü g"
    )


def test_text_is_cut_but_a_value_never_is():
    long_url = Observable(ObservableType.URL, "http://bad.example/" + "x" * 400)
    facts = replace(FACTS, observable=long_url, indicator_name="n" * 300)
    assert mapped({"from": "value"}, facts) == long_url.value
    assert mapped({"template": "{value}"}, facts) == long_url.value[:255]
    assert mapped({"from": "indicator.name"}, facts) == "n" * 255


@given(st.text(alphabet="%s({}d)*", max_size=12))
def test_a_value_is_never_read_as_a_template(name):
    assert mapped({"template": "<{indicator.name}>"}, replace(FACTS, indicator_name=name)) == (
        f"<{name}>"
    )


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        ({}, "f", "should have from, template or default"),
        ({"from": "value", "template": "x"}, "f", "should have from or template, not both"),
        ({"from": "indicator.idd"}, "f.from", "did you mean indicator.id? Inputs are confidence,"),
        ({"from": "zzzzzz"}, "f.from", "zzzzzz is not an input: Inputs are confidence, "),
        ({"from": 5}, "f.from", "5 is not an input"),
        ({"template": "{indicater.id}"}, "f.template", "did you mean indicator.id?"),
        ({"template": "{}"}, "f.template", " is not an input"),
        ({"template": "{0}"}, "f.template", "0 is not an input"),
        ({"template": "{value.__class__}"}, "f.template", "value.__class__ is not an input"),
        ({"template": "{value"}, "f.template", "has an unmatched brace"),
        ({"template": "value}"}, "f.template", "a literal brace {{ or }}"),
        ({"template": "{value:>10}"}, "f.template", "templates have no formatting"),
        ({"template": "{value!r}"}, "f.template", "should just be {value}"),
        ({"template": "a\nb"}, "f.template", "one line without control characters"),
        ({"template": 5}, "f.template", "Input should be a valid string"),
        ({"values": {"a": "b"}}, "f", "needs from with values or steps"),
        ({"template": "x", "steps": {"a": 1}}, "f", "needs from with values or steps"),
        (
            {"from": "confidence", "steps": {"a": 1}, "values": {"a": "b"}},
            "f",
            "should have values or steps, not both",
        ),
        (
            {"from": "type", "steps": {"a": 1}},
            "f",
            "steps need a number: type is not one; confidence, valid_from_epoch, valid_until_epoch",
        ),
        ({"from": "confidence", "steps": {}}, "f.steps", "should give each result its lower bound"),
        (
            {"from": "confidence", "steps": {"a": float("nan")}},
            "f.steps",
            "should give each result its lower bound",
        ),
        (
            {"from": "confidence", "steps": {"a": 1, "b": 1.0}},
            "f.steps",
            "a different bound for each result",
        ),
        ({"from": "type", "values": ["a"]}, "f.values", "Input should be a valid dictionary"),
        ({"from": "type", "values": {"a": ["b"]}}, "f.values.a", "a text, a number, true or false"),
        ({"default": []}, "f.default", "should be a text, a number, true or false"),
        ({"default": "a\u2028b"}, "f.default", "one line without control characters"),
        ({"default": float("inf")}, "f.default", "should be a number up to"),
        ({"default": 2**63}, "f.default", "should be a number up to 9223372036854775807"),
        ({"colour": "red"}, "f.colour", "Extra inputs are not permitted"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_would_do(spec, path, words):
    with pytest.raises(ConfigError) as raised:
        read_mapping({"f": spec})
    assert any(p.startswith(f"{path}: ") and words in p for p in raised.value.problems)


def test_all_mistakes_of_a_mapping_are_told_at_once():
    with pytest.raises(ConfigError) as raised:
        read_mapping({"a": {"from": "x"}, "b": {"default": 1}, "c": {"template": "{"}})
    assert [problem.partition(":")[0] for problem in raised.value.problems] == [
        "a.from",
        "c.template",
    ]


def test_fields_that_the_target_lacks_are_told_with_those_it_has():
    allowed = frozenset(["comment", "severity"])
    spec = read_mapping(
        {"severty": {"default": 1}, "zzz": {"default": 1}, "comment": {"default": 1}}
    )
    words = {
        "severty": "is not a field of this target (comment, severity); did you mean severity?",
        "zzz": "is not a field of this target (comment, severity)",
    }
    assert unknown_fields(spec, allowed) == words
    with pytest.raises(ConfigError) as raised:
        compile_mapping(spec, allowed)
    assert list(raised.value.problems) == [f"{name}: {text}" for name, text in words.items()]
    assert unknown_fields({"a": 1}, frozenset()) == {
        "a": "is not a field of this target (it has none)"
    }


def test_the_editor_schema_names_every_input():
    schema = FieldSpec.model_json_schema()["properties"]["from"]["anyOf"][0]
    assert set(schema["enum"]) == {*Input, "indicator.confidence"}


def test_an_operator_lays_fields_over_the_default_ones_and_drops_some():
    default = read_mapping({"a": {"default": 1}, "b": {"default": 2}, "c": {"default": 3}})
    operator = {**read_mapping({"b": {"default": 20}, "d": {"default": 4}}), "c": None}
    laid = compile_mapping(overlay(default, operator), frozenset("abcd"))(FACTS)
    assert laid == {"a": 1, "b": 20, "d": 4}
    assert overlay({}, {"a": None}) == {}


def test_a_mapper_says_what_it_needs():
    mapper = compile_mapping(
        read_mapping(
            {
                "a": {"template": "{indicator.id} {indicator.confidence} {{x}}"},
                "b": {"from": "valid_until"},
                "c": {"default": "x"},
            }
        ),
        frozenset("abc"),
    )
    assert mapper.needs == {Input.INDICATOR_ID, Input.CONFIDENCE, Input.VALID_UNTIL}


def test_a_constant_mapping_is_made_once_and_a_changing_one_for_each_entry():
    constant = compile_mapping(read_mapping({"a": {"default": 1}}), frozenset("a"))
    assert constant.needs == frozenset()
    assert constant(FACTS) is constant(BARE)
    changing = compile_mapping(
        read_mapping({"a": {"default": 1}, "b": {"from": "confidence"}}), frozenset("ab")
    )
    assert changing(FACTS) == {"a": 1, "b": 70}
    assert changing(BARE) == {"a": 1}
    assert changing(FACTS) == {"a": 1, "b": 70}


values = st.text() | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False)
field_sets = st.dictionaries(st.text(min_size=1, max_size=3), values, max_size=4)


def exact(fields):
    return {name: (type(value), repr(value)) for name, value in fields.items()}


@given(field_sets, field_sets)
def test_digests_are_equal_exactly_when_fields_are(one, other):
    assert (digest(one) == digest(other)) == (exact(one) == exact(other))
    assert 0 <= digest(one) < 2**63


@given(field_sets)
def test_a_digest_does_not_follow_the_order_of_fields(fields):
    assert digest(dict(reversed(fields.items()))) == digest(fields)


def test_no_fields_have_digest_zero_and_others_do_not():
    assert digest({}) == digest(NO_FIELDS) == 0
    assert digest({"a": ""}) != 0


def test_a_digest_is_the_same_in_another_process():
    fields = {"b": "ü", "a": 5, "c": True}
    code = f"from connector.decisions.mapping import digest; print(digest({fields!r}))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    ).stdout
    assert int(printed) == digest(fields)
    assert digest(fields) == digest({"a": 5, "b": "ü", "c": True})
