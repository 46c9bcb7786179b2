from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.indicators.markings.acs import ACS_EXTENSION, AcsMarking, read_acs
from connector.indicators.markings.acs_policy import Organisation, Use, judge
from connector.model import Audience

NOW = 1_780_000_000_000_000  # 2026-05-28
STATE = Organisation("USA", frozenset(("USA.XX", "USA.XX.SOC")), "GOV")
NOBODY = Organisation()
OWN, OPERATOR, COMMUNITY, PUBLIC = Audience
DIMENSIONS = ("permitted_nationalities", "permitted_organizations", "shareability", "entity")
EVERYBODY = {dimension: ["ALL"] for dimension in DIMENSIONS}


def rule(action: Any, effect: Any = "permit", **scope: list[str]) -> dict[str, Any]:
    return {
        "privilege_action": action,
        "rule_effect": effect,
        "privilege_scope": scope or EVERYBODY,
    }


def further(effect: str, *scopes: str) -> dict[str, Any]:
    return {"sharing_scope": list(scopes), "rule_effect": effect}


def acs(
    use: str = "deny", share: str = "deny", control: dict[str, Any] | None = None, **fields: Any
) -> dict[str, Any]:
    """Return the fields of a marking; None takes one away."""
    body = {
        "extension_type": "property-extension",
        "identifier": "isa:guide.19001.ACS3-00000000-0000-4000-8000-000000000001",
        "create_date_time": "2026-01-05T00:00:00Z",
        "responsible_entity_custodian": "USA.DHS.US-CERT",
        "policy_reference": f"urn:isa:policy:acs:ns:v3.0?privdefault={use}&sharedefault={share}",
        "access_privilege": [rule("CISAUSES")],
        "control_set": {"classification": "U", **(control or {})},
    } | fields
    return {name: value for name, value in body.items() if value is not None}


def tagged(*determinations: str, **fields: Any) -> dict[str, Any]:
    return acs(control={"formal_determination": list(determinations)}, **fields)


def read(body: object) -> AcsMarking:
    marking = read_acs({"extensions": {ACS_EXTENSION: body}})
    assert marking is not None
    return marking


def judged(body: object, organisation: Organisation = STATE, audience: Audience = OWN):
    return judge(read(body), organisation, audience, NOW)


def shared_with(body: object, organisation: Organisation = STATE) -> list[str]:
    """Return the audiences that may both use and see it."""
    found = {audience: judged(body, organisation, audience) for audience in Audience}
    return [to.value for to, one in found.items() if one.use is not Use.DENY and one.share]


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"definition_type": "tlp", "definition": {"tlp": "amber"}},
        {"extensions": {"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d": {}}},
        {"extensions": "none"},
    ],
)
def test_a_definition_without_the_extension_carries_no_acs(definition):
    assert read_acs(definition) is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"identifier": None}, "identifier is required"),
        ({"identifier": " "}, "identifier is required"),
        ({"create_date_time": 5}, "create_date_time is required"),
        ({"responsible_entity_custodian": None}, "responsible_entity_custodian is required"),
        ({"policy_reference": None}, "policy_reference should name"),
        ({"policy_reference": " "}, "policy_reference should name"),
        ({"policy_reference": "urn:isa:policy:acs:ns:v4.0?privdefault=permit"}, "policy_reference"),
        ({"policy_reference": "urn:isa:policy:acs:ns:v3.0?privdefault=yes&sharedefault=permit"},
         "policy_reference"),
        ({"control_set": None}, "control_set.classification is required"),
        ({"control_set": {}}, "control_set.classification is required"),
        ({"control_set": ["U"]}, "control_set.classification is required"),
        ({"control_set": {"classification": None}}, "control_set.classification is required"),
        ({"control": {"formal_determination": []}}, "control_set.formal_determination should be"),
        ({"control": {"caveat": {"FISA": 1}}}, "control_set.caveat should be a list of codes"),
        ({"control": {"sensitivity": [1]}}, "control_set.sensitivity should contain codes only"),
        ({"control": {"sensitivity": [" "]}}, "control_set.sensitivity should contain codes only"),
        ({"control": {"entity": []}}, "control_set.entity should be a list of codes"),
        ({"access_privilege": {}}, "access_privilege should be a list of rules"),
        ({"access_privilege": ["CISAUSES"]}, "access_privilege should be a list of rules"),
        ({"access_privilege": [{}]}, r"access_privilege[0].privilege_action should be"),
        ({"access_privilege": [{"privilege_action": "ALL", "rule_effect": "permit"}]},
         "access_privilege[0].privilege_scope should have one or more of"),
        ({"access_privilege": [{**rule("ALL"), "privilege_scope": {}}]}, "privilege_scope should"),
        ({"access_privilege": [rule("ALL", planet=["ALL"])]}, "privilege_scope should have"),
        ({"access_privilege": [rule("ALL", entity=[])]}, "privilege_scope.entity should be"),
        ({"access_privilege": [rule("CISAUSES"), rule("ALL", "allow")]},
         "access_privilege[1].rule_effect should be permit or deny"),
        ({"access_privilege": [rule("ALL", None)]}, "rule_effect should be permit or deny"),
        ({"further_sharing": [{"rule_effect": "permit"}]}, "further_sharing[0].sharing_scope"),
        ({"further_sharing": [further("maybe", "ALL")]}, "further_sharing[0].rule_effect"),
        ({"public_release": "yes"}, "public_release should say who"),
        ({"public_release": {"released_by": "USA.DHS", "released_on": "soon"}},
         "public_release.released_on should be a timestamp"),
        ({"resource_disposition": {}}, "resource_disposition.disposition_date should be"),
        ({"resource_disposition": "destroy"}, "resource_disposition.disposition_date should be"),
        ({"resource_disposition": {"disposition_date": "2027-01-01"}}, "should be a timestamp"),
        ({"derivative_classification": {"classified_by": "x"}}, "contradicts the classification U"),
    ],
)  # fmt: skip
def test_a_malformed_marking_forbids_everything_and_says_why(change, fault):
    for audience in Audience:
        verdict = judged(acs("permit", "permit", **change), audience=audience)
        assert fault in verdict.why
        assert verdict.use is Use.DENY
        assert not verdict.share
        assert not verdict.publish
        assert verdict.pii
        assert verdict.proprietary
        assert not verdict.reveals_origin
        assert not verdict.spill


