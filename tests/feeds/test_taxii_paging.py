"""Whatever a server makes of paging, no object is lost and every run ends."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from connector.errors import StoreError, UnavailableError
from connector.feed import Page
from connector.feeds.taxii.cursor import Cursor, write_stamp
from connector.feeds.taxii.feed import TaxiiFeed
from connector.feeds.taxii.loops import MOST_IDLE_PAGES
from connector.testing.feed_suite import read_ids, sample_objects
from connector.testing.taxii.faults import (
    Body,
    EmptyPage,
    EmptyPages,
    Fault,
    Header,
    Inclusive,
    NewTokens,
    NoNext,
    SameToken,
    Status,
)
from connector.testing.taxii.server import TaxiiServer
from connector.testing.taxii.store import MEDIA_TYPE

MakeFeed = Callable[..., TaxiiFeed]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def read_all(feed: TaxiiFeed, cursor: str | None = None) -> list[Page]:
    (collection,) = feed.collections()
    return list(feed.pages(collection, cursor))


def read_until_broken(feed: TaxiiFeed, cursor: str | None = None) -> tuple[list[Page], str]:
    """Return the pages that came before the run failed, and its words."""
    (collection,) = feed.collections()
    pages: list[Page] = []
    with pytest.raises(UnavailableError) as broken:
        pages.extend(feed.pages(collection, cursor))
    return pages, str(broken.value)


def ids(objects: Sequence[dict]) -> set[str]:
    return {item["id"] for item in objects}


def asked_after(server: TaxiiServer) -> list[str | None]:
    return [a.query.get("added_after") for a in server.requests if a.page]


@pytest.mark.parametrize("faults", [[], [NoNext()], [Inclusive()], [Inclusive(), NoNext()]])
def test_loses_none_of_many_objects_with_one_date(
    server: TaxiiServer, make_feed: MakeFeed, faults: list[Fault]
) -> None:
    server.faults = faults
    server.add_objects(sample_objects(30), date_added=NOON - timedelta(hours=1))
    server.add_objects(sample_objects(250, start=30), date_added=NOON)
    server.add_objects(sample_objects(30, start=280), date_added=NOON + timedelta(hours=1))
    assert read_ids(read_all(make_feed(page_size=100))) == ids(sample_objects(310))


def test_resumes_between_objects_with_one_date(server: TaxiiServer, make_feed: MakeFeed) -> None:
    server.add_objects(sample_objects(250), date_added=NOON)
    first = next(iter(make_feed(page_size=100).pages(make_feed().collections()[0], None)))
    assert read_ids([first, *read_all(make_feed(), first.cursor)]) == ids(sample_objects(250))


def test_says_so_when_one_date_has_more_objects_than_a_page_may_hold(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.max_page_size = 100
    server.faults = [NoNext()]
    server.add_objects(sample_objects(250), date_added=NOON)
    _, words = read_until_broken(make_feed(page_size=100))
    assert "more objects with one time than fit in a page" in words


def test_reads_an_object_that_shows_up_late(server: TaxiiServer, make_feed: MakeFeed) -> None:
    server.add_objects(sample_objects(5))
    cursor = read_all(make_feed())[-1].cursor
    late = sample_objects(1, start=5)
    server.add_objects(late, date_added=datetime.now(UTC) - timedelta(minutes=2))
    assert ids(late) <= read_ids(read_all(make_feed(), cursor))


def test_does_not_read_the_newest_objects_again_for_ever(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.add_objects(sample_objects(5), date_added=datetime.now(UTC) - timedelta(days=3))
    feed = make_feed()
    first = read_all(feed)
    second = read_all(feed, first[-1].cursor)
    assert [len(page.objects) for page in second] == [0]
    assert Cursor.read(second[-1].cursor).last == Cursor.read(first[-1].cursor).last


def test_asks_again_for_the_overlap_while_objects_may_still_show_up(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    newest = datetime.now(UTC) - timedelta(seconds=30)
    server.add_objects(sample_objects(5), date_added=newest)
    feed = make_feed()
    read_all(feed, read_all(feed)[-1].cursor)
    assert asked_after(server)[-1] == write_stamp(newest - timedelta(minutes=10))


def test_an_empty_collection_is_a_run_that_ended_well(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    feed = make_feed()
    (page,) = read_all(feed)
    assert (page.objects, page.last) == ([], True)
    server.add_objects(sample_objects(1))
    assert read_ids(read_all(feed, page.cursor)) == ids(sample_objects(1))


def test_ends_when_the_server_gives_one_page_and_token_for_ever(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.add_objects(sample_objects(300))
    server.faults = [SameToken()]
    pages, words = read_until_broken(make_feed(page_size=100))
    assert len(pages) == 1
    assert "repeats a page" in words


@pytest.mark.parametrize("fault", [NewTokens(), EmptyPage(next=None), EmptyPages()])
def test_pages_that_bring_nothing_new_are_bounded_whatever_their_tokens(
    server: TaxiiServer, make_feed: MakeFeed, fault: Fault
) -> None:
    server.add_objects(sample_objects(300))
    server.faults = [fault]
    pages, _words = read_until_broken(make_feed(page_size=1))
    assert len(pages) <= MOST_IDLE_PAGES + 1


def envelope(objects: Sequence[dict], token: str | None) -> bytes:
    more = {} if token is None else {"more": True, "next": token}
    return json.dumps({"objects": list(objects), **more}).encode()


def script(server: TaxiiServer, *pages: bytes) -> None:
    server.faults = [
        Body(page=number, body=page, content_type=MEDIA_TYPE)
        for number, page in enumerate(pages, 1)
    ]


@pytest.mark.parametrize("tokens", [("1", "2", None), ("same", "same", None)])
def test_pages_with_one_first_and_last_object_and_one_size_are_not_a_loop(
    server: TaxiiServer, make_feed: MakeFeed, tokens: tuple[str | None, ...]
) -> None:
    producer = {"type": "identity", "id": "identity--1", "name": "p"}
    marking = {"type": "marking-definition", "id": "marking-definition--1"}
    told = sample_objects(6)
    framed = [[producer, *told[at : at + 2], marking] for at in (0, 2, 4)]
    script(server, *map(envelope, framed, tokens))
    pages = read_all(make_feed())
    assert read_ids(pages) == ids([producer, *told, marking])
    assert pages[-1].last


def test_a_page_that_comes_again_under_another_token_is_not_a_loop(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    one, two = sample_objects(2)
    said = [([one], "1"), ([one], "2"), ([], "3"), ([], "4"), ([one], "5"), ([two], None)]
    script(server, *(envelope(*page) for page in said))
    assert read_ids(read_all(make_feed())) == ids([one, two])


def test_an_empty_page_may_come_again_where_others_bring_something_between(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    one, two, three = sample_objects(3)
    said = [([one], "x"), ([], "x"), ([two], "x"), ([], "x"), ([three], None)]
    script(server, *(envelope(*page) for page in said))
    assert read_ids(read_all(make_feed())) == ids([one, two, three])


def test_a_run_has_a_bound_of_pages_and_the_next_continues_from_there(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.add_objects(sample_objects(50))
    feed = make_feed(page_size=10, max_pages=2, overlap=timedelta(seconds=1))
    pages, words = read_until_broken(feed)
    assert len(pages) == 2
    assert "sent 2 pages in one run and says there is more" in words
    assert "raise max_pages" in words
    rest = read_all(make_feed(page_size=10), pages[-1].cursor)
    assert read_ids([*pages, *rest]) == ids(sample_objects(50))


def test_a_token_that_no_address_can_carry_is_reported(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    script(server, envelope(sample_objects(1), "x" * 5000))
    pages, words = read_until_broken(make_feed())
    assert len(pages) == 1
    assert "the server's next has 5000 characters, more than 4096" in words


@pytest.mark.parametrize("token", ["always", None])
def test_ends_when_the_server_gives_empty_pages_for_ever(
    server: TaxiiServer, make_feed: MakeFeed, token: str | None
) -> None:
    server.faults = [EmptyPage(next=token)]
    read_until_broken(make_feed())
    assert len([a for a in server.requests if a.page]) < 10


def test_continues_past_an_empty_page(server: TaxiiServer, make_feed: MakeFeed) -> None:
    server.add_objects(sample_objects(300))
    server.faults = [EmptyPage(page=2, next=None)]
    pages = read_all(make_feed(page_size=100))
    assert [len(page.objects) for page in pages] == [100, 0, 100]


@pytest.mark.parametrize("code", [400, 404, 500, 502])
def test_starts_over_from_the_cursor_when_a_token_is_refused(
    server: TaxiiServer, make_feed: MakeFeed, code: int
) -> None:
    server.add_objects(sample_objects(500))
    server.faults = [Status(code=code, page=3)]
    pages = read_all(make_feed(page_size=100))
    assert read_ids(pages) == ids(sample_objects(500))
    assert pages[-1].last
    tokens = [a.query.get("next") for a in server.requests if a.page]
    assert tokens[3] is None
    assert tokens.count(tokens[2]) <= 2  # a stateful token must not be spent on a retry


def test_fails_when_starting_over_brings_nothing_new(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.add_objects(sample_objects(300))
    server.faults = [Status(code=400, paged_only=True)]
    pages, words = read_until_broken(make_feed(page_size=100))
    assert len(pages) == 2
    assert "400 Bad Request: scripted fault" in words
    server.faults = []
    rest = read_all(make_feed(page_size=100), pages[-1].cursor)
    assert read_ids([*pages, *rest]) == ids(sample_objects(300))


def test_sends_the_first_parameters_along_with_a_token(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.add_objects(sample_objects(300), date_added=NOON)
    read_all(make_feed(page_size=100), write_stamp(NOON))
    pages = [a.query for a in server.requests if a.page]
    assert len(pages) == 3
    assert {q["limit"] for q in pages} == {"100"}
    assert {q["added_after"] for q in pages} == {"2026-03-01T11:50:00.000000Z"}


@pytest.mark.parametrize(
    "written",
    [
        "Sun Mar 01 2026 12:00:00 GMT+0000 (Coordinated Universal Time)",
        "2026-03-01T12:00:00+00:00",
        "2026-03-01T12:00:00.000000000Z",
        "Sun, 01 Mar 2026 12:00:00 GMT",
        "2026-03-01t13:00:00.0+01:00",
    ],
)
def test_understands_dates_however_the_server_writes_them(
    server: TaxiiServer, make_feed: MakeFeed, written: str
) -> None:
    server.add_objects(sample_objects(3), date_added=NOON)
    server.faults = [Header(value=written)]
    assert Cursor.read(read_all(make_feed())[-1].cursor).last == NOON


@pytest.mark.parametrize("written", [None, "undefined", "", "9999-01-01T00:00:00Z", "yesterday"])
def test_asks_the_manifest_when_no_date_is_given(
    server: TaxiiServer, make_feed: MakeFeed, written: str | None
) -> None:
    server.add_objects(sample_objects(250), date_added=NOON)
    server.add_objects(sample_objects(50, start=250), date_added=NOON + timedelta(hours=1))
    server.faults = [Header(value=written)]
    pages = read_all(make_feed(page_size=100))
    assert read_ids(pages) == ids(sample_objects(300))
    assert Cursor.read(pages[-1].cursor).last == NOON + timedelta(hours=1)


@pytest.mark.parametrize("bad", [{}, {"date_added": 5}, 7, None, [], "text", {"version": []}])
def test_an_entry_of_the_manifest_that_cannot_be_read_leaves_the_others(
    server: TaxiiServer, make_feed: MakeFeed, bad: object
) -> None:
    (told,) = sample_objects(1)
    server.add_objects([told])
    good = {"id": told["id"], "date_added": write_stamp(NOON), "version": told["modified"]}
    listed = json.dumps({"objects": [bad, good]}).encode()
    server.faults = [Header(), Body(path="/manifest/", body=listed, content_type=MEDIA_TYPE)]
    assert Cursor.read(read_all(make_feed())[-1].cursor).last == NOON


@pytest.mark.parametrize("written", ["2" * 60_000, "2026-03-01T12:00:00." + "0" * 60_000 + "Z"])
def test_a_date_of_any_length_is_not_a_date(
    server: TaxiiServer, make_feed: MakeFeed, written: str
) -> None:
    server.add_objects(sample_objects(3), date_added=NOON)
    server.faults = [Header(value=written)]
    assert Cursor.read(read_all(make_feed())[-1].cursor).last == NOON, "as the manifest says"


def test_without_dates_and_manifest_continues_from_when_it_began(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.add_objects(sample_objects(3), date_added=NOON)
    server.faults = [Header(), Status(code=501, path="/manifest/")]
    before = datetime.now(UTC)
    last = Cursor.read(read_all(make_feed())[-1].cursor).last
    assert before - timedelta(minutes=11) < last < datetime.now(UTC) - timedelta(minutes=9)


def test_without_any_date_reads_all_again(server: TaxiiServer, make_feed: MakeFeed) -> None:
    server.add_objects(sample_objects(3), date_added=NOON)
    server.faults = [Header(), Header(name="Date", path=""), Status(code=501, path="/manifest/")]
    feed = make_feed()
    assert read_ids(read_all(feed, read_all(feed)[-1].cursor)) == ids(sample_objects(3))


def test_without_date_and_token_pages_by_the_manifest(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.add_objects(sample_objects(300))
    server.faults = [Header(), NoNext()]
    assert read_ids(read_all(make_feed(page_size=100))) == ids(sample_objects(300))


def test_starts_no_earlier_than_the_server_remembers(make_feed: MakeFeed) -> None:
    with TaxiiServer(clock=lambda: NOON, history=timedelta(hours=48)) as server:
        server.add_objects(sample_objects(5), date_added=NOON - timedelta(hours=50))
        server.add_objects(sample_objects(5, start=5), date_added=NOON - timedelta(hours=1))
        feed = make_feed(url=server.url, window=timedelta(hours=47))
        pages = read_all(feed)
        assert read_ids(pages) == ids(sample_objects(5, start=5))
        assert feed.gaps == {}
        (asked,) = {text for text in asked_after(server) if text}
        assert asked.startswith("2026-02-27T13:00:0")


def test_says_what_was_lost_after_a_long_outage(make_feed: MakeFeed) -> None:
    clock = [NOON - timedelta(hours=52)]
    with TaxiiServer(clock=lambda: clock[0], history=timedelta(hours=48)) as server:
        server.add_objects(sample_objects(5))
        feed = make_feed(url=server.url, window=timedelta(hours=47))
        cursor = read_all(feed)[-1].cursor
        clock[0] = NOON
        later = make_feed(url=server.url, window=timedelta(hours=47))
        read_all(later, cursor)
        (gap,) = later.gaps.values()
        assert abs(gap.after - (NOON - timedelta(hours=52))) < timedelta(seconds=5)
        assert abs(gap.until - (NOON - timedelta(hours=47))) < timedelta(seconds=5)


def test_a_quiet_feed_that_was_polled_has_no_gap(make_feed: MakeFeed) -> None:
    clock = [NOON - timedelta(hours=96)]
    with TaxiiServer(clock=lambda: clock[0]) as server:
        server.add_objects(sample_objects(5))
        clock[0] = NOON - timedelta(hours=1)
        cursor = read_all(make_feed(url=server.url))[-1].cursor
        clock[0] = NOON
        feed = make_feed(url=server.url, window=timedelta(hours=47))
        read_all(feed, cursor)
        assert feed.gaps == {}


def test_refuses_a_cursor_that_is_not_one(make_feed: MakeFeed) -> None:
    with pytest.raises(StoreError, match="unreadable"):
        read_all(make_feed(), "{broken")
