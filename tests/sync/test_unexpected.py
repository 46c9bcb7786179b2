"""What a target gives back that nobody expects: told, never others', and never written for ever."""

from collections.abc import Iterable, Iterator, Sequence
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
)
from connector.decisions.limits import Limits
from connector.decisions.records import LedgerState
from connector.store.outputs.drifts import LostEntry, never_read_back
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult
from connector.sync.cycle import apply, propose
from connector.sync.output import Output
from connector.sync.targets.kinds import target_of
from connector.sync.view import CHANGED, EVERYTHING, Scope

HOUR = DAY // 24
IPV4 = ObservableType.IPV4_ADDR
EATEN = Observable(IPV4, "198.51.100.1")


class Options(Settings):
    """None."""


class Table(EntryAdapter[Options]):
    """Rows by value, which it may spell its own way, and some of which it never keeps."""

    settings_type = Options
    supports = frozenset({IPV4})

    def __init__(self, settings: Options, context: OutputContext) -> None:
        super().__init__(settings, context)
        self.rows: set[str] = set()
        self.by_hand: list[Observable] = []
        self.eats: set[str] = set()
        self.defanged = False
        self.writes: list[str] = []

    def read(self) -> Iterable[Held]:
        spelled = (row.replace(".", "[.]") if self.defanged else row for row in sorted(self.rows))
        return [Held(one) for one in (*(Observable(IPV4, row) for row in spelled), *self.by_hand)]

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        self.writes += [entry.value for entry in entries]
        self.rows.update(entry.value for entry in entries if entry.value not in self.eats)
        return ALL_WRITTEN

    def remove(self, held: Sequence[Held]) -> Outcomes:
        self.rows.difference_update(each.value for each in held)
        return ALL_WRITTEN


class Edge:
    """A list of five addresses, and the table that it is kept in."""

    def __init__(self, store: Store) -> None:
        self.store, self.hand = store, Hand(store)
        self.table = Table(Options(), OutputContext("edge", Path()))
        self.hand.give(*map(indicator, range(1, 6)))
        target = target_of("edge", self.table)
        self.output = Output("edge", self.hand.listing(), target, Limits(), b"setup", 6 * HOUR)

    def sync(self, scope: Scope = EVERYTHING, *, later: int = 6 * HOUR) -> ApplyResult:
        self.hand.now += later
        self.hand.refresh()
        self.proposal = propose(self.output, self.store, scope, self.hand.now)
        applier = Applier(self.store, lambda: self.hand.now, sleep=lambda _seconds: None)
        return apply(self.proposal, self.output, applier)

    @property
    def odd(self) -> dict[str, int]:
        assert self.proposal.noticed is not None
        return dict(self.proposal.noticed.odd)

    def lost(self) -> list[LostEntry]:
        with self.store.database.read() as transaction:
            return list(self.store.surprises.lost(transaction, 1).values())

    def told(self) -> int:
        with self.store.database.read() as transaction:
            return sum(one.entries for one in never_read_back(transaction).get(1, ()))

    def mark_of_eaten(self) -> tuple[int, str | None]:
        sql = "SELECT state, why FROM ledger ORDER BY observable LIMIT 1"
        [(state, why)] = self.hand.rows(sql)
        return state, why


@pytest.fixture
def edge() -> Iterator[Edge]:
    """A list and its table, on an empty store in memory."""
    store = Store("sqlite://")
    store.database.migrate()
    yield Edge(store)
    store.close()


def test_what_is_ours_in_a_spelling_of_the_target_is_there_and_told(edge: Edge) -> None:
    edge.sync()
    edge.table.defanged = True
    assert edge.sync() == ApplyResult()
    assert edge.odd == {"ipv4-addr": 5}


def test_what_others_wrote_in_another_spelling_stays_theirs(edge: Edge) -> None:
    edge.table.by_hand = [Observable(IPV4, "198[.]51.100.1"), Observable(IPV4, "not an address")]
    assert edge.sync(CHANGED).added == 4
    assert edge.sync() == ApplyResult()
    assert edge.odd == {"ipv4-addr": 2}
    edge.hand.give(indicator(1, modified=2, revoked=True))
    assert edge.sync().removed == 0


def test_an_entry_that_is_never_read_back_is_told_and_rests_longer_each_time(edge: Edge) -> None:
    edge.table.eats = {EATEN.value}
    edge.sync()
    for times in (1, 2):
        edge.sync()
        assert ([one.times for one in edge.lost()], edge.told()) == ([times], 0)
    assert edge.table.writes.count(EATEN.value) == 3
    edge.sync()  # the third is lost, too
    assert ([one.times for one in edge.lost()], edge.told()) == ([3], 1)
    mark, why = edge.mark_of_eaten()
    assert mark == LedgerState.INTENDED
    assert why is not None
    assert why.startswith("written 3 times, and never there when the target was read back")
    for _ in range(8):  # two days
        edge.sync()
    assert edge.table.writes.count(EATEN.value) == 5  # after twelve hours, and a day after that
    edge.hand.give(indicator(6))
    assert edge.sync(CHANGED, later=HOUR).added == 1


def test_what_is_seen_again_or_wanted_no_more_is_forgotten(edge: Edge) -> None:
    edge.table.eats = {EATEN.value}
    for _ in range(4):
        edge.sync()
    assert edge.told() == 1
    edge.table.rows.add(EATEN.value)
    edge.sync()
    assert edge.lost() == []
    assert edge.mark_of_eaten()[0] == LedgerState.WRITTEN
    edge.table.rows.remove(EATEN.value)
    edge.sync()
    assert [one.times for one in edge.lost()] == [1]
    edge.hand.give(indicator(1, modified=2, revoked=True))
    edge.sync()
    assert edge.lost() == []


def test_a_target_that_forgot_most_of_all_is_filled_at_once_each_time(edge: Edge) -> None:
    edge.sync()
    for _ in range(6):
        edge.table.rows.clear()
        assert edge.sync().added == 5
    assert edge.told() == 5
