"""Connections with a deadline for the whole response, however slowly it trickles in.

A socket's timeout only limits the time between two bytes, in headers and body alike.
"""

import http.client
import io
import socket
from collections.abc import Callable
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

DEADLINE_FACTOR: Final = 10  # a whole response may take this many times the timeout of a byte


class TooSlowError(OSError):
    """The response was not complete by its deadline."""


class _Patience(io.RawIOBase):
    """Reads from a socket until a deadline."""

    def __init__(self, raw: io.RawIOBase, deadline: float, monotonic: Callable[[], float]) -> None:
        self._raw = raw
        self._deadline = deadline
        self._monotonic = monotonic

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        if self._monotonic() > self._deadline:
            raise TooSlowError
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def pools(seconds: float, monotonic: Callable[[], float]) -> dict[str, type[HTTPConnectionPool]]:
    """Return pool classes, by scheme, whose responses complete in so many seconds or fail."""

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            raw: Any = self.fp.detach()
            self.fp = io.BufferedReader(_Patience(raw, monotonic() + seconds, monotonic))

    class Plain(HTTPConnection):
        response_class = Response

    class Secured(HTTPSConnection):
        response_class = Response

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecuredPool(HTTPSConnectionPool):
        ConnectionCls = Secured

    return {"http": PlainPool, "https": SecuredPool}
