"""A small HTTP target to derive emulators from: authors write the vendor's paths, not a server.

It misbehaves like the real ones: sessions expire, calls and bodies are limited, pages are cut,
tasks take their time, changes become visible late, and any call can fail.
"""

import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import format_datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from connector.instants import SECOND, Clock, system_clock, to_datetime

__all__ = ["Call", "Fault", "HttpTarget", "Reply", "Sessions", "Tasks", "page_of", "route"]

T = TypeVar("T")
_ERROR_PAGE: Final = b"<html><head><title>Service unavailable</title></head><body>...</body></html>"


@dataclass(frozen=True, slots=True)
class Call:
    """One request as received; `number` counts from 1."""

    number: int
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body or b"null")

    def form(self) -> dict[str, str]:
        """Return the fields of a form."""
        return dict(parse_qsl(self.body.decode()))

    @property
    def token(self) -> str:
        """The credential of an `Authorization` header, without its scheme."""
        return self.headers.get("authorization", "").partition(" ")[2]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent to the client."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any, status: int = 200, **headers: str) -> "Reply":
        """Return a reply whose body is JSON."""
        kind = {"Content-Type": "application/json"}
        return cls(status, json.dumps(value).encode(), kind | headers)


class Fault(StrEnum):
    """What can go wrong with a call; the last four happen after the call was executed."""

    BUSY = "busy"  # 429 with Retry-After in seconds
    BUSY_UNTIL = "busy_until"  # 429 with Retry-After as a date
    AWAY = "away"  # 503
    DENIED = "denied"  # 403
    SESSION_ENDS = "session_ends"  # every session ends before the call is executed
    STALL = "stall"  # nothing is done before `release`
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    CUT_OFF = "cut_off"  # half the body, then the connection ends
    HALF_JSON = "half_json"  # half the body, and a length that agrees
    ERROR_PAGE = "error_page"  # a page in HTML with status 200


@dataclass(slots=True)
class _Planned:
    fault: Fault
    on: str
    times: int
    seconds: int


Handler = Callable[..., Reply]
_ROUTE: Final = "_connector_route"


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """Mark a method of an `HttpTarget` as the handler of a path, such as `/lists/{name}/items`.

    It gets the call and the named parts of the path, and returns a `Reply`.
    """

    def marked(handler: Handler) -> Handler:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
        setattr(handler, _ROUTE, (method, re.compile(pattern)))
        return handler

    return marked


class Sessions:
    """Sessions that expire after an idle time, or when the target forgets them all."""

    def __init__(self, idle_seconds: float = 3600, clock: Clock = system_clock) -> None:
        self._idle = int(idle_seconds * SECOND)
        self._clock = clock
        self._used: dict[str, int] = {}
        self.opened = 0

    def open(self) -> str:
        """Return the token of a new session."""
        self.opened += 1
        token = f"session-{self.opened}"
        self._used[token] = self._clock()
        return token

    def knows(self, token: str) -> bool:
        """Return whether a session is open, and restart its idle time."""
        now = self._clock()
        if token not in self._used or now - self._used[token] > self._idle:
            self._used.pop(token, None)
            return False
        self._used[token] = now
        return True

    def close(self, token: str) -> None:
        """End one session; an unknown one is no error."""
        self._used.pop(token, None)

    def end(self) -> None:
        """End all sessions, as a restart does."""
        self._used.clear()


class Tasks:
    """Work that completes only after a few polls."""

    def __init__(self, polls: int = 2) -> None:
        self.polls = polls
        self._left: dict[str, tuple[int, Callable[[], Any]]] = {}
        self._done: dict[str, Any] = {}

    def start(self, work: Callable[[], T]) -> str:
        """Return the id of a task that does the work when it ends."""
        name = f"task-{len(self._left) + len(self._done) + 1}"
        self._left[name] = (self.polls, work)
        return name

    def result(self, name: str) -> Any:
        """Return the result of the work; None while it runs, KeyError for an unknown task."""
        if name in self._done:
            return self._done[name]
        left, work = self._left[name]
        if left > 1:
            self._left[name] = (left - 1, work)
            return None
        del self._left[name]
        self._done[name] = work()
        return self._done[name]


def page_of(items: Sequence[T], start: str, size: int) -> tuple[Sequence[T], str]:
    """Return a page of at most `size` items and the token of the next page; empty at the end."""
    at = int(start or 0)
    return items[at : at + size], str(at + size) if at + size < len(items) else ""


