"""The HTTP client of all feeds and adapters: TLS, proxy, credentials, timeouts, retries."""

import base64
import ssl
import time
import zlib
from collections.abc import Callable, Mapping
from http.client import HTTPException, LineTooLong
from random import SystemRandom
from typing import Any, Final
from urllib.parse import quote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from connector import __version__
from connector.adapter.turns import aside
from connector.errors import ConfigError, ConnectorError, UnavailableError
from connector.http.patience import DEADLINE_FACTOR, TooSlowError, pools
from connector.http.response import HttpResponse, TransientError
from connector.http.tls import HUNG_UP_HINT, client_context, explain, verifying_context
from connector.outside import BYTE_ORDER_MARK, one_line
from connector.settings import Auth, HttpSettings

USER_AGENT: Final = f"threat-feed-connector/{__version__}"
_IDEMPOTENT: Final = frozenset({"GET", "HEAD"})
_MIB: Final = 1 << 20
_CHUNK: Final = 1 << 18
MOST_RATIO: Final = 250  # of a compressed body beyond its first MiB; dense JSON reaches 60
MOST_PARTS: Final = 1000  # that a compressed body may consist of
MOST_COOKIES: Final = 50
_LONGEST_PAUSE: Final = 30.0  # seconds; if a server asks for more, the next cycle tries again
_jitter: Final = SystemRandom().uniform


class Http:
    """Sends requests and returns complete responses, or raises one of our errors.

    `session` is for libraries that make their own calls; requests made directly through it have
    neither the limits nor the error classes.
    """

    def __init__(
        self,
        settings: HttpSettings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._timeout = (
            settings.connect_timeout.total_seconds(),
            settings.read_timeout.total_seconds(),
        )
        self._secrets = _secrets(settings)
        seconds = DEADLINE_FACTOR * settings.read_timeout.total_seconds()
        self.session = _session(settings, pools(seconds, monotonic))

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        accept_statuses: frozenset[int] = frozenset(),
        retries: int = 2,
    ) -> HttpResponse:
        """Return the response if its status is 2xx or in `accept_statuses`, else raise.

        Only GET and HEAD are retried, after a failed connection or 429, 500, 502, 503 and 504.
        """
        tries_left = retries if method in _IDEMPOTENT else 0
        pause = 0.5
        while True:
            try:
                answer = self._answer(method, url, params, headers, body)
                if answer.ok or answer.status_code in accept_statuses:
                    return answer
                raise answer.error()
            except TransientError as error:
                wait = error.retry_after_seconds
                if not tries_left or (wait is not None and wait > _LONGEST_PAUSE):
                    raise
                self._sleep((pause if wait is None else wait) + _jitter(0, pause))
            tries_left -= 1
            pause *= 4

    def close(self) -> None:
        """Close all connections."""
        self.session.close()

    def redact(self, text: str) -> str:
        """Return the text without our secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _answer(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: bytes | None,
    ) -> HttpResponse:
        where = self.redact(_where(url))
        if len(self.session.cookies) > MOST_COOKIES:
            self.session.cookies.clear()
        try:
            with (
                aside(),
                self.session.request(
                    method,
                    url,
                    params=dict(params) if params else None,
                    headers=dict(headers) if headers else None,
                    data=body,
                    timeout=self._timeout,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                content = self._body(response, where)
                return HttpResponse(
                    where, response.status_code, response.headers, content, self.redact
                )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failure(error, where, url.startswith("https:")) from error
        except (ValueError, zlib.error) as error:
            raise UnavailableError(f"{where}: {self.redact(one_line(str(error)))}") from error

    def _body(self, response: requests.Response, where: str) -> bytes:
        """Read the whole body; `read1` returns what is there instead of waiting for more."""
        content = bytearray()
        most, packed = self._settings.max_body_mib * _MIB, 0
        unpack = _unpacker(response.headers.get("Content-Encoding", ""))
        while received := response.raw.read1(_CHUNK, decode_content=False):
            packed += len(received)
            bound = min(most, _MIB + MOST_RATIO * packed) if unpack else most
            content += unpack(received, bound + 1 - len(content)) if unpack else received
            if max(len(content), packed) > most:
                raise UnavailableError(
                    f"{where}: the response exceeds {self._settings.max_body_mib} MiB: ask "
                    "for smaller pages or raise max_body_mib"
                )
            if len(content) > bound:
                raise UnavailableError(
                    f"{where}: the compressed response unpacks to more than {MOST_RATIO} times its "
                    "size: too repetitive for a feed"
                )
        if unpack is not None and packed and not unpack.finished:
            raise UnavailableError(f"{where}: the compressed response is cut off")
        return bytes(content.removeprefix(BYTE_ORDER_MARK))

    def _failure(self, error: Exception, where: str, secure: bool) -> ConnectorError:
        root = _root(error)
        if isinstance(root, TooSlowError):
            return UnavailableError(
                f"{where}: the response took longer than {DEADLINE_FACTOR} times read_timeout"
            )
        if isinstance(root, LineTooLong) or type(root) is HTTPException:  # too many headers
            return UnavailableError(
                f"{where}: the response headers are too large: {self._say(root)}"
            )
        if isinstance(root, ssl.SSLError):
            return explain(root, where)
        if secure and isinstance(root, ConnectionResetError | BrokenPipeError):
            return TransientError(f"{where}: the server closed the connection{HUNG_UP_HINT}")
        if isinstance(error, requests.exceptions.ProxyError):
            proxy = _where(self._settings.proxy or "")
            said = self._say(root)
            return TransientError(f"{where}: the proxy {proxy} refused the request: {said}")
        if isinstance(error, requests.ConnectTimeout):
            return TransientError(f"{where}: could not connect within {self._timeout[0]:g} s")
        if isinstance(error, requests.ReadTimeout | urllib3.exceptions.ReadTimeoutError):
            return UnavailableError(
                f"{where}: sent nothing for {self._timeout[1]:g} s; a slow server needs a longer "
                "read_timeout"
            )
        if isinstance(error, ValueError):
            return UnavailableError(f"{where}: cannot send the request: {self._say(root)}")
        if isinstance(error, requests.ConnectionError):
            return TransientError(f"{where}: could not connect: {self._say(root)}")
        return TransientError(f"{where}: the response was cut off: {self._say(root)}")

    def _say(self, root: BaseException) -> str:
        text = getattr(root, "strerror", None) or str(root) or type(root).__name__
        return self.redact(one_line(str(text)))


class _Transport(HTTPAdapter):
    """Connections with our TLS context, to which requests would add the public authorities."""

    def __init__(
        self,
        context: ssl.SSLContext,
        proxy_context: ssl.SSLContext | None,
        pools_by_scheme: Mapping[str, Any],
    ) -> None:
        self._context = context
        self._proxy_context = proxy_context
        self._pools = dict(pools_by_scheme)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        kwargs["ssl_context"] = self._context
        if self._proxy_context is not None:
            kwargs["proxy_ssl_context"] = self._proxy_context
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED"


class _Header(AuthBase):
    """One header with a secret value."""

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[self._name] = self._value
        return request


class _Unpacker:
    """Decompresses gzip or deflate, including multi-member bodies, up to a bound."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self._parts = 1

    def __call__(self, received: bytes, most: int) -> bytes:
        unpacked = self._part(received, most)
        while self._stream.eof and self._stream.unused_data and len(unpacked) < most:
            unpacked += self._part(self._stream.unused_data, most - len(unpacked))
        return unpacked

    def _part(self, received: bytes, most: int) -> bytes:
        if self._stream.eof:
            self._parts += 1
            if self._parts > MOST_PARTS:
                raise ValueError(f"the compressed response has more than {MOST_PARTS} parts")
            self._stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        return self._stream.decompress(received, most)

    @property
    def finished(self) -> bool:
        return self._stream.eof


