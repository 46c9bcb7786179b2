"""A server's response, and what its status means to the daemon."""

import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

from connector.errors import ConnectorError, RefusedError, RequestTooLargeError, UnavailableError
from connector.instants import utc_now
from connector.outside import defanged, one_line

LONGEST_WAIT_SECONDS: Final = 3600.0
RETRIED: Final = frozenset({429, 500, 502, 503, 504})
_REFUSED: Final = frozenset({401, 403, 407})
_MISSING: Final = frozenset({404, 410})  # TAXII 2.1 section 3.4: also if access is denied
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TITLE: Final = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_LONGEST_EXCERPT: Final = 160
_PAGE: Final = "a page titled "


class TransientError(UnavailableError):
    """A failure that another attempt, a moment later, may well cure."""


class BusyError(TransientError):
    """429: the host has had too many calls, and did nothing about this one."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete response; `where` is its URL without credentials and query, for messages."""

    where: str
    status_code: int
    headers: Mapping[str, str]
    content: bytes
    redact: Callable[[str], str] = str

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return 200 <= self.status_code < 300

    @property
    def date(self) -> datetime | None:
        """The server's clock when it answered."""
        return _http_date(self.headers.get("Date", ""))

    @property
    def excerpt(self) -> str:
        """The body's title or beginning, on one line and without our secrets."""
        return self.shown(_title(self.content))

    def shown(self, text: str) -> str:
        """Return a server's words: redacted before they are cut, as half a secret is one too."""
        return self.redact(one_line(self.redact(text), _LONGEST_EXCERPT))

    def json(self) -> Any:
        """Return the body, which should be JSON; raise UnavailableError that says what came."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError) as error:
            start = self.content.lstrip()[:1]
            if not start:
                came = "an empty body"
            elif start in b'{["':  # it may contain a token that nobody knows as a secret yet
                came = f"{len(self.content)} bytes that begin as JSON does: cut off, or malformed"
            elif (shown := defanged(self.excerpt)).startswith(_PAGE):
                came = shown
            else:
                kind = one_line(self.headers.get("Content-Type", "no Content-Type"), 60)
                came = f"{self.redact(kind)}: {shown}"
            raise UnavailableError(
                f"{self.where}: answered {self.status_code} with what is not JSON: {came}"
            ) from error

    def error(self, words: str = "", *, refused: bool = False) -> ConnectorError:
        """Return the error that this status means if it was not expected.

        With `words` it is that of an answer which says so in its body, whatever its status: they
        are shown on one line, cut and without secrets.
        """
        message = f"{self.where}: answered {self.status_code} {self._phrase}"
        if self.ok:
            kind = RefusedError if refused else UnavailableError
            shown = defanged(self.shown(words)) or "nothing about its error"
            return kind(f"{message}, but says: {shown}")
        if self.status_code in _REDIRECTS:
            return UnavailableError(self._redirect())
        if excerpt := self.shown(words) or self.excerpt:
            message += f": {excerpt}"
        if self.status_code in _REFUSED or refused:
            return RefusedError(
                f"{message}; check auth, and whether the server allows this machine's address"
            )
        if self.status_code in _MISSING:
            message += "; check the address, and whether these credentials have access to it"
        wait = retry_after(self.headers.get("Retry-After", ""), self.date)
        if wait:
            message += f"; retry after {wait:.0f} s"
        if self.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            return BusyError(message, wait)
        if self.status_code in RETRIED:
            return TransientError(message, wait)
        if self.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return RequestTooLargeError(message, wait)
        return UnavailableError(message, wait)

    @property
    def _phrase(self) -> str:
        try:
            return HTTPStatus(self.status_code).phrase
        except ValueError:
            return "(not an HTTP status)"

    def _redirect(self) -> str:
        target = self.redact(one_line(self.headers.get("Location", "nowhere").split("?")[0]))
        return (
            f"{self.where}: answered {self.status_code}, a redirect to {target}; credentials "
            "are not sent there: if that address is right, put it in the file"
        )


def retry_after(text: str, now: datetime | None) -> float | None:
    """Return the seconds of a `Retry-After`, at most an hour; a date counts from `now`."""
    if text.strip().isdecimal():
        return min(float(text), LONGEST_WAIT_SECONDS)
    until = _http_date(text)
    if until is None:
        return None
    seconds = (until - (now or utc_now())).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def _http_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _title(body: bytes) -> str:
    """Return the title, which TAXII and problem+json errors have, and login pages too."""
    start = body[:65536]
    try:
        document = json.loads(start)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        words = [document.get(key) for key in ("title", "description", "detail", "message")]
        return ": ".join(dict.fromkeys(w for w in words if isinstance(w, str) and w))
    if found := _TITLE.search(start):
        return _PAGE + html.unescape(found[1].decode(errors="replace"))
    return start.decode(errors="replace")
