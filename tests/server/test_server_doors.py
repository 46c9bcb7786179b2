"""Clients are known by token or address, and nothing else ever looks like a wrong password."""

import base64
import json
import logging
import socket

import pytest
from prometheus_client import CollectorRegistry

from connector.errors import ConfigError, StoreError, UnavailableError
from connector.server import ListServer
from connector.server.authentication import Authenticator

TOKEN = "s3cret:with colon"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def ask(serve, by_token, by_address, tmp_path):
    (tmp_path / "list.txt").write_bytes(b"192.0.2.7\n")
    return serve(by_token, by_address)


@pytest.mark.parametrize(
    "credentials",
    [f"Bearer {TOKEN}", f"bearer {TOKEN}", basic("fw-01", TOKEN), basic("", TOKEN)],
)
def test_a_client_is_known_by_its_token_as_bearer_or_as_password(credentials, ask):
    assert ask("/lists/list.txt", Authorization=credentials).status == 200


def test_a_client_is_known_by_its_address(ask):
    assert ask("/lists/list.txt", source="127.0.0.2").status == 200
    assert ask("/lists/list.txt", source="127.0.0.3").status == 401


WRONG = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer wrong",
    f"Bearer {TOKEN}x",
    f"Token {TOKEN}",
    basic("fw-01", ""),
    basic("fw-01", "wrong"),
    basic(TOKEN, ""),
    "Basic not-base64!",
    "Basic /w==",
    "Basic",
]


def test_a_stranger_is_asked_for_credentials_whatever_the_path(ask):
    for headers in [{}, *({"Authorization": credentials} for credentials in WRONG)]:
        for path in ("/lists/list.txt", "/lists/missing.txt"):
            answer = ask(path, **headers)
            assert (answer.status, headers) == (401, headers)
            assert answer.headers["www-authenticate"].startswith("Basic ")
            assert b"192.0.2.7" not in answer.body


def test_a_known_client_is_never_sent_401(ask):
    for path in ("/lists/missing.txt", "/lists/../x", "/elsewhere"):
        answer = ask(path, Authorization=f"Bearer {TOKEN}")
        assert answer.status == 404
        assert "www-authenticate" not in answer.headers


def test_an_address_cannot_be_claimed_in_a_header(ask):
    for name in ("X_Forwarded_For", "X_Real_IP", "Forwarded"):
        assert ask("/lists/list.txt", **{name: "127.0.0.2"}).status == 401


def test_monitoring_is_open_to_this_machine_and_to_clients_but_not_through_a_proxy(ask):
    for path in ("/healthz", "/metrics"):
        assert ask(path).status == 200
        assert ask(path, X_Forwarded_For="203.0.113.7").status == 401
        through_proxy = {"X_Forwarded_For": "203.0.113.7", "Authorization": f"Bearer {TOKEN}"}
        assert ask(path, **through_proxy).status == 200


def test_an_ipv4_client_is_known_on_an_ipv6_socket(by_address):
    assert Authenticator([by_address]).name_of({}, "::ffff:127.0.0.2") == "fw-02"
    assert Authenticator([by_address]).name_of({}, "::1") is None
    assert Authenticator([by_address]).name_of({}, "") is None


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "lists.example:0"])
def test_without_clients_it_refuses_to_listen_beyond_this_machine(listen, tmp_path):
    with pytest.raises(ConfigError, match=r"server\.clients"):
        ListServer(listen, (), tmp_path, dict, CollectorRegistry())


def test_a_port_that_is_taken_may_be_free_later(serve, tmp_path):
    taken = serve().server.url.removeprefix("http://")
    server = ListServer(taken, (), tmp_path, dict, CollectorRegistry())
    why = f"cannot listen on {taken}: Address already in use$"
    with pytest.raises(UnavailableError, match=why):
        server.start()


def test_an_address_that_no_interface_has_yet_may_come_later(by_address, tmp_path):
    server = ListServer("192.0.2.1:0", [by_address], tmp_path, dict, CollectorRegistry())
    with pytest.raises(UnavailableError, match=r"on 192\.0\.2\.1:0: Cannot assign"):
        server.start()


def test_a_host_that_no_resolver_knows_is_reported_in_its_words(by_address, tmp_path, monkeypatch):
    def unknown(*_asked, **_how):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_server", unknown)
    server = ListServer("lists.example:8099", [by_address], tmp_path, dict, CollectorRegistry())
    with pytest.raises(ConfigError, match=r"lists\.example:8099: Name or service not known$"):
        server.start()


@pytest.mark.parametrize("listen", ["8099", "localhost", "localhost:http", ":8099"])
def test_a_listen_address_without_host_and_port_is_refused(listen, tmp_path):
    with pytest.raises(ConfigError, match="should be host:port"):
        ListServer(listen, (), tmp_path, dict, CollectorRegistry())


def test_health_is_what_the_daemon_says(serve):
    state = {"healthy": True, "outputs": 3}
    ask = serve(status=lambda: state)
    answer = ask("/healthz")
    told = json.loads(answer.body)
    assert (answer.status, told.pop("server")["state"], told) == (200, "ok", state)
    assert answer.headers["content-type"] == "application/json"
    state["healthy"] = False
    assert ask("/healthz").status == 503


def test_a_daemon_that_cannot_tell_is_not_healthy(serve):
    def fails() -> dict[str, object]:
        raise StoreError("state/connector.db: is unreadable")

    answer = serve(status=fails)("/healthz")
    assert answer.status == 503
    assert b"is unreadable" in answer.body


def test_a_bug_is_a_503_with_its_traceback_in_the_log(serve, caplog):
    def bug() -> dict[str, object]:
        return {"healthy": 1 / 0}

    ask = serve(status=bug)
    with caplog.at_level(logging.ERROR):
        answer = ask("/healthz")
        ask.server.stop()
    assert (answer.status, answer.headers["retry-after"]) == (503, "30")
    assert "www-authenticate" not in answer.headers
    assert "ZeroDivisionError" in caplog.text


def test_each_fetch_is_remembered_with_the_version_the_client_holds(ask):
    first = ask("/lists/list.txt", Authorization=f"Bearer {TOKEN}")
    ask("/lists/list.txt", source="127.0.0.2", If_None_Match=first.headers["etag"])
    ask("/lists/missing.txt", source="127.0.0.2")
    ask("/lists/list.txt")
    tag = first.headers["etag"].strip('"')
    found = {(fetch.client, fetch.list, fetch.status, fetch.etag) for fetch in ask.server.fetches()}
    assert found == {("fw-01", "list.txt", 200, tag), ("fw-02", "list.txt", 304, tag)}
    metrics = ask("/metrics").body.decode()
    counted = 'connector_list_fetches_total{client="fw-02",list="list.txt",status="304"} 1.0'
    assert counted in metrics
    assert 'connector_list_last_fetch_timestamp_seconds{client="fw-01",list="list.txt"}' in metrics
    assert "connector_list_refusals_total 1.0" in metrics


def test_metrics_of_the_daemon_and_of_a_restarted_server_are_shown_together(serve):
    registry = CollectorRegistry()
    first = serve(registry=registry)
    first.server.stop()
    first.server.stop()
    second = serve(registry=registry)
    answer = second("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert b"connector_list_refusals_total" in answer.body
