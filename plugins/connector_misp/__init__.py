"""MISP feeds: a manifest and one file per event, in a folder or below a URL."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b
from typing import Final

import msgspec
import structlog
from pydantic import model_validator

from connector.feed import (
    Collection,
    Feed,
    Field,
    FilePath,
    Http,
    HttpSettings,
    Page,
    UnavailableError,
    read_file,
)
from connector_misp.events import EventReader, is_uuid, read_event

log = structlog.get_logger()
_MANIFEST: Final = "manifest.json"
_PAGE: Final = 1000
MOST_EVENTS: Final = 50_000  # of one manifest; each is a collection
_MOST_COLONS: Final = 40 * MOST_EVENTS  # an entry has some thirty; counted before entries are read
_FROM_START: Final = ""


class Attributes(StrEnum):
    """Which attributes of an event are read."""

    TO_IDS = "to_ids"
    ALL = "all"


class MispSettings(HttpSettings):
    """Options of a MISP feed."""

    path: FilePath | None = Field(None, description="Folder of the feed; this or `url`.")
    url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#]+[^\s?#]*$",
        description="Address of the feed, the folder with manifest.json; this or `path`.",
    )
    attributes: Attributes = Field(
        Attributes.TO_IDS,
        description="Which attributes to read. `to_ids`: those that MISP marks as fit for "
        "detection, in events that are not marked as unpublished. `all`: also the others, with the "
        'label `misp:to_ids="False"`, for lists that select by label.',
    )

    @property
    def makes_objects(self) -> bool:
        """Attributes of events become indicators here."""
        return True

    @model_validator(mode="after")
    def _one_place(self) -> "MispSettings":
        if (self.path is None) == (self.url is None):
            raise ValueError("should have either path or url")
        return self


class MispFeed(Feed[MispSettings]):
    """Events of a MISP feed, each a collection that is read whole when its manifest entry changes.

    An event that the manifest no longer names is withdrawn, and so is an attribute that its event
    no longer has; a deleted attribute is revoked.
    """

    settings_type = MispSettings

    def __init__(self, settings: MispSettings, http: Http | None = None) -> None:
        super().__init__(settings, http)
        self._entries: dict[str, _Entry] = {}
        self._strange: list[str] = []

    def collections(self) -> Sequence[Collection]:
        """Return one collection for each event in the manifest."""
        return [
            Collection(uuid, entry.title or uuid, whole=True, at_once=True)
            for uuid, entry in self._manifest().items()
        ]

    def pages(self, collection: Collection, cursor: str | None) -> Iterator[Page]:
        """Yield an event's objects, or nothing when its manifest entry is as in the cursor."""
        entry = self._entries.get(collection.key)
        if entry is None:
            entry = self._manifest().get(collection.key)
        if entry is None:
            raise UnavailableError(f"{self._where(_MANIFEST)}: has no event {collection.key}")
        fresh = f"{entry.digest} {self.settings.attributes.value}"
        if cursor == fresh:
            return
        name = f"{collection.key}.json"
        event = read_event(self._content(name), self._where(name))
        everything = self.settings.attributes is Attributes.ALL
        objects = list(EventReader(collection.key, event, everything=everything).objects())
        yield from _paged(objects, fresh)

    def _manifest(self) -> "Mapping[str, _Entry]":
        """Return the entries of the manifest, by event; an entry changes with its event."""
        where = self._where(_MANIFEST)
        content = self._content(_MANIFEST)
        try:
            many = content.count(b":") > _MOST_COLONS
            listed = {} if many else msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnavailableError(f"{where}: is not a complete MISP manifest: {error}") from error
        if many or len(listed) > MOST_EVENTS:
            raise UnavailableError(f"{where}: has more than {MOST_EVENTS:,} events")
        named = {uuid.lower(): raw for uuid, raw in listed.items() if is_uuid(uuid.lower())}
        self._tell_strange(where, [uuid for uuid in listed if uuid.lower() not in named], named)
        self._entries = {uuid: _Entry.read(bytes(raw)) for uuid, raw in named.items()}
        return self._entries

    def _tell_strange(self, where: str, strange: list[str], named: Mapping[str, object]) -> None:
        """Log keys that are no event ids, once; raise where there are no others."""
        if strange and not named:
            raise UnavailableError(f"{where}: {strange[0][:80]!r} should be the UUID of an event")
        if strange and strange != self._strange:
            log.warning("feed.misp_entries_unread", where=where, entries=len(strange),
                        such_as=strange[0][:80], what="should be the UUID of an event")  # fmt: skip
        self._strange = strange

    def _where(self, name: str) -> str:
        if self.settings.path is not None:
            return str(self.settings.path / name)
        return self._folder_url + name

    @property
    def _folder_url(self) -> str:
        return str(self.settings.url).removesuffix(_MANIFEST).rstrip("/") + "/"

    def _content(self, name: str) -> bytes:
        if self.settings.path is None:
            return self.http.request("GET", self._folder_url + name).content
        path = self.settings.path / name
        return read_file(path, self.settings.max_body_mib, "max_body_mib")


class _Event(msgspec.Struct):
    info: str | None = None


class _Entry(msgspec.Struct, frozen=True):
    """The manifest's entry of an event: its title, and a digest of the whole entry."""

    title: str
    digest: str

    @classmethod
    def read(cls, raw: bytes) -> "_Entry":
        try:
            title = msgspec.json.decode(raw, type=_Event).info or ""
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            title = ""  # the event is read all the same
        return cls(title.strip()[:200], blake2b(raw, digest_size=16).hexdigest())


def _paged(objects: list[bytes], cursor: str) -> Iterator[Page]:
    """Yield pages; the event counts as read with the last one, so a crash reads it again."""
    last = max(0, len(objects) - 1) // _PAGE * _PAGE
    for start in range(0, last, _PAGE):
        yield Page(objects[start : start + _PAGE], _FROM_START, last=False)
    yield Page(objects[last:], cursor, last=True)
