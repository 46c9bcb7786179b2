"""Options: durations, paths, secrets, and the errors that carry what happens next."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, TypeAdapter, ValidationError

from connector.errors import (
    BatchTooLargeError,
    ConfigError,
    UnavailableError,
)
from connector.settings import (
    Auth,
    Duration,
    FilePath,
    HttpSettings,
    Secret,
    SecretValue,
    ServerUrl,
    Settings,
    write_duration,
)

duration = TypeAdapter(Duration)
file_path = TypeAdapter(FilePath)
server_url = TypeAdapter(ServerUrl)
secret = TypeAdapter(Secret, config=ConfigDict(arbitrary_types_allowed=True))


def why(validate: Callable[[], object]) -> str:
    with pytest.raises(ValidationError) as refused:
        validate()
    return str(refused.value.errors()[0]["msg"])


@pytest.mark.parametrize(
    ("text", "expected", "written"),
    [
        ("1s", timedelta(seconds=1), "1s"),
        ("90s", timedelta(seconds=90), "90s"),
        ("60s", timedelta(minutes=1), "1m"),
        ("15m", timedelta(minutes=15), "15m"),
        ("36h", timedelta(hours=36), "36h"),
        ("24h", timedelta(days=1), "1d"),
        ("90d", timedelta(days=90), "90d"),
        ("14d", timedelta(weeks=2), "2w"),
        ("5200w", timedelta(weeks=5200), "5200w"),
    ],
)
def test_a_duration_is_a_number_with_its_unit(text: str, expected: timedelta, written: str) -> None:
    assert duration.validate_python(text) == expected
    assert duration.dump_python(expected) == write_duration(expected) == written


def test_a_duration_may_be_given_as_one() -> None:
    assert duration.validate_python(timedelta(hours=1)) == timedelta(hours=1)
    assert write_duration(timedelta()) == "0s"


@pytest.mark.parametrize(
    "bad",
    [
        "0s", "-1s", "1", "s", "", "1 s", "1.5h", "01m", "1M", "1m30s", "1y", 60, 1.5, None, True,
        "٣s", "1s\n", "9999999999s",
    ],
)  # fmt: skip
def test_another_duration_is_reported_with_examples(bad: object) -> None:
    assert "such as 30s, 15m, 6h, 90d or 2w" in why(lambda: duration.validate_python(bad))


@pytest.mark.parametrize("bad", ["5201w", "36401d", "999999999w", "999999999d"])
def test_a_duration_ends_after_a_century(bad: str) -> None:
    assert "should be at most 5200w" in why(lambda: duration.validate_python(bad))


@given(st.integers(1, 5200 * 7 * 86400).map(lambda seconds: timedelta(seconds=seconds)))
def test_a_duration_is_written_as_it_is_read(value: timedelta) -> None:
    text = write_duration(value)
    if int(text[:-1]) < 10**9:
        assert duration.validate_python(text) == value


def test_relative_paths_start_at_the_folder_of_the_file() -> None:
    context = {"folder": Path("/etc/connector")}
    assert file_path.validate_python("allow.txt", context=context) == Path(
        "/etc/connector/allow.txt"
    )
    assert file_path.validate_python("/srv/x", context=context) == Path("/srv/x")
    assert file_path.validate_python("x") == Path("x")
    assert file_path.validate_python(Path("x"), context={}) == Path("x")


@pytest.mark.parametrize("bad", ["", 5, None, ["x"]])
def test_a_path_is_text(bad: object) -> None:
    assert "should be a path" in why(lambda: file_path.validate_python(bad))


def resolving(kind: str, name: str) -> SecretValue:
    return SecretValue(f"{kind} of {name}")


def test_a_secret_is_a_reference_that_the_loader_resolves() -> None:
    for kind in ("env", "file", "credential"):
        found = secret.validate_python({kind: "NAME"}, context={"resolve_secret": resolving})
        assert found.reveal() == f"{kind} of NAME"


@pytest.mark.parametrize(
    "literal", ["hunter2", 5, None, {}, {"env": "A", "file": "b"}, {"vault": "x"}, ["env"]]
)
def test_a_literal_secret_is_refused_and_not_repeated(literal: object) -> None:
    told = why(lambda: secret.validate_python(literal, context={"resolve_secret": resolving}))
    assert "a literal secret is refused" in told
    assert "hunter2" not in told


@pytest.mark.parametrize("name", ["", 5, None, {"x": 1}])
def test_a_reference_names_the_place_of_the_secret(name: object) -> None:
    told = why(lambda: secret.validate_python({"env": name}, context={"resolve_secret": resolving}))
    assert "env should name the place of the secret" in told


def test_a_secret_is_only_read_while_a_file_is_loaded() -> None:
    told = why(lambda: secret.validate_python({"env": "NAME"}))
    assert "while a configuration file is loaded" in told
    with pytest.raises(TypeError, match="must return a SecretValue"):
        secret.validate_python({"env": "X"}, context={"resolve_secret": lambda *_: "text"})


def test_a_secret_never_prints() -> None:
    held = SecretValue("hunter2", Path("/run/secret"))
    auth = Auth(token=held)
    for shown in (repr(held), str(held), f"{held}", repr(auth), auth.model_dump_json()):
        assert "hunter2" not in shown
    assert held.reveal() == "hunter2"
    assert secret.validate_python(held) is held


def test_secrets_are_equal_by_their_text() -> None:
    assert SecretValue("a") == SecretValue("a", Path("x"))
    assert SecretValue("a") != SecretValue("b")
    assert SecretValue("a") != "a"
    assert len({SecretValue("a"), SecretValue("a"), SecretValue("b")}) == 2


def test_unknown_options_are_errors_and_options_do_not_change() -> None:
    class Mine(Settings):
        size: int = 1

    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Mine(sise=2)
    with pytest.raises(ValidationError, match="frozen"):
        Mine().size = 2


@pytest.mark.parametrize(
    "bad",
    [
        {"proxy": "ftp://proxy.example"}, {"max_body_mib": 0}, {"max_body_mib": 2000},
        {"connect_timeout": "0s"}, {"auth": {"header": "X Key"}}, {"auth": {"header": ""}},
    ],
)  # fmt: skip
def test_options_of_http_are_bounded(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HttpSettings.model_validate(bad)


@pytest.mark.parametrize(
    "url",
    ["https://siem.example:8089", "https://siem.example/base/", "HTTPS://SIEM.EXAMPLE", "http://localhost:9200",
     "http://127.0.0.2:9200/", "http://[::1]:9200"],
)  # fmt: skip
def test_a_server_that_gets_credentials_has_https_or_is_this_machine(url: str) -> None:
    assert server_url.validate_python(url) == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://siem.example:8089", "should be https"),
        ("http://192.0.2.1", "should be https"),
        ("http://localhost.example", "should be https"),
        ("siem.example:8089", "should look like https"),
        ("ftp://siem.example", "should look like https"),
        ("https://", "should look like https"),
        ("https://siem.example:99999", "should look like https"),
        ("https://[::1", "should look like https"),
        ("https://siem.example/a b", "should look like https"),
        ("https://siem.example\n", "should look like https"),
        ("https://svc:pw@siem.example", "should have no credentials"),
        ("https://siem.example?x=1", "should have no query"),
        ("https://siem.example#x", "should have no query"),
    ],
)
def test_an_address_that_would_give_credentials_away_is_told(url: str, words: str) -> None:
    said = why(lambda: server_url.validate_python(url))
    assert words in said
    assert "pw" not in said


def test_options_of_http_have_defaults() -> None:
    options = HttpSettings()
    assert (options.connect_timeout, options.read_timeout) == (
        timedelta(seconds=10), timedelta(seconds=60),
    )  # fmt: skip
    assert options.auth == Auth()


def test_errors_say_what_happened_and_hold_what_is_needed_next() -> None:
    problems = ConfigError(["a: is wrong", "b: is wrong"])
    assert str(problems) == "a: is wrong\nb: is wrong"
    assert problems.problems == ("a: is wrong", "b: is wrong")
    assert UnavailableError("no answer").retry_after_seconds is None
    assert UnavailableError("busy", 5.0).retry_after_seconds == 5.0


@pytest.mark.parametrize(("said", "largest"), [(500, 500), (1, 1), (0, 1), (-3, 1)])
def test_a_batch_that_is_too_large_always_leaves_room_for_one(said: int, largest: int) -> None:
    assert BatchTooLargeError(said).largest == largest
