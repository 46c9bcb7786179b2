"""Where a held plan stands: every way that the table has, and none that it has not."""

from array import array
from collections.abc import Callable
from dataclasses import replace

import pytest

from connector.decisions.plan import EntryRefs, Plan, diff
from connector.store.outputs.outputs import OutputState
from connector.store.outputs.plans import KeptPlan, PlanState, PlanStateError
from connector.store.store import Store

HELD, ACCEPTED, DONE, OUTDATED, REPLACED = PlanState
UNKNOWN = None


def planned(*added: int) -> Plan:
    empty = diff("edge", "changed", [], [], why_not={})
    steps = EntryRefs(array("q", added), array("q", added))
    return replace(empty, add=steps)


PLAN, OTHER = planned(1), planned(1, 2)


class Kept:
    """One plan of one output, and all that may happen to it."""

    def __init__(self, store: Store) -> None:
        self.store, self.plans = store, store.plans
        self.output = store.outputs.open("edge", 1)

    def hold(self, plan: Plan = PLAN) -> bool:
        return self.plans.hold(self.output, plan, ["too many"], 10)

    def hold_another(self) -> None:
        self.hold(OTHER)

    def accept(self) -> None:
        self.plans.accept(self.output.number, PLAN.id, "ada")

    def complete(self) -> None:
        self.plans.complete(self.output.number, PLAN.id)

    def outdate(self) -> None:
        self.plans.outdate(self.output.number, PLAN.id)

    @property
    def state(self) -> PlanState | None:
        kept = self.plans.find(PLAN.id)
        return None if kept is None else kept.state

    @property
    def held_plan(self) -> str | None:
        state: OutputState = self.store.outputs.open("edge", 1)
        return state.held_plan


Step = Callable[[Kept], object]
HOLD, HOLD_ANOTHER, ACCEPT = Kept.hold, Kept.hold_another, Kept.accept
COMPLETE, OUTDATE = Kept.complete, Kept.outdate

TO: dict[PlanState | None, tuple[Step, ...]] = {
    UNKNOWN: (),
    HELD: (HOLD,),
    ACCEPTED: (HOLD, ACCEPT),
    DONE: (HOLD, ACCEPT, COMPLETE),
    OUTDATED: (HOLD, OUTDATE),
    REPLACED: (HOLD, HOLD_ANOTHER),
}
WAYS: dict[tuple[PlanState | None, Step], PlanState] = {
    (UNKNOWN, HOLD): HELD,
    (HELD, HOLD): HELD,
    (HELD, HOLD_ANOTHER): REPLACED,
    (HELD, ACCEPT): ACCEPTED,
    (HELD, OUTDATE): OUTDATED,
    (ACCEPTED, HOLD): ACCEPTED,
    (ACCEPTED, COMPLETE): DONE,
    (ACCEPTED, OUTDATE): OUTDATED,
    (DONE, HOLD): HELD,
    (OUTDATED, HOLD): HELD,
    (REPLACED, HOLD): HELD,
}
REFUSED = [
    (state, step)
    for state in TO
    for step in (ACCEPT, COMPLETE, OUTDATE)
    if (state, step) not in WAYS
]


@pytest.fixture
def kept(store: Store) -> Kept:
    return Kept(store)


def name(case: object) -> str:
    return getattr(case, "__name__", None) or str(case or "unknown")


@pytest.mark.parametrize(("state", "step"), WAYS, ids=name)
def test_a_plan_moves_on_as_the_table_says(kept: Kept, state: PlanState | None, step: Step) -> None:
    for taken in TO[state]:
        taken(kept)
    assert kept.state is state
    step(kept)
    assert kept.state is WAYS[state, step]


@pytest.mark.parametrize(("state", "step"), REFUSED, ids=name)
def test_what_the_table_does_not_have_is_refused_and_changes_nothing(
    kept: Kept, state: PlanState | None, step: Step
) -> None:
    for taken in TO[state]:
        taken(kept)
    with pytest.raises(PlanStateError, match=f"plan {PLAN.id} .* cannot become") as refused:
        step(kept)
    assert refused.value.state is state
    assert kept.state is state


@pytest.mark.parametrize("state", [ACCEPTED, DONE, OUTDATED])
def test_a_plan_that_waits_for_nobody_is_not_replaced(kept: Kept, state: PlanState) -> None:
    for taken in TO[state]:
        taken(kept)
    kept.hold_another()
    assert kept.state is state


def test_the_words_of_a_state_are_those_of_the_database(kept: Kept) -> None:
    states = []
    for step in (HOLD, ACCEPT, COMPLETE):
        step(kept)
        with kept.store.database.read() as transaction:
            states.append(transaction.one("SELECT state FROM plans"))
    assert states == ["held", "accepted", "done"]
    assert [each.value for each in PlanState] == [
        "held", "accepted", "done", "outdated", "replaced",
    ]  # fmt: skip


def test_a_plan_accepted_while_a_cycle_was_about_to_hold_it_stays_accepted(kept: Kept) -> None:
    kept.hold()
    kept.accept()
    assert not kept.hold(), "no news"
    assert kept.plans.accepted(kept.output.number) == {PLAN.id}


def test_a_plan_is_found_by_its_id_with_its_output(kept: Kept) -> None:
    assert kept.plans.find(PLAN.id) is None
    kept.hold()
    found = KeptPlan(PLAN.id, "edge", kept.output.number, HELD, "changed")
    assert kept.plans.find(PLAN.id) == found
    assert kept.held_plan == PLAN.id
