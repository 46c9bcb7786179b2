"""Reads one collection from a cursor to its newest object, whatever its server makes of paging."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from connector.answer import Answer
from connector.errors import ConnectorError, UnavailableError
from connector.feed import Page
from connector.feeds.raw_objects import Envelope, read_envelope
from connector.feeds.taxii_connection import check_content_type
from connector.feeds.taxii_cursor import Cursor, read_stamp, write_stamp

LARGEST_LIMIT: Final = 10_000
_MOST_EMPTY_PAGES: Final = 100
_STEPS_BACK: Final = (timedelta(milliseconds=1), timedelta(microseconds=1))
_BELIEVED_AHEAD: Final = timedelta(hours=1)

Ask = Callable[[str, Mapping[str, str], int], Answer]


class _Version(msgspec.Struct):
    id: str
    modified: str | None = None
    created: str | None = None


class _ManifestEntry(msgspec.Struct):
    date_added: str
    version: str | None = None


class _Manifest(msgspec.Struct):
    objects: list[_ManifestEntry] = []


class _TokenLostError(Exception):
    """A request with `next` failed; the same token may have moved on, so it is not sent again."""

    def __init__(self, cause: UnavailableError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True, slots=True)
class _Received:
    envelope: Envelope
    last: datetime | None
    asked: datetime | None
    where: str

    @property
    def fingerprint(self) -> int:
        objects = self.envelope.objects
        return hash((len(objects), objects[0], objects[-1]))


class Run:
    """One run over a collection.

    `ask` gets `objects/` or `manifest/` with parameters and a number of retries. Every page's
    cursor is safe to keep: a run from it repeats some objects and leaves none out.
    """

    def __init__(
        self, ask: Ask, cursor: Cursor, after: datetime | None, overlap: timedelta, limit: int
    ) -> None:
        self._ask = ask
        self._cursor = cursor
        self._after = after
        self._overlap = overlap
        self._limit = limit
        self._began: datetime | None = None
        self._unstamped: _Received | None = None
        self._seen: set[int] = set()
        self._empty_tokens: set[str | None] = set()

    def pages(self) -> Iterator[Page]:
        """Yield all pages; the last one is marked so."""
        restarted_at: object = self
        while True:
            try:
                yield from self._pages_from_start()
            except _TokenLostError as lost:
                # Starting over helps where a token expired; where it brings nothing new, it fails.
                if restarted_at == self._cursor.last:
                    raise lost.cause from lost
                restarted_at = self._cursor.last
                known = (self._after, self._cursor.resume(self._overlap))
                self._after = max((after for after in known if after), default=None)
            else:
                return

    def _pages_from_start(self) -> Iterator[Page]:
        self._began, self._unstamped = None, None
        self._seen.clear()
        self._empty_tokens.clear()
        question = {"limit": str(self._limit)}
        if self._after is not None:
            question["added_after"] = write_stamp(self._after)
        while True:
            page = self._fetch(question)
            self._note(page)
            if not page.envelope.more:
                break
            self._refuse_loop(page, question)
            yield Page(page.envelope.objects, self._cursor.write(), last=False)
            question = self._following(page, question)
        yield Page(page.envelope.objects, self._ended().write(), last=True)

    def _fetch(self, question: Mapping[str, str]) -> _Received:
        paging = "next" in question
        asked_at = time.monotonic()
        try:
            answer = self._ask("objects/", question, 0 if paging else 2)
            check_content_type(answer)
            envelope = read_envelope(answer.content, answer.where)
        except UnavailableError as error:
            if paging:
                raise _TokenLostError(error) from error
            raise
        last = read_stamp(answer.headers.get("X-TAXII-Date-Added-Last"))
        # A slow server looked at its objects before it wrote the date, at the earliest when asked.
        took = timedelta(seconds=time.monotonic() - asked_at)
        asked = None if answer.date is None else answer.date - took
        return _Received(envelope, _believed(last, answer.date), asked, answer.where)

    def _note(self, page: _Received) -> None:
        self._began = self._began or page.asked
        if page.last is not None:
            self._cursor = self._cursor.past(page.last)
            self._unstamped = None
        elif page.envelope.objects:
            self._unstamped = page

    def _refuse_loop(self, page: _Received, question: Mapping[str, str]) -> None:
        """Some servers keep one token for all pages, so only what a page holds tells a loop."""
        if page.envelope.objects:
            repeated = page.fingerprint in self._seen and "next" in question
            self._seen.add(page.fingerprint)
            self._empty_tokens.clear()
        else:
            token = page.envelope.next
            repeated = token in self._empty_tokens or len(self._empty_tokens) > _MOST_EMPTY_PAGES
            self._empty_tokens.add(token)
        if repeated:
            raise UnavailableError(
                f"{page.where}: the server repeats a page and says there is more: stopped reading; "
                "its operator has to mend its paging"
            )

    def _following(self, page: _Received, question: Mapping[str, str]) -> dict[str, str]:
        if page.envelope.next is not None:
            return {**question, "next": page.envelope.next}
        return self._without_token(page, dict(question))

    def _without_token(self, page: _Received, question: dict[str, str]) -> dict[str, str]:
        """Go on by time, from just before the last object: others may bear the same stamp."""
        question.pop("next", None)
        last = page.last or self._stamp_of_last(page)
        after = read_stamp(question.get("added_after"))
        if last is not None:
            for step in _STEPS_BACK:
                if after is None or last - step > after:
                    return {**question, "added_after": write_stamp(last - step)}
        limit = min(int(question["limit"]) * 2, LARGEST_LIMIT)
        if last is None or limit == int(question["limit"]):
            raise UnavailableError(
                f"{page.where}: the server says there is more, but gives no next and no time to go "
                "on from, or more objects with one time than it sends in a page"
            )
        return {**question, "limit": str(limit)}

    def _ended(self) -> Cursor:
        """Where no header told how far we got, ask the manifest; else trust the time we began."""
        if self._unstamped is not None:
            stamp = self._stamp_of_last(self._unstamped)
            if stamp is None and self._began is not None:
                stamp = self._began - self._overlap
            self._cursor = self._cursor.past(stamp)
        return replace(self._cursor, read_at=self._began)

    def _stamp_of_last(self, page: _Received) -> datetime | None:
        if not page.envelope.objects:
            return None
        try:
            version = msgspec.json.decode(page.envelope.objects[-1], type=_Version)
            query = {"match[id]": version.id, "match[version]": "all"}
            answer = self._ask("manifest/", query, 0)
            entries = msgspec.json.decode(answer.content, type=_Manifest).objects
        except (msgspec.DecodeError, ConnectorError):
            return None
        wanted = read_stamp(version.modified or version.created)
        same = [e for e in entries if len(entries) == 1 or read_stamp(e.version) == wanted]
        stamps = [s for e in same if (s := _believed(read_stamp(e.date_added), answer.date))]
        return min(stamps, default=None)


def _believed(stamp: datetime | None, now: datetime | None) -> datetime | None:
    """A stamp in the future is no time of adding: after it we would never read anything again."""
    if stamp is None or now is None or stamp <= now + _BELIEVED_AHEAD:
        return stamp
    return None
