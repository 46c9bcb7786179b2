"""One device at which several outputs are kept: they write to it one after the other."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from connector.adapter.turns import aside
from connector.errors import StoppedError, UnavailableError
from connector.sync.calls import OutputCalls

_LOOK_SECONDS: Final = 0.2


@dataclass(slots=True)
class Device:
    """What outputs at one device share: a lock, and a place for a session."""

    session: dict[str, Any] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)
    calls: OutputCalls | None = None

    @property
    def hangs(self) -> bool:
        """Whether the output that has it was left behind in a call, and may never let it go."""
        return self.calls is not None and self.calls.left


@contextmanager
def alone_at(
    device: Device | None, stopped: Callable[[], bool], calls: OutputCalls
) -> Iterator[None]:
    """Keep all others off a device while an output calls its adapter.

    Raises StoppedError where the service ends first, UnavailableError where the device hangs.
    """
    if device is None:
        yield
        return
    with aside():  # who waits for a device keeps no place from others
        while not device.lock.acquire(timeout=_LOOK_SECONDS):
            if stopped():
                raise StoppedError
            if device.hangs:
                raise UnavailableError("a call of another output at the same device hangs")
    device.calls = calls
    try:
        yield
    finally:
        device.calls = None
        device.lock.release()
