"""Roots and collections: found by the names people use, told apart from what is not ours."""

import dataclasses
import json
import logging
from collections.abc import Callable

import pytest
import structlog
from taxii2client.v21 import ApiRoot

from connector.errors import RefusedError, UnavailableError
from connector.feeds.taxii.connection import Connection
from connector.feeds.taxii.discovery import origin, what_to_write
from connector.feeds.taxii.feed import TaxiiFeed
from connector.http.client import Http
from connector.settings import HttpSettings
from connector.testing.feed_suite import sample_objects
from connector.testing.taxii.faults import Body, Fault, Header, Redirect, Reply, Status
from connector.testing.taxii.server import ServedCollection, TaxiiServer

MakeFeed = Callable[..., TaxiiFeed]


def titles(feed: TaxiiFeed) -> list[str]:
    return [collection.title for collection in feed.collections()]


@pytest.fixture
def many(server: TaxiiServer) -> TaxiiServer:
    """A server with two roots, three collections, and one of them closed."""
    server.collections[:] = [
        ServedCollection(id="1a", title="Public Collection", alias="public-indicators"),
        ServedCollection(id="2b", title="Phishing"),
        ServedCollection(id="3c", title="Federal", root="federal", can_read=False),
    ]
    return server


def test_reads_all_that_can_be_read(many: TaxiiServer, make_feed: MakeFeed) -> None:
    found = make_feed().collections()
    assert [c.title for c in found] == ["Public Collection", "Phishing"]
    assert found[0].key == f"{many.origin}/public/collections/1a/"
    assert not found[0].whole


@pytest.mark.parametrize(
    "name", ["1a", "public-indicators", "Public Collection", "public collection"]
)
def test_finds_a_collection_by_id_alias_or_title(
    many: TaxiiServer, make_feed: MakeFeed, name: str
) -> None:
    assert titles(make_feed(collections=[name])) == ["Public Collection"]


def test_lists_what_there_is_when_a_name_is_not_found(
    many: TaxiiServer, make_feed: MakeFeed
) -> None:
    with pytest.raises(UnavailableError) as raised:
        make_feed(collections=["Publik", "2b"]).collections()
    assert str(raised.value) == (
        "collections: 'Publik' not found; the server offers: 'Public Collection' (id 1a, alias "
        "public-indicators); 'Phishing' (id 2b); 'Federal' (id 3c, no access)"
    )


def test_a_collection_that_may_not_be_read_is_refused(
    many: TaxiiServer, make_feed: MakeFeed
) -> None:
    with pytest.raises(RefusedError, match="no read access to 'Federal'"):
        make_feed(collections=["Federal"]).collections()


def test_a_server_with_nothing_for_us_is_refused(many: TaxiiServer, make_feed: MakeFeed) -> None:
    del many.collections[:2]
    with pytest.raises(RefusedError, match="no collection that we can read"):
        make_feed().collections()


@pytest.mark.parametrize("code", [403, 404])
def test_a_root_that_is_not_ours_leaves_the_others(
    many: TaxiiServer, make_feed: MakeFeed, code: int
) -> None:
    many.faults = [Status(code=code, path="/federal/")]
    assert titles(make_feed()) == ["Public Collection", "Phishing"]


@pytest.mark.parametrize("code", [401, 403, 404])
def test_no_root_at_all_is_refused_and_not_an_empty_feed(
    many: TaxiiServer, make_feed: MakeFeed, code: int
) -> None:
    many.faults = [Status(code=code, path="/collections/")]
    with pytest.raises(RefusedError, match=f"answered {code}"):
        make_feed().collections()


def test_a_root_that_is_down_is_not_taken_for_one_without_collections(
    many: TaxiiServer, make_feed: MakeFeed
) -> None:
    many.faults = [Status(code=500, path="/federal/")]
    with pytest.raises(UnavailableError, match="federal/collections/: answered 500"):
        make_feed().collections()
    assert titles(make_feed(roots=["public"])) == ["Public Collection", "Phishing"]


def test_uses_the_roots_that_the_file_names(many: TaxiiServer, make_feed: MakeFeed) -> None:
    many.collections[2].can_read = True
    assert titles(make_feed(roots=["federal"])) == ["Federal"]
    assert titles(make_feed(roots=[f"{many.origin}/federal"])) == ["Federal"]
    with pytest.raises(UnavailableError, match="roots: 'ciscp' not found; the server offers: http"):
        make_feed(roots=["ciscp"]).collections()


