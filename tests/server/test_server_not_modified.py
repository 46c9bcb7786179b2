"""304 is answered at once where that is known, in the same words as when it takes a task."""

import os
import re
import socket
from pathlib import Path

import pytest
from list_asker import Asker, KnownClient
from prometheus_client import CollectorRegistry, generate_latest

from connector.server import KeptFiles

LONG_AGO = 1_700_000_000


@pytest.fixture(autouse=True)
def published(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("192.0.2.7\n")
    os.utime(path, (LONG_AGO, LONG_AGO))


def sent(ask: Asker, request: str, answers: int = 1) -> list[str]:
    """Send bytes on one connection; return so many answers without their dates."""
    received = b""
    with socket.create_connection((ask.host, ask.port), 60) as connection:
        connection.sendall(request.encode())
        while received.count(b"\r\n\r\n") < answers and (more := connection.recv(65536)):
            received += more
        if "close" in request or "HTTP/1.0" in request:
            assert connection.recv(1) == b"", "it was to close the connection"
    text = re.sub(r"date: [^\r]*\r\n", "", received.decode())
    return text.split("\r\n\r\n")[:-1]


def request(tag: str, version: str = "1.1", method: str = "GET", **headers: str) -> str:
    lines = [f"{method} /lists/list.txt HTTP/{version}", "Host: h", f"If-None-Match: {tag}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines) + "\r\n\r\n"


@pytest.mark.parametrize(
    "asked",
    [
        request("*"), request("*", method="HEAD"), request("*", Connection="close"),
        request("*", version="1.0"), request("*", **{"Content-Length": "0"}),
    ],
    ids=["get", "head", "close", "old", "body"],
)  # fmt: skip
def test_it_is_the_same_answer_at_once_and_by_a_task(serve, asked: str) -> None:
    ask = serve()
    first = sent(ask, asked)  # the file has to be read, which takes a task
    assert first[0].startswith("HTTP/1.1 304")
    assert sent(ask, asked) == sent(ask, asked) == first


@pytest.mark.parametrize(
    "url", ["/lists/li%73t.txt", "/lists/list.txt?a=1", "http://h/lists/list.txt"]
)
def test_a_url_that_is_written_otherwise_gets_the_same_answer(serve, url: str) -> None:
    ask = serve()
    tag = ask("/lists/list.txt").headers["etag"]
    plain = sent(ask, request(tag))
    assert plain[0].startswith("HTTP/1.1 304")
    assert sent(ask, request(tag).replace("/lists/list.txt", url)) == plain


def test_requests_sent_together_are_answered_in_their_order(serve) -> None:
    ask = serve()
    tag = ask("/lists/list.txt").headers["etag"]
    whole = "GET /lists/list.txt HTTP/1.1\r\nHost: h\r\n\r\n"
    found = sent(ask, request(tag) + whole + request(tag) + request("*"), answers=4)
    statuses = re.findall(r"HTTP/1\.1 (\d+)", "\n".join(found))
    assert statuses == ["304", "200", "304", "304"]


def test_who_is_unknown_learns_nothing_by_a_tag(serve, by_token: KnownClient) -> None:
    ask = serve(by_token)
    known = ask("/lists/list.txt", Authorization="Bearer s3cret:with colon")
    tag = known.headers["etag"]
    for _ in range(2):
        assert ask("/lists/list.txt", If_None_Match=tag).status == 401
    again = ask("/lists/list.txt", If_None_Match=tag, Authorization="Bearer s3cret:with colon")
    assert again.status == 304


def test_each_is_counted_as_a_fetch(serve) -> None:
    registry = CollectorRegistry()
    ask = serve(registry=registry)
    tag = ask("/lists/list.txt").headers["etag"]
    for _ in range(3):
        assert ask("/lists/list.txt", If_None_Match=tag).status == 304
    said = generate_latest(registry).decode()
    assert 'fetches_total{client="loopback",list="list.txt",status="304"} 3.0' in said


def test_what_changed_was_abandoned_or_is_gone_is_seen_at_once(serve, tmp_path: Path) -> None:
    ask, path = serve(), tmp_path / "list.txt"
    dropped = serve(kept=KeptFiles(frozenset({"other.txt"}), 410))
    tag = ask("/lists/list.txt").headers["etag"]
    assert ask("/lists/list.txt", If_None_Match=tag).status == 304
    assert dropped("/lists/list.txt", If_None_Match=tag).status == 410
    path.write_text("192.0.2.8\n")
    assert ask("/lists/list.txt", If_None_Match=tag).status == 200
    (tmp_path / ".list.txt.hold").touch()
    path.write_text("")
    assert ask("/lists/list.txt", If_None_Match="*").status == 503
    path.unlink()
    assert ask("/lists/list.txt", If_None_Match="*").status == 404


def answers_to(ask: Asker, *parts: str) -> list[str]:
    """Send a part, read one answer, send the next; return the statuses of all until the close."""
    found = b""
    with socket.create_connection((ask.host, ask.port), 60) as connection:
        for number, part in enumerate(parts, 1):
            connection.sendall(part.encode())
            while number < len(parts) and found.count(b"HTTP/1.1 ") < number:
                found += connection.recv(65536)
        while more := connection.recv(65536):
            found += more
    return re.findall(r"HTTP/1\.1 (\d+)", found.decode())


def test_a_request_that_comes_again_is_read_anew_where_bytes_stand_before_it(serve) -> None:
    ask = serve()
    known, last = request("*"), request("*", Connection="close")
    for _ in range(3):
        assert sent(ask, known)[0].startswith("HTTP/1.1 304")
    begun = "GET /lists/missing.txt HTTP/1.1\r\nX: "
    assert answers_to(ask, known + begun, known, last) == ["304", "404", "304"]
    body = request("*", **{"Content-Length": str(len(known))})
    assert answers_to(ask, body, known + last) == ["304", "304"]
    twice = request("*", **{"Content-Length": "0"})
    assert answers_to(ask, twice, known, twice, known + known + last) == ["304"] * 6


def test_what_one_client_asks_again_is_no_answer_for_another(
    serve, by_address: KnownClient, tmp_path: Path
) -> None:
    ask = serve(by_address)
    headers = {"If_None_Match": "*"}
    for _ in range(3):
        assert ask("/lists/list.txt", source="127.0.0.2", **headers).status in (200, 304)
    assert ask("/lists/list.txt", source="127.0.0.3", **headers).status == 401
    (tmp_path / "list.txt").unlink()
    assert ask("/lists/list.txt", source="127.0.0.2", **headers).status == 404
