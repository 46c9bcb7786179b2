"""The end of a configuration: whoever pauses is woken by it, and nothing waits for a pause."""

from threading import Event

from connector.adapter.turns import aside
from connector.errors import StoppedError

__all__ = ["Stop"]


class Stop:
    """Asked for once, by any thread but not in a signal handler; see `connector.daemon.asked`."""

    def __init__(self) -> None:
        self._event = Event()

    def ask(self) -> None:
        """Ask for the end."""
        self._event.set()

    def asked(self) -> bool:
        """Return whether somebody asked for the end."""
        return self._event.is_set()

    def pause(self, seconds: float) -> None:
        """Return after this time; raise StoppedError at once where the end is asked for."""
        with aside():
            ended = self._event.wait(seconds)
        if ended:
            raise StoppedError
