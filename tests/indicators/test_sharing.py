import json
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.indicators.markings.acs import ACS_EXTENSION
from connector.indicators.markings.acs_policy import Organisation, Use
from connector.indicators.markings.definition import (
    KnownMarking,
    marking_from_text,
    marking_to_text,
    read_marking,
    spilling,
    strictest_of,
)
from connector.indicators.markings.sharing import Part, Sharing, Viewer, combine
from connector.indicators.markings.tlp import TLP_2_0_EXTENSION, audience_limit
from connector.model import Audience, Purpose, Tlp

CLEAR = "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"
WHITE = "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"
GREEN = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
STRICT = "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"


def ours(number: int) -> str:
    return f"marking-definition--00000000-0000-4000-8000-{number:012}"


STATEMENT, OWN_RED, FREE, AIS, PII, DISPLAY, DENIED, SECRET, SHORT, BROKEN, FOUO, LATER = map(
    ours, range(12)
)
ABSENT = ours(99)
NOW = 1_780_000_000_000_000
STATE = Organisation("USA", frozenset(("USA.XX",)), "GOV")
EVERYBODY = {"permitted_nationalities": ["ALL"]}


def acs(control: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return a definition whose ACS marking permits and shares all, changed by the fields."""
    policy = "urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=permit"
    body = {
        "identifier": "isa:guide.19001.ACS3-00000000-0000-4000-8000-000000000001",
        "create_date_time": "2026-01-05T00:00:00Z",
        "responsible_entity_custodian": "USA.DHS",
        "policy_reference": policy,
        "control_set": {"classification": "U", **(control or {})},
    }
    return {"extensions": {ACS_EXTENSION: body | fields}}


def rules(*given: tuple[str, str]) -> list[dict[str, Any]]:
    return [
        {"privilege_action": action, "rule_effect": effect, "privilege_scope": EVERYBODY}
        for action, effect in given
    ]


DENY_ALL = "urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=deny"
KNOWN = {
    ref: read_marking({"id": ref, **definition})
    for ref, definition in {
        STATEMENT: {"definition_type": "statement", "definition": {"statement": "(c)"}},
        OWN_RED: {"definition_type": "tlp", "definition": {"tlp": "red"}},
        FREE: acs({"formal_determination": ["PUBREL"]}),
        AIS: acs(
            {"formal_determination": ["AIS"]},
            policy_reference=DENY_ALL,
            access_privilege=rules(("CISAUSES", "permit")),
        ),
        PII: acs({"caveat": ["POSSIBLEPII"], "formal_determination": ["PUBREL"]}),
        DISPLAY: acs(policy_reference=DENY_ALL, access_privilege=rules(("DSPLY", "permit"))),
        DENIED: acs(access_privilege=rules(("NETDEF", "deny"))),
        SECRET: acs({"classification": "S"}),
        SHORT: acs(resource_disposition={"disposition_date": "2026-01-01T00:00:00Z"}),
        BROKEN: acs(identifier=None),
        FOUO: acs({"formal_determination": ["FOUO"]}),
        LATER: acs(resource_disposition={"disposition_date": "2036-01-01T00:00:00Z"}),
    }.items()
}
NAMED = ["ais-consent-everyone"]
NAMED_PROPRIETARY = ["ais-consent-everyone-cisa-proprietary"]


class Marked(NamedTuple):
    selectors: list[str]
    marking_ref: str | None = None


def verdict(
    *refs: str,
    audience: Audience = Audience.OWN,
    parts: tuple[Marked, ...] = (),
    max_tlp: Tlp | None = None,
    unmarked: Tlp = Tlp.GREEN,
    labels: tuple[str, ...] = (),
    producer: list[str] | None = NAMED,
    organisation: Organisation = STATE,
    known: dict[str, KnownMarking] = KNOWN,
    now: int = NOW,
) -> Sharing:
    bound = audience_limit(audience) if max_tlp is None else max_tlp
    viewer = Viewer(organisation, audience, bound)
    return combine(refs, parts, known, unmarked, viewer, now, labels, producer)


def seen_by(*refs: str, **said: Any) -> list[str]:
    """Return the audiences that may have it on a watchlist."""
    return [to.value for to in Audience if verdict(*refs, audience=to, **said).watches]


EVERYONE = ["own", "operator", "community", "public"]


@pytest.mark.parametrize(
    ("refs", "audiences"),
    [
        ([CLEAR], EVERYONE),
        ([WHITE], EVERYONE),
        ([GREEN], ["own", "operator", "community"]),
        ([AMBER], ["own", "operator"]),
        ([STRICT], ["own"]),
        ([RED], []),
        ([CLEAR, STATEMENT], EVERYONE),
        ([CLEAR, GREEN, STRICT, AMBER], ["own"]),
        ([], ["own", "operator", "community"]),  # as the feed assumes: green
        ([STATEMENT], ["own", "operator", "community"]),
        ([CLEAR, OWN_RED], []),
        ([CLEAR, ABSENT], []),
        ([CLEAR, FREE], EVERYONE),
        ([CLEAR, FREE, AMBER], ["own", "operator"]),
        ([GREEN, FREE], ["own", "operator", "community"]),
        ([CLEAR, AIS], ["own"]),
        ([AMBER, AIS, FREE], ["own"]),
        ([CLEAR, DENIED], []),
        ([CLEAR, SHORT], []),
        ([CLEAR, SECRET], []),
        ([CLEAR, BROKEN], []),
        ([CLEAR, FOUO], ["own", "operator", "community"]),
    ],
)
def test_the_strictest_of_all_markings_decides_each_audience(refs, audiences):
    assert seen_by(*refs) == audiences
    assert seen_by(*reversed(refs)) == audiences


@pytest.mark.parametrize(
    ("refs", "audience", "why"),
    [
        ([AMBER, WHITE], "community", f"amber: {AMBER} is stricter than TLP:green"),
        (
            [CLEAR, AIS],
            "community",
            f"{AIS} (ACS) withholds it from community: "
            "no rule permits sharing it further, and sharedefault=deny",
        ),
        (
            [CLEAR, ABSENT],
            "own",
            f"red: {ABSENT} is missing, and unknown means restricted is stricter than "
            "TLP:amber+strict",
        ),
        ([CLEAR, SECRET], "own", f"{SECRET} (ACS): classification 'S'"),
        ([CLEAR, SHORT], "own", f"{SHORT} (ACS): its disposition date has passed"),
        ([CLEAR, DENIED], "own", f"{DENIED} (ACS): a rule denies network defence"),
    ],
)
def test_a_refusal_names_the_marking_the_audience_and_the_reason(refs, audience, why):
    found = verdict(*refs, audience=Audience(audience))
    assert found.refusal(Purpose.WATCH) == why
    assert not found.blocks


def test_every_marking_that_withholds_is_named():
    said = verdict(AMBER, AIS, audience=Audience.PUBLIC).refusal(Purpose.BLOCK)
    assert AMBER in said
    assert AIS in said


def test_what_may_only_be_displayed_is_watched_and_never_blocked():
    found = verdict(CLEAR, DISPLAY)
    assert (found.use, found.blocks, found.watches) == (Use.WATCH, False, True)
    assert found.refusal(Purpose.BLOCK).startswith(f"{DISPLAY} (ACS): no rule permits")
    assert found.refusal(Purpose.WATCH) == ""


def test_the_strictest_use_of_several_markings_holds():
    assert verdict(CLEAR, FREE, DISPLAY).use is Use.WATCH
    assert verdict(CLEAR, DENIED, DISPLAY).use is Use.DENY


def test_an_unresolved_marking_lets_nobody_block_even_where_the_file_goes_as_far_as_red():
    found = verdict(CLEAR, ABSENT, max_tlp=Tlp.RED)
    assert (found.blocks, found.watches) == (False, True)
    assert found.refusal(Purpose.BLOCK) == f"{ABSENT} is missing: watch at most"
    assert found.hides == frozenset(Part)


def test_a_marking_that_arrives_resolves_the_verdict():
    known = {ABSENT: KnownMarking(Tlp.GREEN)}
    assert verdict(ABSENT, known={}).level is Tlp.RED
    assert verdict(ABSENT, known=known).level is Tlp.GREEN


def test_the_file_may_go_as_far_as_red_only_for_ourselves():
    for audience in Audience:
        found = verdict(RED, audience=audience, max_tlp=Tlp.RED)
        assert found.watches == (audience is Audience.OWN)


def test_a_list_takes_less_than_its_audience_may_see_when_the_file_says_so():
    assert not verdict(AMBER, max_tlp=Tlp.GREEN).watches
    assert not verdict(GREEN, audience=Audience.OPERATOR, max_tlp=Tlp.CLEAR).watches


def test_a_published_level_means_what_it_means_whatever_a_feed_sends_under_its_id():
    lie = {RED: KnownMarking(Tlp.CLEAR), CLEAR: KNOWN[SECRET]}
    assert verdict(RED, known=lie).level is Tlp.RED
    assert verdict(CLEAR, known=lie).spill == ""


def test_official_use_contradicts_clear_and_the_stricter_is_taken_and_reported():
    found = verdict(CLEAR, FOUO, audience=Audience.PUBLIC)
    assert found.level is Tlp.GREEN
    assert found.notes == (f"{FOUO} (ACS) says FOUO, which contradicts TLP:CLEAR",)
    assert found.level_why == f"green: {found.notes[0]}"
    assert verdict(GREEN, FOUO).notes == ()
    assert verdict(GREEN, FOUO).level_why == f"green: {GREEN}"


@pytest.mark.parametrize(
    ("selectors", "level"),
    [
        (["pattern"], Tlp.AMBER),
        (["name"], Tlp.AMBER),
        (["labels.[0]", "pattern"], Tlp.AMBER),
        ([], Tlp.AMBER),
        (["*"], Tlp.AMBER),
        ([""], Tlp.AMBER),
        ([" pattern"], Tlp.AMBER),
        (["pattern[0]"], Tlp.AMBER),
        (["Pattern"], Tlp.AMBER),
        (["description"], Tlp.CLEAR),
        (["external_references.[0].url"], Tlp.CLEAR),
        (["pattern_type"], Tlp.CLEAR),
        (["x_notes"], Tlp.CLEAR),
    ],
)
def test_a_part_that_the_entry_is_nothing_without_marks_it_whole(selectors, level):
    assert verdict(CLEAR, parts=(Marked(selectors, AMBER),)).level is level


def test_what_a_marking_of_the_pattern_denies_is_denied_for_the_entry():
    assert verdict(CLEAR, parts=(Marked(["pattern"], DENIED),)).use is Use.DENY
    assert verdict(CLEAR, parts=(Marked(["description"], DENIED),)).use is Use.PERMIT


PARTS = [
    ("description", {Part.DESCRIPTION}),
    ("labels.[1]", {Part.LABELS}),
    ("indicator_types", {Part.TYPES}),
    ("confidence", {Part.CONFIDENCE}),
    ("valid_until", {Part.DATES}),
    ("created_by_ref", {Part.PRODUCER, Part.PRODUCER_NAME}),
    ("external_references.[0].url", {Part.REFERENCES}),
    ("x_notes", set()),
]


@pytest.mark.parametrize(("selector", "hides"), PARTS)
def test_a_part_marked_more_strictly_is_hidden_and_the_entry_stays(selector, hides):
    found = verdict(CLEAR, parts=(Marked([selector], RED),))
    assert found.blocks
    assert found.hides == hides
    assert all(why == f"red: {RED}" for why in found.hidden.values())


@pytest.mark.parametrize(
    ("ref", "audience", "hidden"),
    [
        (GREEN, Audience.COMMUNITY, False),
        (GREEN, Audience.PUBLIC, True),
        (STATEMENT, Audience.PUBLIC, False),
        (FREE, Audience.PUBLIC, False),
        (PII, Audience.OWN, True),
        (AIS, Audience.OWN, True),  # its source must not be told, and a text may tell it
        (DENIED, Audience.OWN, True),
        (DISPLAY, Audience.OWN, True),
        (FOUO, Audience.OWN, False),
        (FOUO, Audience.PUBLIC, True),
        (ABSENT, Audience.OWN, True),
    ],
)
def test_a_part_is_shown_only_to_whom_its_own_marking_allows(ref, audience, hidden):
    found = verdict(CLEAR, audience=audience, parts=(Marked(["description"], ref),))
    assert found.watches
    assert (Part.DESCRIPTION in found.hides) == hidden
    assert ref in found.hidden.get(Part.DESCRIPTION, ref)


def test_the_language_of_a_part_hides_nothing():
    assert verdict(CLEAR, parts=(Marked(["description"]), Marked([]))).hides == frozenset()


def test_a_secret_or_a_disposal_on_any_part_holds_for_the_object():
    found = verdict(CLEAR, parts=(Marked(["description"], SECRET),))
    assert found.spill == f"{SECRET} (ACS): classification 'S'"
    assert not found.watches
    short = verdict(CLEAR, parts=(Marked(["labels"], SHORT),))
    assert short.refusal(Purpose.WATCH) == short.expired
    assert short.expired == f"{SHORT} (ACS): its disposition date has passed"


def test_the_next_turn_of_any_marking_is_reported():
    assert verdict(CLEAR, AIS).until is None
    found = verdict(CLEAR, AIS, LATER)
    assert found.until is not None
    assert found.watches
    assert not verdict(CLEAR, AIS, LATER, now=found.until).watches
    assert verdict(CLEAR, parts=(Marked(["labels"], LATER),)).until == found.until


def test_personal_information_stays_out_of_comments_and_logs():
    found = verdict(CLEAR, PII)
    assert found.blocks
    assert found.hides == {Part.NAME, Part.DESCRIPTION, Part.EMAIL, Part.SUBJECT}
    assert found.hidden[Part.EMAIL] == f"{PII} (ACS): personal information"


def test_a_source_that_must_not_be_named_is_hidden_with_its_target():
    assert verdict(CLEAR, AIS).hides == {
        Part.PRODUCER, Part.PRODUCER_NAME, Part.VICTIM, Part.REFERENCES,
    }  # fmt: skip


FEDERAL = Organisation("USA", frozenset(("USA.USG",)), "GOV")


@pytest.mark.parametrize(
    ("producer", "organisation", "audience", "named"),
    [
        (None, STATE, Audience.OWN, False),
        ([], STATE, Audience.OWN, False),
        (["partner"], STATE, Audience.OWN, False),
        (["ais-consent-none"], STATE, Audience.OWN, False),
        (["ais-consent-usg"], STATE, Audience.OWN, False),
        (["ais-consent-usg"], FEDERAL, Audience.OWN, True),
        (["ais-consent-usg"], FEDERAL, Audience.OPERATOR, False),
        (["ais-consent-newer"], FEDERAL, Audience.OWN, False),
        (NAMED, STATE, Audience.PUBLIC, True),
        (["AIS-Consent-Everyone "], STATE, Audience.PUBLIC, True),
        (NAMED_PROPRIETARY, STATE, Audience.OWN, True),
        ([*NAMED, "ais-consent-none"], STATE, Audience.OWN, False),
    ],
)
def test_a_producer_is_named_only_by_its_own_consent(producer, organisation, audience, named):
    found = verdict(CLEAR, producer=producer, organisation=organisation, audience=audience)
    assert (Part.PRODUCER_NAME not in found.hides) == named
    assert Part.PRODUCER not in found.hides
    assert "consent" in found.hidden.get(Part.PRODUCER_NAME, "consent")


@pytest.mark.parametrize(
    ("labels", "producer", "audiences"),
    [
        (["cisa-proprietary-false"], NAMED, EVERYONE),
        (["cisa-proprietary-true"], NAMED, ["own"]),
        (["CISA-Proprietary-True"], NAMED, ["own"]),
        (["cisa-proprietary"], NAMED, ["own"]),
        (["cisa-proprietary-false", "cisa-proprietary-true"], NAMED, ["own"]),
        (["elevated"], None, EVERYONE),
        ([], NAMED_PROPRIETARY, ["own"]),
        ([], ["ais-consent-usg"], EVERYONE),
        ([], ["cisa-proprietary-true"], ["own"]),
    ],
)
def test_proprietary_labels_keep_it_within_our_own_systems(labels, producer, audiences):
    assert seen_by(CLEAR, labels=labels, producer=producer) == audiences


def test_a_label_that_withholds_is_named():
    found = verdict(CLEAR, audience=Audience.OPERATOR, labels=("cisa-proprietary-true",))
    assert found.refusal(Purpose.WATCH) == (
        "label 'cisa-proprietary-true' withholds it from operator: "
        "it must stay within our own systems"
    )


@pytest.mark.parametrize(
    ("definition", "marking"),
    [
        ({"definition_type": "statement", "definition": {}}, KnownMarking(None)),
        ({"definition_type": "tlp", "definition": {"tlp": "green"}}, KnownMarking(Tlp.GREEN)),
        ({"definition_type": "iep"}, KnownMarking(Tlp.RED)),
        ({"extensions": {"extension-definition--other": {}}}, KnownMarking(Tlp.RED)),
        ({"extensions": {TLP_2_0_EXTENSION: {"tlp_2_0": "clear"}}}, KnownMarking(Tlp.CLEAR)),
        (
            {"extensions": {TLP_2_0_EXTENSION: {"tlp_2_0": "clear"}, "other": {}}},
            KnownMarking(Tlp.RED),
        ),
        ({"id": GREEN, "extensions": {"other": {}}}, KnownMarking(Tlp.GREEN)),
        ({"extensions": "none", "definition_type": "statement"}, KnownMarking(None)),
    ],
)
def test_a_definition_that_is_not_understood_whole_is_red(definition, marking):
    assert read_marking(definition) == marking


def test_an_acs_definition_brings_its_marking_and_no_level():
    assert KNOWN[AIS].tlp is None
    assert KNOWN[AIS].acs is not None
    both = acs()
    both["extensions"][TLP_2_0_EXTENSION] = {"tlp_2_0": "amber"}
    assert read_marking(both).tlp is Tlp.AMBER
    assert read_marking(both).acs is not None


@pytest.mark.parametrize("ref", KNOWN)
def test_a_marking_comes_back_from_its_text(ref):
    text = marking_to_text(KNOWN[ref])
    assert marking_from_text(text) == KNOWN[ref]
    assert marking_to_text(marking_from_text(text)) == text
    assert len(text) < 400


@pytest.mark.parametrize(
    "text", ["", "{}", "null", '{"tlp":9}', '{"tlp":0,"newer":1}', '{"tlp":0,"acs":{"newer":1}}']
)
def test_a_damaged_text_restricts_all_there_is(text):
    lost = marking_from_text(text)
    assert lost.tlp is Tlp.RED
    found = verdict(CLEAR, FREE, known={FREE: lost}, max_tlp=Tlp.RED)
    assert not found.watches
    assert "our own record of it is damaged" in found.use_why


def test_a_spill_is_found_before_anything_is_stored():
    assert spilling([CLEAR, AIS, ABSENT, STATEMENT], KNOWN) == ""
    assert spilling([CLEAR, SECRET], KNOWN) == f"{SECRET} (ACS): classification 'S'"


def test_the_text_of_a_spill_holds_nothing_of_the_marking_but_that_it_is_one():
    marking = read_marking(acs({"classification": "S", "caveat": ["FISA"]}, name="falcon"))
    assert "falcon" not in marking_to_text(marking)


REFS = st.lists(st.sampled_from([CLEAR, GREEN, AMBER, STRICT, RED, *KNOWN, ABSENT]), max_size=4)
ONE = st.sampled_from([CLEAR, GREEN, AMBER, STRICT, RED, *KNOWN, ABSENT])
SELECTORS = st.lists(st.sampled_from([*(name for name, _ in PARTS), "pattern", "name"]), max_size=2)
GRANULAR = st.lists(st.builds(Marked, SELECTORS, ONE), max_size=2).map(tuple)
AUDIENCES = st.sampled_from(Audience)


def never_wider(before: Sharing, after: Sharing) -> bool:
    return (
        before.level <= after.level
        and before.use <= after.use
        and before.hides <= after.hides
        and before.blocks >= after.blocks
        and before.watches >= after.watches
        and bool(before.spill) <= bool(after.spill)
        and bool(before.expired) <= bool(after.expired)
    )


@given(REFS, GRANULAR, ONE, AUDIENCES)
def test_one_more_marking_never_widens(refs, parts, more, audience):
    # A level at hand from the start, for the first one takes the place of the feed's default.
    before = verdict(CLEAR, *refs, parts=parts, audience=audience)
    assert never_wider(before, verdict(CLEAR, *refs, more, parts=parts, audience=audience))


@given(REFS, GRANULAR, st.builds(Marked, SELECTORS, ONE), AUDIENCES)
def test_one_more_marked_part_never_widens(refs, parts, more, audience):
    before = verdict(CLEAR, *refs, parts=parts, audience=audience)
    after = verdict(CLEAR, *refs, parts=(*parts, more), audience=audience)
    assert never_wider(before, after)


@given(REFS, GRANULAR, AUDIENCES)
def test_a_wider_audience_never_gets_more(refs, parts, audience):
    own = verdict(*refs, parts=parts)
    assert never_wider(own, verdict(*refs, parts=parts, audience=audience))


@given(REFS, GRANULAR, ONE, AUDIENCES)
def test_an_unresolved_marking_never_shows_what_the_resolved_one_hides(refs, parts, ref, audience):
    known = {name: marking for name, marking in KNOWN.items() if name != ref}
    resolved = verdict(CLEAR, *refs, ref, parts=parts, audience=audience)
    unresolved = verdict(CLEAR, *refs, ref, parts=parts, audience=audience, known=known)
    assert resolved.level <= unresolved.level
    assert resolved.hides <= unresolved.hides
    assert unresolved.watches <= resolved.watches


@given(REFS, GRANULAR, AUDIENCES, st.sampled_from(["cisa-proprietary-true", "elevated"]))
def test_one_more_label_never_widens(refs, parts, audience, label):
    before = verdict(*refs, parts=parts, audience=audience)
    assert never_wider(before, verdict(*refs, parts=parts, audience=audience, labels=(label,)))


@given(REFS, REFS)
def test_the_order_of_markings_changes_no_verdict(refs, more):
    one, other = verdict(*refs, *more), verdict(*more, *refs)
    assert never_wider(one, other)
    assert never_wider(other, one)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2)
    ),
    max_leaves=4,
)


FIELDS = sorted(acs()["extensions"][ACS_EXTENSION])


@given(st.dictionaries(st.sampled_from([*FIELDS, "access_privilege"]), JSON, max_size=2))
def test_a_definition_of_anything_at_all_is_read_and_never_wider_than_it_was(change):
    definition = acs(**change)
    marking = read_marking(json.loads(json.dumps(definition)))
    assert marking_from_text(marking_to_text(marking)) == marking
    before = verdict(CLEAR, FREE)
    assert never_wider(before, verdict(CLEAR, FREE, AIS, known={**KNOWN, AIS: marking}))


@given(st.sampled_from(sorted(KNOWN)), st.sampled_from(sorted(KNOWN)), st.sampled_from(Audience))
def test_two_definitions_of_one_marking_allow_no_more_than_either(one, other, audience):
    both = strictest_of(KNOWN[one], KNOWN[other])
    assert both == strictest_of(KNOWN[other], KNOWN[one])
    assert strictest_of(both, KNOWN[one]) == both
    told = [verdict(FREE, known={FREE: each}, audience=audience) for each in (
        KNOWN[one], KNOWN[other], both,
    )]  # fmt: skip
    *each, merged = told
    said = [one.level for one in each if "default" not in one.level_why]
    assert merged.level >= max(said, default=Tlp.CLEAR)
    assert merged.use >= max(one.use for one in each)
    assert len(merged.withheld) > 0 or not any(one.withheld for one in each)
    assert bool(merged.spill) == any(one.spill for one in each)
    assert bool(merged.expired) == any(one.expired for one in each)
