"""Pages of a TAXII 2.0 collection: ranges of positions in a bundle.

Positions shift when an earlier object is deleted, or is updated and moves to the end. So each
range begins at the last object of the previous one: if another object is there now, the run
starts over from its cursor.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from connector.errors import UnavailableError
from connector.feeds.stix_json import read_bundle
from connector.feeds.taxii.answers import check_content_type
from connector.feeds.taxii.client import OBJECTS, Asked, CollectionClient, Question
from connector.feeds.taxii.cursor import write_stamp
from connector.feeds.taxii.paging import LostPlaceError, Pager
from connector.feeds.taxii.progress import Received
from connector.http.response import HttpResponse

# The specification's form comes first: the OASIS client sends it, so servers know it. RFC 7233 has
# the other. Last, no range at all: a server without ranges sends everything it has.
FORMS: Final = ("items {}-{}", "items={}-{}", None)
_END: Final = 416
_NOT_UNDERSTOOD: Final = frozenset({400, _END})
_CONTENT_RANGE: Final = re.compile(r"\s*items[ =](?:\d+-\d+|\*)/(\d{1,12})\s*")
_MOST_SHIFTS: Final = 5


class RangePager(Pager):
    """Continues by position, from the last object of the previous page."""

    def __init__(self, client: CollectionClient, size: int, resource: str = OBJECTS) -> None:
        self._client = client
        self._size = size
        self._resource = resource
        self._form: str | None = FORMS[0]
        self._params: dict[str, str] = {}
        self._begins_with: Sequence[bytes] = ()
        self._read = 0  # objects of the run
        self._shifts = 0

    def first(self, after: datetime | None) -> Received:
        """Find the range form that the server understands; an end at 0 may be a refusal."""
        self._params = {} if after is None else {"added_after": write_stamp(after)}
        self._read = 0
        for form in FORMS:
            self._form = form
            asked = self._asked(0, self._size, _NOT_UNDERSTOOD if form else frozenset({_END}))
            status = asked.answer.status_code
            if status not in _NOT_UNDERSTOOD:
                objects = _objects(asked)
                self._begins_with = objects[:1]
                return self._received(objects, objects, asked)
            if status == _END and (form is None or _total(asked.answer) == 0):
                break
        return Received((), asked, None)

    def following(self, page: Received) -> Received:
        """Ask for the range that begins at the last object, which shows whether any moved."""
        asked = self._asked(self._read - 1, self._size + 1, frozenset({_END}))
        if asked.answer.status_code == _END:
            raise self._shifted()  # there was an object at this position a moment ago
        objects = _objects(asked)
        again = objects[:1] == self._begins_with and len(objects) > 1
        if again and not _is_ranged(asked.answer):
            return self._received(objects, (), asked)  # it ignores ranges
        if objects[:1] != page.objects[-1:]:
            raise self._shifted()
        return self._received(objects, objects[1:], asked)

    def give_up(self, lost: LostPlaceError, read_to: datetime | None) -> None:
        """A server whose objects never stand still is left to the next poll."""
        self._shifts += 1
        if self._shifts >= _MOST_SHIFTS:
            raise lost.cause from lost

    def _shifted(self) -> LostPlaceError:
        return LostPlaceError(
            UnavailableError(
                f"{self._resource}: the server's order changed {_MOST_SHIFTS} times during the "
                "run; the next poll continues from here"
            )
        )

    def _received(self, objects: Sequence[bytes], fresh: Sequence[bytes], asked: Asked) -> Received:
        self._read += len(fresh)
        goes_on = self._goes_on(objects, fresh, asked.answer)
        return Received(fresh, asked, self._read if goes_on else None)

    def _goes_on(
        self, objects: Sequence[bytes], fresh: Sequence[bytes], answer: HttpResponse
    ) -> bool:
        """Return whether there is more: by the total, or else while ranges bring objects."""
        total = _total(answer)
        if total is not None and self._read < total and not fresh:
            raise UnavailableError(
                f"{answer.where}: the server counts {total} objects and sends no more than "
                f"{self._read}; the next poll reads them again"
            )
        if self._form is None or not fresh:
            return False
        if total is not None:
            return self._read < total
        return _is_ranged(answer) or len(objects) >= self._size

    def _asked(self, start: int, size: int, accept_statuses: frozenset[int]) -> Asked:
        span = self._form and self._form.format(start, start + size - 1)
        question = Question(self._resource, self._params, span, 2, accept_statuses)
        asked = self._client.ask(question)
        check_content_type(asked.answer)
        return asked


def _objects(asked: Asked) -> Sequence[bytes]:
    return read_bundle(asked.answer.content, asked.answer.where)


def _total(answer: HttpResponse) -> int | None:
    """Return the number of objects, or None if the server does not give it."""
    told = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return int(told[1]) if told else None


def _is_ranged(answer: HttpResponse) -> bool:
    return answer.status_code == 206 or "Content-Range" in answer.headers