class HttpTarget:
    """A context manager that serves the routes of its class on loopback until it exits.

    Tests read `calls`, in order, and set `largest_body`, the size in bytes beyond which a call gets
    413, and `rate`, how many calls are answered within how many seconds before 429. Override
    `refused` to ask for credentials.
    """

    largest_body: int | None = None
    rate: tuple[int, float] | None = None

    def __init__(self, *, tls: ssl.SSLContext | None = None, clock: Clock = system_clock) -> None:
        self.clock = clock
        self.calls: list[Call] = []
        self.sessions = Sessions(clock=clock)
        self.tasks = Tasks()
        self._planned: list[_Planned] = []
        self._answered: list[int] = []
        self._lock = threading.RLock()
        self._released = threading.Event()
        self._routes = [
            (*getattr(found, _ROUTE), found)
            for name in dir(type(self))
            if hasattr(found := getattr(type(self), name), _ROUTE)
        ]
        self._server = _Server(self, tls)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self.url = f"{'https' if tls else 'http'}://localhost:{self._server.server_address[1]}"

    def fail(
        self, fault: Fault, on: str = "", *, times: int = 1, after: int = 0, seconds: int = 1
    ) -> None:
        """Apply a fault to the next `times` calls whose method and path contain `on`.

        The first `after` such calls succeed; `seconds` is the wait that a busy target asks for.
        """
        if after:
            self._planned.append(_Planned(fault, on, -after, seconds))
        self._planned.append(_Planned(fault, on, times, seconds))

    def release(self) -> None:
        """Let stalled calls continue."""
        self._released.set()

    def called(self, part: str) -> list[Call]:
        """Return the calls whose method and path contain `part`, in order."""
        return [call for call in self.calls if part in f"{call.method} {call.path}"]

    def refused(self, call: Call) -> Reply | None:
        """Return the reply to a call that is refused; None for one to execute."""
        del call
        return None

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Reply, Fault | None]:
        """Return the reply to a request, and what goes wrong with it; the server calls this."""
        parts = urlsplit(target)
        with self._lock:
            call = Call(
                len(self.calls) + 1, method, unquote(parts.path), dict(parse_qsl(parts.query)),
                headers, body,
            )  # fmt: skip
            self.calls.append(call)
            planned = self._fault_of(call)
        fault = planned.fault if planned else None
        if fault is Fault.STALL:
            self._released.wait()
        with self._lock:
            if fault is Fault.SESSION_ENDS:
                self.sessions.end()
            refusal = self._before(call, planned)
            return (refusal or self._reply(call)), fault

    def _fault_of(self, call: Call) -> _Planned | None:
        for planned in self._planned:
            if planned.on not in f"{call.method} {call.path}" or planned.times == 0:
                continue
            if planned.times < 0:  # one of `after`: it succeeds
                planned.times += 1
                return None
            planned.times -= 1
            return planned
        return None

    def _before(self, call: Call, planned: _Planned | None) -> Reply | None:
        """Return the reply that prevents a call; None for one to execute."""
        if planned and planned.fault in (Fault.BUSY, Fault.BUSY_UNTIL):
            wait = str(planned.seconds)
            if planned.fault is Fault.BUSY_UNTIL:
                until = to_datetime(self.clock() + planned.seconds * SECOND)
                wait = format_datetime(until, usegmt=True)
            return Reply(429, b"Too many requests", {"Retry-After": wait})
        if planned and planned.fault is Fault.AWAY:
            return Reply(503, b"Service unavailable")
        if planned and planned.fault is Fault.DENIED:
            return Reply(403, b"Forbidden")
        if planned and planned.fault is Fault.RESET_BEFORE:
            return Reply(500)
        return self._over_rate() or self._too_large(call)

    def _over_rate(self) -> Reply | None:
        if self.rate is None:
            return None
        most, seconds = self.rate
        now = self.clock()
        self._answered = [at for at in self._answered if now - at < seconds * SECOND]
        if len(self._answered) >= most:
            wait = seconds - (now - self._answered[0]) / SECOND
            return Reply(429, b"Too many requests", {"Retry-After": str(max(1, round(wait)))})
        self._answered.append(now)
        return None

    def _too_large(self, call: Call) -> Reply | None:
        if self.largest_body is not None and len(call.body) > self.largest_body:
            return Reply(413, b"Payload too large")
        return None

    def _reply(self, call: Call) -> Reply:
        if refusal := self.refused(call):
            return refusal
        known = False
        for method, pattern, handler in self._routes:
            if found := pattern.fullmatch(call.path):
                known = True
                if method == call.method:
                    reply: Reply = handler(self, call, **found.groupdict())
                    return reply
        return Reply(405 if known else 404, b"No such path")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for them and no socket stays open

    def __init__(self, target: HttpTarget, tls: ssl.SSLContext | None) -> None:
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
    server: _Server

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

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - as BaseHTTPRequestHandler asks

    def _send(self, reply: Reply, fault: Fault | None) -> None:
        status, body, headers = reply.status, reply.body, dict(reply.headers)
        if fault is Fault.ERROR_PAGE:
            status, body, headers = 200, _ERROR_PAGE, {"Content-Type": "text/html"}
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
