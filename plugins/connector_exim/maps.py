"""One map on the disk: lines that Exim walks through, or a constant database that it looks up."""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from connector.adapter import RefusedError, TextFile, UnavailableError, failures_typed, file_stamp

from .cdb import DamagedError, records_in, written

__all__ = ["CdbMap", "LinesMap", "Map"]

_LINE: Final = re.compile(r'(?:"([^"]*)"|([^\s:#"]+)):(?: (.*))?')
_MARK: Final = b"kept by threat-feed-connector", b"changes made here are lost"
_MODE: Final = 0o644  # Exim's own user reads it, whatever our umask


class Map(ABC):
    """A file that one output keeps."""

    path: Path

    @abstractmethod
    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield keys and texts; none where there is no file yet."""

    @abstractmethod
    def replace(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Replace the file in one step; raise RefusedError if others wrote it."""

    def stamp(self) -> str:
        """Return what tells the file from any other in its place."""
        return file_stamp(self.path)


class LinesMap(Map):
    """A text of keys and texts, for `lsearch`, `nwildlsearch` and `iplsearch`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = TextFile(path)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield keys and texts; a line in no form of ours is a key as it is."""
        for line in self._file.lines():
            found = _LINE.fullmatch(line)
            yield (line, "") if found is None else (found[1] or found[2], found[3] or "")

    def replace(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Replace the file in one step; raise RefusedError if others wrote it."""
        with self._file.draft() as draft:
            draft.write(map(_line, pairs))
            draft.publish()


def _line(pair: tuple[str, str]) -> str:
    key, text = pair
    written_key = f'"{key}"' if ":" in key else key
    return f"{written_key}: {text}" if text else f"{written_key}:"


class CdbMap(Map):
    """A constant database; its first record says that it is ours."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield keys and texts; none where the file is damaged: it is then written anew."""
        with suppress(DamagedError, UnicodeDecodeError):
            found = [(key.decode(), text.decode()) for key, text in records_in(self._content())]
            yield from found[1:]

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            if self.path.parent.is_dir():
                return b""
            raise UnavailableError(f"{self.path.parent}: no such folder") from None
        except OSError as error:
            raise UnavailableError(f"{self.path}: {error.strerror or error}") from error

    def replace(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Replace the file in one step; raise RefusedError if others wrote it."""
        content = self._content()
        if content and _MARK[0] not in content[:4096]:
            raise RefusedError(
                f"{self.path}: exists and was not written by this output; move it away, or name "
                "another folder in the options"
            )
        records = [_MARK, *((key.encode(), text.encode()) for key, text in pairs)]
        *body, head = written(records)
        draft = self.path.with_name(f".{self.path.name}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with failures_typed(self.path):
            try:
                with os.fdopen(os.open(draft, flags, _MODE), "wb") as file:
                    os.fchmod(file.fileno(), _MODE)
                    file.writelines(body)
                    file.seek(0)
                    file.write(head)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(self.path)
            finally:
                draft.unlink(missing_ok=True)
