"""Devices get exactly the published bytes, or hear that nothing changed."""

import gzip
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path

import pytest

from connector.server import KeptFiles

MIB = 1 << 20


def put(folder: Path, name: str, body: bytes) -> None:
    """Replace a list as adapters do."""
    draft = folder / f".{name}.new"
    draft.write_bytes(body)
    draft.replace(folder / name)


def test_a_list_is_served_to_the_byte_with_its_validators(serve, tmp_path):
    put(tmp_path, "list.txt", b"192.0.2.7\n2001:db8::7\n")
    os.utime(tmp_path / "list.txt", (1_700_000_000, 1_700_000_000))
    answer = serve()("/lists/list.txt")
    assert (answer.status, answer.body) == (200, b"192.0.2.7\n2001:db8::7\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-length"] == "22"
    assert answer.headers["last-modified"] == formatdate(1_700_000_000, usegmt=True)
    assert answer.headers["etag"].startswith('"')
    assert answer.headers["vary"] == "Accept-Encoding"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.yar", "text/plain"), ("a.rules", "text/plain"), ("a.yml", "application/yaml")],
)
def test_rules_are_served_as_what_they_are(serve, tmp_path, name, kind):
    put(tmp_path, name, b"title: a\n")
    answer = serve()(f"/lists/{name}")
    assert (answer.status, answer.body) == (200, b"title: a\n")
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    again = serve()(f"/lists/{name}", if_none_match=answer.headers["etag"])
    assert again.status == 304


def test_a_list_in_a_sub_folder_is_served(serve, tmp_path):
    (tmp_path / "edge").mkdir()
    put(tmp_path / "edge", "list.txt", b"192.0.2.7\n")
    assert serve()("/lists/edge/list.txt").body == b"192.0.2.7\n"


@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_no_output_keeps_any_more_is_not_served_frozen(serve, tmp_path, status):
    put(tmp_path, "old.txt", b"192.0.2.7\n")
    put(tmp_path, "list.txt", b"192.0.2.7\n")
    etag = serve()("/lists/old.txt").headers["etag"]
    ask = serve(kept=KeptFiles(frozenset({"list.txt"}), status))
    assert ask("/lists/old.txt").status == status
    assert ask("/lists/old.txt", If_None_Match=etag).status == status
    assert ask("/lists/list.txt").status == 200
    assert ask("/lists/never.txt").status == 404


def test_an_empty_list_is_an_empty_answer(serve, tmp_path):
    put(tmp_path, "list.txt", b"")
    answer = serve()("/lists/list.txt", Accept_Encoding="gzip")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "0", b"")


def test_an_unchanged_list_is_not_sent_again(serve, tmp_path):
    put(tmp_path, "list.txt", b"192.0.2.7\n")
    os.utime(tmp_path / "list.txt", (1_700_000_000, 1_700_000_000))
    ask = serve()
    first = ask("/lists/list.txt")
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = ask("/lists/list.txt", If_None_Match=known)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    since = ask("/lists/list.txt", If_Modified_Since=first.headers["last-modified"])
    assert since.status == 304


def test_a_changed_list_is_sent_with_a_new_tag(serve, tmp_path):
    put(tmp_path, "list.txt", b"192.0.2.7\n")
    ask = serve()
    first = ask("/lists/list.txt")
    put(tmp_path, "list.txt", b"192.0.2.8\n")
    second = ask(
        "/lists/list.txt",
        If_None_Match=first.headers["etag"],
        If_Modified_Since=formatdate(4_000_000_000, usegmt=True),  # the tag has the last word
    )
    assert (second.status, second.body) == (200, b"192.0.2.8\n")
    assert second.headers["etag"] != first.headers["etag"]


def test_a_list_of_this_very_moment_has_no_date_as_the_next_might_have_the_same(serve, tmp_path):
    put(tmp_path, "list.txt", b"192.0.2.7\n")
    moment = int(time.time()) + 60  # the moment lasts as long as the test
    os.utime(tmp_path / "list.txt", (moment, moment))
    ask = serve()
    first = ask("/lists/list.txt")
    assert "last-modified" not in first.headers
    known = ask("/lists/list.txt", If_None_Match=first.headers["etag"])
    assert (known.status, known.headers.get("last-modified")) == (304, None)
    put(tmp_path, "list.txt", b"192.0.2.8\n")
    os.utime(tmp_path / "list.txt", (moment, moment))
    since = ask("/lists/list.txt", If_Modified_Since=formatdate(moment, usegmt=True))
    assert (since.status, since.body) == (200, b"192.0.2.8\n")


def test_a_list_that_is_older_than_the_one_a_client_has_is_sent_all_the_same(serve, tmp_path):
    put(tmp_path, "list.txt", b"192.0.2.7\n")
    os.utime(tmp_path / "list.txt", (1_700_000_000, 1_700_000_000))  # the clock was set back
    since = serve()("/lists/list.txt", If_Modified_Since=formatdate(1_700_003_600, usegmt=True))
    assert (since.status, since.body) == (200, b"192.0.2.7\n")


