"""What the daemon was asked to do by signals and by its threads: to end, to read its file again."""

import time
from queue import Empty, SimpleQueue

__all__ = ["Asked"]


class Asked:
    """Takes requests at any instant, also in a signal handler, and wakes the thread that waits.

    Python runs a handler between two instructions of the main thread. A `threading.Event` is
    therefore unfit: where the main thread stands in its `wait`, holding its lock, `set` in a
    handler waits for that lock for ever. `SimpleQueue.put` may interrupt itself and `get`.
    """

    def __init__(self) -> None:
        self._ending = False
        self._reloading = False
        self._wakes: SimpleQueue[None] = SimpleQueue()

    def end(self) -> None:
        """Ask for the end."""
        self._ending = True
        self._wakes.put(None)

    def reload(self) -> None:
        """Ask for the file to be read again."""
        self._reloading = True
        self._wakes.put(None)

    @property
    def ending(self) -> bool:
        """Whether somebody asked for the end."""
        return self._ending

    def take_reload(self) -> bool:
        """Return whether somebody asked for the file to be read again since the last call."""
        if not self._reloading:
            return False
        self._reloading = (
            False  # whoever asks from here on is answered by the next call, or by this
        )
        return True

    def wait(self, seconds: float) -> None:
        """Return after this time, or at once where somebody asked for something meanwhile."""
        try:
            self._wakes.get(timeout=seconds)
        except Empty:
            return

    def wait_for_end(self, seconds: float) -> None:
        """Return after this time, or at once where somebody asked for the end."""
        until = time.monotonic() + seconds
        while not self._ending and (left := until - time.monotonic()) > 0:
            self.wait(left)
