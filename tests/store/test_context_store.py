"""Context in the store: whatever arrives first, the same is said of the same indicators."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_samples import PRODUCER, STRANGER, at, indicator, indicator_id

from connector.errors import StoreError
from connector.indicators.identity import id_of_key
from connector.ingest.versions import read_version
from connector.model import Context
from connector.store.store import Store
from connector.store.transaction import Transaction

LATER = 1_900_000_000_000_000  # no sample dates itself later than it came
OTHER = "identity--0c0c0c0c-0000-4000-8000-000000000003"


def sid(kind: str, number: int = 1) -> str:
    return f"{kind}--{UUID(int=(number << 64) | (4 << 76) | (8 << 60))}"


def said(kind: str, number: int = 1, *, day: int = 1, by: str = PRODUCER, **fields: Any) -> bytes:
    body = {
        "type": kind, "spec_version": "2.1", "id": sid(kind, number), "created_by_ref": by,
        "created": at(1), "modified": at(day),
    }  # fmt: skip
    return json.dumps(body | fields).encode()


def link(number: int, word: str, source: str, target: str, **fields: Any) -> bytes:
    return said(
        "relationship", number, relationship_type=word, source_ref=source, target_ref=target,
        **fields,
    )  # fmt: skip


FIRST, SECOND = indicator_id(1), indicator_id(2)
WORLD: tuple[bytes, ...] = (
    indicator(1),
    indicator(2),
    indicator(2, modified=3),
    indicator(3),
    said("malware", name="Mouse"),
    said("malware", day=3, name="Rat", aliases=["Mouse"]),
    said("threat-actor", name="Lazarus Group"),
    said("location", country="KP"),
    link(1, "indicates", FIRST, sid("malware")),
    link(2, "attributed-to", sid("malware"), sid("threat-actor")),
    link(3, "located-at", sid("threat-actor"), sid("location")),
    link(4, "indicates", SECOND, sid("threat-actor")),
    link(4, "indicates", SECOND, sid("threat-actor"), day=2, revoked=True),
    link(5, "indicates", SECOND, sid("malware", 7)),
    link(5, "indicates", SECOND, sid("malware"), day=2),
    said("report", name="Wave", object_refs=[FIRST, SECOND, sid("campaign")]),
    said("report", day=2, name="Wave", object_refs=[FIRST, indicator_id(3), sid("campaign")]),
    said("campaign", name="Spring"),
    said("campaign", day=2, name="Spring", revoked=True),
    said("opinion", 1, opinion="agree", object_refs=[FIRST]),
    said("opinion", 2, opinion="disagree", object_refs=[FIRST], by=OTHER),
    said("opinion", 2, opinion="disagree", object_refs=[FIRST], by=OTHER, day=2, revoked=True),
    said("opinion", 3, opinion="neutral", object_refs=[SECOND], by=OTHER, day=2),
    said("sighting", 1, sighting_of_ref=SECOND, day=4),
    said("sighting", 2, sighting_of_ref=SECOND, day=6, last_seen=at(5)),
    said("malware", 9, name=["malformed"]),
)


def give(store: Store, feed: int, *raw: bytes) -> None:
    state = store.objects.runs.collection(feed, "key", "title")
    versions = [read_version(each, "feed") for each in raw]
    store.objects.store_page(feed, state, versions, "c", whole=False, now=LATER)


def contexts(store: Store, feed: int = 1) -> dict[str, tuple[Any, ...]]:
    """Return words, opinions and sighting of every indicator of a feed."""
    with store.database.read() as transaction:
        rows = transaction.rows("SELECT o.key, x.body, o.sighted FROM objects o "
            "LEFT JOIN contexts x ON x.number = o.context WHERE o.feed = ?", (feed,),
        )  # fmt: skip
    found = {}
    for key, body, sighted in rows:
        context = Context() if body is None else msgspec.json.decode(body, type=Context)
        if id_of_key(bytes(key)).startswith("indicator--"):
            words = sorted((word.kind, word.name, word.aliases) for word in context.words)
            found[id_of_key(bytes(key))] = (words, context.opinions, sighted)
        else:
            assert not any(context), "only indicators have a context"
    return found


EXPECTED = {
    FIRST: (
        [
            ("country", "KP", ()), ("malware", "Rat", ("Mouse",)), ("report", "Wave", ()),
            ("threat_actor", "Lazarus Group", ()),
        ],
        ((PRODUCER, 4),),
        None,
    ),
    SECOND: (
        [
            ("country", "KP", ()), ("malware", "Rat", ("Mouse",)),
            ("threat_actor", "Lazarus Group", ()),
        ],
        ((OTHER, 3),),
        1_767_225_600_000_000 + 4 * 86_400_000_000,
    ),
    indicator_id(3): ([("report", "Wave", ())], (), None),
}  # fmt: skip


def test_everything_in_one_page_says_what_it_should(store: Store) -> None:
    give(store, store.objects.feed_number("ais"), *WORLD)
    assert contexts(store) == EXPECTED


@given(
    order=st.permutations(WORLD),
    cuts=st.lists(st.integers(1, len(WORLD) - 1), max_size=len(WORLD)),
    repeated=st.lists(st.sampled_from(WORLD), max_size=5),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_and_repetition_of_pages_says_the_same(
    order: Sequence[bytes], cuts: list[int], repeated: list[bytes], store: Store
) -> None:
    wipe(store)
    feed = store.objects.feed_number("ais")
    bounds = [0, *sorted(set(cuts)), len(order)]
    for start, end in pairwise(bounds):
        give(store, feed, *order[start:end])
    for raw in repeated:
        give(store, feed, raw)
    assert contexts(store) == EXPECTED


def wipe(store: Store) -> None:
    with store.database.write() as transaction:
        for table in ("objects", "claims", "observables", "nodes", "edges", "members"):
            transaction.run(f"DELETE FROM {table}")  # noqa: S608 - our own tables


def touched(store: Store, number: int) -> int:
    with store.database.read() as transaction:
        sql = "SELECT touched FROM observables WHERE value = ?"
        return int(transaction.one(sql, (f"198.51.100.{number}",)))


def test_only_what_is_spoken_of_is_touched(store: Store) -> None:
    feed = store.objects.feed_number("ais")
    give(store, feed, indicator(1), indicator(2), link(1, "indicates", FIRST, sid("malware")))
    before = touched(store, 2)
    give(store, feed, said("malware", name="Rat"))
    assert touched(store, 1) > touched(store, 2) == before
    once = touched(store, 1)
    give(store, feed, said("malware", name="Rat", day=2), said("malware", 2, name="Cat"))
    assert touched(store, 1) == once, "it says what it said before"


def test_a_feed_speaks_of_its_own_objects_alone(store: Store) -> None:
    ais, own = store.objects.feed_number("ais"), store.objects.feed_number("own")
    give(store, ais, indicator(1), link(1, "indicates", FIRST, sid("malware")))
    before = contexts(store, ais)
    theirs = [
        said("malware", name="Rat"),
        link(2, "indicates", FIRST, sid("malware")),
        said("opinion", 1, opinion="agree", object_refs=[FIRST]),
        said("sighting", 1, sighting_of_ref=FIRST),
    ]
    give(store, own, *theirs)
    assert contexts(store, ais) == before == {FIRST: ([], (), None)}
    give(store, own, indicator(1))
    assert contexts(store, own)[FIRST][:2] == ([("malware", "Rat", ())], ((PRODUCER, 4),))
    give(store, ais, said("malware", name="Mouse"))
    assert contexts(store, ais)[FIRST][0] == [("malware", "Mouse", ())]
    assert contexts(store, own)[FIRST][0] == [("malware", "Rat", ())]


def test_a_strangers_revocation_takes_no_word_away(store: Store) -> None:
    feed = store.objects.feed_number("ais")
    give(store, feed, indicator(1), said("opinion", 1, opinion="disagree", object_refs=[FIRST]))
    before = contexts(store)
    gone = said(
        "opinion", 1, opinion="disagree", object_refs=[FIRST], by=STRANGER, day=2, revoked=True
    )
    give(store, feed, gone)
    assert contexts(store) == before


def test_what_leaves_its_file_takes_its_words_along_and_brings_them_back(store: Store) -> None:
    feed = store.objects.feed_number("files")
    give(store, feed, indicator(1), link(1, "indicates", FIRST, sid("malware")))
    state = store.objects.runs.collection(feed, "bundle", "bundle")
    malware = [read_version(said("malware", name="Rat"), "feed")]
    store.objects.store_page(feed, state, malware, "c", whole=True, now=1, last=True)
    assert contexts(store)[FIRST][0] == [("malware", "Rat", ())]
    state = store.objects.runs.begin_run(state)
    store.objects.store_page(feed, state, [], "c", whole=True, now=2, last=True)
    assert contexts(store)[FIRST][0] == []
    state = store.objects.runs.begin_run(state)
    store.objects.store_page(feed, state, malware, "c", whole=True, now=3, last=True)
    assert contexts(store)[FIRST][0] == [("malware", "Rat", ())]


def test_a_hub_changes_all_that_hangs_on_it(store: Store) -> None:
    feed, many = store.objects.feed_number("ais"), 2500
    give(store, feed, *(indicator(n) for n in range(1, many + 1)))
    refs = [indicator_id(n) for n in range(1, many + 1)]
    give(store, feed, said("report", name="Wave", object_refs=refs))
    assert all(words == [("report", "Wave", ())] for words, _, _ in contexts(store).values())
    with store.database.read() as transaction:
        assert transaction.one("SELECT count(*) FROM contexts") == 1
    give(store, feed, said("report", name="Wave", object_refs=refs[:1], day=2))
    assert sum(bool(words) for words, _, _ in contexts(store).values()) == 1


def test_pages_of_indicators_alone_ask_nothing_more(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One question whether there is any context at all; where there is, one for the page."""
    asked: list[str] = []
    with store.database.read() as transaction:
        kind = type(transaction)
    rows, one = kind.rows, kind.one

    def told_rows(transaction: Transaction, sql: str, values: Any = ()) -> Any:
        asked.append(sql)
        return rows(transaction, sql, values)

    def told_one(transaction: Transaction, sql: str, values: Any = ()) -> Any:
        asked.append(sql)
        return one(transaction, sql, values)

    monkeypatch.setattr(kind, "rows", told_rows)
    monkeypatch.setattr(kind, "one", told_one)
    feed = store.objects.feed_number("ais")
    give(store, feed, *(indicator(n) for n in range(1, 500)))
    assert sum("edges" in sql or "nodes" in sql for sql in asked) == 1
    give(store, feed, said("report", name="Wave", object_refs=[sid("indicator", 77)]))
    asked.clear()
    give(store, feed, *(indicator(n) for n in range(500, 1000)))
    assert sum("edges" in sql or "nodes" in sql for sql in asked) == 2


