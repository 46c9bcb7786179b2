"""The server on loopback that carries a target's answers, or breaks off while it does."""

import socket
import ssl
import struct
from collections.abc import Mapping
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from connector.instants import Clock, to_datetime
from connector.testing.http_target.faults import Fault
from connector.testing.http_target.messages import Reply


class Answering(Protocol):
    """What answers the requests, by a clock of its own."""

    clock: Clock

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Reply, Fault | None]: ...


class Server(ThreadingHTTPServer):
    """Serves one target; each connection has a thread."""

    daemon_threads = False  # so that server_close waits for them and no socket stays open

    def __init__(self, target: Answering, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self._tls = tls
        self._open: set[socket.socket] = set()

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The handshake runs in the connection's own thread: a client that breaks it off must not
        # make others wait.
        try:
            wrapped = self._tls.wrap_socket(request, server_side=True) if self._tls else request
        except OSError:
            return
        self._open.add(wrapped)
        try:
            super().finish_request(wrapped, client_address)
        except OSError:
            pass
        finally:
            self._open.discard(wrapped)
            wrapped.close()

    def hang_up(self) -> None:
        """Close the connections that clients keep alive."""
        for each in list(self._open):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing to standard error."""

    def do_GET(self) -> None:
        """Serve one request of any method."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply, fault = self.server.target.answer(self.command, self.path, headers, body)
        if fault in (Fault.RESET_BEFORE, Fault.RESET_AFTER):
            self._reset()
        else:
            self._send(reply, fault)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the date of an answer by the target's clock."""
        del timestamp
        return format_datetime(to_datetime(self.server.target.clock()), usegmt=True)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - as BaseHTTPRequestHandler asks

    def _send(self, reply: Reply, fault: Fault | None) -> None:
        status, body, headers = reply.status, reply.body, dict(reply.headers)
        if fault is Fault.HALF_JSON:
            body = body[: len(body) // 2]
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        # Some clients read the body only when the answer agrees with them on the connection.
        self.send_header("Connection", "close" if self.close_connection else "keep-alive")
        self.end_headers()
        if fault is Fault.CUT_OFF:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def _reset(self) -> None:
        # Closing with a linger of zero sends RST instead of FIN.
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
