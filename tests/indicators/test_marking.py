from itertools import permutations
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.indicators.markings.tlp import (
    TLP_2_0_EXTENSION,
    audience_limit,
    level_of,
    restriction_of,
    strictest,
    tlp_of_body,
    tlp_of_id,
)
from connector.model import Audience, Tlp

WHITE_1 = "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"
GREEN_1 = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
AMBER_1 = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
RED_1 = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
CLEAR_2 = "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"
GREEN_2 = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
AMBER_2 = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
STRICT_2 = "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
RED_2 = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
OWN = "marking-definition--00000000-0000-4000-8000-000000000001"
STATEMENT = "marking-definition--00000000-0000-4000-8000-000000000002"
ABSENT = "marking-definition--00000000-0000-4000-8000-000000000003"
ACS_EXTENSION = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce"


class Part(NamedTuple):
    selectors: list[str]
    marking_ref: str | None = None


@pytest.mark.parametrize(
    ("ref", "level"),
    [
        (WHITE_1, Tlp.CLEAR),
        (GREEN_1, Tlp.GREEN),
        (AMBER_1, Tlp.AMBER),
        (RED_1, Tlp.RED),
        (CLEAR_2, Tlp.CLEAR),
        (GREEN_2, Tlp.GREEN),
        (AMBER_2, Tlp.AMBER),
        (STRICT_2, Tlp.AMBER_STRICT),
        (RED_2, Tlp.RED),
        (OWN, None),
        ("", None),
    ],
)
def test_published_tlp_markings_are_known_by_id(ref, level):
    assert tlp_of_id(ref) is level


def test_ids_agree_with_the_stix_library():
    stix2 = pytest.importorskip("stix2")
    for marking in (stix2.TLP_WHITE, stix2.TLP_GREEN, stix2.TLP_AMBER, stix2.TLP_RED):
        assert tlp_of_id(marking["id"]) is tlp_of_body({"name": marking["name"]})


@pytest.mark.parametrize(
    ("definition", "level"),
    [
        ({"id": RED_1, "definition": {"tlp": "white"}}, Tlp.RED),
        ({"definition_type": "tlp", "definition": {"tlp": "amber"}}, Tlp.AMBER),
        ({"definition_type": "tlp", "definition": {"tlp": "white"}}, Tlp.CLEAR),
        ({"definition": {"tlp": "TLP:AMBER+STRICT"}}, Tlp.AMBER_STRICT),
        ({"definition": {"tlp": "pink"}}, Tlp.RED),
        ({"definition": {"tlp": None}}, Tlp.RED),
        ({"definition": {"tlp": "green"}, "name": "TLP:RED"}, Tlp.GREEN),
        ({"extensions": {TLP_2_0_EXTENSION: {"tlp_2_0": "amber+strict"}}}, Tlp.AMBER_STRICT),
        ({"extensions": {TLP_2_0_EXTENSION: {"tlp_2_0": "clear"}}, "name": "TLP:RED"}, Tlp.CLEAR),
        ({"extensions": {TLP_2_0_EXTENSION: {}}, "name": "TLP:GREEN"}, Tlp.GREEN),
        ({"extensions": {TLP_2_0_EXTENSION: "clear"}}, None),
        ({"name": "TLP:AMBER+STRICT"}, Tlp.AMBER_STRICT),
        ({"name": "tlp: white "}, Tlp.CLEAR),
        ({"name": "TLP:SOMETHING ELSE"}, Tlp.RED),
        ({"name": "Our TLP:CLEAR notes"}, None),
        ({"definition_type": "statement", "definition": {"statement": "Copyright"}}, None),
        ({"definition": "tlp"}, None),
        ({}, None),
    ],
)
def test_a_definition_gives_its_level_by_id_then_body_then_extension_then_name(definition, level):
    assert tlp_of_body(definition) is level


