"""Finds the files that a path means: one file, a folder's, or those of a glob."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from connector.errors import UnavailableError

SUFFIXES: Final = (".json", ".stix", ".stix2")
_WILD: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Search:
    """What a path of the file means: patterns, part by part, below a folder that must exist."""

    folder: Path
    patterns: tuple[str, ...]
    one_file: bool = False

    @classmethod
    def of(cls, path: Path) -> "Search":
        """Read the path: what exists is meant as it stands, else `*`, `?`, `[` and `**` count."""
        wild = [n for n, part in enumerate(path.parts) if _WILD & set(part)]
        if path.is_dir():
            return cls(path, ())
        if not wild or path.exists():
            return cls(path.parent, (path.name,), one_file=True)
        return cls(Path(*path.parts[: wild[0]]), path.parts[wild[0] :])

    def files(self) -> list[Path]:
        """Return the files, relative to the folder; raise when a folder cannot be listed."""
        try:
            if not self.patterns:
                found = [e.name for e in _entries(self.folder) if e.name.endswith(SUFFIXES)]
            elif self.one_file:
                found = [name for name in os.listdir(self.folder) if name == self.patterns[0]]
            else:
                found = list(_matching(self.folder, self.patterns))
        except OSError as error:
            raise UnavailableError(
                f"{error.filename}: the folder cannot be listed: {error.strerror}"
            ) from error
        return [Path(name) for name in sorted(set(found))]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """A link that leads nowhere counts as a file: reading it says so, and nothing is withdrawn."""
    return [entry for entry in _listing(folder) if not entry.is_dir()]


def _folders(folder: Path) -> list[os.DirEntry[str]]:
    return [entry for entry in _listing(folder) if entry.is_dir()]


def _listing(folder: Path) -> list[os.DirEntry[str]]:
    """Hidden files are left out: that is how uploads under way are usually named."""
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]


def _matching(folder: Path, patterns: tuple[str, ...]) -> Iterator[str]:
    """`Path.glob` passes over folders that it may not list, so their files would seem deleted."""
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
