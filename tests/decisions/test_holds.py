"""Holds: what of a plan waits for a person, and what goes on."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.holds import Hold, Standing
from connector.decisions.limits import Limits, Window
from connector.decisions.plan import AGAIN, EntryRefs, Plan
from connector.decisions.records import CODES, HoldKind
from connector.decisions.set_aside import set_aside
from connector.instants import NEVER
from connector.model import Reason

NOW = 1_767_225_600_000_000
SMALL = Limits().small


@dataclass(frozen=True)
class Causes:
    """Why entries come and go, by number; others were deselected, and come from several feeds."""

    sources: Mapping[int, int] = field(default_factory=dict)
    reasons: Mapping[int, Reason] = field(default_factory=dict)
    foreseen: Collection[int] = ()
    again: Collection[int] = ()


def plan(
    *,
    before: int,
    add: Iterable[int] = (),
    remove: Iterable[int] = (),
    drifted: int = 0,
    causes: Causes | None = None,
) -> Plan:
    why = causes or Causes()
    coming, going = EntryRefs(), EntryRefs()
    for number in sorted(add):
        cause = AGAIN if number in why.again else 0
        coming.put(number, 7, cause, NEVER, why.sources.get(number, 0))
    for number in sorted(remove):
        reason = why.reasons.get(number, Reason.DESELECTED)
        ends = NOW - 1 if number in why.foreseen else NEVER
        cause = AGAIN if number in why.again else CODES[reason]
        going.put(number, 7, cause, ends, why.sources.get(number, 0))
    return Plan("edge", "changed", coming, EntryRefs(), going, {}, (), 0, before, drifted)


def numbers(found: EntryRefs) -> list[int]:
    return list(found.numbers)


def held(holds: Iterable[Hold], verb: str) -> set[int]:
    return {number for hold in holds for number in getattr(hold, verb).numbers}


def test_a_plan_within_its_limits_goes_on_as_it_is() -> None:
    small = plan(before=1000, add=range(10), remove=range(2000, 2010))
    found = set_aside(small, Limits(), NOW)
    assert found.going == small
    assert found.holds == ()
    assert found.counted == Window(10, 10)


def test_removals_beyond_the_ratio_wait_and_additions_go_on() -> None:
    found = set_aside(plan(before=100, add=range(5), remove=range(1000, 1040)), Limits(), NOW)
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
    found = set_aside(plan(before=100, remove=range(45), causes=Causes(sources)), Limits(), NOW)
    assert held(found.holds, "remove") == set(range(40))
    assert numbers(found.going.remove) == list(range(40, 45))


@pytest.mark.parametrize("count", [SMALL - 1, SMALL])
def test_fewer_than_small_changes_break_no_ratio(count: int) -> None:
    found = set_aside(plan(before=2 * count, remove=range(count)), Limits(), NOW)
    assert bool(found.holds) == (count >= SMALL)


def test_what_the_allowlist_takes_off_never_waits() -> None:
    freed = dict.fromkeys(range(50), Reason.ALLOWLISTED)
    found = set_aside(
        plan(before=100, remove=range(90), causes=Causes(reasons=freed)), Limits(), NOW
    )
    assert numbers(found.going.remove) == list(range(50))
    assert held(found.holds, "remove") == set(range(50, 90))


def test_an_end_that_was_known_is_no_loss_but_one_that_was_moved_is() -> None:
    over = dict.fromkeys(range(80), Reason.EXPIRED)
    causes = Causes(reasons=over, foreseen=frozenset(range(50)))
    found = set_aside(plan(before=100, remove=range(80), causes=causes), Limits(), NOW)
    assert numbers(found.going.remove) == list(range(80))
    assert found.counted == Window(0, 30)
    moved = set_aside(
        plan(before=100, remove=range(80), causes=Causes(reasons=over)), Limits(), NOW
    )
    assert held(moved.holds, "remove") == set(range(80))


def test_when_the_clock_jumped_a_known_end_says_nothing() -> None:
    over = dict.fromkeys(range(80), Reason.EXPIRED)
    causes = Causes(reasons=over, foreseen=frozenset(range(80)))
    found = set_aside(plan(before=100, remove=range(80), causes=causes), Limits(), NOW, jumped=True)
    assert held(found.holds, "remove") == set(range(80))


@pytest.mark.parametrize(("count", "waits"), [(SMALL, False), (SMALL + 1, True)])
def test_a_list_that_time_would_empty_at_once_waits(count: int, waits: bool) -> None:
    over = dict.fromkeys(range(count), Reason.EXPIRED)
    causes = Causes(reasons=over, foreseen=frozenset(range(count)))
    found = set_aside(plan(before=count, remove=range(count), causes=causes), Limits(), NOW)
    assert bool(found.holds) == waits


@pytest.mark.parametrize(
    ("reason", "waits"),
    [(Reason.WITHDRAWN, True), (Reason.DESELECTED, True), (Reason.REVOKED, False),
     (Reason.ALLOWLISTED, False)],
)  # fmt: skip
def test_an_emptied_list_waits_unless_everything_was_taken_back(
    reason: Reason, waits: bool
) -> None:
    found = set_aside(plan(before=1, remove=[5], causes=Causes(reasons={5: reason})), Limits(), NOW)
    assert bool(found.holds) == waits
    if waits:
        assert found.holds[0].sentences == (f"would remove the only entry (1 {reason.value})",)


def test_a_slow_drip_waits_when_the_window_is_full() -> None:
    drip = plan(before=71, remove=range(20))
    assert not set_aside(drip, Limits(), NOW).holds
    [hold] = set_aside(drip, Limits(), NOW, window=Window(0, 29)).holds
    assert hold.sentences == (
        "would bring the loss of 24 hours to 49 entries, 49% of the 100 there before; "
        "max_remove_ratio allows 30%",
    )


def test_a_feed_that_renews_itself_daily_does_not_wait() -> None:
    renewed = plan(before=1000, add=range(200), remove=range(5000, 5200))
    assert not set_aside(renewed, Limits(), NOW, window=Window(800, 800)).holds


def test_a_first_fill_goes_on_whatever_its_size() -> None:
    assert not set_aside(plan(before=0, add=range(5000)), Limits(), NOW).holds


def test_an_unknown_list_is_not_replaced() -> None:
    found = set_aside(plan(before=0, add=range(5), drifted=80), Limits(), NOW)
    assert found.holds[0].kind is HoldKind.REPLACE
    assert found.going.empty


def test_what_stands_in_an_earlier_hold_is_neither_written_nor_counted_again() -> None:
    standing = Standing(held_remove=frozenset(range(40)))
    found = set_aside(
        plan(before=100, add=[900], remove=range(45)), Limits(), NOW, standing=standing
    )
    assert found.holds == ()
    assert numbers(found.going.remove) == list(range(40, 45))
    assert numbers(found.going.add) == [900]


def test_what_a_person_accepted_goes_on_and_is_not_counted() -> None:
    standing = Standing(accepted_remove=frozenset(range(40)))
    found = set_aside(plan(before=100, remove=range(45)), Limits(), NOW, standing=standing)
    assert found.holds == ()
    assert numbers(found.going.remove) == list(range(45))
    assert found.counted == Window(0, 5)


def test_additions_wait_for_the_room_that_held_removals_keep() -> None:
    full = plan(before=100, add=range(40), remove=range(1000, 1040))
    found = set_aside(full, Limits(), NOW, capacity=100)
    assert held(found.holds, "remove") == set(range(1000, 1040))
    assert held(found.holds, "add") == set(range(40))
    assert found.going.empty


def test_evictions_have_a_ratio_of_their_own() -> None:
    out = dict.fromkeys(range(25), Reason.OVER_CAPACITY)
    full = plan(before=100, add=range(500, 525), remove=range(25), causes=Causes(reasons=out))
    [hold] = set_aside(full, Limits(), NOW, capacity=100).holds
    assert hold.kind is HoldKind.EVICT
    assert (len(hold.add), len(hold.remove)) == (25, 25)


def test_an_id_names_the_changes() -> None:
    one = set_aside(plan(before=100, remove=range(40)), Limits(), NOW).holds[0]
    same = set_aside(plan(before=120, remove=range(40)), Limits(), NOW).holds[0]
    other = set_aside(plan(before=100, remove=range(41)), Limits(), NOW).holds[0]
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
    sources = {number: feeds[number % 7] for number in (*add, *gone)}
    causes = Causes(sources, gone, frozenset(number + 500 for number in known))
    whole = plan(before=before, add=add, remove=gone, causes=causes)
    standing = Standing(accepted_add=accepted, accepted_remove=accepted)
    ways = {"window": Window(0, lost), "standing": standing, "capacity": capacity}
    found = set_aside(whole, Limits(), NOW, **ways)
    waiting = {verb: held(found.holds, verb) for verb in ("add", "remove")}
    waiting["add"] |= accepted.intersection(found.withheld)  # in its own hold, until there is room
    for verb, all_of_it in (("add", add), ("remove", set(gone))):
        goes = set(numbers(getattr(found.going, verb)))
        assert goes | waiting[verb] == set(all_of_it)
        assert not goes & waiting[verb]
    exempt = {number for number, reason in gone.items() if reason is Reason.ALLOWLISTED}
    assert not waiting["remove"] & (exempt | accepted)
    again = set_aside(replace(whole, add=found.going.add, remove=found.going.remove),
                      Limits(), NOW, **ways)  # fmt: skip
    assert again.going == found.going
    assert again.holds == ()
    assert set_aside(whole, Limits(), NOW, **ways) == found


WORDS = [
    ({"add": 50}, Limits(), ()),
    (
        {"add": 51}, Limits(),
        ("would add 51 entries, 51% of the 100 there; max_add_ratio allows 50%",),
    ),
    ({"add": 11}, Limits(max_add=10), ("would add 11 entries; max_add allows 10",)),
    ({"remove": 30}, Limits(), ()),
    (
        {"remove": 31}, Limits(),
        ("would remove 31 entries, 31% of the 100 there; max_remove_ratio allows 30%",),
    ),
    ({"remove": 11}, Limits(max_remove=10), ("would remove 11 entries; max_remove allows 10",)),
    (
        {"add": 60, "remove": 40}, Limits(max_add=5, max_remove=6),
        (
            "would add 60 entries, 60% of the 100 there; max_add_ratio allows 50%",
            "would add 60 entries; max_add allows 5",
            "would remove 40 entries, 40% of the 100 there; max_remove_ratio allows 30%",
            "would remove 40 entries; max_remove allows 6",
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "limits", "words"), WORDS)
def test_each_broken_limit_is_a_sentence(
    changes: dict[str, int], limits: Limits, words: tuple[str, ...]
) -> None:
    add, remove = range(changes.get("add", 0)), range(1000, 1000 + changes.get("remove", 0))
    found = set_aside(plan(before=100, add=add, remove=remove), limits, NOW)
    assert tuple(one for hold in found.holds for one in hold.sentences) == words


def test_too_many_evictions_are_a_sentence() -> None:
    out = dict.fromkeys(range(1000, 1021), Reason.OVER_CAPACITY)
    full = plan(before=100, add=range(21), remove=out, causes=Causes(reasons=out))
    [hold] = set_aside(full, Limits(), NOW, capacity=100).holds
    assert hold.sentences == (
        "would displace 21 entries by rank, 21% of the 100 there; max_evict_ratio allows 20%",
    )
    assert not set_aside(full, Limits(max_evict_ratio=0.3), NOW, capacity=100).holds


def test_what_an_earlier_plan_had_is_neither_counted_nor_held() -> None:
    strict = Limits(0, 0, 0, 0, 0, small=1)
    resumed = plan(
        before=9, add=range(3), remove=range(20, 22), causes=Causes(again={0, 1, 2, 20, 21})
    )
    found = set_aside(resumed, strict, NOW)
    assert (found.going, found.holds, found.counted) == (resumed, (), Window())


def test_a_first_fill_does_not_make_up_for_what_is_lost_after_it() -> None:
    assert set_aside(plan(before=0, add=range(5000)), Limits(), NOW).counted == Window()


def test_what_stays_though_it_should_go_leaves_no_room_for_more() -> None:
    standing = Standing(held_remove=frozenset(range(40)))
    full = plan(before=100, add=range(500, 550), remove=range(50))
    found = set_aside(full, Limits(), NOW, standing=standing, capacity=100)
    assert found.holds == ()
    assert numbers(found.going.add) == list(range(500, 510))
    assert found.withheld == set(range(510, 550))
    assert found.kept == set(range(40))


@pytest.mark.parametrize("drifted", [80, 0])
def test_while_a_list_is_kept_from_being_replaced_nothing_is_written(drifted: int) -> None:
    unread = plan(before=0, add=range(5), drifted=drifted)
    found = set_aside(unread, Limits(), NOW, standing=Standing(replaces=False))
    assert found.stops
    assert found.going.empty
    assert found.holds == ()
    accepted = set_aside(unread, Limits(), NOW, standing=Standing(replaces=True))
    assert (accepted.going, accepted.stops) == (unread, False)
