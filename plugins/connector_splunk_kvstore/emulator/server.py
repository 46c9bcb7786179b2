"""A Splunk management port on loopback: login, KV store, limits, errors and outages."""

import ssl
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlsplit

from connector.instants import Clock, system_clock
from connector.testing.http_target import Call as ReceivedCall
from connector.testing.http_target import Fault, HttpTarget, Reply, Sessions
from connector_splunk_kvstore.emulator.answers import message, plain, session
from connector_splunk_kvstore.emulator.collections import KvCollection, KvError, KvLimits
from connector_splunk_kvstore.emulator.endpoints import Call, answer_to
from connector_splunk_kvstore.emulator.query import QueryError

_UNKNOWN: Final = "call not properly authenticated"


class Trouble(StrEnum):
    """Faults of a real instance, on request."""

    STARTING = "starting"
    EXPIRED = "expired"
    FORBIDDEN = "forbidden"
    BUSY = "busy"
    RESET_AFTER_APPLYING = "reset_after_applying"
    TRUNCATED = "truncated"
    HALF_JSON = "half_json"
    SLOW = "slow"
    OVERTAKEN = "overtaken"


# What happens to an answer on its way back.
_ON_THE_WAY: Final = {
    Trouble.RESET_AFTER_APPLYING: Fault.RESET_AFTER,
    Trouble.TRUNCATED: Fault.CUT_OFF,
    Trouble.HALF_JSON: Fault.HALF_JSON,
}
_REFUSALS: Final = {
    Trouble.STARTING: (503, "KV Store is initializing. Please try again later.", "ERROR"),
    Trouble.EXPIRED: (401, _UNKNOWN, "WARN"),
    Trouble.FORBIDDEN: (403, "insufficient permission to access this resource", "ERROR"),
    Trouble.BUSY: (429, "Too many requests", "ERROR"),
}


@dataclass(slots=True)
class _Trouble:
    trouble: Trouble
    on: str
    times: int
    seconds: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Received:
    """One request as received."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json_mode(self) -> bool:
        """Whether the client asks for errors in JSON."""
        return "output_mode=json" in urlsplit(self.target).query


class SplunkEmulator(HttpTarget):
    """A context manager that serves Splunk's KV store endpoints until it exits.

    Tests set and read `apps`, `limits`, `collections` and `requests`, and `longest_target`, the
    length beyond which a proxy in front would refuse a URL.
    """

    def __init__(
        self,
        *,
        apps: Iterable[str] = ("search", "system", "threat_lists"),
        users: Mapping[str, str] | None = None,
        tokens: Iterable[str] = (),
        session_timeout_seconds: float = 3600,
        tls: ssl.SSLContext | None = None,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(tls=tls, clock=clock)
        self.url = self.url.replace("localhost", "127.0.0.1")
        self.apps = set(apps)
        self.users = dict(users or {})
        self.tokens = set(tokens)
        self.limits = KvLimits()
        self.longest_target: int | None = None
        self.collections: dict[tuple[str, str], KvCollection] = {}
        self.requests: list[Received] = []
        self.sessions = Sessions(session_timeout_seconds, clock)
        self._troubles: list[_Trouble] = []

    def collection(self, app: str, name: str) -> KvCollection:
        """Return a collection, created when absent."""
        return self.collections.setdefault((app, name), KvCollection(app, name, self.limits))

    def plan(
        self,
        trouble: Trouble,
        *,
        on: str = "/storage/collections/",
        times: int = 1,
        seconds: float | None = None,
        words: str = "",
    ) -> None:
        """Apply trouble to the next `times` requests whose method and target contain `on`."""
        self._troubles.append(_Trouble(trouble, on, times, seconds, words))

    def received(self, part: str) -> list[Received]:
        """Return the requests whose method and target contain `part`, in order."""
        return [each for each in self.requests if part in f"{each.method} {each.target}"]

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Reply, Fault | None]:
        """Return the reply to a request, and what happens to it on the way."""
        named = {name.title(): value for name, value in headers.items()}
        request = Received(method, target, named, body)
        self.requests.append(request)
        planned = self._trouble_for(method, target)
        on_the_way = _ON_THE_WAY.get(planned.trouble) if planned else None
        if planned and (prevented := self._prevented(planned, request)):
            return prevented, on_the_way
        reply, fault = super().answer(method, target, headers, body)
        return reply, on_the_way or fault

    def reply(self, call: ReceivedCall) -> Reply:
        """Return what Splunk answers to a call that nothing prevents."""
        named = {name.title(): value for name, value in call.headers.items()}
        return self._reply_to(Received(call.method, call.target, named, call.body))

    def _trouble_for(self, method: str, target: str) -> _Trouble | None:
        """Return the next planned trouble that applies to a request, and count it."""
        with self._one_by_one:
            for planned in self._troubles:
                if planned.times > 0 and planned.on in f"{method} {target}":
                    planned.times -= 1
                    return planned
        return None

    def _prevented(self, planned: _Trouble, request: Received) -> Reply | None:
        """Return the reply to a request that trouble prevents; None for one to execute."""
        if planned.trouble in _REFUSALS:
            status, text, kind = _REFUSALS[planned.trouble]
            if planned.trouble is Trouble.EXPIRED:
                self.sessions.end()
            words = planned.words or text
            reply = message(status, words, json_mode=request.json_mode, kind=kind)
            if planned.seconds is None:
                return reply
            return replace(reply, headers={**reply.headers, "Retry-After": f"{planned.seconds:g}"})
        if planned.trouble is Trouble.SLOW:
            self._released.wait(planned.seconds or 1)
        if planned.trouble is Trouble.OVERTAKEN:
            self._reply_to(request)  # another client sent the same request a moment earlier
        return None

    def _reply_to(self, request: Received) -> Reply:
        parts = urlsplit(request.target)
        if self.longest_target and len(request.target) > self.longest_target:
            return plain(414, "Request-URI Too Large")
        if parts.path == "/services/auth/login":
            return self._login(dict(parse_qsl(request.body.decode())))
        if not self._knows(request.headers):
            return message(401, _UNKNOWN, json_mode=request.json_mode, kind="WARN")
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        try:
            return answer_to(self, Call(request.method, parts.path, query, request.body))
        except KvError as error:
            return message(error.status, error.text, json_mode=request.json_mode)
        except QueryError as error:
            return message(400, str(error), json_mode=request.json_mode)

    def _login(self, form: Mapping[str, str]) -> Reply:
        name = form.get("username", "")
        if name not in self.users or self.users[name] != form.get("password"):
            return message(401, "Login failed", json_mode=False, kind="WARN")
        key = self.sessions.open()
        cookie = f"splunkd_{urlsplit(self.url).port}={key}; Path=/; HttpOnly; Max-Age=3600"
        return session(key, cookie if form.get("cookie") == "1" else None)

    def _knows(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request has valid credentials; a session cookie is checked first."""
        for cookie in headers.get("Cookie", "").split(";"):
            name, _, value = cookie.strip().partition("=")
            if name.startswith("splunkd_"):
                return self.sessions.knows(value)
        scheme, _, credential = headers.get("Authorization", "").partition(" ")
        if scheme == "Splunk":
            return self.sessions.knows(credential)
        if scheme == "Basic":
            name, _, password = b64decode(credential).decode().partition(":")
            return self.users.get(name) == password
        return scheme == "Bearer" and credential in self.tokens
