"""What is kept in memory is bounded, and what is not kept is served all the same."""

import asyncio
import gzip
from pathlib import Path

import pytest

from connector.server.shelf import AbsentError, Shelf


def put(folder: Path, name: str, body: bytes) -> None:
    draft = folder / ".new"
    draft.write_bytes(body)
    draft.replace(folder / name)


async def served(shelf: Shelf, name: str) -> bytes:
    edition, body = await shelf.opened(name, await shelf.edition(name))
    if isinstance(body, bytes):
        return body
    with body as file:
        content = file.read()
    assert len(content) == edition.size
    return content


def test_the_body_asked_for_longest_ago_makes_room(tmp_path):
    for name in ("a", "b", "c"):
        put(tmp_path, name, name.encode() * 1000)

    async def ask_for_three():
        shelf = Shelf(tmp_path, keep_bytes=2500)
        bodies = [await served(shelf, name) for name in ("a", "b", "a", "c")]
        editions = {name: await shelf.edition(name) for name in ("a", "b", "c")}
        return bodies, editions, await served(shelf, "b")

    bodies, editions, again = asyncio.run(ask_for_three())
    assert bodies == [b"a" * 1000, b"b" * 1000, b"a" * 1000, b"c" * 1000]
    assert {name for name, edition in editions.items() if edition.body is not None} == {"a", "c"}
    assert again == b"b" * 1000


def test_compressed_bodies_count_too(tmp_path):
    noise = bytes(n * n % 251 for n in range(4000))
    put(tmp_path, "a", noise)

    async def ask_for_both():
        shelf = Shelf(tmp_path, keep_bytes=4100)
        edition = await shelf.edition("a")
        zipped = await shelf.zipped(edition)
        await asyncio.sleep(0)  # the loop calls back those who wait for the task
        return zipped, edition, await served(shelf, "a")

    zipped, edition, body = asyncio.run(ask_for_both())
    assert gzip.decompress(zipped) == noise == body
    assert edition.kept_bytes() == 0


def test_a_body_that_makes_room_while_it_is_compressed_is_still_sent_whole(tmp_path):
    put(tmp_path, "a", b"a" * 5_000_000)
    put(tmp_path, "b", b"b" * 5_000_000)

    async def ask_for_both_at_once():
        shelf = Shelf(tmp_path, keep_bytes=5_000_000)
        edition = await shelf.edition("a")
        zipped, other = await asyncio.gather(shelf.zipped(edition), served(shelf, "b"))
        return zipped, other

    zipped, other = asyncio.run(ask_for_both_at_once())
    assert gzip.decompress(zipped) == b"a" * 5_000_000
    assert other == b"b" * 5_000_000


def test_a_list_replaced_between_the_look_and_the_opening_is_the_new_one(tmp_path):
    put(tmp_path, "a", b"old" * 100)

    async def replaced_in_between():
        shelf = Shelf(tmp_path, largest_kept=10)
        edition = await shelf.edition("a")
        put(tmp_path, "a", b"newer" * 100)
        current, file = await shelf.opened("a", edition)
        with file:
            return edition, current, file.read()

    old, current, body = asyncio.run(replaced_in_between())
    assert body == b"newer" * 100
    assert current.size == 500
    assert current.digest != old.digest


def test_a_list_taken_away_between_the_look_and_the_reading_is_absent(tmp_path):
    put(tmp_path, "a", b"old" * 100)

    async def taken_away():
        shelf = Shelf(tmp_path, largest_kept=10)
        edition = await shelf.edition("a")
        (tmp_path / "a").unlink()
        await shelf.opened("a", edition)

    with pytest.raises(AbsentError):
        asyncio.run(taken_away())
