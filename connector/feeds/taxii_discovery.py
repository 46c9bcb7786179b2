"""Finds the collections of a TAXII server: discovery, API roots, and names people use."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import structlog
from taxii2client import v20, v21
from taxii2client.exceptions import TAXIIServiceException

from connector.errors import RefusedError, UnavailableError
from connector.feeds.taxii_connection import Connection, NotEntitledError, OtherVersionError
from connector.feeds.taxii_dialect import DIALECTS, Dialect, Version
from connector.http import Http

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FoundCollection:
    """A collection as its server describes it."""

    url: str
    id: str
    title: str
    alias: str | None
    can_read: bool
    root: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What the file may call it."""
        return (self.id, self.alias) if self.alias else (self.id,)

    def is_called(self, name: str) -> bool:
        """Say whether a name in the file means this collection."""
        return name in (self.id, self.alias) or name.casefold() == self.title.casefold()

    def __str__(self) -> str:
        alias = f", alias {self.alias}" if self.alias else ""
        readable = "" if self.can_read else ", not readable for us"
        return f"{self.title!r} (id {self.id}{alias}{readable})"


class Discovery:
    """Lists what a server lets us see; `refused` holds the API roots that it does not.

    `dialect` is the version of TAXII in which it answered last.
    """

    def __init__(self, http: Http, url: str, roots: Sequence[str], version: Version) -> None:
        self._http = http
        self._url = url
        self._roots = roots
        self._dialects = DIALECTS[version]
        self.refused: dict[str, str] = {}
        self._speak(self._dialects[0])

    def _speak(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._connection = Connection(self._http, dialect, yields=dialect is not self._dialects[-1])
        self._library = v20 if dialect.ranged else v21

    def collections(self) -> list[FoundCollection]:
        """Return the collections of every root that lets us in, in a version the server speaks.

        Each time the newest version is asked for first: servers are updated.
        """
        for dialect in self._dialects:
            self._speak(dialect)
            try:
                return self._collections()
            except OtherVersionError as error:
                last = error
        tried = " or ".join(dialect.version.value for dialect in self._dialects)
        raise UnavailableError(
            f"{last}: the server does not speak TAXII {tried}: check version, and that the "
            "address is that of a TAXII 2 server"
        ) from last

    def _collections(self) -> list[FoundCollection]:
        found: list[FoundCollection] = []
        refused: dict[str, str] = {}
        for root in self._root_urls():
            try:
                found += self._listed(root)
            except NotEntitledError as error:
                refused[root] = str(error)
        self._report(refused)
        if refused and not found:
            raise RefusedError(
                "no API root lets us in: " + "; ".join(refused.values()) + ": check auth, and "
                "whether the server admits this machine's address"
            )
        return found

    def _root_urls(self) -> list[str]:
        if self._roots and all("://" in root for root in self._roots):
            return [_folder(root) for root in self._roots]
        offered = self._offered()
        if not self._roots:
            return self._trusted(offered)
        return list(dict.fromkeys(_pick(self._roots, offered)))

    def _offered(self) -> list[str]:
        """Ask discovery; an address that is an API root's own serves as well."""
        server = self._library.Server(self._url, conn=self._connection)
        try:
            with _reading(self._url):
                server.refresh()
                if not server.api_roots and "versions" in server.custom_properties:
                    return [_folder(self._url)]
                roots = [_folder(root.url) for root in server.api_roots]
        except NotEntitledError as error:
            raise RefusedError(
                f"{error}: no TAXII discovery there: the address usually ends in /taxii2/"
            ) from error
        if not roots:
            raise UnavailableError(f"{self._url}: offers no API root, and the file names none")
        return roots

    def _trusted(self, offered: list[str]) -> list[str]:
        """Credentials go to another host, or over plain HTTP, only where the file says so."""
        home = urlsplit(self._url)
        near = [
            root
            for root in offered
            if urlsplit(root).hostname == home.hostname
            and urlsplit(root).scheme in (home.scheme, "https")
        ]
        far = [root for root in offered if root not in near]
        if far and not near:
            raise UnavailableError(
                f"{self._url}: its API roots lie elsewhere ({', '.join(far)}): name those under "
                "roots that may have our credentials"
            )
        if far:
            log.warning("feed.roots_left_out", url=self._url, roots=far)
        return near

    def _listed(self, root: str) -> list[FoundCollection]:
        api_root = self._library.ApiRoot(root, conn=_Mending(self._connection))
        with _reading(root):
            return [
                FoundCollection(c.url, c.id, c.title, _alias(c), bool(c.can_read), root)
                for c in api_root.collections
            ]

    def _report(self, refused: dict[str, str]) -> None:
        """Once per change, not once per poll."""
        for root in refused.keys() - self.refused.keys():
            log.warning("feed.root_refused", root=root, answer=refused[root])
        for root in self.refused.keys() - refused.keys():
            log.info("feed.root_admitted", root=root)
        self.refused = refused


class _Mending:
    """Adds what taxii2-client insists on: one slip in one collection would cost the whole list."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, url: str, **arguments: Any) -> dict[str, Any]:
        document = self._connection.get(url, **arguments)
        listed = document.get("collections") or []
        return {"collections": [_mended(item) for item in listed]}


def _alias(collection: Any) -> str | None:
    """TAXII 2.0 knows no aliases; a server that has them all the same may say so."""
    found = getattr(collection, "alias", None) or collection.custom_properties.get("alias")
    return found if isinstance(found, str) else None


def _mended(item: dict[str, Any]) -> dict[str, Any]:
    name = str(item["id"])
    if "/" in name or name in (".", ".."):
        raise ValueError(f"a collection's id is {name!r}")
    given = {key: value for key, value in item.items() if value not in (None, "")}
    return {"title": name, "can_read": True, "can_write": False, **given, "id": name}


def choose(found: Sequence[FoundCollection], names: Iterable[str]) -> list[FoundCollection]:
    """Return the collections that the names mean, or else all that can be read."""
    names = list(names)
    if not names:
        return [collection for collection in found if collection.can_read]
    unknown = [name for name in names if not any(c.is_called(name) for c in found)]
    if unknown:
        offered = "; ".join(map(str, found)) or "none"
        raise UnavailableError(
            f"collections: {', '.join(map(repr, unknown))} not found; the server offers: {offered}"
        )
    chosen = [c for c in found if any(c.is_called(name) for name in names)]
    closed = [str(c) for c in chosen if not c.can_read]
    if closed:
        raise RefusedError(f"collections: may not be read by us: {'; '.join(closed)}")
    return chosen


def _pick(names: Sequence[str], offered: Sequence[str]) -> Iterator[str]:
    for name in names:
        if "://" in name:
            yield _folder(name)
            continue
        meant = [root for root in offered if _last_part(root) == name.strip("/")]
        if not meant:
            raise UnavailableError(
                f"roots: {name!r} not found; the server offers: {', '.join(offered)}"
            )
        yield from meant


def _last_part(url: str) -> str:
    return urlsplit(url).path.strip("/").rpartition("/")[2]


def _folder(url: str) -> str:
    return urljoin(url, urlsplit(url).path.rstrip("/") + "/")


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """Documents that are not what TAXII says make taxii2-client fail in many ways."""
    try:
        yield
    except (TAXIIServiceException, KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnavailableError(
            f"{where}: answered JSON that is not TAXII 2: {type(error).__name__}: {error}"
        ) from error
