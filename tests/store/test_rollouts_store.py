"""What waits for another output is kept on both databases, with since when it has stood there."""

from collections.abc import Mapping

import pytest

from connector.decisions.records import LedgerState
from connector.store.outputs.ledger_rows import confirm_at_once, delete_rows, set_rows
from connector.store.outputs.outputs import OutputState
from connector.store.outputs.rollouts import Turn, all_in_rollout, rollout_counts, stood_since
from connector.store.store import Store

LIST, FIRST, LATER = 1, 1, 2
WAIT = 30


class Stage:
    """Two outputs of a list that wants a few entries; the second waits for the first."""

    def __init__(self, store: Store) -> None:
        self.store, self.rollouts = store, store.rollouts
        self.first = store.outputs.open("first", LIST).number
        self.later: OutputState = store.outputs.open("later", LIST)
        self.now = 1000

    def turn(self, ahead: int = 0) -> Turn:
        return Turn(self.first, self.now - WAIT, ahead)

    def stand(self, *numbers: int) -> None:
        """Have the first output confirm entries."""
        with self.store.database.write() as transaction:
            rows = [(number, LedgerState.WRITTEN, 7) for number in numbers]
            set_rows(transaction, self.first, rows, self.now)

    def lose(self, *numbers: int) -> None:
        with self.store.database.write() as transaction:
            delete_rows(transaction, self.first, numbers)

    def early(self, *numbers: int, ahead: int = 0) -> set[int]:
        with self.store.database.read() as transaction:
            return self.rollouts.early(
                transaction, self.later.number, self.turn(ahead), list(numbers)
            )

    def keep(self, *numbers: int, ahead: int = 0) -> None:
        self.rollouts.keep(self.later.number, self.turn(ahead), numbers, self.now)

    def due(self) -> list[int]:
        with self.store.database.read() as transaction:
            return self.rollouts.due(transaction, self.later.number, self.now - WAIT)

    def stood(self, *numbers: int) -> list[int | None]:
        with self.store.database.read() as transaction:
            return [stood_since(transaction, self.later.number, number) for number in numbers]


@pytest.fixture
def stage(store: Store) -> Stage:
    return Stage(store)


def test_what_has_stood_for_long_enough_is_due_and_nothing_else(stage: Stage) -> None:
    stage.stand(1)
    stage.now += WAIT
    stage.stand(2)
    assert stage.early(1, 2, 3) == {2, 3}
    stage.keep(2, 3)
    assert stage.stood(2, 3) == [stage.now, None]
    assert stage.rollouts.waiting(stage.later.number) == 2
    stage.now += 10
    stage.stand(3)
    assert stage.stood(2, 3) == [stage.now - 10, stage.now]
    stage.now += 20
    assert stage.due() == [2]
    assert stage.early(1, 2, 3) == {3}
    stage.rollouts.drop(stage.later.number, {2})
    with stage.store.database.read() as transaction:
        assert all_in_rollout(transaction, stage.later.number) == {3}
        assert rollout_counts(transaction) == {stage.later.number: (1, 1040)}
    stage.rollouts.clear(stage.later.number)
    assert stage.rollouts.waiting(stage.later.number) == 0


def test_what_was_lost_and_came_back_waits_anew_and_what_changed_does_not(stage: Stage) -> None:
    stage.stand(1, 2)
    stage.keep(1, 2)
    stage.lose(1)
    stage.now += 20
    stage.stand(1, 2)
    assert stage.stood(1, 2) == [1020, 1000]
    stage.keep(1, 2)  # a cycle of everything keeps all again
    assert stage.stood(1, 2) == [1020, 1000]
    stage.now += 10
    assert stage.early(1, 2) == {1}


def test_what_is_confirmed_at_once_has_stood_since_then(stage: Stage) -> None:
    stage.keep(1, 2)
    with stage.store.database.write() as transaction:
        rows = [(number, LedgerState.INTENDED, 7) for number in (1, 2)]
        set_rows(transaction, stage.first, rows, stage.now)
        stage.now += 5
        assert confirm_at_once(transaction, stage.first, [(1, 7), (2, 7)], stage.now)
    assert stage.stood(1, 2) == [1005, 1005]


@pytest.mark.parametrize(
    ("ahead", "stood"), [(0, {1: 1000, 2: 1010}), (500, {1: 1500, 2: 1510}), (-999, {})]
)
def test_a_clock_that_is_set_takes_along_what_waits(
    stage: Stage, ahead: int, stood: Mapping[int, int]
) -> None:
    stage.stand(1)
    stage.now += 10
    stage.stand(2)
    stage.keep(1, 2)
    stage.now += 10 + ahead
    stage.rollouts.follow_clock(stage.later.number, max(ahead, 0), stage.now)
    assert stage.stood(1, 2) == [stood.get(1, stage.now), stood.get(2, stage.now)]
    assert stage.early(1, 2, ahead=max(ahead, 0)) == {1, 2}


def test_what_waits_nowhere_yet_goes_by_the_clock_as_it_was(stage: Stage) -> None:
    stage.stand(1)
    stage.now += 510
    assert stage.early(1) == set()
    assert stage.early(1, ahead=500) == {1}
    stage.keep(1, ahead=500)
    assert stage.stood(1) == [1500]
    stage.now += 20
    assert stage.early(1) == set()


def test_all_that_is_early_is_wanted_not_there_and_has_not_stood_elsewhere(stage: Stage) -> None:
    with stage.store.database.write() as transaction:
        sql = (
            "INSERT INTO entries (list, observable, wanted, claim, reason, seq, stamp, rank, "
            "since) VALUES (?,?,?,1,1,1,1,1,900)"
        )
        transaction.many(sql, [(LIST, number, int(number < 5)) for number in range(1, 6)])
        ours = [(4, LedgerState.WRITTEN, 7)]
        set_rows(transaction, stage.later.number, ours, stage.now)
    stage.stand(1)
    stage.now += WAIT
    stage.stand(2)
    with stage.store.database.read() as transaction:
        early = stage.rollouts.all_early(transaction, stage.later, stage.turn())
    assert early == {2, 3}
