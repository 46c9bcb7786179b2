"""Targets that end entries by themselves: each has its end, and is renewed before it runs out."""

from collections.abc import Hashable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from list_hand import DAY, Hand
from store_samples import indicator

from connector.adapter import (
    Batch,
    Entry,
    EntryAdapter,
    Held,
    Observable,
    ObservableType,
    Outcomes,
    OutputContext,
    Settings,
    UnavailableError,
    Written,
)
from connector.decisions.limits import Limits
from connector.instants import SECOND, to_instant
from connector.store.outputs.ends import ended
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult
from connector.sync.cycle import apply, propose
from connector.sync.output import Output
from connector.sync.proposal import Proposal
from connector.sync.targets.kinds import target_of
from connector.sync.view import CHANGED, EVERYTHING, Scope

HOUR = 3600 * SECOND
ONE, TWO = "198.51.100.1", "198.51.100.2"


class Options(Settings):
    """None."""


class Cache(EntryAdapter[Options]):
    """Rows that it forgets when their time has come."""

    settings_type = Options
    supports = frozenset({ObservableType.IPV4_ADDR, ObservableType.URL})
    expires = True
    batch = Batch(entries=2)
    hand: Hand

    def __init__(self, settings: Options, context: OutputContext) -> None:
        super().__init__(settings, context)
        self.rows: dict[Observable, datetime | None] = {}
        self.given: list[Entry] = []
        self.fault: Exception | None = None

    def alive(self) -> dict[str, int | None]:
        """What is there now, with the hours that it has left."""
        ends = {one: end and to_instant(end) - self.hand.now for one, end in self.rows.items()}
        return {
            one.value: None if left is None else round(left / HOUR)
            for one, left in ends.items()
            if left is None or left > 0
        }

    def read(self) -> list[Held]:
        alive = self.alive()
        return [Held(one, handle=f"id of {one.value}") for one in self.rows if one.value in alive]

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        if self.fault is not None:
            raise self.fault
        self.given += entries
        self.rows.update({entry.observable: entry.expires for entry in entries})
        return {entry.observable: Written(f"id of {entry.value}") for entry in entries}

    def remove(self, held: Sequence[Held]) -> Outcomes:
        for each in held:
            self.rows.pop(each.observable, None)
        return {}


class Bounded(Cache):
    """The same, which keeps nothing for longer than six hours."""

    ttl_bound = timedelta(hours=6)


class Folding(Bounded):
    """The same, which takes URLs without their scheme."""

    def held_as(self, observable: Observable) -> Hashable:
        return observable.value.partition("://")[2] or observable.value


class Site:
    """A list, and the cache that it is kept in."""

    def __init__(self, store: Store, kind: type[Cache]) -> None:
        self.store, self.hand = store, Hand(store)
        self.cache = kind(Options(), OutputContext("edge", Path()))
        self.cache.hand = self.hand
        self.hand.refresh()
        target = target_of("edge", self.cache)
        self.output = Output("edge", self.hand.listing(), target, Limits(), b"setup", DAY)

    def say(self, number: int, modified: int = 1, **fields: Any) -> None:
        self.hand.give(indicator(number, modified=modified, **fields))

    def propose(self, scope: Scope) -> Proposal:
        self.hand.refresh()
        return propose(self.output, self.store, scope, self.hand.now)

    def sync(self, scope: Scope = CHANGED) -> ApplyResult:
        applier = Applier(self.store, lambda: self.hand.now, sleep=lambda _seconds: None)
        self.cache.given.clear()
        return apply(self.propose(scope), self.output, applier)

    def given(self) -> list[str]:
        return [entry.value for entry in self.cache.given]

    def ended(self) -> int:
        with self.store.database.read() as transaction:
            return ended(transaction, 1, self.hand.now)


@pytest.fixture
def site(store: Store) -> Site:
    """Two addresses for six hours, of which the first is on the list for a day only."""
    site = Site(store, Bounded)
    site.say(1, valid_until="2026-01-03T00:00:00Z")
    site.say(2)
    site.sync(EVERYTHING)
    return site


def test_an_entry_has_the_end_of_the_list_at_a_target_without_a_bound(store: Store) -> None:
    site = Site(store, Cache)
    site.say(1, valid_until="2026-01-03T00:00:00Z")
    site.say(2)
    site.sync(EVERYTHING)
    assert site.cache.alive() == {ONE: 24, TWO: None}
    site.hand.now += 20 * HOUR
    assert site.sync() == ApplyResult()
    assert site.propose(EVERYTHING).plan.empty


