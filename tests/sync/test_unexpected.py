"""What a target gives back that nobody expects: told, never others', and never written for ever."""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Interface
from pathlib import Path

import pytest
from folding_targets import Fence, NetworkList, NetworkTable
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
def store() -> Iterator[Store]:
    """An empty store in memory."""
    store = Store("sqlite://")
    store.database.migrate()
    yield store
    store.close()


@pytest.fixture
def edge(store: Store) -> Edge:
    """A list and its table."""
    return Edge(store)


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


class StrictTable(NetworkTable):
    """A table of networks whose adapter can only name the row of a real address."""

    def row(self, value: str) -> str:
        return str(IPv4Interface(f"{value}/24").network)


class StrictList(NetworkList):
    """The same as a whole list."""

    row = StrictTable.row


@pytest.mark.parametrize("scope", [CHANGED, EVERYTHING])
def test_of_rows_in_another_spelling_the_meaning_counts_and_the_oddness_is_told(
    store: Store, scope: Scope
) -> None:
    """Also where entries are one row: it stays with those who wrote it, and stops nothing."""
    fence = Fence(store, StrictTable)
    fence.table.rows |= {"198[.]51.100.0/24": {"comment": "by hand"}, "nonsense": {}}
    fence.say(1, "198.51.100.7")
    fence.say(2, "203.0.113.7")
    fence.sync(scope)
    assert list(fence.table.rows) == [
        "198[.]51.100.0/24", "nonsense", "203.0.113.0/24",
    ]  # fmt: skip
    assert fence.marks()["198.51.100.7"] is LedgerState.FOREIGN
    noticed = fence.propose(EVERYTHING).noticed
    assert noticed is not None
    assert noticed.odd == {"ipv4-addr": 2}


def test_a_whole_list_in_another_spelling_is_written_anew_and_told(store: Store) -> None:
    fence = Fence(store, StrictList)
    fence.say(1, "198.51.100.7")
    fence.sync()
    fence.table.rows = {"nonsense": {}, **fence.table.rows}
    proposal = fence.propose(EVERYTHING)
    assert proposal.noticed is not None
    assert proposal.noticed.odd == {"ipv4-addr": 1}
    assert proposal.plan.drifted == 1
    fence.sync(EVERYTHING)
    assert list(fence.table.rows) == ["198.51.100.0/24"]


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