@pytest.mark.parametrize(
    ("definition", "understood", "restriction"),
    [
        ({"definition": {"tlp": "green"}}, (), Tlp.GREEN),
        ({"definition_type": "statement", "definition": {"statement": "(c)"}}, (), None),
        ({"extensions": {ACS_EXTENSION: {}}}, (), Tlp.RED),
        ({"extensions": {ACS_EXTENSION: {}}}, (ACS_EXTENSION,), None),
        ({"extensions": {ACS_EXTENSION: {}, "other": {}}}, (ACS_EXTENSION,), Tlp.RED),
        ({"definition_type": "statement", "extensions": {"other": {}}}, (), Tlp.RED),
        ({"definition_type": "iep"}, (), Tlp.RED),
        ({}, (), Tlp.RED),
    ],
)
def test_a_definition_nobody_understands_counts_as_red(definition, understood, restriction):
    assert restriction_of(definition, understood) is restriction


def test_the_strictest_of_levels_holds():
    assert strictest([]) is None
    for levels in permutations(Tlp):
        assert strictest(levels) is Tlp.RED
    assert strictest([Tlp.GREEN, Tlp.AMBER_STRICT, Tlp.AMBER]) is Tlp.AMBER_STRICT


KNOWN = {OWN: Tlp.AMBER_STRICT, STATEMENT: None}


@pytest.mark.parametrize(
    ("refs", "granular", "level", "why"),
    [
        ([], [], Tlp.AMBER, "amber: no TLP marking, the feed's default"),
        ([STATEMENT], [], Tlp.AMBER, "amber: no TLP marking, the feed's default"),
        ([WHITE_1], [], Tlp.CLEAR, f"clear: {WHITE_1}"),
        ([GREEN_2, STATEMENT], [], Tlp.GREEN, f"green: {GREEN_2}"),
        ([GREEN_2, OWN, WHITE_1], [], Tlp.AMBER_STRICT, f"amber+strict: {OWN}"),
        (
            [WHITE_1, ABSENT],
            [],
            Tlp.RED,
            f"red: {ABSENT} is missing, and unknown means restricted",
        ),
        ([WHITE_1], [Part(["pattern"], AMBER_1)], Tlp.AMBER, f"amber: {AMBER_1}"),
        ([WHITE_1], [Part(["name"], RED_2)], Tlp.RED, f"red: {RED_2}"),
        ([WHITE_1], [Part(["labels.[0]", "pattern"], GREEN_1)], Tlp.GREEN, f"green: {GREEN_1}"),
        ([WHITE_1], [Part([], GREEN_1)], Tlp.GREEN, f"green: {GREEN_1}"),
        ([WHITE_1], [Part(["*"], GREEN_1)], Tlp.GREEN, f"green: {GREEN_1}"),
        ([WHITE_1], [Part(["description"], RED_1)], Tlp.CLEAR, f"clear: {WHITE_1}"),
        ([WHITE_1], [Part(["pattern_type", "named"], RED_1)], Tlp.CLEAR, f"clear: {WHITE_1}"),
        ([WHITE_1], [Part(["name"])], Tlp.CLEAR, f"clear: {WHITE_1}"),
        ([RED_1], [Part(["pattern"], WHITE_1)], Tlp.RED, f"red: {RED_1}"),
        (
            [WHITE_1],
            [Part(["pattern"], ABSENT)],
            Tlp.RED,
            f"red: {ABSENT} is missing, and unknown means restricted",
        ),
    ],
)
def test_the_strictest_marking_that_concerns_the_entry_holds(refs, granular, level, why):
    assert level_of(refs, granular, KNOWN, Tlp.AMBER) == (level, why)


@given(
    st.lists(st.sampled_from([WHITE_1, GREEN_1, AMBER_2, STRICT_2, RED_2, OWN, STATEMENT, ABSENT])),
    st.sampled_from([WHITE_1, GREEN_1, AMBER_2, STRICT_2, RED_2, OWN, ABSENT]),
    st.sampled_from(list(Tlp)),
)
def test_one_more_tlp_marking_never_widens_who_may_see_a_marked_object(refs, more, unmarked):
    if any(ref != STATEMENT for ref in refs):
        before, _ = level_of(refs, [], KNOWN, unmarked)
        assert level_of([*refs, more], [], KNOWN, unmarked)[0] >= before


def test_each_audience_sees_up_to_its_limit_and_red_is_for_nobody():
    assert {audience: audience_limit(audience) for audience in Audience} == {
        Audience.OWN: Tlp.AMBER_STRICT,
        Audience.OPERATOR: Tlp.AMBER,
        Audience.COMMUNITY: Tlp.GREEN,
        Audience.PUBLIC: Tlp.CLEAR,
    }
