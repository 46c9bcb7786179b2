"""What is kept in memory is bounded, and what is not kept is served all the same."""

import asyncio
import gzip
from pathlib import Path

import pytest

from connector.server.file_cache import AbsentError, FileCache


def put(folder: Path, name: str, body: bytes) -> None:
    draft = folder / ".new"
    draft.write_bytes(body)
    draft.replace(folder / name)


async def served(cache: FileCache, name: str) -> bytes:
    cached, body = await cache.opened(name, await cache.current(name))
    if isinstance(body, bytes):
        return body
    with body as file:
        content = file.read()
    assert len(content) == cached.size
    return content


def test_the_body_asked_for_longest_ago_makes_room(tmp_path):
    for name in ("a", "b", "c"):
        put(tmp_path, name, name.encode() * 1000)

    async def ask_for_three():
        cache = FileCache(tmp_path, keep_bytes=2500)
        bodies = [await served(cache, name) for name in ("a", "b", "a", "c")]
        files = {name: await cache.current(name) for name in ("a", "b", "c")}
        return bodies, files, await served(cache, "b")

    bodies, files, again = asyncio.run(ask_for_three())
    assert bodies == [b"a" * 1000, b"b" * 1000, b"a" * 1000, b"c" * 1000]
    assert {name for name, cached in files.items() if cached.body is not None} == {"a", "c"}
    assert again == b"b" * 1000


def test_compressed_bodies_count_too(tmp_path):
    noise = bytes(n * n % 251 for n in range(4000))
    put(tmp_path, "a", noise)

    async def ask_for_both():
        cache = FileCache(tmp_path, keep_bytes=4100)
        cached = await cache.current("a")
        zipped = await cache.zipped(cached)
        await asyncio.sleep(0)  # the loop calls back those who wait for the task
        return zipped, cached, await served(cache, "a")

    zipped, cached, body = asyncio.run(ask_for_both())
    assert gzip.decompress(zipped) == noise == body
    assert cached.kept_bytes() == 0


def test_a_body_that_makes_room_while_it_is_compressed_is_still_sent_whole(tmp_path):
    put(tmp_path, "a", b"a" * 5_000_000)
    put(tmp_path, "b", b"b" * 5_000_000)

    async def ask_for_both_at_once():
        cache = FileCache(tmp_path, keep_bytes=5_000_000)
        cached = await cache.current("a")
        zipped, other = await asyncio.gather(cache.zipped(cached), served(cache, "b"))
        return zipped, other

    zipped, other = asyncio.run(ask_for_both_at_once())
    assert gzip.decompress(zipped) == b"a" * 5_000_000
    assert other == b"b" * 5_000_000


def test_a_list_replaced_between_the_look_and_the_opening_is_the_new_one(tmp_path):
    put(tmp_path, "a", b"old" * 100)

    async def replaced_in_between():
        cache = FileCache(tmp_path, largest_kept=10)
        cached = await cache.current("a")
        put(tmp_path, "a", b"newer" * 100)
        current, file = await cache.opened("a", cached)
        with file:
            return cached, current, file.read()

    old, current, body = asyncio.run(replaced_in_between())
    assert body == b"newer" * 100
    assert current.size == 500
    assert current.digest != old.digest


def test_a_list_taken_away_between_the_look_and_the_reading_is_absent(tmp_path):
    put(tmp_path, "a", b"old" * 100)

    async def taken_away():
        cache = FileCache(tmp_path, largest_kept=10)
        cached = await cache.current("a")
        (tmp_path / "a").unlink()
        await cache.opened("a", cached)

    with pytest.raises(AbsentError):
        asyncio.run(taken_away())
