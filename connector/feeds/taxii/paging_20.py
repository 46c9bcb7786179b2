"""Pages of a TAXII 2.0 collection: ranges of positions in a bundle.

Positions shift when an earlier object is deleted, or is updated and moves to the end. So each
range begins at the last object of the previous one: if another object is there now, the run
starts over from its cursor.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connector.errors import UnavailableError
from connector.feed import Page
from connector.feeds.stix_json import read_bundle
from connector.feeds.taxii.cursor import Cursor, write_stamp
from connector.feeds.taxii.loops import Turns
from connector.feeds.taxii.progress import OBJECTS, Ask, Asked, Progress, Question, Shown, ask_timed
from connector.http.response import HttpResponse

# The specification's form comes first: the OASIS client sends it, so servers know it. RFC 7233 has
# the other. Last, no range at all: a server without ranges sends everything it has.
FORMS: Final = ("items {}-{}", "items={}-{}", None)
_END: Final = 416
_NOT_UNDERSTOOD: Final = frozenset({400, _END})
_CONTENT_RANGE: Final = re.compile(r"\s*items[ =](?:\d+-\d+|\*)/(\d{1,12})\s*")
_MOST_SHIFTS: Final = 5


class _ShiftedError(Exception):
    """Objects moved while we read, so positions have changed."""


@dataclass(frozen=True, slots=True)
class _Received:
    shown: Shown
    partial: bool
    total: int | None

    @property
    def objects(self) -> Sequence[bytes]:
        return self.shown.objects


class RangeRun:
    """One run over a collection of a TAXII 2.0 server.

    The cursor of every page is safe to keep: a run from it repeats some objects and skips none.
    """

    def __init__(
        self,
        ask: Ask,
        cursor: Cursor,
        after: datetime | None,
        overlap: timedelta,
        size: int,
        turns: Turns,
        resource: str = OBJECTS,
    ) -> None:
        self._ask = ask
        self._progress = Progress(ask, cursor, overlap)
        self._after = after
        self._size = size
        self._turns = turns
        self._resource = resource
        self._form: str | None = FORMS[0]

    def pages(self) -> Iterator[Page]:
        """Yield all pages; the last one is marked."""
        for _ in range(_MOST_SHIFTS):
            try:
                yield from self._pages_from_start()
            except _ShiftedError:
                self._after = self._progress.restart(self._after)
            else:
                return
        raise UnavailableError(
            f"{self._resource}: the server's order changed {_MOST_SHIFTS} times during the run; "
            "the next poll continues from here"
        )

    def _pages_from_start(self) -> Iterator[Page]:
        self._progress.begin()
        self._turns.begin()
        page = self._first()
        first = page.objects[:1]
        fresh, read = list(page.objects), len(page.objects)
        while self._goes_on(page, fresh, read):
            self._progress.note(page.shown)
            self._turns.take(page.shown.asked.answer.where, fresh, read)
            yield Page(fresh, self._progress.cursor.write(), last=False)
            self._turns.go_on(page.shown.asked.answer.where)
            before = page.objects[-1]
            page = self._following(read - 1)
            if not page.partial and page.objects[:1] == first and len(page.objects) > 1:
                fresh = []  # the server ignores ranges, and sends everything once more
            elif page.objects[:1] != [before]:
                raise _ShiftedError
            else:
                fresh = list(page.objects[1:])
            read += len(fresh)
        self._progress.note(page.shown)
        yield Page(fresh, self._progress.ended().write(), last=True)

    def _goes_on(self, page: _Received, fresh: Sequence[bytes], read: int) -> bool:
        """Return whether there is more: by the total, or else while ranges bring objects."""
        if page.total is not None and read < page.total and not fresh:
            raise UnavailableError(
                f"{page.shown.asked.answer.where}: the server counts {page.total} objects and "
                f"sends no more than {read}; the next poll reads them again"
            )
        if self._form is None or not fresh:
            return False
        if page.total is not None:
            return read < page.total
        return page.partial or len(page.objects) >= self._size

    def _first(self) -> _Received:
        """Find the range form that the server understands; an end at 0 may be a refusal."""
        for form in FORMS:
            self._form = form
            asked = self._asked(0, self._size, _NOT_UNDERSTOOD if form else frozenset({_END}))
            status = asked.answer.status_code
            if status not in _NOT_UNDERSTOOD:
                return _received(asked)
            if status == _END and (form is None or _total(asked.answer) == 0):
                break
        return _Received(Shown((), asked), partial=False, total=0)

    def _following(self, start: int) -> _Received:
        asked = self._asked(start, self._size + 1, frozenset({_END}))
        if asked.answer.status_code == _END:
            raise _ShiftedError  # there was an object at this position a moment ago
        return _received(asked)

    def _asked(self, start: int, size: int, accept_statuses: frozenset[int]) -> Asked:
        params = {} if self._after is None else {"added_after": write_stamp(self._after)}
        span = self._form and self._form.format(start, start + size - 1)
        question = Question(self._resource, params, span, 2, accept_statuses)
        return ask_timed(self._ask, question)


def _received(asked: Asked) -> _Received:
    answer = asked.answer
    shown = Shown(read_bundle(answer.content, answer.where), asked)
    ranged = answer.status_code == 206 or "Content-Range" in answer.headers
    return _Received(shown, ranged, _total(answer))


def _total(answer: HttpResponse) -> int | None:
    """Return the number of objects, or None if the server does not give it."""
    told = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return int(told[1]) if told else None