def _unpacker(encoding: str) -> _Unpacker | None:
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip", "deflate"):
        return _Unpacker()
    raise ValueError(f"the response uses a compression we did not ask for: {name!r}")


def _session(settings: HttpSettings, pools_by_scheme: Mapping[str, Any]) -> requests.Session:
    session = requests.Session()
    # The environment sets no proxies, authorities or .netrc: the file has the only settings.
    session.trust_env = False
    session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"})
    session.auth = _credentials(settings.auth)
    if settings.proxy:
        session.proxies = {"http": settings.proxy, "https": settings.proxy}
    context = client_context(settings.auth, settings.ca)
    # The proxy does not get our certificate. Loading all authorities is slow, so only on demand.
    secured = settings.proxy is not None and settings.proxy.lower().startswith("https:")
    proxy_context = verifying_context(settings.ca) if secured else None
    transport = _Transport(context, proxy_context, pools_by_scheme)
    session.mount("https://", transport)
    session.mount("http://", transport)
    return session


def _credentials(auth: Auth) -> AuthBase | None:
    """Return the credentials; a blank password counts, as some servers take a key as user name."""
    if problems := _auth_problems(auth):
        raise ConfigError(problems)
    if auth.username is not None:
        return _Header("Authorization", _basic(auth))
    if auth.token is not None:
        return _Header("Authorization", f"Bearer {auth.token.reveal()}")
    if auth.header is not None and auth.key is not None:
        return _Header(auth.header, auth.key.reveal())
    return None


def _auth_problems(auth: Auth) -> list[str]:
    problems = []
    ways = [name for name in ("username", "token", "header") if getattr(auth, name) is not None]
    if len(ways) > 1:
        problems.append(f"auth: should use only one of {' and '.join(ways)}")
    for one, other in (("header", "key"), ("key", "header"), ("password", "username")):
        if getattr(auth, one) is not None and getattr(auth, other) is None:
            problems.append(f"auth.{one}: needs auth.{other} too")
    for name in ("client_key", "client_key_password"):
        if getattr(auth, name) is not None and auth.client_cert is None:
            problems.append(f"auth.{name}: needs auth.client_cert too")
    for name in ("token", "key"):
        secret = getattr(auth, name)
        if secret is not None and not (secret.reveal().isprintable() and secret.reveal().isascii()):
            problems.append(f"auth.{name}: contains characters that a header cannot contain")
    return problems


def _basic(auth: Auth) -> str:
    password = auth.password.reveal() if auth.password else ""
    return "Basic " + base64.b64encode(f"{auth.username}:{password}".encode()).decode()


def _secrets(settings: HttpSettings) -> tuple[str, ...]:
    auth = settings.auth
    kept = (auth.password, auth.token, auth.key, auth.client_key_password)
    texts = {secret.reveal() for secret in kept if secret is not None}
    texts |= {quote(text, safe="") for text in texts}
    if auth.username is not None:
        texts.add(_basic(auth).removeprefix("Basic "))
    return tuple(sorted((t for t in texts if len(t) >= 4), key=len, reverse=True))


def _where(url: str) -> str:
    """Return host, port and path, without user, password or query."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an unreadable address"
    return f"{parts.hostname or ''}{port}{parts.path}"


def _root(error: BaseException) -> BaseException:
    """Return the innermost cause: its wrappers repeat whole URLs, including queries."""
    for _ in range(10):
        reason = getattr(error, "reason", None)
        inner = next(
            (e for e in (reason, *error.args, error.__cause__) if isinstance(e, BaseException)),
            None,
        )
        if inner is None:
            break
        error = inner
    return error
