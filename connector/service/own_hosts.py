"""The hosts on which this service and machine depend, with the addresses of their names.

Blocking one of them would cut us off from a feed, a target, name resolution or time.
"""

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable
from ipaddress import ip_network
from typing import Final

from connector.config.machine_hosts import machine_hosts
from connector.instants import SECOND

__all__ = ["OwnHosts", "addresses_of"]

_DAY: Final = 86_400 * SECOND
_EVERY: Final = 300 * SECOND
_AT_ONCE: Final = 8


def addresses_of(name: str) -> frozenset[str]:
    """Return the addresses of a name; raise OSError if it cannot be resolved."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return frozenset(str(address[0]).partition("%")[0] for *_, address in found)


class OwnHosts:
    """Keeps the hosts fresh: reads files and resolves names again from time to time.

    An address counts for a day after its name last resolved to it, and for as long as the name
    cannot be resolved. Instants are in microseconds.
    """

    def __init__(
        self,
        names: Iterable[str] = (),
        *,
        resolve: Callable[[str], frozenset[str]] = addresses_of,
        machine: Callable[[], frozenset[str]] = machine_hosts,
        wait_seconds: float = 5,
    ) -> None:
        self._names = frozenset(names)
        self._resolve = resolve
        self._machine = machine
        self._wait = wait_seconds
        self._lock = threading.Lock()
        self._seen: dict[str, dict[str, int]] = {}
        self._next = 0
        self.hosts = self._names

    def expect(self, names: Iterable[str]) -> None:
        """Take the hosts of another configuration; known addresses stay."""
        self._names, self._next = frozenset(names), 0
        self.hosts = self.hosts | self._names

    def refresh(self, now: int) -> bool:
        """Refresh when it is due; return whether the hosts to protect have changed."""
        if now < self._next:
            return False
        self._next = now + _EVERY
        own = self._names | self._machine()
        self._resolve_all(own, now)
        with self._lock:
            seen = {address for name in own for address in self._seen.get(name, ())}
        before, self.hosts = self.hosts, own | seen
        return self.hosts != before

    def _resolve_all(self, own: frozenset[str], now: int) -> None:
        """Resolve names in parallel; a slow answer counts the next time."""
        waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        for name in sorted(own):
            if not _is_address(name):
                waiting.put(name)
        threads = [
            threading.Thread(target=self._work, args=(waiting, now), daemon=True)
            for _ in range(min(_AT_ONCE, waiting.qsize()))
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + self._wait
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self, waiting: "queue.SimpleQueue[str]", now: int) -> None:
        while True:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                found = self._resolve(name)
            except (OSError, UnicodeError):  # unknown, no answer, invalid name: the last one counts
                continue
            with self._lock:
                seen = self._seen.get(name, {}) | dict.fromkeys(found, now)
                self._seen[name] = {one: at for one, at in seen.items() if now - at <= _DAY}


def _is_address(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