def test_a_date_that_is_none_is_skipped(serve, tmp_path):
    put(tmp_path, "list.txt", b"192.0.2.7\n")
    ask = serve()
    for date in ("yesterday", "", "Mon, 99 Foo 2026 00:00:00 GMT"):
        assert ask("/lists/list.txt", If_Modified_Since=date).status == 200


def test_a_list_written_again_with_the_same_bytes_keeps_its_tag(serve, tmp_path):
    put(tmp_path, "list.txt", b"192.0.2.7\n")
    ask = serve()
    tag = ask("/lists/list.txt").headers["etag"]
    put(tmp_path, "list.txt", b"192.0.2.7\n")
    assert ask("/lists/list.txt", If_None_Match=tag).status == 304


def test_the_compressed_variant_has_a_tag_of_its_own(serve, tmp_path):
    body = b"".join(b"192.0.2.%d\n" % n for n in range(256))
    put(tmp_path, "list.txt", body)
    ask = serve()
    plain, zipped = ask("/lists/list.txt"), ask("/lists/list.txt", Accept_Encoding="br, gzip;q=0.5")
    assert zipped.headers["content-encoding"] == "gzip"
    assert int(zipped.headers["content-length"]) == len(zipped.body) < len(body)
    assert gzip.decompress(zipped.body) == plain.body == body
    assert zipped.headers["etag"] != plain.headers["etag"]
    for tag in (plain.headers["etag"], zipped.headers["etag"]):
        again = ask("/lists/list.txt", If_None_Match=tag, Accept_Encoding="gzip")
        assert (again.status, again.headers["etag"]) == (304, tag)


def test_a_short_list_is_compressed_for_who_asks_too(serve, tmp_path):
    put(tmp_path, "list.txt", b"192.0.2.7\n")
    answer = serve()("/lists/list.txt", Accept_Encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answer.body) == b"192.0.2.7\n"


@pytest.mark.parametrize(
    "offer", ["identity", "gzip;q=0", "gzip; q=0.000", "br", "gzippy", "*;q=0"]
)
def test_a_client_that_does_not_take_gzip_gets_plain_bytes(offer, serve, tmp_path):
    put(tmp_path, "list.txt", b"192.0.2.7\n" * 1000)
    answer = serve()("/lists/list.txt", Accept_Encoding=offer)
    assert "content-encoding" not in answer.headers
    assert answer.body == b"192.0.2.7\n" * 1000


@pytest.mark.parametrize("offer", ["identity", "gzip"])
def test_head_says_what_get_would_and_sends_nothing(offer, serve, tmp_path):
    put(tmp_path, "list.txt", b"192.0.2.7\n" * 1000)
    os.utime(tmp_path / "list.txt", (1_700_000_000, 1_700_000_000))
    ask = serve()
    get = ask("/lists/list.txt", Accept_Encoding=offer)
    head = ask("/lists/list.txt", "HEAD", Accept_Encoding=offer)
    assert head.body == b""
    drop = {"date"}
    assert {k: v for k, v in head.headers.items() if k not in drop} == {
        k: v for k, v in get.headers.items() if k not in drop
    }