def test_a_root_named_in_full_needs_no_discovery(many: TaxiiServer, make_feed: MakeFeed) -> None:
    many.faults = [Status(code=404, path="/taxii2/")]
    assert titles(make_feed(roots=[f"{many.origin}/public/"])) == ["Public Collection", "Phishing"]


def test_the_address_of_a_root_serves_as_well(many: TaxiiServer, make_feed: MakeFeed) -> None:
    assert titles(make_feed(url=f"{many.origin}/public")) == ["Public Collection", "Phishing"]


def test_a_wrong_address_is_named(many: TaxiiServer, make_feed: MakeFeed) -> None:
    with pytest.raises(RefusedError, match="no TAXII discovery there"):
        make_feed(url=f"{many.origin}/nowhere/").collections()


def test_credentials_do_not_follow_a_root_to_another_host(make_feed: MakeFeed) -> None:
    with TaxiiServer() as other, TaxiiServer() as home:
        other.add_objects(sample_objects(1))
        far = other.origin.replace("localhost", "127.0.0.1")
        document = f'{{"title": "t", "api_roots": ["{far}/public/"]}}'.encode()
        home.faults = [Body(path="/taxii2/", body=document, content_type="application/json")]
        with pytest.raises(UnavailableError, match="its API roots are on other servers"):
            make_feed(url=home.url).collections()
        assert other.requests == []
        assert titles(make_feed(url=home.url, roots=[f"{far}/public/"])) == ["Indicators"]


def test_takes_relative_roots(server: TaxiiServer, make_feed: MakeFeed) -> None:
    body = b'{"title": "t", "api_roots": ["/public"], "default": "/elsewhere/"}'
    server.faults = [Body(path="/taxii2/", body=body, content_type="application/json")]
    assert titles(make_feed()) == ["Indicators"]


ENTRIES = [
    {"title": "no id"}, {"id": 5.5}, {"id": None}, {"id": True}, {"id": "../x"},
    {"id": "a\x1b[31mb"}, {"id": "x" * 201}, 7, None, "text", [],
]  # fmt: skip


@pytest.mark.parametrize("bad", ENTRIES)
def test_an_entry_that_is_no_collection_is_reported_and_the_others_are_read(
    server: TaxiiServer, make_feed: MakeFeed, bad: object
) -> None:
    good = [
        {"id": "1a", "title": "A", "can_read": True},
        {"id": "2b", "title": 5, "can_read": None},
    ]
    body = json.dumps({"collections": [good[0], bad, good[1]]}).encode()
    server.faults = [Body(path="/collections/", body=body, content_type="application/json")]
    feed = make_feed()
    with structlog.testing.capture_logs() as logs:
        assert titles(feed) == ["A", "2b"]
        feed.offered()
    (told,) = [line for line in logs if line["event"] == "feed.entries_unread"]
    assert told["entries"] == 1
    assert told["such_as"].startswith("collections[1]: ")
    assert told["such_as"].isprintable()


@pytest.mark.parametrize("bad", [5, None, "", "ftp://x/", "http://[", "http://a:x/", "\x1b", {}])
def test_an_entry_that_is_no_root_is_reported_and_the_others_are_asked(
    server: TaxiiServer, make_feed: MakeFeed, bad: object
) -> None:
    body = json.dumps({"api_roots": [bad, "/public/"], "default": bad}).encode()
    server.faults = [Body(path="/taxii2/", body=body, content_type="application/json")]
    with structlog.testing.capture_logs() as logs:
        assert titles(make_feed()) == ["Indicators"]
    told = [line["such_as"] for line in logs if line["event"] == "feed.entries_unread"]
    assert [each.partition(":")[0] for each in told] == ([] if bad == "" else ["api_roots[0]"])


def test_a_byte_order_mark_is_skipped_everywhere(server: TaxiiServer, make_feed: MakeFeed) -> None:
    class Marked(Fault):
        def reply(self, reply: Reply) -> Reply:
            return dataclasses.replace(reply, body=b"\xef\xbb\xbf" + reply.body)

    server.add_objects(sample_objects(3))
    server.faults = [Marked(path="")]
    for versions in (("2.1",), ("2.0",)):
        server.versions = versions
        feed = make_feed()
        (page,) = feed.pages(feed.collections()[0], None)
        assert len(page.objects) == 3
        assert feed.find(str(sample_objects(1)[0]["id"])) == page.objects[0]


