"""Holds in the store: frozen, pruned, accepted or refused, and the window of what limits count."""

from array import array
from collections.abc import Callable, Collection

import pytest

from connector.decisions.holds import Hold, Standing
from connector.decisions.limits import Window
from connector.decisions.plan import EntryRefs
from connector.decisions.records import CODES, HoldKind
from connector.model import Reason
from connector.store.outputs.held_changes import ADD, REMOVE, Due, HeldChange, LookedAt, changes_of
from connector.store.outputs.holds import Holds, HoldStateError, hold_on
from connector.store.outputs.kept_holds import HoldState, live_holds
from connector.store.outputs.outputs import OutputState
from connector.store.store import Store

NOW = 1_767_225_600_000_000
HOUR = 3_600_000_000


def refs(*numbers: int) -> EntryRefs:
    found = EntryRefs()
    for number in numbers:
        found.put(number, cause=CODES[Reason.WITHDRAWN], source=5)
    return found


def hold(*remove: int, add: tuple[int, ...] = ()) -> Hold:
    words = ("would remove too much",)
    return Hold("edge", HoldKind.REMOVE, words, refs(*add), refs(*remove))


class Bench:
    """One output and its holds."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.list = store.lists.open("perimeter").number
        self.output: OutputState = store.outputs.open("edge", self.list)
        self.holds = Holds(store.database)

    @property
    def number(self) -> int:
        return self.output.number

    def look(self, now: int = NOW, after: int | None = None) -> LookedAt:
        with self.store.database.read() as transaction:
            asked = self.holds.asked(transaction, self.number, now, removals=False)
            return self.holds.look(transaction, self.output, after, asked, now)

    def keep(self, *holds: Hold, now: int = NOW) -> list[str]:
        return list(self.holds.settle(self.number, LookedAt(), Due((), ()), now, holds).news)

    def prune(
        self,
        *,
        add: Collection[int] = (),
        remove: Collection[int] = (),
        now: int = NOW,
        replaces: bool | None = None,
        after: int | None = None,
    ) -> list[tuple[str, HoldState]]:
        looked = self.look(now, after)
        return list(self.holds.settle(self.number, looked, Due(add, remove, replaces), now).ended)

    def standing(self, now: int = NOW) -> Standing:
        return self.look(now).standing()

    def change(self, observable: int) -> None:
        """Let an observable change on the list."""
        with self.store.database.write() as transaction:
            transaction.run(
                "INSERT INTO entries (list, observable, wanted, claim, reason, seq, stamp, rank, "
                "since) VALUES (?, ?, 0, 0, 0, 5, 0, 0, 0)", (self.list, observable),
            )  # fmt: skip

    def state(self, one: Hold) -> HoldState:
        found = self.holds.find(one.id)
        assert found is not None
        return found.state

    def window(self, since: int) -> Window:
        with self.store.database.read() as transaction:
            return self.store.counted.window(transaction, self.number, since)


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store)


def test_a_hold_is_kept_once_with_its_changes(bench: Bench) -> None:
    one = hold(1, 2, add=(7,))
    assert bench.keep(one) == [one.id]
    assert bench.keep(one) == []
    kept = bench.holds.find(one.id)
    assert kept is not None
    assert (kept.output, kept.state, kept.since) == ("edge", HoldState.HELD, NOW)
    assert (kept.sentences, kept.add, kept.remove) == (("would remove too much",), 1, 2)
    assert bench.standing() == Standing(held_add={7}, held_remove={1, 2}, keeps_room=True)


def test_what_no_longer_applies_leaves_a_hold_and_an_empty_one_is_void(bench: Bench) -> None:
    one = hold(1, 2, add=(7,))
    bench.keep(one)
    assert bench.prune(add={7}, remove={2, 9}) == []
    assert bench.standing() == Standing(held_add={7}, held_remove={2}, keeps_room=True)
    assert bench.prune(add=(), remove=()) == [(one.id, HoldState.VOID)]
    assert bench.state(one) is HoldState.VOID
    assert bench.standing() == Standing()


def test_an_accepted_hold_is_done_when_nothing_of_it_is_left(bench: Bench) -> None:
    one = hold(1, 2)
    bench.keep(one)
    bench.holds.accept(bench.number, one.id, "kim", "seen")
    assert bench.standing() == Standing(accepted_remove={1, 2})
    assert bench.prune(add=(), remove={2}) == []
    assert bench.prune(add=(), remove=()) == [(one.id, HoldState.DONE)]
    assert bench.state(one) is HoldState.DONE


def test_a_refused_hold_stands_until_its_end(bench: Bench) -> None:
    one = hold(1)
    bench.keep(one)
    bench.holds.refuse(bench.number, one.id, "kim", "the feed is ill", NOW + HOUR)
    assert bench.standing() == Standing(held_remove={1}, keeps_room=True)
    assert bench.standing(NOW + HOUR) == Standing()
    found = bench.holds.find(one.id)
    assert found is not None
    assert (found.by, found.why, found.until) == ("kim", "the feed is ill", NOW + HOUR)


def test_a_refused_hold_can_still_be_accepted(bench: Bench) -> None:
    one = hold(1)
    bench.keep(one)
    bench.holds.refuse(bench.number, one.id, "kim", "not now", None)
    bench.holds.accept(bench.number, one.id, "kim", "now")
    assert bench.state(one) is HoldState.ACCEPTED


@pytest.mark.parametrize(
    "then",
    [
        lambda bench, one: bench.holds.accept(bench.number, one.id, "kim", ""),
        lambda bench, one: bench.holds.refuse(bench.number, one.id, "kim", "", None),
    ],
)
def test_a_hold_that_ended_is_neither_accepted_nor_refused(
    bench: Bench, then: Callable[[Bench, Hold], None]
) -> None:
    one = hold(1)
    bench.keep(one)
    bench.prune(add=(), remove=())
    with pytest.raises(HoldStateError, match="is void"):
        then(bench, one)


def test_a_hold_that_ended_is_held_again_where_the_same_is_due_again(bench: Bench) -> None:
    one = hold(1)
    bench.keep(one)
    bench.prune(add=(), remove=())
    assert bench.keep(one) == [one.id]
    assert bench.standing() == Standing(held_remove={1}, keeps_room=True)


def test_what_waits_is_listed_the_oldest_first(bench: Bench, store: Store) -> None:
    first, second = hold(1), hold(2)
    bench.keep(first)
    bench.keep(second, now=NOW + 1)
    with store.database.read() as transaction:
        found = live_holds(transaction)
        assert [one.id for one in found] == [first.id, second.id]
        left = HeldChange(REMOVE, 2, CODES[Reason.WITHDRAWN], 5)
        assert changes_of(transaction, bench.number, second.id) == [left]
        assert hold_on(transaction, bench.number, 2) == (found[1], left)
        assert hold_on(transaction, bench.number, 3) is None


def test_the_window_adds_up_and_forgets(bench: Bench) -> None:
    for hours, counted in ((0, Window(1, 2)), (0, Window(0, 3)), (2, Window(4, 0))):
        bench.store.counted.count(bench.number, counted, NOW + hours * HOUR, NOW)
    assert bench.window(NOW) == Window(5, 5)
    assert bench.window(NOW + HOUR) == Window(4, 0)
    bench.store.counted.count(bench.number, Window(0, 1), NOW + 3 * HOUR, NOW + 2 * HOUR)
    assert bench.window(0) == Window(4, 1)


def test_a_refusal_that_is_over_leaves_nothing_and_the_same_is_held_anew(bench: Bench) -> None:
    one = hold(1)
    bench.keep(one)
    bench.holds.refuse(bench.number, one.id, "kim", "not today", NOW + HOUR)
    assert bench.prune(remove={1}) == []
    assert bench.prune(remove={1}, now=NOW + HOUR) == [(one.id, HoldState.VOID)]
    assert bench.keep(one) == [one.id]
    assert bench.state(one) is HoldState.HELD


@pytest.mark.parametrize(("accepted", "end"), [(True, HoldState.DONE), (False, HoldState.VOID)])
def test_a_hold_on_a_whole_list_ends_when_a_look_shows_that_it_is_not_replaced(
    bench: Bench, accepted: bool, end: HoldState
) -> None:
    one = Hold("edge", HoldKind.REPLACE, ("would replace 3 entries",))
    bench.keep(one)
    assert bench.standing() == Standing(replaces=False)
    if accepted:
        bench.holds.accept(bench.number, one.id, "kim", "")
    assert bench.standing() == Standing(replaces=accepted)
    assert bench.prune() == []
    assert bench.prune(replaces=True) == []
    assert bench.prune(replaces=False) == [(one.id, end)]
    assert bench.standing() == Standing()


def test_a_cycle_of_what_changed_looks_only_at_held_changes_that_it_concerns(bench: Bench) -> None:
    waiting, accepted = hold(1, 2, add=(3,)), hold(4)
    bench.keep(waiting, accepted)
    assert bench.look(after=0).changes == {}, "nothing of it changed on the list"
    bench.change(2)
    assert bench.look(after=0).changes == {(waiting.id, REMOVE): array("q", [2])}
    bench.holds.accept(bench.number, accepted.id, "kim", "seen")
    assert set(bench.look(after=9).changes) == {(accepted.id, REMOVE)}
    assert set(bench.look().changes) == {
        (waiting.id, ADD), (waiting.id, REMOVE), (accepted.id, REMOVE)
    }  # fmt: skip
    assert bench.prune(after=0) == [(accepted.id, HoldState.DONE)]
    assert bench.standing() == Standing(held_add={3}, held_remove={1}, keeps_room=True)


def test_what_is_gone_from_a_target_leaves_its_hold(bench: Bench) -> None:
    one = hold(1, 2)
    bench.keep(one)
    bench.store.ledger.confirm_removed(bench.output, [1], {}, {}, NOW)
    assert bench.standing() == Standing(held_remove={2}, keeps_room=True)
