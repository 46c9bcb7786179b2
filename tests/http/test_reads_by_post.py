"""Reads by POST, the rate of a host, answers that are no JSON, and errors inside a 200."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from connector.errors import RefusedError, UnavailableError
from connector.http.client import Http
from connector.http.pace import Paces
from connector.instants import SECOND
from connector.settings import Auth, HttpSettings, Rate, SecretValue
from connector.testing.http_target import Call, Fault, HttpTarget, Reply, route

SECRET = "s3cr3t-t0ken"


class Hours:
    """The time of client and target, which passes by pauses alone."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.seconds

    def instant(self) -> int:
        return round(self.seconds * SECOND)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds


class Vendor(HttpTarget):
    """Answers reads and writes, both by POST."""

    body: bytes = b"{}"
    kind: str = "application/json"

    @route("POST", "/show")
    def show(self, _call: Call) -> Reply:
        return Reply(200, self.body, {"Content-Type": self.kind})

    @route("POST", "/add")
    def add(self, _call: Call) -> Reply:
        return Reply.of({"ok": True})


@pytest.fixture
def hours() -> Hours:
    return Hours()


@pytest.fixture
def vendor(hours: Hours) -> Iterator[Vendor]:
    with Vendor(clock=hours.instant) as target:
        yield target


@pytest.fixture
def client(hours: Hours) -> Iterator[Callable[..., Http]]:
    made: list[Http] = []
    paces = Paces(hours)

    def make(**options: Any) -> Http:
        http = Http(HttpSettings(**options), sleep=hours.pause, monotonic=hours, paces=paces)
        made.append(http)
        return http

    yield make
    for http in made:
        http.close()


def show(http: Http, vendor: Vendor) -> Any:
    return http.request("POST", f"{vendor.url}/show", repeatable=True).json()


@pytest.mark.parametrize(
    "fault", [Fault.AWAY, Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.CUT_OFF]
)
def test_a_read_by_post_is_tried_again_and_a_write_is_not(
    vendor: Vendor, client: Callable[..., Http], fault: Fault
) -> None:
    vendor.fail(fault)
    assert show(client(), vendor) == {}
    vendor.fail(fault)
    with pytest.raises(UnavailableError):
        client().request("POST", f"{vendor.url}/add")
    assert len(vendor.called("/add")) == 1


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.BUSY_UNTIL])
def test_a_busy_host_is_asked_again_whatever_was_asked(
    vendor: Vendor, client: Callable[..., Http], hours: Hours, fault: Fault
) -> None:
    vendor.fail(fault, seconds=7)
    assert client().request("POST", f"{vendor.url}/add").json() == {"ok": True}
    assert 7 <= sum(hours.pauses) < 8


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.BUSY_UNTIL])
def test_a_busy_host_is_left_alone_by_all_that_ask_it(
    vendor: Vendor, client: Callable[..., Http], hours: Hours, fault: Fault
) -> None:
    one, other = client(), client()
    vendor.fail(fault, seconds=600)
    with pytest.raises(UnavailableError) as raised:
        show(one, vendor)
    assert raised.value.retry_after_seconds == 600
    with pytest.raises(UnavailableError, match="asked us to wait, another 600 s") as raised:
        show(other, vendor)
    assert raised.value.retry_after_seconds == 600
    assert len(vendor.calls) == 1, "the other did not ask"
    hours.pause(580)
    hours.pauses.clear()
    assert show(other, vendor) == {}
    assert hours.pauses == [20]


def test_a_busy_host_is_not_asked_for_ever(vendor: Vendor, client: Callable[..., Http]) -> None:
    vendor.fail(Fault.BUSY, times=1000)
    with pytest.raises(UnavailableError, match="answered 429"):
        show(client(), vendor)
    assert len(vendor.calls) == 6


