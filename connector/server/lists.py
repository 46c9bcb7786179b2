"""GET /lists/NAME: the published bytes, or 304 if nothing has changed."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import IO, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from connector.instants import SECOND, system_clock
from connector.server import answers
from connector.server.authentication import Authenticator, Headers
from connector.server.fetches import FetchLog
from connector.server.file_cache import AbsentError, CachedFile, FileCache, HeldBackError
from connector.server.repeated import Repeated, Unchanged

PREFIX: Final = "/lists/"
_METHODS: Final = frozenset({"GET", "HEAD"})
_PLAIN: Final = re.compile(rb"/lists/[A-Za-z0-9._/-]+")  # a URL that is its path
_CONDITIONS: Final = frozenset({b"if-none-match", b"if-modified-since"})
_TAG: Final = re.compile(rb'"([^"]*)"')
_PIECE: Final = 128 * 1024  # the most that one slow reader can keep in the server's buffers
_MOMENT: Final = 2 * SECOND  # a file's time may lag behind the clock by some milliseconds
_ZIPPED: Final = "-gzip"
# If the reader had left before the last piece: one turn of the loop closes the connection, the
# next wakes the waiting task, and one is to spare.
_TURNS: Final = 3


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """The files that outputs keep, by name; any other in the folder is answered `otherwise`.

    `names` is None where some output does not say what it keeps: then every file is served.
    """

    names: frozenset[str] | None = None
    otherwise: int = 404

    def abandons(self, name: str) -> bool:
        """Return whether no output keeps this file."""
        return self.names is not None and name not in self.names


class Lists:
    """Answers requests for lists from known clients."""

    def __init__(
        self, cache: FileCache, authenticator: Authenticator, log: FetchLog, kept: KeptFiles
    ) -> None:
        self._cache = cache
        self._authenticator = authenticator
        self._log = log
        self._kept = kept
        self.repeated = Repeated(cache, log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        headers = answers.headers_of(scope)
        client = answers.certified(scope) or self._authenticator.name_of(
            headers, answers.address_of(scope)
        )
        if client is None:
            self._log.note_refusal()
            await answers.who_are_you()(scope, receive, send)
        elif scope["method"] not in _METHODS:
            await answers.wrong_method()(scope, receive, send)
        elif response := await self._served(client, headers, scope, receive, send):
            await response(scope, receive, send)

    def unchanged(
        self,
        method: str,
        url: bytes,
        sent: Sequence[tuple[bytes, bytes]],
        source: tuple[str, int] | None,
        certified: str | None,
    ) -> Unchanged | None:
        """Return the 304 that can be given at once; None where it takes more to know.

        Nearly all requests are such, and a task for each costs more than the answer.
        """
        headers = dict(sent)
        if not _PLAIN.fullmatch(url) or headers.keys().isdisjoint(_CONDITIONS):
            return None
        name = url[len(PREFIX) :].decode("ascii")
        client = certified or self._authenticator.name_of(headers, source[0] if source else "")
        if client is None or method not in _METHODS or self._kept.abandons(name):
            return None
        cached = self._cache.kept(name)
        tag = _unchanged(headers, cached) if cached is not None else None
        if cached is None or tag is None:
            return None
        self._log.note(client, name, 304, tag)
        dated = _is_dated(cached)
        return Unchanged(client, name, cached, tag, _validators(cached, tag), lasting=dated)

    async def _served(
        self, client: str, headers: Headers, scope: Scope, receive: Receive, send: Send
    ) -> Response | None:
        """Send the list, or return the response that says why not."""
        name = scope["path"].removeprefix(PREFIX)
        try:
            if self._kept.abandons(name) and self._cache.is_there(name):
                return answers.abandoned(self._kept.otherwise)
            cached = await self._cache.current(name)
            if tag := _unchanged(headers, cached):
                await _not_modified(cached, tag, send)
                self._log.note(client, name, 304, tag)
                return None
            cached, body = await self._cache.opened(name, cached)
            zipped = await self._cache.zipped(cached) if accepts_gzip(headers) else None
        except AbsentError:
            return answers.not_found()
        except (HeldBackError, OSError):
            return answers.unavailable()
        tag = cached.digest if zipped is None else cached.digest + _ZIPPED
        hangup = asyncio.create_task(_hangup(receive))
        try:
            head, kind = scope["method"] == "HEAD", _content_type(name)
            await _whole(cached, tag, zipped or body, kind, send, hangup, head=head)
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if hangup.done():
                return None
            await send({"type": "http.response.body"})
        except asyncio.CancelledError:
            return None  # the server had to stop before the reader was done
        finally:
            hangup.cancel()
        self._log.note(client, name, 200, tag)
        return None


def _unchanged(headers: Headers, cached: CachedFile) -> str | None:
    """Return the tag of the variant that the client has, if that is still current."""
    known = headers.get(b"if-none-match")
    if known is not None:
        tags = {tag.decode("latin-1") for tag in _TAG.findall(known)}
        current = (cached.digest, cached.digest + _ZIPPED)
        found = next((tag for tag in current if tag in tags), None)
        return cached.digest if known.strip() == b"*" else found
    since = headers.get(b"if-modified-since")
    # A later date does not count: our clock may have been set back since the last request.
    if since is not None and _is_dated(cached) and _seconds(since) == cached.modified:
        return cached.digest
    return None


def _is_dated(cached: CachedFile) -> bool:
    """Return whether no later version can have the same date, which counts whole seconds."""
    return system_clock() - cached.modified * SECOND >= _MOMENT


def _seconds(date: bytes) -> float:
    try:
        return parsedate_to_datetime(date.decode("latin-1")).timestamp()
    except (ValueError, OverflowError):
        return -1.0


def accepts_gzip(headers: Headers) -> bool:
    """Return whether the client accepts gzip."""
    for offer in headers.get(b"accept-encoding", b"").lower().split(b","):
        coding, _, weight = offer.partition(b";")
        if coding.strip() in {b"gzip", b"x-gzip"}:
            return weight.replace(b" ", b"").strip(b"0.") != b"q="
    return False


def _content_type(name: str) -> bytes:
    """Return the media type of a file: Sigma rules are YAML (RFC 9512), all else plain text."""
    kind = b"application/yaml" if name.endswith((".yml", ".yaml")) else b"text/plain"
    return kind + b"; charset=utf-8"


def _validators(cached: CachedFile, tag: str) -> list[tuple[bytes, bytes]]:
    dated = [(b"last-modified", cached.last_modified)] if _is_dated(cached) else []
    return [
        (b"etag", b'"%s"' % tag.encode()),
        *dated,
        (b"cache-control", b"no-cache"),
        (b"vary", b"Accept-Encoding"),
    ]


async def _not_modified(cached: CachedFile, tag: str, send: Send) -> None:
    headers = _validators(cached, tag)
    await send({"type": "http.response.start", "status": 304, "headers": headers})
    await send({"type": "http.response.body"})


async def _whole(
    cached: CachedFile,
    tag: str,
    body: bytes | IO[bytes],
    kind: bytes,
    send: Send,
    hangup: "asyncio.Task[None]",
    *,
    head: bool,
) -> None:
    """Send the head and body of a response; stop if the reader has left."""
    size = len(body) if isinstance(body, bytes) else cached.size
    headers = [
        *_validators(cached, tag),
        (b"content-type", kind),
        (b"content-length", b"%d" % size),
        (b"x-content-type-options", b"nosniff"),
    ]
    if tag.endswith(_ZIPPED):
        headers.append((b"content-encoding", b"gzip"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if not isinstance(body, bytes):
        with body:
            await _stream(body, size if not head else 0, send, hangup)
    elif not head:
        for start in range(0, size, _PIECE):
            if hangup.done():
                return
            await _piece(body[start : start + _PIECE], send)


async def _hangup(receive: Receive) -> None:
    """Return when the reader has left; anything sent after that vanishes without an error."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stream(file: IO[bytes], size: int, send: Send, hangup: "asyncio.Task[None]") -> None:
    while size and (piece := await asyncio.to_thread(file.read, min(_PIECE, size))):
        if hangup.done():
            return
        size -= len(piece)
        await _piece(piece, send)


async def _piece(piece: bytes, send: Send) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})
