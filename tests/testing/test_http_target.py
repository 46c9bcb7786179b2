"""The HTTP target that emulators are derived from: its routes, and its bad days."""

from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import pytest
import requests

from connector.instants import SECOND, to_datetime
from connector.testing.http_target import Call, Fault, HttpTarget, Reply, page_of, route

NOW = 1_800_000_000 * SECOND


class Notes(HttpTarget):
    """Keeps notes by name: a session is needed, a list is paged, deleting takes a task."""

    def __init__(self) -> None:
        self.now = NOW
        super().__init__(clock=lambda: self.now)
        self.notes: dict[str, str] = {}

    def refused(self, call: Call) -> Reply | None:
        if call.path == "/login" or self.sessions.knows(call.token):
            return None
        return Reply.of({"error": "session expired"}, 401)

    @route("POST", "/login")
    def login(self, call: Call) -> Reply:
        if call.form().get("password") != "right":
            return Reply.of({"error": "wrong password"}, 401)
        return Reply.of({"token": self.sessions.open()})

    @route("PUT", "/notes/{name}")
    def put(self, call: Call, name: str) -> Reply:
        self.notes[name] = call.json()["text"]
        return Reply.of({"ok": True}, 201)

    @route("GET", "/notes")
    def list_all(self, call: Call) -> Reply:
        names, following = page_of(sorted(self.notes), call.query.get("start", ""), 2)
        return Reply.of({"names": names, "next": following})

    @route("DELETE", "/notes/{name}")
    def delete(self, _call: Call, name: str) -> Reply:
        return Reply.of({"task": self.tasks.start(lambda: self.notes.pop(name))}, 202)

    @route("GET", "/tasks/{name}")
    def task(self, _call: Call, name: str) -> Reply:
        return Reply.of({"result": self.tasks.result(name)})


@pytest.fixture
def target() -> Iterator[Notes]:
    with Notes() as target:
        yield target


@pytest.fixture
def client(target: Notes) -> Iterator[requests.Session]:
    with requests.Session() as session:
        answer = session.post(f"{target.url}/login", data={"password": "right"}, timeout=10)
        session.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        yield session


def put(client: requests.Session, target: Notes, name: str, text: str = "a") -> requests.Response:
    return client.put(f"{target.url}/notes/{name}", json={"text": text}, timeout=10)


def test_a_route_gets_the_parts_of_its_path(target: Notes, client: requests.Session) -> None:
    assert put(client, target, "a%20b", "hello").status_code == 201
    assert target.notes == {"a b": "hello"}
    assert [call.path for call in target.called("PUT")] == ["/notes/a b"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/no", 404), ("PATCH", "/notes", 405)]
)
def test_an_unknown_path_and_a_wrong_method_are_told_apart(
    target: Notes, client: requests.Session, method: str, path: str, status: int
) -> None:
    assert client.request(method, target.url + path, timeout=10).status_code == status


def test_a_list_comes_in_pages(target: Notes, client: requests.Session) -> None:
    for name in "abc":
        put(client, target, name)
    first = client.get(f"{target.url}/notes", timeout=10).json()
    assert first == {"names": ["a", "b"], "next": "2"}
    last = client.get(f"{target.url}/notes", params={"start": "2"}, timeout=10).json()
    assert last == {"names": ["c"], "next": ""}


def test_a_session_ends_when_it_idles_and_when_the_target_forgets(
    target: Notes, client: requests.Session
) -> None:
    target.now += 3601 * SECOND
    assert put(client, target, "a").status_code == 401
    token = requests.post(f"{target.url}/login", data={"password": "right"}, timeout=10)
    client.headers["Authorization"] = f"Bearer {token.json()['token']}"
    target.fail(Fault.SESSION_ENDS, "PUT", after=1)
    assert put(client, target, "a").status_code == 201
    assert put(client, target, "a").status_code == 401
    assert target.sessions.opened == 2


def test_a_task_is_done_only_after_it_was_asked_about(
    target: Notes, client: requests.Session
) -> None:
    put(client, target, "a", "text")
    task = client.delete(f"{target.url}/notes/a", timeout=10).json()["task"]
    results = [
        client.get(f"{target.url}/tasks/{task}", timeout=10).json()["result"] for _ in range(2)
    ]
    assert results == [None, "text"]
    assert target.notes == {}


