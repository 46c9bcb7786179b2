"""Holds: what of a plan waits for a person, and what goes on."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.holds import (
    Causes,
    Hold,
    HoldKind,
    Limits,
    Standing,
    Window,
    set_aside,
)
from connector.decisions.plan import EntryRefs, Plan
from connector.model import Reason

SMALL = Limits().small


def refs(numbers: Iterable[int]) -> EntryRefs:
    found = EntryRefs()
    for number in sorted(numbers):
        found.put(number, 7)
    return found


def plan(
    *, before: int, add: Iterable[int] = (), remove: Iterable[int] = (), drifted: int = 0
) -> Plan:
    return Plan("edge", "changed", refs(add), EntryRefs(), refs(remove), {}, (), 0, before, drifted)


def numbers(found: EntryRefs) -> list[int]:
    return list(found.numbers)


def held(holds: Iterable[Hold], verb: str) -> set[int]:
    return {number for hold in holds for number in getattr(hold, verb).numbers}


def test_a_plan_within_its_limits_goes_on_as_it_is() -> None:
    small = plan(before=1000, add=range(10), remove=range(2000, 2010))
    found = set_aside(small, Limits(), Causes())
    assert found.going == small
    assert found.holds == ()
    assert found.counted == Window(10, 10)


def test_removals_beyond_the_ratio_wait_and_additions_go_on() -> None:
    found = set_aside(plan(before=100, add=range(5), remove=range(1000, 1040)), Limits(), Causes())
    [hold] = found.holds
    assert hold.kind is HoldKind.REMOVE
    assert numbers(hold.remove) == list(range(1000, 1040))
    assert hold.sentences == (
        "would remove 40 entries, 40% of the 100 there; max_remove_ratio allows 30%",
    )
    assert numbers(found.going.add) == list(range(5))
    assert not found.going.remove


def test_only_the_feed_that_lost_much_waits() -> None:
    sources = dict.fromkeys(range(40), 1) | dict.fromkeys(range(40, 45), 2)
    found = set_aside(plan(before=100, remove=range(45)), Limits(), Causes(sources))
    assert held(found.holds, "remove") == set(range(40))
    assert numbers(found.going.remove) == list(range(40, 45))


@pytest.mark.parametrize("count", [SMALL - 1, SMALL])
def test_fewer_than_small_changes_break_no_ratio(count: int) -> None:
    found = set_aside(plan(before=2 * count, remove=range(count)), Limits(), Causes())
    assert bool(found.holds) == (count >= SMALL)


def test_what_the_allowlist_takes_off_never_waits() -> None:
    freed = dict.fromkeys(range(50), Reason.ALLOWLISTED)
    found = set_aside(plan(before=100, remove=range(90)), Limits(), Causes(reasons=freed))
    assert numbers(found.going.remove) == list(range(50))
    assert held(found.holds, "remove") == set(range(50, 90))


def test_an_end_that_was_known_is_no_loss_but_one_that_was_moved_is() -> None:
    over = dict.fromkeys(range(80), Reason.EXPIRED)
    causes = Causes(reasons=over, foreseen=frozenset(range(50)))
    found = set_aside(plan(before=100, remove=range(80)), Limits(), causes)
    assert numbers(found.going.remove) == list(range(80))
    assert found.counted == Window(0, 30)
    moved = set_aside(
        plan(before=100, remove=range(80)), Limits(), Causes(reasons=over, foreseen=frozenset())
    )
    assert held(moved.holds, "remove") == set(range(80))


def test_when_the_clock_jumped_a_known_end_says_nothing() -> None:
    over = dict.fromkeys(range(80), Reason.EXPIRED)
    causes = Causes(reasons=over, foreseen=frozenset(range(80)))
    found = set_aside(plan(before=100, remove=range(80)), Limits(), causes, jumped=True)
    assert held(found.holds, "remove") == set(range(80))


@pytest.mark.parametrize(("count", "waits"), [(SMALL, False), (SMALL + 1, True)])
def test_a_list_that_time_would_empty_at_once_waits(count: int, waits: bool) -> None:
    over = dict.fromkeys(range(count), Reason.EXPIRED)
    causes = Causes(reasons=over, foreseen=frozenset(range(count)))
    found = set_aside(plan(before=count, remove=range(count)), Limits(), causes)
    assert bool(found.holds) == waits


@pytest.mark.parametrize(
    ("reason", "waits"),
    [(Reason.WITHDRAWN, True), (Reason.DESELECTED, True), (Reason.REVOKED, False),
     (Reason.ALLOWLISTED, False)],
)  # fmt: skip
def test_an_emptied_list_waits_unless_everything_was_taken_back(
    reason: Reason, waits: bool
) -> None:
    found = set_aside(plan(before=1, remove=[5]), Limits(), Causes(reasons={5: reason}))
    assert bool(found.holds) == waits
    if waits:
        assert found.holds[0].sentences == (f"would remove the only entry (1 {reason.value})",)


def test_a_slow_drip_waits_when_the_window_is_full() -> None:
    drip = plan(before=71, remove=range(20))
    assert not set_aside(drip, Limits(), Causes()).holds
    [hold] = set_aside(drip, Limits(), Causes(), window=Window(0, 29)).holds
    assert hold.sentences == (
        "would bring what is lost in 24 hours to 49 entries, 49% of the 100 there before; "
        "max_remove_ratio allows 30%",
    )


def test_a_feed_that_renews_itself_daily_does_not_wait() -> None:
    renewed = plan(before=1000, add=range(200), remove=range(5000, 5200))
    assert not set_aside(renewed, Limits(), Causes(), window=Window(800, 800)).holds


def test_a_first_fill_goes_on_whatever_its_size() -> None:
    assert not set_aside(plan(before=0, add=range(5000)), Limits(), Causes()).holds


def test_an_unknown_list_is_not_replaced() -> None:
    found = set_aside(plan(before=0, add=range(5), drifted=80), Limits(), Causes())
    assert found.holds[0].kind is HoldKind.REPLACE
    assert found.going.empty


def test_what_stands_in_an_earlier_hold_is_neither_written_nor_counted_again() -> None:
    standing = Standing(held_remove=frozenset(range(40)))
    found = set_aside(
        plan(before=100, add=[900], remove=range(45)), Limits(), Causes(), standing=standing
    )
    assert found.holds == ()
    assert numbers(found.going.remove) == list(range(40, 45))
    assert numbers(found.going.add) == [900]


def test_what_a_person_accepted_goes_on_and_is_not_counted() -> None:
    standing = Standing(accepted_remove=frozenset(range(40)))
    found = set_aside(plan(before=100, remove=range(45)), Limits(), Causes(), standing=standing)
    assert found.holds == ()
    assert numbers(found.going.remove) == list(range(45))
    assert found.counted == Window(0, 5)


def test_additions_wait_for_the_room_that_held_removals_keep() -> None:
    full = plan(before=100, add=range(40), remove=range(1000, 1040))
    found = set_aside(full, Limits(), Causes(), capacity=100)
    assert held(found.holds, "remove") == set(range(1000, 1040))
    assert held(found.holds, "add") == set(range(40))
    assert found.going.empty


def test_evictions_have_a_ratio_of_their_own() -> None:
    out = dict.fromkeys(range(25), Reason.OVER_CAPACITY)
    full = plan(before=100, add=range(500, 525), remove=range(25))
    [hold] = set_aside(full, Limits(), Causes(reasons=out), capacity=100).holds
    assert hold.kind is HoldKind.EVICT
    assert (len(hold.add), len(hold.remove)) == (25, 25)


def test_an_id_names_the_changes() -> None:
    one = set_aside(plan(before=100, remove=range(40)), Limits(), Causes()).holds[0]
    same = set_aside(plan(before=120, remove=range(40)), Limits(), Causes()).holds[0]
    other = set_aside(plan(before=100, remove=range(41)), Limits(), Causes()).holds[0]
    assert one.id == same.id != other.id


CHANGES = st.frozensets(st.integers(0, 400), max_size=120)
REASONS = st.sampled_from(
    [Reason.REVOKED, Reason.EXPIRED, Reason.WITHDRAWN, Reason.ALLOWLISTED, Reason.OVER_CAPACITY]
)


@given(
    before=st.integers(0, 300), add=CHANGES, gone=st.dictionaries(st.integers(500, 900), REASONS),
    feeds=st.lists(st.integers(0, 3), min_size=7, max_size=7), lost=st.integers(0, 200),
    capacity=st.none() | st.integers(0, 300), known=CHANGES, accepted=CHANGES,
)  # fmt: skip
def test_what_goes_on_and_what_waits_are_the_plan_and_break_nothing(
    before: int,
    add: frozenset[int],
    gone: dict[int, Reason],
    feeds: list[int],
    lost: int,
    capacity: int | None,
    known: frozenset[int],
    accepted: frozenset[int],
) -> None:
    gone = dict(list(gone.items())[:before])
    whole = plan(before=before, add=add, remove=gone)
    sources = {number: feeds[number % 7] for number in (*add, *gone)}
    causes = Causes(sources, gone, frozenset(number + 500 for number in known))
    standing = Standing(accepted_add=accepted, accepted_remove=accepted)
    ways = {"window": Window(0, lost), "standing": standing, "capacity": capacity}
    found = set_aside(whole, Limits(), causes, **ways)
    waiting = {verb: held(found.holds, verb) for verb in ("add", "remove")}
    for verb, all_of_it in (("add", add), ("remove", set(gone))):
        goes = set(numbers(getattr(found.going, verb)))
        assert goes | waiting[verb] == set(all_of_it)
        assert not goes & waiting[verb]
    exempt = {number for number, reason in gone.items() if reason is Reason.ALLOWLISTED}
    assert not waiting["remove"] & (exempt | accepted)
    again = set_aside(replace(whole, add=found.going.add, remove=found.going.remove),
                      Limits(), causes, **ways)  # fmt: skip
    assert again.going == found.going
    assert again.holds == ()
    assert set_aside(whole, Limits(), causes, **ways) == found
