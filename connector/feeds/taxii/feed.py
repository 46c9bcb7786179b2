"""TAXII collections as a feed."""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from connector.errors import RefusedError, UnavailableError
from connector.feed import Collection, Feed, Gap, Offered, Page
from connector.feeds.stix_json import read_bundle, read_envelope
from connector.feeds.taxii.client import (
    MANIFEST,
    OBJECTS,
    CollectionClient,
    Question,
    ServerClock,
)
from connector.feeds.taxii.cursor import Cursor
from connector.feeds.taxii.discovery import MOST_COLLECTIONS, Discovery, choose
from connector.feeds.taxii.loops import Turns
from connector.feeds.taxii.paging import read_pages
from connector.feeds.taxii.paging_20 import RangePager
from connector.feeds.taxii.paging_21 import TokenPager
from connector.feeds.taxii.progress import Progress
from connector.feeds.taxii.settings import Profile, TaxiiSettings
from connector.http.response import HttpResponse
from connector.instants import utc_now

if TYPE_CHECKING:
    from connector.http.client import Http

__all__ = ["Profile", "TaxiiFeed", "TaxiiSettings"]

_DISCOVERY_SECONDS: Final = 3600.0
MOST_SEARCHED: Final = 50
_NOT_THERE: Final = frozenset({403, 404, 406})


class _Named(msgspec.Struct):
    id: str


class TaxiiFeed(Feed[TaxiiSettings]):
    """Pages of the collections of a TAXII 2.1 or 2.0 server."""

    settings_type = TaxiiSettings

    def __init__(self, settings: TaxiiSettings, http: "Http | None" = None) -> None:
        if http is None:
            raise RuntimeError("a TAXII feed needs the HTTP client of its options")
        super().__init__(settings, http)
        self._client = http
        self._discovery = Discovery(http, settings.url, settings.roots, settings.version)
        self._known: list[Collection] = []
        self._known_until = 0.0
        self._server_clock = ServerClock(settings.url)
        self.window = settings.window
        self.reconcile_every = None if settings.window else settings.reconcile_every

    def collections(self) -> Sequence[Collection]:
        """Return the collections chosen in the file, refreshed once an hour."""
        if time.monotonic() >= self._known_until:
            chosen = choose(self._discovery.collections(), self.settings.collections)
            if not chosen:
                raise RefusedError(f"{self.settings.url}: offers no collection that we can read")
            if len(chosen) > max(MOST_COLLECTIONS, len(self.settings.collections)):
                raise UnavailableError(
                    f"{self.settings.url}: offers {len(chosen):,} collections, more than "
                    f"{MOST_COLLECTIONS:,}: list those to read under collections"
                )
            self._known = [Collection(c.url, c.title) for c in chosen]
            self._known_until = time.monotonic() + _DISCOVERY_SECONDS
        return list(self._known)

    def pages(self, collection: Collection, cursor: str | None) -> Iterator[Page]:
        """Yield objects added after the cursor; at least one page, so that a cursor is stored."""
        start = Cursor.read(cursor)
        if not self._known:
            self.collections()  # this determines the TAXII version to speak
        after = self._within_window(collection, start)

        run = self._run(collection, start, after)
        self.gaps.pop(collection.key, None)
        try:
            for page in run:
                # Not earlier: our own clock may have stopped, as on a suspended machine.
                if collection.key not in self.gaps and (gap := self._gap(start)):
                    self.gaps[collection.key] = gap
                yield page
        except (UnavailableError, RefusedError):
            self._known_until = 0.0
            raise

    def holdings(self, collection: Collection) -> Iterator[Sequence[str]]:
        """Yield the ids that the collection's manifest lists, page by page."""
        for page in self._run(collection, Cursor(), None, MANIFEST):
            yield [_id_of(entry, collection) for entry in page.objects]

    def find(self, stix_id: str) -> bytes | None:
        """Return one object by its id from the first of a few collections that has it."""
        for collection in self.collections()[:MOST_SEARCHED]:
            answer = self._client.request(
                "GET",
                f"{collection.key}objects/{quote(stix_id, safe='')}/",
                headers={"Accept": self._discovery.dialect.objects},
                accept_statuses=_NOT_THERE,
            )
            if answer.status_code not in _NOT_THERE:
                for raw in self._objects_of(answer):
                    return raw
        return None

    def _objects_of(self, answer: HttpResponse) -> Sequence[bytes]:
        if self._discovery.dialect.ranged:
            return read_bundle(answer.content, answer.where)
        return read_envelope(answer.content, answer.where).objects

    def offered(self) -> Sequence[Offered]:
        """Return every collection of every root that grants access."""
        found = self._discovery.collections()
        chosen = {c.url for c in choose(found, self.settings.collections)}
        return [
            Offered(c.url, c.title, c.root, c.names, c.can_read, c.url in chosen) for c in found
        ]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _run(
        self,
        collection: Collection,
        start: Cursor,
        after: datetime | None,
        resource: str = OBJECTS,
    ) -> Iterator[Page]:
        client, size = self._client_of(collection), self.settings.page_size
        progress = Progress(client, start, self.settings.overlap)
        pager = (
            RangePager(client, size, resource)
            if client.dialect.ranged
            else TokenPager(client, progress, size, resource)
        )
        return read_pages(pager, progress, Turns(self.settings.max_pages), after)

    def _client_of(self, collection: Collection) -> CollectionClient:
        return CollectionClient(
            self._client, collection.key, self._discovery.dialect, self._server_clock
        )

    def _within_window(self, collection: Collection, start: Cursor) -> datetime | None:
        """Return where to start, no earlier than the server's window."""
        after = start.resume(self.settings.overlap)
        now = None if self.window is None else self._server_now(collection)
        if self.window is None or now is None:
            return after
        oldest = now - self.window
        return oldest if after is None else max(after, oldest)

    def _gap(self, start: Cursor) -> Gap | None:
        """Return what the server has dropped since our last complete run, by its own clock."""
        known_to = max((t for t in (start.last, start.read_at) if t), default=None)
        told = self._server_clock.told
        if self.window is None or known_to is None or told is None:
            return None
        oldest = min(told, utc_now()) - self.window
        return Gap(known_to, oldest) if known_to < oldest else None

    def _server_now(self, collection: Collection) -> datetime | None:
        if self._server_clock.told is None:
            self._client_of(collection).ask(Question("", {}, retries=2))
        return self._server_clock.now()


def _id_of(entry: bytes, collection: Collection) -> str:
    try:
        return msgspec.json.decode(entry, type=_Named).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnavailableError(
            f"{collection.key}{MANIFEST}: lists an object without an id: {error}"
        ) from error
