"""Accepts connections to the list server within its limits of connections and files."""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

from connector.server.connections import Closed, Connections, Standing, site_of
from connector.server.knock import Knock
from connector.server.protocol import ClientConnection
from connector.server.renewal import Renewal

_AT_ONCE: Final = 64  # per turn of the loop, so that others are served in between
_QUEUE: Final = 1024  # the backlog of the socket
_REST_SECONDS: Final = 1.0
_BUSY_SECONDS: Final = 0.05
# By default the kernel grows its buffers to megabytes for each stalled reader.
_SEND_BUFFER: Final = 256 * 1024
_RECEIVE_BUFFER: Final = 64 * 1024


class Acceptor:
    """Listens on one socket.

    Asyncio's own acceptor has no bound; once no files are left it retries two thousand times a
    second, each time with a traceback in the log.
    """

    def __init__(
        self,
        listening: socket.socket,
        connections: Connections,
        make: Callable[[str, Standing | None], ClientConnection],
        tls: Renewal | None = None,
    ) -> None:
        self._listening = listening
        self._connections = connections
        self._make = make
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._joining: set[asyncio.Task[object]] = set()
        self._resting: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Start to accept connections."""
        self._listening.setblocking(False)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._listening.listen(_QUEUE)
        self._resume()

    async def close(self) -> None:
        """Stop accepting, and let accepted sockets become connections."""
        if self._resting is not None:
            self._resting.cancel()
        self._loop.remove_reader(self._listening)
        await asyncio.gather(*self._joining, return_exceptions=True)

    def _resume(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            if not self._connections.has_room():
                self._rest(Closed.FULL, _BUSY_SECONDS)  # new clients wait in the backlog
                return
            try:
                accepted, found = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError:
                self._rest(Closed.OUT_OF_FILES, _REST_SECONDS)
                return
            self._join(accepted, site_of(found[0]))

    def _join(self, accepted: socket.socket, address: str) -> None:
        if not self._connections.has_room_for(address):
            accepted.close()
            return
        if self._tls is not None:
            make, context = self._make, self._tls.context
            Knock(accepted, address, self._connections, make, context).wait()
            return
        connection = self._make(address, None)
        self._connections.add(connection)
        joining = self._loop.create_task(
            self._loop.connect_accepted_socket(lambda: connection, accepted)
        )
        self._joining.add(joining)
        joining.add_done_callback(partial(self._joined, connection, accepted))

    def _joined(
        self, connection: ClientConnection, accepted: socket.socket, joining: "asyncio.Task[object]"
    ) -> None:
        self._joining.discard(joining)
        if joining.cancelled() or joining.exception():  # the client left before we began
            self._connections.remove(connection)
            accepted.close()

    def _rest(self, why: Closed, seconds: float) -> None:
        """Pause for a moment: no connection or no file is left."""
        self._connections.note(why)
        self._loop.remove_reader(self._listening)
        self._resting = self._loop.call_later(seconds, self._resume)
