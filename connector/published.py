"""A file that others poll, replaced in one step, and a hidden record of its entries.

A line may say less than its entry: PAN-OS URLs lose their scheme, a plain line its type, a rule its
indicator. So each file has a record beside it, named after the digest of the file's bytes. Then it
does not matter which of the two was renamed last before a crash, and a file that someone else
changed has no record.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Annotated, Final, Self

from pydantic import AfterValidator

from connector.errors import UnavailableError

_FILE_MODE: Final = 0o640
_FOLDER_MODE: Final = 0o750
_PART: Final = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._-]{0,99}")


def _inside_the_folder(file: str) -> str:
    if not all(_PART.fullmatch(part) for part in file.split("/")):
        raise ValueError(
            "should be a name below publish_folder, such as perimeter.txt or edge/list.txt, of "
            "letters, digits, dash, underscore and dot; no part may start with a dot or dash"
        )
    return file


PublishedName = Annotated[str, AfterValidator(_inside_the_folder)]
"""Name of a file below `publish_folder`."""


@contextmanager
def failures_typed(path: Path) -> Iterator[None]:
    """Turn errors of the file system into those that the core acts on."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"{path}: {error.strerror or error}") from error


def file_stamp(*paths: Path) -> str:
    """Return a text that changes when one of these files is replaced, changed or deleted.

    Whoever restores an older copy may set its time of change; the kernel's own cannot be set.
    """
    told = []
    for path in paths:
        with failures_typed(path):
            try:
                found = path.stat()
            except FileNotFoundError:
                told.append("absent")
            else:
                times = found.st_mtime_ns, found.st_ctime_ns
                told.append(" ".join(map(str, (found.st_ino, found.st_size, *times))))
    return ", ".join(told)


class Published:
    """The file, its record, and the mark that tells the list server to withhold it.

    With `checksum`, the MD5 of the file stands beside it: the digest alone, as FMC reads it.
    """

    def __init__(self, path: Path, *, checksum: bool = False) -> None:
        self.path = path
        self.checksum = path.with_name(f"{path.name}.md5") if checksum else None
        self.held_back = path.with_name(f".{path.name}.hold")

    def record(self, digest: str) -> Path:
        """Return the path of the record for a file with this digest."""
        return self.path.with_name(f".{self.path.name}.{digest}.entries")

    def records(self) -> list[Path]:
        """Return every record of this file, newest first."""
        # With the digest in the pattern, `list` does not own the records of `list.txt`.
        named = re.compile(rf"\.{re.escape(self.path.name)}\.[0-9a-f]{{64}}\.entries")
        found = [path for path in self.path.parent.iterdir() if named.fullmatch(path.name)]
        return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)

    def stamp(self) -> str:
        """Return what tells the file and its mark from any others in their place."""
        beside = [] if self.checksum is None else [self.checksum]
        return file_stamp(self.path, self.held_back, *beside)

    def sums_up(self) -> bool:
        """Return whether the checksum beside the file is its own, or none is asked for."""
        if self.checksum is None:
            return True
        try:
            with self.path.open("rb") as file:
                found = hashlib.file_digest(file, _md5).hexdigest()
            return self.checksum.read_text(encoding="ascii") == found
        except (FileNotFoundError, UnicodeDecodeError):
            return False

    def digest(self) -> str | None:
        """Return the hash of the file's bytes, or None if there is no file."""
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return None


class Draft:
    """The next file and its record, as drafts; readers see neither before `publish`."""

    def __init__(self, published: Published) -> None:
        self._published = published
        path = published.path
        self._drafts = [path.with_name(f".{path.name}.{part}") for part in ("new", "new-record")]
        self._files: list[IO[bytes]] = []
        self._digest = hashlib.sha256()
        self._checksum = _md5()
        if published.checksum is not None:
            self._drafts.append(path.with_name(f".{path.name}.new-checksum"))

    def __enter__(self) -> Self:
        _make_folder(self._published.path.parent)
        for draft in self._drafts:
            self._files.append(_create(draft))
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            with suppress(OSError):  # closing writes what a full disk refused before
                file.close()
        for draft in self._drafts:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def write(self, lines: bytes, records: bytes) -> None:
        """Add lines to the file and to its record."""
        self._digest.update(lines)
        if self._published.checksum is not None:
            self._checksum.update(lines)
        self._files[0].write(lines)
        self._files[1].write(records)

    def publish(self, *, held_back: bool) -> None:
        """Replace the file: readers see either the old one or the new one."""
        for file in self._files[2:]:
            file.write(self._checksum.hexdigest().encode())
        for file in self._files:
            file.flush()
            os.fsync(file.fileno())
        published, record = self._published, self._published.record(self._digest.hexdigest())
        if held_back:
            _create(published.held_back).close()
        self._drafts[1].replace(record)
        self._drafts[0].replace(published.path)
        if published.checksum is not None:
            self._drafts[2].replace(published.checksum)
        if not held_back:
            published.held_back.unlink(missing_ok=True)
        _sync_folder(published.path.parent)
        for old in published.records():
            if old != record:
                old.unlink()


def _md5() -> "hashlib._Hash":
    """A checksum against damage, as the reader asks for it; nothing is secured by it."""
    return hashlib.md5(usedforsecurity=False)


def _create(path: Path) -> IO[bytes]:
    """Open a file for writing that the service and its group can read, whatever the umask."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, _FILE_MODE)
    os.fchmod(descriptor, _FILE_MODE)
    return os.fdopen(descriptor, "wb")


def _make_folder(folder: Path) -> None:
    for missing in reversed([part for part in (folder, *folder.parents) if not part.exists()]):
        missing.mkdir(_FOLDER_MODE, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
