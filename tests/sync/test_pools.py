"""A target has room by pool: as its adapter says, or as it said itself when it was full."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from list_hand import DAY, Hand
from store_samples import indicator

from connector.adapter import (
    ALL_WRITTEN,
    Batch,
    Entry,
    EntryAdapter,
    Full,
    Held,
    ListAdapter,
    Observable,
    ObservableType,
    Outcomes,
    OutputContext,
    Settings,
)
from connector.decisions.limits import Limits
from connector.decisions.records import LedgerState
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult
from connector.sync.cycle import apply, propose
from connector.sync.output import Output
from connector.sync.targets.kinds import target_of
from connector.sync.view import CHANGED, EVERYTHING, Scope

ADDRESSES, NAMES = "addresses", "names"
OVER, WRITTEN = LedgerState.OVER_CAPACITY, LedgerState.WRITTEN


class Options(Settings):
    """None."""


class Tables(EntryAdapter[Options]):
    """One table for addresses and one for names, each with room of its own."""

    settings_type = Options
    supports = frozenset({ObservableType.IPV4_ADDR, ObservableType.DOMAIN_NAME})
    batch = Batch(entries=2)

    def __init__(self, settings: Options, context: OutputContext) -> None:
        super().__init__(settings, context)
        self.said: dict[str, int | None] = {ADDRESSES: None, NAMES: None}
        self.room: dict[str, int] = {ADDRESSES: 100, NAMES: 100}
        self.rows: list[Observable] = []
        self.tried = 0

    def pools(self) -> Mapping[str, int | None]:
        return self.said

    def pool_of(self, observable: Observable) -> str:
        return ADDRESSES if observable.type is ObservableType.IPV4_ADDR else NAMES

    def read(self) -> Iterable[Held]:
        return [Held(row) for row in self.rows]

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        said = {}
        self.tried += len(entries)
        for entry in entries:
            pool = self.pool_of(entry.observable)
            if entry.observable in self.rows:
                continue
            if sum(self.pool_of(row) == pool for row in self.rows) >= self.room[pool]:
                said[entry.observable] = Full(pool)
            else:
                self.rows.append(entry.observable)
        return said

    def remove(self, held: Sequence[Held]) -> Outcomes:
        for each in held:
            self.rows.remove(each.observable)
        return ALL_WRITTEN


class OneTable(Tables):
    """The same, whose adapter knows of no pools."""

    pools = EntryAdapter.pools
    pool_of = EntryAdapter.pool_of

    def __init__(self, settings: Options, context: OutputContext) -> None:
        super().__init__(settings, context)
        self.room = {"": 100}


class Sheet(ListAdapter[Options]):
    """A list with so many lines."""

    settings_type = Options
    supports = Tables.supports

    def __init__(self, settings: Options, context: OutputContext) -> None:
        super().__init__(settings, context)
        self.room = {"": 100}
        self.rows: list[Observable] = []

    def read(self) -> Iterable[Held]:
        return [Held(row) for row in self.rows]

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        rows = [entry.observable for entry in entries]
        self.rows = rows[: self.room[""]]
        return {row: Full() for row in rows[self.room[""] :]}


class Site:
    """A list of addresses and names, and the tables that it is kept in."""

    def __init__(self, store: Store, kind: type[Tables | Sheet] = Tables) -> None:
        self.store, self.hand = store, Hand(store)
        self.tables = kind(Options(), OutputContext("edge", Path()))
        self.hand.refresh()
        target = target_of("edge", self.tables)
        limits = Limits(max_evict_ratio=1.0)
        self.output = Output("edge", self.hand.listing(), target, limits, b"setup", DAY)

    def name(self, number: int, confidence: int = 50) -> None:
        pattern = f"[domain-name:value = 'n{number}.example']"
        self.hand.give(indicator(500 + number, pattern=pattern, confidence=confidence))

    def address(self, number: int, confidence: int = 50) -> None:
        self.hand.give(indicator(number, confidence=confidence))

    def sync(self, scope: Scope = CHANGED) -> ApplyResult:
        self.hand.refresh()
        applier = Applier(self.store, lambda: self.hand.now, sleep=lambda _seconds: None)
        proposal = propose(self.output, self.store, scope, self.hand.now)
        return apply(proposal, self.output, applier)

    def there(self) -> list[str]:
        return sorted(row.value for row in self.tables.rows)

    def marks(self, mark: LedgerState) -> int:
        return len(self.hand.rows("SELECT 1 FROM ledger WHERE state = ?", mark))

    def full(self) -> dict[str, int]:
        return dict(self.hand.rows("SELECT pool, held FROM full_pools"))

    def verified(self) -> bool:
        return self.hand.rows("SELECT verified_at FROM outputs") != [(None,)]


@pytest.fixture
def site(store: Store) -> Site:
    """Four addresses and three names, later ones ranked higher."""
    site = Site(store)
    for number in range(1, 5):
        site.address(number, 10 * number)
    for number in range(1, 4):
        site.name(number, 10 * number)
    return site


def test_each_pool_has_the_best_of_its_own(site: Site) -> None:
    site.tables.said = {ADDRESSES: 2, NAMES: None}
    site.sync(EVERYTHING)
    assert site.there() == [
        "198.51.100.3", "198.51.100.4", "n1.example", "n2.example", "n3.example",
    ]  # fmt: skip
    assert site.marks(OVER) == 2
    assert site.full() == {}


def test_what_the_file_allows_bounds_all_pools_together(site: Site) -> None:
    site.tables.said = {ADDRESSES: 2, NAMES: 2}
    site.output = replace(site.output, max_entries=3)
    site.sync(EVERYTHING)
    assert site.there() == ["198.51.100.3", "198.51.100.4", "n3.example"]


@pytest.mark.both_databases
def test_a_target_that_turns_out_to_be_full_has_the_best_and_that_is_learnt(site: Site) -> None:
    site.tables.room[ADDRESSES] = 2
    site.sync(EVERYTHING)
    assert site.there() == [
        "198.51.100.3", "198.51.100.4", "n1.example", "n2.example", "n3.example",
    ]  # fmt: skip
    assert site.full() == {ADDRESSES: 2}
    assert site.marks(OVER) == 2
    tried = site.tables.tried
    site.address(5, 5)
    site.sync()
    assert site.tables.tried == tried, "what has no room is not tried in each cycle"
    assert site.marks(OVER) == 3


def test_a_better_one_displaces_another_at_a_target_that_is_full(site: Site) -> None:
    site.tables.room[ADDRESSES] = 2
    site.sync(EVERYTHING)
    site.address(9, 90)
    site.sync()
    site.sync()
    assert site.there()[:2] == ["198.51.100.4", "198.51.100.9"]
    assert site.full() == {ADDRESSES: 2}


@pytest.mark.both_databases
def test_a_full_pass_offers_more_and_finds_that_there_is_room_again(site: Site) -> None:
    site.tables.room[ADDRESSES] = 2
    site.sync(EVERYTHING)
    site.sync(EVERYTHING)
    assert site.full() == {ADDRESSES: 2}
    assert site.marks(OVER) == 2
    site.tables.room[ADDRESSES] = 100
    site.sync()
    assert site.marks(OVER) == 2
    site.sync(EVERYTHING)
    assert site.full() == {}
    assert site.marks(OVER) == 0
    assert not site.verified(), "the next cycle looks at everything that was over capacity"


@pytest.mark.both_databases
def test_what_was_learnt_is_forgotten_when_the_settings_change(site: Site) -> None:
    site.tables.room[ADDRESSES] = 2
    site.sync(EVERYTHING)
    site.tables.room[ADDRESSES] = 100
    site.output = replace(site.output, setup=b"other")
    site.sync(EVERYTHING)
    assert site.full() == {}
    assert len(site.there()) == 7


def test_a_full_pool_has_no_more_tried_in_the_same_cycle(site: Site) -> None:
    site.tables.room[ADDRESSES] = 0
    for number in range(10, 60):
        site.address(number)
    site.sync(EVERYTHING)
    assert site.tables.tried < 10
    assert site.full() == {ADDRESSES: 0}
    assert site.there() == ["n1.example", "n2.example", "n3.example"]
    site.sync(CHANGED)
    assert site.marks(OVER) == 54


@pytest.mark.parametrize("kind", [OneTable, Sheet])
def test_an_adapter_that_knows_of_no_pools_may_say_that_it_is_full(
    store: Store, kind: type[Tables | Sheet]
) -> None:
    site = Site(store, kind)
    site.tables.room[""] = 2
    for number in range(1, 5):
        site.address(number, 10 * number)
    site.sync(EVERYTHING)
    assert site.full() == {"": 2}
    site.sync()
    site.sync()
    assert site.there() == ["198.51.100.3", "198.51.100.4"], "the best of them, in the end"
    assert (site.marks(WRITTEN), site.marks(OVER)) == (2, 2)
    site.tables.room[""] = 100
    site.sync(EVERYTHING)
    site.sync(EVERYTHING)
    assert len(site.there()) == 4
    assert site.full() == {}