def test_lists_cannot_be_written(serve, tmp_path):
    put(tmp_path, "list.txt", b"192.0.2.7\n")
    ask = serve()
    for method in ("PUT", "POST", "DELETE", "OPTIONS"):
        answer = ask("/lists/list.txt", method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


NOT_PUBLISHED = [
    "/lists/missing.txt",
    "/lists/list.txt/below",
    "/lists/",
    "/lists",
    "/lists/folder",
    "/lists/.hidden",
    "/lists/.list.txt.hold",
    "/lists/folder/.hidden",
    "/lists/../secret.txt",
    "/lists/..%2fsecret.txt",
    "/lists/%2e%2e/secret.txt",
    "/lists/%2e%2e%2fsecret.txt",
    "/lists/folder/../list.txt",
    "/lists/./list.txt",
    "/lists//list.txt",
    "/lists/%2fetc%2fpasswd",
    "/lists/..%5csecret.txt",
    "/lists/list.txt%00",
    "/lists/list.txt%0a",
    "/lists/%ff%fe",
    "/lists/link.txt",
    "/lists/loop.txt",
    "/lists/pipe",
    f"/lists/{'a' * 300}",
    "/",
    "/secret.txt",
    "/healthz/",
]


def test_only_published_files_have_a_page(serve, tmp_path):
    folder = tmp_path / "published"
    (folder / "folder").mkdir(parents=True)
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (folder / ".hidden").write_bytes(b"secret")
    (folder / ".list.txt.hold").write_bytes(b"secret")
    (folder / "folder" / ".hidden").write_bytes(b"secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "loop.txt").symlink_to("loop.txt")
    os.mkfifo(folder / "pipe")
    put(folder, "list.txt", b"192.0.2.7\n")
    ask = serve(folder=folder)
    answers = {path: ask(path) for path in NOT_PUBLISHED}
    assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(answers, 404)
    assert {answer.body for answer in answers.values()} == {b"No such list.\n"}


def test_a_list_that_was_taken_away_is_not_served_from_memory(serve, tmp_path):
    put(tmp_path, "list.txt", b"192.0.2.7\n")
    ask = serve()
    assert ask("/lists/list.txt").status == 200
    (tmp_path / "list.txt").unlink()
    assert ask("/lists/list.txt").status == 404


def test_a_file_that_cannot_be_read_is_our_fault_and_says_come_again(serve):
    # A regular file that even root gets no bytes of: address 0 of a process is never mapped.
    answer = serve(folder=Path("/proc/self"))("/lists/mem")
    assert (answer.status, answer.headers["retry-after"]) == (503, "30")
    assert "www-authenticate" not in answer.headers


def test_an_empty_list_that_is_held_back_says_come_again_until_it_has_entries(serve, tmp_path):
    put(tmp_path, "list.txt", b"")
    (tmp_path / ".list.txt.hold").touch()
    ask = serve()
    assert ask("/lists/list.txt").status == 503
    put(tmp_path, "list.txt", b"192.0.2.7\n")
    assert ask("/lists/list.txt").status == 200


@pytest.mark.parametrize("size", [20 * MIB, 65 * MIB], ids=["kept in memory", "streamed from disk"])
def test_a_list_replaced_during_a_download_is_the_old_one_or_the_new_one(size, serve, tmp_path):
    put(tmp_path, "list.txt", b"a" * size)
    ask = serve()
    tag = ask("/lists/list.txt", "HEAD").headers["etag"]
    with socket.create_connection((ask.host, ask.port), timeout=300) as slow:
        slow.sendall(b"GET /lists/list.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        received = bytearray(slow.recv(1000))
        put(tmp_path, "list.txt", b"b" * (size + 1))
        meanwhile = ask("/lists/list.txt")
        while chunk := slow.recv(MIB):
            received += chunk
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert tag.encode() in head
    assert body == b"a" * size
    assert meanwhile.body == b"b" * (size + 1)
    assert meanwhile.headers["etag"] != tag


def test_a_list_too_large_for_memory_has_validators_too(serve, tmp_path):
    put(tmp_path, "list.txt", b"a" * (65 * MIB))
    ask = serve()
    answer = ask("/lists/list.txt", Accept_Encoding="gzip")
    assert len(answer.body) == 65 * MIB
    assert "content-encoding" not in answer.headers
    assert ask("/lists/list.txt", If_None_Match=answer.headers["etag"]).status == 304


def test_many_who_ask_at_once_all_get_the_same_whole_list(serve, tmp_path):
    body = b"".join(b"198.18.%d.%d\n" % (n >> 8, n & 255) for n in range(65_536))
    put(tmp_path, "list.txt", body)
    ask = serve()

    def download(n):
        return ask("/lists/list.txt", Accept_Encoding="gzip" if n % 2 else "identity")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(download, range(40)))
    assert {answer.status for answer in answers} == {200}
    assert {len(answer.body) for answer in answers[::2]} == {len(body)}
    assert {gzip.decompress(answer.body) for answer in answers[1::2]} == {body}


def test_a_client_that_hangs_up_does_not_spoil_it_for_the_others(serve, tmp_path):
    put(tmp_path, "list.txt", b"a" * (20 * MIB))
    ask = serve()
    with socket.create_connection((ask.host, ask.port), timeout=300) as rude:
        rude.sendall(b"GET /lists/list.txt HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")
    assert len(ask("/lists/list.txt").body) == 20 * MIB


@pytest.mark.parametrize("size", [40 * MIB, 80 * MIB], ids=["from memory", "from disk"])
def test_a_client_that_hangs_up_half_way_does_not_count_as_one_who_has_the_list(
    serve, tmp_path, size
):
    put(tmp_path, "list.txt", bytes(size))
    put(tmp_path, "short.txt", b"192.0.2.7\n")
    ask = serve()
    with socket.create_connection((ask.host, ask.port)) as half_way:
        half_way.sendall(b"GET /lists/list.txt HTTP/1.1\r\nHost: here\r\n\r\n")
        assert half_way.recv(15) == b"HTTP/1.1 200 OK"
    assert ask("/lists/short.txt").status == 200
    ask.server.stop()  # the answers in hand are finished then
    assert [fetch.list for fetch in ask.server.fetches()] == ["short.txt"]


def test_a_reader_that_stalls_does_not_hold_up_the_stop(serve, tmp_path, caplog):
    put(tmp_path, "list.txt", b"a" * (20 * MIB))
    ask = serve()
    with socket.create_connection((ask.host, ask.port), timeout=300) as stalled:
        stalled.sendall(b"GET /lists/list.txt HTTP/1.1\r\nHost: h\r\n\r\n")
        assert stalled.recv(10)
        ask.server.stop()
    assert "Traceback" not in caplog.text
    with pytest.raises(ConnectionRefusedError):
        ask("/lists/list.txt")
    assert ask.server.fetches() == ()
