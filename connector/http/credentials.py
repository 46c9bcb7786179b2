"""What proves who we are, and what of it must never be in a message."""

import base64
from collections import deque
from typing import Final
from urllib.parse import quote, quote_plus

import requests
from requests.auth import AuthBase

from connector.errors import ConfigError
from connector.settings import Auth, HttpSettings

_SHORTEST: Final = 4  # shorter texts are in many words
_MOST_LEARNT: Final = 100


def credentials(auth: Auth) -> AuthBase | None:
    """Return the credentials; a blank password counts, as some servers take a key as user name."""
    if problems := _auth_problems(auth):
        raise ConfigError(problems)
    if auth.username is not None:
        return _Header("Authorization", _basic(auth))
    if auth.token is not None:
        return _Header("Authorization", f"Bearer {auth.token.reveal()}")
    if auth.header is not None and auth.key is not None:
        return _Header(auth.header, auth.key.reveal())
    return None


def _auth_problems(auth: Auth) -> list[str]:
    problems = []
    ways = [
        name
        for name in ("username", "token", "header", "oauth2")
        if getattr(auth, name) is not None
    ]
    if len(ways) > 1:
        problems.append(f"auth: should use only one of {' and '.join(ways)}")
    for one, other in (("header", "key"), ("key", "header"), ("password", "username")):
        if getattr(auth, one) is not None and getattr(auth, other) is None:
            problems.append(f"auth.{one}: needs auth.{other} too")
    if auth.oauth2 is not None and auth.oauth2.scope and auth.oauth2.resource:
        problems.append("auth.oauth2: should use only one of scope and resource")
    for name in ("client_key", "client_key_password"):
        if getattr(auth, name) is not None and auth.client_cert is None:
            problems.append(f"auth.{name}: needs auth.client_cert too")
    for name in ("token", "key"):
        secret = getattr(auth, name)
        if secret is not None and not (secret.reveal().isprintable() and secret.reveal().isascii()):
            problems.append(f"auth.{name}: contains characters that a header cannot contain")
    return problems


def _basic(auth: Auth) -> str:
    return basic(auth.username or "", auth.password.reveal() if auth.password else "")


def basic(name: str, secret: str) -> str:
    """Return the value of a header that proves who we are by name and secret."""
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


class _Header(AuthBase):
    """One header with a secret value."""

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[self._name] = self._value
        return request


class Secrets:
    """What no message may contain: the secrets of the file, and those that a server gave us."""

    def __init__(self, settings: HttpSettings) -> None:
        self._given = _texts(settings.auth)
        self._learnt: deque[str] = deque(maxlen=_MOST_LEARNT)

    def learn(self, text: str) -> None:
        """Keep another secret, such as the token of a session, out of messages."""
        if text not in self._learnt and len(text) >= _SHORTEST:
            self._learnt.append(text)

    def redact(self, text: str) -> str:
        """Return the text without our secrets."""
        for secret in (*self._given, *sorted(self._learnt, key=len, reverse=True)):
            text = text.replace(secret, "***")
        return text


def _texts(auth: Auth) -> tuple[str, ...]:
    kept = (auth.password, auth.token, auth.key, auth.client_key_password)
    texts = {secret.reveal() for secret in kept if secret is not None}
    if auth.oauth2 is not None:
        client = auth.oauth2.client_secret.reveal()
        texts |= {client, quote_plus(client)}
        texts.add(basic(quote_plus(auth.oauth2.client_id), quote_plus(client))[6:])
    texts |= {quote(text, safe="") for text in texts}
    if auth.username is not None:
        texts.add(_basic(auth).removeprefix("Basic "))
    return tuple(sorted((t for t in texts if len(t) >= _SHORTEST), key=len, reverse=True))
