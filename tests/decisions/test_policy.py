"""Decide: every reason, the order of the questions, and who carries an entry."""

from typing import Any

import pytest
from policy_case import ADDRESS, MARKINGS, NOW, Listed, claim, listed, marked, protecting

from connector.decisions.decide import Decision, Merged, confidence_of, ends
from connector.decisions.records import CODES, REASONS, ClaimKind, ClaimRow, ObjectState, reason_of
from connector.decisions.selection import Choice, FeedDefaults, IndicatorAttributes, Select
from connector.instants import NEVER
from connector.model import (
    ObservableType,
    Purpose,
    Reason,
    RuleLanguage,
    RuleRef,
    Subject,
    Tlp,
)

WATCH = Purpose.WATCH
DAY = 86_400_000_000


def reason(said: ClaimRow, by: Listed, now: int = NOW, subject: Subject = ADDRESS) -> Reason:
    """Return what decide answers on a single claim."""
    decision = by.decide(subject, [said], now)
    [code] = decision.codes
    assert (decision.carrier is said) == (reason_of(code) is Reason.WANTED)
    return reason_of(code)


def test_reasons_are_asked_in_the_order_of_their_table() -> None:
    assert [each.value for each in REASONS] == [
        "unreadable", "unsupported_pattern", "not_enforceable", "revoked", "withdrawn",
        "not_yet_valid", "expired", "withheld", "deselected", "allowlisted", "superseded",
        "wanted", "unsupported_type", "over_capacity", "pending", "held", "rejected", "written",
    ]  # fmt: skip
    assert [reason_of(CODES[each]) for each in Reason] == list(Reason)
    assert min(CODES.values()) == 1, "0 means not counted yet"


BENIGN = IndicatorAttributes(indicator_types=("benign",))
# Each fault makes its reason; with all later faults beside it, it is still the one named.
FAULTS: list[tuple[Reason, dict[str, Any]]] = [
    (Reason.UNREADABLE, {"kind": ClaimKind.UNREADABLE}),
    (Reason.UNSUPPORTED_PATTERN, {"kind": ClaimKind.UNSUPPORTED}),
    (Reason.NOT_ENFORCEABLE, {"kind": ClaimKind.WATCH_ONLY}),
    (Reason.REVOKED, {"state": ObjectState.REVOKED}),
    (Reason.WITHDRAWN, {"state": ObjectState.WITHDRAWN}),
    (Reason.NOT_YET_VALID, {"valid_from": NOW + 1, "valid_until": NOW + 2}),
    (Reason.EXPIRED, {"valid_until": NOW}),
    (Reason.WITHHELD, {"attributes": 3}),
    (Reason.DESELECTED, {"attributes": 2}),
    (Reason.ALLOWLISTED, {}),
]
TRAITS = {
    1: IndicatorAttributes(),
    2: BENIGN,
    3: marked(Tlp.RED, indicator_types=("benign",)),
}


@pytest.mark.parametrize("first", range(len(FAULTS)))
def test_the_first_answer_counts(first: int) -> None:
    by = listed(attributes=TRAITS, allowlist=protecting())
    faults: dict[str, Any] = {}
    for _reason, fault in reversed(FAULTS[first:]):
        faults |= fault
    assert reason(claim(**faults), by) is FAULTS[first][0]


@pytest.mark.parametrize(("expected", "fault"), FAULTS[:-1])
def test_each_fault_alone_is_its_reason(expected: Reason, fault: dict[str, Any]) -> None:
    assert reason(claim(**fault), listed(attributes=TRAITS)) is expected


def test_a_claim_without_fault_is_wanted() -> None:
    assert reason(claim(), listed()) is Reason.WANTED