@pytest.mark.parametrize("body", [{}, None, "ACS", [1]])
def test_an_extension_that_is_no_marking_forbids_everything(body):
    assert judged(body).use is Use.DENY


def test_what_was_classified_and_is_declassified_is_unclassified():
    body = acs(original_classification={"classified_by": "x"}, declassification={"declass_date": 1})
    assert judged(body).use is Use.PERMIT


@pytest.mark.parametrize(
    ("control", "spill"),
    [
        ({"classification": "S"}, "classification 'S'"),
        ({"classification": "TS"}, "classification 'TS'"),
        ({"classification": " c "}, "classification ' c '"),
        ({"classification": "UNKNOWN"}, "classification 'UNKNOWN'"),
        ({"classification": ["U"]}, "classification \"['U']\""),
        ({"classification": "S" * 99}, f"classification '{'S' * 39}...'"),
        ({"classification": "U", "sci_controls": ["SI"]}, "compartmented (sci_controls)"),
    ],
)
def test_anything_but_unclassified_is_a_spill(control, spill):
    verdict = judged(acs("permit", "permit", control_set=control))
    assert verdict.spill == spill
    assert verdict.use is Use.DENY
    assert not verdict.share
    assert not verdict.publish


def test_a_spill_is_seen_even_in_a_marking_that_is_malformed_otherwise():
    assert judged({"control_set": {"classification": "TS"}}).spill
    assert judged({"control_set": {"classification": "TS"}}).why == (
        "classification 'TS' is not allowed on this system"
    )


def test_a_spill_is_seen_in_the_form_from_before_extensions():
    old = {
        "definition_type": "x-isa-acs-3-0",
        "definition": {"control_set": {"classification": "S"}},
    }
    marking = read_acs(old)
    assert marking is not None
    assert marking.spill == "classification 'S'"


def test_unclassified_is_read_whatever_its_case():
    assert judged(acs(control_set={"classification": "u "})).use is Use.PERMIT


