"""The ledger: what is ours at a target through refusals, crashes and withdrawals; plans, audit."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from firewall import FirewallAdapter, FirewallSettings, Rack
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from list_hand import DAY, START, Hand
from store_samples import at, indicator, indicator_id

from connector.adapter import OutputContext, UnavailableError
from connector.decisions.limits import Limits
from connector.decisions.mapping import compile_mapping, read_mapping
from connector.decisions.plan import EntryRefs
from connector.decisions.records import OURS, LedgerState
from connector.errors import StoreError
from connector.indicators.identity import key_of_id
from connector.model import Observable, ObservableType, Reason
from connector.store.outputs.ledger import Confirmation
from connector.store.outputs.outputs import OutputState
from connector.store.queries import output_rows
from connector.store.store import Store
from connector.store.tallies import OUTPUT_TALLY, tallies
from connector.sync.apply import Applier, ApplyResult
from connector.sync.cycle import apply, propose
from connector.sync.output import Output
from connector.sync.targets.kinds import target_of
from connector.sync.view import CHANGED, EVERYTHING, Scope

FIRST = Observable(ObservableType.IPV4_ADDR, "198.51.100.1")
SECOND = Observable(ObservableType.IPV4_ADDR, "198.51.100.2")


class Edge:
    """A list, and the firewall that it is kept on."""

    def __init__(self, store: Store, *, capacity: int | None = None, mapped: bool = True) -> None:
        self.store, self.hand, rack = store, Hand(store), Rack()
        settings = FirewallSettings(device="edge", max_table=capacity, batch_size=2)
        adapter = rack.adapter(settings, OutputContext("edge", Path()))
        self.device = rack["edge"]
        mapper = compile_mapping(
            read_mapping({"comment": {"template": "{indicator.id} until {valid_until}"}}),
            FirewallAdapter.fields,
        )
        self.hand.refresh()
        listing = self.hand.listing()
        self.output = Output(
            "edge",
            listing,
            target_of("edge", adapter, mapper if mapped else None),
            Limits(),
            b"setup",
            DAY,
        )

    def sync(self, scope: Scope = CHANGED) -> ApplyResult:
        """Refresh the list and bring the firewall in step with it, once."""
        self.hand.refresh()
        applier = Applier(self.store, lambda: self.hand.now, sleep=lambda _seconds: None)
        return apply(propose(self.output, self.store, scope, self.hand.now), self.output, applier)

    def marks(self) -> dict[str, LedgerState]:
        sql = "SELECT b.value, l.state FROM ledger l JOIN observables b ON b.number = l.observable"
        return {value: LedgerState(mark) for value, mark in self.hand.rows(sql)}

    def assert_counted(self) -> None:
        with self.store.database.read() as transaction:
            counted = tallies(transaction, OUTPUT_TALLY, 1)
            owned = self.store.ledger.owned(transaction, 1)
        marks = Counter(self.marks().values())
        assert {mark: count for mark, count in counted.items() if count} == marks
        assert owned == sum(count for mark, count in marks.items() if mark in OURS)


class KilledError(Exception):
    """Stands for a process that is killed at a point."""


def die_at(fatal: str) -> Callable[[str], None]:
    def die(point: str) -> None:
        if point == fatal:
            raise KilledError

    return die


@pytest.fixture
def edge(store: Store) -> Edge:
    return Edge(store)


def test_what_is_wanted_is_written_and_what_is_revoked_is_gone(edge: Edge) -> None:
    edge.hand.give(indicator(1), indicator(2), indicator(3))
    assert edge.sync().added == 3
    assert edge.device.values() == ["198.51.100.1", "198.51.100.2", "198.51.100.3"]
    comment = edge.device.entries()[FIRST]["comment"]
    assert str(comment).startswith(indicator_id(1))
    edge.hand.give(indicator(2, modified=2, revoked=True))
    assert edge.sync().removed == 1
    assert edge.device.values() == ["198.51.100.1", "198.51.100.3"]
    edge.assert_counted()
    assert edge.sync(EVERYTHING) == ApplyResult()


def test_an_entry_whose_update_is_refused_stays_ours_and_leaves_with_its_claim(
    edge: Edge,
) -> None:
    edge.hand.give(indicator(1), indicator(2))
    edge.sync()
    edge.device.refuses["198.51.100.1"] = "comment too long"
    edge.hand.give(indicator(1, modified=2, valid_until=at(20)))
    assert edge.sync().rejected == 1
    assert edge.marks()["198.51.100.1"] is LedgerState.WRITTEN
    assert edge.hand.rows("SELECT why FROM ledger WHERE why IS NOT NULL") == [
        ("comment too long",),
    ]  # fmt: skip
    assert edge.sync(EVERYTHING).rejected == 1, "a full pass tries again"
    edge.hand.give(indicator(1, modified=3, revoked=True))
    assert edge.sync().removed == 1
    assert edge.device.values() == ["198.51.100.2"], "no orphan"
    edge.assert_counted()


def test_a_refused_entry_is_not_ours_and_says_why(edge: Edge) -> None:
    edge.device.refuses["198.51.100.1"] = "reserved by policy " + "x" * 500
    edge.hand.give(indicator(1), indicator(2))
    applied = edge.sync()
    assert (applied.added, applied.rejected) == (1, 1)
    assert edge.marks() == {
        "198.51.100.1": LedgerState.REJECTED,
        "198.51.100.2": LedgerState.WRITTEN,
    }
    [(why,)] = edge.hand.rows("SELECT why FROM ledger WHERE state = ?", LedgerState.REJECTED)
    assert why.startswith("reserved by policy")
    assert len(why) == 300
    assert edge.sync() == ApplyResult(), "it is not asked for again"
    edge.device.refuses.clear()
    assert edge.sync(EVERYTHING).added == 1
    edge.assert_counted()


def test_what_may_have_been_written_stays_ours_when_the_target_falls_silent(edge: Edge) -> None:
    edge.hand.give(*(indicator(number) for number in range(1, 5)))

    def cut_off(point: str) -> None:
        if point == "added":
            raise UnavailableError("the answer got lost")

    edge.device.hook = cut_off
    with pytest.raises(UnavailableError):
        edge.sync()
    edge.device.hook = lambda _point: None
    assert len(edge.device.values()) == 2
    assert Counter(edge.marks().values())[LedgerState.INTENDED] == 4
    edge.hand.give(*(indicator(number, modified=2, revoked=True) for number in range(1, 5)))
    edge.sync()
    assert edge.device.values() == []
    assert edge.marks() == {}
    edge.assert_counted()


def test_entries_of_others_are_neither_taken_over_nor_removed(edge: Edge) -> None:
    edge.device.put_by_hand(FIRST, {"comment": "by Ada"})
    edge.hand.give(indicator(1), indicator(2))
    assert edge.sync(EVERYTHING).added == 1
    assert edge.marks() == {
        "198.51.100.1": LedgerState.FOREIGN,
        "198.51.100.2": LedgerState.WRITTEN,
    }
    assert edge.sync() == ApplyResult()
    edge.hand.give(indicator(1, modified=2, revoked=True))
    edge.sync()
    assert edge.device.entries()[FIRST] == {"comment": "by Ada"}
    edge.assert_counted()


def test_what_others_put_there_between_two_readings_stays_theirs(edge: Edge) -> None:
    edge.hand.give(indicator(1))
    edge.sync(EVERYTHING)
    edge.device.put_by_hand(SECOND, {"comment": "by Ada"})
    edge.hand.give(indicator(2), indicator(3))
    assert edge.sync().added == 1
    assert edge.marks()[SECOND.value] is LedgerState.FOREIGN
    edge.hand.give(*(indicator(number, modified=2, revoked=True) for number in (2, 3)))
    assert edge.sync().removed == 1
    assert edge.device.entries()[SECOND] == {"comment": "by Ada"}
    edge.assert_counted()


def test_what_a_crash_let_us_write_without_a_word_is_ours_and_leaves(edge: Edge) -> None:
    edge.hand.give(indicator(1))
    edge.sync(EVERYTHING)
    edge.hand.give(indicator(2))
    edge.device.hook = die_at("added")
    with pytest.raises(KilledError):
        edge.sync()
    assert edge.marks()[SECOND.value] is LedgerState.INTENDED
    assert SECOND in edge.device.entries()
    edge.device.hook = lambda _point: None
    assert edge.sync().added == 1
    assert edge.marks()[SECOND.value] is LedgerState.WRITTEN
    edge.hand.give(indicator(2, modified=2, revoked=True))
    edge.sync()
    assert SECOND not in edge.device.entries()
    edge.assert_counted()


def test_the_target_is_asked_for_what_is_added_and_for_nothing_else(edge: Edge) -> None:
    asked: list[set[str]] = []
    holds = edge.device.holds

    def listens(observables: Collection[Observable]) -> set[Observable]:
        asked.append({each.value for each in observables})
        return holds(observables)

    edge.device.holds = listens  # type: ignore[method-assign]  # a wire tap
    edge.hand.give(indicator(1), indicator(2))
    edge.sync(EVERYTHING)
    assert asked == [], "a full pass has read the target"
    edge.hand.give(indicator(1, modified=2, valid_until=at(20)), indicator(3))
    edge.sync()
    assert asked == [{"198.51.100.3"}], "what is ours is updated without a question"
    edge.hand.give(indicator(2, modified=2, revoked=True))
    edge.sync()
    assert len(asked) == 1, "nothing is added"


def test_a_target_that_does_not_say_what_it_holds_gets_nothing(edge: Edge) -> None:
    edge.hand.give(indicator(1))
    edge.sync(EVERYTHING)
    edge.device.put_by_hand(SECOND, {})
    edge.hand.give(indicator(2))
    edge.device.fault = UnavailableError("no answer")
    with pytest.raises(UnavailableError):
        edge.sync()
    assert SECOND.value not in edge.marks(), "not even intended: it would count as ours"
    edge.device.fault = None
    edge.sync()
    assert edge.marks()[SECOND.value] is LedgerState.FOREIGN


def test_a_full_target_holds_the_best_and_takes_the_next_when_there_is_room(
    store: Store,
) -> None:
    edge = Edge(store, capacity=2)
    edge.hand.give(
        *(indicator(number, confidence=number * 10) for number in range(1, 5)),
    )
    edge.sync()
    assert edge.device.values() == ["198.51.100.3", "198.51.100.4"]
    assert Counter(edge.marks().values()) == {LedgerState.WRITTEN: 2, LedgerState.OVER_CAPACITY: 2}
    edge.hand.give(indicator(4, modified=2, revoked=True))
    edge.sync()
    assert edge.device.values() == ["198.51.100.2", "198.51.100.3"]
    edge.hand.give(indicator(5, confidence=99))
    edge.sync()
    assert edge.device.values() == ["198.51.100.3", "198.51.100.5"]
    assert edge.marks()["198.51.100.2"] is LedgerState.OVER_CAPACITY
    edge.assert_counted()


def test_reasons_for_leaving_reach_the_plan(edge: Edge) -> None:
    edge.hand.give(indicator(1, valid_until=at(3)), indicator(2), indicator(3, hosts=(3, 4)))
    edge.sync()
    edge.hand.give(indicator(2, modified=2, revoked=True), indicator(3, modified=2, hosts=(3,)))
    edge.hand.now = START + 5 * DAY
    edge.hand.refresh()
    plan = propose(edge.output, edge.store, CHANGED, edge.hand.now).plan
    assert plan.reasons == {Reason.EXPIRED: 1, Reason.REVOKED: 1, Reason.WITHDRAWN: 1}
    with edge.store.database.read() as transaction:
        found = edge.store.wanted.reasons_among(transaction, edge.hand.number, [1, 2, 3, 4])
    assert found == {1: Reason.EXPIRED, 2: Reason.REVOKED, 4: Reason.WITHDRAWN}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    done=st.lists(
        st.tuples(
            st.sampled_from(["say", "revoke", "hand", "sync", "verify", "refuse", "wait"]),
            st.integers(1, 5),
        ),
        max_size=16,
    )
)
@example(done=[("say", 3), ("sync", 1), ("revoke", 3), ("sync", 1), ("hand", 3), ("say", 3),
               ("sync", 1), ("revoke", 3)])  # fmt: skip
@example(done=[("verify", 1), ("hand", 3), ("say", 3), ("sync", 1), ("revoke", 3)])
@example(done=[("hand", 3), ("say", 3), ("sync", 1), ("revoke", 3), ("sync", 1), ("say", 3),
               ("sync", 1), ("revoke", 3)])  # fmt: skip
@example(done=[("refuse", 3), ("say", 3), ("sync", 1), ("hand", 3), ("wait", 1), ("say", 3),
               ("sync", 1), ("revoke", 3)])  # fmt: skip
@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "bare"])
def test_whatever_happens_the_target_ends_with_what_is_wanted_and_what_others_put(
    tmp_path_factory: pytest.TempPathFactory, mapped: bool, done: list[tuple[str, int]]
) -> None:
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/c.db")
    try:
        store.database.migrate()
        edge = Edge(store, mapped=mapped)
        for turn, (verb, number) in enumerate(done, 2):
            act(edge, verb, number, turn)
        edge.device.refuses.clear()
        edge.sync()
        edge.sync(EVERYTHING)
        by_hand = {each.value for each in edge.device.by_hand}
        assert set(edge.device.values()) == set(edge.hand.wanted()) | by_hand
        edge.assert_counted()
        assert edge.sync() == edge.sync(EVERYTHING) == ApplyResult()
    finally:
        store.close()


def act(edge: Edge, verb: str, number: int, turn: int) -> None:
    value = f"198.51.100.{number}"
    if verb == "say":
        edge.hand.give(indicator(number, modified=turn, valid_until=at(8 + turn)))
    elif verb == "revoke":
        edge.hand.give(indicator(number, modified=turn, revoked=True))
    elif verb == "hand":
        if value not in edge.device.values():
            edge.device.put_by_hand(Observable(ObservableType.IPV4_ADDR, value), {"comment": "x"})
    elif verb == "refuse":
        edge.device.refuses[value] = "no"
    elif verb == "wait":
        edge.hand.now += DAY
    else:
        edge.sync(EVERYTHING if verb == "verify" else CHANGED)


def test_what_a_list_wants_is_read_in_every_order(edge: Edge) -> None:
    edge.hand.give(
        indicator(1, hosts=(9,), confidence=10), indicator(2, hosts=(5,), confidence=90),
        indicator(3, hosts=(7,), confidence=50), indicator(4, hosts=(3,), revoked=True),
    )  # fmt: skip
    edge.hand.refresh()
    wanted, number = edge.store.wanted, edge.hand.number
    with edge.store.database.read() as transaction:
        by_number = [row.observable.value for row in wanted.rows(transaction, number, None)]
        bare = list(wanted.bare_rows(transaction, number, None))
        told = [
            (row.number, row.observable, row.ends, row.source)
            for row in wanted.rows(transaction, number, None)
        ]
        carried = list(wanted.carriers_among(transaction, number, [2, 4, 99]))
        by_key = [row.observable.value for row in wanted.rows_sorted(transaction, number)]
        values = [found.value for _n, found, _r in wanted.values_sorted(transaction, number)]
        ranked = [found.value for _n, found, _r in wanted.ranks(transaction, number)]
        seq = wanted.list_seq(transaction, number)
        late = list(wanted.rows(transaction, number, seq))
        [one] = wanted.rows_among(transaction, number, [2, 4, 99])
        count = wanted.count(transaction, number)
        observables = dict(wanted.observables_of(transaction, [3, 1, 99]))
    last = [each.rsplit(".", 1)[1] for each in by_number]
    assert last == ["9", "5", "7"]
    assert by_key == values == ["198.51.100.5", "198.51.100.7", "198.51.100.9"]
    assert ranked == ["198.51.100.5", "198.51.100.7", "198.51.100.9"]
    assert (late, count) == ([], 3)
    assert [(row.number, row.observable, row.ends, row.source) for row in bare] == told
    assert carried == [(one.number, one.observable, one.indicator)]
    assert one.observable.value == "198.51.100.5"
    assert one.indicator == key_of_id(indicator_id(2))
    assert (one.claim.confidence, one.claim.feed) == (90, edge.hand.feed)
    assert {number: found.value for number, found in observables.items()} == {
        1: "198.51.100.9", 3: "198.51.100.7",
    }  # fmt: skip


def test_large_lists_are_asked_for_in_parts(edge: Edge) -> None:
    numbers = range(2500)
    edge.hand.give(
        *(
            indicator(number, pattern=f"[ipv4-addr:value = '10.0.{number >> 8}.{number & 255}']")
            for number in numbers
        )
    )
    edge.sync()
    wanted, asked = edge.store.wanted, list(range(1, 2501))
    with edge.store.database.read() as transaction:
        rows = list(wanted.rows_among(transaction, edge.hand.number, asked))
        assert [row.number for row in rows] == asked
        assert len(wanted.numbers_of(transaction, [row.observable for row in rows])) == 2500
        assert edge.store.ledger.ours_among(transaction, 1, asked) == set(asked)
        assert len(list(edge.store.ledger.written(transaction, 1))) == 2500


def test_an_output_keeps_its_number_and_where_it_stands(edge: Edge) -> None:
    outputs, listed = edge.store.outputs, edge.hand.number
    state = outputs.open("edge", listed)
    assert state == OutputState(1, listed, 0, b"", None, None)
    outputs.finish(replace(state, setup=b"new"), 7, verified=False, now=5)
    assert outputs.open("edge", listed) == replace(state, seq=7)
    outputs.finish(replace(state, setup=b"new"), 8, verified=True, now=6)
    assert outputs.open("edge", listed) == replace(state, seq=8, setup=b"new", verified_at=6)
    assert outputs.open("other", listed).number == 2
    assert outputs.open("edge", listed + 1).verified_at is None, "it carries another list now"


def test_attempts_are_noted_and_a_pause_lasts_until_it_is_resumed(edge: Edge) -> None:
    outputs, listed = edge.store.outputs, edge.hand.number
    number = outputs.open("edge", listed).number
    outputs.note_attempt(number, 10, None, None)
    outputs.note_attempt(number, 20, "401", "401")
    assert outputs.open("edge", listed).paused == "401"
    sql = "SELECT last_success, last_failure, last_recovery, error FROM outputs"
    assert edge.hand.rows(sql) == [(10, 20, None, "401")]
    outputs.resume(["edge", "unknown"])
    resumed = outputs.open("edge", listed)
    assert (resumed.paused, resumed.failing) == (None, True), "no cycle went well yet"
    outputs.note_attempt(number, 30, None, None)
    outputs.note_attempt(number, 40, None, None)
    assert edge.hand.rows(sql) == [(40, 20, 30, None)], "the first that went well recovered it"
    assert not outputs.open("edge", listed).failing


def test_a_damaged_list_is_a_failure_of_its_outputs_and_keeps_their_pause(edge: Edge) -> None:
    outputs, listed = edge.store.outputs, edge.hand.number
    number = outputs.open("edge", listed).number
    outputs.note_attempt(number, 10, "401", "401")
    outputs.note_damage(listed, 20, StoreError("the state is damaged"))
    outputs.note_damage(listed, 30, ValueError("no error of the state"))
    sql = "SELECT last_failure, error, paused FROM outputs"
    assert edge.hand.rows(sql) == [(20, "the state is damaged", "401")]


def test_the_audit_tells_who_did_what_and_why(edge: Edge) -> None:
    edge.device.refuses["198.51.100.2"] = "no"
    edge.hand.give(indicator(1), indicator(2))
    edge.sync()
    edge.hand.now += 1
    edge.hand.give(indicator(1, modified=2, revoked=True))
    edge.sync()
    rows = edge.hand.rows("SELECT number, output, action, result, count, entries FROM audit")
    assert [row[:5] for row in sorted(rows)] == [
        (1, "edge", "write", "done", 2), (2, "edge", "remove", "done", 1),
    ]  # fmt: skip
    assert unpacked(rows[0][5]) == [
        ["ipv4-addr", "198.51.100.1", indicator_id(1), ""],
        ["ipv4-addr", "198.51.100.2", indicator_id(2), "no"],
    ]
    assert unpacked(rows[1][5]) == [["ipv4-addr", "198.51.100.1", "", "revoked"]]


def unpacked(body: bytes) -> Any:
    return msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(bytes(body)))


def test_quiet_cycles_are_recorded_together_and_a_failure_keeps_the_last(edge: Edge) -> None:
    outputs, listed = edge.store.outputs, edge.hand.number
    first, second = (outputs.open(name, listed).number for name in ("edge", "core"))

    def told() -> list[tuple[int | None, str | None]]:
        with edge.store.database.read() as transaction:
            rows = sorted(output_rows(transaction).values(), key=lambda row: row.number)
        return [(row.last_success, row.error) for row in rows]

    for number in (first, second):
        outputs.note_attempt(number, 10, None, None)
        outputs.note_quiet(number, 20)
    assert told() == [(10, None)] * 2
    outputs.note_attempt(second, 30, "no answer", None)
    assert told() == [(10, None), (20, "no answer")]
    outputs.flush()
    outputs.flush()
    assert told() == [(20, None), (20, "no answer")]
    outputs.note_attempt(first, 40, None, None)
    outputs.note_quiet(second, 50)
    outputs.flush()
    assert told() == [(40, None), (50, "no answer")]


def test_what_was_intended_otherwise_is_confirmed_row_by_row_and_counted_once(store: Store) -> None:
    """One statement confirms many; how many it did says whether that was all of them."""
    edge = Edge(store, mapped=False)
    edge.hand.give(*(indicator(number) for number in range(1, 6)))
    edge.sync()
    ledger, state = store.ledger, store.outputs.open("edge", edge.hand.number)
    rows = edge.hand.rows("SELECT observable, digest FROM ledger ORDER BY observable")
    plan = replace(propose(edge.output, store, EVERYTHING, edge.hand.now).plan, add=EntryRefs())
    for number, digest in rows[:2]:
        plan.add.put(number, digest)
    plan.add.put(rows[2][0], 7)
    ledger.intend(state, plan, edge.hand.now, whole=False)
    edge.assert_counted()
    ledger.confirm(state, Confirmation(rows), edge.hand.now)
    assert set(edge.marks().values()) == {LedgerState.WRITTEN}
    assert edge.hand.rows("SELECT observable, digest FROM ledger ORDER BY observable") == rows
    edge.assert_counted()
