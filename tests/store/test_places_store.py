"""Ledgers and their places on both databases: left, taken over in whole or in part, forgotten."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from connector.decisions.records import LedgerState
from connector.store.outputs.places import (
    PlacedLedger,
    Placing,
    Standing,
    left_behind,
    placed_ledgers,
    texts_of,
)
from connector.store.outputs.texts import KeptTexts
from connector.store.store import Store
from connector.store.tallies import OUTPUT_TALLY, add_to_tallies

WRITTEN, FOREIGN = LedgerState.WRITTEN, LedgerState.FOREIGN
OLD = Placing("edl", "{}", "[]", "{folder}/published", frozenset({("a",), ("b", None)}))
NEW = replace(OLD, places=frozenset({("c",)}))


def fill(store: Store, number: int, marks: Mapping[int, LedgerState]) -> None:
    """Give a ledger entries, and count them as the store does."""
    with store.database.write() as transaction:
        rows = [(number, one, int(mark), 0, 0, 0, 0) for one, mark in marks.items()]
        sql = (
            "INSERT INTO ledger (output, observable, state, digest, since, ends, source) "
            "VALUES (?,?,?,?,?,?,?)"
        )
        transaction.many(sql, rows)
        add_to_tallies(transaction, OUTPUT_TALLY, number, Counter(map(int, marks.values())))


def ledgers(store: Store) -> list[PlacedLedger]:
    with store.database.read() as transaction:
        return placed_ledgers(transaction)


def held(store: Store, number: int) -> list[int]:
    with store.database.read() as transaction:
        return [one.observable for one in store.ledger.written(transaction, number)]


@pytest.fixture
def edge(store: Store) -> PlacedLedger:
    """An output with three entries of ours and one of others at its place."""
    number = store.outputs.open("edge", 1).number
    with store.database.write() as transaction:
        store.places.put(transaction, number, OLD, 5)
    fill(store, number, {1: WRITTEN, 2: WRITTEN, 3: WRITTEN, 4: FOREIGN})
    [ledger] = ledgers(store)
    return ledger


def test_an_output_has_its_place_with_its_entries(edge: PlacedLedger) -> None:
    assert edge == PlacedLedger(1, "edge", Standing.KEPT, 5, OLD, None, 3)
    assert edge.words == ["a ", "b "]


def test_a_place_that_is_left_keeps_what_is_ours_and_the_output_begins_anew(
    store: Store, edge: PlacedLedger
) -> None:
    KeptTexts(store.database, "edge")["zone"] = "7"
    with store.database.write() as transaction:
        left = store.places.leave(transaction, edge, OLD, None, 9)
        store.places.begin(transaction, edge.number)
        store.places.put(transaction, edge.number, NEW, 9)
    assert held(store, left) == [1, 2, 3]
    assert held(store, edge.number) == []
    assert [(one.name, one.standing, one.entries, one.since) for one in ledgers(store)] == [
        ("edge", Standing.KEPT, 0, 9), ("edge", Standing.MOVED, 3, 9),
    ]  # fmt: skip
    assert store.outputs.open("edge", 1).number == edge.number
    assert dict(KeptTexts(store.database, "edge")) == {}
    assert dict(KeptTexts(store.database, texts_of(left))) == {"zone": "7"}
    with store.database.read() as transaction:
        assert [one.number for one in left_behind(transaction, ["edge"])] == [left]


def test_a_part_of_a_place_is_left_with_its_entries(store: Store, edge: PlacedLedger) -> None:
    with store.database.write() as transaction:
        left = store.places.leave(transaction, edge, OLD, [2, 3], 9)
    assert (held(store, left), held(store, edge.number)) == ([2, 3], [1, 4])
    assert [one.entries for one in ledgers(store)] == [1, 2]


def test_who_takes_a_ledger_over_keeps_what_both_call_theirs(
    store: Store, edge: PlacedLedger
) -> None:
    other = store.outputs.open("other", 1).number
    fill(store, other, {2: LedgerState.REJECTED, 3: WRITTEN, 9: WRITTEN})
    with store.database.write() as transaction:
        store.places.take_over(transaction, edge.number, other)
        store.places.forget(transaction, edge.number)
    [ledger] = ledgers(store)
    assert (ledger.name, ledger.entries) == ("other", 4)
    assert held(store, other) == [1, 2, 3, 9]
    with store.database.read() as transaction:
        assert store.ledger.marked(transaction, other, LedgerState.REJECTED) == 0


def test_an_output_that_was_dropped_can_be_renamed_and_is_read_again(
    store: Store, edge: PlacedLedger
) -> None:
    with store.database.write() as transaction:
        store.places.drop(transaction, edge.number, "edge", 7)
    with store.database.read() as transaction:
        [left] = left_behind(transaction, ["edge"])
    assert (left.standing, left.since, left.entries) == (Standing.DROPPED, 7, 3)
    assert store.outputs.open("edge", 1).number != edge.number
    with store.database.write() as transaction:
        store.places.rename(transaction, edge.number, "border", 8)
    state = store.outputs.open("border", 1)
    assert (state.number, state.verified_at, state.setup) == (edge.number, None, b"")


def test_a_ledger_that_is_forgotten_leaves_no_row(store: Store, edge: PlacedLedger) -> None:
    with store.database.write() as transaction:
        store.places.forget(transaction, edge.number)
    assert ledgers(store) == []
    assert held(store, edge.number) == []


def test_what_was_found_at_the_new_place_is_told_from_what_was_added_there(
    store: Store, edge: PlacedLedger
) -> None:
    other = store.outputs.open("other", 1).number
    fill(store, other, {1: FOREIGN, 2: FOREIGN, 3: WRITTEN, 7: WRITTEN})
    with store.database.read() as transaction:
        assert store.places.found_there(transaction, other, edge.number) == (2, 1)


@pytest.mark.parametrize(
    ("other", "meets"),
    [
        (OLD, True), (NEW, False), (replace(OLD, adapter="rules"), False),
        (replace(OLD, places=frozenset()), True),
        (replace(OLD, places=frozenset(), options="{1}"), False),
    ],
)  # fmt: skip
def test_two_places_meet_where_one_adapter_keeps_both(other: Placing, meets: bool) -> None:
    assert OLD.meets(other) is meets
