"""Reads one collection from a cursor to its newest object, however its server pages."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime

from connector.errors import UnavailableError
from connector.feed import Page
from connector.feeds.taxii.loops import Turns
from connector.feeds.taxii.progress import Progress, Received


class LostPlaceError(Exception):
    """The server no longer knows where we were; `cause` is what it answered."""

    def __init__(self, cause: UnavailableError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Pager(ABC):
    """What differs between the versions of TAXII: how to ask for a page, and for the next one."""

    @abstractmethod
    def first(self, after: datetime | None) -> Received:
        """Return the first page of what was added after a time."""

    @abstractmethod
    def following(self, page: Received) -> Received:
        """Return the page after this one; raise LostPlaceError where the way on is gone."""

    @abstractmethod
    def give_up(self, lost: LostPlaceError, read_to: datetime | None) -> None:
        """Raise where it is of no use to start over, by how far the run has come."""


def read_pages(
    pager: Pager, progress: Progress, turns: Turns, after: datetime | None
) -> Iterator[Page]:
    """Yield all pages of one run; the last one is marked.

    The cursor of every page is safe to keep: a run from it repeats some objects and skips none.
    """
    page: Received | None = None
    while page is None or page.way_on is not None:
        try:
            page = pager.first(after) if page is None else pager.following(page)
        except LostPlaceError as lost:
            pager.give_up(lost, progress.cursor.last)
            page, after = None, progress.start_over(after)
            turns.begin()
            continue
        progress.note(page)
        if page.way_on is not None:
            turns.take(page.where, page.objects, page.way_on)
            yield Page(page.objects, progress.cursor.write(), last=False)
            turns.go_on(page.where)
    yield Page(page.objects, progress.ended().write(), last=True)