def test_all_at_a_host_keep_its_rate_together(
    vendor: Vendor, client: Callable[..., Http], hours: Hours
) -> None:
    vendor.rate = (8, 5)
    clients = [client(rate="8/5s") for _ in range(3)]
    start = hours()
    for number in range(100):
        show(clients[number % 3], vendor)
    assert len(vendor.calls) == 100, "none was refused"
    assert hours() - start == 60  # 8 at once, then 8 in each 5 seconds


def test_the_strictest_rate_at_a_host_holds_for_all(
    vendor: Vendor, client: Callable[..., Http], hours: Hours
) -> None:
    strict, loose = client(rate="1/10s"), client()
    show(strict, vendor)
    show(loose, vendor)
    assert hours.pauses == [10]
    strict.close()
    show(loose, vendor)
    show(loose, vendor)
    assert hours.pauses == [10]


def test_the_rate_of_the_adapter_counts_where_the_file_names_none(
    vendor: Vendor, hours: Hours
) -> None:
    for options, waited in (({}, 10.0), ({"rate": "5/1s"}, 0.0)):
        settings = HttpSettings.model_validate(options)
        before = hours()
        with closing(
            Http(settings, sleep=hours.pause, rate=Rate(1, 10), paces=Paces(hours))
        ) as http:
            show(http, vendor)
            show(http, vendor)
        assert hours() - before == waited


@pytest.mark.parametrize("bad", ["8", "8/5", "0/5s", "8/2h", "8/5d", 8, "8 / 5s"])
def test_a_rate_says_calls_and_time(bad: object) -> None:
    with pytest.raises(ValueError, match="such as 8/5s or 100/1m"):
        HttpSettings.model_validate({"rate": bad})
    assert str(HttpSettings.model_validate({"rate": "8/60s"}).rate) == "8/1m"


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b"", "application/json", "an empty body"),
        (b"<title>Log on to a.example</title>", "text/html", "a page titled Log on to a[.]example"),
        (b"see https://bad.example", "text/plain", "text/plain: see https[://]bad[.]example"),
        (b'{"token": "new-one', "application/json", "18 bytes that begin as JSON does"),
        (b"\xff\xfe{", "application/json", "application/json"),
        (b"[" * 100_000, "application/json", "100000 bytes that begin as JSON does"),
        (b"a" * 155 + SECRET.encode(), "text/plain", "text/plain: aaa"),
        (f"your token is {SECRET}".encode(), "text/plain", "text/plain: your token is ***"),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_json_is_unavailable_and_says_what_came(
    vendor: Vendor, client: Callable[..., Http], body: bytes, kind: str, said: str
) -> None:
    vendor.body, vendor.kind = body, kind
    http = client(auth=Auth(token=SecretValue(SECRET)))
    with pytest.raises(UnavailableError) as raised:
        show(http, vendor)
    told = str(raised.value)
    assert "/show: answered 200 with what is not JSON: " + said in told
    assert SECRET[:4] not in told
    assert "new-one" not in told
    assert len(told) < 300


def test_an_error_inside_a_200_is_raised_by_its_words(
    vendor: Vendor, client: Callable[..., Http]
) -> None:
    http = client(auth=Auth(token=SecretValue(SECRET)))
    answer = http.request("POST", f"{vendor.url}/show")
    error = answer.error(f"object bad.example is locked\n by {SECRET}")
    assert isinstance(error, UnavailableError)
    assert str(error).endswith("answered 200 OK, but says: object bad[.]example is locked by ***")
    assert isinstance(answer.error("no such user", refused=True), RefusedError)
    assert "nothing about its error" in str(answer.error())


def test_what_a_server_gives_us_stays_secret(vendor: Vendor, client: Callable[..., Http]) -> None:
    http = client()
    http.keep_secret("session-0123456789")
    vendor.fail(Fault.ECHO)
    with pytest.raises(UnavailableError) as raised:
        http.request(
            "POST", f"{vendor.url}/add", headers={"Accept": "session-0123456789"}, body=b"x"
        )
    assert "session-0123456789" not in str(raised.value)
