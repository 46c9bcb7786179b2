"""Judges paging for both versions of TAXII: what is a loop, and how many pages a run may take."""

from collections.abc import Hashable, Sequence
from typing import Final

from connector.errors import UnavailableError

# In a row, of objects that the run has shown before, or of none: a server may filter its pages
# after it cut them, or send some again while it goes on.
MOST_IDLE_PAGES: Final = 100


class Turns:
    """The pages of one run, each with the way on that its server gave.

    Objects alone tell no loop, as pages may be alike, and neither do tokens, as some servers keep
    one for all pages: going in circles is to give the same objects with the same way on.
    """

    def __init__(self, most_pages: int) -> None:
        self._most_pages = most_pages
        self._pages = 0
        self.begin()

    def begin(self) -> None:
        """Start over: what is shown again is no repeat."""
        self._shown: set[int] = set()
        self._turns: set[int] = set()
        self._news = 0
        self._idle = 0

    def take(self, where: str, objects: Sequence[bytes], way_on: Hashable) -> None:
        """Take a page that is not the last; raise UnavailableError where it leads nowhere."""
        if self._repeats(objects, way_on):
            raise UnavailableError(
                f"{where}: the server repeats a page and says there is more: stopped reading; its "
                "operator has to mend its paging"
            )
        if self._idle > MOST_IDLE_PAGES:
            raise UnavailableError(
                f"{where}: the server sent {self._idle} pages in a row that bring nothing new, and "
                "says there is more: stopped reading; its operator has to mend its paging"
            )

    def go_on(self, where: str) -> None:
        """Ask for another page, once this one is handed on; raise where the run had its share."""
        self._pages += 1
        if self._pages >= self._most_pages:
            raise UnavailableError(
                f"{where}: the server gave {self._pages} pages in one run and says there is more: "
                "the next poll goes on from there; if it really holds as much, raise max_pages"
            )

    def _repeats(self, objects: Sequence[bytes], way_on: Hashable) -> bool:
        shown = hash(tuple(objects))
        if objects and shown not in self._shown:
            self._shown.add(shown)
            self._news += 1
            self._idle = 0
        else:
            self._idle += 1
        # Between pages that bring something, an empty one may come more than once.
        turn = hash((way_on, shown, 0 if objects else self._news))
        repeated = turn in self._turns
        self._turns.add(turn)
        return repeated
