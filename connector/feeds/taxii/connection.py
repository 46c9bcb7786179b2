"""The connection for taxii2-client: our HTTP client instead of its own."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from taxii2client.common import _HTTPConnection

from connector.errors import UnavailableError
from connector.feed import read_json
from connector.feeds.taxii.versions import V21, TaxiiDialect, answers_in_older
from connector.http.client import Http
from connector.http.response import HttpResponse
from connector.outside import one_line

MOST_RESOURCE_VALUES: Final = 500_000  # about 40,000 collections
_NOT_OURS: Final = frozenset({403, 404})
_OTHER_VERSION: Final = frozenset({406})


class NotEntitledError(Exception):
    """A 403 or 404: TAXII allows either if a client has no access."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__(str(answer.error()))
        self.answer = answer


class OtherVersionError(Exception):
    """The server does not speak the TAXII version of the request."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__(str(answer.error()))
        self.answer = answer


def check_content_type(answer: HttpResponse) -> None:
    """Raise unless the response is JSON; a login page or a proxy's block page is not.

    Servers omit the version, quote it, add a charset, or just say `application/json`.
    """
    kind = answer.headers.get("Content-Type", "json").split(";")[0].strip().lower()
    if not kind.endswith("json"):
        raise UnavailableError(
            f"{answer.where}: returned {one_line(kind) or 'something'} instead of TAXII, "
            f"{answer.excerpt}: "
            "a login page or a proxy on the path?"
        )


class Connection(_HTTPConnection):  # type: ignore[misc]  # the library has no types
    """Sends taxii2-client's requests through `Http`, with its limits, errors and credentials.

    With `yields`, a response in an older TAXII version makes us switch to that version.
    """

    session: Any

    def __init__(self, http: Http, dialect: TaxiiDialect = V21, *, yields: bool = False) -> None:
        super().__init__(version=dialect.version.value)
        self._dialect = dialect
        self._yields = yields
        self.session.close()
        self.session = http.session
        self._http = http
        _quiet()

    def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Return a resource; raise NotEntitledError on 403 and 404, OtherVersionError on 406."""
        answer = self._http.request(
            "GET",
            url,
            params=params,
            headers={**(headers or {}), "Accept": self._dialect.resources},
            accept_statuses=_NOT_OURS | _OTHER_VERSION,
        )
        if answer.status_code in _OTHER_VERSION or (self._yields and answers_in_older(answer)):
            raise OtherVersionError(answer)
        if answer.status_code in _NOT_OURS:
            raise NotEntitledError(answer)
        check_content_type(answer)
        return _resource(answer)

    def post(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        **body: bytes,
    ) -> dict[str, Any]:
        """Send objects and return the status resource."""
        answer = self._http.request(
            "POST", url, params=params, headers=headers, body=body.get("data")
        )
        check_content_type(answer)
        return _resource(answer)

    def close(self) -> None:
        """Do nothing: the owner closes the connections."""


def _resource(answer: HttpResponse) -> dict[str, Any]:
    found = read_json(answer.content, answer.where, MOST_RESOURCE_VALUES)
    if not isinstance(found, dict):
        raise UnavailableError(f"{answer.where}: returned JSON that is not a TAXII resource")
    return found


def _quiet() -> None:
    """Remove taxii2-client's handler, which writes to the terminal past our log."""
    package = logging.getLogger("taxii2client")
    package.handlers.clear()
    package.propagate = True