@pytest.mark.parametrize(
    ("fields", "block", "watch"),
    [
        ({"kind": ClaimKind.WATCH_ONLY}, Reason.NOT_ENFORCEABLE, Reason.WANTED),
        ({"kind": ClaimKind.NOT_ENFORCEABLE}, Reason.NOT_ENFORCEABLE, Reason.NOT_ENFORCEABLE),
        ({"kind": ClaimKind.UNSUPPORTED}, Reason.UNSUPPORTED_PATTERN, Reason.UNSUPPORTED_PATTERN),
        ({"state": ObjectState.DISPUTED}, Reason.REVOKED, Reason.WANTED),
        ({"state": ObjectState.REVOKED}, Reason.REVOKED, Reason.REVOKED),
        ({"state": ObjectState.WITHDRAWN}, Reason.WITHDRAWN, Reason.WITHDRAWN),
        ({"confidence": 0}, Reason.DESELECTED, Reason.WANTED),
        ({"confidence": 1}, Reason.WANTED, Reason.WANTED),
        ({"attributes": 2}, Reason.DESELECTED, Reason.WANTED),
        ({"attributes": 4}, Reason.DESELECTED, Reason.WANTED),
        ({"attributes": 5}, Reason.DESELECTED, Reason.WANTED),
        ({"attributes": 6}, Reason.WANTED, Reason.WANTED),
        ({"attributes": 7}, Reason.WANTED, Reason.WANTED),
    ],
)
def test_a_watchlist_takes_what_must_not_block(
    fields: dict[str, Any], block: Reason, watch: Reason
) -> None:
    attributes = TRAITS | {
        4: IndicatorAttributes(labels=("benign",)),  # STIX 2.0 keeps the types in labels
        5: IndicatorAttributes(labels=('misp:to_ids="false"',)),
        6: IndicatorAttributes(labels=('misp:to_ids="true"',)),
        7: IndicatorAttributes(labels=("benign",), indicator_types=("malicious-activity",)),
    }
    assert reason(claim(**fields), listed(attributes=attributes)) is block
    assert reason(claim(**fields), listed(attributes=attributes, purpose=WATCH)) is watch


@pytest.mark.parametrize(
    ("label", "blocks"),
    [
        ('misp:to_ids="false"', False),
        ("misp:to_ids=False", False),
        ('MISP:TO_IDS="FALSE"', False),
        ('misp:to_ids="true"', True),
        ("misp:to_ids", True),
        ("not misp:to_ids=false", True),
    ],
)
def test_a_misp_attribute_that_is_not_for_detection_never_blocks(label: str, blocks: bool) -> None:
    decided = reason(claim(), listed(attributes={1: IndicatorAttributes(labels=("x", label))}))
    assert decided is (Reason.WANTED if blocks else Reason.DESELECTED)


MARKED = IndicatorAttributes(
    created_by="identity--p", labels=("c2", "test"), indicator_types=("malicious-activity",)
)


@pytest.mark.parametrize(
    ("select", "taken"),
    [
        (Select(), True),
        (Select(feeds=frozenset({"ais"})), True),
        (Select(feeds=frozenset({"isac"})), False),
        (Select(types=frozenset({ObservableType.IPV4_ADDR})), True),
        (Select(types=frozenset({ObservableType.URL})), False),
        (Select(labels=Choice(any=frozenset({"c2", "phishing"}))), True),
        (Select(labels=Choice(any=frozenset({"phishing"}))), False),
        (Select(labels=Choice(none=frozenset({"test"}))), False),
        (Select(labels=Choice(any=frozenset({"c2"}), none=frozenset({"test"}))), False),
        (Select(labels=Choice(none=frozenset({"other"}))), True),
        (Select(indicator_types=Choice(any=frozenset({"malicious-activity"}))), True),
        (Select(indicator_types=Choice(none=frozenset({"malicious-activity"}))), False),
        (Select(producers=Choice(any=frozenset({"identity--p"}))), True),
        (Select(producers=Choice(any=frozenset({"identity--q"}))), False),
        (Select(producers=Choice(none=frozenset({"identity--p"}))), False),
    ],
)
@pytest.mark.parametrize("purpose", list(Purpose))
def test_select_takes_what_it_names(select: Select, taken: bool, purpose: Purpose) -> None:
    decided = reason(claim(), listed(select=select, attributes={1: MARKED}, purpose=purpose))
    assert decided is (Reason.WANTED if taken else Reason.DESELECTED)


@pytest.mark.parametrize(
    ("words", "choice", "why"),
    [
        ((), Choice(), ""),
        (("a",), Choice(), ""),
        ((), Choice(any=frozenset({"b", "a"})), "has none of a, b"),
        (("c",), Choice(any=frozenset({"b", "a"})), "has none of a, b"),
        (("a", "b"), Choice(any=frozenset({"b"})), ""),
        (("b", "a"), Choice(none=frozenset({"a", "b"})), "has a"),
        (("a",), Choice(any=frozenset({"a"}), none=frozenset({"a"})), "has a"),
        ((), Choice(none=frozenset({"a"})), ""),
    ],
)
def test_a_choice_says_why_it_refuses(words: tuple[str, ...], choice: Choice, why: str) -> None:
    assert choice.refuses(words) == why


