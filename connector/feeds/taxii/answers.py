"""What the answer of a TAXII server says beside its contents: refused, or another version."""

from connector.errors import UnavailableError
from connector.http.response import HttpResponse
from connector.outside import one_line


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