def test_producers_sit_where_they_say_or_where_others_say(store: Store) -> None:
    feed = store.objects.feed_number("ais")
    assert store.producers.countries(sid("identity"), feed) == frozenset()
    assert not store.producers.moved()
    give(store, feed, said("identity", name="a CERT", country="JP"))
    assert store.producers.moved()
    assert store.producers.countries(sid("identity"), feed) == {"JP"}
    give(store, feed, link(1, "located-at", sid("identity"), sid("location")))
    give(store, feed, said("location", country="KR"))
    assert store.producers.moved()
    assert store.producers.countries(sid("identity"), feed) == {"JP", "KR"}
    assert not store.producers.moved()


def test_what_was_said_before_and_is_no_more_is_dropped(store: Store) -> None:
    feed = store.objects.feed_number("ais")
    for raw in WORLD:
        give(store, feed, raw)
    before = contexts(store)
    assert before == EXPECTED

    def held() -> int:
        with store.database.read() as transaction:
            return int(transaction.one("SELECT count(*) FROM contexts"))

    grown = held()
    dropped = store.objects.delete_unreferenced()
    assert 0 < held() < grown
    assert dropped >= grown - held()
    assert contexts(store) == before
    give(store, feed, said("opinion", 3, opinion="agree", object_refs=[SECOND], by=OTHER, day=3))
    give(store, feed, said("opinion", 3, opinion="neutral", object_refs=[SECOND], by=OTHER, day=4))
    assert contexts(store) == before


