"""The nine TLP marking definitions, as their publishers have them."""

import json

import pytest
import stix2
from stix2.v21.common import TLP_AMBER, TLP_GREEN, TLP_RED, TLP_WHITE

from connector.indicators.markings.tlp import _BY_ID, tlp_of_body
from connector.indicators.markings.tlp_definitions import TLP_CLEAR, tlp_definition
from connector.model import Tlp


@pytest.mark.parametrize("one", [TLP_WHITE, TLP_GREEN, TLP_AMBER, TLP_RED])
def test_those_of_tlp_1_are_those_of_the_reference_library(one: stix2.MarkingDefinition) -> None:
    assert json.loads(tlp_definition(one.id) or b"") == json.loads(one.serialize())


def test_each_published_id_has_a_definition_of_its_level() -> None:
    for ref, level in _BY_ID.items():
        said = json.loads(tlp_definition(ref) or b"")
        assert said["id"] == ref
        assert tlp_of_body({**said, "id": "another"}) is level
        stix2.parse(said)
    assert _BY_ID[TLP_CLEAR] is Tlp.CLEAR
    assert tlp_definition("marking-definition--another") is None