def test_collections_have_a_bound_unless_the_file_names_them(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    listed = [{"id": f"c{n}", "title": f"Title {n}", "can_read": True} for n in range(20_000)]
    body = json.dumps({"collections": listed}).encode()
    server.faults = [Body(path="/collections/", body=body, content_type="application/json")]
    with pytest.raises(UnavailableError, match="offers 20,000 collections, more than 1,000: list"):
        make_feed().collections()
    assert titles(make_feed(collections=["c19999"])) == ["Title 19999"]
    assert len(make_feed().offered()) == 20_000
    with pytest.raises(UnavailableError) as raised:
        make_feed(collections=["c20000"]).collections()
    assert str(raised.value).endswith("'Title 19' (id c19); and 19,980 more")


def test_roots_have_a_bound_unless_the_file_names_them(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    roots = [f"/root-{n}/" for n in range(101)]
    body = json.dumps({"title": "t", "api_roots": ["/public/", *roots]}).encode()
    server.faults = [Body(path="/taxii2/", body=body, content_type="application/json")]
    with pytest.raises(UnavailableError, match="lists 102 API roots, more than 100: list those"):
        make_feed().collections()
    assert titles(make_feed(roots=["public"])) == ["Indicators"]


def test_a_list_of_more_values_than_are_taken_is_refused(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    body = b'{"collections":[' + b"{}," * 600_000 + b"{}]}"
    server.faults = [Body(path="/collections/", body=body, content_type="application/json")]
    with pytest.raises(UnavailableError, match="has more than 500,000 values"):
        make_feed().collections()


@pytest.mark.parametrize("named", [(), ("public",)])
def test_credentials_do_not_follow_a_root_to_another_port(
    make_feed: MakeFeed, named: tuple[str, ...]
) -> None:
    with TaxiiServer() as other, TaxiiServer() as home:
        document = json.dumps({"title": "t", "api_roots": [f"{other.origin}/public/"]}).encode()
        home.faults = [Body(path="/taxii2/", body=document, content_type="application/json")]
        with pytest.raises(UnavailableError, match=r"is on another server|are on other servers"):
            make_feed(url=home.url, roots=named).collections()
        assert other.requests == []
        assert titles(make_feed(url=home.url, roots=[f"{other.origin}/public/"])) == ["Indicators"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example/x", "https://a.example:443/y", True),
        ("https://A.example/x", "https://a.example/y", True),
        ("http://a.example/", "http://a.example:80/", True),
        ("https://a.example/", "https://a.example:8443/", False),
        ("https://a.example/", "http://a.example/", False),
        ("http://a.example/", "https://a.example/", False),
        ("https://a.example/", "https://b.a.example/", False),
    ],
)
def test_one_server_is_one_scheme_host_and_port(one: str, other: str, same: bool) -> None:
    assert (origin(one) == origin(other)) is same


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("public/collections/", "use url: {root}"),
        ("public/collections", "use url: {root}"),
        ("public/collections/1a/", "use url: {root} and collections: ['1a']"),
        ("public/collections/1a/objects/", "use url: {root} and collections: ['1a']"),
        ("public/collections/1a/objects", "use url: {root} and collections: ['1a']"),
        ("public/collections/1a/manifest/", "use url: {root} and collections: ['1a']"),
        ("public/collections/public-indicators/", "and collections: ['public-indicators']"),
    ],
)
def test_an_address_below_a_root_is_answered_with_what_to_write(
    many: TaxiiServer, make_feed: MakeFeed, path: str, written: str
) -> None:
    with pytest.raises((UnavailableError, RefusedError)) as raised:
        make_feed(url=f"{many.origin}/{path}").collections()
    said = str(raised.value)
    assert said.endswith(written.format(root=f"{many.origin}/public/"))
    assert titles(make_feed(url=f"{many.origin}/public/"))


@pytest.mark.parametrize("path", ["taxii2/", "public/", "collections-of-ours/", "a/objects/"])
def test_other_addresses_get_no_such_advice(path: str) -> None:
    assert what_to_write(f"https://taxii.example/{path}") == ""


