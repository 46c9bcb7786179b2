"""The difference between wanted and written: where it leads, and what it never touches."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.decisions.plan import AGAIN, EntryRefs, LedgerEntry, Plan, Wanted, diff
from connector.decisions.records import CODES, GONE, OURS, LedgerState
from connector.decisions.snapshot import TargetSnapshot
from connector.model import Reason

UNFIT = (LedgerState.UNSUPPORTED, LedgerState.OVER_CAPACITY)
NUMBERS = st.integers(1, 12)
DIGESTS = st.integers(0, 3)


@dataclass
class Target:
    """A target and the ledger of what we wrote there, as a store and an adapter keep them."""

    held: dict[int, int] = field(default_factory=dict)
    ledger: dict[int, tuple[int, int]] = field(default_factory=dict)
    ours_alone: bool = False

    def snapshot(self) -> TargetSnapshot:
        found = TargetSnapshot(ours_alone=self.ours_alone)
        for number, digest in self.held.items():
            found.put(number, digest)
        return found

    def plan(self, wanted: Mapping[int, Wanted], *, reads: bool) -> Plan:
        written = (LedgerEntry(number, *said) for number, said in sorted(self.ledger.items()))
        plan = diff(
            "out", "everything", (wanted[number] for number in sorted(wanted)), written,
            why_not={}, present=self.snapshot() if reads else None, before=len(self.ledger),
        )  # fmt: skip
        return plan if reads or self.ours_alone else plan.without(self.put_by_others(plan))

    def put_by_others(self, plan: Plan) -> dict[int, str]:
        marks = {number: mark for number, (mark, _digest) in self.ledger.items()}
        return {n: "" for n in plan.add.numbers if n in self.held and marks.get(n) not in OURS}

    def apply(self, plan: Plan, wanted: Mapping[int, Wanted]) -> None:
        for number, mark in plan.marks:
            if mark == GONE:
                del self.ledger[number]
            else:
                self.ledger[number] = (mark, 0)
        for number, digest in [*plan.add, *plan.update]:
            self.held[number] = digest
            self.ledger[number] = (LedgerState.WRITTEN, digest)
        for number in plan.remove.numbers:
            self.held.pop(number, None)
            del self.ledger[number]
            if number in wanted and wanted[number].unfit:
                self.ledger[number] = (wanted[number].unfit, 0)
        if self.ours_alone and not plan.empty:  # published as a whole
            self.held = {number: want.digest for number, want in wanted.items() if not want.unfit}


@st.composite
def wanted_lists(draw: st.DrawFn) -> dict[int, Wanted]:
    numbers = draw(st.sets(NUMBERS))
    return {
        number: Wanted(number, 0, draw(st.sampled_from(UNFIT)))
        if draw(st.integers(0, 3)) == 0
        else Wanted(number, draw(DIGESTS))
        for number in numbers
    }


@st.composite
def ledgers(draw: st.DrawFn) -> dict[int, tuple[int, int]]:
    marks = st.sampled_from(list(LedgerState))
    return draw(st.dictionaries(NUMBERS, st.tuples(marks, DIGESTS)))


held_entries = st.dictionaries(NUMBERS, DIGESTS)


@settings(max_examples=500)
@given(wanted_lists(), ledgers(), held_entries)
def test_a_full_pass_leads_to_what_is_wanted_then_to_nothing(
    wanted: dict[int, Wanted], ledger: dict[int, tuple[int, int]], held: dict[int, int]
) -> None:
    target = Target(dict(held), dict(ledger))
    ours = {number for number, (mark, _digest) in ledger.items() if mark in OURS}
    target.apply(target.plan(wanted, reads=True), wanted)
    for number, want in wanted.items():
        if number in held and number not in ours:
            assert target.held[number] == held[number], "what others put there stays as it is"
            assert target.ledger[number][0] == (want.unfit or LedgerState.FOREIGN)
        elif want.unfit:
            assert number not in target.held
            assert target.ledger[number][0] == want.unfit
        else:
            assert target.held[number] == want.digest
            assert target.ledger[number] == (LedgerState.WRITTEN, want.digest)
    for number in set(target.held) - set(wanted):
        assert number not in ours, "what is ours and wanted no more is gone"
        assert target.held[number] == held[number]
    assert set(held) - ours <= set(target.held), "nothing is removed that is not ours"
    assert set(target.ledger) == set(wanted)
    again = target.plan(wanted, reads=True)
    assert again.empty
    assert again.marks == ()
    assert target.plan(wanted, reads=False).empty


@settings(max_examples=300)
@given(
    wanted_lists(), held_entries, held_entries, st.sets(NUMBERS), st.sets(NUMBERS), st.sets(NUMBERS)
)
def test_a_pass_by_the_ledger_leads_to_what_is_wanted_then_to_nothing(
    wanted: dict[int, Wanted],
    written: dict[int, int],
    foreign: dict[int, int],
    unsure: set[int],
    gone: set[int],
    known: set[int],
) -> None:
    foreign = {number: digest for number, digest in foreign.items() if number not in written}
    ledger: dict[int, tuple[int, int]] = {
        number: (LedgerState.INTENDED if number in unsure else LedgerState.WRITTEN, digest)
        for number, digest in written.items()
    }
    ledger |= {
        number: (LedgerState.FOREIGN, 0) for number in foreign.keys() & known & wanted.keys()
    }
    held = {number: digest for number, digest in written.items() if number not in unsure & gone}
    target = Target(foreign | held, ledger)
    target.apply(target.plan(wanted, reads=False), wanted)
    fit = {number: want.digest for number, want in wanted.items() if not want.unfit}
    assert target.held == fit | foreign, "what others put there stays as it is"
    assert {number for number, (mark, _digest) in target.ledger.items() if mark in OURS} == (
        fit.keys() - foreign.keys()
    )
    again = target.plan(wanted, reads=False)
    assert again.empty
    assert again.marks == ()


@settings(max_examples=300)
@given(wanted_lists(), ledgers(), held_entries)
def test_a_list_that_is_ours_alone_ends_as_what_is_wanted(
    wanted: dict[int, Wanted], ledger: dict[int, tuple[int, int]], held: dict[int, int]
) -> None:
    target = Target(dict(held), dict(ledger), ours_alone=True)
    target.apply(target.plan(wanted, reads=True), wanted)
    fit = {number: want.digest for number, want in wanted.items() if not want.unfit}
    assert target.held == fit
    again = target.plan(wanted, reads=True)
    assert again.empty
    assert again.marks == ()


@given(wanted_lists(), ledgers(), held_entries, st.booleans(), st.booleans())
def test_each_entry_is_in_one_step_only_and_steps_are_in_order(
    wanted: dict[int, Wanted],
    ledger: dict[int, tuple[int, int]],
    held: dict[int, int],
    reads: bool,
    alone: bool,
) -> None:
    plan = Target(held, ledger, alone).plan(wanted, reads=reads)
    steps = [list(each.numbers) for each in (plan.add, plan.update, plan.remove)]
    marked = [number for number, _mark in plan.marks]
    numbers = [number for step in steps for number in step] + marked
    assert len(numbers) == len(set(numbers))
    assert all(step == sorted(step) for step in [*steps, marked])
    assert sum(plan.reasons.values()) == len(plan.remove)
    removable = {number for number, (mark, _digest) in ledger.items() if mark in OURS}
    assert set(plan.remove.numbers) <= removable
    assert {number for number, mark in plan.marks if mark in UNFIT} <= {
        number for number, want in wanted.items() if want.unfit
    }


A = 1


def one(
    want: Wanted | None,
    had: tuple[int, int] | None,
    there: int | str | None = "not read",
    *,
    alone: bool = False,
) -> tuple[str, object]:
    """Return what a plan does with one entry; `there` is its digest at a target that was read."""
    present = None
    if there != "not read":
        present = TargetSnapshot(ours_alone=alone)
        if there != "absent":
            assert not isinstance(there, str)
            present.put(A, there)
    plan = diff(
        "out", "changed", [want] if want else [], [LedgerEntry(A, *had)] if had else [],
        why_not={A: Reason.EXPIRED}, present=present,
    )  # fmt: skip
    done: list[tuple[str, object]] = [
        (verb, steps.digests[0])
        for verb, steps in (("add", plan.add), ("update", plan.update))
        if len(steps)
    ]
    done += [("remove", reason) for reason in plan.reasons]
    done += [("mark", mark) for _number, mark in plan.marks]
    done += [("unchanged", None)] * plan.unchanged
    assert len(done) <= 1
    return done[0] if done else ("nothing", None)


FIT, BIG, ODD = (
    Wanted(A, 7),
    Wanted(A, 0, LedgerState.OVER_CAPACITY),
    Wanted(A, 0, LedgerState.UNSUPPORTED),
)
WRITTEN = (LedgerState.WRITTEN, 7)

TABLE = [
    # by the ledger alone
    (FIT, None, "not read", ("add", 7)),
    (FIT, WRITTEN, "not read", ("unchanged", None)),
    (FIT, (LedgerState.WRITTEN, 6), "not read", ("update", 7)),
    (FIT, (LedgerState.INTENDED, 7), "not read", ("add", 7)),
    (FIT, (LedgerState.REMOVING, 0), "not read", ("add", 7)),
    (FIT, (LedgerState.REJECTED, 7), "not read", ("nothing", None)),
    (FIT, (LedgerState.REJECTED, 6), "not read", ("add", 7)),
    (FIT, (LedgerState.UNSUPPORTED, 0), "not read", ("add", 7)),
    (FIT, (LedgerState.OVER_CAPACITY, 0), "not read", ("add", 7)),
    (FIT, (LedgerState.FOREIGN, 0), "not read", ("nothing", None)),
    (None, WRITTEN, "not read", ("remove", Reason.EXPIRED)),
    (None, (LedgerState.INTENDED, 7), "not read", ("remove", Reason.EXPIRED)),
    (None, (LedgerState.REMOVING, 0), "not read", ("remove", Reason.EXPIRED)),
    (None, (LedgerState.REJECTED, 7), "not read", ("mark", GONE)),
    (None, (LedgerState.FOREIGN, 0), "not read", ("mark", GONE)),
    (None, (LedgerState.UNSUPPORTED, 0), "not read", ("mark", GONE)),
    (BIG, None, "not read", ("mark", LedgerState.OVER_CAPACITY)),
    (BIG, WRITTEN, "not read", ("remove", Reason.OVER_CAPACITY)),
    (BIG, (LedgerState.OVER_CAPACITY, 0), "not read", ("nothing", None)),
    (BIG, (LedgerState.UNSUPPORTED, 0), "not read", ("mark", LedgerState.OVER_CAPACITY)),
    (ODD, None, "not read", ("mark", LedgerState.UNSUPPORTED)),
    (ODD, WRITTEN, "not read", ("remove", Reason.UNSUPPORTED_TYPE)),
    (ODD, (LedgerState.FOREIGN, 0), "not read", ("mark", LedgerState.UNSUPPORTED)),
    # with the target read
    (FIT, None, "absent", ("add", 7)),
    (FIT, WRITTEN, "absent", ("add", 7)),
    (FIT, WRITTEN, 7, ("unchanged", None)),
    (FIT, WRITTEN, 6, ("update", 7)),
    (FIT, WRITTEN, None, ("unchanged", None)),
    (FIT, (LedgerState.WRITTEN, 6), None, ("update", 7)),
    (FIT, (LedgerState.INTENDED, 7), 7, ("update", 7)),
    (FIT, (LedgerState.INTENDED, 7), "absent", ("add", 7)),
    (FIT, (LedgerState.REMOVING, 0), 7, ("update", 7)),
    (FIT, (LedgerState.REMOVING, 0), "absent", ("add", 7)),
    (FIT, (LedgerState.REJECTED, 7), "absent", ("add", 7)),
    (FIT, (LedgerState.FOREIGN, 0), "absent", ("add", 7)),
    (FIT, (LedgerState.FOREIGN, 0), 7, ("nothing", None)),
    (FIT, None, 7, ("mark", LedgerState.FOREIGN)),
    (FIT, (LedgerState.REJECTED, 7), 7, ("mark", LedgerState.FOREIGN)),
    (None, WRITTEN, "absent", ("mark", GONE)),
    (None, WRITTEN, 7, ("remove", Reason.EXPIRED)),
    (None, (LedgerState.INTENDED, 7), "absent", ("remove", Reason.EXPIRED)),
    (None, (LedgerState.REMOVING, 0), "absent", ("remove", Reason.EXPIRED)),
    (None, (LedgerState.FOREIGN, 0), 7, ("mark", GONE)),
    (None, None, 7, ("nothing", None)),
    (BIG, WRITTEN, 7, ("remove", Reason.OVER_CAPACITY)),
]


@pytest.mark.parametrize(("want", "had", "there", "expected"), TABLE)
def test_what_a_plan_does_with_one_entry(
    want: Wanted | None,
    had: tuple[int, int] | None,
    there: int | str | None,
    expected: tuple[str, object],
) -> None:
    assert one(want, had, there) == expected


def test_on_a_list_of_ours_an_entry_that_is_there_is_ours() -> None:
    assert one(FIT, None, 7, alone=True) == ("add", 7)
    assert one(None, None, 7, alone=True) == ("nothing", None)


def test_an_entry_without_a_known_reason_was_deselected() -> None:
    plan = diff("out", "changed", [], [LedgerEntry(A, *WRITTEN)], why_not={})
    assert plan.reasons == {Reason.DESELECTED: 1}


def test_strangers_on_a_list_of_ours_are_drift_and_elsewhere_theirs() -> None:
    for alone, drifted in ((True, 3), (False, 0)):
        present = TargetSnapshot(ours_alone=alone)
        for number in (1, 2, 3):
            present.put(number, None)
        present.unknown = 1
        plan = diff(
            "out", "everything", [Wanted(2, 0)], [LedgerEntry(2, LedgerState.WRITTEN, 0)],
            why_not={}, present=present, before=1,
        )  # fmt: skip
        assert plan.drifted == drifted
        assert plan.empty is (not alone)
        assert len(present) == 3


def test_what_a_part_of_a_target_lacks_is_written_again_if_ours_and_else_never_said_written() -> (
    None
):
    present = TargetSnapshot(ours_alone=False)
    for number, lacking in ((1, "at one of them"), (2, "at one of them"), (3, "")):
        present.put(number, 7, partly=lacking)
    wanted = [Wanted(number, 7) for number in (1, 2, 3)]
    plan = diff(
        "out", "everything", wanted, [LedgerEntry(1, LedgerState.WRITTEN, 7)],
        why_not={}, present=present,
    )  # fmt: skip
    assert (list(plan.update.numbers), list(plan.add.numbers)) == ([1], [])
    assert plan.marks == ((2, LedgerState.CONTRARY), (3, LedgerState.FOREIGN))
    assert plan.words == {2: "at one of them"}


@pytest.mark.parametrize(
    ("mark", "kept", "removed"),
    [
        (LedgerState.WRITTEN, (), []),
        (LedgerState.INTENDED, (), [1]),  # it would be written over theirs
        (LedgerState.REMOVING, (), [1]),
        (LedgerState.FOREIGN, ((1, LedgerState.CONTRARY),), []),
    ],
)
def test_what_a_part_has_and_others_oppose_elsewhere_stays_ours_until_it_is_taken_out(
    mark: LedgerState, kept: tuple[tuple[int, int], ...], removed: list[int]
) -> None:
    present = TargetSnapshot(ours_alone=False)
    present.put(1, 7, contrary="passed by hand", partly="at one of them")
    had = [LedgerEntry(1, mark, 7)]
    plan = diff("out", "everything", [Wanted(1, 7)], had, why_not={}, present=present)
    assert (plan.marks, list(plan.remove.numbers), len(plan.update)) == (kept, removed, 0)
    assert plan.words == {1: "passed by hand"}
    if mark in OURS:
        revoked = diff("out", "everything", [], had, why_not={}, present=present)
        assert list(revoked.remove.numbers) == [1]


def test_what_a_part_lacks_is_known_by_what_the_others_have() -> None:
    present = TargetSnapshot(ours_alone=False)
    present.put(1, 7, partly="at one of them")
    assert present.agrees(1, 7)
    assert not present.is_whole(1, 7)
    assert not present.agrees(1, 8)


@pytest.mark.parametrize(("ends", "later"), [(20, ((A, 20),)), (10, ()), (5, ())])
def test_an_end_that_a_feed_moves_back_is_noted_and_one_it_moves_forward_is_not(
    ends: int, later: tuple[tuple[int, int], ...]
) -> None:
    had = LedgerEntry(A, LedgerState.WRITTEN, 7, ends=10)
    plan = diff("out", "changed", [Wanted(A, 7, ends=ends)], [had], why_not={})
    assert (plan.later, plan.unchanged, plan.empty) == (later, 1, True)


def test_each_change_bears_its_cause() -> None:
    removing = LedgerEntry(2, LedgerState.REMOVING, 0)
    plan = diff(
        "out", "changed", [Wanted(3, 7, ends=9, source=4), Wanted(4, 7)],
        [LedgerEntry(1, LedgerState.WRITTEN, 0, ends=5, source=6), removing,
         LedgerEntry(4, LedgerState.INTENDED, 0)],
        why_not={1: Reason.EXPIRED, 2: Reason.EXPIRED},
    )  # fmt: skip
    assert list(plan.remove.causes) == [CODES[Reason.EXPIRED], AGAIN]
    assert (plan.remove.ends[0], plan.remove.sources[0]) == (5, 6)
    assert list(plan.add.causes) == [0, AGAIN]
    assert (plan.add.ends[0], plan.add.sources[0]) == (9, 4)


def test_a_plan_that_renews_has_something_to_write() -> None:
    plan = diff("out", "everything", [], [], why_not={}, renews=True)
    assert not plan.empty
    assert replace(plan, renews=False).empty


@pytest.mark.parametrize("want", [BIG, None])
def test_an_entry_that_somebody_put_on_a_list_of_ours_is_drift_also_when_we_know_it(
    want: Wanted | None,
) -> None:
    present = TargetSnapshot(ours_alone=True)
    present.put(A, None)
    plan = diff(
        "out", "everything", [want] if want else [], [LedgerEntry(A, LedgerState.OVER_CAPACITY, 0)],
        why_not={}, present=present,
    )  # fmt: skip
    assert plan.drifted == 1


def made(**changes: Any) -> Plan:
    empty = diff("out", "changed", [], [], why_not={})
    return replace(empty, **changes)


def steps(*pairs: tuple[int, int]) -> EntryRefs:
    found = EntryRefs()
    for pair in pairs:
        found.put(*pair)
    return found


def test_the_id_names_the_changes_and_not_the_way_to_them() -> None:
    plan = made(add=steps((1, 2)), remove=steps((3, 0)))
    same = made(
        add=steps((1, 2)), remove=steps((3, 0)), scope="everything", unchanged=9, before=5,
        marks=((7, 1),), reasons={Reason.EXPIRED: 1},
    )  # fmt: skip
    assert plan.id == same.id
    assert len(plan.id) == 12
    assert int(plan.id, 16) >= 0


@pytest.mark.parametrize(
    "other",
    [
        made(),
        made(add=steps((1, 3))),
        made(add=steps((2, 2))),
        made(update=steps((1, 2))),
        made(remove=steps((1, 2))),
        made(add=steps((1, 2), (4, 0))),
        made(add=steps((1, 2)), remove=steps((4, 0))),
        made(add=steps((1, 2)), output="other"),
    ],
)
def test_other_changes_or_another_output_have_another_id(other: Plan) -> None:
    assert made(add=steps((1, 2))).id != other.id


def test_sides_are_merged_as_streams() -> None:
    taken: list[tuple[str, int]] = []

    def telling(side: str, make: Callable[[int], Any], numbers: Iterable[int]) -> Iterable[Any]:
        for number in numbers:
            taken.append((side, number))
            yield make(number)

    wanted = telling("wanted", lambda number: Wanted(number, 0), range(0, 1000, 2))
    written = telling(
        "written", lambda number: LedgerEntry(number, LedgerState.WRITTEN, 0), range(0, 1000, 3)
    )
    plan = diff("out", "everything", wanted, written, why_not={})
    assert list(plan.add.numbers) == [n for n in range(0, 1000, 2) if n % 3]
    assert list(plan.remove.numbers) == [n for n in range(0, 1000, 3) if n % 2]
    assert plan.unchanged == len(range(0, 1000, 6))
    ahead = 0
    for at, (_side, number) in enumerate(taken):
        ahead = max(ahead, number - min(n for _s, n in taken[at : at + 4]))
    assert ahead <= 6, "neither side is read far ahead of the other"
