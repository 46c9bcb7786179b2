"""One Redis: commands over one connection, and its refusals as errors that the core acts on.

The library's own retries are off: what is read in pages must not go on at a server that has started
anew meanwhile, as an empty rest would look like the end.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import AfterValidator

from connector.adapter.context import import_extra
from connector.errors import ConfigError, RefusedError, UnavailableError
from connector.settings import Auth

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["RedisFullError", "RedisKind", "RedisServer", "RedisUrl"]

_FORM: Final = "should be redis://HOST/DB, rediss://HOST/DB or unix:///PATH?db=DB"
_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_CONNECT_SECONDS: Final = 10
_ANSWER_SECONDS: Final = 60
_PAGE: Final = 1000
_SMALL: Final = 2000  # members of a key that is looked at as a whole in each cycle
_MOST_PAGES: Final = 100, 10  # of a key: so many, and of what its members fill so many times
_RUN: Final = re.compile(rb"^run_id:(\w+)", re.MULTILINE)
_OF_WRONG_KIND: Final = "WRONGTYPE"

Command = Sequence[str | bytes | int]


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(_FORM) from None
    if "@" in parts.netloc:
        raise ValueError("should have no user and no password: set auth.username, auth.password")
    if parts.scheme == "unix":
        fits = not parts.netloc and len(parts.path) > 1
        fits = fits and re.fullmatch(r"(?:db=\d{1,5})?", parts.query) is not None
    else:
        fits = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and not parts.query
        fits = fits and re.fullmatch(r"(?:/(?:\d{1,5})?)?", parts.path) is not None
    if not fits or parts.fragment:
        raise ValueError(_FORM)
    return url


RedisUrl = Annotated[str, AfterValidator(_checked)]
"""Address of a Redis, without credentials."""


class RedisFullError(Exception):
    """Redis has no memory left for what it was told; nothing of it was done."""


class RedisKind(NamedTuple):
    """A kind of key: the commands that count its members, return them all, and page them."""

    size: str
    whole: tuple[str, ...]
    page: str

    def all_of(self, key: str) -> Command:
        """Return the command for all members of a key."""
        verb, *rest = self.whole
        return (verb, key, *rest)


class RedisServer:
    """A connection to one Redis, opened when it is needed."""

    SET: Final = RedisKind("SCARD", ("SMEMBERS",), "SSCAN")
    HASH: Final = RedisKind("HLEN", ("HGETALL",), "HSCAN")
    SORTED_SET: Final = RedisKind("ZCARD", ("ZRANGE", "0", "-1", "WITHSCORES"), "ZSCAN")

    def __init__(self, url: str, auth: Auth, tls: "Callable[[], SSLContext]") -> None:
        library = import_extra("redis", "threat-feed-connector[redis]")
        self._errors = library.exceptions
        self._shown = url
        self._connection = _connection(library, url, auth, tls)
        self._dropped = 0

    @staticmethod
    def place(url: str) -> tuple[object, ...]:
        """Return the database that a URL names, alike for all ways of writing it."""
        parts = urlsplit(url)
        if parts.scheme == "unix":
            return unquote(parts.path), int(parse_qs(parts.query).get("db", ["0"])[0])
        return parts.hostname or "", parts.port or 6379, int(parts.path.strip("/") or 0)

    def started(self) -> str:
        """Return what tells this start of Redis from any other."""
        (told,) = self.ask([("INFO", "server")])
        if (found := _RUN.search(told)) is None:
            raise UnavailableError(f"{self._shown}: INFO server names no run_id")
        return found[1].decode()

    def known_as(self, keys: Iterable[str]) -> list[str]:
        """Return what tells these keys from those of any other start or database."""
        start, database = self.started(), self.place(self._shown)[-1]
        return [f"{start}/{database}/{key}" for key in keys]

    def stamp(self, keys: Mapping[str, RedisKind]) -> str:
        """Return what changes when Redis starts anew or one of these keys changes.

        Of a large key that is its number of members alone.
        """
        counts = self.ask([(kind.size, key) for key, kind in keys.items()])
        small = [key for key, count in zip(keys, counts, strict=True) if 0 < count <= _SMALL]
        told = [self.started(), *map(str, counts)]
        whole = self.ask([keys[key].all_of(key) for key in small])
        for key, members in zip(small, whole, strict=True):
            rows = sorted(_rows(members, keys[key]))
            told.append(hashlib.blake2b(repr(rows).encode(), digest_size=16).hexdigest())
        return " ".join(told)

    def members(self, keys: Mapping[str, RedisKind]) -> Iterator[tuple[str, tuple[bytes, ...]]]:
        """Yield what keys have, in pages: each key with a member, and its value or score.

        Raises UnavailableError where the connection was lost in between: the rest may be empty
        because Redis started anew.
        """
        self.started()
        opened = self._dropped
        for key, kind in keys.items():
            shown: set[bytes] = set()  # Redis shows some twice while it grows
            for page in self._pages(key, kind):
                if opened != self._dropped:
                    raise UnavailableError(f"{self._shown}: the connection was lost while reading")
                for row in _rows(page, kind):
                    if row[0] not in shown:
                        shown.add(row[0])
                        yield key, row

    def _pages(self, key: str, kind: RedisKind) -> Iterator[Sequence[bytes]]:
        """Yield what a key has; raise UnavailableError where that has no end."""
        (count,) = self.ask([(kind.size, key)])
        few, times = _MOST_PAGES
        cursor = b"0"
        for _ in range(few + times * count // _PAGE):
            ((cursor, page),) = self.ask([(kind.page, key, cursor, "COUNT", _PAGE)])
            yield page
            if cursor == b"0":
                return
        raise UnavailableError(f"{self._shown}: {kind.page} {key} does not come to an end")

    def do(self, commands: Sequence[Command]) -> None:
        """Do all of these commands or none; raise RedisFullError where there is no room for it."""
        if commands:
            self.ask([("MULTI",), *commands, ("EXEC",)])

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Return the answers to commands that are sent together."""
        if not commands:
            return []
        try:
            self._drop_if_closed()
            self._connection.send_packed_command(self._connection.pack_commands(commands))
            answers = [self._answer() for _ in commands]
        except (self._errors.AuthenticationError, self._errors.AuthorizationError) as error:
            self._drop()
            raise RefusedError(f"{self._shown}: {error}; check auth") from error
        except (self._errors.RedisError, OSError) as error:
            self._drop()
            raise UnavailableError(f"{self._shown}: {error}") from error
        self._raise_for(answers)
        return answers

    def close(self) -> None:
        """Close the connection."""
        self._drop()

    def _answer(self) -> Any:
        try:
            return self._connection.read_response()
        except self._errors.ResponseError as error:
            return error

    def _raise_for(self, answers: Sequence[Any]) -> None:
        """Raise what Redis refused: of a transaction, the command for which it was dropped."""
        inner = answers[-1] if isinstance(answers[-1], list) else []
        refusals = [each for each in (*answers, *inner) if isinstance(each, Exception)]
        if not refusals:
            return
        first, words = refusals[0], f"{self._shown}: {refusals[0]}"
        if isinstance(first, self._errors.OutOfMemoryError):
            raise RedisFullError(words)
        if isinstance(first, self._errors.NoPermissionError):
            raise RefusedError(f"{words}; docs/outputs/redis.md has the rights that are needed")
        if str(first).startswith(_OF_WRONG_KIND):
            raise RefusedError(f"{words}; name another key in the options")
        raise UnavailableError(words)

    def _drop_if_closed(self) -> None:
        """Drop a connection that Redis has closed while it was idle."""
        if getattr(self._connection, "_sock", None) is None:
            return
        try:
            closed = self._connection.can_read(timeout=0)
        except (self._errors.RedisError, OSError):
            closed = True
        if closed:
            self._drop()

    def _drop(self) -> None:
        self._dropped += 1
        with suppress(OSError):
            self._connection.disconnect()


