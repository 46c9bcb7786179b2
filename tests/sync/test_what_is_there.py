"""What a target says of entries: its own names for them come back, its opposites never count."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from list_hand import DAY, Hand
from store_samples import indicator

from connector.adapter import (
    ALL_WRITTEN,
    Entry,
    EntryAdapter,
    Held,
    Observable,
    ObservableType,
    Outcomes,
    OutputContext,
    Settings,
    Written,
)
from connector.decisions.limits import Limits
from connector.decisions.records import LedgerState
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult
from connector.sync.cycle import apply, propose
from connector.sync.output import Output
from connector.sync.targets.kinds import target_of
from connector.sync.view import CHANGED, EVERYTHING, Scope

FIRST, SECOND = (Observable(ObservableType.IPV4_ADDR, f"198.51.100.{n}") for n in (1, 2))
PASSED = Held(FIRST, contrary="rpz-passthru. by hand")


class Options(Settings):
    """None."""


class Desk(EntryAdapter[Options]):
    """A desk of slips, each with a number of its own; the ones put there by hand are opposites."""

    settings_type = Options
    supports = frozenset({ObservableType.IPV4_ADDR})

    def __init__(self, settings: Options, context: OutputContext) -> None:
        super().__init__(settings, context)
        self.slips: dict[Observable, str] = {}
        self.opposites: list[Held] = []
        self.removed: list[Held] = []

    def read(self) -> Iterable[Held]:
        return [Held(one, handle=slip) for one, slip in self.slips.items()] + self.opposites

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        for entry in entries:
            self.slips[entry.observable] = f"slip-{len(self.slips)}"
        return {entry.observable: Written(self.slips[entry.observable]) for entry in entries}

    def remove(self, held: Sequence[Held]) -> Outcomes:
        self.removed += held
        for each in held:
            self.slips.pop(each.observable, None)
        return ALL_WRITTEN


class Annotated(Desk):
    """A desk that writes a note of its own on slips that have none."""

    def as_held(self, entry: Entry) -> Entry:
        return Entry(entry.observable, {"note": "listed", **entry.fields})

    def read(self) -> Iterable[Held]:
        return [Held(one, {"note": "listed"}) for one in self.slips]


class Edge:
    """A list of two addresses, and the desk that it is kept on."""

    def __init__(self, store: Store, desk: type[Desk] = Desk) -> None:
        self.store, self.hand = store, Hand(store)
        self.desk = desk(Options(), OutputContext("edge", Path()))
        self.hand.give(indicator(1), indicator(2))
        self.output = Output(
            "edge", self.hand.listing(), target_of("edge", self.desk), Limits(), b"setup", DAY
        )

    def sync(self, scope: Scope = CHANGED) -> ApplyResult:
        self.hand.refresh()
        applier = Applier(self.store, lambda: self.hand.now, sleep=lambda _seconds: None)
        return apply(propose(self.output, self.store, scope, self.hand.now), self.output, applier)

    def revoke_the_first(self) -> None:
        self.hand.give(indicator(1, modified=2, revoked=True))

    def ledger(self) -> list[tuple[int, str | None, str | None]]:
        return self.hand.rows("SELECT state, handle, why FROM ledger ORDER BY observable")


@pytest.fixture
def edge() -> Iterator[Edge]:
    """A list and its desk, on an empty store in memory."""
    store = Store("sqlite://")
    store.database.migrate()
    yield Edge(store)
    store.close()


def test_what_a_target_fills_in_by_itself_is_no_change(edge: Edge) -> None:
    annotated = Edge(edge.store, Annotated)
    assert annotated.sync() == ApplyResult(added=2)
    assert annotated.sync(EVERYTHING) == ApplyResult()


def test_the_handle_of_an_entry_comes_back_when_it_is_removed(edge: Edge) -> None:
    edge.sync()
    edge.revoke_the_first()
    assert edge.sync().removed == 1
    assert edge.desk.removed == [Held(FIRST, handle="slip-0")]


def test_a_handle_that_the_target_changed_is_learnt_when_it_is_read(edge: Edge) -> None:
    edge.sync()
    edge.desk.slips[FIRST] = "slip-77"
    edge.sync(EVERYTHING)
    edge.revoke_the_first()
    edge.sync()
    assert edge.desk.removed == [Held(FIRST, handle="slip-77")]


@pytest.mark.parametrize("scope", [CHANGED, EVERYTHING])
def test_the_opposite_put_there_by_hand_is_left_and_never_counts_as_written(
    edge: Edge, scope: Scope
) -> None:
    edge.desk.opposites = [PASSED]
    assert edge.sync(scope) == ApplyResult(added=1)
    assert edge.desk.slips.keys() == {SECOND}
    assert edge.ledger()[0] == (LedgerState.CONTRARY, None, "rpz-passthru. by hand")
    assert edge.sync() == ApplyResult()
    edge.revoke_the_first()
    assert edge.sync() == ApplyResult()
    assert edge.desk.removed == []


def test_what_we_wrote_and_someone_turned_round_is_no_longer_written(edge: Edge) -> None:
    edge.sync()
    del edge.desk.slips[FIRST]
    edge.desk.opposites = [PASSED]
    assert edge.sync(EVERYTHING) == ApplyResult()
    assert edge.ledger()[0][0] == LedgerState.CONTRARY


def test_an_entry_is_added_once_its_opposite_is_gone(edge: Edge) -> None:
    edge.desk.opposites = [PASSED]
    edge.sync(EVERYTHING)
    edge.desk.opposites = []
    assert edge.sync(EVERYTHING).added == 1
    assert {mark for mark, _handle, _why in edge.ledger()} == {LedgerState.WRITTEN}


@pytest.mark.parametrize("scope", [CHANGED, EVERYTHING])
def test_something_else_than_held_is_a_bug_of_the_adapter(
    edge: Edge, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Texts(Desk):
        def read(self) -> Iterable[Held]:
            return ["198.51.100.1"]

        def holds(self, observables: Collection[Observable]) -> Iterable[Held]:
            return list(observables)

    adapter = Texts(Options(), OutputContext("edge", Path()))
    monkeypatch.setattr(edge.output.target, "adapter", adapter)
    verb, kind = ("read", "str") if scope is EVERYTHING else ("holds", "Observable")
    with pytest.raises(TypeError, match=rf"{verb}\(\) yielded {kind}, not Held"):
        edge.sync(scope)
