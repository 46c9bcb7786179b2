"""Records that contradict themselves are found before anything leaves a list because of them."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from damage import flip_three_bytes, hide_rows
from list_hand import Hand
from store_samples import indicator

from connector.errors import StoreError
from connector.store.postgresql import PostgresqlDatabase
from connector.store.soundness import Soundness
from connector.store.store import Store


@pytest.fixture
def hand(store: Store) -> Hand:
    return filled(store)


@pytest.fixture
def sqlite_hand(tmp_path: Path) -> Iterator[Hand]:
    """A store in a file: only SQLite looks into its own."""
    store = Store(f"sqlite:///{tmp_path / 'state.db'}")
    store.database.migrate()
    yield filled(store)
    store.close()


def filled(store: Store) -> Hand:
    hand = Hand(store)
    hand.give(*(indicator(number) for number in range(1, 201)))
    hand.refresh(everything=True)
    return hand


def file_of(store: Store) -> Path:
    assert store.database.path is not None
    return store.database.path


def hide(store: Store, which: str) -> None:
    """Let the index of claims by observable lose some rows, on either database."""
    if store.database.path:
        store.close()
        hide_rows(file_of(store), "claims_by_observable", which)
        return
    store.close()
    assert isinstance(store.database, PostgresqlDatabase)
    url = store.database.url
    with psycopg.connect(
        host=str(url.query["host"]), user="connector", dbname=url.database, autocommit=True
    ) as server:
        flag = (
            "UPDATE pg_index SET indisready = {} "
            "WHERE indexrelid = 'claims_by_observable'::regclass"
        )
        server.execute(f"CREATE TEMP TABLE hidden AS SELECT * FROM claims WHERE {which}")  # noqa: S608
        server.execute("DELETE FROM claims WHERE number IN (SELECT number FROM hidden)")
        server.execute("VACUUM claims")
        server.execute(flag.format("false"))
        server.execute("INSERT INTO claims SELECT * FROM hidden")
        server.execute(flag.format("true"))
        server.execute(f"ALTER DATABASE {url.database} SET enable_seqscan = off")


@pytest.mark.parametrize(
    "which",
    ["observable = 7", "observable % 8 = 0", "observable > 0"],
    ids=["one", "an-eighth", "all"],
)
def test_no_entry_leaves_a_list_because_an_index_lost_its_claims(hand: Hand, which: str) -> None:
    before = hand.rows("SELECT * FROM entries ORDER BY observable")
    hide(hand.store, which)
    with pytest.raises(StoreError, match=r"the state is damaged .* nothing was removed"):
        hand.refresh(everything=True)
    assert hand.rows("SELECT * FROM entries ORDER BY observable") == before


def test_no_other_claim_speaks_for_one_that_its_index_lost(hand: Hand) -> None:
    """Of two claims on one address the revoked one is left; that alone would take it off."""
    hand.give(indicator(500, pattern="[ipv4-addr:value = '198.51.100.7']", revoked=True))
    hand.refresh()
    carrier = hand.rows(
        "SELECT e.claim FROM entries e JOIN observables o ON o.number = e.observable "
        "WHERE o.value = '198.51.100.7'"
    )[0][0]
    hide(hand.store, f"number = {int(carrier)}")
    with pytest.raises(StoreError, match="the state is damaged"):
        hand.refresh(everything=True)
    assert "198.51.100.7" in hand.wanted()


def test_what_a_feed_takes_back_leaves_without_any_doubt(hand: Hand) -> None:
    hand.give(indicator(7, modified=2, pattern="[ipv4-addr:value = '203.0.113.7']"))
    done = hand.refresh(everything=True)
    assert (done.added, done.removed) == (1, 1)


def test_an_index_that_was_built_anew_is_believed_again(hand: Hand) -> None:
    hide(hand.store, "observable % 8 = 0")
    with pytest.raises(StoreError):
        hand.refresh(everything=True)
    with hand.store.database.write() as transaction:
        transaction.run(
            "REINDEX INDEX claims_by_observable" if not hand.store.database.path else "REINDEX",
        )
    done = hand.refresh(everything=True)
    assert (done.removed, len(hand.wanted())) == (0, 200)


@pytest.mark.parametrize("index", ["objects_by_key", "observables_by_touch", "entries_by_seq"])
def test_a_check_compares_every_index_with_its_table(sqlite_hand: Hand, index: str) -> None:
    store = sqlite_hand.store
    store.close()
    columns = {"objects_by_key": "number", "observables_by_touch": "number"}
    hide_rows(file_of(store), index, f"{columns.get(index, 'observable')} = 7")
    store.soundness.expect_readable()  # it compares no index with its table
    with store.database.read() as transaction, pytest.raises(StoreError, match=f"{index}"):
        store.soundness.expect_sound(transaction)


def test_three_flipped_bytes_are_found_as_the_state_is_opened(sqlite_hand: Hand) -> None:
    store = sqlite_hand.store
    store.close()
    flip_three_bytes(file_of(store), "claims_by_observable")
    with pytest.raises(StoreError, match=r"the state is damaged .*REINDEX"):
        store.soundness.expect_readable()


def test_amcheck_is_asked_where_it_is_there(hand: Hand) -> None:
    database = hand.store.database
    if database.path:
        pytest.skip("an extension of PostgreSQL")
    hide(hand.store, "observable = 7")
    with database.read() as transaction:
        hand.store.soundness.expect_sound(transaction)  # it is not there: nothing to say
    with database.write() as transaction:
        transaction.run("CREATE EXTENSION amcheck")
    again = Soundness(database)
    with database.read() as transaction, pytest.raises(StoreError, match="claims_by_observable"):
        again.expect_sound(transaction)


def test_a_sound_state_is_not_looked_at_again_for_ten_minutes(hand: Hand) -> None:
    now = 0.0
    soundness = Soundness(hand.store.database, lambda: now)
    with hand.store.database.read() as transaction:
        soundness.expect_sound(transaction)
    hide(hand.store, "observable = 7")
    with hand.store.database.read() as transaction:
        soundness.expect_sound(transaction)
    if hand.store.database.path:
        now = 601.0
        with hand.store.database.read() as transaction, pytest.raises(StoreError):
            soundness.expect_sound(transaction)