PERMIT, WATCH, DENY = Use
USE = [
    # default, rules, use
    ("permit", [], PERMIT),
    ("deny", [], DENY),
    ("deny", [rule("CISAUSES")], PERMIT),
    ("deny", [rule("NETDEF")], PERMIT),
    ("deny", [rule("ALL")], PERMIT),
    ("deny", [rule(["LEGAL", "netdef"])], PERMIT),
    ("deny", [rule("LEGAL"), rule("INTEL")], DENY),
    ("permit", [rule("LEGAL", "deny")], PERMIT),
    ("permit", [rule("NETDEF", "deny")], DENY),
    ("permit", [rule("CISAUSES", "deny")], DENY),
    ("permit", [rule("ALL", "deny")], DENY),
    ("deny", [rule("CISAUSES"), rule("NETDEF", "deny")], DENY),
    ("deny", [rule("NETDEF", "deny"), rule("ALL")], WATCH),
    ("deny", [rule("DSPLY")], WATCH),
    ("permit", [rule("DSPLY"), rule("NETDEF", "deny")], WATCH),
    ("deny", [rule("DSPLY", "deny")], DENY),
    ("permit", [rule("DSPLY", "deny")], PERMIT),
    ("deny", [rule("DSPLY"), rule("DSPLY", "deny")], DENY),
    ("deny", [rule("DSPLY"), rule("CISAUSES")], PERMIT),
]


@pytest.mark.parametrize(("default", "rules", "use"), USE)
def test_rules_on_network_defence_decide_the_use(default, rules, use):
    assert judged(acs(default, access_privilege=rules)).use is use


def test_no_access_rules_at_all_leave_it_to_the_default():
    assert judged(acs("permit", access_privilege=None)).use is PERMIT
    assert judged(acs("deny", access_privilege=None)).use is DENY


def test_of_several_policies_any_denial_is_the_default():
    one = "urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=deny"
    two = "urn:isa:policy:acs:ns:v3.0?privdefault=deny&amp;sharedefault=permit"
    marking = read(acs(policy_reference=f"{one}  {two}"))
    assert (marking.permits_by_default, marking.shares_by_default) == (False, False)
    marking = read(acs(policy_reference=one))
    assert (marking.permits_by_default, marking.shares_by_default) == (True, False)


SCOPES = [
    # scope, permits the state's SOC, a denial hits it
    ({"permitted_nationalities": ["USA"]}, True, True),
    ({"permitted_nationalities": ["GBR", "usa"]}, True, True),
    ({"permitted_nationalities": ["GBR"]}, False, False),
    ({"permitted_organizations": ["USA.XX"]}, True, True),
    ({"permitted_organizations": ["USA.DHS"]}, False, False),
    ({"permitted_organizations": ["USA"]}, False, True),  # we are a part of it, not it
    ({"permitted_organizations": ["USA.X"]}, False, False),
    ({"entity": ["MIL", "GOV"]}, True, True),
    ({"entity": ["MIL"]}, False, False),
    ({"shareability": ["ALL"]}, True, True),
    ({"shareability": ["LE"]}, False, True),  # nobody knows whether we are
    ({"permitted_nationalities": ["USA"], "entity": ["MIL"]}, False, False),
    ({"permitted_nationalities": ["USA"], "entity": ["ALL"]}, True, True),
]


@pytest.mark.parametrize(("scope", "permitted", "hit"), SCOPES)
def test_a_rule_applies_when_every_dimension_names_us(scope, permitted, hit):
    permits = acs("deny", access_privilege=[rule("NETDEF", **scope)])
    denies = acs("permit", access_privilege=[rule("NETDEF", "deny", **scope)])
    assert (judged(permits).use is PERMIT) == permitted
    assert (judged(denies).use is DENY) == hit


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_who_did_not_say_who_they_are_is_permitted_by_all_only_and_denied_by_anything(dimension):
    some, everybody = {dimension: ["X"]}, {dimension: ["ALL"]}
    permits = acs("deny", access_privilege=[rule("NETDEF", **some)])
    denies = acs("permit", access_privilege=[rule("NETDEF", "deny", **some)])
    assert judged(permits, NOBODY).use is DENY
    assert judged(denies, NOBODY).use is DENY
    assert judged(acs(access_privilege=[rule("NETDEF", **everybody)]), NOBODY).use is PERMIT


@pytest.mark.parametrize(
    ("control", "audiences"),
    [
        ({}, ["own", "operator", "community"]),
        ({"permitted_nationalities": ["USA", "GBR"]}, ["own", "operator"]),
        ({"permitted_nationalities": ["GBR"]}, []),
        ({"permitted_organizations": ["USA.XX"]}, ["own", "operator"]),
        ({"permitted_organizations": ["USA.NSA"]}, []),
        ({"entity": ["GOV"]}, ["own"]),
        ({"entity": ["GOV", "CTR"]}, ["own", "operator"]),
        ({"shareability": ["IC"]}, []),
        ({"formal_determination": ["NF"]}, ["own", "operator"]),
    ],
)
def test_the_control_set_says_who_may_have_it_at_all(control, audiences):
    assert shared_with(acs("permit", "permit", control)) == audiences


