"""A connection before its TLS: a socket and no more, until it says something."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from connector.http.tls import said
from connector.server.connections import Closed, Connections

_HANDSHAKE: Final = 0x16  # the first byte of TLS (RFC 8446 section 5.1)
_MOST_READ: Final = 64 * 1024
_SHUTDOWN_SECONDS: Final = 3.0
_WORDS: Final = b"This port speaks HTTPS only: use https:// in the address.\n"
_PLAIN: Final = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(_WORDS), _WORDS)
)


class Knock:
    """Begins the handshake once a client asks for it; whoever speaks plain HTTP is told.

    A client that connects and says nothing costs no memory of TLS, and makes room for others.
    """

    def __init__(
        self,
        accepted: socket.socket,
        address: str,
        connections: Connections,
        make: Callable[[str, "Knock"], asyncio.Protocol],
        context: ssl.SSLContext,
    ) -> None:
        self.address = address
        self._accepted = accepted
        self._connections = connections
        self._make = make
        self._context = context
        self._since = connections.now()
        self._loop = asyncio.get_running_loop()
        self._shaking: asyncio.Task[object] | None = None

    def wait(self) -> None:
        """Wait for the first byte."""
        self._accepted.setblocking(False)
        self._connections.add(self)
        self._loop.add_reader(self._accepted, self._heard)

    def _heard(self) -> None:
        try:
            first = self._accepted.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        self._loop.remove_reader(self._accepted)
        if first and first[0] == _HANDSHAKE:
            self._shake_hands()
            return
        self._connections.remove(self)
        if first:
            self._connections.note(Closed.NOT_TLS)
            self._tell()
        self._accepted.close()

    def _tell(self) -> None:
        """Answer plain HTTP; unread bytes would have the kernel throw the answer away."""
        with suppress(OSError):
            self._accepted.recv(_MOST_READ)
            self._accepted.send(_PLAIN)
            self._accepted.shutdown(socket.SHUT_WR)

    def _shake_hands(self) -> None:
        patience = self._connections.bounds.request
        self._shaking = self._loop.create_task(
            self._loop.connect_accepted_socket(
                lambda: self._make(self.address, self),
                self._accepted,
                ssl=self._context,
                ssl_handshake_timeout=patience,
                ssl_shutdown_timeout=min(patience, _SHUTDOWN_SECONDS),
            )
        )
        self._shaking.add_done_callback(self._shaken)

    def _shaken(self, shaking: "asyncio.Task[object]") -> None:
        """Leave; a connection that has come of it took its place."""
        self._connections.remove(self)
        if shaking.cancelled():
            self._accepted.close()
        elif error := shaking.exception():
            self._accepted.close()
            if isinstance(error, ssl.SSLError):
                self._connections.note(Closed.HANDSHAKE, f"{self.address}: {said(error)}")

    def overdue(self, now: float) -> Closed | None:
        """Return why it must be closed now, or None if it may stay."""
        late = now - self._since >= self._connections.bounds.request
        if not late:
            return None
        return Closed.IDLE if self._shaking is None else Closed.SLOW_REQUEST

    def makes_room(self, now: float) -> bool:
        """Return that it interrupts nothing to close it."""
        return now >= self._since

    def drop(self) -> None:
        """Close it at once."""
        if self._shaking is not None:
            self._shaking.cancel()  # which closes what it has begun
            return
        self._loop.remove_reader(self._accepted)
        self._accepted.close()
