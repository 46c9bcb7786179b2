"""Published files, ready to be sent: read, hashed and compressed once per change."""

import asyncio
import errno
import gzip
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path
from typing import IO, Final

MIB: Final = 1 << 20
_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
_CHUNK: Final = MIB
_TRIES: Final = 3

Stamp = tuple[int, int, int]


class AbsentError(Exception):
    """There is no such list."""


class HeldBackError(Exception):
    """The list is empty, and its output wants devices to keep their last copy."""


@dataclass(slots=True)
class CachedFile:
    """One state of a file; `body` is None if it is not kept in memory.

    `last_modified` is when it was written, as an HTTP date.
    """

    path: str
    stamp: Stamp
    digest: str
    body: bytes | None
    last_modified: bytes
    zipping: asyncio.Task[bytes] | None = None

    @property
    def size(self) -> int:
        """The size of the file in bytes."""
        return self.stamp[1]

    @property
    def modified(self) -> int:
        """When the file was written, in whole seconds since 1970."""
        return self.stamp[0] // 1_000_000_000

    def kept_bytes(self) -> int:
        """Return how much memory this file uses."""
        zipping = self.zipping
        done = zipping is not None and zipping.done() and not zipping.cancelled()
        zipped = len(zipping.result()) if done and zipping and not zipping.exception() else 0
        return len(self.body or b"") + zipped


class FileCache:
    """Returns the current contents of each file below one folder.

    Slow work is done in threads, and once for any number of requests; bodies beyond `keep_bytes`
    in total, or larger than `largest_kept`, stay on disk. Used from one event loop.
    """

    def __init__(
        self, folder: Path, *, keep_bytes: int = 256 * MIB, largest_kept: int = 64 * MIB
    ) -> None:
        self._folder = folder
        self._keep_bytes = keep_bytes
        self._largest_kept = largest_kept
        self._files: OrderedDict[str, CachedFile] = OrderedDict()
        self._loading: dict[str, asyncio.Task[CachedFile]] = {}

    async def current(self, name: str) -> CachedFile:
        """Return the current file; raise AbsentError, HeldBackError or OSError."""
        path = self._path(name)
        try:
            with _absence():
                stamp = _stamp(os.stat(path, follow_symlinks=False))
        except AbsentError:
            self._files.pop(name, None)
            raise
        if stamp[1] == 0 and path.with_name(f".{path.name}.hold").exists():
            raise HeldBackError
        kept = self._files.get(name)
        if kept is not None and kept.stamp == stamp:
            self._files.move_to_end(name)
            return kept
        return await self._loaded(name, path)

    def kept(self, name: str) -> CachedFile | None:
        """Return the file if what is known of it is current, asking nobody but the kernel."""
        found = self._files.get(name)
        if found is None or not found.size:  # one without a line may be held back
            return None
        try:
            stamp = _stamp(os.stat(found.path, follow_symlinks=False))
        except (AbsentError, OSError):
            return None
        if stamp != found.stamp:
            return None
        self._files.move_to_end(name)
        return found

    def is_there(self, name: str) -> bool:
        """Return whether there is such a file."""
        try:
            with _absence():
                os.stat(self._path(name), follow_symlinks=False)
        except AbsentError:
            return False
        return True

    async def opened(self, name: str, cached: CachedFile) -> tuple[CachedFile, bytes | IO[bytes]]:
        """Return a cached file with its body, or with the open file to stream it from."""
        for _ in range(_TRIES):
            if cached.body is not None:
                return cached, cached.body
            with _absence():
                file = await asyncio.to_thread(_open, self._path(name))
            if _stamp(os.fstat(file.fileno())) == cached.stamp:
                return cached, file
            file.close()
            cached = await self.current(name)
        raise OSError(errno.EBUSY, "changes faster than it can be read")

    async def zipped(self, cached: CachedFile) -> bytes | None:
        """Return the compressed body, or None if it is empty or too large to keep."""
        if not cached.body:
            return None
        if cached.zipping is None:
            cached.zipping = asyncio.create_task(asyncio.to_thread(_compressed, cached.body))
            cached.zipping.add_done_callback(lambda _done: self._make_room())
        return await asyncio.shield(cached.zipping)

    def _path(self, name: str) -> Path:
        """Return the path of a list; hidden files and files outside the folder have none."""
        parts = name.split("/")
        if not name.isprintable() or "\\" in name or any(part[:1] in {"", "."} for part in parts):
            raise AbsentError
        return self._folder.joinpath(*parts)

    async def _loaded(self, name: str, path: Path) -> CachedFile:
        task = self._loading.get(name)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(_load, path, self._largest_kept))
            self._loading[name] = task
            task.add_done_callback(lambda _done: self._loading.pop(name, None))
        with _absence():
            cached = await asyncio.shield(task)  # a client that hangs up does not stop the others
        if self._files.get(name) is not cached:
            self._files[name] = cached
            self._files.move_to_end(name)
            self._make_room()
        return cached

    def _make_room(self) -> None:
        """Drop the least recently used bodies, but keep what is known about them."""
        total = sum(cached.kept_bytes() for cached in self._files.values())
        for cached in self._files.values():
            if total <= self._keep_bytes:
                return
            total -= cached.kept_bytes()
            cached.body = cached.zipping = None


@contextmanager
def _absence() -> Iterator[None]:
    """Distinguish a missing list from one that cannot be read."""
    try:
        yield
    except OSError as error:
        if error.errno in _ABSENT:
            raise AbsentError from None
        raise


def _stamp(found: os.stat_result) -> Stamp:
    if not stat.S_ISREG(found.st_mode):
        raise AbsentError
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _open(path: Path) -> IO[bytes]:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags), "rb")


def _load(path: Path, largest_kept: int) -> CachedFile:
    """Read and hash one state of a file; the open file does not change when it is replaced."""
    with _open(path) as file:
        stamp = _stamp(os.fstat(file.fileno()))
        digest, chunks = sha256(), []
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            if stamp[1] <= largest_kept:
                chunks.append(chunk)
        body = b"".join(chunks) if stamp[1] <= largest_kept else None
    written = formatdate(stamp[0] // 1_000_000_000, usegmt=True).encode()
    return CachedFile(str(path), stamp, digest.hexdigest()[:32], body, written)


def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, 6, mtime=0)  # the same body always gives the same bytes
