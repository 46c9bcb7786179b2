"""Requests that were answered 304 and come again, byte for byte: most that a list server gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connector.server.fetches import FetchLog
from connector.server.file_cache import CachedFile, FileCache

# Who polls sends the same bytes until the list changes: one for each client and list.
_MOST: Final = 10_000
_LARGEST: Final = 2048
_END: Final = b"\r\n\r\n"
_NOT_MODIFIED: Final = b"HTTP/1.1 304 Not Modified\r\n"

Headers = Sequence[tuple[bytes, bytes]]
# The bytes, where they come from, and the client that the connection's certificate is for.
Asked = tuple[bytes, str, str | None]


@dataclass(slots=True)
class Unchanged:
    """Why a request was answered 304: who has which version, of a file that has not changed."""

    client: str
    name: str
    cached: CachedFile
    tag: str
    headers: Headers
    lasting: bool = False  # whether the headers stay as they are


class Repeated:
    """Answers a known request without reading it again, while the file is as it was.

    The clients and files of a server do not change while it runs, so nothing else decides.
    """

    def __init__(self, cache: FileCache, log: FetchLog) -> None:
        self._cache = cache
        self._log = log
        self._known: dict[Asked, Unchanged] = {}
        self._written: dict[Asked, bytes] = {}
        self._common: object = None

    def answer(self, asked: Asked, common: Headers) -> bytes | None:
        """Return the answer to a request that is known; `common` are the headers of any answer."""
        known = self._known.get(asked)
        if known is None:
            return None
        if self._cache.kept(known.name) is not known.cached:
            del self._known[asked]
            return None
        if common is not self._common:  # another second
            self._common, self._written = common, {}
        answer = self._written.get(asked)
        if answer is None:
            self._written[asked] = answer = written(common, known.headers, lasts=True)
        self._log.note(known.client, known.name, 304, known.tag)
        return answer

    def learn(self, asked: Asked, answered: Unchanged) -> None:
        """Remember a request that stood alone and was answered 304."""
        data = asked[0]
        if not answered.lasting or len(data) > _LARGEST or data.find(_END) != len(data) - 4:
            return
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[asked] = answered


def written(common: Headers, headers: Headers, *, lasts: bool) -> bytes:
    """Return a 304 as it is sent."""
    lines = [_NOT_MODIFIED]
    for name, value in (*common, *headers):
        lines += (name, b": ", value, b"\r\n")
    lines.append(b"\r\n" if lasts else b"connection: close\r\n\r\n")
    return b"".join(lines)
