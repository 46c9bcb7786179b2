"""splunk-sdk over the core's HTTP client, with its errors as those that the core acts on."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from http.client import responses
from io import BytesIO
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError, fromstring

from splunklib.binding import HTTPError
from splunklib.client import Service, connect

from connector.adapter import Auth, Http, RefusedError, UnavailableError

__all__ = ["HTTPError", "Service", "Splunk", "words"]

T = TypeVar("T")
# Statuses that the SDK or this plugin interprets; the core's client raises for all others.
_UNDERSTOOD: Final = frozenset({400, 401, 403, 404, 409, 413, 414, 503})
_DEFAULT_PORT: Final = 8089
_PAGE: Final = re.compile(rb"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
# What the SDK's parsers raise on an answer that is not from splunkd, or only half of one.
_UNREADABLE: Final = (
    ParseError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


def words(error: HTTPError) -> str:
    """Return the instance's message on one line; its error bodies are XML or JSON."""
    body: bytes = error.body or b""
    try:
        said = fromstring(body).findtext("./messages/msg")  # noqa: S314 - as the SDK reads it too
    except ParseError:
        said = _json_message(body)
    return " ".join((said or f"HTTP {error.status}").split())[:300]


def _json_message(body: bytes) -> str:
    try:
        return str(json.loads(body)["messages"][0]["text"])
    except (ValueError, LookupError, TypeError):
        return body.decode("utf-8", "replace")


def _retry_after(headers: list[tuple[str, str]]) -> float | None:
    for name, value in headers:
        if name.lower() == "retry-after" and value.strip().isdigit():
            return float(value)
    return None


class Splunk:
    """One instance and one login to it; every request goes through `ask`."""

    def __init__(self, http: Http, url: str, app: str, auth: Auth) -> None:
        self._http = http
        self._app = app
        self._auth = auth
        self._url = urlsplit(url)
        self._service: Service | None = None

    @property
    def where(self) -> str:
        """Host and port, for messages."""
        return f"{self._url.hostname}:{self._url.port or _DEFAULT_PORT}"

    def ask(
        self,
        right: str,
        request: Callable[[Service], T],
        tolerated: frozenset[int] = frozenset(),
    ) -> T:
        """Return the result of `request`; statuses in `tolerated` raise the SDK's HTTPError.

        `right` names the right that the role needs, for the message when it is missing.
        """
        try:
            return request(self._connected())
        except HTTPError as error:
            if error.status in tolerated:
                raise
            raise self._meaning(error, right) from error
        except _UNREADABLE as error:
            raise UnavailableError(
                f"{self.where}: the answer is not from splunkd ({type(error).__name__}: "
                f"{str(error)[:100]}): check that url names the management port"
            ) from error

    def _connected(self) -> Service:
        if self._service is None:
            # At DEBUG the SDK logs whole request bodies, which are the list's values.
            logging.getLogger("splunklib").setLevel(logging.INFO)
            # `verify` and `retries` of the SDK concern its own handler, which is not used.
            # `autologin` logs in once more after a 401, but only with a password.
            self._service = connect(
                handler=self._send,
                scheme=self._url.scheme,
                host=self._url.hostname,
                port=self._url.port or _DEFAULT_PORT,
                owner="nobody",
                app=self._app,
                autologin=True,
                **self._credentials(),
            )
        return self._service

    def _credentials(self) -> dict[str, str]:
        if self._auth.token is not None:
            return {"splunkToken": self._auth.token.reveal()}
        password = self._auth.password.reveal() if self._auth.password else ""
        return {"username": self._auth.username or "", "password": password}

    def _send(self, url: str, message: Mapping[str, Any], **_: object) -> dict[str, Any]:
        """Send the request that the SDK built; its `connect` takes this as the handler."""
        body = message.get("body", b"")
        response = self._http.request(
            message["method"],
            str(url),
            headers=dict(message["headers"]),
            body=body.encode() if isinstance(body, str) else body,
            accept_statuses=_UNDERSTOOD,
        )
        if _PAGE.match(
            response.content[:500]
        ):  # of a proxy or a login in front; a delete says nothing
            raise UnavailableError(
                f"{self.where}: answered with a web page: check that url names the management port"
            )
        # Cookies stay with the core's client: once the SDK has one, it sends no credentials.
        headers = [(k, v) for k, v in response.headers.items() if k.lower() != "set-cookie"]
        return {
            "status": response.status_code,
            "reason": responses.get(response.status_code, ""),
            "headers": headers,
            "body": BytesIO(response.content),
        }

    def _meaning(self, error: HTTPError, right: str) -> RefusedError | UnavailableError:
        said = words(error)
        if error.status == 401:
            return RefusedError(
                f"{self.where}: credentials refused ({said}): check auth; a token may have "
                "expired, or token authentication may be switched off on the server"
            )
        if error.status == 403:
            return RefusedError(f"{self.where}: the role needs the right to {right} ({said})")
        if error.status == 404:
            return RefusedError(
                f"{self.where}: the app {self._app} does not exist or is disabled ({said}): "
                "install it, or name another one in app"
            )
        if error.status == 503:
            return UnavailableError(
                f"{self.where}: not ready ({said}); the KV store can take minutes to start",
                _retry_after(error.headers),
            )
        return RefusedError(f"{self.where}: answered {error.status} ({said}), needed to {right}")
