"""One connection to the list server: uvicorn's HTTP, with limits on size and time."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from connector.http.serving import names_in
from connector.server import answers
from connector.server.connections import Closed, Connections, Standing
from connector.server.repeated import Repeated, Unchanged, written

# Says whether a request can be answered 304 at once; None where it takes a task.
AtOnce = Callable[
    [str, bytes, Sequence[tuple[bytes, bytes]], tuple[str, int] | None, str | None],
    Unchanged | None,
]

# Says which client a certificate with these names is for.
ByCertificate = Callable[[Sequence[str]], str | None]


class _Answered:
    """Stands for a request that was answered as soon as its headers were read."""

    response_complete = True
    disconnected = False
    message_event = asyncio.Event()


_ANSWERED: Final[Any] = _Answered()

_LARGEST_REQUEST: Final = 32 * 1024
_MOST_HEADERS: Final = 100
_MOST_WAITING: Final = 8  # requests sent before the response to an earlier one
_REFUSAL: Final = (
    b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 0\r\n"
    b"connection: close\r\n\r\n"
)
_STATUS: Final = {
    Closed.NOT_HTTP: b"400 Bad Request",
    Closed.TOO_LARGE: b"431 Request Header Fields Too Large",
}


class _TooLargeError(Exception):
    """The request has too many headers, or too many requests are waiting."""


class ClientConnection(HttpToolsProtocol):
    """Answers the requests of one connection; closes it if they are slow or too large."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        connections: Connections,
        address: str,
        knock: Standing | None = None,
        unchanged: AtOnce = lambda *_request: None,
        repeated: Repeated | None = None,
        by_certificate: ByCertificate = lambda _names: None,
    ) -> None:
        super().__init__(config, state, {})
        self._unchanged = unchanged
        self._repeated = repeated
        self._between = True  # the parser has read no part of a request that is not complete
        self._answers = 0  # how many of the bytes that just arrived were answered at once
        self._last: Unchanged | None = None
        self._by_certificate = by_certificate
        self._certified: str | None = None  # the client that its certificate is for
        self.address = address
        self._standing = connections
        self._knock = knock  # what it has come of, where it is over TLS
        # When we began to expect a request; None while one is answered.
        self._expects_since: float | None = connections.now()
        self._dropped = False  # dropped before there was anything to close
        self._begun = False  # whether its first bytes have arrived
        self._unread_since: float | None = None
        self._received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        if self._dropped:
            transport.abort()
            return
        self._standing.add(self, self._knock)
        self._knock = None
        self._expects_since = self._standing.now()
        if shown := transport.get_extra_info("peercert"):
            self._certified = self._by_certificate(names_in(shown))
            self.app_state[answers.CERTIFIED] = self._certified

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave, making room for others."""
        self._standing.remove(self)
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        self._expects_since = self._standing.now()
        self._begun = False
        self._received = 0

    def data_received(self, data: bytes) -> None:
        """Answer a request that is known by its bytes; read any other."""
        if self._between and self._repeated is not None and self._is_free:
            fresh = data, self.client[0] if self.client else "", self._certified
            answer = self._repeated.answer(fresh, self.server_state.default_headers)
            if answer is not None:
                self._answer(answer)
                return
            self._read(data)
            if self._answers == 1 and self._between and self._last is not None:
                self._repeated.learn(fresh, self._last)
            return
        self._read(data)

    def _read(self, data: bytes) -> None:
        """Have bytes read, which answers what can be answered at once."""
        self._answers, self._last = 0, None
        self._unset_keepalive_if_required()
        if not self._begun and self._expects_since is not None:
            self._begun, self._expects_since = True, self._standing.now()
        self._received += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # answered without the upgrade, as RFC 9110 (7.8) allows
        except httptools.HttpParserError as error:
            large = isinstance(error.__context__, _TooLargeError)
            self._refuse(Closed.TOO_LARGE if large else Closed.NOT_HTTP)
        else:
            if self._received > _LARGEST_REQUEST:
                self._refuse(Closed.TOO_LARGE)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, unless the request has too many."""
        if len(self.headers) >= _MOST_HEADERS:
            raise _TooLargeError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer, or queue the request behind earlier ones."""
        if len(self.pipeline) >= _MOST_WAITING:
            raise _TooLargeError
        if self._is_free and self._answered_at_once():
            self.cycle = _ANSWERED
        else:
            super().on_headers_complete()

    @property
    def _is_free(self) -> bool:
        """Whether nothing is being answered or written, so that an answer may be written now."""
        busy = self.cycle is not None and not self.cycle.response_complete
        return not (busy or self.flow.write_paused or self.transport.is_closing())

    def _answered_at_once(self) -> bool:
        """Answer that nothing has changed, where that is known; return whether it was."""
        method, version = self.parser.get_method().decode("ascii"), self.parser.get_http_version()
        found = self._unchanged(method, self.url, self.headers, self.client, self._certified)
        if found is None:
            return False
        lasts = version != "1.0" and self.parser.should_keep_alive()
        self._answers += 1
        self._last = found if lasts and not self.parser.should_upgrade() else None
        self._answer(written(self.server_state.default_headers, found.headers, lasts=lasts))
        if not lasts:
            self.transport.close()
        return True

    def _answer(self, answer: bytes) -> None:
        """Answer a request at once, and expect the next."""
        self.transport.write(answer)
        self.server_state.total_requests += 1
        self._standing.progressed(self)
        self._expect_request()

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        self._between = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Stop waiting for the client."""
        super().on_message_complete()
        self._between = True
        self._received = 0
        if self.cycle is not None and not self.cycle.response_complete:
            self._expects_since = None
            self._standing.progressed(self)

    def on_response_complete(self) -> None:
        """Expect the next request."""
        super().on_response_complete()
        self._unset_keepalive_if_required()  # idle time is checked in one place
        self._standing.progressed(self)
        if self.cycle.response_complete:
            self._expect_request()

    def pause_writing(self) -> None:
        """Note that the client reads more slowly than it requests."""
        super().pause_writing()
        self._unread_since = self._standing.now()

    def resume_writing(self) -> None:
        """Note that the client has read."""
        super().resume_writing()
        self._unread_since = None
        self._standing.progressed(self)

    def overdue(self, now: float) -> Closed | None:
        """Return why it must be closed now, or None if it may stay."""
        bounds = self._standing.bounds
        if self._unread_since is not None:
            return Closed.STALLED if now >= self._unread_since + bounds.stalled else None
        if self._expects_since is None:
            return None
        waited = now - self._expects_since
        if self._begun:
            return Closed.SLOW_REQUEST if waited >= bounds.request else None
        if self.transport is not None and self.transport.get_write_buffer_size():
            return Closed.STALLED if waited >= bounds.stalled else None
        return Closed.IDLE if waited >= bounds.request else None

    def makes_room(self, now: float) -> bool:
        """Return whether it is waiting for the client, so that closing it interrupts nothing."""
        if self._unread_since is not None:
            return now >= self._unread_since + self._standing.bounds.patience
        return self._expects_since is not None

    def _refuse(self, why: Closed) -> None:
        """Reject an invalid request, unless that would become part of another response."""
        if self.transport.is_closing():
            return
        self._standing.note(why)
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()
            return
        self.transport.write(_REFUSAL % _STATUS[why])
        self.transport.close()

    def drop(self) -> None:
        """Close it at once, discarding unsent data."""
        self._dropped = True
        if self.transport is not None:
            self.transport.abort()
