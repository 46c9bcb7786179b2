"""Targets of single entries: staged ones count from their commit; a rejection names an entry."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from firewall import FirewallAdapter, FirewallSettings, Rack
from list_hand import DAY, Hand
from store_samples import indicator

from connector.adapter import Entry, OutputContext
from connector.decisions.plan import LedgerState, Limits
from connector.errors import EntryRejectedError, UnavailableError
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult
from connector.sync.cycle import apply, propose
from connector.sync.output import Output
from connector.sync.proposal import EVERYTHING
from connector.sync.targets.kinds import target_of

BOTH = ["198.51.100.1", "198.51.100.2"]


class StagedFirewall(FirewallAdapter):
    """Stages in a session, which the device drops when a commit fails."""

    failing = 0
    commits = 0
    spelling = ""

    def add(self, entries: Sequence[Entry]) -> None:
        self.staged = [*getattr(self, "staged", []), *entries]
        if self.spelling:
            raise EntryRejectedError({self.spelling.format(entries[0].value): "no"})

    def commit(self) -> None:
        staged, self.staged = self.staged, []
        self.commits += 1
        if self.commits <= self.failing:
            raise UnavailableError("the session is gone")
        self.device.add(staged)


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

    def sync(self) -> ApplyResult:
        applier = Applier(self.store, lambda: self.hand.now, sleep=lambda _seconds: None)
        return apply(propose(self.output, self.store, EVERYTHING), self.output, applier)

    def marks(self) -> set[int]:
        return {mark for (mark,) in self.hand.rows("SELECT state FROM ledger")}


@pytest.fixture
def store() -> Iterator[Store]:
    """A migrated, empty store in memory."""
    opened = Store("sqlite://")
    opened.database.migrate()
    yield opened
    opened.close()


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_what_a_failed_commit_lost_is_staged_again(store: Store, failing: int) -> None:
    edge = Edge(store, failing)
    assert edge.sync().added == len(BOTH)
    assert edge.device.values() == BOTH
    assert edge.marks() == {LedgerState.WRITTEN}


def test_a_rejection_in_the_spelling_of_the_target_is_a_bug_of_its_adapter(store: Store) -> None:
    edge = Edge(store, 0)
    edge.output.adapter.spelling = "{}/32"
    with pytest.raises(TypeError, match=r"rejects 198\.51\.100\.1/32, which it was not given"):
        edge.sync()
    assert edge.marks() == {LedgerState.INTENDED}


def test_nothing_is_written_where_no_commit_goes_well(store: Store) -> None:
    edge = Edge(store, failing=3)
    with pytest.raises(UnavailableError):
        edge.sync()
    assert edge.device.values() == []
    assert edge.marks() == {LedgerState.INTENDED}
