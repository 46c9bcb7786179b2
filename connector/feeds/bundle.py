"""STIX bundles in files as a feed: one file, a folder, or a glob."""

import os
import stat
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

from connector.adapter import Http
from connector.errors import UnavailableError
from connector.feed import Collection, Feed, Field, FilePath, Page, Settings, read_file
from connector.feeds.file_search import SUFFIXES, Found, Search
from connector.feeds.stix_json import read_document
from connector.instants import SECOND, Clock, system_clock
from connector.log import log
from connector.outside import harmless

_PAGE: Final = 1000
_TOLD: Final = 3
_SETTLED: Final = 2 * SECOND  # file systems may keep times as coarse as this
_FROM_START: Final = ""


class BundleSettings(Settings):
    """Options of a feed of files."""

    path: FilePath = Field(
        description="A file with STIX 2.0 or 2.1, a folder (its files ending in "
        f"{', '.join(SUFFIXES)}, in lower or upper case), or a glob such as "
        "reports/**/*.json."
    )
    max_file_mib: int = Field(256, ge=1, le=4096, description="Largest file accepted, in MiB.")


class BundleFeed(Feed[BundleSettings]):
    """Every file is a collection, read as a whole whenever it has changed.

    A deleted file is no longer among `collections`, so its objects are withdrawn; a file that
    cannot be read is an error, and its objects stay. A cursor is `STAMP DIGEST`: the file's
    metadata when it was read, and the hash of its content.
    """

    settings_type = BundleSettings

    def __init__(
        self,
        settings: BundleSettings,
        http: Http | None = None,
        *,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(settings, http)
        self._clock = clock
        self._search = Search.of(settings.path)
        self._touched: dict[str, str] = {}
        self._passed_over: list[str] = []
        self._empty = False

    def collections(self) -> Sequence[Collection]:
        """Return one collection per file; an existing folder may be empty."""
        self._search = Search.of(self.settings.path)
        found = self._search.find()
        if not found.files and self._search.one_file:
            raise UnavailableError(
                f"{self.settings.path}: no such file or folder; to withdraw the objects of a file, "
                "leave an empty bundle there"
            )
        self._tell_passed_over(found)
        return [Collection(str(file), file.name, whole=True, at_once=True) for file in found.files]

    def _tell_passed_over(self, found: Found) -> None:
        """Warn once about files that are not read; raise if there are no others."""
        others = [harmless(name) for name in found.passed_over]
        if others and not found.files:
            raise UnavailableError(
                f"{self.settings.path}: has only files that are not read, such as {others[0]!r}: "
                f"files should end in {', '.join(SUFFIXES)}; files with other names or in "
                "subfolders need a glob; to withdraw all objects, leave an empty bundle there"
            )
        if others and others != self._passed_over:
            log.warning("feed.files_passed_over", folder=str(self.settings.path),
                        files=len(others), such_as=others[:_TOLD])  # fmt: skip
        nothing = not (found.files or others) and bool(self._search.patterns)
        if nothing and not self._empty:
            log.warning("feed.no_files", path=str(self.settings.path))
        self._passed_over, self._empty = others, nothing

    def pages(self, collection: Collection, cursor: str | None) -> Iterator[Page]:
        """Yield the file's objects, or nothing if the cursor already covers them."""
        path = self._search.folder / collection.key
        before = _stamp(path)
        stamp, _, digest = (cursor or _FROM_START).partition(" ")
        if digest and before in (stamp, self._touched.get(digest)):
            return
        sure = _settled(before, self._clock())
        content = self._content(path, before)
        found = blake2b(content, digest_size=16).hexdigest()
        if found != digest:
            objects = read_document(content, str(path))
            yield from _paged(objects, f"{before if sure else 'unsure'} {found}")
        elif sure:
            self._touched[digest] = before

    def _content(self, path: Path, before: str) -> bytes:
        content = read_file(path, self.settings.max_file_mib, "max_file_mib")
        if _stamp(path) != before:
            raise UnavailableError(f"{path}: is still being written; the next poll reads it")
        return content


def _paged(objects: list[bytes], cursor: str) -> Iterator[Page]:
    """Yield pages; only the last marks the file as read, so after a crash it is read again."""
    last = max(0, len(objects) - 1) // _PAGE * _PAGE
    for start in range(0, last, _PAGE):
        yield Page(objects[start : start + _PAGE], _FROM_START, last=False)
    yield Page(objects[last:], cursor, last=True)


def _stamp(path: Path) -> str:
    try:
        found = os.stat(path)
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise UnavailableError(f"{path}: is not a regular file")
    return f"{found.st_mtime_ns}:{found.st_ctime_ns}:{found.st_ino}:{found.st_size}"


def _settled(stamp: str, now: int) -> bool:
    """Return whether a change would show, unlike two writes in one tick of the file system."""
    latest = max(int(nanoseconds) for nanoseconds in stamp.split(":")[:2]) // 1000
    return now - latest > _SETTLED
