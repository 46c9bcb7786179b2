"""A request as a target receives it, what it answers, and which method answers it."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True)
class Call:
    """One request as received; `number` counts from 1."""

    number: int
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    target: str = ""  # path and query as sent

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body or b"null")

    def form(self) -> dict[str, str]:
        """Return the fields of a form."""
        return dict(parse_qsl(self.body.decode()))

    @property
    def token(self) -> str:
        """The credential of an `Authorization` header, without its scheme."""
        return self.headers.get("authorization", "").partition(" ")[2]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent to the client."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any, status: int = 200, **headers: str) -> "Reply":
        """Return a reply whose body is JSON."""
        kind = {"Content-Type": "application/json"}
        return cls(status, json.dumps(value).encode(), kind | headers)


Handler = Callable[..., Reply]
ROUTE: Final = "_connector_route"


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """Mark a method of an `HttpTarget` as the handler of a path, such as `/lists/{name}/items`.

    It gets the call and the named parts of the path, and returns a `Reply`.
    """

    def marked(handler: Handler) -> Handler:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
        setattr(handler, ROUTE, (method, re.compile(pattern)))
        return handler

    return marked
