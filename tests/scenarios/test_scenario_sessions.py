"""Sessions of a target: one for all who share it, a login for each expiry, closed in any case."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from scenario_site import QuickRegistry, Site
from stix_samples import indicator

from connector.adapter import (
    ALL_WRITTEN,
    Entry,
    EntryAdapter,
    Field,
    Held,
    Http,
    HttpSettings,
    Login,
    ObservableType,
    Outcomes,
    OutputContext,
    RefusedError,
    Response,
    Session,
    UnavailableError,
)
from connector.feeds.bundle import BundleFeed
from connector.http.client import Http as Client
from connector.testing.http_target import Call, Fault, HttpTarget, Reply, route


class Manager(HttpTarget):
    """Wants a login; a token is in a header, or in the body."""

    password = "right"
    status = 401

    def refused(self, call: Call) -> Reply | None:
        if call.path == "/login":
            return None
        told = call.token or (call.json() or {}).get("session", "")
        if self.sessions.knows(told):
            return None
        return Reply.of({"error": f"no session {told}"}, self.status)

    @route("POST", "/login")
    def login(self, call: Call) -> Reply:
        if call.json() != self.password:
            return Reply.of({"message": "wrong password"}, 403)
        return Reply.of({"token": self.sessions.open()})

    @route("POST", "/logout")
    def logout(self, call: Call) -> Reply:
        self.sessions.close(call.token)
        return Reply.of({})

    @route("POST", "/things")
    def things(self, _call: Call) -> Reply:
        return Reply.of({"ok": True})


class ManagerLogin(Login):
    """Opens sessions of a manager."""

    def __init__(self, url: str, password: str = "right") -> None:  # noqa: S107
        self.url = url
        self.password = password

    def open(self, http: Http) -> str:
        answer = http.request("POST", f"{self.url}/login", body=f'"{self.password}"'.encode())
        return str(answer.json()["token"])

    def is_expired(self, response: Response) -> bool:
        return response.status_code == 401 or b"no session" in response.content

    def close(self, http: Http, token: str) -> None:
        http.request("POST", f"{self.url}/logout", headers=self.headers(token))


@pytest.fixture
def manager() -> Iterator[Manager]:
    with Manager() as target:
        yield target


def context_of(name: str = "edge") -> OutputContext:
    http = Client(HttpSettings(), sleep=lambda _seconds: None)
    return OutputContext(name, Path("published"), http=http)


def ask(session: Session, manager: Manager) -> Any:
    return session.request("POST", f"{manager.url}/things").json()


def test_a_session_is_opened_once_and_closed_at_the_end(manager: Manager) -> None:
    with closing(context_of()) as context:
        session = context.logged_in(ManagerLogin(manager.url))
        assert manager.calls == [], "only when it is needed"
        assert [ask(session, manager) for _ in range(3)] == [{"ok": True}] * 3
        assert manager.sessions.opened == 1
    assert [call.path for call in manager.calls][-1] == "/logout"
    assert not manager.sessions.knows(manager.sessions.issued[0])


def test_a_session_that_was_never_opened_is_not_closed(manager: Manager) -> None:
    context = context_of()
    context.logged_in(ManagerLogin(manager.url))
    context.close()
    assert manager.calls == []


def test_there_is_one_login_for_each_expiry(manager: Manager) -> None:
    with closing(context_of()) as context:
        session = context.logged_in(ManagerLogin(manager.url))
        for opened in (1, 2, 3):
            manager.fail(Fault.SESSION_ENDS, "/things") if opened > 1 else None
            ask(session, manager)
            assert manager.sessions.opened == opened


def test_there_is_one_login_for_each_expiry_among_many_that_meet_it(manager: Manager) -> None:
    met = threading.Barrier(4)

    def meet(call: Call) -> None:
        if call.path == "/things" and call.token == manager.sessions.issued[0]:
            met.wait(30)

    with ExitStack() as open_contexts:
        contexts = [open_contexts.enter_context(closing(context_of(n))) for n in "abcd"]
        for context in contexts:
            context.session = contexts[0].session
        sessions = [context.logged_in(ManagerLogin(manager.url)) for context in contexts]
        ask(sessions[0], manager)
        manager.sessions.end()
        manager.pause = meet
        answers: list[Any] = []
        threads = [
            threading.Thread(target=lambda one=one: answers.append(ask(one, manager)))
            for one in sessions
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert answers == [{"ok": True}] * 4
        assert manager.sessions.opened == 2
        for context in contexts[:3]:
            context.close()
        assert manager.called("/logout") == []
    assert len(manager.called("/logout")) == 1


def test_an_expiry_inside_a_200_is_one_too_and_a_token_may_be_in_the_body(manager: Manager) -> None:
    manager.status = 200
    with closing(context_of()) as context:
        session = context.logged_in(ManagerLogin(manager.url))

        def send(token: str) -> Response:
            body = f'{{"session": "{token}"}}'.encode()
            return context.http.request("POST", f"{manager.url}/things", body=body)

        assert session.ask(send).json() == {"ok": True}
        manager.sessions.end()
        assert session.ask(send).json() == {"ok": True}
        assert manager.sessions.opened == 2


def test_a_wrong_password_is_refused_and_a_session_that_ends_at_once_is_not(
    manager: Manager,
) -> None:
    with closing(context_of()) as context:
        with pytest.raises(RefusedError, match="wrong password"):
            ask(context.logged_in(ManagerLogin(manager.url, "wrong")), manager)
        manager.fail(Fault.UNAUTHORIZED, "/things", times=10)
        with pytest.raises(UnavailableError, match="ended as soon as it was opened") as raised:
            ask(context.logged_in(ManagerLogin(manager.url)), manager)
        assert manager.sessions.opened == 2
        assert not any(token in str(raised.value) for token in manager.sessions.issued)


class ManagerSettings(HttpSettings):
    """Where the manager is."""

    url: str = Field(description="Address.")
    table: str = Field(description="Name of the table.")


class ManagerAdapter(EntryAdapter[ManagerSettings]):
    """Adds in a session that outputs at one manager share, and fails as it closes."""

    settings_type = ManagerSettings
    supports = frozenset({ObservableType.IPV4_ADDR})

    def __init__(self, settings: ManagerSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self.used = False
        self.session = context.logged_in(ManagerLogin(settings.url))

    def shares(self) -> str:
        return self.settings.url

    def read(self) -> Iterator[Held]:
        return iter(())

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        self.used = True
        self.session.request("POST", f"{self.settings.url}/things")
        return ALL_WRITTEN

    def remove(self, held: Sequence[Held]) -> Outcomes:
        raise NotImplementedError

    def close(self) -> None:
        if self.used:
            raise KeyError("a bug")


def test_outputs_at_one_device_share_a_session_which_is_closed_whatever_fails(
    tmp_path: Path, manager: Manager
) -> None:
    site = Site(tmp_path)
    site.registry = QuickRegistry({"manager": ManagerAdapter}, {"bundle": BundleFeed})
    options = [{"url": manager.url, "table": name} for name in ("one", "two")]
    site.configure(
        lists={"perimeter": {}},
        outputs={
            each["table"]: {"list": "perimeter", "adapter": "manager", "options": each}
            for each in options
        },
    )
    site.write("one.json", [indicator("a", "192.0.2.1")])
    manager.fail(Fault.AWAY, "/things", after=1, times=3)
    assert set(site.once().failures) == {"output two"}
    assert manager.sessions.opened == 1
    assert manager.called("/logout") == []
    site.close()
    assert len(manager.called("/logout")) == 1