def test_what_is_not_for_foreigners_is_for_nobody_who_did_not_say_so():
    assert judged(tagged("NF"), NOBODY).use is DENY
    assert "organisation.nationality" in judged(tagged("NF"), NOBODY).why
    assert judged(tagged("NF"), Organisation("GBR")).use is DENY


def test_a_permit_for_us_is_none_for_those_we_hand_it_to():
    ours = acs("deny", "permit", access_privilege=[rule("NETDEF", entity=["GOV"])])
    assert shared_with(ours) == ["own"]
    contractors = acs("deny", "permit", access_privilege=[rule("NETDEF", entity=["GOV", "CTR"])])
    assert shared_with(contractors) == ["own", "operator"]


SHARING = [
    # default, rules, audiences
    ("deny", [], ["own"]),
    ("permit", [], ["own", "operator", "community"]),
    ("deny", [further("permit", "ALL")], ["own", "operator", "community"]),
    ("deny", [further("permit", "SECTOR")], ["own", "community"]),
    ("deny", [further("permit", "PRIVATESECTOR")], ["own", "operator"]),
    ("deny", [further("permit", "NONFED")], ["own", "operator"]),
    ("deny", [further("permit", "FOREIGNGOV", "USA.USG")], ["own"]),
    ("permit", [further("deny", "FOREIGNGOV")], ["own", "operator"]),
    ("permit", [further("deny", "USA.DOD")], ["own", "operator"]),
    ("permit", [further("deny", "USA.XX")], ["own"]),
    ("permit", [further("deny", "USA")], ["own"]),
    ("permit", [further("deny", "PRIVATESECTOR")], ["own"]),
    ("permit", [further("deny", "ALL")], ["own"]),
    ("deny", [further("permit", "SECTOR"), further("deny", "SECTOR")], ["own"]),
    ("deny", [further("permit", "SECTOR"), further("deny", "FOREIGNGOV")], ["own"]),
    ("deny", [further("permit", "ALL"), further("deny", "FOREIGNGOV")], ["own", "operator"]),
]


@pytest.mark.parametrize(("default", "rules", "audiences"), SHARING)
def test_further_sharing_decides_which_audiences_see_it(default, rules, audiences):
    assert shared_with(acs("deny", default, further_sharing=rules)) == audiences


def test_a_denial_to_an_organisation_hits_the_operator_of_who_did_not_say_who_they_are():
    body = acs("deny", "permit", further_sharing=[further("deny", "USA.DOD")])
    assert shared_with(body, NOBODY) == ["own"]


RELEASED = {"released_by": "USA.DHS"}
EVERYONE = ["own", "operator", "community", "public"]
RELEASES = [
    (tagged("PUBREL"), EVERYONE),
    (acs(public_release=RELEASED), EVERYONE),
    (acs(public_release={**RELEASED, "released_on": "2026-01-01T00:00:00Z"}), EVERYONE),
    (acs(public_release={**RELEASED, "released_on": "2036-01-01T00:00:00Z"}), ["own"]),
    (acs(public_release={"releasable_to_public": "false"}), ["own"]),
    (acs(public_release={}), ["own"]),
    (tagged("PUBREL", "FOUO"), ["own"]),
    (tagged("PUBREL", "FOUO", share="permit"), ["own", "operator", "community"]),
    (tagged("PUBREL", "NF"), ["own"]),
    (tagged("AIS", share="permit"), ["own", "operator", "community"]),
    (tagged("PUBREL", further_sharing=[further("deny", "FOREIGNGOV")]), ["own", "operator"]),
    (
        tagged("PUBREL", access_privilege=[rule("ALL"), rule("ANONYMOUSACCESS", "deny")]),
        ["own", "operator", "community"],
    ),
    (acs("permit", "permit"), ["own", "operator", "community"]),
]


@pytest.mark.parametrize(("body", "audiences"), RELEASES)
def test_only_a_release_that_nothing_contradicts_permits_publishing(body, audiences):
    assert shared_with(body) == audiences


def test_a_release_says_whether_it_may_be_published():
    assert judged(tagged("PUBREL")).publish
    assert not judged(acs("permit", "permit")).publish
    assert not judged(tagged("PUBREL", "FOUO")).publish
    assert judged(tagged("FOUO")).official_use


