"""Short responses in plain text, and the parts of a request that the server reads."""

import json
from collections.abc import Mapping
from typing import Final

from starlette.responses import PlainTextResponse, Response
from starlette.types import Scope

RETRY_AFTER_SECONDS: Final = 30
JSON: Final = "application/json"
CERTIFIED: Final = "certified"


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Return the request's headers by lower-case name."""
    return dict(scope["headers"])


def address_of(scope: Scope) -> str:
    """Return the address that the connection comes from."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def certified(scope: Scope) -> str | None:
    """Return the client that the connection's certificate is for, if it is for one."""
    found: str | None = scope.get("state", {}).get(CERTIFIED)
    return found


def not_found() -> Response:
    """Return the response for an unknown page or list."""
    return PlainTextResponse("No such list.\n", 404)


def abandoned(status: int) -> Response:
    """Return the response for a file that no output keeps any more."""
    return PlainTextResponse("No output keeps this list any more.\n", status)


def wrong_method() -> Response:
    """Return the response for a method that lists do not support."""
    return PlainTextResponse("Only GET and HEAD are supported.\n", 405, {"Allow": "GET, HEAD"})


def who_are_you() -> Response:
    """Return the response for missing or wrong credentials; never used for any other reason.

    Some firewalls drop a list for good once its server returns 401.
    """
    return PlainTextResponse(
        "Send a client's token: as a bearer token, or as the password with any user name.\n",
        401,
        {"WWW-Authenticate": 'Basic realm="lists", charset="UTF-8"'},
    )


def unavailable() -> Response:
    """Return the response for a fault on our side: clients keep their copy and retry."""
    return PlainTextResponse(
        "Temporarily unavailable.\n", 503, {"Retry-After": str(RETRY_AFTER_SECONDS)}
    )


def as_json(facts: Mapping[str, object], status: int) -> Response:
    """Return facts as JSON, with times and other values as text."""
    return Response(json.dumps(facts, default=str), status, media_type=JSON)
