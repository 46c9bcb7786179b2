"""One device at which several outputs are kept: they write to it one after the other."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from connector.adapter.turns import aside
from connector.errors import StoppedError

_LOOK_SECONDS: Final = 0.2


@dataclass(slots=True)
class Device:
    """What outputs at one device share: a lock, and a place for a session."""

    session: dict[str, Any] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)


@contextmanager
def alone_at(device: Device | None, stopped: Callable[[], bool]) -> Iterator[None]:
    """Keep all others off a device meanwhile; raise StoppedError where the service ends first."""
    if device is None:
        yield
        return
    with aside():  # who waits for a device keeps no place from others
        while not device.lock.acquire(timeout=_LOOK_SECONDS):
            if stopped():
                raise StoppedError
    try:
        yield
    finally:
        device.lock.release()
