"""Targets of single entries: staged ones count from their commit; a rejection names an entry."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from firewall import FirewallAdapter, FirewallSettings, Rack
from list_hand import DAY, Hand
from store_samples import indicator

from connector.adapter import (
    ALL_WRITTEN,
    Entry,
    Full,
    Held,
    Later,
    Observable,
    ObservableType,
    Outcomes,
    OutputContext,
    Refused,
    StagedAdapter,
)
from connector.decisions.limits import Limits
from connector.decisions.records import LedgerState
from connector.errors import UnavailableError
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult
from connector.sync.cycle import apply, propose
from connector.sync.output import Output
from connector.sync.targets.kinds import target_of
from connector.sync.view import CHANGED, EVERYTHING, Scope

BOTH = ["198.51.100.1", "198.51.100.2"]


class StagedFirewall(FirewallAdapter, StagedAdapter[FirewallSettings]):
    """Stages in a session, which the device drops when anything fails."""

    failing = 0
    breaks = 0
    abandoned = 0
    staged: list[Entry] | None = None
    commits = 0
    keeps = False
    said: Callable[[Sequence[Entry]], Outcomes] | None = None

    def begin(self) -> None:
        if self.staged is not None:
            raise RuntimeError("a session is open")
        self.staged = []

    def abandon(self) -> None:
        self.staged = None
        self.abandoned += 1

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        if self.staged is None:
            raise RuntimeError("no session is open")
        if self.breaks:
            self.breaks -= 1
            raise UnavailableError("the session is gone")
        self.staged += entries
        if self.said is not None:
            return self.said(entries)
        return ALL_WRITTEN

    def remove(self, held: Sequence[Held]) -> Outcomes:
        if self.keeps:
            return {each.observable: Refused("in use by a rule") for each in held}
        return super().remove(held)

    def commit(self) -> None:
        staged = self.staged or []
        self.commits += 1
        if self.commits <= self.failing:
            raise UnavailableError("the session is gone")
        self.device.add(staged)
        self.staged = None


class Edge:
    """A list of two addresses, and the staging firewall that it is kept on."""

    def __init__(self, store: Store, failing: int) -> None:
        self.store, self.hand = store, Hand(store)
        kind = type("Staged", (StagedFirewall,), {"rack": Rack()})
        adapter = kind(FirewallSettings(device="edge"), OutputContext("edge", Path()))
        adapter.failing = failing
        self.device = adapter.device
        self.hand.give(indicator(1), indicator(2))
        self.hand.refresh()
        self.output = Output(
            "edge", self.hand.listing(), target_of("edge", adapter, None), Limits(), b"setup", DAY
        )

    def sync(self, scope: Scope = EVERYTHING) -> ApplyResult:
        applier = Applier(self.store, lambda: self.hand.now, sleep=lambda _seconds: None)
        return apply(propose(self.output, self.store, scope, self.hand.now), self.output, applier)

    def words(self) -> list[str]:
        return [why for (why,) in self.hand.rows("SELECT why FROM ledger WHERE why IS NOT NULL")]

    def marks(self) -> set[int]:
        return {mark for (mark,) in self.hand.rows("SELECT state FROM ledger")}


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_what_a_failed_commit_lost_is_staged_again(store: Store, failing: int) -> None:
    edge = Edge(store, failing)
    assert edge.sync().added == len(BOTH)
    assert edge.device.values() == BOTH
    assert edge.marks() == {LedgerState.WRITTEN}


def test_a_rejection_in_the_spelling_of_the_target_is_a_bug_of_its_adapter(store: Store) -> None:
    edge = Edge(store, 0)
    other = Observable(ObservableType.IPV4_ADDR, "198.51.100.1/32")
    edge.output.adapter.said = lambda _entries: {other: Refused("no")}
    with pytest.raises(TypeError, match=r"add\(\) names 198\.51\.100\.1/32, which it was not"):
        edge.sync()
    assert edge.marks() == {LedgerState.INTENDED}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, r"add\(\) returned None, not Outcomes: return \{\} where all is well"),
        ("ok", r"add\(\) returned str, not Outcomes"),
    ],
)
def test_an_answer_that_is_no_outcomes_is_a_bug_of_the_adapter(
    store: Store, said: object, words: str
) -> None:
    edge = Edge(store, 0)
    edge.output.adapter.said = lambda _entries: said
    with pytest.raises(TypeError, match=words):
        edge.sync()
    edge.output.adapter.said = lambda entries: {entries[0].observable: "no"}
    with pytest.raises(TypeError, match=r"add\(\) says str of an entry, not Written, Refused"):
        edge.sync()
    assert edge.marks() == {LedgerState.INTENDED}


def test_what_the_target_has_no_room_for_is_over_capacity(store: Store) -> None:
    edge = Edge(store, 0)
    edge.output.adapter.said = lambda entries: {entries[0].observable: Full("addresses")}
    assert edge.sync() == ApplyResult(added=1)
    assert edge.marks() == {LedgerState.OVER_CAPACITY, LedgerState.WRITTEN}
    assert edge.words() == ["the target is full (addresses)"]


def test_what_the_target_takes_later_is_tried_again_until_it_did(store: Store) -> None:
    edge = Edge(store, 0)
    edge.output.adapter.said = lambda entries: {entries[0].observable: Later("busy")}
    assert edge.sync() == ApplyResult(added=1, later=1)
    assert edge.marks() == {LedgerState.INTENDED, LedgerState.WRITTEN}
    assert edge.words() == ["busy"]
    edge.output.adapter.said = None
    assert edge.sync(CHANGED).added == 1, "a cycle of changes alone comes back to it"
    assert edge.marks() == {LedgerState.WRITTEN}


def test_what_the_target_does_not_let_go_stays_ours_and_is_removed_later(store: Store) -> None:
    edge = Edge(store, 0)
    edge.sync()
    edge.hand.give(indicator(1, modified=2, revoked=True))
    edge.hand.refresh()
    edge.output.adapter.keeps = True
    assert edge.sync(CHANGED) == ApplyResult(later=1)
    assert edge.marks() == {LedgerState.REMOVING, LedgerState.WRITTEN}
    assert edge.words() == ["in use by a rule"]
    edge.output.adapter.keeps = False
    assert edge.sync(CHANGED).removed == 1
    assert edge.device.values() == BOTH[1:]


def test_a_batch_that_breaks_the_session_has_the_whole_unit_done_again(store: Store) -> None:
    edge = Edge(store, failing=0)
    edge.output.adapter.breaks = 1
    assert edge.sync().added == len(BOTH)
    assert edge.device.values() == BOTH
    assert (edge.output.adapter.abandoned, edge.output.adapter.commits) == (1, 1)


def test_a_bug_within_a_unit_abandons_it_and_shows(store: Store) -> None:
    edge = Edge(store, failing=0)
    edge.output.adapter.said = lambda _entries: None
    with pytest.raises(TypeError):
        edge.sync()
    assert edge.output.adapter.abandoned == 1
    assert edge.device.values() == []


def test_nothing_is_written_where_no_commit_goes_well(store: Store) -> None:
    edge = Edge(store, failing=3)
    with pytest.raises(UnavailableError):
        edge.sync()
    assert edge.device.values() == []
    assert edge.marks() == {LedgerState.INTENDED}