def test_too_many_calls_are_told_how_long_to_wait(target: Notes, client: requests.Session) -> None:
    target.rate = (2, 10)
    assert [put(client, target, name).status_code for name in "abc"] == [201, 201, 429]
    target.now += 11 * SECOND
    assert put(client, target, "c").status_code == 201


def test_a_large_body_is_refused_whole(target: Notes, client: requests.Session) -> None:
    target.largest_body = 20
    assert put(client, target, "a", "x" * 30).status_code == 413
    assert target.notes == {}


def test_a_busy_target_says_how_long_in_both_forms(target: Notes, client: requests.Session) -> None:
    target.fail(Fault.BUSY, "PUT", seconds=7)
    target.fail(Fault.BUSY_UNTIL, "PUT", seconds=7)
    assert put(client, target, "a").headers["Retry-After"] == "7"
    until = parsedate_to_datetime(put(client, target, "a").headers["Retry-After"])
    assert until == to_datetime(NOW + 7 * SECOND)
    assert put(client, target, "a").status_code == 201


@pytest.mark.parametrize(
    ("fault", "status"), [(Fault.AWAY, 503), (Fault.DENIED, 403), (Fault.UNAUTHORIZED, 401)]
)
def test_a_fault_meets_the_call_that_it_was_planned_for(
    target: Notes, client: requests.Session, fault: Fault, status: int
) -> None:
    target.fail(fault, "PUT /notes/b", after=1)
    answers = [put(client, target, name).status_code for name in ("b", "a", "b", "b")]
    assert answers == [201, 201, status, 201]


@pytest.mark.parametrize(
    ("fault", "kept"), [(Fault.RESET_BEFORE, set()), (Fault.RESET_AFTER, {"a"})]
)
def test_a_connection_breaks_before_or_after_the_work(
    target: Notes, client: requests.Session, fault: Fault, kept: set[str]
) -> None:
    target.fail(fault, "PUT")
    with pytest.raises(requests.ConnectionError):
        put(client, target, "a")
    assert target.notes.keys() == kept


@pytest.mark.parametrize("fault", [Fault.HALF_JSON, Fault.ERROR_PAGE])
def test_an_answer_of_200_can_be_nonsense(
    target: Notes, client: requests.Session, fault: Fault
) -> None:
    target.fail(fault, "GET /notes")
    answer = client.get(f"{target.url}/notes", timeout=10)
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_an_error_page_with_status_200_means_that_nothing_was_done(
    target: Notes, client: requests.Session
) -> None:
    target.fail(Fault.ERROR_PAGE, "PUT")
    assert put(client, target, "a").status_code == 200
    assert target.notes == {}


def test_an_echo_says_all_that_the_call_said(target: Notes, client: requests.Session) -> None:
    target.fail(Fault.ECHO, "PUT")
    said = put(client, target, "a", "a text").text
    assert "a text" in said
    assert target.sessions.issued[0] in said


def test_a_fault_tells_whether_it_happened_and_can_be_called_off(
    target: Notes, client: requests.Session
) -> None:
    away = target.fail(Fault.AWAY, times=2)
    assert away.happened == 0
    assert put(client, target, "a").status_code == 503
    assert away.happened == 1
    target.heal()
    assert put(client, target, "a").status_code == 201


def test_a_restart_ends_sessions_and_connections(target: Notes, client: requests.Session) -> None:
    put(client, target, "a")
    target.restart()
    assert put(client, target, "b").status_code == 401
    assert target.notes.keys() == {"a"}


def test_a_pause_comes_before_the_call_is_executed(target: Notes, client: requests.Session) -> None:
    def half_an_hour(_call: Call) -> None:
        target.now += 1800 * SECOND

    target.pause = half_an_hour
    put(client, target, "a")
    assert target.now == NOW + 1800 * SECOND


def test_a_body_can_be_cut_off(target: Notes, client: requests.Session) -> None:
    target.fail(Fault.CUT_OFF, "GET /notes")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        client.get(f"{target.url}/notes", timeout=10)


def test_a_stalled_call_goes_on_when_it_is_released(
    target: Notes, client: requests.Session
) -> None:
    target.fail(Fault.STALL, "PUT")
    with pytest.raises(requests.ReadTimeout):
        client.put(f"{target.url}/notes/a", json={"text": "x"}, timeout=(10, 0.05))
    assert target.notes == {}
    target.release()