def test_a_feed_that_is_no_longer_configured_gives_nothing() -> None:
    """What it bore no marking on is not withheld: nobody says any more what to assume."""
    gone = listed(defaults={1: FeedDefaults("ais", configured=False)}, unmarked=Tlp.RED)
    assert gone.explain(ADDRESS, claim(), NOW) == (
        Reason.DESELECTED, "feed ais is no longer configured",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("own", "default", "least", "taken"),
    [
        (None, None, 0, True),
        (None, None, 1, False),
        (None, 50, 50, True),
        (None, 50, 51, False),
        (None, 0, 0, False),
        (60, 10, 60, True),
        (59, 100, 60, False),
        (0, 100, 0, False),
        (100, None, 100, True),
    ],
)
def test_confidence_is_the_indicators_or_what_its_feed_assumes(
    own: int | None, default: int | None, least: int, taken: bool
) -> None:
    by = listed(select=Select(min_confidence=least), defaults={1: FeedDefaults("ais", default)})
    assert confidence_of(claim(confidence=own), by.policy) == (own if own is not None else default)
    assert reason(claim(confidence=own), by) is (Reason.WANTED if taken else Reason.DESELECTED)


@pytest.mark.parametrize("level", list(Tlp))
@pytest.mark.parametrize("most", list(Tlp))
def test_a_marking_stricter_than_the_list_allows_withholds(level: Tlp, most: Tlp) -> None:
    expected = Reason.WITHHELD if level > most else Reason.WANTED
    assert reason(claim(), listed(max_tlp=most, unmarked=level)) is expected
    assert reason(claim(), listed(max_tlp=most, attributes={1: marked(level)})) is expected


@pytest.mark.parametrize(
    ("fields", "age", "expected"),
    [
        ({}, None, NEVER),
        ({"valid_until": 5 * DAY}, None, 5 * DAY),
        ({"valid_until": 5 * DAY}, DAY, 5 * DAY),
        ({"modified": 2 * DAY}, DAY, 3 * DAY),
        ({"modified": 2 * DAY, "valid_from": 4 * DAY}, DAY, 5 * DAY),
        ({"modified": 4 * DAY, "valid_from": 2 * DAY}, DAY, 5 * DAY),
        ({"modified": 2 * DAY, "valid_from": None}, DAY, 3 * DAY),
        ({"modified": 2 * DAY, "sighted": 6 * DAY}, DAY, 7 * DAY),
        ({"modified": 2 * DAY, "sighted": 1 * DAY}, DAY, 3 * DAY),
        ({"sighted": 6 * DAY, "valid_until": 5 * DAY}, DAY, 5 * DAY),
        ({"modified": 9000 * DAY, "received": 2 * DAY}, DAY, 3 * DAY),
        ({"modified": 1 * DAY, "received": 2 * DAY}, DAY, 2 * DAY),
        ({"modified": 1 * DAY, "received": 2 * DAY, "valid_from": 4 * DAY}, DAY, 5 * DAY),
    ],
)
def test_a_claim_ends_by_its_own_word_or_else_by_age(
    fields: dict[str, Any], age: int | None, expected: int
) -> None:
    bounds = {} if age is None else {ObservableType.IPV4_ADDR: age}
    defaults = FeedDefaults("ais", max_age=bounds)
    assert ends(ObservableType.IPV4_ADDR, claim(**fields), defaults) == expected
    if "valid_until" not in fields:
        assert ends(ObservableType.URL, claim(**fields), defaults) == NEVER


@pytest.mark.parametrize(
    ("now", "expected", "recheck"),
    [
        (9, Reason.NOT_YET_VALID, 10),
        (10, Reason.WANTED, 20),
        (19, Reason.WANTED, 20),
        (20, Reason.EXPIRED, NEVER),
    ],
)
def test_validity_takes_in_its_first_instant_and_leaves_out_its_last(
    now: int, expected: Reason, recheck: int
) -> None:
    decision = listed().decide(ADDRESS, [claim(valid_from=10, valid_until=20)], now)
    assert (reason_of(decision.codes[0]), decision.recheck) == (expected, recheck)


@pytest.mark.parametrize("until", [5, 10])
@pytest.mark.parametrize("now", [0, 5, 10, 11])
def test_a_window_that_ends_before_it_begins_is_expired_at_any_time(until: int, now: int) -> None:
    never = claim(valid_from=10, valid_until=until)
    decision = listed().decide(ADDRESS, [never], now)
    assert (reason_of(decision.codes[0]), decision.recheck) == (Reason.EXPIRED, NEVER)
    assert "never valid" in listed().explain(ADDRESS, never, now)[1]


def test_what_time_cannot_change_is_not_asked_again() -> None:
    for fields in (
        {"state": ObjectState.REVOKED, "valid_until": NOW + 1},
        {"kind": ClaimKind.UNREADABLE},
    ):
        assert listed().decide(ADDRESS, [claim(**fields)], NOW).recheck == NEVER


