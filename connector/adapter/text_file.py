"""A text file at the target that one output alone writes; its first line says so."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from connector.errors import RefusedError, UnavailableError
from connector.published import file_stamp

__all__ = ["TextDraft", "TextFile"]

_FIRST_LINE: Final = " kept by threat-feed-connector; changes made here are lost\n"
_MODE: Final = 0o644  # the target's own user reads it, whatever our umask


class TextFile:
    """A file of lines that a program on this machine reads, such as a map or an access list.

    It is replaced in one step. What others wrote is never replaced: the operator makes an empty
    file, whose group and mode stay, or none. A line that begins with `comment` is one.
    """

    def __init__(self, path: Path, *, comment: str = "#") -> None:
        self.path = path
        self._comment = comment

    def stamp(self) -> str:
        """Return what tells the file from any other in its place."""
        return file_stamp(self.path)

    def size(self) -> int:
        """Return its size in bytes; 0 where there is no file."""
        with _failures_typed(self.path):
            return self.path.stat().st_size if self.path.exists() else 0

    def lines(self, *, comments: bool = False) -> Iterator[str]:
        """Yield its lines, with or without comments; none where there is no file yet."""
        with _failures_typed(self.path):
            try:
                file = self.path.open(encoding="utf-8", errors="replace")
            except FileNotFoundError:
                if self.path.parent.is_dir():
                    return
                raise
            with file:
                yield from (
                    line.rstrip("\n")
                    for line in file
                    if line.strip() and (comments or not line.startswith(self._comment))
                )

    @contextmanager
    def draft(self) -> Iterator["TextDraft"]:
        """Open the next version, which is dropped unless it is published.

        Raises RefusedError where others wrote the file.
        """
        path = self.path.with_name(f".{self.path.name}.new")
        with _failures_typed(path):
            mode, group = self._owned()
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, mode)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                    os.fchmod(descriptor, mode)
                    self._keep_group(descriptor, group)
                    file.write(self._comment + _FIRST_LINE)
                    yield TextDraft(file, path, self.path)
            finally:
                path.unlink(missing_ok=True)

    def _keep_group(self, descriptor: int, group: int) -> None:
        if group in {-1, os.fstat(descriptor).st_gid}:
            return
        try:
            os.fchown(descriptor, -1, group)
        except PermissionError as error:
            raise RefusedError(
                f"{self.path}: a new file cannot have its group; give the group to the folder and "
                "set that bit: chmod g+s"
            ) from error

    def _owned(self) -> tuple[int, int]:
        """Return mode and group of the file, if it is ours; a file without lines is nobody's."""
        try:
            with self.path.open(encoding="utf-8", errors="replace") as file:
                if file.readline(200) not in {"", self._comment + _FIRST_LINE}:
                    raise RefusedError(
                        f"{self.path}: exists and was not written by this output; move it away, or "
                        "name another file in the options"
                    )
                found = os.fstat(file.fileno())
        except FileNotFoundError:
            return _MODE, -1
        return found.st_mode & 0o777, found.st_gid


class TextDraft:
    """The next version of a file; readers do not see it before `publish`."""

    def __init__(self, file: IO[str], path: Path, live: Path) -> None:
        self._file = file
        self.path = path
        self._live = live

    def write(self, lines: Iterable[str]) -> None:
        """Add lines."""
        self._file.writelines(f"{line}\n" for line in lines)

    def seal(self) -> Path:
        """Put all of it on the disk, and return where: the target may test it there."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self.path

    def publish(self) -> None:
        """Replace the file: readers see the old one or the new one."""
        self.seal().replace(self._live)
        folder = os.open(self._live.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def _failures_typed(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise RefusedError(
            f"{error.filename or path}: {error.strerror}; the user that the service runs as must "
            "be able to write to the folder"
        ) from error
    except OSError as error:
        raise UnavailableError(f"{error.filename or path}: {error.strerror or error}") from error