def test_a_content_type_reaches_nobody_with_its_escape_sequences(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    hostile = "text/\x1b]0;owned\x07\x1b[31m" + "x" * 5000
    server.faults = [Header(path="", name="Content-Type", value=hostile)]
    with pytest.raises(UnavailableError) as raised:
        make_feed().collections()
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 600


def test_a_redirect_to_another_port_is_not_followed(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    with TaxiiServer() as other:
        server.faults = [Redirect(path="/taxii2/", location=f"{other.origin}/taxii2/\x1b[31m")]
        with pytest.raises(UnavailableError, match="a redirect to") as raised:
            make_feed().collections()
        assert str(raised.value).isprintable()
        assert other.requests == []


def test_a_collection_described_badly_is_still_found(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    body = b'{"collections": [{"id": "1a", "title": ""}, {"id": "2b", "title": "T", "x": {}}]}'
    server.faults = [Body(path="/collections/", body=body, content_type="application/json")]
    assert titles(make_feed()) == ["1a", "T"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{", b"3", b'{"collections": 7}', b'{"collections": [7]}',
        b'{"collections": [{"title": "no id"}]}', b'{"collections": [{"id": "../../x"}]}',
        b'{"title": "t", "api_roots": {"a": 1}}', b'{"self": 1, "title": "t"}', b"\xff\xfe",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/taxii2/", "/collections/"])
def test_nonsense_is_unavailable_and_not_an_empty_feed(
    server: TaxiiServer, make_feed: MakeFeed, path: str, body: bytes
) -> None:
    server.faults = [Body(path=path, body=body, content_type="application/taxii+json")]
    with pytest.raises((UnavailableError, RefusedError)):
        make_feed().collections()


@pytest.mark.parametrize(
    "written",
    [
        "application/taxii+json",
        "application/taxii+json; charset=utf-8; version=2.1",
        'application/TAXII+json;version="2.1"',
        "application/json",
        "application/vnd.oasis.taxii+json; version=2.0",
        None,
    ],
)
def test_is_not_particular_about_the_content_type(
    server: TaxiiServer, make_feed: MakeFeed, written: str | None
) -> None:
    server.add_objects(sample_objects(3))
    server.faults = [Header(path="", name="Content-Type", value=written)]
    feed = make_feed()
    (page,) = feed.pages(feed.collections()[0], None)
    assert len(page.objects) == 3


def test_a_login_page_is_distinguished_from_discovery(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    server.faults = [Body(path="/taxii2/")]
    with pytest.raises(UnavailableError) as raised:
        make_feed().collections()
    assert "returned text/html instead of TAXII, a page titled Sign in" in str(raised.value)


def test_a_redirect_is_not_followed(server: TaxiiServer, make_feed: MakeFeed) -> None:
    server.faults = [Redirect(path="/taxii2/", location="https://login.example/")]
    with pytest.raises(UnavailableError, match=r"redirect to https://login\.example/"):
        make_feed().collections()


def test_asks_for_collections_once_an_hour(server: TaxiiServer, make_feed: MakeFeed) -> None:
    feed = make_feed()
    feed.collections()
    asked = len(server.requests)
    feed.collections()
    assert len(server.requests) == asked


def test_asks_for_collections_again_after_a_failure(
    server: TaxiiServer, make_feed: MakeFeed
) -> None:
    feed = make_feed()
    (collection,) = feed.collections()
    server.collections[0].id = "moved"
    with pytest.raises(UnavailableError, match="404"):
        list(feed.pages(collection, None))
    assert feed.collections()[0].key.endswith("/moved/")


def test_the_client_library_writes_nothing_to_the_terminal(make_feed: MakeFeed) -> None:
    make_feed()
    assert logging.getLogger("taxii2client").handlers == []


def test_pushes_and_asks_for_the_status_over_our_connection(server: TaxiiServer) -> None:
    http = Http(HttpSettings())
    root = ApiRoot(f"{server.origin}/public/", conn=Connection(http))
    status = root.collections[0].add_objects({"objects": sample_objects(2)})
    assert (status.status, status.success_count) == ("complete", 2)
    assert root.get_status(status.id).total_count == 2
    assert len(server.collections[0].rows) == 2
    http.close()
