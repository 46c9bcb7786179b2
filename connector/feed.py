"""The feed contract: everything that a feed imports."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar

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
    "Window",
    "read_file",
    "read_json",
]

S = TypeVar("S", bound=Settings)
Window = Annotated[
    Duration | None,
    Field(
        description="How far back the server answers. After a longer absence objects are missing, "
        "and the feed reports a gap."
    ),
]
_MIB: Final = 1 << 20
MOST_VALUES: Final = 4_000_000  # in one document: some 300 MB


class Collection(msgspec.Struct, frozen=True):
    """One stream of objects with a cursor of its own.

    `key` identifies it for ever (a TAXII collection's URL, a bundle's path). With `whole`, each run
    yields all objects of the collection, so an object that a run no longer shows was withdrawn.
    With `at_once`, all was read before the first page, so such a run cannot end half-way.
    """

    key: str
    title: str
    whole: bool = False
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Raw STIX objects as received, and the cursor that follows them.

    Only its feed interprets `cursor`, which is stored in the same transaction as the objects;
    `last` marks the end of a successful run.
    """

    objects: Sequence[bytes]
    cursor: str
    last: bool


class Gap(msgspec.Struct, frozen=True):
    """A span of time whose objects we have not read, and the source no longer serves."""

    after: datetime
    until: datetime


class Offered(msgspec.Struct, frozen=True):
    """A collection as people see it, even one that is not selected or that we may not read.

    `root` is what it belongs to, such as a TAXII API root; `names` are those that the file may use.
    """

    key: str
    title: str
    root: str = ""
    names: tuple[str, ...] = ()
    readable: bool = True
    chosen: bool = True


class Feed(ABC, Generic[S]):
    """Pages of STIX objects from a server or from files.

    `gaps` is for sources that forget: by collection key, what was no longer available to the latest
    run. It is set before the run's first page, and a person acknowledges it; `window` is how far
    back they answer. `reconcile_every` is for sources that delete: how often `holdings` is compared
    with the store.
    """

    settings_type: ClassVar[type[Settings]]
    gaps: dict[str, Gap]
    window: timedelta | None = None
    reconcile_every: timedelta | None = None

    def __init__(self, settings: S, http: Http | None = None) -> None:
        self.settings = settings
        self.gaps = {}
        self._http = http

    @property
    def http(self) -> Http:
        """The client made from this feed's options, which must be an `HttpSettings`."""
        if self._http is None:
            raise RuntimeError("a feed that uses HTTP needs options derived from HttpSettings")
        return self._http

    def find(self, stix_id: str) -> bytes | None:
        """Return one object by its id, such as a marking added long ago; None if there is none."""
        del stix_id
        return None

    @abstractmethod
    def collections(self) -> Sequence[Collection]:
        """Return every collection to read; raise UnavailableError when unsure."""

    @abstractmethod
    def pages(self, collection: Collection, cursor: str | None) -> Iterator[Page]:
        """Yield objects added after `cursor` (None: from the start), in the order they were added.

        Yields nothing when there is nothing new. Raises UnavailableError on half an answer; the
        pages yielded before remain valid, and the next run continues after them.
        """

    def holdings(self, collection: Collection) -> Iterator[Sequence[str]]:
        """Yield the ids of all objects in a collection; used where `reconcile_every` is set.

        Raises UnavailableError on half an answer: an object that is not named counts as deleted.
        """
        raise UnavailableError(f"{collection.title}: this type of feed cannot list its objects")

    def offered(self) -> Sequence[Offered]:
        """Return all collections that the source shows us, asking it each time."""
        return [Offered(found.key, found.title) for found in self.collections()]

    def close(self) -> None:
        """Close connections; called once, after the last use."""


def read_file(path: Path, mib: int, option: str) -> bytes:
    """Return a file of at most so many MiB, without a UTF-8 byte order mark.

    Raises UnavailableError where it is unreadable or larger, which names the option to raise.
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
    """Return a JSON document of at most `most` values.

    Raises UnavailableError where it is malformed or has more. They are counted before decoding,
    because a small body can unpack to millions.
    """
    if sum(map(content.count, (b",", b"[", b"{"))) > most:
        raise UnavailableError(f"{where}: has more than {most:,} values")
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnavailableError(f"{where}: is incomplete or invalid JSON: {error}") from error
