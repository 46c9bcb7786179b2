"""Tokens of OAuth 2.0: fetched when needed, renewed in time and once after a 401, never shown."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connector.errors import ConfigError, RefusedError, UnavailableError
from connector.http.client import Http
from connector.instants import SECOND
from connector.settings import Auth, HttpSettings, OAuth2, SecretValue
from connector.testing.http_target import Call, Fault, HttpTarget, Reply, route

SECRET = "s3cr3t of+the client"


class Hours:
    """The time of client and server, which passes by pauses alone."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def instant(self) -> int:
        return round(self.seconds * SECOND)

    def pause(self, seconds: float) -> None:
        self.seconds += seconds


class Cloud(HttpTarget):
    """A server of tokens and what they are for, in one."""

    life: Any = 3600
    refusal: dict[str, Any] | None = None
    given: dict[str, Any] | None = None

    @route("POST", "/token")
    def token(self, call: Call) -> Reply:
        if self.refusal is not None:
            return Reply.of(self.refusal, 400)
        token = self.sessions.open()
        made = {"access_token": token, "token_type": "bearer", "expires_in": self.life}
        return Reply.of(made if self.given is None else self.given)

    @route("POST", "/things")
    def things(self, call: Call) -> Reply:
        if not self.sessions.knows(call.token):
            return Reply.of({"error": f"bad token {call.token}"}, 401)
        return Reply.of({"things": []})


@pytest.fixture
def hours() -> Hours:
    return Hours()


@pytest.fixture
def cloud(hours: Hours) -> Iterator[Cloud]:
    with Cloud(clock=hours.instant) as target:
        yield target


@pytest.fixture
def client(cloud: Cloud, hours: Hours) -> Iterator[Callable[..., Http]]:
    made: list[Http] = []

    def make(**options: Any) -> Http:
        given = {"token_url": f"{cloud.url}/token", "client_id": "soc", **options}
        oauth2 = OAuth2(client_secret=SecretValue(SECRET), **given)
        settings = HttpSettings(auth=Auth(oauth2=oauth2))
        made.append(Http(settings, sleep=hours.pause, monotonic=hours))
        return made[-1]

    yield make
    for http in made:
        http.close()


def ask(http: Http, cloud: Cloud) -> Any:
    return http.request("POST", f"{cloud.url}/things").json()


@pytest.mark.parametrize("more", [{"scope": "read write"}, {"resource": "api://edge"}, {}])
def test_a_token_is_asked_for_by_a_form(
    cloud: Cloud, client: Callable[..., Http], more: dict[str, str]
) -> None:
    ask(client(**more), cloud)
    (call,) = cloud.called("/token")
    assert call.form() == {
        "grant_type": "client_credentials", "client_id": "soc", "client_secret": SECRET, **more
    }  # fmt: skip
    assert "authorization" not in call.headers


def test_a_client_may_prove_itself_in_a_header(cloud: Cloud, client: Callable[..., Http]) -> None:
    ask(client(client_secret_in="header"), cloud)
    (call,) = cloud.called("/token")
    assert call.form() == {"grant_type": "client_credentials"}
    assert base64.b64decode(call.token) == b"soc:s3cr3t+of%2Bthe+client"


@pytest.mark.parametrize("life", [3600, "3600", None, "soon"])
def test_a_token_is_used_until_shortly_before_its_end(
    cloud: Cloud, client: Callable[..., Http], hours: Hours, life: Any
) -> None:
    http, cloud.life = client(), life
    for _ in range(5):
        ask(http, cloud)
    hours.pause(3539)
    ask(http, cloud)
    assert cloud.sessions.opened == 1
    hours.pause(2)
    ask(http, cloud)
    assert cloud.sessions.opened == 2
    assert all(call.path != "/things" or call.token for call in cloud.calls)


def test_a_token_that_is_refused_is_renewed_once(cloud: Cloud, client: Callable[..., Http]) -> None:
    http = client()
    ask(http, cloud)
    cloud.sessions.end()
    assert ask(http, cloud) == {"things": []}
    assert (cloud.sessions.opened, len(cloud.called("/things"))) == (2, 3)
    cloud.fail(Fault.UNAUTHORIZED, "/things", times=2)
    with pytest.raises(RefusedError):
        ask(http, cloud)
    assert cloud.sessions.opened == 3


@pytest.mark.parametrize(
    ("code", "to_check"),
    [
        ("invalid_client", "client_secret_in"),
        ("unauthorized_client", "grant client_credentials"),
        ("invalid_scope", "auth.oauth2.scope"),
        ("invalid_target", "auth.oauth2.resource"),
        ("odd", "check auth.oauth2"),
    ],
)
def test_the_servers_refusal_is_told_in_words(
    cloud: Cloud, client: Callable[..., Http], code: str, to_check: str
) -> None:
    cloud.refusal = {"error": code, "error_description": f"not with\n {SECRET}"}
    with pytest.raises(RefusedError) as raised:
        ask(client(), cloud)
    told = str(raised.value)
    assert f"/token: gives no token ({code}: not with ***" in told
    assert to_check in told


@pytest.mark.parametrize("given", [{}, [], {"access_token": 3}, {"access_token": "a\nb"}])
def test_an_answer_without_a_token_is_none(
    cloud: Cloud, client: Callable[..., Http], given: Any
) -> None:
    cloud.given = given
    with pytest.raises(UnavailableError, match="gave no access_token"):
        ask(client(), cloud)


@pytest.mark.parametrize("fault", [Fault.AWAY, Fault.BUSY, Fault.RESET_AFTER, Fault.CUT_OFF])
def test_a_server_of_tokens_that_stumbles_is_asked_again(
    cloud: Cloud, client: Callable[..., Http], fault: Fault
) -> None:
    cloud.fail(fault, "/token")
    assert ask(client(), cloud) == {"things": []}


def test_no_token_and_no_secret_is_in_any_message(
    cloud: Cloud, client: Callable[..., Http]
) -> None:
    http = client()
    ask(http, cloud)
    cloud.fail(Fault.ECHO, "/things")
    told = []
    with pytest.raises(UnavailableError) as raised:
        http.request("POST", f"{cloud.url}/things", body=SECRET.encode())
    told.append(str(raised.value))
    for fault in (Fault.HALF_JSON, Fault.ERROR_PAGE, Fault.ECHO):
        cloud.sessions.end()
        cloud.fail(fault, "/token", times=100)
        for kept in ("body", "header"):
            with pytest.raises((UnavailableError, RefusedError)) as failed:
                ask(client(client_secret_in=kept), cloud)
            told.append(str(failed.value))
        cloud.heal()
    told.append(repr(http._settings) + repr(http._tokens) + http._settings.model_dump_json())
    basic = base64.b64encode(b"soc:s3cr3t+of%2Bthe+client").decode()
    for secret in (*cloud.sessions.issued, SECRET, "s3cr3t", basic[:20]):
        assert secret not in " ".join(told), secret


def test_wrong_options_are_named(client: Callable[..., Http], cloud: Cloud) -> None:
    with pytest.raises(ConfigError, match="only one of scope and resource"):
        client(scope="a", resource="b")
    oauth2 = OAuth2(token_url="https://a.example/t", client_id="a", client_secret=SecretValue("b"))
    with pytest.raises(ConfigError, match="only one of token and oauth2"):
        Http(HttpSettings(auth=Auth(oauth2=oauth2, token=SecretValue("c"))))
    with pytest.raises(ValueError, match="token_url"):
        client(token_url="http://far.example/token")
