"""Taking turns: only so many outputs work at once, and who waits for others lets others work.

The daemon lends each cycle a turn; a command lends none, and nothing here has any effect there.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Final, Protocol

from connector.errors import StoppedError

__all__ = ["Turn", "aside", "current", "share", "share_or_stop", "taking"]


class Turn(Protocol):
    """A place among those who work at once."""

    def aside(self) -> AbstractContextManager[None]:
        """Give the place back meanwhile, and wait for one afterwards."""

    def share(self) -> None:
        """Let others work for a while, if this turn has been long."""

    @property
    def waited(self) -> float:
        """How many seconds it has waited for a place."""

    @property
    def over(self) -> bool:
        """Whether nothing more should be begun: the service ends."""


_turn: Final[ContextVar[Turn | None]] = ContextVar("turn", default=None)


def current() -> Turn | None:
    """Return the turn that this thread has, if any."""
    return _turn.get()


@contextmanager
def taking(turn: Turn) -> Iterator[None]:
    """Do what follows, in this thread, as part of a turn."""
    token = _turn.set(turn)
    try:
        yield
    finally:
        _turn.reset(token)


@contextmanager
def aside() -> Iterator[None]:
    """Let others work while a target, a pause or a lock is waited for.

    Take a lock inside of it and let it go inside of it: who comes back may have to wait.
    """
    turn = _turn.get()
    if turn is None:
        yield
        return
    token = _turn.set(None)  # a place can be given back only once
    try:
        with turn.aside():
            yield
    finally:
        _turn.reset(token)


def share() -> None:
    """Let others work for a while, at a point where nothing is held that they may need."""
    turn = _turn.get()
    if turn is not None:
        turn.share()


def share_or_stop() -> None:
    """Do the same where nothing is written yet; raise StoppedError where the service ends."""
    turn = _turn.get()
    if turn is not None:
        turn.share()
        if turn.over:
            raise StoppedError
