"""The HTTP client of all feeds and adapters: TLS, proxy, credentials, timeouts, retries."""

import ssl
import time
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from http.client import HTTPException, LineTooLong
from random import SystemRandom
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3

from connector.adapter.turns import aside
from connector.errors import ConnectorError, UnavailableError
from connector.http.credentials import Secrets
from connector.http.oauth2 import REFUSALS, Tokens
from connector.http.pace import LONGEST_PAUSE, Pace, Paces
from connector.http.patience import DEADLINE_FACTOR, TooSlowError, pools
from connector.http.response import BusyError, HttpResponse, TransientError
from connector.http.tls import HUNG_UP_HINT, explain
from connector.http.transport import session_of
from connector.http.unpacking import unpacker
from connector.outside import BYTE_ORDER_MARK, one_line
from connector.settings import HttpSettings, Rate

_IDEMPOTENT: Final = frozenset({"GET", "HEAD"})
_MIB: Final = 1 << 20
_CHUNK: Final = 1 << 18
MOST_RATIO: Final = 250  # of a compressed body beyond its first MiB; dense JSON reaches 60
MOST_COOKIES: Final = 50
_BUSY_TRIES: Final = 5  # a busy server is not broken, and has done nothing yet
_UNREADABLE: Final = "an unreadable address"
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
        rate: Rate | None = None,
        paces: Paces | None = None,
    ) -> None:
        """Share `paces` with all that may ask the same hosts; `rate` is for want of an option."""
        self._settings = settings
        self._sleep = sleep
        self._rate = settings.rate or rate
        self._paces = paces or Paces(monotonic)
        self._hosts: dict[str, Pace] = {}
        self._timeout = (
            settings.connect_timeout.total_seconds(),
            settings.read_timeout.total_seconds(),
        )
        self._secrets = Secrets(settings)
        seconds = DEADLINE_FACTOR * settings.read_timeout.total_seconds()
        self.session = session_of(settings, pools(seconds, monotonic))
        chosen = settings.auth.oauth2
        self._tokens = (
            None if chosen is None else Tokens(chosen, self._form, self.keep_secret, monotonic)
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        accept_statuses: frozenset[int] = frozenset(),
        repeatable: bool = False,
        retries: int = 2,
    ) -> HttpResponse:
        """Return the response if its status is 2xx or in `accept_statuses`, else raise.

        GET, HEAD and what is `repeatable`, such as a read by POST, are retried after a failed
        connection or 500, 502, 503 and 504. Everything is asked again after 429, which says that
        nothing was done.
        """
        if self._tokens is None:
            send = partial(self._answer, method, url, params, headers, body)
        else:
            send = partial(self._with_token, self._tokens, method, url, params, headers, body)
        return self._patiently(
            send, self._pace(url), accept_statuses, repeatable or method in _IDEMPOTENT, retries
        )

    def _form(self, url: str, form: bytes, headers: Mapping[str, str]) -> HttpResponse:
        """Post a form for a token, without any of our other credentials."""
        send = partial(self._answer, "POST", url, None, headers, form)
        return self._patiently(send, self._pace(url), REFUSALS, read=True, retries=2)

    def _with_token(
        self,
        tokens: Tokens,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: bytes | None,
    ) -> HttpResponse:
        """Return the answer to a call with a token; with another one where this one is refused."""
        token = tokens.current()
        send = partial(self._answer, method, url, params, body=body)
        answer = send(headers={**(headers or {}), "Authorization": f"Bearer {token}"})
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            token = tokens.current(refused=token)
            answer = send(headers={**(headers or {}), "Authorization": f"Bearer {token}"})
        return answer

    def _patiently(
        self,
        send: Callable[[], HttpResponse],
        pace: Pace,
        accept_statuses: frozenset[int],
        read: bool,
        retries: int,
    ) -> HttpResponse:
        left = {True: _BUSY_TRIES if retries else 0, False: retries if read else 0}
        pause, rested = 0.5, float("-inf")
        while True:
            pace.wait(self._sleep, rested)
            try:
                answer = send()
                if answer.ok or answer.status_code in accept_statuses:
                    return answer
                raise answer.error()
            except TransientError as error:
                asked, busy = error.retry_after_seconds, isinstance(error, BusyError)
                wait = pause if asked is None else asked
                if busy:
                    rested = pace.rest(wait)
                if not left[busy] or wait > LONGEST_PAUSE:
                    raise
                self._sleep(wait + _jitter(0, pause))
            left[busy] -= 1
            pause = min(pause * 4, LONGEST_PAUSE)

    def _pace(self, url: str) -> Pace:
        host = _host(url)
        if host not in self._hosts:
            self._hosts[host] = self._paces.of(host)
            if self._rate is not None:
                self._hosts[host].join(self._rate)
        return self._hosts[host]

    def close(self) -> None:
        """Close all connections."""
        while self._hosts:
            _host_left, pace = self._hosts.popitem()
            if self._rate is not None:
                pace.leave(self._rate)
        self.session.close()

    def keep_secret(self, text: str) -> None:
        """Keep a text that a server gave us, such as a session's token, out of all messages."""
        self._secrets.learn(text)

    def redact(self, text: str) -> str:
        """Return the text without our secrets."""
        return self._secrets.redact(text)

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
        unpack = unpacker(response.headers.get("Content-Encoding", ""))
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


def _where(url: str) -> str:
    """Return host, port and path, without user, password or query."""
    host = _host(url)
    return host + urlsplit(url).path if host != _UNREADABLE else host


def _host(url: str) -> str:
    """Return host and port."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return _UNREADABLE
    return f"{parts.hostname or ''}{port}"


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
