"""Targets of whole lists: what they say of entries is held against what they were given."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from list_hand import DAY, Hand
from store_samples import indicator

from connector.adapter import (
    ALL_WRITTEN,
    Entry,
    Held,
    ListAdapter,
    Observable,
    ObservableType,
    Outcomes,
    OutputContext,
    Refused,
    Settings,
    UnavailableError,
)
from connector.decisions.limits import Limits
from connector.decisions.records import LedgerState
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult
from connector.sync.cycle import apply, propose
from connector.sync.output import Output
from connector.sync.targets.kinds import target_of
from connector.sync.view import CHANGED, EVERYTHING, Scope

FIRST = Observable(ObservableType.IPV4_ADDR, "198.51.100.1")


class Options(Settings):
    """None."""


class Sheet(ListAdapter[Options]):
    """A list in memory, and what it says of its entries."""

    settings_type = Options
    supports = frozenset({ObservableType.IPV4_ADDR})
    said: Outcomes = ALL_WRITTEN

    def __init__(self, settings: Options, context: OutputContext) -> None:
        super().__init__(settings, context)
        self.held: list[Entry] = []
        self.failing = 0
        self.versions: list[int] = []
        self.published = self.activated = 0

    def read(self) -> Iterable[Held]:
        return [Held(entry.observable) for entry in self.held]

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        self.published += 1
        self.versions.append(self.context.version)
        self.held = [entry for entry in entries if entry.observable not in self.said]
        return self.said

    def activate(self) -> None:
        if self.failing:
            self.failing -= 1
            raise UnavailableError("the reload did not go well")
        self.activated += 1


class Desk:
    """A list of two addresses, and the sheet that it is kept on."""

    def __init__(self, store: Store) -> None:
        self.store, self.hand = store, Hand(store)
        self.sheet = Sheet(Options(), OutputContext("edge", Path()))
        self.hand.give(indicator(1), indicator(2))
        self.hand.refresh()
        self.output = Output(
            "edge", self.hand.listing(), target_of("edge", self.sheet), Limits(), b"setup", DAY
        )

    def sync(self, scope: Scope = CHANGED) -> ApplyResult:
        applier = Applier(self.store, lambda: self.hand.now, sleep=lambda _seconds: None)
        return apply(propose(self.output, self.store, scope, self.hand.now), self.output, applier)

    def marks(self) -> list[int]:
        return [mark for (mark,) in self.hand.rows("SELECT state FROM ledger ORDER BY observable")]


@pytest.mark.parametrize("value", ["198.51.100.1/32", "198.51.100.77"])
def test_a_name_that_was_never_published_is_a_bug_of_the_adapter(store: Store, value: str) -> None:
    desk = Desk(store)
    desk.sheet.said = {Observable(ObservableType.IPV4_ADDR, value): Refused("no")}
    with pytest.raises(TypeError, match=r"publish\(\) names .*, which it was not given"):
        desk.sync()
    assert set(desk.marks()) == {LedgerState.INTENDED}


def test_what_is_off_the_list_cannot_be_refused(store: Store) -> None:
    desk = Desk(store)
    desk.sync()
    desk.hand.give(indicator(1, modified=2, revoked=True))
    desk.hand.refresh()
    desk.sheet.said = {FIRST: Refused("no")}
    with pytest.raises(TypeError, match=r"publish\(\) names 198\.51\.100\.1"):
        desk.sync()


def test_a_refused_entry_is_rejected_until_the_target_takes_it(store: Store) -> None:
    desk = Desk(store)
    desk.sheet.said = {FIRST: Refused("no")}
    assert desk.sync() == ApplyResult(added=1, rejected=1)
    assert desk.marks() == [LedgerState.REJECTED, LedgerState.WRITTEN]
    desk.sheet.said = ALL_WRITTEN
    desk.hand.give(indicator(3))
    desk.hand.refresh()
    assert desk.sync() == ApplyResult(added=2), "published again with the rest, and now taken"
    assert set(desk.marks()) == {LedgerState.WRITTEN}


def test_a_reload_that_fails_is_tried_again_without_publishing_again(store: Store) -> None:
    desk = Desk(store)
    desk.sheet.failing = 2
    assert desk.sync().added == 2
    assert (desk.sheet.published, desk.sheet.activated) == (1, 1)


def test_nothing_is_written_before_the_target_took_it_up(store: Store) -> None:
    desk = Desk(store)
    desk.sheet.failing = 3
    with pytest.raises(UnavailableError):
        desk.sync()
    assert set(desk.marks()) == {LedgerState.INTENDED}
    assert desk.sync(EVERYTHING).updated == 2, "the file has them, so they are confirmed"
    assert (set(desk.marks()), desk.sheet.activated) == ({LedgerState.WRITTEN}, 1)


def test_a_repaired_list_is_activated_though_nothing_is_left_to_write(store: Store) -> None:
    desk = Desk(store)
    desk.sync(EVERYTHING)
    desk.sheet.held.append(Entry(Observable(ObservableType.IPV4_ADDR, "192.0.2.99")))
    desk.sheet.failing = 3
    with pytest.raises(UnavailableError):
        desk.sync(EVERYTHING)
    assert len(desk.sheet.held) == 2
    desk.sync(EVERYTHING)
    assert (desk.sheet.published, desk.sheet.activated) == (2, 2)
    desk.sync(EVERYTHING)
    assert desk.sheet.activated == 2, "once is enough"


def test_each_published_list_has_a_higher_number_also_after_a_lost_state(store: Store) -> None:
    desk = Desk(store)
    for number in range(3, 7):  # within one second
        desk.hand.give(indicator(number))
        desk.hand.refresh()
        desk.sync()
    lost = Store("sqlite://")
    lost.database.migrate()
    other = Desk(lost)
    other.hand.now += 60_000_000
    other.sync()
    lost.close()
    versions = [*desk.sheet.versions, *other.sheet.versions]
    assert len(versions) == 5
    assert versions == sorted(set(versions))
