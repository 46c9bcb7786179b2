"""Confidence on the scales that producers write (STIX 2.1 appendix A; feed.md section 6.3)."""

from typing import Any

import pytest
from policy_case import ADDRESS, NOW, claim, listed

from connector.decisions.decide import confidence_of
from connector.decisions.records import ObjectState, reason_of
from connector.decisions.selection import FeedDefaults, Select
from connector.indicators.confidence import Scale, code_of, readings, words_of
from connector.model import Reason

TABLE: list[tuple[Scale, dict[Any, int | None]]] = [
    (Scale.TEN, {0: 0, 1: 10, 7: 70, 10: 100, "7": 70}),
    (Scale.ADMIRALTY, {
        1: 90, 2: 70, 3: 50, 4: 30, 5: 10, 6: None, "2": 70, "Confirmed": 90,
        "1 - Confirmed by other sources": 90, "probably true": 70, "Truth cannot be judged": None,
    }),
    (Scale.LOW_MEDIUM_HIGH, {
        "None": 0, "Low": 15, "med": 50, "Medium": 50, "HIGH": 85, 15: 15, 100: 100,
    }),
    (Scale.WEP, {
        "Impossible": 0, "Highly Unlikely": 10, "unlikely": 30, "even_chance": 50, "likely": 70,
        "highly-likely": 90, "almost certain": 90, "Certain": 100, 70: 70,
    }),
    (Scale.DNI, {
        "Remote": 5, "very unlikely": 15, "improbable": 30, "roughly even odds": 50,
        "probable": 70, "very likely": 85, "almost certain": 95, 85: 85,
    }),
]  # fmt: skip
OFF = [
    (Scale.TEN, [11, 85, "high", "11", -3, 7.5]),
    (Scale.ADMIRALTY, [0, 7, 70, "A", "high"]),
    (Scale.LOW_MEDIUM_HIGH, ["likely", "50", 101, "n/a"]),
    (Scale.WEP, ["remote", "high", 50.5]),
    (Scale.DNI, ["certain", "low"]),
]


def kept(said: Any) -> int:
    """What the store keeps of a confidence."""
    plain = isinstance(said, int) and 0 <= said <= 100
    return int(said) if plain else code_of(said)


@pytest.mark.parametrize(
    ("scale", "said", "means"),
    [(scale, said, means) for scale, steps in TABLE for said, means in steps.items()],
)
def test_every_step_of_a_scale_means_what_stix_says(scale: Scale, said: Any, means: Any) -> None:
    defaults = FeedDefaults("ais", default_confidence=33, scale=readings(scale))
    policy = listed(defaults={1: defaults}).policy
    assert confidence_of(claim(confidence=kept(said)), policy) == (33 if means is None else means)


@pytest.mark.parametrize(
    ("scale", "said"), [(scale, said) for scale, words in OFF for said in words]
)
def test_what_is_on_no_step_counts_as_not_given(scale: Scale, said: Any) -> None:
    defaults = FeedDefaults("ais", default_confidence=33, scale=readings(scale))
    assert kept(said) not in (readings(scale) or {})
    assert confidence_of(claim(confidence=kept(said)), listed(defaults={1: defaults}).policy) == 33


def test_without_a_scale_only_whole_numbers_from_0_to_100_are_read() -> None:
    assert readings(Scale.STIX) is None
    said = claim(confidence=kept("high"))
    by = listed(defaults={1: FeedDefaults("ais", default_confidence=90)})
    assert reason_of(by.decide(ADDRESS, [said], NOW).codes[0]) is Reason.UNREADABLE
    reason, words = by.explain(ADDRESS, said, NOW)
    assert reason is Reason.UNREADABLE
    assert "confidence_scale" in words


def test_what_was_revoked_is_that_whatever_its_confidence() -> None:
    for state, reason in (
        (ObjectState.REVOKED, Reason.REVOKED),
        (ObjectState.WITHDRAWN, Reason.WITHDRAWN),
    ):
        said = claim(confidence=kept("high"), state=state)
        code = listed().decide(ADDRESS, [said], NOW).codes[0]
        assert reason_of(code) is reason


def test_no_trust_never_blocks_on_any_scale() -> None:
    for scale, said in ((Scale.TEN, 0), (Scale.LOW_MEDIUM_HIGH, "none"), (Scale.WEP, "impossible")):
        by = listed(defaults={1: FeedDefaults("ais", scale=readings(scale))})
        code = by.decide(ADDRESS, [claim(confidence=kept(said))], NOW).codes[0]
        assert reason_of(code) is Reason.DESELECTED


def test_explain_says_that_the_confidence_is_not_on_the_scale() -> None:
    by = listed(
        defaults={1: FeedDefaults("ais", scale=readings(Scale.ADMIRALTY))},
        select=Select(min_confidence=50),
    )
    _, words = by.explain(ADDRESS, claim(confidence=70), NOW)
    assert words == ("the given confidence is not on the feed's scale, and the feed assumes none")


def test_what_was_said_can_be_said_again() -> None:
    words = [(said, words_of(kept(said))) for _, steps in TABLE for said in steps]
    assert all(told for _, told in words)
    assert words_of(kept("Highly_Likely")) == "highly likely"
    assert words_of(kept("7")) == '"7"'
    assert words_of(kept(7)) == "7"
    assert len({code_of(word) for word in ("low", "medium", "high", "7", "none")}) == 5
