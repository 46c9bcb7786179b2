"""The HTTP client against real sockets: errors name what happens next, and secrets stay ours."""

import gzip
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from random import Random
from typing import Any

import pytest

from connector.errors import ConfigError, RefusedError, UnavailableError
from connector.http.client import MOST_COOKIES, Http
from connector.http.response import retry_after
from connector.http.unpacking import MOST_PARTS
from connector.settings import Auth, HttpSettings, SecretValue
from connector.testing.taxii.faults import (
    Body,
    CutConnection,
    Gzip,
    Header,
    Redirect,
    Status,
    Trickle,
)
from connector.testing.taxii.server import TaxiiServer

SECRET = "s3cr3t-t0ken"


class Pauses:
    """Stands for sleeping, and remembers how long."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def server() -> Iterator[TaxiiServer]:
    with TaxiiServer() as running:
        yield running


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def client(pauses: Pauses) -> Iterator[Callable[..., Http]]:
    made: list[Http] = []

    def make(**options: Any) -> Http:
        made.append(Http(HttpSettings(**options), sleep=pauses))
        return made[-1]

    yield make
    for http in made:
        http.close()


def words(error: type[Exception], http: Http, url: str, **options: Any) -> str:
    with pytest.raises(error) as raised:
        http.request("GET", url, **options)
    return str(raised.value)


def auth(**options: Any) -> Auth:
    secrets = {"password", "token", "key", "client_cert", "client_key", "client_key_password"}
    return Auth(**{k: SecretValue(v) if k in secrets else v for k, v in options.items()})


@pytest.mark.parametrize(
    ("options", "asks"),
    [
        ({"username": "soc", "password": "pw"}, {"basic": ("soc", "pw")}),
        ({"username": "the-key"}, {"basic": ("the-key", "")}),
        ({"username": "soc", "password": "päss"}, {"basic": ("soc", "päss")}),
        ({"token": SECRET}, {"bearer": SECRET}),
        ({"header": "X-Api-Key", "key": SECRET}, {"key": ("X-Api-Key", SECRET)}),
    ],
)
def test_proves_who_we_are(
    client: Callable[..., Http], options: dict[str, Any], asks: dict[str, Any]
) -> None:
    with TaxiiServer(**asks) as server:
        assert client(auth=auth(**options)).request("GET", server.url).status_code == 200
        assert "check auth" in words(RefusedError, client(), server.url)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"username": "soc", "token": SECRET}, "one of username and token"),
        ({"header": "X-Key"}, "auth.header: needs auth.key"),
        ({"key": SECRET}, "auth.key: needs auth.header"),
        ({"password": SECRET}, "auth.password: needs auth.username"),
        ({"client_key": SECRET}, "auth.client_key: needs auth.client_cert"),
        ({"token": "line\nbreak"}, "auth.token: contains characters"),
        ({"client_cert": "no pem"}, "both in PEM form"),
    ],
)
def test_names_the_option_that_cannot_work(
    client: Callable[..., Http], options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        client(auth=auth(**options))
    assert problem in str(raised.value)
    assert SECRET not in str(raised.value)


def test_takes_neither_proxy_nor_credentials_from_the_environment(
    server: TaxiiServer, client: Callable[..., Http], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", "/dev/null")
    client().request("GET", server.url)
    assert "Authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("code", "error"),
    [(401, RefusedError), (403, RefusedError), (400, UnavailableError), (404, UnavailableError),
     (406, UnavailableError), (413, UnavailableError), (429, UnavailableError),
     (500, UnavailableError), (503, UnavailableError)],
)  # fmt: skip
def test_a_status_becomes_the_error_that_says_what_happens_next(
    server: TaxiiServer, client: Callable[..., Http], code: int, error: type[Exception]
) -> None:
    server.faults = [Status(code=code, path="", body=b'{"title": "why", "description": "more"}')]
    said = words(error, client(), server.url + "?secret=in-the-query")
    assert said.startswith(
        f"localhost:{server.origin.rpartition(':')[2]}/taxii2/: answered {code} "
    )
    assert "why: more" in said
    assert "secret" not in said


def test_what_is_not_there_may_be_there_for_others(
    server: TaxiiServer, client: Callable[..., Http]
) -> None:
    server.faults = [Status(code=404, path="")]
    said = words(UnavailableError, client(), server.url)
    assert "check the address, and whether these credentials have access to it" in said


def test_an_accepted_status_is_an_answer(server: TaxiiServer, client: Callable[..., Http]) -> None:
    server.faults = [Status(code=404, path="")]
    answer = client().request("GET", server.url, accept_statuses=frozenset({404}))
    assert (answer.status_code, answer.content) == (404, b'{"title": "scripted fault"}')


def test_an_error_page_is_shown_by_its_title_on_one_line(
    server: TaxiiServer, client: Callable[..., Http]
) -> None:
    page = b"<html><head><title>Under\n maintenance</title></head>" + b"x" * 9999
    server.faults = [Body(path="", body=page), Status(path="", code=503, body=page)]
    said = words(UnavailableError, client(), server.url)
    assert said.endswith("a page titled Under maintenance")


def test_our_secrets_are_not_in_messages(client: Callable[..., Http]) -> None:
    echo = Status(code=400, path="", body=f'{{"title": "bad token {SECRET}"}}'.encode())
    with TaxiiServer(bearer=SECRET, faults=[echo]) as server:
        said = words(UnavailableError, client(auth=auth(token=SECRET)), server.url)
        with_user = server.url.replace("//", f"//user:{SECRET}@")
        told = words(UnavailableError, client(), with_user)
    assert "bad token ***" in said
    assert SECRET not in told.partition("answered")[0]


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_tries_a_get_again_after_a_moment(
    server: TaxiiServer, client: Callable[..., Http], pauses: Pauses, code: int
) -> None:
    server.faults = [Status(code=code, path="", times=2)]
    assert client().request("GET", server.url).status_code == 200
    assert len(pauses.seconds) == 2
    assert pauses.seconds[1] >= 2 > pauses.seconds[0]


def test_never_repeats_a_request_that_changes_something(
    server: TaxiiServer, client: Callable[..., Http], pauses: Pauses
) -> None:
    server.faults = [Status(code=503, path="", times=1)]
    with pytest.raises(UnavailableError):
        client().request("POST", server.url, body=b"{}")
    assert len(server.requests) == 1


def test_tries_once_where_the_caller_says_so(
    server: TaxiiServer, client: Callable[..., Http]
) -> None:
    server.faults = [Status(code=503, path="")]
    words(UnavailableError, client(), server.url, retries=0)
    assert len(server.requests) == 1


def test_waits_as_long_as_the_server_asks(
    server: TaxiiServer, client: Callable[..., Http], pauses: Pauses
) -> None:
    server.faults = [Status(code=429, path="", times=1, retry_after="7")]
    client().request("GET", server.url)
    assert 7 <= pauses.seconds[0] <= 8


def test_leaves_a_long_wait_to_the_next_cycle(
    server: TaxiiServer, client: Callable[..., Http], pauses: Pauses
) -> None:
    server.faults = [Status(code=503, path="", retry_after="120")]
    with pytest.raises(UnavailableError) as raised:
        client().request("GET", server.url)
    assert raised.value.retry_after_seconds == 120
    assert pauses.seconds == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("86400", 3600),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Mon, 02 Mar 2026 12:00:00 GMT", 3600),
        ("", None),
        ("soon", None),
        ("-5", None),
    ],
)
def test_reads_both_forms_of_retry_after(text: str, seconds: float | None) -> None:
    assert retry_after(text, datetime(2026, 3, 1, 12, tzinfo=UTC)) == seconds


def test_a_redirect_is_named_and_not_followed(client: Callable[..., Http]) -> None:
    with TaxiiServer() as elsewhere, TaxiiServer(bearer=SECRET) as server:
        server.faults = [Redirect(path="", location=f"{elsewhere.url}?session=1")]
        said = words(UnavailableError, client(auth=auth(token=SECRET)), server.url)
        assert f"a redirect to {elsewhere.url};" in said
        assert elsewhere.requests == []


def test_a_truncated_body_is_not_an_answer(
    server: TaxiiServer, client: Callable[..., Http]
) -> None:
    server.faults = [CutConnection(path="")]
    assert "the response was cut off" in words(UnavailableError, client(), server.url)
    server.faults = [CutConnection(path="", times=1)]
    assert client().request("GET", server.url).ok


def test_a_compressed_body_is_unpacked(server: TaxiiServer, client: Callable[..., Http]) -> None:
    plain = client().request("GET", server.url).content
    server.faults = [Gzip(path="")]
    assert client().request("GET", server.url).content == plain
    two = gzip.compress(plain[:9]) + gzip.compress(plain[9:])
    server.faults = [
        Body(path="", body=two),
        Header(path="", name="Content-Encoding", value="gzip"),
    ]
    assert client().request("GET", server.url).content == plain


@pytest.mark.parametrize("cut", [1, 9, 40])
def test_a_compressed_body_cut_off_is_not_an_answer(
    server: TaxiiServer, client: Callable[..., Http], cut: int
) -> None:
    server.faults = [Gzip(path="", cut=cut)]
    assert "cut off" in words(UnavailableError, client(), server.url)


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_a_body_that_cannot_be_unpacked_is_not_an_answer(
    server: TaxiiServer, client: Callable[..., Http], encoding: str
) -> None:
    server.faults = [Header(path="", name="Content-Encoding", value=encoding)]
    words(UnavailableError, client(), server.url)


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_has_a_bound_also_after_unpacking(
    server: TaxiiServer, client: Callable[..., Http], packed: bool
) -> None:
    large = Body(path="", body=Random(1).randbytes(3 << 19).hex().encode())  # noqa: S311 - for its size only
    server.faults = [large, Gzip(path="")] if packed else [large]
    said = words(UnavailableError, client(max_body_mib=2), server.url)
    assert "exceeds 2 MiB" in said
    assert client(max_body_mib=3).request("GET", server.url).content == large.body


def test_a_silent_server_times_out(server: TaxiiServer, client: Callable[..., Http]) -> None:
    server.faults = [CutConnection(path="", stalls=True)]
    http = client(read_timeout=timedelta(milliseconds=100))
    assert "sent nothing for 0.1 s" in words(UnavailableError, http, server.url)
    assert len(server.requests) == 1


def test_a_trickle_meets_a_deadline(server: TaxiiServer) -> None:
    server.faults = [Body(path="", body=b" " * 10_000), Trickle(path="", seconds=0.005)]
    hours = count(step=3600)
    with closing(Http(HttpSettings(), monotonic=lambda: next(hours))) as http:
        assert "longer than 10 times read_timeout" in words(UnavailableError, http, server.url)


@pytest.mark.parametrize(
    "dripping", [b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 100 Continue\r\n\r\n"]
)
def test_headers_that_trickle_meet_the_deadline_too(dripping: bytes) -> None:
    hours = count(step=3600)
    with (
        dripped(dripping) as url,
        closing(Http(HttpSettings(), monotonic=lambda: next(hours))) as http,
    ):
        assert "longer than 10 times read_timeout" in words(UnavailableError, http, url)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (b"X-A: b\r\n" * 200, "got more than 100 headers"),
        (b"X-A: " + b"b" * 70_000 + b"\r\n", "more than 65536 bytes when reading header line"),
    ],
)
def test_headers_have_a_bound(client: Callable[..., Http], headers: bytes, said: str) -> None:
    with answering(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n") as url:
        told = words(UnavailableError, client(), url)
    assert "the response headers are too large" in told
    assert said in told


def test_cookies_of_a_server_are_bounded(server: TaxiiServer, client: Callable[..., Http]) -> None:
    http = client()
    for turn in range(MOST_COOKIES + 10):
        server.faults = [Header(path="", name="Set-Cookie", value=f"c{turn}=x")]
        http.request("GET", server.url)
    assert len(http.session.cookies) <= MOST_COOKIES + 1


def test_a_small_body_that_unpacks_to_a_large_one_is_refused_before_it_is_large(
    server: TaxiiServer, client: Callable[..., Http]
) -> None:
    page = b'{"objects":[' + b"{}," * 1_400_000 + b"{}]}"
    server.faults = [Body(path="", body=page), Gzip(path="")]
    said = words(UnavailableError, client(), server.url)
    assert "unpacks to more than 250 times its size" in said


def test_a_body_of_many_packed_parts_is_refused(
    server: TaxiiServer, client: Callable[..., Http]
) -> None:
    parts = gzip.compress(b"") * (MOST_PARTS + 1)
    server.faults = [
        Body(path="", body=parts),
        Header(path="", name="Content-Encoding", value="gzip"),
    ]
    assert "has more than 1000 parts" in words(UnavailableError, client(), server.url)


def test_packed_bytes_that_unpack_to_nothing_are_bounded_too(
    server: TaxiiServer, client: Callable[..., Http]
) -> None:
    endless_name = b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * (2 << 20)
    server.faults = [
        Body(path="", body=endless_name), Header(path="", name="Content-Encoding", value="gzip"),
    ]  # fmt: skip
    assert "exceeds 1 MiB" in words(UnavailableError, client(max_body_mib=1), server.url)


def test_a_byte_order_mark_is_not_part_of_an_answer(
    server: TaxiiServer, client: Callable[..., Http]
) -> None:
    server.faults = [Body(path="", body=b"\xef\xbb\xbf{}")]
    assert client().request("GET", server.url).content == b"{}"


def test_a_server_that_is_down_is_unavailable(client: Callable[..., Http], pauses: Pauses) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    said = words(UnavailableError, client(), f"http://localhost:{port}/taxii2/?key=hidden")
    assert said == f"localhost:{port}/taxii2/: could not connect: Connection refused"
    assert len(pauses.seconds) == 2


@pytest.mark.parametrize("url", ["ftp://feed.example/", "feed.example", "http://[", "http://a:b/"])
def test_an_address_that_is_none_is_named(client: Callable[..., Http], url: str) -> None:
    words(UnavailableError, client(), url)


@contextmanager
def dripped(raw: bytes) -> Iterator[str]:
    """A server that says this over and over to the first who asks, until nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(raw)
                while True:
                    connection.sendall(raw if raw.endswith(b"\n") else b"b")

        thread = threading.Thread(target=talk)
        thread.start()
        yield f"http://localhost:{listener.getsockname()[1]}/"
        thread.join()


