"""The feed contract, and all that a feed plugin ever imports."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, TypeVar

import msgspec

from connector.adapter import Http
from connector.errors import ConfigError, RefusedError, UnavailableError
from connector.outside import BYTE_ORDER_MARK
from connector.settings import (
    Auth,
    Duration,
    Field,
    FilePath,
    HttpSettings,
    Secret,
    SecretValue,
    Settings,
)

__all__ = [
    "Auth",
    "Collection",
    "ConfigError",
    "Duration",
    "Feed",
    "Field",
    "FilePath",
    "Gap",
    "Http",
    "HttpSettings",
    "Offered",
    "Page",
    "RefusedError",
    "Secret",
    "SecretValue",
    "Settings",
    "UnavailableError",
    "read_file",
    "read_json",
]

S = TypeVar("S", bound=Settings)
_MIB: Final = 1 << 20
MOST_VALUES: Final = 4_000_000  # of one document: some 300 MB


@dataclass(frozen=True, slots=True)
class Collection:
    """One stream of objects with a cursor of its own.

    `key` identifies it for ever (a TAXII collection's URL, a bundle's path); `whole` says that
    each run yields all that the collection holds, so what a run no longer shows was withdrawn.
    `at_once` says that all of it was read before the first page: such a run cannot end half-way.
    """

    key: str
    title: str
    whole: bool = False
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Raw STIX objects as received, and the cursor that follows them.

    `cursor` is opaque to all but its feed and is stored in the same transaction as the objects;
    `last` marks the end of a run that ended well.
    """

    objects: Sequence[bytes]
    cursor: str
    last: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """A span of time whose objects the source no longer serves and we have not read."""

    after: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Offered:
    """A collection as people see it: also one that the file does not choose or we may not read.

    `root` is what it stands under, such as a TAXII API root; `names` are those the file may use.
    """

    key: str
    title: str
    root: str = ""
    names: tuple[str, ...] = ()
    readable: bool = True
    chosen: bool = True


class Feed(ABC, Generic[S]):
    """Pages of STIX objects from a server or from files.

    `gaps` is for sources that forget: by collection key, what the latest run could no longer ask
    for. It is set before the run's first page, and a person acknowledges what was lost.
    `reconcile_every` is for sources that delete: how often `holdings` is compared with the store.
    """

    settings_type: ClassVar[type[Settings]]
    gaps: dict[str, Gap]
    reconcile_every: timedelta | None = None

    def __init__(self, settings: S, http: Http | None = None) -> None:
        self.settings = settings
        self.gaps = {}
        self._http = http

    @property
    def http(self) -> Http:
        """The client built from this feed's options; they must be an `HttpSettings`."""
        if self._http is None:
            raise RuntimeError("a feed that speaks HTTP derives its options from HttpSettings")
        return self._http

    def find(self, stix_id: str) -> bytes | None:
        """Return one object by its id, as a marking added long ago; None where there is none."""
        del stix_id
        return None

    @abstractmethod
    def collections(self) -> Sequence[Collection]:
        """Return every collection to be read; raise UnavailableError when unsure."""

    @abstractmethod
    def pages(self, collection: Collection, cursor: str | None) -> Iterator[Page]:
        """Yield what came after `cursor` (None: from the start), in the order it was added.

        Yields nothing when there is nothing new. Raises UnavailableError on half an answer; the
        pages yielded before stay good, and the next run goes on after them.
        """

    def holdings(self, collection: Collection) -> Iterator[Sequence[str]]:
        """Yield the ids of all that a collection holds; asked for where `reconcile_every` is set.

        Raises UnavailableError on half an answer: what is not named counts as deleted.
        """
        raise UnavailableError(f"{collection.title}: this kind of feed cannot list what it holds")

    def offered(self) -> Sequence[Offered]:
        """Return all that the source shows us, for people who choose; asked anew each time."""
        return [Offered(found.key, found.title) for found in self.collections()]

    def close(self) -> None:
        """Let go of connections; called once, after the last use."""


def read_file(path: Path, mib: int, option: str) -> bytes:
    """Return all of a file that has at most so many MiB, as an option of the feed allows.

    A UTF-8 byte order mark is left out.
    Raises UnavailableError where it cannot be read or is larger: part of a file is no answer.
    """
    limit = mib * _MIB
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > limit:
        raise UnavailableError(f"{path}: is larger than {mib} MiB: raise {option}")
    return content.removeprefix(BYTE_ORDER_MARK)


def read_json(content: bytes, where: str, most: int = MOST_VALUES) -> Any:
    """Return a JSON document as plain values, where it holds at most so many.

    Raises UnavailableError where it is none or holds more: how many there may be is counted before
    any is made, as a small body can unpack to millions.
    """
    if sum(map(content.count, (b",", b"[", b"{"))) > most:
        raise UnavailableError(f"{where}: holds more than {most:,} values")
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnavailableError(f"{where}: is incomplete or invalid JSON: {error}") from error
