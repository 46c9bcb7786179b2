"""Targets of single entries that keep indicators: one object may carry several entries."""

import json
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
    Outcome,
    Outcomes,
    OutputContext,
    Refused,
    Subject,
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
    refuses = ""

    def __init__(self) -> None:
        super().__init__(PassedOn(), OutputContext("shelf", Path()))
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []

    def read(self) -> Iterator[Held]:
        for name, raw in self.objects.items():
            fields = {"version": version(raw)}
            yield from (Held(one, fields, handle=name) for one in observables_in(raw))

    def as_held(self, entry: Entry) -> Entry:
        assert entry.original is not None
        return Entry(entry.observable, {"version": version(entry.original.raw)})

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        said: dict[Subject, Outcome] = {}
        for entry in entries:
            assert entry.original is not None
            if entry.original.id == self.refuses:
                said[entry.observable] = Refused("not this one")
                continue
            self.objects[entry.original.id] = entry.original.raw
            said[entry.observable] = Written(entry.original.id)
        return said

    def remove(self, held: Sequence[Held]) -> Outcomes:
        self.asked += [one.handle for one in held]
        if self.keeps:
            return {one.observable: Left("left there: nobody can take it away") for one in held}
        for one in held:
            self.objects.pop(one.handle, None)
        return ALL_WRITTEN


def version(raw: bytes) -> str:
    return str(json.loads(raw)["modified"])


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


@pytest.mark.parametrize("modified", [1, 3])
def test_an_object_of_others_that_names_the_same_is_never_taken_for_ours(
    passing: Passing, modified: int
) -> None:
    theirs = indicator(1, hosts=(1,), modified=modified)
    passing.say(OTHER, indicator(5, hosts=(1,)), scope=EVERYTHING)
    passing.shelf.objects[indicator_id(1)] = theirs
    assert passing.say(scope=EVERYTHING) == ApplyResult()
    assert passing.shelf.asked == []
    passing.say(indicator(5, modified=8, hosts=(1,), revoked=True))
    assert passing.shelf.asked == [indicator_id(5)]
    assert passing.shelf.objects == {indicator_id(1): theirs, indicator_id(9): OTHER}


def test_ours_that_somebody_took_away_is_put_there_again_beside_that_of_others(
    passing: Passing,
) -> None:
    passing.say(OTHER, indicator(5, hosts=(1,)), scope=EVERYTHING)
    del passing.shelf.objects[indicator_id(5)]
    passing.shelf.objects[indicator_id(1)] = indicator(1, hosts=(1,))
    assert passing.say(scope=EVERYTHING).added == 1
    assert {indicator_id(1), indicator_id(5)} < passing.shelf.objects.keys()
    assert passing.shelf.asked == []


def test_what_a_crash_left_without_a_name_is_put_there_again_and_gets_one(
    passing: Passing, store: Store
) -> None:
    passing.say(OTHER, indicator(5, hosts=(1,)), scope=EVERYTHING)
    passing.shelf.objects[indicator_id(1)] = indicator(1, hosts=(1,))
    with store.database.write() as transaction:
        transaction.run("UPDATE ledger SET handle = NULL, state = ?", (LedgerState.INTENDED,))
    passing.say(scope=EVERYTHING)
    passing.say(indicator(5, modified=8, hosts=(1,), revoked=True))
    assert passing.shelf.asked == [indicator_id(5)]


BEST = {"confidence": 90}


def test_an_object_stays_when_another_carries_one_of_its_two_entries(passing: Passing) -> None:
    passing.say(indicator(1, hosts=(1,), confidence=50), scope=EVERYTHING)
    passing.say(scope=EVERYTHING)
    passing.say(indicator(1, modified=2, hosts=(1, 2), confidence=50))
    passing.say(indicator(3, modified=3, hosts=(1,), **BEST))
    assert passing.shelf.asked == []
    assert passing.shelf.objects.keys() == {indicator_id(1), indicator_id(3)}
    passing.say(indicator(4, modified=4, hosts=(2,), **BEST))
    assert passing.shelf.asked == [indicator_id(1)]
    assert passing.shelf.objects.keys() == {indicator_id(3), indicator_id(4)}


def test_an_object_goes_once_when_both_its_entries_get_another_at_once(passing: Passing) -> None:
    passing.say(indicator(1, hosts=(1, 2), confidence=50), scope=EVERYTHING)
    passing.say(indicator(3, modified=3, hosts=(1, 2), **BEST))
    assert passing.shelf.asked == [indicator_id(1)]
    assert passing.shelf.objects.keys() == {indicator_id(3)}
    assert passing.say(scope=EVERYTHING) == ApplyResult()


def test_an_object_stays_with_an_entry_whose_other_object_was_refused(passing: Passing) -> None:
    passing.say(indicator(1, hosts=(1, 2), confidence=50), scope=EVERYTHING)
    passing.shelf.refuses = indicator_id(4)
    passing.say(
        indicator(3, modified=3, hosts=(1,), **BEST), indicator(4, modified=3, hosts=(2,), **BEST)
    )
    assert passing.shelf.asked == []
    assert passing.shelf.objects.keys() == {indicator_id(1), indicator_id(3)}