@pytest.mark.parametrize(
    "control",
    [
        {"caveat": ["CISAPROPRIETARY"]},
        {"caveat": "cisaproprietary"},
        {"caveat": ["FISA"]},
        {"sensitivity": ["PCII"]},
        {"sensitivity": ["LES"]},
        {"sensitivity": ["INT"]},
        {"sensitivity": ["PR"]},
        {"sensitivity": ["TEI"]},
        {"sensitivity": ["NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA"]},
        {"formal_determination": ["PUBREL"], "caveat": ["CISAPROPRIETARY"]},
    ],
)
def test_caveats_and_sensitivities_keep_it_within_our_own_systems(control):
    body = acs("permit", "permit", control, further_sharing=[further("permit", "ALL")])
    assert shared_with(body) == ["own"]
    assert judged(body).use is PERMIT
    assert not judged(body).publish
    assert "must stay within our own systems" in judged(body, audience=PUBLIC).why


def test_proprietary_is_what_its_caveat_or_sensitivity_says():
    for code in ("CISAPROPRIETARY", "PR", "TEI"):
        assert judged(acs(control={"caveat": [code]})).proprietary
    assert not judged(acs(control={"sensitivity": ["LES"]})).proprietary


@pytest.mark.parametrize(
    ("control", "pii"),
    [
        ({}, False),
        ({"formal_determination": ["NO-PII-PRESENT"]}, False),
        ({"formal_determination": ["PII-NOT-PRESENT"]}, False),
        ({"formal_determination": ["PII-NECESSARY-TO-UNDERSTAND-THREAT"]}, True),
        ({"caveat": ["POSSIBLEPII"]}, True),
        ({"sensitivity": ["PII"]}, True),
        ({"formal_determination": ["NO-PII-PRESENT"], "caveat": ["POSSIBLEPII"]}, True),
    ],
)
def test_personal_information_is_reported(control, pii):
    assert judged(acs(control=control)).pii == pii


@pytest.mark.parametrize(
    ("default", "rules", "reveals"),
    [
        ("permit", [], True),
        ("deny", [rule("CISAUSES")], False),
        ("deny", [rule("ALL")], True),
        ("deny", [rule("IDSRC"), rule("TENOT")], True),
        ("deny", [rule("IDSRC")], False),
        ("permit", [rule("IDSRC", "deny")], False),
        ("permit", [rule("TENOT", "deny")], False),
        ("permit", [rule("ALL", "deny")], False),
    ],
)
def test_source_and_target_are_named_only_when_both_may_be(default, rules, reveals):
    assert judged(acs(default, access_privilege=rules)).reveals_origin == reveals


@pytest.mark.parametrize("code", ["PR", "TEI"])
def test_who_was_targeted_is_not_named(code):
    assert not judged(acs("permit", control={"sensitivity": [code]})).reveals_origin


@pytest.mark.parametrize(
    "change",
    [
        {"control": {"formal_determination": ["AIS", "NEWER"]}},
        {"control": {"caveat": ["NEWER"]}},
        {"control": {"sensitivity": ["NEWER"]}},
        {"control": {"logical_authority_category": ["LAC1"]}},
        {"control": {"newer": True}},
        {"newer": True},
    ],
)
def test_what_is_not_understood_allows_us_to_watch_at_most_and_share_with_nobody(change):
    body = acs("permit", "permit", **change)
    verdict = judged(body)
    assert verdict.use is WATCH
    assert "not understood" in verdict.why
    assert verdict.pii
    assert verdict.proprietary
    assert not verdict.reveals_origin
    assert shared_with(body) == ["own"]


def test_a_code_that_is_not_understood_does_not_undo_a_denial():
    assert judged(acs("deny", access_privilege=[], newer=True)).use is DENY


def test_a_hostile_word_is_reported_on_one_short_line():
    why = judged(acs(control={"caveat": ["A\nB\u2028" + "C" * 99]})).why
    assert why.isascii()
    assert why.isprintable()
    assert len(why) < 120


def disposed(at: str) -> dict[str, Any]:
    return acs("permit", resource_disposition={"disposition_date": at, "disposition_process": "x"})


def test_the_disposition_date_ends_it_and_shows_before_when():
    marking = read(disposed("2026-06-01T00:00:00Z"))
    at = marking.disposal
    assert at is not None
    before, after = (judge(marking, STATE, OWN, now) for now in (at - 1, at))
    assert (before.use, before.expired, before.until) == (PERMIT, False, at)
    assert (after.use, after.expired, after.until) == (DENY, True, None)
    assert after.why == "its disposition date has passed"


