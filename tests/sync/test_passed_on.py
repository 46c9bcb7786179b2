"""Targets of single entries that keep indicators: one object may carry several entries."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from list_hand import DAY, Hand
from store_samples import indicator, indicator_id

from connector.adapter import (
    ALL_WRITTEN,
    Entry,
    EntryAdapter,
    Held,
    Left,
    ObservableType,
    Outcomes,
    OutputContext,
    Written,
    observables_in,
)
from connector.decisions.limits import Limits
from connector.decisions.records import LedgerState
from connector.settings import Settings
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult
from connector.sync.cycle import apply, propose
from connector.sync.output import Output
from connector.sync.targets.kinds import target_of
from connector.sync.view import CHANGED, EVERYTHING, Scope


class PassedOn(Settings):
    @property
    def wants_originals(self) -> bool:
        return True


class Shelf(EntryAdapter[PassedOn]):
    """Keeps indicators by their ids, in a dictionary; may refuse to give one back."""

    settings_type = PassedOn
    supports = frozenset(ObservableType)
    keeps = False

    def __init__(self) -> None:
        super().__init__(PassedOn(), OutputContext("shelf", Path()))
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []

    def read(self) -> Iterator[Held]:
        for name, raw in self.objects.items():
            yield from (Held(one, handle=name) for one in observables_in(raw))

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        originals = [(entry.observable, entry.original) for entry in entries]
        self.objects |= {one.id: one.raw for _, one in originals if one is not None}
        return {entry: Written(one.id) for entry, one in originals if one is not None}

    def remove(self, held: Sequence[Held]) -> Outcomes:
        self.asked += [one.handle for one in held]
        if self.keeps:
            return {one.observable: Left("left there: nobody can take it away") for one in held}
        for one in held:
            self.objects.pop(one.handle, None)
        return ALL_WRITTEN


class Passing:
    """A list whose indicators stand on a shelf."""

    def __init__(self, store: Store) -> None:
        self.store, self.hand, self.shelf = store, Hand(store), Shelf()
        target = target_of("shelf", self.shelf)
        limits = Limits(max_remove_ratio=1)
        self.output = Output("shelf", self.hand.listing(), target, limits, b"setup", DAY)

    def say(self, *raw: bytes, scope: Scope = CHANGED) -> ApplyResult:
        self.hand.give(*raw)
        self.hand.refresh()
        applier = Applier(self.store, lambda: self.hand.now, sleep=lambda _seconds: None)
        proposal = propose(self.output, self.store, scope, self.hand.now)
        return apply(proposal, self.output, applier)

    def ledger(self) -> list[tuple[int, str | None]]:
        rows = self.hand.rows("SELECT state, why FROM ledger ORDER BY observable")
        return [(state, why) for state, why in rows]


@pytest.fixture
def passing(store: Store) -> Passing:
    return Passing(store)


OTHER = indicator(9)


def test_an_object_goes_with_the_last_entry_that_it_carries(passing: Passing) -> None:
    passing.say(indicator(1, hosts=(1, 2)), OTHER, scope=EVERYTHING)
    passing.say(indicator(1, modified=2, hosts=(1,)))
    assert passing.shelf.asked == []  # the other entry has it still
    assert passing.shelf.objects.keys() == {indicator_id(1), indicator_id(9)}
    assert b"198.51.100.2" not in passing.shelf.objects[indicator_id(1)]
    passing.say(indicator(1, modified=3, hosts=(1,), revoked=True))
    assert passing.shelf.asked == [indicator_id(1)]
    assert passing.shelf.objects.keys() == {indicator_id(9)}
    assert [state for state, _why in passing.ledger()] == [LedgerState.WRITTEN]


def test_what_nobody_can_take_away_stays_ours_and_is_asked_for_when_the_target_is_read(
    passing: Passing,
) -> None:
    passing.say(indicator(1, hosts=(1,)), OTHER, scope=EVERYTHING)
    passing.shelf.keeps = True
    words = "left there: nobody can take it away"
    assert passing.say(indicator(1, modified=2, hosts=(1,), revoked=True)) == ApplyResult()
    assert (LedgerState.REMOVING, words) in passing.ledger()
    assert passing.say() == ApplyResult()
    assert len(passing.shelf.asked) == 1  # no cycle asks again
    passing.shelf.keeps = False
    assert passing.say(scope=EVERYTHING).removed == 1
    assert passing.shelf.objects.keys() == {indicator_id(9)}
    assert [state for state, _why in passing.ledger()] == [LedgerState.WRITTEN]
