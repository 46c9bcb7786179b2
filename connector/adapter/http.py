"""What adapters and feeds ask over HTTP with."""

from collections.abc import Mapping
from typing import Any, Protocol, TypedDict, Unpack

from connector.errors import ConnectorError

__all__ = ["Http", "RequestOptions", "Response"]


class Response(Protocol):
    """The part of an HTTP response that an adapter reads."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...
    def json(self) -> Any:
        """Return the body, which should be JSON; raise UnavailableError that says what came."""
        ...

    def error(self, words: str = "", *, refused: bool = False) -> ConnectorError:
        """Return the error to raise for an answer that says in its body that it failed.

        It is UnavailableError, or RefusedError where the body says that we may not: `refused`. The
        target's words are shown on one line, cut and without secrets.
        """
        ...


class RequestOptions(TypedDict, total=False):
    """What a request may have besides its method and URL.

    `repeatable` says that it changes nothing, as a read by POST: it is then tried again after a
    failure, as GET is.
    """

    params: Mapping[str, str] | None
    headers: Mapping[str, str] | None
    body: bytes | None
    accept_statuses: frozenset[int]
    repeatable: bool


class Http(Protocol):
    """The one HTTP client: it takes care of TLS, proxy, credentials, timeouts and redaction."""

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Return the response if its status is 2xx or in `accept_statuses`, else raise."""
        ...

    def close(self) -> None:
        """Close all connections; the core does it."""
        ...

    def keep_secret(self, text: str) -> None:
        """Keep a text that the target gave us, such as a session's token, out of all messages."""
        ...