def test_the_end_of_an_exception_is_an_instant_to_ask_again() -> None:
    by = listed(allowlist=protecting(NOW + 5))
    held = by.decide(ADDRESS, [claim()], NOW)
    assert (reason_of(held.codes[0]), held.recheck) == (Reason.ALLOWLISTED, NOW + 5)
    assert held.detail == "exception protects 198.51.100.7"
    assert reason(claim(), by, NOW + 5) is Reason.WANTED


def reasons(said: list[ClaimRow], by: Listed, now: int = NOW) -> list[Reason]:
    return [reason_of(code) for code in by.decide(ADDRESS, said, now).codes]


def test_an_observable_stays_wanted_until_the_last_claim_goes() -> None:
    first, second = claim(1, valid_until=NOW + 10), claim(2, feed=2, valid_until=NOW + 20)
    decision = listed().decide(ADDRESS, [first, second], NOW)
    assert decision.carrier == first
    assert decision.recheck == NOW + 10
    assert reasons([first, second], listed()) == [Reason.WANTED, Reason.SUPERSEDED]
    assert reasons([first, second], listed(), NOW + 10) == [Reason.EXPIRED, Reason.WANTED]
    assert reasons([first, second], listed(), NOW + 20) == [Reason.EXPIRED, Reason.EXPIRED]


@pytest.mark.parametrize(
    ("rank_by", "carrier"), [(("confidence", "newest"), 2), (("newest",), 3), ((), 2)]
)
def test_the_best_claim_carries_the_entry(rank_by: tuple[str, ...], carrier: int) -> None:
    said = [
        claim(1, confidence=80, modified=1_000_000),
        claim(2, confidence=80, modified=2_000_000),
        claim(3, confidence=70, modified=9_000_000),
        claim(4, confidence=99, state=ObjectState.REVOKED),
    ]
    decision = listed(rank_by=rank_by).decide(ADDRESS, said, NOW)
    assert decision.carrier is not None
    assert decision.carrier.number == carrier
    assert sorted(map(reason_of, decision.codes)) == sorted(
        [Reason.SUPERSEDED, Reason.SUPERSEDED, Reason.WANTED, Reason.REVOKED]
    )


def test_of_equals_the_first_claim_carries_so_that_entries_do_not_change_hands() -> None:
    decision = listed().decide(ADDRESS, [claim(5), claim(6)], NOW)
    assert decision.carrier == claim(5)


def test_an_allowlisted_observable_tells_what_each_claim_would_have_been_stopped_by() -> None:
    said = [claim(1), claim(2), claim(3, state=ObjectState.REVOKED)]
    decided = reasons(said, listed(allowlist=protecting()))
    assert decided == [Reason.ALLOWLISTED, Reason.ALLOWLISTED, Reason.REVOKED]


def test_an_observable_without_claims_is_not_listed() -> None:
    assert listed().decide(ADDRESS, [], NOW) == Decision(b"", None, 0, NEVER)


def test_an_entry_says_what_all_claims_that_are_taken_say_together() -> None:
    by = listed(attributes={1: IndicatorAttributes(), 2: marked(Tlp.AMBER)})
    said = [
        claim(1, confidence=80, valid_from=500, valid_until=NOW + 10),
        claim(2, confidence=None, valid_from=None, valid_until=NOW + 30, attributes=2),
        claim(3, confidence=20, valid_from=100, valid_until=NOW + 20),
        claim(4, confidence=100, valid_from=1, valid_until=NOW + 99, state=ObjectState.REVOKED),
    ]
    together = by.decide(ADDRESS, said, NOW)
    assert together.merged == Merged(80, NOW + 30, Tlp.AMBER, 100)
    assert together.carrier == said[0]
    alone = by.decide(ADDRESS, said[1:2], NOW)
    assert alone.merged == Merged(None, NOW + 30, Tlp.AMBER, None)
    later = by.decide(ADDRESS, said, NOW + 10)
    assert later.merged == Merged(20, NOW + 30, Tlp.AMBER, 100)
    assert by.decide(ADDRESS, said[3:], NOW).merged is None


