"""Sessions of a target's own: opened again once they expire, but never in the midst of a unit."""

from collections.abc import MutableMapping
from typing import Any

import pytest

from connector.adapter import Login, Session, UnavailableError


class Answer:
    """An answer with a status alone."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code

    def error(self) -> UnavailableError:
        return UnavailableError("refused")


class Target(Login):
    """A target that numbers its sessions, and knows the ones that are open."""

    def __init__(self) -> None:
        self.opened = 0
        self.known: set[str] = set()
        self.calls: list[str] = []

    def open(self, _http: Any) -> str:
        self.opened += 1
        self.known.add(f"session-{self.opened}")
        return f"session-{self.opened}"

    def answer(self, token: str) -> Any:
        self.calls.append(token)
        return Answer(200 if token in self.known else 401)


class Client:
    """The part of the HTTP client that a session uses here."""

    def keep_secret(self, text: str) -> None:
        """Keep nothing."""


@pytest.fixture
def target() -> Target:
    return Target()


def session_at(target: Target, shared: MutableMapping[str, Any] | None = None) -> Session:
    kept = {} if shared is None else shared
    client: Any = Client()
    return Session(target, client, lambda: kept)


def test_an_expired_session_is_opened_again(target: Target) -> None:
    session = session_at(target)
    session.ask(target.answer)
    target.known.clear()
    assert session.ask(target.answer).status_code == 200
    assert target.opened == 2


def test_a_unit_of_work_begins_with_another_session_where_the_last_has_expired(
    target: Target,
) -> None:
    session = session_at(target)
    session.ask(target.answer)
    target.known.clear()
    session.stage()
    assert session.ask(target.answer).status_code == 200
    assert session.ask(target.answer).status_code == 200


def test_no_other_session_goes_on_with_a_unit_of_work(target: Target) -> None:
    session = session_at(target)
    session.stage()
    session.ask(target.answer)
    target.known.clear()
    for _ in range(2):
        with pytest.raises(UnavailableError, match="what was staged in it is lost"):
            session.ask(target.answer)
    assert set(target.calls) == {"session-1"}
    session.staged()
    session.stage()
    assert session.ask(target.answer).status_code == 200


def test_a_session_that_another_output_opened_again_is_another_one(target: Target) -> None:
    shared: dict[str, Any] = {}
    session, neighbour = session_at(target, shared), session_at(target, shared)
    session.stage()
    session.ask(target.answer)
    target.known.clear()
    neighbour.ask(target.answer)
    with pytest.raises(UnavailableError, match="what was staged in it is lost"):
        session.ask(target.answer)


def test_a_session_that_the_adapter_closes_itself_is_no_loss(target: Target) -> None:
    session = session_at(target)
    session.stage()
    session.ask(target.answer)
    session.close()
    assert session.ask(target.answer).status_code == 200
    assert target.opened == 2


def test_after_a_unit_of_work_sessions_are_opened_again_as_before(target: Target) -> None:
    session = session_at(target)
    session.stage()
    session.ask(target.answer)
    session.staged()
    target.known.clear()
    assert session.ask(target.answer).status_code == 200
