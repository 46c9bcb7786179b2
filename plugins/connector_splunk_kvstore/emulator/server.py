"""A Splunk management port on loopback: login, KV store, limits, errors and outages."""

import secrets
import socket
import ssl
import struct
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, parse_qsl, urlsplit

from connector_splunk_kvstore.emulator.answers import Answer, message, plain, session
from connector_splunk_kvstore.emulator.collections import KvCollection, KvError, KvLimits
from connector_splunk_kvstore.emulator.endpoints import Call, answer_to
from connector_splunk_kvstore.emulator.query import QueryError

_UNKNOWN: Final = "call not properly authenticated"


class Trouble(StrEnum):
    """Faults of a real instance, on request."""

    STARTING = "starting"
    EXPIRED = "expired"
    FORBIDDEN = "forbidden"
    BUSY = "busy"
    RESET_AFTER_APPLYING = "reset_after_applying"
    TRUNCATED = "truncated"
    HALF_JSON = "half_json"
    SLOW = "slow"
    OVERTAKEN = "overtaken"


_REFUSALS: Final = {
    Trouble.STARTING: (503, "KV Store is initializing. Please try again later.", "ERROR"),
    Trouble.EXPIRED: (401, _UNKNOWN, "WARN"),
    Trouble.FORBIDDEN: (403, "insufficient permission to access this resource", "ERROR"),
    Trouble.BUSY: (429, "Too many requests", "ERROR"),
}