def test_what_is_disposed_of_is_not_published():
    body = disposed("2020-06-01T00:00:00Z") | {"public_release": RELEASED}
    assert not judged(body).publish


def test_a_release_to_come_is_the_next_turn():
    body = disposed("2036-06-01T00:00:00Z")
    body["public_release"] = {**RELEASED, "released_on": "2036-01-01T00:00:00Z"}
    marking = read(body)
    assert judge(marking, STATE, OWN, NOW).until == marking.release
    assert judged(acs()).until is None


def test_a_verdict_says_what_it_refuses_and_nothing_else():
    assert judged(acs()).why == ""
    assert judged(acs(), audience=COMMUNITY).why == (
        "no rule permits sharing it further, and sharedefault=deny"
    )
    assert judged(acs(access_privilege=[]), audience=COMMUNITY).why == (
        "no rule permits network defence here, and privdefault=deny; "
        "no rule permits sharing it further, and sharedefault=deny"
    )


CODES = st.lists(
    st.sampled_from(["ALL", "USA", "USA.XX", "GOV", "CTR", "LE"]), min_size=1, max_size=2
)
RULES = st.builds(
    lambda action, effect, scope: rule(action, effect, **scope),
    st.sampled_from(["NETDEF", "CISAUSES", "ALL", "DSPLY", "IDSRC", "TENOT", "ANONYMOUSACCESS"]),
    st.sampled_from(["permit", "deny"]),
    st.dictionaries(st.sampled_from(DIMENSIONS), CODES, min_size=1),
)
SHARES = st.builds(
    further,
    st.sampled_from(["permit", "deny"]),
    st.sampled_from(["ALL", "SECTOR", "FOREIGNGOV", "NONFED", "USA.XX", "USA.DOD"]),
)
DEFAULTS = st.sampled_from(["permit", "deny"])
CONTROLS = st.fixed_dictionaries(
    {},
    optional={
        "formal_determination": st.lists(
            st.sampled_from(["AIS", "FOUO", "PUBREL", "NF", "NO-PII-PRESENT", "NEWER"]), min_size=1
        ),
        "caveat": st.lists(st.sampled_from(["POSSIBLEPII", "CISAPROPRIETARY"]), min_size=1),
        "entity": CODES,
    },
)
BODIES = st.builds(
    lambda use, share, control, rules, shares: acs(
        use, share, control, access_privilege=rules, further_sharing=shares
    ),
    DEFAULTS, DEFAULTS, CONTROLS, st.lists(RULES, max_size=4), st.lists(SHARES, max_size=3),
)  # fmt: skip
ORGANISATIONS = st.sampled_from([STATE, NOBODY, Organisation("GBR", frozenset(), "MIL")])


def restriction(verdict) -> tuple[bool, ...]:
    """Return what a verdict withholds, each True where it does."""
    return (
        verdict.use >= WATCH, verdict.use is DENY, not verdict.share, not verdict.publish,
        verdict.pii, verdict.proprietary, not verdict.reveals_origin,
    )  # fmt: skip


def never_wider(before, after) -> bool:
    return all(b <= a for b, a in zip(restriction(before), restriction(after), strict=True))


@given(BODIES, RULES, SHARES, ORGANISATIONS, st.sampled_from(Audience))
def test_one_more_denial_never_widens(body, one, other, organisation, audience):
    more = deepcopy(body)
    more["access_privilege"].append({**one, "rule_effect": "deny"})
    more["further_sharing"].append({**other, "rule_effect": "deny"})
    before, after = (judged(each, organisation, audience) for each in (body, more))
    assert never_wider(before, after)


@given(BODIES, ORGANISATIONS, st.sampled_from(Audience))
def test_a_wider_audience_never_gets_more(body, organisation, audience):
    before = judged(body, organisation, OWN)
    after = judged(body, organisation, audience)
    assert never_wider(before, after)


@given(BODIES, ORGANISATIONS, st.sampled_from(Audience))
def test_not_saying_who_we_are_never_gets_more(body, organisation, audience):
    assert never_wider(judged(body, organisation, audience), judged(body, NOBODY, audience))


@given(BODIES, ORGANISATIONS, st.sampled_from(Audience), st.sampled_from(["caveat", "sensitivity"]))
def test_one_more_code_that_nobody_knows_never_widens(body, organisation, audience, where):
    more = deepcopy(body)
    more["control_set"].setdefault(where, []).append("NEWER")
    before, after = (judged(each, organisation, audience) for each in (body, more))
    assert never_wider(before, after)
