"""Pages of objects: what is kept, what a replay changes, and what a new version replaces."""

from contextlib import ExitStack
from itertools import count, permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from store_samples import PRODUCER, STRANGER, at, dump, indicator, indicator_id, pattern_of

from connector.decisions.records import ClaimKind, ObjectState
from connector.indicators.identity import key_of_id
from connector.indicators.markings.acs import AcsMarking
from connector.indicators.markings.definition import Definition, KnownMarking
from connector.ingest.versions import read_version
from connector.model import Observable, ObservableType, Tlp
from connector.store.feeds.arrivals import StoreResult
from connector.store.feeds.definitions import ShownIn
from connector.store.feeds.markings import FeedMarkings
from connector.store.store import Store

_names = count(1)
_LATER = 1_900_000_000_000_000  # no sample dates itself later than it came


TLP_GREEN = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"


class FeedHand:
    """Hands pages of one feed of its own to a store."""

    def __init__(self, store: Store, *, whole: bool = False) -> None:
        self.store, self.whole = store, whole
        self.number = store.objects.feed_number(f"feed-{next(_names)}")
        self.state = store.objects.runs.collection(self.number, "key", "title")

    def give(self, *raw: bytes, cursor: str = "c", now: int = _LATER) -> StoreResult:
        versions = [read_version(each, "feed") for each in raw]
        return self.store.objects.store_page(
            self.number, self.state, versions, cursor, whole=self.whole, now=now
        )

    def run(self, *raw: bytes) -> int:
        """Give all of a whole collection in one run; return how many objects left."""
        self.state = self.store.objects.runs.begin_run(self.state)
        self.give(*raw)
        with self.store.database.write() as transaction:
            return self.store.objects.runs.end_run(transaction, self.state)