@dataclass
class _Planned:
    trouble: Trouble
    on: str
    times: int
    seconds: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Received:
    """One request as received."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class SplunkEmulator:
    """A context manager that serves Splunk's KV store endpoints until it exits.

    Tests set and read `apps`, `limits`, `collections` and `requests`, and `longest_target`, the
    length beyond which a proxy in front would refuse a URL.
    """

    def __init__(
        self,
        *,
        apps: Iterable[str] = ("search", "system", "threat_lists"),
        users: Mapping[str, str] | None = None,
        tokens: Iterable[str] = (),
        session_timeout_seconds: float = 3600,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.apps = set(apps)
        self.users = dict(users or {})
        self.tokens = set(tokens)
        self.limits = KvLimits()
        self.longest_target: int | None = None
        self.collections: dict[tuple[str, str], KvCollection] = {}
        self.requests: list[Received] = []
        self.logins = 0
        self._session_timeout = session_timeout_seconds
        self._clock = clock
        self._sessions: dict[str, float] = {}
        self._planned: list[_Planned] = []
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self._server = _Server(self, tls)
        self._scheme = "https" if tls else "http"

    @property
    def url(self) -> str:
        """The URL of the port."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def collection(self, app: str, name: str) -> KvCollection:
        """Return a collection, created when absent."""
        return self.collections.setdefault((app, name), KvCollection(app, name, self.limits))

    def plan(
        self,
        trouble: Trouble,
        *,
        on: str = "/storage/collections/",
        times: int = 1,
        seconds: float | None = None,
        words: str = "",
    ) -> None:
        """Apply trouble to the next `times` requests whose method and target contain `on`."""
        self._planned.append(_Planned(trouble, on, times, seconds, words))

    def expire_sessions(self) -> None:
        """Forget every session key, as after an idle hour or a restart."""
        with self._lock:
            self._sessions.clear()

    def received(self, part: str) -> list[Received]:
        """Return the requests whose method and target contain `part`, in order."""
        return [each for each in self.requests if part in f"{each.method} {each.target}"]

    def trouble_for(self, method: str, target: str) -> _Planned | None:
        """Return the next planned trouble that applies to a request, and count it."""
        with self._lock:
            for planned in self._planned:
                if planned.times > 0 and planned.on in f"{method} {target}":
                    planned.times -= 1
                    return planned
        return None

    def login(self, form: Mapping[str, str], port: int) -> Answer:
        """Answer `POST /services/auth/login`."""
        name = form.get("username", "")
        if name not in self.users or self.users[name] != form.get("password"):
            return message(401, "Login failed", json_mode=False, kind="WARN")
        key = secrets.token_urlsafe(48)
        with self._lock:
            self.logins += 1
            self._sessions[key] = self._clock()
        cookie = f"splunkd_{port}={key}; Path=/; HttpOnly; Max-Age=3600"
        return session(key, cookie if form.get("cookie") == "1" else None)

    def _alive(self, key: str) -> bool:
        with self._lock:
            used = self._sessions.get(key)
            alive = used is not None and self._clock() - used < self._session_timeout
            if alive:
                self._sessions[key] = self._clock()
            else:
                self._sessions.pop(key, None)
            return alive

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request has valid credentials; a session cookie is checked first."""
        for cookie in headers.get("Cookie", "").split(";"):
            name, _, value = cookie.strip().partition("=")
            if name.startswith("splunkd_"):
                return self._alive(value)
        scheme, _, credential = headers.get("Authorization", "").partition(" ")
        if scheme == "Splunk":
            return self._alive(credential)
        if scheme == "Basic":
            name, _, password = b64decode(credential).decode().partition(":")
            return self.users.get(name) == password
        return scheme == "Bearer" and credential in self.tokens

    def __enter__(self) -> Self:
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for them and no socket stays open

    def __init__(self, splunk: SplunkEmulator, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.splunk = splunk
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
        self._serve()

    do_POST = do_DELETE = do_GET  # noqa: N815 - the names that BaseHTTPRequestHandler calls

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        splunk = self.server.splunk
        splunk.requests.append(Received(self.command, self.path, dict(self.headers.items()), body))
        planned = splunk.trouble_for(self.command, self.path)
        refused = self._refused(planned, body) if planned else None
        answer = refused or self._answer(body)
        self._send(answer, planned.trouble if planned else None)

    def _refused(self, planned: _Planned, body: bytes) -> Answer | None:
        """Return the answer to a request that trouble prevents; None for one to execute."""
        if planned.trouble in _REFUSALS:
            status, text, kind = _REFUSALS[planned.trouble]
            if planned.trouble is Trouble.EXPIRED:
                self.server.splunk.expire_sessions()
            answer = message(status, planned.words or text, json_mode=self._json_mode(), kind=kind)
            if planned.seconds is None:
                return answer
            return replace(answer, headers={"Retry-After": f"{planned.seconds:g}"})
        if planned.trouble is Trouble.SLOW:
            self.server.splunk.stopping.wait(planned.seconds or 1)
        if planned.trouble is Trouble.OVERTAKEN:
            self._answer(body)  # another client sent the same request a moment earlier
        return None

    def _json_mode(self) -> bool:
        return "output_mode=json" in urlsplit(self.path).query

    def _answer(self, body: bytes) -> Answer:
        splunk = self.server.splunk
        parts = urlsplit(self.path)
        if splunk.longest_target and len(self.path) > splunk.longest_target:
            return plain(414, "Request-URI Too Large")
        if parts.path == "/services/auth/login":
            return splunk.login(dict(parse_qsl(body.decode())), self.server.server_address[1])
        if not splunk.knows(dict(self.headers.items())):
            return message(401, _UNKNOWN, json_mode=self._json_mode(), kind="WARN")
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        try:
            return answer_to(splunk, Call(self.command, parts.path, query, body))
        except KvError as error:
            return message(error.status, error.text, json_mode=self._json_mode())
        except QueryError as error:
            return message(400, str(error), json_mode=self._json_mode())

    def _send(self, answer: Answer, trouble: Trouble | None) -> None:
        if trouble is Trouble.RESET_AFTER_APPLYING:
            self._reset()
            return
        body = answer.body
        if trouble is Trouble.HALF_JSON:
            body = body[: len(body) // 2]
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        # The SDK's own client asks to close each connection, and reads the body only when the
        # answer says the same.
        self.send_header("Connection", "Close" if self.close_connection else "Keep-Alive")
        self.end_headers()
        if trouble is Trouble.TRUNCATED:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def _reset(self) -> None:
        # Closing with a linger of zero sends RST instead of FIN.
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