def _rows(members: Sequence[bytes], kind: RedisKind) -> Iterator[tuple[bytes, ...]]:
    """Return members, each with its value or score where the kind has one."""
    return zip(*[iter(members)] * (1 if kind is RedisServer.SET else 2), strict=True)


def _connection(library: Any, url: str, auth: Auth, tls: "Callable[[], SSLContext]") -> Any:
    """Return a connection to the Redis at a URL, not opened yet."""
    if auth.token is not None or auth.header is not None or auth.oauth2 is not None:
        raise ConfigError(["auth: Redis takes username and password, and a client certificate"])
    parts = urlsplit(url)
    if parts.scheme == "redis" and auth.password is not None and parts.hostname not in _HERE:
        raise ConfigError(
            ["url: should be rediss://: the password would cross the network unencrypted"]
        )
    *where, database = RedisServer.place(url)
    options: dict[str, Any] = {
        "db": database,
        "username": auth.username,
        "password": None if auth.password is None else auth.password.reveal(),
        "socket_timeout": _ANSWER_SECONDS,
        "protocol": 2,
        "retry": library.retry.Retry(library.backoff.NoBackoff(), 0),
    }
    if parts.scheme == "unix":
        return library.UnixDomainSocketConnection(path=where[0], **options)
    options |= {
        "host": where[0],
        "port": where[1],
        "socket_connect_timeout": _CONNECT_SECONDS,
    }
    kind = library.Connection
    return (_over_tls(kind, tls()) if parts.scheme == "rediss" else kind)(**options)


def _over_tls(plain: Any, context: "SSLContext") -> Any:
    """Return a class of connections over TLS with our own context."""

    def connect(self: Any) -> Any:
        return context.wrap_socket(plain._connect(self), server_hostname=self.host)

    return type("TlsConnection", (plain,), {"_connect": connect})
