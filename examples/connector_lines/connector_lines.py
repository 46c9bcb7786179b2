"""Reads a file to which others append STIX objects, one per line."""

from collections.abc import Iterable, Iterator, Sequence
from io import SEEK_END
from itertools import islice

from connector.feed import (
    Collection,
    Feed,
    Field,
    FilePath,
    Page,
    Settings,
    UnavailableError,
)


class LinesSettings(Settings):
    path: FilePath = Field(description="File with one STIX object per line.")


class LinesFeed(Feed[LinesSettings]):
    """Reads STIX objects from a growing file, one per line."""

    settings_type = LinesSettings

    def collections(self) -> Sequence[Collection]:
        path = self.settings.path
        if not path.is_file():
            raise UnavailableError(f"{path}: no such file")
        return [Collection(key=str(path), title=path.name)]

    def pages(self, collection: Collection, cursor: str | None) -> Iterator[Page]:
        position = int(cursor or 0)
        try:
            with self.settings.path.open("rb") as lines:
                if lines.seek(0, SEEK_END) < position:
                    position = 0  # a new file: reading an object twice changes nothing
                lines.seek(position)
                ahead = _whole_lines(lines)
                while found := ahead:
                    position += sum(map(len, found))
                    ahead = _whole_lines(lines)
                    yield Page([line.strip() for line in found], str(position), last=not ahead)
        except OSError as error:
            raise UnavailableError(f"{self.settings.path}: {error.strerror}") from error


def _whole_lines(lines: Iterable[bytes]) -> list[bytes]:
    return [line for line in islice(lines, 1000) if line.endswith(b"\n")]
