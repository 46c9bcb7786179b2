"""Events on disk until their receiver has them, in order, also across a kill.

Two files: those that may still wait, and beside them those before, which are kept for a while: a
process that was killed between handing an event over and noting it in the ledger finds it there.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from connector.errors import UnavailableError
from connector.published import failures_typed

__all__ = ["Spool", "Spooled"]

_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_ROTATE_BYTES: Final = 4 * 1024 * 1024
_ROTATE_ANYWAY: Final = 64 * 1024 * 1024


class Spooled(NamedTuple):
    """An event as the receiver gets it; `of` names its entry, `said` what it says of that."""

    of: str
    said: str
    text: str


class Spool:
    """The events of one output, at most so many bytes of them waiting.

    Opened at first use, and nobody else's until it is closed: two that send the same events would
    lose some. What a crash cut off in the middle was never said to be kept.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder = folder
        self.refused: dict[str, str] = {}  # by entry: the receiver's words on its last event
        self._most = most_bytes
        self._file: FileIO | None = None
        self._lock: FileIO | None = None
        self._size = self._at = 0
        self._offsets: list[int] = []  # of the events that wait, each with where it begins
        self._last: dict[str, tuple[str, int]] = {}  # by entry: what was said, and where it ends
        self._older: dict[str, str] = {}  # the same of the file before, all handed over
        self._asked: set[str] = set()  # entries whose event was said to wait

    def __len__(self) -> int:
        """How many events wait."""
        self._open()
        return len(self._offsets)

    def said(self, of: str) -> str | None:
        """Return what the last event of an entry said; None where none is known any more."""
        self._open()
        found = self._last.get(of)
        return self._older.get(of) if found is None else found[0]

    def waits(self, of: str) -> bool:
        """Return whether the last event of an entry still waits."""
        found = self._last.get(of)
        return found is not None and found[1] > self._at

    def note_asked(self, of: str) -> None:
        """Note that the ledger was told to wait for an entry: it will ask again."""
        self._asked.add(of)

    def was_asked(self, of: str) -> bool:
        """Return whether the ledger was told to wait for an entry, and forget that."""
        asked = of in self._asked
        self._asked.discard(of)
        return asked

    def append(self, events: Sequence[tuple[str, str, str]]) -> int:
        """Keep events, as many as there is room for; return how many, once they are on disk."""
        self._open()
        self._rotate()
        file = self._open()
        if not events:
            return 0
        lines, size = [], self._size
        for event in map(Spooled._make, events):
            line = msgspec.json.encode(event) + b"\n"
            if size + len(line) - self._at > self._most:
                break
            lines.append((event, size, line))
            size += len(line)
        with failures_typed(self.folder):
            try:
                _write(file, b"".join(line for _event, _start, line in lines))
            except OSError:
                file.truncate(self._size)
                raise
        for event, start, line in lines:
            self._offsets.append(start)
            self._last[event.of] = event.said, start + len(line)
            self.refused.pop(event.of, None)
        self._size = size
        return len(lines)

    def parts(self, most_bytes: int) -> Iterator[Sequence[Spooled]]:
        """Yield what waits, in order, so many bytes at a time; `note_taken` goes on."""
        self._open()
        while self._offsets:
            with failures_typed(self.folder), (self.folder / "events").open("rb") as file:
                file.seek(self._at)
                lines = file.read(min(most_bytes, self._size - self._at))
                if not lines.endswith(b"\n"):
                    lines += file.readline()
            yield [_read(line, self.folder) for line in lines.splitlines()]

    def note_taken(self, count: int) -> None:
        """Note that the receiver has the first of the events that wait, so many."""
        left = self._offsets[count:]
        self._at = left[0] if left else self._size
        self._offsets = left
        self._keep_position()

    def _open(self) -> FileIO:
        if self._file is None:
            with failures_typed(self.folder):
                self.folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
                self._keep_others_off()
                try:
                    self._file = self._loaded()
                except BaseException:
                    self.close()
                    raise
        return self._file

    def _loaded(self) -> FileIO:
        self._load()
        file = open(self.folder / "events", "ab", buffering=0, opener=_private)  # noqa: SIM115 - kept
        file.truncate(self._size)
        _sync_folder(self.folder)
        return file

    def _keep_others_off(self) -> None:
        if self._lock is not None:
            return
        lock = open(self.folder / "lock", "ab", buffering=0, opener=_private)  # noqa: SIM115 - kept
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise UnavailableError(
                f"{self.folder}: another process, or a call that was left behind, still sends the "
                "events that wait there"
            ) from error
        self._lock = lock

    def _load(self) -> None:
        """Read what is there; a last line without an end was cut off in the middle."""
        self._older = {event.of: event.said for _at, event in _events(self.folder / "before")}
        self._last, self._offsets, self._size = {}, [], 0
        self._at = self._position()
        if not (self.folder / "events").exists():
            self._at = 0  # cut off as a new file was begun: the position is in the old one
            self._keep_position()
        for end, event in _events(self.folder / "events"):
            if end > self._at:
                self._offsets.append(self._size)
            self._last[event.of] = event.said, end
            self._size = end
        self._at = min(self._at, self._size)

    def _position(self) -> int:
        """Return how far the receiver has come in the file."""
        try:
            return int((self.folder / "taken").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def _keep_position(self) -> None:
        with failures_typed(self.folder):
            draft = self.folder / "taken.new"
            with open(draft, "wb", buffering=0, opener=_private) as file:
                _write(file, str(self._at).encode())
            draft.replace(self.folder / "taken")
            _sync_folder(self.folder)

    def _rotate(self) -> None:
        """Begin a new file where nothing waits, and the ledger knows of all that was handed over.

        What the file holds that the ledger never asks for again must not let it grow for ever.
        """
        if self._offsets or self._size < (_ROTATE_ANYWAY if self._asked else _ROTATE_BYTES):
            return
        self._close()
        with failures_typed(self.folder):
            (self.folder / "events").replace(self.folder / "before")
            self._at = 0
            self._keep_position()
        self._asked.clear()

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def close(self) -> None:
        """Close the files: others may open them."""
        self._close()
        if self._lock is not None:
            lock, self._lock = self._lock, None
            lock.close()


def _events(path: Path) -> Iterator[tuple[int, Spooled]]:
    """Yield the events of a file, each with where it ends."""
    end = 0
    try:
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    return
                end += len(line)
                yield end, _read(line, path.parent)
    except FileNotFoundError:
        return


def _read(line: bytes, folder: Path) -> Spooled:
    try:
        return msgspec.json.decode(line, type=Spooled)
    except msgspec.DecodeError as error:
        words = f"{folder}: an event that waits there is damaged: stop the service and move the "
        raise UnavailableError(f"{words}folder away; what waits is then made anew") from error


def _write(file: FileIO, data: bytes) -> None:
    """Write all of it, and return once it is on the disk."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
    os.fdatasync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Return once the names in a folder are on the disk."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, _FILE_MODE)