@pytest.mark.parametrize(
    ("fields", "by", "expected"),
    [
        ({}, {}, (Reason.WANTED, "")),
        ({"state": ObjectState.REVOKED}, {}, (Reason.REVOKED, "")),
        (
            {"state": ObjectState.DISPUTED}, {},
            (Reason.REVOKED, "revoked by an identity other than its producer"),
        ),
        (
            {}, {"unmarked": Tlp.AMBER_STRICT},
            (
                Reason.WITHHELD,
                "amber+strict: no TLP marking, the feed's default is stricter than TLP:amber",
            ),
        ),
        (
            {}, {"attributes": {1: marked(Tlp.RED)}},
            (Reason.WITHHELD, f"red: {MARKINGS[Tlp.RED]} is stricter than TLP:amber"),
        ),
        (
            {}, {"attributes": {1: IndicatorAttributes(markings=("marking-definition--m",))}},
            (
                Reason.WITHHELD,
                "red: marking-definition--m is missing, and unknown means restricted is stricter "
                "than TLP:amber",
            ),
        ),
        (
            {}, {"select": Select(feeds=frozenset({"isac"}))},
            (Reason.DESELECTED, "feed ais is not selected"),
        ),
        (
            {"attributes": 2}, {"attributes": TRAITS},
            (Reason.DESELECTED, "indicator_types benign never blocks"),
        ),
        (
            {}, {"attributes": {1: IndicatorAttributes(labels=('misp:to_ids="false"',))}},
            (Reason.DESELECTED, "labelled as not for detection (misp:to_ids)"),
        ),
        (
            {},
            {"attributes": {1: MARKED}, "select": Select(labels=Choice(none=frozenset({"c2"})))},
            (Reason.DESELECTED, "label: has c2"),
        ),
        (
            {}, {"select": Select(types=frozenset({ObservableType.URL}))},
            (Reason.DESELECTED, "type ipv4-addr is not selected"),
        ),
        (
            {}, {"select": Select(min_confidence=10)},
            (Reason.DESELECTED, "no confidence is given, and the feed assumes none"),
        ),
        (
            {"confidence": 20}, {"select": Select(min_confidence=60)},
            (Reason.DESELECTED, "confidence 20 is below 60"),
        ),
        ({"confidence": 0}, {}, (Reason.DESELECTED, "confidence 0 is below 1")),
        ({"valid_until": NOW}, {}, (Reason.EXPIRED, "")),
    ],
)  # fmt: skip
def test_explain_says_one_claims_reason_in_words(
    fields: dict[str, Any], by: dict[str, Any], expected: tuple[Reason, str]
) -> None:
    assert listed(**by).explain(ADDRESS, claim(**fields), NOW) == expected


RULE = RuleRef.of(RuleLanguage.YARA, "indicator--1", "ais")
TAKEN = frozenset([RuleLanguage.YARA])


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_rule_is_taken_where_an_output_of_the_list_takes_its_language(purpose: Purpose) -> None:
    said = claim(kind=ClaimKind.RULE)
    assert reason(said, listed(purpose=purpose, rules=TAKEN), subject=RULE) is Reason.WANTED
    for others in (frozenset(), frozenset([RuleLanguage.SIGMA])):
        by = listed(purpose=purpose, rules=others)
        assert reason(said, by, subject=RULE) is Reason.UNSUPPORTED_PATTERN
        words = "no output of this list takes yara rules"
        assert by.explain(RULE, said, NOW) == (Reason.UNSUPPORTED_PATTERN, words)


@pytest.mark.parametrize(("expected", "fault"), FAULTS[3:9], ids=[each for each, _ in FAULTS[3:9]])
def test_policy_speaks_of_rules_as_of_observables(expected: Reason, fault: dict[str, Any]) -> None:
    by = listed(rules=TAKEN, attributes=TRAITS)
    assert reason(claim(kind=ClaimKind.RULE, **fault), by, subject=RULE) is expected


def test_types_speak_of_observables_and_leave_rules_alone() -> None:
    by = listed(rules=TAKEN, select=Select(types=frozenset([ObservableType.URL])))
    assert reason(claim(kind=ClaimKind.RULE), by, subject=RULE) is Reason.WANTED
    assert reason(claim(), by) is Reason.DESELECTED


def test_a_rule_ages_by_its_own_bound() -> None:
    defaults = FeedDefaults(
        "ais", max_age={RuleLanguage.YARA: DAY, ObservableType.IPV4_ADDR: 2 * DAY}
    )
    said = claim(kind=ClaimKind.RULE, modified=0)
    assert ends(RULE.type, said, defaults) == DAY
    by = listed(rules=TAKEN, defaults={1: defaults})
    assert reason(said, by, DAY - 1, RULE) is Reason.WANTED
    assert reason(said, by, DAY, RULE) is Reason.EXPIRED


def test_no_allowlist_looks_into_a_rule() -> None:
    by = listed(rules=TAKEN, allowlist=protecting())
    assert reason(claim(kind=ClaimKind.RULE), by, subject=RULE) is Reason.WANTED
