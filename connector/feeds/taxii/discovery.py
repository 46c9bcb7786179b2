"""Finds the collections of a TAXII server: discovery, API roots, and configured names."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from connector.errors import RefusedError, UnavailableError
from connector.feeds.taxii.answers import NotEntitledError, OtherVersionError
from connector.feeds.taxii.mending import Mending
from connector.feeds.taxii.versions import DIALECTS, TaxiiDialect, TaxiiVersion
from connector.log import log
from connector.outside import one_line

if (
    TYPE_CHECKING
):  # taxii2-client and requests are slow to import: only who asks a server needs them
    from connector.http.client import Http

MOST_ROOTS: Final = 100
MOST_COLLECTIONS: Final = 1000
_TOLD: Final = 3
_SHOWN: Final = 20
_BELOW_A_ROOT: Final = re.compile(r"(.*/)collections(?:/([^/]+)(?:/(?:objects|manifest).*)?)?/?")


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
        """The names by which the file may refer to it."""
        return (self.id, self.alias) if self.alias else (self.id,)

    def is_called(self, name: str) -> bool:
        """Return whether a name in the file means this collection."""
        return name in (self.id, self.alias) or name.casefold() == self.title.casefold()

    def __str__(self) -> str:
        alias = f", alias {self.alias}" if self.alias else ""
        readable = "" if self.can_read else ", no access"
        return f"{self.title!r} (id {self.id}{alias}{readable})"


class Discovery:
    """Lists what we can see at a server; `refused` has the API roots that deny access.

    `dialect` is the TAXII version of the server's latest response.
    """

    def __init__(self, http: "Http", url: str, roots: Sequence[str], version: TaxiiVersion) -> None:
        self._http = http
        self._url = url
        self._roots = roots
        self._dialects = DIALECTS[version]
        self.refused: dict[str, str] = {}
        self._left_out: list[str] = []
        self._mending = Mending(url)
        self._speak(self._dialects[0])

    def _speak(self, dialect: TaxiiDialect) -> None:
        from connector.feeds.taxii.connection import Connection, library_of  # noqa: PLC0415 - as above

        self.dialect = dialect
        self._connection = Connection(self._http, dialect, yields=dialect is not self._dialects[-1])
        self._mending.connection = self._connection
        self._library = library_of(dialect)

    def collections(self) -> list[FoundCollection]:
        """Return the collections of every root that grants access, in a version the server speaks.

        Each call tries the newest version first, since servers are updated.
        """
        try:
            return self._in_a_version_it_speaks()
        except (UnavailableError, RefusedError) as error:
            if hint := what_to_write(self._url):
                raise type(error)(f"{error}; {hint}") from error
            raise

    def _in_a_version_it_speaks(self) -> list[FoundCollection]:
        for dialect in self._dialects:
            self._speak(dialect)
            try:
                return self._collections()
            except OtherVersionError as error:
                last = error
        tried = " or ".join(dialect.version.value for dialect in self._dialects)
        raise UnavailableError(
            f"{last}: the server does not speak TAXII {tried}: check version, and that the "
            "address belongs to a TAXII 2 server"
        ) from last

    def _collections(self) -> list[FoundCollection]:
        found: list[FoundCollection] = []
        refused: dict[str, str] = {}
        roots = self._root_urls()
        if len(roots) > max(MOST_ROOTS, len(self._roots)):
            raise UnavailableError(
                f"{self._url}: lists {len(roots)} API roots, more than {MOST_ROOTS}: list those to "
                "read under roots"
            )
        self._mending.begin()
        for root in roots:
            try:
                found += self._listed(root)
            except NotEntitledError as error:
                refused[root] = str(error)
        self._report(refused)
        self._mending.tell()
        if refused and not found:
            raise RefusedError(
                "access denied to every API root: "
                + "; ".join(refused.values())
                + ": check auth, and "
                "whether the server allows this machine's address"
            )
        return found

    def _root_urls(self) -> list[str]:
        if self._roots and all("://" in root for root in self._roots):
            return [_folder(root) for root in self._roots]
        offered = self._offered()
        near = [root for root in offered if origin(root) == origin(self._url)]
        if self._roots:
            return list(dict.fromkeys(_pick(self._roots, near, offered)))
        return self._trusted(near, offered)

    def _offered(self) -> list[str]:
        """Return the roots from discovery; the address of an API root itself works as well."""
        server = self._library.Server(self._url, conn=self._mending)
        try:
            with _reading(self._url):
                server.refresh()
                if not server.api_roots and "versions" in server.custom_properties:
                    return [_folder(self._url)]
                roots = list(dict.fromkeys(_folder(root.url) for root in server.api_roots))
        except NotEntitledError as error:
            raise RefusedError(
                f"{error}: no TAXII discovery there: the address usually ends in /taxii2/"
            ) from error
        if not roots:
            raise UnavailableError(
                f"{self._url}: offers no API root, and the configuration names none"
            )
        return roots

    def _trusted(self, near: list[str], offered: list[str]) -> list[str]:
        """Send credentials to another scheme, host or port only if the file says so."""
        far = [root for root in offered if root not in near]
        if far and not near:
            raise UnavailableError(
                f"{self._url}: its API roots are on other servers ({_some(far)}): list those that "
                "may receive our credentials under roots, by full address"
            )
        if far and far != self._left_out:
            log.warning("feed.roots_left_out", url=self._url, roots=len(far), such_as=far[:_TOLD])
        self._left_out = far
        return near

    def _listed(self, root: str) -> list[FoundCollection]:
        api_root = self._library.ApiRoot(root, conn=self._mending)
        with _reading(root):
            return [
                FoundCollection(c.url, c.id, c.title, _alias(c), bool(c.can_read), root)
                for c in api_root.collections
            ]

    def _report(self, refused: dict[str, str]) -> None:
        """Log one line per change, not one per poll or root."""
        if closed := sorted(refused.keys() - self.refused.keys()):
            log.warning("feed.root_refused", root=closed[0], roots=len(closed),
                        answer=refused[closed[0]])  # fmt: skip
        if opened := sorted(self.refused.keys() - refused.keys()):
            log.info("feed.root_admitted", root=opened[0], roots=len(opened))
        self.refused = refused


def _alias(collection: Any) -> str | None:
    """Return the alias; TAXII 2.0 has none, but a server may give one anyway."""
    found = getattr(collection, "alias", None) or collection.custom_properties.get("alias")
    return found if isinstance(found, str) else None


def choose(found: Sequence[FoundCollection], names: Iterable[str]) -> list[FoundCollection]:
    """Return the collections with these names, or by default all that can be read."""
    names = list(names)
    if not names:
        return [collection for collection in found if collection.can_read]
    unknown = [name for name in names if not any(c.is_called(name) for c in found)]
    if unknown:
        raise UnavailableError(
            f"collections: {', '.join(map(repr, unknown))} not found; the server offers: "
            f"{_some(found, '; ')}"
        )
    chosen = [c for c in found if any(c.is_called(name) for name in names)]
    closed = [str(c) for c in chosen if not c.can_read]
    if closed:
        raise RefusedError(f"collections: no read access to {'; '.join(closed)}")
    return chosen


def _pick(names: Sequence[str], near: Sequence[str], offered: Sequence[str]) -> Iterator[str]:
    """Yield the roots with these names; a last part only matches a root on the same server."""
    for name in names:
        if "://" in name:
            yield _folder(name)
            continue
        called = [root for root in offered if _last_part(root) == name.strip("/")]
        meant = [root for root in called if root in near]
        if called and not meant:
            raise UnavailableError(
                f"roots: {name!r} is on another server ({_some(called)}): if it may receive our "
                "credentials, put its full address under roots"
            )
        if not meant:
            raise UnavailableError(
                f"roots: {name!r} not found; the server offers: {_some(offered)}"
            )
        yield from meant


def _some(found: Sequence[object], between: str = ", ") -> str:
    """Return the first few in words; a server may offer thousands."""
    shown = between.join(map(str, found[:_SHOWN])) or "none"
    more = len(found) - _SHOWN
    return f"{shown}{between}and {more:,} more" if more > 0 else shown


def what_to_write(url: str) -> str:
    """Return how the file should give an address below an API root; empty for other addresses."""
    below = _BELOW_A_ROOT.fullmatch(urlsplit(url).path)
    if below is None:
        return ""
    root = urljoin(url, below[1])
    if below[2] is None:
        return f"that address is the collection list of an API root: use url: {root}"
    name = one_line(unquote(below[2]))
    return f"that address belongs to a collection: use url: {root} and collections: [{name!r}]"


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return what identifies the server of an address: scheme, host and port."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def _last_part(url: str) -> str:
    return urlsplit(url).path.strip("/").rpartition("/")[2]


def _folder(url: str) -> str:
    return urljoin(url, urlsplit(url).path.rstrip("/") + "/")


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """Raise one error for the many ways in which taxii2-client fails on invalid documents."""
    from taxii2client.exceptions import TAXIIServiceException  # noqa: PLC0415 - as above

    try:
        yield
    except (TAXIIServiceException, KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnavailableError(
            f"{where}: returned JSON that is not TAXII 2: {type(error).__name__}: {error}"
        ) from error
