"""What is counted of a feed's character, its bound, and its alarms; on both databases."""

from store_samples import indicator

from connector.decisions.character import Lately
from connector.ingest.versions import read_version
from connector.store.feeds.arrivals import StoreResult
from connector.store.store import Store

NOW = 1_900_000_000_000_000
DAY = 86_400 * 1_000_000


def take(
    store: Store, feed: int, *raw: bytes, most: int | None = None, cursor: str = "c"
) -> StoreResult:
    state = store.objects.runs.collection(feed, "key", "title")
    versions = [read_version(each, "feed") for each in raw]
    return store.objects.store_page(feed, state, versions, cursor, whole=False, now=NOW, most=most)


def test_a_span_begins_after_the_first_fill_and_then_daily(store: Store) -> None:
    habits, feed = store.objects.habits, store.objects.feed_number("a")
    habits.begin(feed, NOW, DAY)
    take(store, feed, indicator(1), indicator(2))
    assert habits.lately(feed) == Lately(0, 2, strangers=2, claims=2, odd=2)
    store.objects.note_attempt(feed, NOW, None)
    habits.begin(feed, NOW + 1, DAY)
    assert habits.lately(feed) == Lately(2)
    take(store, feed, indicator(3), indicator(1))
    habits.note_gone(feed, 2)
    assert habits.lately(feed) == Lately(2, 1, 2, claims=1)
    habits.begin(feed, NOW + DAY, DAY)
    assert habits.lately(feed) == Lately(2, 1, 2, claims=1)
    habits.begin(feed, NOW + 1 + DAY, DAY)
    assert habits.lately(feed) == Lately(1)


def test_what_a_feed_says_again_under_another_id_is_a_twin_and_what_another_feed_says_is_not(
    store: Store,
) -> None:
    habits = store.objects.habits
    feed, other = store.objects.feed_number("a"), store.objects.feed_number("b")
    for one in (feed, other):
        habits.begin(one, NOW, DAY)
    take(store, other, indicator(1, pattern="[ipv4-addr:value = '192.0.2.1']"))
    take(store, feed, indicator(2, pattern="[ipv4-addr:value = '192.0.2.2']"))
    habits.begin(feed, NOW, DAY, anew=True)
    same = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.3"]
    take(store, feed, *(indicator(10 + n, pattern=f"[ipv4-addr:value = '{value}']")
                        for n, value in enumerate(same)))  # fmt: skip
    assert habits.lately(feed).twins == 2


def test_a_full_feed_keeps_its_cursor_before_what_it_did_not_take(store: Store) -> None:
    feed = store.objects.feed_number("a")
    stored = take(store, feed, indicator(1), indicator(2), most=2, cursor="first")
    assert (stored.new, stored.refused) == (2, 0)
    page = [indicator(3), indicator(1, modified=3), indicator(4), indicator(3)]
    stored = take(store, feed, *page, most=2, cursor="second")
    assert (stored.new, stored.updated, stored.refused) == (0, 1, 3)
    assert store.objects.runs.cursors(feed) == {"key": ("title", "first")}
    stored = take(store, feed, *page, most=3, cursor="second")
    assert (stored.new, stored.refused) == (1, 1)
    stored = take(store, feed, *page, most=4, cursor="second")
    assert (stored.new, stored.refused) == (1, 0)
    assert store.objects.runs.cursors(feed) == {"key": ("title", "second")}


def test_an_alarm_is_news_once_and_its_words_stay_new(store: Store) -> None:
    alarms, feed = store.objects.alarms, store.objects.feed_number("a")
    assert alarms.sound(feed, {"growth": ("many", 5)}, NOW) == ["growth"]
    assert alarms.sound(feed, {"growth": ("more", 6), "kinds": ("odd", 1)}, NOW + 1) == ["kinds"]
    found = [(one.feed, one.name, one.words, one.since, one.count) for one in alarms.found()]
    assert found == [("a", "growth", "more", NOW, 6), ("a", "kinds", "odd", NOW + 1, 1)]
    assert alarms.clear(feed, ["growth", "twins"]) == 1
    assert [one.name for one in alarms.found()] == ["kinds"]
