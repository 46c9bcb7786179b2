"""TAXII 2.0: found out by itself, paged by ranges, and read without losing an object."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.errors import UnavailableError
from connector.feed import Page
from connector.feeds.taxii.cursor import Cursor, write_stamp
from connector.feeds.taxii.feed import TaxiiFeed
from connector.testing.feed_suite import FeedSuite, Publish, read_ids, sample_objects
from connector.testing.taxii.faults import Asked, Body, Fault, Header, Inclusive, Status
from connector.testing.taxii.ranges import Ranges
from connector.testing.taxii.server import TaxiiServer

MakeFeed = Callable[..., TaxiiFeed]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def old(server: TaxiiServer) -> TaxiiServer:
    """A server that speaks TAXII 2.0 and nothing else."""
    server.versions = ("2.0",)
    return server


def ids(count: int) -> set[str]:
    return {str(item["id"]) for item in sample_objects(count)}


def read_all(feed: TaxiiFeed, cursor: str | None = None) -> list[Page]:
    return [page for found in feed.collections() for page in feed.pages(found, cursor)]


def spans(server: TaxiiServer) -> list[str | None]:
    return [asked.headers.get("Range") for asked in server.requests if asked.page]


class TestTaxii20(FeedSuite):
    @pytest.fixture
    def feed(self, old: TaxiiServer, make_feed: MakeFeed) -> TaxiiFeed:
        return make_feed(page_size=400)

    @pytest.fixture
    def publish(self, old: TaxiiServer) -> Publish:
        return old.add_objects

    @pytest.fixture
    def break_source(self, old: TaxiiServer) -> Callable[[], None]:
        return old.close


class TestTaxii20ByEqualSigns(TestTaxii20):
    @pytest.fixture
    def publish(self, old: TaxiiServer) -> Publish:
        old.ranges = Ranges.EQUALS
        return old.add_objects


class TestTaxii20WithoutRanges(TestTaxii20):
    @pytest.fixture
    def publish(self, old: TaxiiServer) -> Publish:
        old.ranges = Ranges.NONE
        return old.add_objects


def test_takes_the_older_version_where_a_server_refuses_the_newer(
    old: TaxiiServer, make_feed: MakeFeed
) -> None:
    old.add_objects(sample_objects(3))
    assert read_ids(read_all(make_feed())) == ids(3)
    accepted = [asked.headers["Accept"] for asked in old.requests]
    assert accepted[0] == "application/taxii+json;version=2.1"
    assert accepted[-1] == "application/vnd.oasis.stix+json; version=2.0"
    assert accepted.count(accepted[0]) == 1


def test_takes_the_older_version_where_a_server_answers_in_it(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.add_objects(sample_objects(3))
    oasis = "application/vnd.oasis.taxii+json; version=2.0"
    server.faults = [Header(path="/taxii2/", name="Content-Type", value=oasis, times=1)]
    assert read_ids(read_all(make_feed())) == ids(3)
    assert spans(server) == ["items 0-999"]


def test_asks_for_the_newer_version_first(server: TaxiiServer, make_feed: MakeFeed) -> None:
    server.add_objects(sample_objects(3))
    read_all(make_feed())
    assert spans(server) == [None]


def test_speaks_only_the_version_that_the_file_names(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.add_objects(sample_objects(3))
    assert read_ids(read_all(make_feed(version="2.0"))) == ids(3)
    assert {"2.0" in asked.headers["Accept"] for asked in server.requests} == {True}


@pytest.mark.parametrize(("spoken", "asked"), [("2.0", "2.1"), ("2.1", "2.0")])
def test_says_which_version_the_server_does_not_speak(
    server: TaxiiServer, make_feed: MakeFeed, spoken: str, asked: str
) -> None:
    server.versions = (spoken,)
    with pytest.raises(UnavailableError, match=f"does not speak TAXII {asked}: check version"):
        make_feed(version=asked).collections()


def test_a_server_that_speaks_neither_is_unavailable(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.versions = ()
    with pytest.raises(UnavailableError, match=r"does not speak TAXII 2\.1 or 2\.0"):
        make_feed().collections()


def test_notices_that_a_server_was_updated(old: TaxiiServer, make_feed: MakeFeed) -> None:
    old.add_objects(sample_objects(3))
    feed = make_feed()
    cursor = read_all(feed)[-1].cursor
    old.versions = ("2.1",)
    old.add_objects(sample_objects(2, start=3))
    with pytest.raises(UnavailableError, match="406"):
        read_all(feed, cursor)
    assert read_ids(read_all(feed, cursor)) >= ids(5) - ids(3)


def test_a_root_named_in_full_is_read_in_the_older_version_too(
    old: TaxiiServer, make_feed: MakeFeed
) -> None:
    old.add_objects(sample_objects(3))
    assert read_ids(read_all(make_feed(roots=[f"{old.origin}/public/"]))) == ids(3)


@pytest.mark.parametrize("ranges", list(Ranges))
@pytest.mark.parametrize("faults", [[], [Header(name="Content-Range")], [Inclusive()]])
@pytest.mark.parametrize("count", [0, 1, 100, 101, 250, 300])
def test_reads_every_object_whatever_ranges_the_server_understands(
    old: TaxiiServer, make_feed: MakeFeed, ranges: Ranges, faults: list[Fault], count: int
) -> None:
    old.ranges, old.faults = ranges, faults
    old.add_objects(sample_objects(count), date_added=NOON)
    pages = read_all(make_feed(page_size=100))
    assert read_ids(pages) == ids(count)
    assert sum(len(page.objects) for page in pages) == count
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]


def test_goes_by_the_page_size_of_a_server_that_sends_less_than_asked(
    old: TaxiiServer, make_feed: MakeFeed
) -> None:
    old.max_page_size = 60
    old.add_objects(sample_objects(250))
    assert read_ids(read_all(make_feed(page_size=100))) == ids(250)


def test_takes_a_whole_page_of_a_server_that_forgets_to_say_partial(
    old: TaxiiServer, make_feed: MakeFeed
) -> None:
    class Forgets(Fault):
        def reply(self, reply: Any) -> Any:
            return type(reply)(200, {"Content-Type": "application/json"}, reply.body)

    old.faults = [Forgets()]
    old.add_objects(sample_objects(250))
    assert read_ids(read_all(make_feed(page_size=100))) == ids(250)


class Meanwhile(Fault):
    """Something happens at the server just before it answers for one page."""

    def __init__(self, page: int, act: Callable[[], None]) -> None:
        super().__init__(page=page)
        self.act = act

    def question(self, asked: Asked) -> Asked:
        self.act()
        return asked


def test_loses_none_when_an_object_is_deleted_while_it_reads(
    old: TaxiiServer, make_feed: MakeFeed
) -> None:
    old.add_objects(sample_objects(250))
    first = str(sample_objects(1)[0]["id"])
    old.faults = [Meanwhile(2, lambda: old.collections[0].remove(first))]
    assert read_ids(read_all(make_feed(page_size=100))) == ids(250)


def test_loses_none_when_an_object_is_updated_while_it_reads(
    old: TaxiiServer, make_feed: MakeFeed
) -> None:
    old.add_objects(sample_objects(250))
    update = {**sample_objects(1)[0], "modified": "2026-02-01T00:00:00.000Z"}
    old.faults = [Meanwhile(2, lambda: old.add_objects([update]))]
    assert read_ids(read_all(make_feed(page_size=100))) == ids(250)


def test_gives_up_on_a_server_whose_order_changes_for_ever(
    old: TaxiiServer, make_feed: MakeFeed
) -> None:
    class Shuffles(Fault):
        def envelope(self, envelope: Any) -> Any:
            return type(envelope)(envelope.objects[::-1])

    old.faults = [Shuffles()]
    old.add_objects(sample_objects(250))
    with pytest.raises(UnavailableError, match="order changed 5 times"):
        read_all(make_feed(page_size=100))


def test_a_total_that_is_never_reached_is_an_error_and_not_the_end(
    old: TaxiiServer, make_feed: MakeFeed
) -> None:
    old.faults = [Header(name="Content-Range", value="items 0-99/900")]
    old.add_objects(sample_objects(250))
    with pytest.raises(UnavailableError, match="counts 900 objects and sends no more than 250"):
        read_all(make_feed(page_size=100))


def test_continues_after_the_stamp_that_a_page_has(old: TaxiiServer, make_feed: MakeFeed) -> None:
    old.add_objects(sample_objects(250), date_added=NOON)
    cursor = read_all(make_feed(page_size=100))[-1].cursor
    assert Cursor.read(cursor).last == NOON
    read_all(make_feed(), cursor)
    asked = [a.query.get("added_after") for a in old.requests if a.page]
    assert asked[-1] == write_stamp(NOON)


def test_asks_the_manifest_where_a_page_has_no_stamp(old: TaxiiServer, make_feed: MakeFeed) -> None:
    old.add_objects(sample_objects(250), date_added=NOON)
    old.faults = [Header()]
    assert Cursor.read(read_all(make_feed(page_size=100))[-1].cursor).last == NOON


def test_without_stamps_and_manifest_continues_from_when_it_began(
    old: TaxiiServer, make_feed: MakeFeed
) -> None:
    old.add_objects(sample_objects(3), date_added=NOON)
    old.faults = [Header(), Status(code=501, path="/manifest/")]
    feed = make_feed()
    cursor = read_all(feed)[-1].cursor
    old.add_objects(sample_objects(2, start=3))
    assert read_ids(read_all(feed, cursor)) == ids(5) - ids(3)


@pytest.mark.parametrize("code", [400, 416])
def test_a_range_refused_in_every_form_is_not_an_empty_collection(
    old: TaxiiServer, make_feed: MakeFeed, code: int
) -> None:
    class RefusesRanges(Fault):
        def takes(self, asked: Asked) -> bool:
            return super().takes(asked) and "Range" in asked.headers

        def reply(self, reply: Any) -> Any:
            return type(reply)(code, {}, b"{}")

    old.faults = [RefusesRanges()]
    old.add_objects(sample_objects(250))
    assert read_ids(read_all(make_feed(page_size=100))) == ids(250)
    assert spans(old) == ["items 0-99", "items=0-99", None]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"title": "x"}', b'{"type": "indicator"}', b"3", b"\xff"]
)
def test_nonsense_in_place_of_a_bundle_is_unavailable(
    old: TaxiiServer, make_feed: MakeFeed, body: bytes
) -> None:
    old.add_objects(sample_objects(3))
    old.faults = [Body(body=body, content_type="application/vnd.oasis.stix+json")]
    with pytest.raises(UnavailableError):
        read_all(make_feed())


@pytest.mark.parametrize("body", [b"{}", b'{"type": "bundle", "id": "bundle--1"}'])
def test_a_bundle_without_objects_is_a_true_answer(
    old: TaxiiServer, make_feed: MakeFeed, body: bytes
) -> None:
    old.faults = [Body(body=body, content_type="application/vnd.oasis.stix+json")]
    (page,) = read_all(make_feed())
    assert (page.objects, page.last) == ([], True)


def test_a_run_of_ranges_has_a_bound_of_pages_and_the_next_continues_from_there(
    old: TaxiiServer, make_feed: MakeFeed
) -> None:
    old.add_objects(sample_objects(50))
    feed = make_feed(page_size=10, max_pages=2, overlap=timedelta(seconds=1))
    (collection,) = feed.collections()
    pages: list[Page] = []
    with pytest.raises(UnavailableError, match="sent 2 pages in one run and says there is more"):
        pages.extend(feed.pages(collection, None))
    assert len(pages) == 2
    rest = list(make_feed(page_size=10).pages(collection, pages[-1].cursor))
    assert read_ids([*pages, *rest]) == ids(50)
