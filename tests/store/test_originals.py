"""Originals: the bytes as received, kept small by a dictionary of the feed's own."""

import hashlib

import pytest
from list_hand import Hand
from msgspec.structs import replace
from store_samples import indicator

from connector.ingest.versions import read_version
from connector.store.feeds.compression import TRAIN_FROM
from connector.store.store import Store
from connector.testing.samples.ais_like import indicators

RAW = list(indicators(1200, seed=3))


def originals(store: Store, keys: list[bytes]) -> dict[bytes, bytes]:
    with store.database.read() as transaction:
        return store.originals(transaction, keys)


def dictionaries(hand: Hand) -> list[tuple[int, int]]:
    return sorted(hand.rows("SELECT number, feed FROM dictionaries"))


def test_originals_come_back_byte_for_byte_and_take_little_room(
    store: Store, database_url: str
) -> None:
    hand = Hand(store)
    for at in range(0, len(RAW), 400):
        hand.give(*RAW[at : at + 400])
    assert dictionaries(hand) == [(1, hand.feed)]
    again = Store(database_url)
    try:
        found = originals(again, [read_version(raw, "feed").key for raw in RAW])
    finally:
        again.close()
    assert {hashlib.sha256(raw).digest() for raw in found.values()} == {
        hashlib.sha256(raw).digest() for raw in RAW
    }
    [(packed,)] = hand.rows("SELECT avg(length(packed)) FROM objects")
    assert packed < 200
    assert sum(map(len, RAW)) / len(RAW) > 700


def test_a_small_first_page_is_kept_without_a_dictionary_and_a_large_later_one_makes_it(
    store: Store,
) -> None:
    hand = Hand(store)
    hand.give(*RAW[: TRAIN_FROM - 1])
    assert dictionaries(hand) == []
    hand.give(*RAW[TRAIN_FROM:])
    assert dictionaries(hand) == [(1, hand.feed)]
    assert set(hand.rows("SELECT DISTINCT dictionary FROM objects")) == {(0,), (1,)}
    found = originals(store, [read_version(raw, "feed").key for raw in RAW])
    assert sorted(found.values()) == sorted(RAW[: TRAIN_FROM - 1] + RAW[TRAIN_FROM:])


def test_each_feed_has_a_dictionary_of_its_own(store: Store) -> None:
    hand = Hand(store)
    hand.give(*RAW[:300])
    other = Hand(store)
    other.feed = store.objects.feed_number("isac")
    other.collection = store.objects.runs.collection(other.feed, "key", "title")
    other.give(*RAW[300:600])
    assert dictionaries(hand) == [(1, hand.feed), (2, other.feed)]
    assert len(originals(store, [read_version(raw, "feed").key for raw in RAW])) == 600


def test_a_page_that_fails_while_the_dictionary_is_new_leaves_no_dictionary(
    store: Store,
) -> None:
    hand = Hand(store)
    versions = [read_version(raw, "feed") for raw in RAW[:300]]
    broken = [*versions, replace(read_version(indicator(1), "feed"), claims=lambda: 1 // 0)]
    with pytest.raises(ZeroDivisionError):
        store.objects.store_page(hand.feed, hand.collection, broken, "c", whole=False, now=1)
    assert dictionaries(hand) == []
    hand.give(*RAW[600:1000])
    found = originals(store, [read_version(raw, "feed").key for raw in RAW])
    assert sorted(found.values()) == sorted(RAW[600:1000])


def test_a_dictionary_of_a_page_that_failed_far_in_is_not_used_by_the_next(
    store: Store, database_url: str
) -> None:
    hand = Hand(store)
    versions = [read_version(raw, "feed") for raw in RAW]
    broken = [*versions, replace(read_version(indicator(1), "feed"), claims=lambda: 1 // 0)]
    with pytest.raises(ZeroDivisionError):
        store.objects.store_page(hand.feed, hand.collection, broken, "c", whole=False, now=1)
    hand.give(*RAW[600:1100])
    again = Store(database_url)
    try:
        found = originals(again, [read_version(raw, "feed").key for raw in RAW])
    finally:
        again.close()
    assert sorted(found.values()) == sorted(RAW[600:1100])


def test_a_new_version_replaces_the_original_and_a_repeat_does_not(store: Store) -> None:
    hand = Hand(store)
    first, repeat = indicator(1, name="one"), indicator(1, name="same time, other bytes")
    second = indicator(1, modified=2, name="two")
    key = read_version(first, "feed").key
    hand.give(first)
    hand.give(repeat)
    assert originals(store, [key]) == {key: first}
    hand.give(second)
    assert originals(store, [key]) == {key: second}
    assert originals(store, []) == {}
