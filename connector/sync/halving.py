"""A batch that is too large for the target: it goes in smaller ones, as the target takes them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

from connector.adapter import Held, Outcome, Outcomes, Refused
from connector.errors import BatchTooLargeError, RequestTooLargeError, UnavailableError
from connector.model import Entry, Subject

_MOST_ALONE: Final = 20
E = TypeVar("E", Entry, Held)


@contextmanager
def as_batch(size: int) -> Iterator[None]:
    """Raise BatchTooLargeError where a request is too large that so many entries were written by.

    The same request would be refused again, so it is not retried.
    """
    try:
        yield
    except RequestTooLargeError as error:
        raise BatchTooLargeError(size // 2, str(error)) from error


class Halving(Generic[E]):
    """Sends a batch; `largest` is how many entries the target took at once.

    `lone` counts entries that are too large by themselves: it is they that do not fit, so that
    the size of the batch says nothing.
    """

    def __init__(self, send: Callable[[Sequence[E]], Outcomes]) -> None:
        self._send: Callable[[Sequence[E]], Outcomes] = send
        self.largest = 0
        self.lone = 0

    def send(self, entries: Sequence[E]) -> dict[Subject, Outcome]:
        """Return what became of entries; raise UnavailableError where the target takes none."""
        try:
            said = dict(self._send(entries))
        except BatchTooLargeError as error:
            if len(entries) > 1:
                return self._in_parts(entries, min(error.largest, len(entries) // 2))
            return {entries[0].observable: self._refused(error)}
        self.largest = max(self.largest, len(entries))
        return said

    def _in_parts(self, entries: Sequence[E], size: int) -> dict[Subject, Outcome]:
        said: dict[Subject, Outcome] = {}
        for at in range(0, len(entries), size):
            said |= self.send(entries[at : at + size])
        return said

    def _refused(self, error: BatchTooLargeError) -> Refused:
        self.lone += 1
        words = f": {error.words}" if error.words else ""
        if self.lone >= _MOST_ALONE and not self.largest:
            raise UnavailableError(f"the target does not take even a single entry{words}")
        return Refused(f"too large for the target by itself{words}")
