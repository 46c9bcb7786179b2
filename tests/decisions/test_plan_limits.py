"""Limits: each sentence, when a ratio counts, a first fill, and the list that would be emptied."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.plan import EntryRefs, Limits, Plan, diff, violations
from connector.model import Reason

ALWAYS = frozenset({"max_remove_ratio", "max_add_ratio"})


def plan(
    add: int = 0,
    remove: int = 0,
    *,
    before: int,
    why: Reason | dict[Reason, int] = Reason.DESELECTED,
    drifted: int = 0,
    evicted: int = 0,
) -> Plan:
    added, removed = EntryRefs(), EntryRefs()
    for number in range(add):
        added.put(number)
    for number in range(remove):
        removed.put(add + number)
    reasons = why if isinstance(why, dict) else {why: remove} if remove else {}
    empty = diff("out", "changed", [], [], why_not={}, before=before)
    return replace(
        empty, add=added, remove=removed, reasons=reasons, drifted=drifted, evicted=evicted
    )


CASES = [
    (plan(add=500, before=1000), Limits(), ()),
    (
        plan(add=501, before=1000), Limits(),
        ("would add 501 entries, 50% of the 1,000 there; max_add_ratio allows 50%",),
    ),
    (plan(remove=300, before=1000), Limits(), ()),
    (
        plan(remove=301, before=1000), Limits(),
        ("would remove 301 entries, 30% of the 1,000 there; max_remove_ratio allows 30%",),
    ),
    (plan(add=900, remove=900, before=999), Limits(), ()),
    (
        plan(add=6, before=10), Limits(always=ALWAYS),
        ("would add 6 entries, 60% of the 10 there; max_add_ratio allows 50%",),
    ),
    (
        plan(remove=4, before=10), Limits(0.1, always=frozenset({"max_remove_ratio"})),
        ("would remove 4 entries, 40% of the 10 there; max_remove_ratio allows 10%",),
    ),
    (plan(remove=4, before=10), Limits(always=frozenset({"max_add_ratio"})), ()),
    (plan(add=10, before=1), Limits(max_add=10), ()),
    (
        plan(add=11, before=1), Limits(max_add=10),
        ("would add 11 entries; max_add allows 10",),
    ),
    (plan(remove=10, before=20), Limits(max_remove=10), ()),
    (
        plan(remove=1100, before=9000), Limits(max_remove=1000),
        ("would remove 1,100 entries; max_remove allows 1,000",),
    ),
    (
        plan(add=2000, remove=900, before=2000), Limits(max_add=5, max_remove=6),
        (
            "would remove 900 entries, 45% of the 2,000 there; max_remove_ratio allows 30%",
            "would add 2,000 entries, 100% of the 2,000 there; max_add_ratio allows 50%",
            "would add 2,000 entries; max_add allows 5",
            "would remove 900 entries; max_remove allows 6",
        ),
    ),
    (
        plan(remove=2000, before=2000, why={Reason.WITHDRAWN: 1990, Reason.DESELECTED: 10}),
        Limits(),
        (
            "would remove all 2,000 entries (10 deselected, 1,990 withdrawn)",
            "would remove 2,000 entries, 100% of the 2,000 there; max_remove_ratio allows 30%",
        ),
    ),
    (
        plan(before=0, drifted=1200), Limits(),
        (
            "would replace 1,200 entries that are neither wanted nor known to be ours: "
            "the ledger may be lost, or feeds have not answered yet",
        ),
    ),
    (plan(before=5, drifted=3), Limits(), ()),
    (
        plan(add=21, remove=21, before=100, evicted=21), Limits(),
        ("would displace 21 entries by rank, 21% of the 100 there; max_evict_ratio allows 20%",),
    ),
    (plan(add=20, remove=20, before=50, evicted=20), Limits(), ()),
    (plan(add=21, remove=21, before=105, evicted=21), Limits(), ()),
    (plan(add=21, remove=21, before=100, evicted=21), Limits(max_evict_ratio=0.3), ()),
    (
        plan(add=2, remove=2, before=10, evicted=2),
        Limits(always=frozenset({"max_evict_ratio"}), max_evict_ratio=0.1),
        ("would displace 2 entries by rank, 20% of the 10 there; max_evict_ratio allows 10%",),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("planned", "limits", "broken"), CASES)
def test_a_broken_limit_is_a_sentence(
    planned: Plan, limits: Limits, broken: tuple[str, ...]
) -> None:
    assert violations(planned, limits) == broken


@pytest.mark.parametrize("limits", [Limits(), Limits(0.0, 0.0, 1, always=ALWAYS)])
def test_a_first_fill_is_allowed(limits: Limits) -> None:
    assert violations(plan(add=100_000, before=0), limits) == ()


@pytest.mark.parametrize("why", list(Reason))
def test_a_list_is_emptied_only_by_what_producers_clock_or_allowlist_say(why: Reason) -> None:
    certain = {Reason.REVOKED, Reason.EXPIRED, Reason.ALLOWLISTED}
    broken = violations(plan(remove=7, before=7, why=why), Limits())
    if why in certain:
        assert broken == ()
    else:
        assert broken == (f"would remove all 7 entries (7 {why.value})",)


def test_one_doubtful_removal_holds_an_emptying_plan_and_is_the_one_named() -> None:
    why = {Reason.REVOKED: 3, Reason.EXPIRED: 3, Reason.WITHDRAWN: 1}
    broken = violations(plan(remove=7, before=7, why=why), Limits())
    assert broken == ("would remove all 7 entries (1 withdrawn)",)


def test_steps_that_were_held_to_the_limits_before_are_not_held_again() -> None:
    strict = Limits(0, 0, 0, 0, ALWAYS)
    resumed = plan(add=3, remove=2, before=2, why=Reason.WITHDRAWN)
    assert violations(replace(resumed, readds=3, reremoves=2), strict) == ()
    assert len(violations(replace(resumed, readds=2, reremoves=1), strict)) == 4
    emptied = plan(remove=2, before=2, why=Reason.WITHDRAWN)
    assert violations(replace(emptied, reremoves=2), strict) == ()
    assert "would remove all" in violations(replace(emptied, reremoves=1), Limits())[0]


def test_a_list_that_keeps_or_gets_an_entry_is_not_emptied() -> None:
    assert violations(plan(remove=6, before=7), Limits()) == ()
    assert violations(plan(add=1, remove=7, before=7), Limits()) == ()


@given(
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 50),
    st.floats(0, 1),
    st.floats(0, 1),
    st.none() | st.integers(0, 60),
    st.none() | st.integers(0, 60),
)
def test_a_smaller_plan_never_breaks_a_limit_that_a_larger_one_meets(
    add: int,
    remove: int,
    spare: int,
    removes: float,
    adds: float,
    most_added: int | None,
    most_removed: int | None,
) -> None:
    before = remove + spare + 2
    limits = Limits(removes, adds, most_added, most_removed, ALWAYS)
    whole = violations(plan(add, remove, before=before), limits)
    if not whole:
        assert violations(plan(add // 2, remove // 2, before=before), limits) == ()