@contextmanager
def answering(raw: bytes) -> Iterator[str]:
    """A server that says these bytes to the first who asks, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(raw)

        thread = threading.Thread(target=talk)
        thread.start()
        yield f"http://localhost:{listener.getsockname()[1]}/"
        thread.join()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    ],
)
def test_half_an_answer_is_none(client: Callable[..., Http], raw: bytes) -> None:
    with answering(raw) as url:
        words(UnavailableError, client(), url, retries=0)


def test_reads_chunks(client: Callable[..., Http]) -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
    with answering(raw) as url:
        assert client().request("GET", url).content == b"hello!"


def test_keeps_its_connection(server: TaxiiServer, client: Callable[..., Http]) -> None:
    http = client()
    for _ in range(3):
        http.request("GET", server.url)
    pools = http.session.get_adapter("http://").poolmanager.pools
    (pool,) = [pools[key] for key in pools.keys()]  # noqa: SIM118 - the container is no mapping
    assert (pool.num_connections, pool.num_requests) == (1, 3)


class _Proxy(BaseHTTPRequestHandler):
    """Passes on what it is asked for with a whole address, and tunnels."""

    protocol_version = "HTTP/1.1"
    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(f"GET {self.path} {self.headers.get('Proxy-Authorization', '')}".strip())
        http = Http(HttpSettings())
        answer = http.request("GET", self.path)
        http.close()
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def do_CONNECT(self) -> None:
        self.seen.append(f"CONNECT {self.path}")
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []
    handler = type("Handler", (_Proxy,), {"seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}", seen
        server.shutdown()
        thread.join()


def test_asks_through_the_proxy(
    server: TaxiiServer, client: Callable[..., Http], proxy: tuple[str, list[str]]
) -> None:
    address, seen = proxy
    http = client(proxy=f"http://user:pw@{address}")
    assert http.request("GET", server.url).ok
    http.close()
    assert seen == [f"GET {server.url} Basic dXNlcjpwdw=="]


def test_says_when_the_proxy_refuses_the_request(
    client: Callable[..., Http], proxy: tuple[str, list[str]]
) -> None:
    address, seen = proxy
    said = words(UnavailableError, client(proxy=f"http://{address}"), "https://feed.example/")
    assert f"the proxy {address} refused the request" in said
    assert "403" in said
    assert seen[0] == "CONNECT feed.example:443"


def test_leaves_no_descriptor_open_for_a_certificate_from_memory(
    client: Callable[..., Http],
) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(ConfigError):
        client(auth=auth(client_cert="no pem", client_key="no pem"))
    assert set(os.listdir("/proc/self/fd")) <= before