@pytest.mark.parametrize("late", range(4))
def test_what_is_said_of_an_indicator_is_said_of_its_duplicate_whatever_comes_last(
    store: Store, late: int
) -> None:
    feed = store.objects.feed_number("ais")
    told = [
        link(1, "duplicate-of", SECOND, FIRST),
        link(2, "indicates", FIRST, sid("malware")),
        said("malware", name="Rat"),
        indicator(2),
    ]
    last = told.pop(late)
    give(store, feed, indicator(1), *told)
    give(store, feed, last)
    for subject in (FIRST, SECOND):
        assert contexts(store)[subject][0] == [("malware", "Rat", ())], subject


def test_where_a_producer_sits_is_for_its_own_feed_to_say(store: Store) -> None:
    ours, theirs = store.objects.feed_number("ais"), store.objects.feed_number("isac")
    give(store, ours, said("identity", name="a CERT", country="JP"))
    give(store, theirs, said("identity", name="a CERT", country="KP", day=9))
    assert store.producers.countries(sid("identity"), ours) == {"JP"}
    assert store.producers.of(sid("identity"), 99).name == ""


def test_what_a_failed_page_said_of_very_many_indicators_is_kept_when_it_comes_again(
    store: Store,
) -> None:
    feed = store.objects.feed_number("ais")
    ids = [indicator_id(number) for number in range(1, 1501)]
    give(store, feed, *(indicator(number) for number in range(1, 1501)))
    wave = said("report", name="Wave", object_refs=ids)
    state = store.objects.runs.collection(feed, "key", "title")
    unfit: Any = object()  # for a cursor, so that the very last write of the page fails
    with pytest.raises(StoreError):
        store.objects.store_page(
            feed, state, [read_version(wave, "feed")], unfit, whole=False, now=1
        )
    give(store, feed, wave)
    assert contexts(store).keys() == set(ids)
    assert {repr(words) for words, _, _ in contexts(store).values()} == {"[('report', 'Wave', ())]"}
