"""Decide against a naive reading of its table, and what it promises about time."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from policy_case import (
    ADDRESS,
    MARKINGS,
    NOTHING_PROTECTED,
    Listed,
    claim,
    listed,
    marked,
    protecting,
)

from connector.decisions.records import ClaimKind, ClaimRow, ObjectState, reason_of
from connector.decisions.selection import Choice, FeedDefaults, IndicatorAttributes, Select
from connector.instants import NEVER
from connector.model import ObservableType, Purpose, Reason, Tlp

TRAITS = {
    1: IndicatorAttributes(),
    2: IndicatorAttributes(labels=("c2",), created_by="identity--a"),
    3: IndicatorAttributes(indicator_types=("benign",)),
    4: IndicatorAttributes(labels=('misp:to_ids="false"', "c2")),
    5: marked(Tlp.RED),
}
LEVELS = {(MARKINGS[Tlp.RED],): Tlp.RED}
instants = st.integers(0, 60)

claims = st.builds(
    claim,
    st.integers(1, 1000),
    kind=st.sampled_from([ClaimKind.ENFORCEABLE, ClaimKind.ENFORCEABLE, *ClaimKind]),
    feed=st.integers(1, 3),
    state=st.sampled_from(
        [
            ObjectState.CURRENT,
            ObjectState.CURRENT,
            ObjectState.REVOKED,
            ObjectState.WITHDRAWN,
            ObjectState.DISPUTED,
        ]
    ),
    modified=instants,
    valid_from=instants | st.none(),
    valid_until=instants | st.none(),
    confidence=st.none() | st.sampled_from([0, 1, 50, 100]),
    attributes=st.sampled_from(list(TRAITS)),
    sighted=st.none() | instants,
)
lists = st.builds(
    listed,
    purpose=st.sampled_from(list(Purpose)),
    select=st.builds(
        Select,
        feeds=st.sampled_from([frozenset(), frozenset({"ais"}), frozenset({"ais", "isac"})]),
        types=st.sampled_from([frozenset(), frozenset({ObservableType.URL, ADDRESS.type})]),
        min_confidence=st.sampled_from([0, 1, 50]),
        labels=st.sampled_from([Choice(), Choice(any=frozenset({"c2"}))]),
    ),
    max_tlp=st.sampled_from([Tlp.AMBER, Tlp.RED]),
    rank_by=st.sampled_from([("confidence", "newest"), ("newest",)]),
    defaults=st.fixed_dictionaries(
        {
            1: st.builds(
                FeedDefaults,
                st.just("ais"),
                st.sampled_from([None, 0, 50]),
                st.sampled_from([{}, {ADDRESS.type: 7}, {ObservableType.URL: 3}]),
            ),
            2: st.just(FeedDefaults("isac", 60, {ADDRESS.type: 20})),
            3: st.just(FeedDefaults("gone", configured=False)),
        }
    ),
    attributes=st.just(TRAITS),
    allowlist=st.builds(protecting, instants | st.just(NEVER)) | st.just(NOTHING_PROTECTED),
)


def naive(said: ClaimRow, by: Listed, now: int) -> Reason:
    """Return one claim's reason as design.md's table reads, question by question."""
    policy = by.policy
    block = policy.purpose is Purpose.BLOCK
    defaults, select = policy.defaults[said.feed], policy.select
    attributes = TRAITS[said.attributes]
    confidence = defaults.default_confidence if said.confidence is None else said.confidence
    started = max(said.modified, said.valid_from or 0, said.sighted or 0)
    age = defaults.max_age.get(ADDRESS.type)
    aged = age is not None and said.valid_until is None and now >= started + age
    kinds = attributes.indicator_types or attributes.labels
    starts, ends = said.valid_from, said.valid_until
    never = starts is not None and ends is not None and ends <= starts
    answers = {
        Reason.UNREADABLE: said.kind == ClaimKind.UNREADABLE,
        Reason.UNSUPPORTED_PATTERN: said.kind in (ClaimKind.UNSUPPORTED, ClaimKind.RULE),
        Reason.NOT_ENFORCEABLE: said.kind == ClaimKind.NOT_ENFORCEABLE
        or (block and said.kind == ClaimKind.WATCH_ONLY),
        Reason.REVOKED: said.state == ObjectState.REVOKED
        or (block and said.state == ObjectState.DISPUTED),
        Reason.WITHDRAWN: said.state == ObjectState.WITHDRAWN,
        Reason.NOT_YET_VALID: starts is not None and now < starts and not never,
        Reason.EXPIRED: aged or never or (ends is not None and now >= ends),
        Reason.WITHHELD: defaults.configured
        and LEVELS.get(attributes.markings, Tlp.GREEN) > policy.viewer.max_tlp,
        Reason.DESELECTED: not defaults.configured
        or (bool(select.feeds) and defaults.name not in select.feeds)
        or (bool(select.types) and ADDRESS.type not in select.types)
        or (bool(select.labels.any) and not select.labels.any & set(attributes.labels))
        or (confidence or 0) < select.min_confidence
        or (block and (confidence == 0 or "benign" in kinds or said.attributes == 4)),
        Reason.WANTED: True,
    }
    return next(reason for reason, hit in answers.items() if hit)


@settings(max_examples=400)
@given(st.lists(claims, max_size=6), lists, instants, instants | st.just(NEVER))
def test_decide_agrees_with_a_naive_reading_of_its_table(
    said: list[ClaimRow], by: Listed, now: int, until: int
) -> None:
    by = replace(by, allowlist=protecting(until))
    alone = [naive(each, by, now) for each in said]
    wanted = [each for each, reason in zip(said, alone, strict=True) if reason is Reason.WANTED]
    protected = now < until
    decision = by.decide(ADDRESS, said, now)
    decided = list(map(reason_of, decision.codes))
    for reason, found in zip(alone, decided, strict=True):
        if reason is not Reason.WANTED:
            assert found is reason
        elif protected:
            assert found is Reason.ALLOWLISTED
        else:
            assert found in (Reason.WANTED, Reason.SUPERSEDED)
    assert decided.count(Reason.WANTED) == (1 if wanted and not protected else 0)
    assert (decision.carrier in wanted) if wanted and not protected else decision.carrier is None
    assert [by.explain(ADDRESS, each, now)[0] for each in said] == alone


@settings(max_examples=400)
@given(st.lists(claims, max_size=4), lists, instants)
def test_nothing_changes_before_the_instant_to_ask_again(
    said: list[ClaimRow], by: Listed, now: int
) -> None:
    decision = by.decide(ADDRESS, said, now)
    assert decision.recheck > now
    for later in range(now, min(decision.recheck, 90)):
        assert by.decide(ADDRESS, said, later) == decision
    if decision.recheck == NEVER:
        assert by.decide(ADDRESS, said, 10_000_000) == decision


@given(st.lists(claims, min_size=1, max_size=6), lists, instants, st.data())
def test_the_order_of_the_claims_decides_only_between_equals(
    said: list[ClaimRow], by: Listed, now: int, data: st.DataObject
) -> None:
    decision = by.decide(ADDRESS, said, now)
    turned = data.draw(st.permutations(said))
    other = by.decide(ADDRESS, turned, now)
    assert (other.rank, other.recheck) == (decision.rank, decision.recheck)
    assert other.merged == decision.merged
    assert sorted(other.codes) == sorted(decision.codes)
