"""Asks for what lies below a collection, and keeps the time that its server tells."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from connector.feeds.taxii.cursor import believed, read_stamp
from connector.feeds.taxii.versions import TaxiiDialect
from connector.http.response import HttpResponse
from connector.instants import utc_now
from connector.log import log

if TYPE_CHECKING:
    from connector.http.client import Http

OBJECTS: Final = "objects/"
MANIFEST: Final = "manifest/"
_SKEW_WORTH_A_WARNING: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Question:
    """One request below a collection; `span` is the range of positions as sent."""

    resource: str
    params: Mapping[str, str]
    span: str | None = None
    retries: int = 0
    accept_statuses: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Asked:
    """A response with the server's time at the request, and the newest stamp in it."""

    answer: HttpResponse
    last: datetime | None
    at: datetime | None


class ServerClock:
    """A server's own clock, by what its latest answer said."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._noted_at = 0.0
        self._skew_told = False
        self.told: datetime | None = None

    def note(self, answer: HttpResponse) -> None:
        """Take what an answer says; warn once where our clock is far from it."""
        if answer.date is None:
            return
        self.told, self._noted_at = answer.date, time.monotonic()
        skew = utc_now() - answer.date
        if abs(skew) > _SKEW_WORTH_A_WARNING and not self._skew_told:
            self._skew_told = True
            log.warning("feed.clock_skew", url=self._url, seconds=skew.total_seconds())

    def now(self) -> datetime | None:
        """Return the server's time, or ours if that is earlier: a later one would skip objects."""
        if self.told is None:
            return None
        return min(self.told + timedelta(seconds=time.monotonic() - self._noted_at), utc_now())


@dataclass(frozen=True, slots=True)
class CollectionClient:
    """Asks one collection, in the version of TAXII that its server speaks."""

    http: "Http"
    url: str
    dialect: TaxiiDialect
    clock: ServerClock

    def ask(self, question: Question) -> Asked:
        """Return the response, and the earliest time at which its server read its objects."""
        objects = question.resource == OBJECTS
        accept = self.dialect.objects if objects else self.dialect.resources
        asked_at = time.monotonic()
        answer = self.http.request(
            "GET",
            self.url + question.resource,
            params=question.params,
            headers={"Accept": accept, **({"Range": question.span} if question.span else {})},
            accept_statuses=question.accept_statuses,
            retries=question.retries,
        )
        # A slow server reads its objects before it writes the date, but not before the request.
        took = timedelta(seconds=time.monotonic() - asked_at)
        self.clock.note(answer)
        last = read_stamp(answer.headers.get("X-TAXII-Date-Added-Last"))
        at = None if answer.date is None else answer.date - took
        return Asked(answer, believed(last, answer.date), at)
