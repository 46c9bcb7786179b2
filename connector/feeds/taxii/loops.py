"""Detects loops in paging for both versions of TAXII, and limits the pages of a run."""

from collections.abc import Hashable, Sequence
from typing import Final

from connector.errors import UnavailableError

# Pages in a row with no object or only known ones: a server may filter pages after cutting them,
# or repeat some as it continues.
MOST_IDLE_PAGES: Final = 100


class Turns:
    """The pages of one run, each with the continuation that its server gave.

    Equal objects alone are not a loop, as pages may be alike, and neither are equal tokens, as
    some servers use one for all pages: a loop is the same objects with the same continuation.
    """

    def __init__(self, most_pages: int) -> None:
        self._most_pages = most_pages
        self._pages = 0
        self.begin()

    def begin(self) -> None:
        """Start over: objects shown again are not repeats."""
        self._shown: set[int] = set()
        self._turns: set[int] = set()
        self._news = 0
        self._idle = 0

    def take(self, where: str, objects: Sequence[bytes], way_on: Hashable) -> None:
        """Take a page that is not the last; raise UnavailableError if the server loops."""
        if self._repeats(objects, way_on):
            raise UnavailableError(
                f"{where}: the server repeats a page and says there is more: stopped reading; its "
                "operator must fix its paging"
            )
        if self._idle > MOST_IDLE_PAGES:
            raise UnavailableError(
                f"{where}: the server sent {self._idle} pages in a row without anything new, and "
                "says there is more: stopped reading; its operator must fix its paging"
            )

    def go_on(self, where: str) -> None:
        """Continue to the next page; raise if the run has reached its limit."""
        self._pages += 1
        if self._pages >= self._most_pages:
            raise UnavailableError(
                f"{where}: the server sent {self._pages} pages in one run and says there is more: "
                "the next poll continues from there; if it really has that much, raise max_pages"
            )

    def _repeats(self, objects: Sequence[bytes], way_on: Hashable) -> bool:
        shown = hash(tuple(objects))
        if objects and shown not in self._shown:
            self._shown.add(shown)
            self._news += 1
            self._idle = 0
        else:
            self._idle += 1
        # Empty pages may occur more than once between pages with objects.
        turn = hash((way_on, shown, 0 if objects else self._news))
        repeated = turn in self._turns
        self._turns.add(turn)
        return repeated
