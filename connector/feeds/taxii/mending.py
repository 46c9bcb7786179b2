"""Repairs discovery documents for taxii2-client, and reports entries that no client can read.

Otherwise one mistake in one entry would cost the whole list.
"""

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from connector.log import log
from connector.outside import one_line

if TYPE_CHECKING:
    from connector.feeds.taxii.connection import Connection

LONGEST_NAME: Final = 200
_LONGEST_URL: Final = 2000
_UNFIT: Final = (KeyError, TypeError, ValueError, AttributeError)


class Mending:
    """Sits between taxii2-client and the connection, and remembers the entries it left out."""

    connection: "Connection"

    def __init__(self, url: str) -> None:
        self._url = url
        self._told: list[str] = []
        self._unread: list[str] = []

    def begin(self) -> None:
        """Start on the lists of all roots, keeping the bad entries of discovery itself."""
        self._unread = [one for one in self._unread if one.startswith("api_roots")]

    def tell(self) -> None:
        """Log what was left out: once per change, in one line."""
        if self._unread and self._unread != self._told:
            log.warning("feed.entries_unread", url=self._url, entries=len(self._unread),
                        such_as=self._unread[0])  # fmt: skip
        self._told = self._unread

    def get(self, url: str, **arguments: Any) -> dict[str, Any]:
        """Return a resource with the readable entries of its lists; raise if there are none."""
        document = self.connection.get(url, **arguments)
        if url.endswith("/collections/"):
            listed = self._mended("collections", document.get("collections"), _collection)
            return {"collections": list({one["id"]: one for one in listed}.values())}
        self._unread = []
        if document.get("api_roots") is None:
            return document
        roots = self._mended("api_roots", document["api_roots"], lambda one: _root(url, one))
        kept = {key: value for key, value in document.items() if key == "title"}
        return {"title": "untitled", **kept, "api_roots": roots}

    def _mended(self, name: str, listed: Any, mend: Any) -> list[Any]:
        if not isinstance(listed, list | None):
            raise TypeError(f"{name} should be a list")
        found = []
        unread = []
        for at, entry in enumerate(listed or ()):
            try:
                found.append(mend(entry))
            except _UNFIT as error:
                unread.append(f"{name}[{at}]: {one_line(str(error))}")
        if unread and not found:
            raise ValueError(unread[0])
        self._unread += unread
        return found


def _root(base: str, entry: Any) -> str:
    if not isinstance(entry, str) or not entry.isprintable() or len(entry) > _LONGEST_URL:
        raise ValueError("should be an address")
    url = urljoin(base, entry)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError(f"{one_line(entry)!r} is not the address of a server")
    return url


def _collection(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise TypeError("should be an object")
    given = entry.get("id")
    name = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else ""
    if not name or "/" in name or name in (".", ".."):
        raise ValueError(f"its id is {one_line(repr(given))}")
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise ValueError(f"its id should be printable and have at most {LONGEST_NAME} characters")
    title, alias = (entry.get(key) for key in ("title", "alias"))
    named = {"alias": one_line(alias)} if isinstance(alias, str) and alias.strip() else {}
    shown = one_line(title, LONGEST_NAME) if isinstance(title, str) else ""
    can_read = entry.get("can_read") is not False
    return {"id": name, "title": shown or name, "can_read": can_read, "can_write": False, **named}
