"""When a feed is out of character: each bound, in words that a person can check."""

import pytest

from connector.decisions.character import Bounds, Lately, out_of_character

BROKEN = Lately(kept=9_340, came=6_915, strangers=6_915, claims=6_915, odd=6_000, twins=5_000)


def test_a_server_whose_filter_broke_is_told_in_numbers() -> None:
    found = out_of_character(BROKEN, Bounds())
    assert {name: words for name, (words, _count) in found.items()} == {
        "growth": "6,915 more objects than the 9,340 it had before, 74%; alarm.growth allows 50%",
        "producers": "6,915 of 6,915 new objects come from producers it never named before, "
        "100%; alarm.producers allows 50%",
        "kinds": "6,000 of 6,915 new claims are on observable types it never sent before, "
        "87%; alarm.kinds allows 50%",
        "twins": "5,000 of 6,915 new claims repeat existing ones under another id, 72%; "
        "alarm.twins allows 50%",
    }


def test_a_first_fill_has_no_past_to_be_unlike() -> None:
    assert out_of_character(BROKEN._replace(kept=0), Bounds()) == {}


@pytest.mark.parametrize("name", ["growth", "producers", "kinds", "twins"])
def test_a_bound_that_is_null_tells_nothing(name: str) -> None:
    assert name not in out_of_character(BROKEN, Bounds(**{name: None}))


def test_few_are_no_reason() -> None:
    few = Lately(kept=100, came=99, strangers=99, claims=99, odd=99, twins=99)
    assert out_of_character(few, Bounds()) == {}
    assert len(out_of_character(few, Bounds(least=99))) == 4


def test_a_past_of_few_objects_says_too_little() -> None:
    young = Lately(kept=99, came=10_000, strangers=10_000, claims=10_000, odd=10_000, twins=10_000)
    assert out_of_character(young, Bounds()) == {}
    assert len(out_of_character(young._replace(kept=100), Bounds())) == 4


def test_what_comes_in_exchange_for_what_goes_is_no_growth_and_no_twin() -> None:
    renewed = Lately(kept=1_000, came=1_000, left=1_000, claims=1_000, twins=1_000)
    assert out_of_character(renewed, Bounds()) == {}


def test_a_share_that_is_just_allowed_is_no_reason() -> None:
    just = Lately(kept=1_000, came=500, strangers=250, claims=500, odd=250, twins=250)
    assert out_of_character(just, Bounds()) == {}
    assert set(out_of_character(just._replace(came=501), Bounds())) == {"growth"}
