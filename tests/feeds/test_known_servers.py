"""What servers in the field are known to do, one test for each; real ones have files of their own.

Elsewhere: stateful and lost tokens, dates in other forms (test_taxii_paging), windows
(test_taxii_paging, test_scenario_gaps), client certificates (test_taxii_tls), TAXII 2.0.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connector.errors import RefusedError, UnavailableError
from connector.feed import Page
from connector.feeds.taxii.cursor import Cursor, write_stamp
from connector.feeds.taxii.feed import TaxiiFeed
from connector.settings import Auth, SecretValue
from connector.testing.feed_suite import read_ids, sample_objects
from connector.testing.taxii.faults import Asked, Body, Fault, Header, Reply, Status
from connector.testing.taxii.server import ServedCollection, TaxiiServer

MakeFeed = Callable[..., TaxiiFeed]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ids(count: int) -> set[str]:
    return {str(item["id"]) for item in sample_objects(count)}


def read_all(feed: TaxiiFeed, cursor: str | None = None) -> list[Page]:
    return [page for found in feed.collections() for page in feed.pages(found, cursor)]


def test_medallion_leaves_the_date_out_of_a_last_page_of_one_object(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.add_objects(sample_objects(201), date_added=NOON)
    server.faults = [Header(page=3)]
    pages = read_all(make_feed(profile="medallion"))
    assert [len(page.objects) for page in pages] == [100, 100, 1]
    assert Cursor.read(pages[-1].cursor).last == NOON


def test_medallion_fails_on_a_token_without_the_limit_it_was_given_for(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    class WantsLimit(Fault):
        def takes(self, asked: Asked) -> bool:
            return super().takes(asked) and "next" in asked.query and "limit" not in asked.query

        def reply(self, reply: Reply) -> Reply:
            return replace(reply, status=500)

    server.faults = [WantsLimit()]
    server.add_objects(sample_objects(250))
    assert read_ids(read_all(make_feed(page_size=100))) == ids(250)


@pytest.mark.parametrize("fraction", [0, 1, 500_000, 999_999])
def test_opentaxii_wants_six_digits_in_every_time(
    server: TaxiiServer, make_feed: MakeFeed, fraction: int
) -> None:
    server.add_objects(sample_objects(3), date_added=NOON.replace(microsecond=fraction))
    feed = make_feed()
    read_all(feed, read_all(feed)[-1].cursor)
    (asked,) = {a.query["added_after"] for a in server.requests if "added_after" in a.query}
    assert asked == f"2026-03-01T12:00:00.{fraction:06}Z"


def test_opentaxii_before_0_10_cannot_list_its_collections_and_is_down(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.faults = [Status(code=500, path="/collections/", body=b"<title>Server Error</title>")]
    with pytest.raises(UnavailableError, match="collections/: answered 500"):
        make_feed().collections()


def test_opencti_writes_undefined_for_the_dates_of_an_empty_page(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.add_objects(sample_objects(3), date_added=NOON)
    cursor = read_all(make_feed())[-1].cursor
    server.collections[0].rows.clear()
    server.faults = [Header(value="undefined")]
    (page,) = read_all(make_feed(), cursor)
    assert page.objects == []
    assert Cursor.read(page.cursor).last == NOON


@pytest.mark.parametrize("ahead", [timedelta(days=-400), timedelta(minutes=45), timedelta(days=2)])
def test_crowdsec_writes_valid_from_where_the_date_added_belongs(
    make_feed: MakeFeed, ahead: timedelta
) -> None:
    clock = [NOON]
    with TaxiiServer(clock=lambda: clock[0]) as server:
        server.add_objects(sample_objects(3))
        server.faults = [Header(value=write_stamp(NOON + ahead)), Status(code=501, path="/manif")]
        feed = make_feed(url=server.url)
        cursor = read_all(feed)[-1].cursor
        clock[0] = NOON + timedelta(minutes=15)
        server.add_objects(sample_objects(2, start=3))
        assert read_ids(read_all(feed, cursor)) >= ids(5) - ids(3)


def test_a_server_whose_clock_ran_away_for_one_answer_loses_nothing_of_what_it_adds_later(
    make_feed: MakeFeed,
) -> None:
    clock = [NOON]
    with TaxiiServer(clock=lambda: clock[0]) as server:
        server.add_objects(sample_objects(3))
        clock[0] = datetime(9999, 12, 31, tzinfo=UTC)
        server.faults = [Header(value="9999-12-30T00:00:00.000000Z")]
        feed = make_feed(url=server.url)
        cursor = read_all(feed)[-1].cursor
        assert Cursor.read(cursor).last < datetime(9999, 1, 1, tzinfo=UTC)
        server.faults = []
        server.collections[0].add(sample_objects(2, start=3), lambda: datetime.now(UTC))
        clock[0] = datetime.now(UTC)
        assert read_ids(read_all(feed, cursor)) >= ids(5) - ids(3)


def test_old_servers_have_numbers_for_ids(server: TaxiiServer, make_feed: MakeFeed) -> None:
    server.versions = ("2.0",)
    server.collections[:] = [ServedCollection(id="107", title="Phish Tank")]
    server.add_objects(sample_objects(3))
    body = b'{"collections": [{"id": 107, "title": "Phish Tank", "can_read": true}]}'
    kind = "application/vnd.oasis.taxii+json; version=2.0"
    server.faults = [Body(path="/public/collections/", body=body, content_type=kind, times=1)]
    assert read_ids(read_all(make_feed(collections=["107"]))) == ids(3)


@pytest.mark.parametrize(
    "auth",
    [
        Auth(username="key-0123"),
        Auth(username="taxii", password=SecretValue("key-0123")),
        Auth(header="X-Api-Key", key=SecretValue("key-0123")),
        Auth(token=SecretValue("key-0123")),
    ],
    ids=["key as user name", "key as password", "key in a header", "bearer"],
)
def test_vendors_take_their_keys_in_many_places(make_feed: MakeFeed, auth: Auth) -> None:
    wanted = {
        "basic": None if auth.username is None else (auth.username, _shown(auth.password)),
        "key": None if auth.header is None else (auth.header, _shown(auth.key)),
        "bearer": None if auth.token is None else _shown(auth.token),
    }
    with TaxiiServer(**wanted) as server:
        server.add_objects(sample_objects(3))
        assert read_ids(read_all(make_feed(url=server.url, auth=auth))) == ids(3)
        with pytest.raises(RefusedError, match="401"):
            read_all(make_feed(url=server.url))


def _shown(secret: SecretValue | None) -> str:
    return "" if secret is None else secret.reveal()


def test_discovery_may_stand_under_the_path_of_a_product(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.add_objects(sample_objects(3))
    document = b'{"title": "x", "api_roots": ["/public/"]}'

    class Product(Fault):
        def reply(self, reply: Reply) -> Reply:
            return Reply(200, {"Content-Type": "application/taxii+json"}, document)

    server.faults = [Product(path="/api/now/taxii/")]
    assert read_ids(read_all(make_feed(url=f"{server.origin}/api/now/taxii/"))) == ids(3)
    server.faults = []
    with pytest.raises(RefusedError, match="no TAXII discovery there"):
        make_feed(url=f"{server.origin}/api/now/taxii/").collections()


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_throttled_poll_says_when_it_may_come_back(
    server: TaxiiServer, make_feed: MakeFeed, form: str
) -> None:
    server.add_objects(sample_objects(3))
    later = (datetime.now(UTC) + timedelta(minutes=10)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    server.faults = [Status(code=429, retry_after="600" if form == "seconds" else later)]
    with pytest.raises(UnavailableError) as raised:
        read_all(make_feed())
    assert 590 <= (raised.value.retry_after_seconds or 0) <= 601


def test_a_manifest_is_read_page_by_page(server: TaxiiServer, make_feed: MakeFeed) -> None:
    server.add_objects(sample_objects(250), date_added=NOON)
    feed = make_feed(page_size=100)
    (collection,) = feed.collections()
    pages = list(feed.holdings(collection))
    assert len(pages) == 3
    assert {given for page in pages for given in page} == ids(250)
