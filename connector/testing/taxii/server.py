"""A TAXII server (2.1 and 2.0) on loopback: for `connector demo`, for tests and for benchmarks."""

import base64
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from connector.instants import utc_now
from connector.testing.taxii import ranges as v20
from connector.testing.taxii.faults import Asked, Envelope, Fault, Reply
from connector.testing.taxii.store import (
    MEDIA_TYPE,
    STIX_MEDIA_TYPE,
    ServedCollection,
    Stamps,
    Stored,
    write_stamp,
)

__all__ = ["ServedCollection", "TaxiiServer"]


class TaxiiServer:
    """Serves collections within a `with` block; `faults` may be changed at any time.

    `requests` has all requests so far. `history` is how far back listings go; an object can always
    be found by its id. `versions` are the versions of TAXII that it speaks, chosen by the client's
    Accept header; `ranges` are the forms of a range that it understands in 2.0.
    """

    def __init__(
        self,
        collections: Sequence[ServedCollection] = (),
        *,
        basic: tuple[str, str] | None = None,
        bearer: str | None = None,
        key: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        max_page_size: int = 10_000,
        history: timedelta | None = None,
        clock: Callable[[], datetime] = utc_now,
        faults: Sequence[Fault] = (),
        port: int = 0,
        versions: Sequence[str] = ("2.1", "2.0"),
        ranges: v20.Ranges = v20.Ranges.BOTH,
    ) -> None:
        self.collections = list(collections) or [ServedCollection()]
        self.clock = clock
        self.faults = list(faults)
        self.requests: list[Asked] = []
        self.max_page_size = max_page_size
        self.history = history
        self.versions = tuple(versions)
        self.ranges = ranges
        self.closing = Event()
        self._expected = _expected_header(basic, bearer, key)
        self._stamps = Stamps(clock)
        self._statuses: dict[str, dict[str, Any]] = {}
        self._lock = Lock()
        self._pages = 0
        self._listener = _Listener(self, port, tls)
        self._thread = Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True)
        scheme = "http" if tls is None else "https"
        self.origin = f"{scheme}://localhost:{self._listener.server_address[1]}"

    @property
    def url(self) -> str:
        """The URL of discovery."""
        return f"{self.origin}/taxii2/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and end every connection; closing again does nothing."""
        if not self.closing.is_set():
            self.closing.set()
            self._listener.shutdown()
            self._listener.hang_up()
            self._listener.server_close()
            self._thread.join()

    def add_objects(
        self,
        objects: Iterable[Mapping[str, Any] | bytes],
        *,
        collection: ServedCollection | None = None,
        date_added: datetime | None = None,
    ) -> None:
        """Publish objects, each with a stamp of its own, or all with the one given."""
        stamps = self._stamps if date_added is None else lambda: date_added
        (collection or self.collections[0]).add(objects, stamps)

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Return the answer to a request, with every fault that applies."""
        parts = urlsplit(target)
        asked = Asked(method, parts.path, dict(parse_qsl(parts.query)), headers)
        with self._lock:
            if method == "GET" and parts.path.endswith("/objects/"):
                self._pages += 1
                asked = Asked(method, parts.path, asked.query, headers, self._pages)
            self.requests.append(asked)
            faults = [fault for fault in self.faults if fault.takes(asked)]
        for fault in faults:
            asked = fault.question(asked)
        date = format_datetime(self.clock(), usegmt=True)
        reply = self._spoken(asked, body, faults).with_header("Date", date)
        for fault in faults:
            reply = fault.reply(reply)
        return reply

    def _spoken(self, asked: Asked, body: bytes, faults: Sequence[Fault]) -> Reply:
        old = "vnd.oasis" in asked.headers.get("Accept", "")
        if ("2.0" if old else "2.1") not in self.versions:
            return _error(406, "this version of TAXII is not supported")
        reply = self._route(asked, body, faults)
        return v20.labelled(reply) if old else reply

    def _route(self, asked: Asked, body: bytes, faults: Sequence[Fault]) -> Reply:
        if self._expected and asked.headers.get(self._expected[0]) != self._expected[1]:
            return _error(401, "credentials missing or wrong")
        match asked.path.strip("/").split("/"):
            case ["taxii2"]:
                return _resource(self._discovery())
            case [root] if root in self._roots:
                return _resource(
                    {"title": root, "versions": [MEDIA_TYPE], "max_content_length": 100 << 20}
                )
            case [root, "collections"] if root in self._roots:
                listed = [c.resource for c in self.collections if c.root == root]
                return _resource({"collections": listed})
            case [_, "status", number] if number in self._statuses:
                return _resource(self._statuses[number])
            case [root, "collections", name, *rest] if found := self._find(root, name):
                return self._collection(found[0], rest, asked, body, faults)
        return _error(404, "no such resource")

    @property
    def _roots(self) -> list[str]:
        return list(dict.fromkeys(collection.root for collection in self.collections))

    def _find(self, root: str, name: str) -> list[ServedCollection]:
        return [c for c in self.collections if c.root == root and name in (c.id, c.alias)]

    def _discovery(self) -> dict[str, Any]:
        roots = [f"{self.origin}/{root}/" for root in self._roots]
        return {"title": "TAXII on loopback", "default": roots[0], "api_roots": roots}

    def _collection(
        self,
        collection: ServedCollection,
        rest: list[str],
        asked: Asked,
        body: bytes,
        faults: Sequence[Fault],
    ) -> Reply:
        if not rest:
            return _resource(collection.resource)
        if asked.method == "POST" and rest == ["objects"]:
            return self._take_in(collection, body)
        if not collection.can_read:
            return _error(403, "you may not read this collection")
        query = dict(asked.query)
        if len(rest) == 2 and rest[0] == "objects":
            query["match[id]"] = rest[1]
        try:
            return self._page(collection, replace(asked, query=query), rest[0], faults)
        except ValueError as error:
            return _error(400, f"a parameter is wrong: {error}")

    def _page(
        self,
        collection: ServedCollection,
        asked: Asked,
        kind: str,
        faults: Sequence[Fault],
    ) -> Reply:
        query = dict(asked.query)
        if self.history is not None and asked.path.rstrip("/").endswith(("objects", "manifest")):
            oldest = write_stamp(self.clock() - self.history)
            query["added_after"] = max(query.get("added_after", oldest), oldest)
        most = min(int(query.get("limit", self.max_page_size)), self.max_page_size)
        if most < 1:
            raise ValueError("limit should be at least 1")
        if "vnd.oasis" in asked.headers.get("Accept", ""):
            matching = collection.matching(query, inclusive=asked.inclusive)
            span = asked.headers.get("Range")
            return v20.page(matching, span, kind, self.max_page_size, self.ranges, faults)
        rows, token = collection.page(query, most, inclusive=asked.inclusive)
        written = [_manifest(row) if kind == "manifest" else row.raw for row in rows]
        envelope = Envelope(tuple(written), more=token is not None, next=token)
        for fault in faults:
            envelope = fault.envelope(envelope)
        stamps = {}
        if rows and envelope.objects:
            stamps["X-TAXII-Date-Added-First"] = rows[0].date_added
            stamps["X-TAXII-Date-Added-Last"] = rows[-1].date_added
        return Reply(200, {"Content-Type": MEDIA_TYPE, **stamps}, envelope.write())

    def _take_in(self, collection: ServedCollection, body: bytes) -> Reply:
        objects = json.loads(body)["objects"]
        self.add_objects(objects, collection=collection)
        taken = [{"id": o["id"], "version": o.get("modified", "")} for o in objects]
        status: dict[str, Any] = {
            "id": str(uuid4()),
            "status": "complete",
            "request_timestamp": write_stamp(self.clock()),
            "total_count": len(taken),
            "success_count": len(taken),
            "failure_count": 0,
            "pending_count": 0,
            "successes": taken,
        }
        self._statuses[status["id"]] = status
        return _resource(status, 202)


class _Listener(ThreadingHTTPServer):
    """Serves each connection in a thread; `hang_up` ends them all, so that none stays behind."""

    daemon_threads = False

    def __init__(self, taxii: TaxiiServer, port: int, tls: ssl.SSLContext | None) -> None:
        self.taxii = taxii
        self._open: set[socket.socket] = set()
        self._open_lock = Lock()
        super().__init__(("127.0.0.1", port), _Handler)
        if tls is not None:
            # The handshake is left to the connection's own thread.
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._open_lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect or whose certificate is refused."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Listener

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        taxii = self.server.taxii
        headers = {name.title(): value for name, value in self.headers.items()}
        reply = taxii.answer(self.command, self.path, headers, body)
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self._send(reply, taxii.closing)

    do_GET = do_POST = do_DELETE = _respond  # noqa: N815 - the names http.server looks for

    def _send(self, reply: Reply, closing: Event) -> None:
        if reply.trickle_seconds is not None:
            for byte in reply.body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(reply.trickle_seconds)
            return
        self.wfile.write(reply.body if reply.sent is None else reply.body[: reply.sent])
        self.wfile.flush()
        if reply.stalls:
            closing.wait()
        if reply.sent is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing to the terminal: `TaxiiServer.requests` has all requests."""


def _expected_header(
    basic: tuple[str, str] | None, bearer: str | None, key: tuple[str, str] | None
) -> tuple[str, str] | None:
    if basic is not None:
        return "Authorization", "Basic " + base64.b64encode(":".join(basic).encode()).decode()
    if bearer is not None:
        return "Authorization", f"Bearer {bearer}"
    return key and (key[0].title(), key[1])


def _resource(document: Mapping[str, Any], status: int = 200) -> Reply:
    return Reply(status, {"Content-Type": MEDIA_TYPE}, json.dumps(document).encode())


def _error(status: int, title: str) -> Reply:
    return _resource({"title": title, "http_status": str(status)}, HTTPStatus(status))


def _manifest(row: Stored) -> bytes:
    entry = {
        "id": row.id,
        "date_added": row.date_added,
        "version": row.version,
        "media_type": STIX_MEDIA_TYPE,
    }
    return json.dumps(entry).encode()