def rows(store: Store, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with store.database.read() as transaction:
        return [tuple(row) for row in transaction.rows(sql, values)]


def everything(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row that objects and claims are made of, with its number."""
    tables = ("objects", "claims", "observables", "departures", "attributes", "members")
    return {table: sorted(rows(store, "SELECT * FROM " + table)) for table in tables}  # noqa: S608 - our own tables


def state_of(store: Store, number: int) -> int:
    key = key_of_id(indicator_id(number))
    return int(rows(store, "SELECT state FROM objects WHERE key = ?", key)[0][0])


def test_a_page_counts_what_it_brought(store: Store) -> None:
    feed = FeedHand(store)
    assert feed.give(indicator(1), indicator(2)) == StoreResult(new=2)
    again = feed.give(
        indicator(1),
        indicator(2, modified=2),
        indicator(1, modified=3, revoked=True),
        indicator(2, modified=4, by=STRANGER),
    )
    assert again == StoreResult(updated=1, revoked=1, repeated=1, quarantined=1)
    assert rows(store, "SELECT objects FROM feeds WHERE number = ?", feed.number) == [(2,)]


def test_objects_and_cursor_are_one_transaction(store: Store) -> None:
    feed = FeedHand(store)
    feed.give(indicator(1), cursor="after one")
    broken = replace(read_version(indicator(2), "feed"), claims=lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        store.objects.store_page(feed.number, feed.state, [broken], "after two", whole=False, now=1)
    assert store.objects.runs.collection(feed.number, "key", "title").cursor == "after one"
    assert len(dump(store)) == 1


def test_two_feeds_may_give_the_same_object(store: Store) -> None:
    one, two = FeedHand(store), FeedHand(store)
    one.give(indicator(1))
    two.give(indicator(1, modified=2, revoked=True))
    states = rows(store, "SELECT feed, state FROM objects ORDER BY feed")
    assert states == [(one.number, ObjectState.CURRENT), (two.number, ObjectState.REVOKED)]


@pytest.mark.parametrize("kept", [(1, 2), (2, 1), (1, 2, 2)])
def test_a_new_version_keeps_the_claims_it_still_makes(store: Store, kept: tuple[int, ...]) -> None:
    feed = FeedHand(store)
    feed.give(indicator(1, hosts=(1, 2, 3)))
    before = dict(
        rows(store, "SELECT b.value, c.number FROM claims c JOIN observables b "
                    "ON b.number = c.observable")
    )  # fmt: skip
    feed.give(indicator(1, modified=2, hosts=(*kept, 4)))
    after = dict(
        rows(store, "SELECT b.value, c.number FROM claims c JOIN observables b "
                    "ON b.number = c.observable")
    )  # fmt: skip
    assert set(after) == {f"198.51.100.{host}" for host in (1, 2, 4)}
    assert after["198.51.100.1"] == before["198.51.100.1"]
    assert rows(store, "SELECT claim FROM departures") == [(before["198.51.100.3"],)]
    assert after["198.51.100.4"] not in before.values(), "numbers of claims are not used again"


def test_the_number_of_a_departed_claim_is_not_given_again(store: Store) -> None:
    feed = FeedHand(store)
    feed.give(indicator(1, hosts=(1, 2)))
    feed.give(indicator(1, modified=2, hosts=(1,)))
    [(departed,)] = rows(store, "SELECT claim FROM departures")
    feed.give(indicator(2, hosts=(9,)))
    assert rows(store, "SELECT max(number) FROM claims")[0][0] > departed


def test_a_claim_whose_words_changed_says_the_new_words(store: Store) -> None:
    feed = FeedHand(store)
    watched = "[ipv4-addr:value = '198.51.100.1' AND file:name = '{}.exe']"
    feed.give(indicator(1, pattern=watched.format("a")))
    feed.give(indicator(1, modified=2, pattern=watched.format("b") + " OR [url:value LIKE 'x%']"))
    fresh = FeedHand(store)
    fresh.give(indicator(1, modified=2, pattern=watched.format("b") + " OR [url:value LIKE 'x%']"))
    said = "SELECT observable, kind, why FROM claims c JOIN objects o ON o.number = c.object "
    said += "WHERE o.feed = ? ORDER BY 1, 2, 3"
    assert rows(store, said, feed.number) == rows(store, said, fresh.number)


def test_claims_without_observable_are_kept_while_said(store: Store) -> None:
    feed = FeedHand(store)
    pcre = {"pattern": "x+", "pattern_type": "pcre"}
    feed.give(indicator(1, **pcre))
    before = rows(store, "SELECT number, observable, kind FROM claims")
    assert before == [(1, 0, ClaimKind.UNSUPPORTED)]
    feed.give(indicator(1, modified=2, **pcre))
    assert rows(store, "SELECT number, observable, kind FROM claims") == before
    feed.give(indicator(1, modified=3, hosts=(1,)))
    assert rows(store, "SELECT kind FROM claims") == [(ClaimKind.ENFORCEABLE,)]
    assert rows(store, "SELECT claim FROM departures") == [(1,)]


def test_a_rule_is_one_claim_for_all_its_versions(store: Store) -> None:
    feed = FeedHand(store)
    yara = {"pattern": "rule x {}", "pattern_type": "yara"}
    feed.give(indicator(1, **yara))
    said = "SELECT c.number, c.kind, b.type, b.value FROM claims c JOIN observables b "
    said += "ON b.number = c.observable"
    before = rows(store, said)
    [(number, kind, _type, value)] = before
    assert (number, kind) == (1, ClaimKind.RULE)
    assert value.startswith("indicator--")
    touched = rows(store, "SELECT touched FROM observables")
    feed.give(indicator(1, modified=2, **{**yara, "pattern": "rule y {}"}))
    assert rows(store, said) == before
    assert rows(store, "SELECT touched FROM observables") > touched
    feed.give(indicator(1, modified=3, **{**yara, "pattern_type": "sigma"}))
    [(other, kind, _type, same)] = rows(store, said)
    assert (kind, same) == (ClaimKind.RULE, value)
    assert other != number


def test_every_change_touches_its_observables_and_a_repeat_touches_none(store: Store) -> None:
    feed = FeedHand(store)
    touched = "SELECT touched FROM observables ORDER BY number"
    feed.give(indicator(1, hosts=(1,)), indicator(2, hosts=(2,)))
    first = rows(store, touched)
    feed.give(indicator(1, hosts=(1,)))
    assert rows(store, touched) == first
    feed.give(indicator(1, modified=2, hosts=(1,)))
    second = rows(store, touched)
    assert second[0] > first[0]
    assert second[1] == first[1]
    feed.give(indicator(2, modified=2, revoked=True))
    third = rows(store, touched)
    assert third[1] > second[0]
    assert third[0] == second[0]
    feed.give(indicator(3, hosts=(2,)))
    assert rows(store, touched)[1] > third[1]


def test_a_revocation_keeps_the_body_and_the_claims_it_takes_back(store: Store) -> None:
    feed = FeedHand(store)
    feed.give(indicator(1))
    before = dump(store)
    trimmed = indicator(1, modified=2, revoked=True, pattern=None, valid_from=None)
    feed.give(trimmed)
    [(key, held)] = dump(store).items()
    assert held[0] == ObjectState.REVOKED
    assert held[1:] == before[key][1:]
    feed.give(indicator(1, modified=3))
    assert state_of(store, 1) == ObjectState.REVOKED


def test_a_strangers_revocation_disputes_until_the_creator_says_it_anew(store: Store) -> None:
    feed = FeedHand(store)
    feed.give(indicator(1), indicator(1, modified=2, by=STRANGER, revoked=True))
    assert state_of(store, 1) == ObjectState.DISPUTED
    feed.give(indicator(1, modified=3))
    assert state_of(store, 1) == ObjectState.CURRENT


def test_one_page_or_many_come_to_the_same(store: Store) -> None:
    said = (
        indicator(1),
        indicator(1, modified=2, by=STRANGER, revoked=True),
        indicator(1, modified=3, hosts=(7,)),
    )
    at_once, one_by_one = FeedHand(store), FeedHand(store)
    at_once.give(*said)
    for raw in said:
        one_by_one.give(raw)
    state = "SELECT state, modified FROM objects WHERE feed = ?"
    assert rows(store, state, at_once.number) == rows(store, state, one_by_one.number)


@pytest.mark.parametrize("first", [2, 3])
def test_a_strangers_latest_revocation_counts_also_where_it_came_before_the_object(
    store: Store, first: int
) -> None:
    at_once, one_by_one = FeedHand(store), FeedHand(store)
    said = [indicator(1, modified=at, by=STRANGER, revoked=True) for at in (first, 5 - first)]
    said += [indicator(1, modified=3, hosts=(7,))]
    at_once.give(*said)
    for raw in said:
        one_by_one.give(raw)
    state = "SELECT state FROM objects"
    assert rows(store, state) == [(ObjectState.DISPUTED,)] * 2
    at_once.give(indicator(1, modified=4, hosts=(7,)))
    one_by_one.give(indicator(1, modified=4, hosts=(7,)))
    assert rows(store, state) == [(ObjectState.CURRENT,)] * 2


def test_unreadable_objects_are_kept_with_their_bytes(store: Store) -> None:
    feed = FeedHand(store)
    assert feed.give(b"not json", b'{"type":"indicator"}', b"not json").new == 2
    assert sorted(held[-2] for held in dump(store).values()) == [
        b"not json", b'{"type":"indicator"}',
    ]  # fmt: skip
    assert rows(store, "SELECT kind FROM claims") == [
        (ClaimKind.UNREADABLE,),
        (ClaimKind.UNREADABLE,),
    ]


def test_an_unreadable_version_and_the_readable_ones_are_one_object_in_any_order(
    store: Store,
) -> None:
    versions = [indicator(1), indicator(1, modified=2, pattern=""), indicator(1, modified=2)]
    expected = None
    for order in permutations(versions):
        at_once, one_by_one = FeedHand(store), FeedHand(store)
        at_once.give(*order)
        for raw in order:
            one_by_one.give(raw)
        sql = "SELECT state, modified, (SELECT count(*) FROM claims WHERE object = o.number) "
        for feed in (at_once, one_by_one):
            found = rows(store, sql + "FROM objects o WHERE feed = ?", feed.number)
            expected = expected or found
            assert found == expected == [(ObjectState.CURRENT, expected[0][1], 1)]


def test_an_unreadable_version_leaves_known_whose_the_object_is(store: Store) -> None:
    feed = FeedHand(store)
    feed.give(indicator(1), indicator(1, modified=2, pattern=""))
    assert state_of(store, 1) == ObjectState.UNREADABLE
    assert feed.give(indicator(1, modified=3, by=STRANGER)).quarantined == 1
    assert feed.give(indicator(1, modified=3)).updated == 1
    assert state_of(store, 1) == ObjectState.CURRENT


def test_a_replay_of_an_unreadable_version_changes_nothing(store: Store) -> None:
    feed = FeedHand(store)
    page = (indicator(1), indicator(2), indicator(1, modified=2, pattern=""))
    feed.give(*page)
    before = everything(store)
    assert feed.give(*page[2:]).repeated == 1
    assert feed.give(*page).repeated == 3
    assert everything(store) == before


def test_what_a_run_no_longer_shows_is_withdrawn_and_returns_when_shown(store: Store) -> None:
    feed = FeedHand(store, whole=True)
    assert feed.run(indicator(1), indicator(2)) == 0
    assert feed.run(indicator(1)) == 1
    assert state_of(store, 2) == ObjectState.WITHDRAWN
    assert feed.run(indicator(1)) == 0, "it leaves once"
    assert feed.run(indicator(1), indicator(2)) == 0
    assert state_of(store, 2) == ObjectState.CURRENT


def test_a_run_that_did_not_end_withdraws_nothing(store: Store) -> None:
    feed = FeedHand(store, whole=True)
    feed.run(indicator(1), indicator(2))
    feed.state = store.objects.runs.begin_run(feed.state)
    feed.give(indicator(1))
    assert state_of(store, 2) == ObjectState.CURRENT
    assert feed.run(indicator(1), indicator(2)) == 0


def test_an_object_stays_while_another_collection_shows_it(store: Store) -> None:
    feed = FeedHand(store, whole=True)
    feed.run(indicator(1), indicator(2))
    other = FeedHand(store, whole=True)
    other.number = feed.number
    other.state = store.objects.runs.collection(feed.number, "other", "other")
    other.run(indicator(1))
    assert feed.run() == 1
    assert (state_of(store, 1), state_of(store, 2)) == (ObjectState.CURRENT, ObjectState.WITHDRAWN)
    assert store.objects.runs.drop_collections(feed.number, {"key"}) == 1
    assert state_of(store, 1) == ObjectState.WITHDRAWN


def test_a_disputed_object_that_leaves_its_file_is_withdrawn(store: Store) -> None:
    feed = FeedHand(store, whole=True)
    feed.run(indicator(1), indicator(1, modified=2, by=STRANGER, revoked=True))
    assert state_of(store, 1) == ObjectState.DISPUTED
    assert feed.run() == 1
    assert state_of(store, 1) == ObjectState.WITHDRAWN


def test_a_revoked_object_stays_revoked_when_it_leaves_and_returns(store: Store) -> None:
    feed = FeedHand(store, whole=True)
    feed.run(indicator(1, modified=2, revoked=True))
    assert feed.run() == 0
    assert feed.run(indicator(1)) == 0
    assert state_of(store, 1) == ObjectState.REVOKED


def test_unreadable_objects_that_leave_their_file_are_forgotten(store: Store) -> None:
    feed = FeedHand(store, whole=True)
    feed.run(b"not json", indicator(1))
    assert feed.run(indicator(1)) == 1
    assert len(dump(store)) == 1
    assert rows(store, "SELECT count(*) FROM claims") == [(1,)]
    assert rows(store, "SELECT count(packed) FROM objects") == [(1,)]
    assert len(rows(store, "SELECT claim FROM departures")) == 1


def test_a_cursor_of_a_collection_that_is_not_whole_is_never_dropped(store: Store) -> None:
    feed = FeedHand(store)
    feed.give(indicator(1), cursor="kept")
    assert store.objects.runs.drop_collections(feed.number, set()) == 0
    assert store.objects.runs.collection(feed.number, "key", "title").cursor == "kept"
    assert state_of(store, 1) == ObjectState.CURRENT


def test_traits_are_kept_once_and_shared_across_pages_feeds_and_restarts(
    store: Store, database_url: str
) -> None:
    FeedHand(store).give(indicator(1, labels=["a"]), indicator(2, labels=["a"]))
    FeedHand(store).give(indicator(3, labels=["a"]), indicator(4, labels=["b"]))
    assert len(rows(store, "SELECT number FROM attributes")) == 2
    again = Store(database_url)
    try:
        FeedHand(again).give(indicator(5, labels=["b"]), indicator(6, labels=["c"]))
        assert len(rows(again, "SELECT number FROM attributes")) == 3
        number = rows(
            again, "SELECT attributes FROM objects WHERE key = ?", key_of_id(indicator_id(5))
        )[0][0]
        assert again.attributes(number).labels == ("b",)
        assert again.attributes(number).created_by == PRODUCER
    finally:
        again.close()


def test_traits_of_a_page_that_failed_are_not_remembered(store: Store) -> None:
    feed = FeedHand(store)
    broken = replace(read_version(indicator(1, labels=["x"]), "feed"), claims=lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        store.objects.store_page(feed.number, feed.state, [broken], "c", whole=False, now=1)
    feed.give(indicator(1, labels=["y"]))
    feed.give(indicator(2, labels=["x"]))
    found = rows(
        store, "SELECT o.key, t.body FROM objects o JOIN attributes t ON t.number = o.attributes"
    )
    labels = {bytes(key): body for key, body in found}
    assert '"x"' in labels[key_of_id(indicator_id(2))]
    assert '"y"' in labels[key_of_id(indicator_id(1))]


def test_a_marking_that_was_asked_for_in_vain_is_told_when_it_comes(store: Store) -> None:
    late, early = (f"marking-definition--{n:08x}-0000-4000-8000-000000000000" for n in (1, 2))
    red, green = KnownMarking(Tlp.RED), KnownMarking(Tlp.GREEN)
    feed = FeedHand(store).number
    kept = store.markings.of(feed)
    assert late not in kept
    store.objects.add_markings(feed, {early: Definition(green)})
    assert kept.look_again([early]) is False
    assert kept[early] == green
    store.objects.add_markings(feed, {late: Definition(red), early: Definition(green)})
    assert kept.look_again([late, early]) is True
    assert kept.look_again([late, early]) is False
    assert kept == {early: green, late: red}


def test_two_definitions_of_one_version_are_both_heard_and_a_newer_one_alone(store: Store) -> None:
    ref = "marking-definition--00000001-0000-4000-8000-000000000000"
    red, green = KnownMarking(Tlp.RED), KnownMarking(Tlp.GREEN)
    feed = FeedHand(store).number

    def moves(said: KnownMarking, version: int = 0) -> bool:
        store.objects.add_markings(feed, {ref: Definition(said, version)})
        return bool(store.objects.definitions.moved(feed))

    assert [moves(green), moves(green), moves(red), moves(green)] == [False, False, True, False]
    assert store.markings.of(feed) == {ref: red}
    assert moves(green, 1)
    assert not moves(red), "an older version is no news"
    store.markings.of(feed).look_again([ref])
    assert store.markings.of(feed) == {ref: green}


def test_a_marking_means_what_its_own_feed_says_and_a_published_one_what_it_means(
    store: Store,
) -> None:
    ref = "marking-definition--00000001-0000-4000-8000-000000000000"
    ours, theirs = FeedHand(store).number, FeedHand(store).number
    closing = KnownMarking(None, AcsMarking(disposal=1))
    store.objects.add_markings(theirs, {ref: Definition(closing), TLP_GREEN: Definition(closing)})
    assert dict(store.markings.of(ours)) == {}
    assert dict(store.markings.of(theirs)) == {ref: closing}
    assert [(one.feed, one.marking) for one in store.objects.disposals.due(9)] == [(theirs, ref)]


def test_what_a_file_showed_before_counts_no_more(store: Store) -> None:
    ref = "marking-definition--00000001-0000-4000-8000-000000000000"
    closing = KnownMarking(Tlp.GREEN, AcsMarking(disposal=1))
    feed, definitions = FeedHand(store).number, store.objects.definitions

    def shown(run: int, *said: KnownMarking, collection: int = 7) -> KnownMarking:
        place = ShownIn(collection, run)
        with store.database.write() as transaction:
            for each in said:
                definitions.put(transaction, feed, {ref: Definition(each)}, place)
            definitions.end_run(transaction, feed, place)
        store.markings.of(feed).look_again([ref])
        return store.markings.of(feed)[ref]

    assert shown(1, closing) == closing
    assert shown(2, KnownMarking(Tlp.CLEAR)) == KnownMarking(Tlp.CLEAR)
    assert store.objects.disposals.due(9) == []
    both = shown(3, KnownMarking(Tlp.CLEAR), closing)
    assert (both.tlp, store.objects.disposals.due(9)[0].marking) == (Tlp.GREEN, ref)
    assert shown(4).acs == AcsMarking(), "it is gone, and its date with it"
    assert store.objects.disposals.due(9) == []
    assert shown(1, KnownMarking(Tlp.RED), collection=8) == KnownMarking(Tlp.RED)


def test_names_come_from_the_originals(store: Store) -> None:
    FeedHand(store).give(indicator(1, name="Beacon", hosts=(1, 2)), indicator(2), b"not json")
    FeedHand(store).give(indicator(1, name="of another feed"))
    claims = [row[0] for row in rows(store, "SELECT number FROM claims ORDER BY number")]
    with store.database.read() as transaction:
        found = store.names(transaction, claims)
    assert list(found.values()) == ["Beacon", "Beacon", "of another feed"]
    assert len(claims) == 5


def test_attempts_are_noted_and_success_is_kept_apart(store: Store) -> None:
    feed = FeedHand(store)
    store.objects.note_attempt(feed.number, 10, None)
    store.objects.note_attempt(feed.number, 20, "no answer")
    sql = "SELECT last_success, last_failure, last_recovery, error FROM feeds"
    assert rows(store, sql) == [(10, 20, None, "no answer")]
    for moment in (30, 40):
        store.objects.note_attempt(feed.number, moment, None)
    assert rows(store, sql) == [(40, 20, 30, None)], "the first that went well recovered it"
    assert store.feeds() == {feed.number: found_name(store)}


def found_name(store: Store) -> str:
    return str(rows(store, "SELECT name FROM feeds")[0][0])


def test_observables_are_numbered_once(store: Store) -> None:
    FeedHand(store).give(indicator(1, hosts=(1, 2)), indicator(2, hosts=(2, 1)))
    FeedHand(store).give(indicator(3, hosts=(1,)))
    found = rows(store, "SELECT value FROM observables ORDER BY number")
    assert found == [("198.51.100.1",), ("198.51.100.2",)]
    asked = [Observable(ObservableType.IPV4_ADDR, value) for (value,) in found]
    with store.database.read() as transaction:
        numbers = store.wanted.numbers_of(transaction, asked)
    assert [numbers[each] for each in asked] == [1, 2]


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, int, bool, tuple[int, ...]]]:
    """Versions of a few objects by one creator: object, time, revoked, hosts."""
    said = []
    for number in range(draw(st.integers(1, 3))):
        times = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True))
        revoked = draw(st.booleans())
        for time in sorted(times):
            hosts = tuple(sorted(draw(st.sets(st.integers(1, 6), min_size=1, max_size=3))))
            said.append((number, time, revoked and time == max(times), hosts))
    return said


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    history=histories(),
    disputes=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), max_size=3),
    data=st.data(),
)
def test_any_order_and_repetition_of_pages_comes_to_the_same(
    store: Store,
    history: list[tuple[int, int, bool, tuple[int, ...]]],
    disputes: list[tuple[int, int]],
    data: st.DataObject,
) -> None:
    """Also where somebody else revokes what may not have come yet."""
    feed = FeedHand(store)
    told = [
        indicator(number, modified=time, hosts=hosts, revoked=revoked)
        for number, time, revoked, hosts in history
    ]
    told += [
        indicator(number, modified=time, by=STRANGER, revoked=True) for number, time in disputes
    ]
    order = data.draw(st.permutations(told))
    order += data.draw(st.lists(st.sampled_from(told), max_size=6))
    while order:
        size = data.draw(st.integers(1, len(order)))
        feed.give(*order[:size])
        order = order[size:]
    for number in {version[0] for version in history}:
        key = key_of_id(indicator_id(number))
        versions = [version for version in history if version[0] == number]
        newest = max(versions, key=lambda version: version[1])
        [(held, state, modified)] = rows(
            store, "SELECT number, state, modified FROM objects WHERE feed = ? AND key = ?",
            feed.number, key,
        )  # fmt: skip
        if newest[2]:
            assert state == ObjectState.REVOKED
            continue
        expected = read_version(indicator(number, modified=newest[1]), "feed")
        doubts = [time for disputed, time in disputes if disputed == number]
        standing = (
            ObjectState.DISPUTED if max(doubts, default=0) >= newest[1] else ObjectState.CURRENT
        )
        assert (state, modified) == (standing, expected.modified)
        said = rows(
            store, "SELECT b.value FROM claims c JOIN observables b ON b.number = c.observable "
            "WHERE c.object = ? ORDER BY b.value", held,
        )  # fmt: skip
        assert said == [(f"198.51.100.{host}",) for host in newest[3]]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(history=histories(), stranger=st.integers(0, 10), data=st.data())
def test_a_replay_of_the_latest_page_changes_nothing(
    store: Store,
    history: list[tuple[int, int, bool, tuple[int, ...]]],
    stranger: int,
    data: st.DataObject,
) -> None:
    feed = FeedHand(store)
    said = [
        (time, indicator(number, modified=time, hosts=hosts, revoked=revoked))
        for number, time, revoked, hosts in history
    ]
    said.append((stranger, indicator(0, modified=max(1, stranger), by=STRANGER, revoked=True)))
    raws = [raw for _time, raw in sorted(said)]
    cut = data.draw(st.integers(0, len(raws) - 1))
    if cut:
        feed.give(*raws[:cut])
    feed.give(*raws[cut:])
    before = everything(store)
    replayed = feed.give(*raws[cut:])
    assert everything(store) == before
    assert (replayed.new, replayed.updated, replayed.revoked) == (0, 0, 0)


def test_pattern_samples_mean_what_the_tests_think() -> None:
    claims = read_version(indicator(1, pattern=pattern_of(1, 2)), "feed").claims()
    assert [claim.observable.value for claim in claims if claim.observable] == [
        "198.51.100.1", "198.51.100.2",
    ]  # fmt: skip
    assert read_version(indicator(1, valid_until=at(2)), "feed").valid_until is not None


def test_a_marking_that_arrives_while_it_is_looked_for_is_found_the_next_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = "marking-definition--00000000-0000-4000-8000-000000000001"
    green = KnownMarking(Tlp.GREEN)
    feed = FeedHand(store).number
    find = FeedMarkings._find

    def arrives_after(kept: FeedMarkings, asked: str) -> KnownMarking | None:
        found = find(kept, asked)
        if found is None:
            store.objects.add_markings(feed, {asked: Definition(green)})
            kept.look_again([asked])
        return found

    monkeypatch.setattr(FeedMarkings, "_find", arrives_after)
    assert ref not in store.markings.of(feed)
    assert store.markings.of(feed)[ref] == green


def test_what_objects_said_before_and_say_no_more_is_dropped(store: Store) -> None:
    feed = FeedHand(store)
    feed.give(indicator(1, labels=["x"]), indicator(2, labels=["shared"]))
    feed.give(indicator(1, labels=["shared"], modified=2), indicator(3, labels=["kept"]))
    assert store.objects.delete_unreferenced() == 1
    assert store.objects.delete_unreferenced() == 0
    feed.give(indicator(4, labels=["x"]), indicator(5, labels=["kept"]))
    feed.give(indicator(6, labels=["late"]), indicator(6, labels=["shared"], modified=2))
    store.objects.delete_unreferenced()
    labels = {
        bytes(key): store.attributes(number).labels
        for key, number in rows(store, "SELECT key, attributes FROM objects")
    }
    said = {1: "shared", 2: "shared", 3: "kept", 4: "x", 5: "kept", 6: "shared"}
    assert labels == {key_of_id(indicator_id(n)): (word,) for n, word in said.items()}


def purged(store: Store, hand: FeedHand, marking: str) -> int:
    """Purge a feed of what bears a marking; return how many objects that were."""
    borne = store.objects.disposals.bearing(hand.number, {marking})
    store.objects.disposals.purge(hand.number, borne)
    return len(borne)


def test_what_is_purged_from_one_feed_takes_nothing_of_another_away(store: Store) -> None:
    marking = "marking-definition--0c0c0c0c-0000-4000-8000-000000000001"
    folder, server = FeedHand(store, whole=True), FeedHand(store)
    server.give(indicator(1))
    assert folder.run(indicator(2), indicator(3, object_marking_refs=[marking])) == 0
    assert purged(store, folder, marking) == 1
    server.give(indicator(4))
    assert folder.run(indicator(2)) == 0
    assert [state_of(store, number) for number in (1, 2, 4)] == [ObjectState.CURRENT] * 3


def test_what_is_purged_from_one_feed_is_not_missed_by_the_inventory_of_another(
    store: Store,
) -> None:
    marking = "marking-definition--0c0c0c0c-0000-4000-8000-000000000001"
    one, other = FeedHand(store), FeedHand(store)

    def take_stock(hand: FeedHand, *named: int) -> int:
        inventory = store.objects.inventories.begin(hand.number)
        inventory.name([indicator_id(number) for number in named])
        return store.objects.inventories.finish(inventory, 1).withdrawn

    one.give(indicator(1), indicator(2), indicator(3, object_marking_refs=[marking]))
    assert take_stock(one, 1, 2) == 0
    assert purged(store, one, marking) == 1
    other.give(indicator(4), indicator(5))
    assert take_stock(other, 5) == 0
    assert state_of(store, 4) == ObjectState.CURRENT


def test_an_id_that_no_object_can_bear_is_no_end_of_a_relationship(store: Store) -> None:
    hand = FeedHand(store)
    long = "indicator--" + "".join(f"{number:x}" for number in range(9000))
    told = {"relationship_type": "indicates", "source_ref": long, "target_ref": long}
    raw = indicator(1, type="relationship", **told).replace(b"indicator--0", b"relationship--0", 1)
    assert hand.give(raw, indicator(2)).new == 2
    assert rows(store, "SELECT * FROM edges") == []


def test_a_text_with_a_null_in_it_is_kept_or_not_found_and_stops_nothing(store: Store) -> None:
    hand = FeedHand(store)
    marking = "marking-definition--\0"
    hand.give(indicator(1, object_marking_refs=[marking]), cursor="after\0")
    store.objects.note_attempt(hand.number, 1, "the server said \0")
    assert marking not in store.markings.of(hand.number)
    assert store.objects.runs.cursors(hand.number)["key"][1].startswith("after")
    [(error,)] = rows(store, "SELECT error FROM feeds WHERE number = ?", hand.number)
    assert error.startswith("the server said ")


def test_what_passed_the_door_before_its_marking_came_is_not_kept_after_the_purge(
    store: Store,
) -> None:
    marking = "marking-definition--0c0c0c0c-0000-4000-8000-000000000001"
    hand = FeedHand(store)
    passed = indicator(1, object_marking_refs=[marking])
    classified = KnownMarking(None, AcsMarking(spill="SECRET"))
    store.objects.add_markings(hand.number, {marking: Definition(classified)})
    assert purged(store, hand, marking) == 0
    assert hand.give(passed, indicator(2)).new == 1
    assert state_of(store, 2) == ObjectState.CURRENT
    assert rows(store, "SELECT count(*) FROM objects") == [(1,)]


def test_as_many_outputs_as_there_are_connections_learn_names_at_once(store: Store) -> None:
    FeedHand(store).give(indicator(1, name="Beacon"))
    with ExitStack() as held:
        outputs = [held.enter_context(store.database.read()) for _ in range(45)]
        found = [store.names(transaction, [1]) for transaction in outputs]
    assert found == [{1: "Beacon"}] * 45


def test_what_a_producer_made_is_touched_when_it_is_told_of_whatever_its_id_holds(
    store: Store,
) -> None:
    odd = 'identity--"50%_\\'
    FeedHand(store).give(
        indicator(1, created_by_ref=odd), indicator(2, created_by_ref='identity--"500_\\')
    )
    touched = "SELECT number, touched FROM observables ORDER BY number"
    before = rows(store, touched)
    assert store.objects.mark_changed_of([odd])
    assert [
        one[0] for one, was in zip(rows(store, touched), before, strict=True) if one != was
    ] == [1]
