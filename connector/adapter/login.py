"""Sessions of targets that want a login: one open at a time, and another once it has expired."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, MutableMapping
from threading import Lock
from typing import Any, ClassVar, Unpack

from connector.adapter.http import Http, RequestOptions, Response
from connector.adapter.turns import aside
from connector.errors import UnavailableError

__all__ = ["Login", "Session"]


class Login(ABC):
    """How a target's sessions begin and end."""

    statuses: ClassVar[frozenset[int]] = frozenset({401})
    """Statuses with which the target may say that a session has expired."""

    @abstractmethod
    def open(self, http: Http) -> str:
        """Log in; return the token of the session, which is kept secret.

        Raises RefusedError where the target refuses our credentials.
        """

    def headers(self, token: str) -> Mapping[str, str]:
        """Return the headers that every call of the session carries."""
        return {"Authorization": f"Bearer {token}"}

    def is_expired(self, response: Response) -> bool:
        """Return whether an answer says that its session has expired."""
        return response.status_code in self.statuses

    def close(self, http: Http, token: str) -> None:  # noqa: B027 - not every target has it
        """Log out."""


class Session:
    """Calls with a session that is opened at the first of them, and once more at each expiry."""

    def __init__(
        self, login: Login, http: Http, shared: Callable[[], MutableMapping[str, Any]]
    ) -> None:
        """Have one session with all that log in by the same class and share this mapping."""
        self._login = login
        self._http = http
        self._shared = shared
        self._kept: _Kept | None = None
        self._stages = False
        self._staged_in: str | None = None

    def stage(self) -> None:
        """Begin a unit of work, whose changes are lost with the session that they are staged in.

        From its first call on no other session is opened: that one would commit the rest alone.
        The core calls it, before `begin` of an adapter.
        """
        self._stages, self._staged_in = True, None

    def staged(self) -> None:
        """End the unit of work, after its commit or before it is abandoned."""
        self._stages, self._staged_in = False, None

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Return the response as `Http.request` does, asked in the session."""
        headers, ours = options.get("headers") or {}, self._login.statuses
        accepted = options.get("accept_statuses", frozenset())
        options["accept_statuses"] = accepted | ours

        def send(token: str) -> Response:
            options["headers"] = {**headers, **self._login.headers(token)}
            return self._http.request(method, url, **options)

        answer = self.ask(send)
        if answer.status_code in ours - accepted:
            raise answer.error()
        return answer

    def ask(self, send: Callable[[str], Response]) -> Response:
        """Return what `send` returns with the session's token, where that is not in a header.

        It has to let pass the statuses that say that a session has expired. Raises UnavailableError
        where a session ended in which changes were staged.
        """
        if self._kept is None:
            kind = type(self._login)
            name = f"{kind.__module__}.{kind.__qualname__}"
            self._kept = self._shared().setdefault(name, _Kept())
            self._kept.enter()
        token = self._kept.token(self._login, self._http)
        self._expect_same(token)
        answer = send(token)
        if not self._login.is_expired(answer):
            self._staged_in = token if self._stages else None
            return answer
        token = self._kept.token(self._login, self._http, expired=token)
        self._expect_same(token)
        answer = send(token)
        if self._login.is_expired(answer):  # the login went well: our credentials are right
            raise UnavailableError(f"a session ended as soon as it was opened: {answer.error()}")
        self._staged_in = token if self._stages else None
        return answer

    def _expect_same(self, token: str) -> None:
        if self._staged_in not in {None, token}:
            raise UnavailableError("the session ended, and what was staged in it is lost")

    def close(self) -> None:
        """Log out, if nobody else has the session; what is staged then is staged in another one."""
        self._staged_in = None
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.leave(self._login, self._http)


class _Kept:
    """One session, and how many have it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._token: str | None = None
        self._users = 0

    def enter(self) -> None:
        with self._lock:
            self._users += 1

    def token(self, login: Login, http: Http, expired: str | None = None) -> str:
        """Return the token of a session; of another one where this one has expired."""
        with aside(), self._lock:
            if self._token is None or self._token == expired:
                self._token = None
                self._token = login.open(http)
            token = self._token
        http.keep_secret(token)
        return token

    def leave(self, login: Login, http: Http) -> None:
        with aside(), self._lock:
            self._users -= 1
            if self._users or self._token is None:
                return
            token, self._token = self._token, None
            login.close(http, token)
