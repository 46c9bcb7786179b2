"""One access map on disk: an lmdb index that Postfix reads, and the text file of the same content.

The index is always a new file, renamed over the old one: Postfix locks LMDB files in its own way,
so a live index must never be written to. Keys and values end with a NUL byte, as `postmap` writes
them. No hard link may keep the old index: Postfix notices a new one by the link count of the old.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from connector.adapter import RefusedError, UnavailableError

from .keys import MARKER

try:
    import lmdb
except ModuleNotFoundError:  # the adapter then refuses to be made, and says how to install it
    lmdb = None  # type: ignore[assignment]  # a module by its other line

_MARK: Final = "DUNNO kept by threat-feed-connector"
_HEADER: Final = "# kept by threat-feed-connector; changes made here are lost\n"
_MARKER_KEY: Final = f"{MARKER}\0".encode()
_MAP_SIZE: Final = 1 << 34  # address space, not disk
_MODE: Final = 0o644  # smtpd and administrators read it, whatever our umask
_BATCH: Final = 10_000


@contextmanager
def failures_typed() -> Iterator[None]:
    """Turn what the file system and LMDB say of a failed write into the error the core acts on."""
    try:
        yield
    except PermissionError as error:
        raise RefusedError(
            f"{error.filename}: {error.strerror}; the user that the service runs as must be able "
            "to write to the folder"
        ) from error
    except FileNotFoundError as error:
        raise UnavailableError(
            f"{error.filename}: no such folder; create it, or correct the option folder"
        ) from error
    except (OSError, lmdb.Error) as error:
        raise UnavailableError(
            f"the new maps could not be written, and the old ones stay: {error}"
        ) from error


class MapFile:
    """The map that main.cf names `lmdb:FOLDER/STEM`."""

    def __init__(self, folder: Path, stem: str) -> None:
        self.folder = folder
        self.stem = stem
        self.source = folder / stem
        self.index = folder / f"{stem}.lmdb"

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield keys and values; none when there is no index yet."""
        try:
            with _opened(self.index) as environment, environment.begin() as transaction:
                if not _is_marked(transaction):
                    raise UnavailableError(f"{self.index}: was not written by this adapter")
                for key, value in transaction.cursor():
                    if key != _MARKER_KEY:
                        yield _text(key), _text(value)
        except FileNotFoundError:
            if not self.folder.is_dir():
                raise UnavailableError(f"{self.folder}: no such folder") from None
        except (lmdb.Error, OSError, ValueError) as error:
            raise UnavailableError(f"{self.index}: cannot be read: {error}") from error

    def check_ours(self) -> None:
        """Raise RefusedError where a file that we would replace is not ours."""
        for path, ours in ((self.source, self._source_is_ours), (self.index, self._index_is_ours)):
            if os.path.lexists(path) and not ours():
                raise RefusedError(
                    f"{path}: exists and was not written by this adapter; move it away, or name "
                    "another map in the options"
                )

    def empty_index(self) -> None:
        """Empty an index of ours whose text became another map: main.cf may still name it."""
        try:
            if not (self.index.exists() and self._has_mark() and any(self.pairs())):
                return
        except (lmdb.Error, ValueError):  # a broken one is perhaps of others, and finds nothing
            return
        with Draft(self) as draft:
            draft.seal()
            draft.publish_index()

    def _has_mark(self) -> bool:
        with _opened(self.index) as environment, environment.begin() as transaction:
            return _is_marked(transaction)

    def _source_is_ours(self) -> bool:
        with self.source.open(encoding="utf-8", errors="replace") as lines:
            return lines.readline(len(_HEADER)) == _HEADER

    def _index_is_ours(self) -> bool:
        try:
            return self._has_mark()
        except (lmdb.Error, ValueError):
            # A broken index stops all mail. If the text beside it is ours, so was the index.
            return self.source.exists() and self._source_is_ours()


class Draft:
    """The next version of a map, in files of its own; it is deleted unless it is published."""

    def __init__(self, live: MapFile) -> None:
        self._live = live
        self._index = live.folder / f".{live.stem}.new.lmdb"
        self._source = live.folder / f".{live.stem}.new"
        self._waiting: list[tuple[str, str]] = []
        self._written = 0
        self._discard()
        self._lines = self._source.open("x", encoding="utf-8", newline="\n")
        with ExitStack() as begun:
            begun.callback(self._abandon)
            self._lines.write(_HEADER)
            self._environment = lmdb.open(
                str(self._index),
                subdir=False,
                lock=False,
                sync=False,
                map_size=_MAP_SIZE,
                mode=_MODE,
                max_dbs=0,
            )
            begun.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._environment.close()
        self._abandon()

    def put(self, key: str, value: str) -> None:
        """Add a key and its value."""
        self._waiting.append((key, value))
        if len(self._waiting) >= _BATCH:
            self._flush()

    def has(self, key: str) -> bool:
        """Return whether a key has been put."""
        self._flush()
        with self._environment.begin() as transaction:
            return transaction.get(f"{key}\0".encode()) is not None

    def seal(self) -> None:
        """Finish both files, sync them to disk, and read the whole index once."""
        self.put(MARKER, f"{_MARK}, {self._written + len(self._waiting)} keys")
        self._flush()
        self._lines.flush()
        os.fsync(self._lines.fileno())
        self._lines.close()
        self._environment.sync(True)
        self._environment.close()
        for path in (self._source, self._index):
            path.chmod(_MODE)
        self._verify()

    def publish(self) -> None:
        """Replace the live files with the sealed ones."""
        self._index.replace(self._live.index)
        self._source.replace(self._live.source)
        self._sync_folder()

    def publish_index(self) -> None:
        """Replace the live index alone with the sealed one."""
        self._index.replace(self._live.index)
        self._sync_folder()

    def _sync_folder(self) -> None:
        folder = os.open(self._live.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _flush(self) -> None:
        self._lines.writelines(f"{key}\t{value}\n" for key, value in self._waiting)
        pairs = [(f"{key}\0".encode(), f"{value}\0".encode()) for key, value in self._waiting]
        with self._environment.begin(write=True) as transaction:
            _, added = transaction.cursor().putmulti(pairs)
        self._written += added
        self._waiting.clear()

    def _verify(self) -> None:
        with _opened(self._index) as environment, environment.begin() as transaction:
            found = sum(1 for _ in transaction.cursor().iternext(values=False))
            if found != self._written or not _is_marked(transaction):
                raise UnavailableError(
                    f"{self._index}: has {found} keys instead of the {self._written} written; "
                    "the old map stays"
                )

    def _abandon(self) -> None:
        with suppress(OSError):  # closing writes what a full disk refused before
            self._lines.close()
        self._discard()

    def _discard(self) -> None:
        for path in (self._index, self._source):
            with suppress(FileNotFoundError):
                path.unlink()


def _opened(path: Path) -> "lmdb.Environment":
    """Open for reading; raise ValueError for a file that is shorter than its own header says."""
    size = path.stat().st_size
    environment = lmdb.open(str(path), subdir=False, lock=False, readonly=True, max_dbs=0)
    needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    if size < needed:
        # LMDB maps the file into memory: reading a missing page would end the process.
        environment.close()
        raise ValueError(f"the file ends after {size} of {needed} bytes")
    return environment


def _is_marked(transaction: "lmdb.Transaction") -> bool:
    value = transaction.get(_MARKER_KEY)
    return value is not None and _text(bytes(value)).startswith(_MARK)


def _text(stored: bytes) -> str:
    return stored.removesuffix(b"\0").decode("utf-8")
