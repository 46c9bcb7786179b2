"""Reads one collection from a cursor to its newest object, however its server pages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connector.errors import UnavailableError
from connector.feed import Page
from connector.feeds.stix_json import Envelope, read_envelope
from connector.feeds.taxii.cursor import Cursor, read_stamp, write_stamp
from connector.feeds.taxii.loops import Turns
from connector.feeds.taxii.progress import OBJECTS, Ask, Progress, Question, Shown, ask_timed

LARGEST_LIMIT: Final = 10_000
LONGEST_TOKEN: Final = 4096  # servers still accept a URL of that length
_STEPS_BACK: Final = (timedelta(milliseconds=1), timedelta(microseconds=1))


class _TokenLostError(Exception):
    """A request with `next` failed; it is not retried, as the token may have advanced."""

    def __init__(self, cause: UnavailableError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True, slots=True)
class _Received:
    envelope: Envelope
    shown: Shown

    @property
    def where(self) -> str:
        return self.shown.asked.answer.where


class Run:
    """One run over a collection of a TAXII 2.1 server.

    The cursor of every page is safe to keep: a run from it repeats some objects and skips none.
    """

    def __init__(
        self,
        ask: Ask,
        cursor: Cursor,
        after: datetime | None,
        overlap: timedelta,
        limit: int,
        turns: Turns,
        resource: str = OBJECTS,
    ) -> None:
        self._ask = ask
        self._progress = Progress(ask, cursor, overlap)
        self._after = after
        self._limit = limit
        self._resource = resource
        self._turns = turns

    def pages(self) -> Iterator[Page]:
        """Yield all pages; the last one is marked."""
        restarted_at: object = self
        while True:
            try:
                yield from self._pages_from_start()
            except _TokenLostError as lost:
                # Starting over helps if a token has expired; if it brings nothing new, it fails.
                if restarted_at == self._progress.cursor.last:
                    raise lost.cause from lost
                restarted_at = self._progress.cursor.last
                self._after = self._progress.restart(self._after)
            else:
                return

    def _pages_from_start(self) -> Iterator[Page]:
        self._progress.begin()
        self._turns.begin()
        question = {"limit": str(self._limit)}
        if self._after is not None:
            question["added_after"] = write_stamp(self._after)
        while True:
            page = self._fetch(question)
            self._progress.note(page.shown)
            if not page.envelope.more:
                break
            way_on = page.envelope.next or tuple(sorted(question.items()))
            self._turns.take(page.where, page.envelope.objects, way_on)
            yield Page(page.envelope.objects, self._progress.cursor.write(), last=False)
            self._turns.go_on(page.where)
            question = self._following(page, question)
        yield Page(page.envelope.objects, self._progress.ended().write(), last=True)

    def _fetch(self, params: Mapping[str, str]) -> _Received:
        paging = "next" in params
        question = Question(self._resource, params, retries=0 if paging else 2)
        try:
            asked = ask_timed(self._ask, question)
            envelope = read_envelope(asked.answer.content, asked.answer.where)
        except UnavailableError as error:
            if paging:
                raise _TokenLostError(error) from error
            raise
        return _Received(envelope, Shown(envelope.objects, asked))

    def _following(self, page: _Received, question: Mapping[str, str]) -> dict[str, str]:
        if page.envelope.next is not None:
            if len(page.envelope.next) > LONGEST_TOKEN:
                raise UnavailableError(
                    f"{page.where}: the server's next has {len(page.envelope.next)} characters, "
                    f"more than {LONGEST_TOKEN}: too long for a URL"
                )
            return {**question, "next": page.envelope.next}
        return self._without_token(page, dict(question))

    def _without_token(self, page: _Received, question: dict[str, str]) -> dict[str, str]:
        """Continue by time, from just before the last object: others may have the same stamp."""
        question.pop("next", None)
        last = page.shown.asked.last or self._progress.stamp_of_last(page.shown)
        after = read_stamp(question.get("added_after"))
        if last is not None:
            for step in _STEPS_BACK:
                if after is None or last - step > after:
                    return {**question, "added_after": write_stamp(last - step)}
        limit = min(int(question["limit"]) * 2, LARGEST_LIMIT)
        if last is None or limit == int(question["limit"]):
            raise UnavailableError(
                f"{page.where}: the server says there is more, but gives no next and no time to "
                "continue from, or has more objects with one time than fit in a page"
            )
        return {**question, "limit": str(limit)}
