"""Published files, ready to be handed out: read, hashed and compressed once per change."""

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
    """No such list."""


class HeldBackError(Exception):
    """The list is empty, and its output asks that devices keep their last copy."""


@dataclass(slots=True)
class CachedFile:
    """One state of a file; `body` is None where it is not kept in memory."""

    stamp: Stamp
    digest: str
    body: bytes | None
    zipping: asyncio.Task[bytes] | None = None

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.stamp[1]

    @property
    def modified(self) -> int:
        """When the file was written, in whole seconds since 1970."""
        return self.stamp[0] // 1_000_000_000

    @property
    def last_modified(self) -> bytes:
        """The same as HTTP writes it."""
        return formatdate(self.modified, usegmt=True).encode()

    def kept_bytes(self) -> int:
        """Return what this file holds of the memory."""
        zipping = self.zipping
        done = zipping is not None and zipping.done() and not zipping.cancelled()
        zipped = len(zipping.result()) if done and zipping and not zipping.exception() else 0
        return len(self.body or b"") + zipped


class FileCache:
    """Hands out the current contents of each file below one folder.

    Work that takes long happens in threads and once, however many ask; bodies beyond
    `keep_bytes` in all, or `largest_kept` each, stay on disk. Used from one event loop.
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
        """Return the file as it is now; raise AbsentError, HeldBackError or OSError."""
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
        """Return the body compressed; None where it is empty, or too large to hold."""
        if not cached.body:
            return None
        if cached.zipping is None:
            cached.zipping = asyncio.create_task(asyncio.to_thread(_compressed, cached.body))
            cached.zipping.add_done_callback(lambda _done: self._make_room())
        return await asyncio.shield(cached.zipping)

    def _path(self, name: str) -> Path:
        """Return where a list lies; nothing hidden, and nothing outside the folder, has a name."""
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
            cached = await asyncio.shield(task)  # one who hangs up does not stop the others
        if self._files.get(name) is not cached:
            self._files[name] = cached
            self._files.move_to_end(name)
            self._make_room()
        return cached

    def _make_room(self) -> None:
        """Let go of the bodies asked for longest ago; what they are is still known."""
        total = sum(cached.kept_bytes() for cached in self._files.values())
        for cached in self._files.values():
            if total <= self._keep_bytes:
                return
            total -= cached.kept_bytes()
            cached.body = cached.zipping = None


@contextmanager
def _absence() -> Iterator[None]:
    """Tell a list that is not there from one that cannot be read."""
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
    """Read and hash one state of a file: the open file stays what it is when it is replaced."""
    with _open(path) as file:
        stamp = _stamp(os.fstat(file.fileno()))
        digest, chunks = sha256(), []
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            if stamp[1] <= largest_kept:
                chunks.append(chunk)
        body = b"".join(chunks) if stamp[1] <= largest_kept else None
    return CachedFile(stamp, digest.hexdigest()[:32], body)


def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, 6, mtime=0)  # the same bytes give the same variant
