"""A server that is down, slow or talks nonsense: an error each time, and the next poll recovers."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from connector.errors import RefusedError, UnavailableError
from connector.feed import Page
from connector.feeds.taxii.cursor import Cursor
from connector.feeds.taxii.feed import TaxiiFeed
from connector.testing.feed_suite import read_ids, sample_objects
from connector.testing.taxii.faults import (
    Body,
    CutConnection,
    CutJson,
    Fault,
    Header,
    Redirect,
    Status,
)
from connector.testing.taxii.server import TaxiiServer

MakeFeed = Callable[..., TaxiiFeed]
ALL = {item["id"] for item in sample_objects(300)}


def nonsense(body: bytes, **options: object) -> Body:
    return Body(body=body, content_type="application/taxii+json;version=2.1", **options)


OUTAGES = [
    Status(code=429, retry_after="3600"),
    Status(code=500),
    Status(code=503),
    Status(code=404),
    Body(),
    CutJson(),
    CutConnection(),
    Redirect(location="https://login.example/"),
    nonsense(b""),
    nonsense(b"[]"),
    nonsense(b"null"),
    nonsense(b'"objects"'),
    nonsense(b'{"objects": 3}'),
    nonsense(b'{"objects": [}'),
    nonsense(b'{"objects": [], "more": "yes"}'),
    nonsense(b'{"title": "Internal error", "http_status": "500"}'),
]


def _broken_after_the_first(
    server: TaxiiServer, fault: Fault, pages: Iterator[Page]
) -> Iterator[Page]:
    for page in pages:
        yield page
        server.faults = [fault]


@pytest.mark.parametrize("page", [1, 2])
@pytest.mark.parametrize("fault", OUTAGES, ids=lambda fault: type(fault).__name__)
def test_an_outage_is_an_error_and_the_next_poll_recovers(
    server: TaxiiServer, make_feed: MakeFeed, fault: Fault, page: int
) -> None:
    server.add_objects(sample_objects(300))
    feed = make_feed(page_size=100)
    (collection,) = feed.collections()
    if page == 1:
        server.faults = [fault]
    pages: list[Page] = []
    with pytest.raises(UnavailableError):
        pages.extend(_broken_after_the_first(server, fault, feed.pages(collection, None)))
    assert len(pages) == page - 1
    assert not any(received.last for received in pages)
    server.faults = []
    rest = list(feed.pages(collection, pages[-1].cursor if pages else None))
    assert read_ids([*pages, *rest]) == ALL
    assert rest[-1].last


@pytest.mark.parametrize("code", [401, 403])
def test_credentials_that_are_no_longer_taken_are_refused(
    server: TaxiiServer, make_feed: MakeFeed, code: int
) -> None:
    feed = make_feed()
    (collection,) = feed.collections()
    server.faults = [Status(code=code)]
    with pytest.raises(RefusedError, match="check auth"):
        list(feed.pages(collection, None))
    assert len([a for a in server.requests if a.page]) == 1


def test_a_server_that_stalls_within_a_page_times_out(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.add_objects(sample_objects(300))
    server.faults = [CutConnection(page=1, stalls=True)]
    feed = make_feed(read_timeout=timedelta(milliseconds=200))
    (collection,) = feed.collections()
    with pytest.raises(UnavailableError, match="read_timeout"):
        list(feed.pages(collection, None))
    assert read_ids(list(feed.pages(collection, None))) == ALL


def test_a_wrong_answer_leaves_the_cursor_where_it_was(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.add_objects(sample_objects(5))
    feed = make_feed()
    (collection,) = feed.collections()
    (page,) = feed.pages(collection, None)
    server.faults = [nonsense(b"{}"), Header(value="undefined")]
    (after,) = feed.pages(collection, page.cursor)
    assert Cursor.read(after.cursor).last == Cursor.read(page.cursor).last


def test_hands_on_an_object_that_makes_no_sense(server: TaxiiServer, make_feed: MakeFeed) -> None:
    body = b'{"objects": [{"type": "indicator"}, 7, {"id": "\xff"}, {"type": 1, "deep": [[[]]]}]}'
    server.faults = [nonsense(body)]
    feed = make_feed()
    (page,) = feed.pages(feed.collections()[0], None)
    assert page.objects == [
        b'{"type": "indicator"}', b"7", b'{"id": "\xff"}', b'{"type": 1, "deep": [[[]]]}',
    ]  # fmt: skip


@pytest.mark.parametrize(
    "odd",
    [
        b'{"name": "half a pair \\ud83d"}',
        b'{"name": "\\udc00\\\\ud800 \\" ]}"}', b'{"score": NaN}',
        b'{"score": [-Infinity, Infinity]}', b'{"name": "NaN", "score": NaN}',
    ],
)  # fmt: skip
def test_one_object_that_no_json_allows_costs_only_itself(
    server: TaxiiServer, make_feed: MakeFeed, odd: bytes
) -> None:
    good = json.dumps(sample_objects(1)[0]).encode()
    server.faults = [nonsense(b'{"more": false, "objects": [' + odd + b"," + good + b"]}")]
    feed = make_feed()
    (page,) = feed.pages(feed.collections()[0], None)
    assert list(page.objects) == [odd, good]
    assert page.last


@pytest.mark.parametrize(
    "body",
    [
        b'{"objects": [{"score": NaN}, {"a": tru}]}', b'{"objects": [{"score": NaN}]',
        b'{"objects": [{"name": "\\ud800"},]}', b"{'objects': NaN}", b'{"objects": [{"a": NaNs}]}',
        b'{"objects": [{"a": "\\ud800}]}', b'{"objects": [{"a": "\\ud800\\q"}]}',
    ],
)  # fmt: skip
def test_nonsense_beside_an_odd_object_is_still_unavailable(
    server: TaxiiServer, make_feed: MakeFeed, body: bytes
) -> None:
    server.faults = [nonsense(body)]
    feed = make_feed()
    (collection,) = feed.collections()
    with pytest.raises(UnavailableError, match="an incomplete or invalid page"):
        list(feed.pages(collection, None))


@pytest.mark.parametrize("ending", [b"", b', "more": false, "next": null'])
def test_hands_on_a_page_with_an_object_nested_too_deep(
    server: TaxiiServer, make_feed: MakeFeed, ending: bytes
) -> None:
    good = json.dumps(sample_objects(1)[0]).encode()
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    body = b'{"objects": [' + good + b", " + deep + b"]" + ending + b"}"
    server.faults = [nonsense(body)]
    feed = make_feed()
    (collection,) = feed.collections()
    (page,) = feed.pages(collection, None)
    assert list(page.objects) == [good, deep]
    assert page.last
