"""Connections that wait for a whole answer no longer than is bearable, however it trickles in.

A time-out of a socket counts from byte to byte, in the headers as in the body.
"""

import http.client
import io
import socket
from collections.abc import Callable
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

DEADLINE_FACTOR: Final = 10  # a whole answer may take this many times what one byte may


class TooSlowError(OSError):
    """The answer had its time and was not whole."""


class _Patience(io.RawIOBase):
    """What a socket gives, until a deadline."""

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
    """Return the kinds of pools, by scheme, whose answers are whole in so many seconds or fail."""

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