@pytest.mark.both_databases
@pytest.mark.parametrize("scope", [CHANGED, EVERYTHING])
def test_an_end_that_moves_on_the_list_moves_at_the_target(store: Store, scope: Scope) -> None:
    site = Site(store, Cache)
    site.say(1, valid_until="2026-01-03T00:00:00Z")
    site.sync(EVERYTHING)
    site.say(1, modified=2, valid_until="2026-01-04T00:00:00Z")
    site.sync(scope)
    assert site.cache.alive() == {ONE: 48}
    assert site.cache.given[0].handle == f"id of {ONE}", "an update has the target's own name"
    site.hand.now += HOUR
    site.say(1, modified=3, valid_until="2026-01-02T12:00:00Z")
    site.sync(scope)
    assert site.cache.alive() == {ONE: 11}
    assert site.propose(EVERYTHING).plan.empty


def test_a_target_gets_no_longer_end_than_it_takes_and_is_renewed_in_good_time(site: Site) -> None:
    assert site.cache.alive() == {ONE: 6, TWO: 6}
    for hour in range(23):
        site.hand.now += HOUR
        site.sync()
        assert site.cache.alive().keys() == {ONE, TWO}, hour
    assert site.cache.alive()[ONE] == 1
    site.hand.now += HOUR
    site.sync()
    assert site.cache.alive().keys() == {TWO}


def test_only_what_is_due_is_written_again(site: Site) -> None:
    for number in range(10, 15):
        site.say(number)
    site.hand.now += 2 * HOUR
    site.sync()
    site.hand.now += 2 * HOUR
    site.sync()
    assert sorted(site.given()) == [ONE, TWO]
    assert site.sync() == ApplyResult()


@pytest.mark.both_databases
def test_what_ran_out_while_the_target_was_away_is_not_written_and_comes_back(site: Site) -> None:
    site.cache.fault = UnavailableError("away")
    for _ in range(8):
        site.hand.now += HOUR
        if site.propose(CHANGED).plan.empty:
            continue
        with pytest.raises(UnavailableError):
            site.sync()
    assert site.cache.alive() == {}
    assert site.ended() == 2
    site.cache.fault = None
    site.sync()
    assert site.cache.alive().keys() == {ONE, TWO}
    assert site.ended() == 0


@pytest.mark.both_databases
def test_what_the_target_ended_by_itself_is_no_drift(site: Site) -> None:
    site.hand.now += 8 * HOUR
    proposal = site.propose(EVERYTHING)
    assert not any(proposal.drift)
    assert len(proposal.plan.add) == 2
    site.sync(EVERYTHING)
    assert site.cache.alive().keys() == {ONE, TWO}


def test_a_renewal_in_a_full_pass_is_no_drift_either(site: Site) -> None:
    site.hand.now += 5 * HOUR
    assert not any(site.propose(EVERYTHING).drift)


@pytest.mark.both_databases
def test_what_is_gone_has_no_end_any_more(site: Site) -> None:
    site.say(2, modified=2, revoked=True)
    site.sync()
    assert [row[0] for row in site.hand.rows("SELECT observable FROM ends")] == [1]


def test_an_adapter_that_learns_of_ends_gives_them_in_the_next_full_pass(store: Store) -> None:
    site = Site(store, Cache)
    site.cache.expires = False
    site.say(1, valid_until="2026-01-03T00:00:00Z")
    site.sync(EVERYTHING)
    assert site.cache.alive() == {ONE: None}
    site.cache.expires = True
    site.sync(EVERYTHING)
    assert site.cache.alive() == {ONE: 24}


@pytest.mark.both_databases
def test_a_row_of_several_entries_has_the_last_of_their_ends(store: Store) -> None:
    site = Site(store, Folding)
    for number, scheme, hour in ((1, "http", 2), (2, "https", 4)):
        site.say(
            number, pattern=f"[url:value = '{scheme}://bad.example/a']", confidence=90 - number,
            valid_until=f"2026-01-02T{hour:02}:00:00Z",
        )  # fmt: skip
    site.sync(EVERYTHING)
    assert list(site.cache.alive().values()) == [4]
    site.say(3, pattern="[url:value = 'ftp://bad.example/a']", confidence=10)
    site.sync()
    assert list(site.cache.alive().values()) == [6]
    assert site.propose(EVERYTHING).plan.empty
