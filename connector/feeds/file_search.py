"""Finds the files of a path: one file, a folder's files, or those of a glob."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Final

from connector.errors import UnavailableError

SUFFIXES: Final = (".json", ".stix", ".stix2")
MOST_FILES: Final = 100_000  # each is a collection of its own
_WILD: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a path, and the other files there, both relative to a folder."""

    files: Sequence[Path]
    passed_over: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """What a configured path means: patterns, part by part, below a folder that must exist."""

    folder: Path
    patterns: tuple[str, ...]
    one_file: bool = False

    @classmethod
    def of(cls, path: Path) -> "Search":
        """Read the path: literally if it exists, else with `*`, `?`, `[` and `**`."""
        wild = [n for n, part in enumerate(path.parts) if _WILD & set(part)]
        if path.is_dir():
            return cls(path, ())
        if not wild or path.exists():
            return cls(path.parent, (path.name,), one_file=True)
        return cls(Path(*path.parts[: wild[0]]), path.parts[wild[0] :])

    def find(self) -> Found:
        """Return the current files; raise if a folder cannot be listed or has too many."""
        try:
            names, passed_over = self._names()
        except OSError as error:
            raise UnavailableError(
                f"{error.filename}: cannot list the folder: {error.strerror}"
            ) from error
        except RecursionError as error:
            raise UnavailableError(f"{self.folder}: its folders are nested too deep") from error
        # A name that is not valid text cannot be the key of a collection.
        files = [Path(name) for name in sorted(names) if _is_text(name)]
        odd = [name for name in names if not _is_text(name)]
        return Found(files, sorted([*passed_over, *odd]))

    def _names(self) -> tuple[set[str], list[str]]:
        if self.one_file:
            with os.scandir(self.folder) as entries:
                return {entry.name for entry in entries if entry.name == self.patterns[0]}, []
        if self.patterns:
            found = set(islice(_matching(self.folder, self.patterns), MOST_FILES + 1))
            _refuse_too_many(self.folder, len(found))
            return found, []
        names = [entry.name for entry in _entries(self.folder)]
        read = {name for name in names if name.lower().endswith(SUFFIXES)}
        below = [f"{each.name}/" for each in _folders(self.folder) if _holds_files(Path(each.path))]
        return read, [*(name for name in names if name not in read), *below]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Count a broken link as a file: reading it reports the error and withdraws nothing."""
    return [entry for entry in _listing(folder) if not entry.is_dir()]


def _folders(folder: Path) -> list[os.DirEntry[str]]:
    return [entry for entry in _listing(folder) if entry.is_dir()]


def _listing(folder: Path) -> list[os.DirEntry[str]]:
    """Leave out hidden files: unfinished uploads usually have such names."""
    with os.scandir(folder) as entries:
        found = list(islice((e for e in entries if not e.name.startswith(".")), MOST_FILES + 1))
    _refuse_too_many(folder, len(found))
    return found


def _refuse_too_many(folder: Path, count: int) -> None:
    if count > MOST_FILES:
        raise UnavailableError(f"{folder}: contains more than {MOST_FILES:,} files")


def _holds_files(folder: Path) -> bool:
    """Return whether a folder that is not searched has files to read; unsure means no."""
    try:
        with os.scandir(folder) as entries:
            return any(entry.name.lower().endswith(SUFFIXES) for entry in entries)
    except OSError:
        return False


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _matching(folder: Path, patterns: tuple[str, ...]) -> Iterator[str]:
    """List folders ourselves: `Path.glob` skips unreadable ones, whose files would seem deleted."""
    first, *rest = patterns
    if first == "**":
        yield from _matching(folder, tuple(rest) or ("*",))
        for entry in _folders(folder):
            if not entry.is_symlink():
                yield from _below(entry.name, _matching(folder / entry.name, patterns))
    elif rest:
        for entry in _folders(folder):
            if fnmatchcase(entry.name, first):
                yield from _below(entry.name, _matching(folder / entry.name, tuple(rest)))
    else:
        yield from (e.name for e in _entries(folder) if fnmatchcase(e.name, first))


def _below(name: str, found: Iterator[str]) -> Iterator[str]:
    return (f"{name}/{each}" for each in found)
