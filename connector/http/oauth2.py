"""Tokens of OAuth 2.0 for a client's own credentials (RFC 6749 section 4.4), renewed in time."""

import re
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from connector.adapter.turns import aside
from connector.errors import ConnectorError, RefusedError, UnavailableError
from connector.http.credentials import basic
from connector.http.response import HttpResponse
from connector.settings import OAuth2

_MARGIN_SECONDS: Final = 60.0  # before its end a token is renewed: clocks differ, calls take time
_LIFE_SECONDS: Final = 3600.0  # of a token that does not say; a 401 ends it earlier
_LONGEST_SECONDS: Final = 86400.0
REFUSALS: Final = frozenset({400, 401, 403})
_TO_CHECK: Final[Mapping[str, str]] = {
    "invalid_client": "check auth.oauth2.client_id, client_secret and client_secret_in",
    "unauthorized_client": "the server must allow this client the grant client_credentials",
    "unsupported_grant_type": "the server must allow this client the grant client_credentials",
    "invalid_scope": "check auth.oauth2.scope",
    "invalid_target": "check auth.oauth2.resource",  # RFC 8707
    "invalid_resource": "check auth.oauth2.resource",
}

_TOKEN: Final = re.compile(r"[!-~]+")

Ask = Callable[[str, bytes, Mapping[str, str]], HttpResponse]


class Tokens:
    """The token in force; `ask` posts a form, and lets the statuses `REFUSALS` pass."""

    def __init__(
        self,
        settings: OAuth2,
        ask: Ask,
        keep_secret: Callable[[str], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._ask = ask
        self._keep_secret = keep_secret
        self._monotonic = monotonic
        self._lock = Lock()
        self._token = ""
        self._until = float("-inf")

    def current(self, *, refused: str = "") -> str:
        """Return a token that is not about to end, and is not one that was refused."""
        with aside(), self._lock:
            if self._token == refused or self._monotonic() >= self._until:
                self._token = ""
                self._fetch()
            return self._token

    def _fetch(self) -> None:
        chosen = self._settings
        name, secret = chosen.client_id, chosen.client_secret.reveal()
        form = {"grant_type": "client_credentials"}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if chosen.client_secret_in == "body":  # noqa: S105 - a place, no secret
            form |= {"client_id": name, "client_secret": secret}
        else:  # RFC 6749 section 2.3.1: each is encoded as in a form before
            headers["Authorization"] = basic(quote_plus(name), quote_plus(secret))
        form |= {"scope": chosen.scope} if chosen.scope else {}
        form |= {"resource": chosen.resource} if chosen.resource else {}
        asked = self._monotonic()
        answer = self._ask(chosen.token_url, urlencode(form).encode(), headers)
        if not answer.ok:
            raise _refusal(answer)
        said = answer.json()
        token = said.get("access_token") if isinstance(said, dict) else None
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise UnavailableError(
                f"{answer.where}: gave no access_token that a header can contain"
            )
        self._keep_secret(token)
        if str(said.get("token_type", "bearer")).lower() != "bearer":
            raise answer.error(f"token_type is {said['token_type']!r}, not Bearer", refused=True)
        life = _seconds(said.get("expires_in"))
        self._token, self._until = token, asked + life - min(_MARGIN_SECONDS, life / 10)


def _seconds(said: Any) -> float:
    """Return a token's life; some servers write the number as text."""
    try:
        return min(max(float(said), 1.0), _LONGEST_SECONDS)
    except (TypeError, ValueError):
        return _LIFE_SECONDS


def _refusal(answer: HttpResponse) -> ConnectorError:
    """Return the error of a token that is refused, in the words of RFC 6749 section 5.2."""
    try:
        said = answer.json()
    except UnavailableError:
        said = None
    code = said.get("error") if isinstance(said, dict) else None
    if not isinstance(code, str):
        return answer.error()
    about = said.get("error_description")
    words = f"{code}: {about}" if isinstance(about, str) else code
    to_check = _TO_CHECK.get(code, "check auth.oauth2")
    return RefusedError(f"{answer.where}: gives no token ({answer.shown(words)}); {to_check}")
