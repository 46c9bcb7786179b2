"""The progress of a run by the server's own stamps: header, else manifest, else its clock."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from connector.errors import ConnectorError
from connector.feeds.taxii.client import MANIFEST, Asked, CollectionClient, Question
from connector.feeds.taxii.cursor import Cursor, believed, read_stamp
from connector.instants import utc_now

MOST_VERSIONS: Final = 1000  # of one object, as a manifest lists them


class _Version(msgspec.Struct):
    id: str
    modified: str | None = None
    created: str | None = None
    date_added: str | None = None


class _ManifestEntry(msgspec.Struct):
    date_added: str
    version: str | None = None


class _Manifest(msgspec.Struct):
    objects: list[msgspec.Raw] = []


@dataclass(frozen=True, slots=True)
class Received:
    """The objects of one page that the run has not shown yet, and the answer that held them.

    `way_on` is what the server gave for the next page; None after the last one.
    """

    objects: Sequence[bytes]
    asked: Asked
    way_on: Hashable | None

    @property
    def where(self) -> str:
        """The address of the page, fit for messages."""
        return self.asked.answer.where


class Progress:
    """The cursor during a run.

    It is safe to keep after each page: a run from it repeats some objects and skips none.
    """

    def __init__(self, client: CollectionClient, cursor: Cursor, overlap: timedelta) -> None:
        self._client = client
        self._overlap = overlap
        self._began: datetime | None = None
        self._unstamped: Received | None = None
        self.cursor = cursor

    def note(self, page: Received) -> None:
        """Take a page into account."""
        self._began = self._began or page.asked.at
        if page.asked.last is not None:
            # Some servers write another time there, such as `valid_from`: a time later than the
            # server's clock must not make us skip what it adds until then.
            now = page.asked.answer.date or page.asked.last
            self._move(min(page.asked.last, now))
            self._unstamped = None
        elif page.objects:
            self._unstamped = page

    def start_over(self, after: datetime | None) -> datetime | None:
        """Keep the progress so far; return the time after which to ask again."""
        self._began, self._unstamped = None, None
        known = (after, self.cursor.resume(self._overlap))
        return max((moment for moment in known if moment), default=None)

    def ended(self) -> Cursor:
        """If no header gave the progress, ask the manifest; else use the time of our start."""
        if self._unstamped is not None:
            stamp = self.stamp_of_last(self._unstamped)
            if stamp is None and self._began is not None:
                stamp = self._began - self._overlap
            self._move(stamp)
        return replace(self.cursor, read_at=self._began)

    def _move(self, stamp: datetime | None) -> None:
        """Advance to a stamp, but never beyond our own clock.

        A server whose clock jumped to the year 9999 once would stop the feed for good. If our
        clock is behind, some objects are read again.
        """
        self.cursor = self.cursor.past(None if stamp is None else min(stamp, utc_now()))

    def stamp_of_last(self, page: Received) -> datetime | None:
        """Return when a page's last object was added, as the manifest says."""
        if not page.objects:
            return None
        try:
            version = msgspec.json.decode(page.objects[-1], type=_Version)
            if version.date_added is not None:  # the page is from the manifest itself
                return believed(read_stamp(version.date_added), page.asked.answer.date)
            query = {"match[id]": version.id, "match[version]": "all"}
            answer = self._client.ask(Question(MANIFEST, query)).answer
            listed = msgspec.json.decode(answer.content, type=_Manifest).objects[:MOST_VERSIONS]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ConnectorError):
            return None
        entries = [entry for raw in listed if (entry := _entry(raw)) is not None]
        wanted = read_stamp(version.modified or version.created)
        same = [e for e in entries if len(entries) == 1 or read_stamp(e.version) == wanted]
        stamps = [s for e in same if (s := believed(read_stamp(e.date_added), answer.date))]
        return min(stamps, default=None)


def _entry(raw: msgspec.Raw) -> _ManifestEntry | None:
    """Return one entry of a manifest, or None if it cannot be read among others."""
    try:
        return msgspec.json.decode(raw, type=_ManifestEntry)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
