"""The connection for taxii2-client: our HTTP client instead of its own."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from taxii2client import v20, v21
from taxii2client.common import _HTTPConnection

from connector.errors import UnavailableError
from connector.feed import read_json
from connector.feeds.taxii.answers import (
    NotEntitledError,
    OtherVersionError,
    check_content_type,
)
from connector.feeds.taxii.versions import V21, TaxiiDialect, answers_in_older
from connector.http.client import Http
from connector.http.response import HttpResponse

MOST_RESOURCE_VALUES: Final = 500_000  # about 40,000 collections
_NOT_OURS: Final = frozenset({403, 404})
_OTHER_VERSION: Final = frozenset({406})


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


def library_of(dialect: TaxiiDialect) -> Any:
    """Return the module of taxii2-client that reads this version of TAXII."""
    return v20 if dialect.ranged else v21


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
