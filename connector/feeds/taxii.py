"""TAXII 2.1 collections as a feed."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from connector.answer import Answer
from connector.errors import RefusedError, UnavailableError
from connector.feed import Collection, Duration, Feed, Field, HttpSettings, Page
from connector.feeds.taxii_connection import MEDIA_TYPE, Connection
from connector.feeds.taxii_cursor import Cursor
from connector.feeds.taxii_discovery import Discovery, choose
from connector.feeds.taxii_pager import LARGEST_LIMIT, Run
from connector.http import Http

log = structlog.get_logger()
_DISCOVERY_SECONDS: Final = 3600.0
_SKEW_WORTH_A_WARNING: Final = timedelta(seconds=60)


class TaxiiSettings(HttpSettings):
    """Options of a TAXII 2.1 feed."""

    url: str = Field(
        pattern=r"^https?://[^\s/]+",
        description="Address of the discovery service, usually ending in /taxii2/, or of one API "
        "root.",
    )
    collections: tuple[str, ...] = Field(
        (), description="Collections to read, by id, alias or title; all readable when left out."
    )
    roots: tuple[str, ...] = Field(
        (),
        description="API roots to use, by the last part of their address or by whole address; all "
        "that discovery names on the same host when left out.",
    )
    window: Duration | None = Field(
        None, description="How far back the server answers; what is older is lost to us."
    )
    overlap: Duration = Field(
        timedelta(minutes=10),
        description="How far before the newest object known to read again, for objects that show "
        "up late.",
    )
    page_size: int = Field(
        1000, ge=1, le=LARGEST_LIMIT, description="Objects asked for in one page."
    )
    read_timeout: Duration = Field(
        timedelta(seconds=600), description="How long to wait for the server between two bytes."
    )


@dataclass(frozen=True, slots=True)
class Gap:
    """A time span whose objects the server no longer serves and we have not read."""

    after: datetime
    until: datetime


class TaxiiFeed(Feed[TaxiiSettings]):
    """Pages of the collections of a TAXII 2.1 server.

    `gaps` holds, by collection key, what the latest run could no longer ask for.
    """

    settings_type = TaxiiSettings

    def __init__(self, settings: TaxiiSettings, http: Http | None = None) -> None:
        if http is None:
            raise RuntimeError("a TAXII feed is made with the HTTP client of its options")
        super().__init__(settings, http)
        self._client = http
        self._discovery = Discovery(Connection(http), settings.url, settings.roots)
        self._known: list[Collection] = []
        self._known_until = 0.0
        self._server_clock: tuple[datetime, float] | None = None
        self._skew_reported = False
        self.gaps: dict[str, Gap] = {}

    def collections(self) -> Sequence[Collection]:
        """Return the collections chosen in the file, asked for anew once an hour."""
        if time.monotonic() >= self._known_until:
            chosen = choose(self._discovery.collections(), self.settings.collections)
            if not chosen:
                raise RefusedError(f"{self.settings.url}: offers no collection that we may read")
            self._known = [Collection(c.url, c.title) for c in chosen]
            self._known_until = time.monotonic() + _DISCOVERY_SECONDS
        return list(self._known)

    def pages(self, collection: Collection, cursor: str | None) -> Iterator[Page]:
        """Yield what was added after the cursor; at least one page, so that a cursor is kept."""
        start = Cursor.read(cursor)
        after = self._within_window(collection, start)

        def ask(resource: str, params: Mapping[str, str], retries: int) -> Answer:
            return self._ask(collection.key + resource, params, retries)

        run = Run(ask, start, after, self.settings.overlap, self.settings.page_size)
        try:
            yield from run.pages()
        except (UnavailableError, RefusedError):
            self._known_until = 0.0
            raise

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, url: str, params: Mapping[str, str], retries: int) -> Answer:
        answer = self._client.request(
            "GET", url, params=params, headers={"Accept": MEDIA_TYPE}, retries=retries
        )
        self._note_clock(answer)
        return answer

    def _within_window(self, collection: Collection, start: Cursor) -> datetime | None:
        """Return where to start, not before what the server still serves; note what is lost."""
        after = start.resume(self.settings.overlap)
        self.gaps.pop(collection.key, None)
        now = None if self.settings.window is None else self._server_now(collection)
        if self.settings.window is None or now is None:
            return after
        oldest = now - self.settings.window
        known_to = max((t for t in (start.last, start.read_at) if t), default=None)
        if known_to is not None and known_to < oldest:
            self.gaps[collection.key] = Gap(known_to, oldest)
            log.warning(
                "feed.gap",
                collection=collection.title,
                after=known_to.isoformat(),
                until=oldest.isoformat(),
            )
        return oldest if after is None else max(after, oldest)

    def _server_now(self, collection: Collection) -> datetime | None:
        """The server's clock and no other: ours may run ahead of it and skip objects."""
        if self._server_clock is None:
            self._ask(collection.key, {}, 2)
        if self._server_clock is None:
            return None
        date, at = self._server_clock
        return date + timedelta(seconds=time.monotonic() - at)

    def _note_clock(self, answer: Answer) -> None:
        date = answer.date
        if date is None:
            return
        self._server_clock = (date, time.monotonic())
        skew = datetime.now(UTC) - date
        if abs(skew) > _SKEW_WORTH_A_WARNING and not self._skew_reported:
            self._skew_reported = True
            log.warning("feed.clock_skew", url=self.settings.url, seconds=skew.total_seconds())
