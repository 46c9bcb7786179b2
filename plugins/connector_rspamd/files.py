"""Maps as files, of which Rspamd reads each when it has been replaced."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from connector.adapter import (
    ALL_WRITTEN,
    FieldValue,
    Observable,
    Outcomes,
    TextDraft,
    TextFile,
)

from .keys import MapName

__all__ = ["MapFiles"]

_QUOTED: Final = re.compile(r'"([^"\\]*)"')
_NO_FIELDS: Final[Mapping[str, FieldValue]] = {}


class MapFiles:
    """The files of one output."""

    def __init__(self, paths: Mapping[MapName, Path]) -> None:
        self._files = {name: TextFile(path) for name, path in paths.items()}

    def known_as(self) -> Collection[str]:
        """Return no other name of the files than their path."""
        return ()

    def stamp(self) -> str:
        """Return what tells the files from any others in their place."""
        return " ".join(file.stamp() for file in self._files.values())

    def rows(self) -> Iterator[tuple[MapName, str, Mapping[str, FieldValue]]]:
        """Yield each map with its keys; a line in no form of ours is a key as it is."""
        for name, file in self._files.items():
            for line in file.lines():
                quoted = None if name == "addresses" else _QUOTED.fullmatch(line)
                yield name, line if quoted is None else quoted[1], _NO_FIELDS

    @contextmanager
    def draft(self) -> Iterator["FileDraft"]:
        """Open the next version of all files, which is dropped unless it is published."""
        with ExitStack() as opened:
            yield FileDraft(
                {name: opened.enter_context(file.draft()) for name, file in self._files.items()}
            )

    def close(self) -> None:
        """Close nothing: no file stays open."""


class FileDraft:
    """The next version of all files."""

    def __init__(self, drafts: Mapping[MapName, TextDraft]) -> None:
        self._drafts = drafts

    def put(self, name: MapName, one: Observable) -> None:
        """Add an entry to a map."""
        self._drafts[name].write([one.value if name == "addresses" else f'"{one.value}"'])

    def publish(self) -> Outcomes:
        """Put all files on the disk, then replace each."""
        for draft in self._drafts.values():
            draft.seal()
        for draft in self._drafts.values():
            draft.publish()
        return ALL_WRITTEN
