"""Events over syslog: what real receivers read, what they must not read, and what is known."""

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from connector_syslog import SyslogAdapter, SyslogSettings
from syslog_hosts import Rsyslog, SyslogHost, SyslogNg, make_certificates

from connector.adapter import (
    Auth,
    Entry,
    Held,
    Later,
    Observable,
    ObservableType,
    Refused,
    RefusedError,
    SecretValue,
    UnavailableError,
    Written,
)
from connector.testing.context import output_context

T = ObservableType
MakeAdapter = Callable[..., SyslogAdapter]
FIELDS = {"name": "Seen by a partner", "confidence": 80, "valid_until": "2027-01-01T00:00:00Z"}
ADDRESS = Entry(Observable(T.IPV4_ADDR, "192.0.2.7"), FIELDS)
HOSTILE = 'evil "x" | y=z \\ \nCEF:0|a|b|c|d|e|9|act=remove\t\x85act=remove'
VALUES = [
    Observable(T.URL, "http://bad.example/a?x=1|2&act=remove\\"),
    Observable(T.MUTEX, 'act"=remove|cs1=\\'),
    Observable(T.MUTEX, "CEF:0|a|b|c|d|e|9|act=remove"),
    Observable(T.FILE_NAME, "a b.exe"),
    Observable(T.USER_AGENT, "북한 (한국어)"),
]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module", params=[Rsyslog, SyslogNg])
def host(request: pytest.FixtureRequest, certificates: Path) -> Iterator[SyslogHost]:
    made: SyslogHost = request.param(certificates)
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def make_adapter(tmp_path: Path) -> Iterator[MakeAdapter]:
    made = []

    def make(port: int, transport: str = "tcp", **options: Any) -> SyslogAdapter:
        given = {"host": "127.0.0.1", "port": port, "transport": transport, "timeout": "30s"}
        settings = SyslogSettings(**{**given, **options})
        made.append(SyslogAdapter(settings, output_context(settings, tmp_path)))
        return made[-1]

    yield make
    for adapter in made:
        adapter.close()


def shown_as(certificates: Path, who: str, authority: str = "ca") -> dict[str, Any]:
    chain, key = (
        SecretValue((certificates / f"{who}.{kind}").read_text()) for kind in ("pem", "key")
    )
    return {
        "auth": Auth(client_cert=chain, client_key=key),
        "ca": certificates / f"{authority}.pem",
    }


def parsed(message: Mapping[str, Any], format: str) -> dict[str, Any]:
    """What the receiver's own parser made of a message."""
    found = message["parsed"]
    found = json.loads(found) if isinstance(found, str) else found
    return dict(found["f"]["Extensions"] if format == "cef" else found)


def value_in(message: Mapping[str, Any], format: str) -> str:
    found = parsed(message, format)
    return str(found["cs1" if format == "cef" else "value"])


@pytest.mark.real_server
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_real_receivers_read_an_event_for_each_entry_that_comes_changes_and_goes(
    host: SyslogHost, make_adapter: MakeAdapter, certificates: Path, transport: str
) -> None:
    credentials = shown_as(certificates, "client") if transport == "tls" else {}
    adapter = make_adapter(host.ports[transport], transport, format="json", **credentials)
    said = adapter.add([ADDRESS])[ADDRESS.observable]
    assert isinstance(said, Written)
    changed = Entry(ADDRESS.observable, {**FIELDS, "confidence": 10}, handle=said.handle)
    adapter.add([changed])
    adapter.remove([Held(changed.observable, handle=changed.handle)])
    messages = host.received(3)
    assert [one["event"] for one in messages] == ["add", "update", "remove"]
    assert {one["app"] for one in messages} == {"connector"}
    read = [parsed(one, "json") for one in messages]
    assert [one["action"] for one in read] == ["add", "update", "remove"]
    assert {(one["type"], one["value"]) for one in read} == {("ipv4-addr", "192.0.2.7")}
    assert len({one["key"] for one in read}) == 1


def adapter_held(*entries: Entry) -> Any:
    from connector.adapter import Held

    return [Held(entry.observable, handle=entry.handle) for entry in entries]


@pytest.mark.real_server
@pytest.mark.parametrize("format", ["cef", "leef", "json"])
def test_no_value_adds_a_field_or_a_message(
    host: SyslogHost, make_adapter: MakeAdapter, format: str
) -> None:
    adapter = make_adapter(host.ports["tcp"], format=format)
    plain = Entry(Observable(T.MUTEX, "plain"), {**FIELDS, "feed": "f", "tlp": "amber"})
    texts = {**plain.fields, "name": HOSTILE, "feed": f"'{HOSTILE}"}
    entries = [Entry(value, texts) for value in VALUES]
    said = adapter.add([plain, *entries])
    taken = [one for one in entries if isinstance(said[one.observable], Written)]
    assert format == "leef" or taken == entries
    messages = host.received(len(taken) + 1)
    if (type(host), format) in ((Rsyslog, "leef"), (SyslogNg, "cef")):
        assert len(messages) == len(taken) + 1
        return  # it has no parser of that format
    assert [value_in(one, format) for one in messages[1:]] == [one.value for one in taken]
    names = set(parsed(messages[0], format))
    typed = {"request", "fname", "requestClientApplication", "url"}
    assert all(set(parsed(one, format)) - typed == names for one in messages)
    key = {"cef": "act", "leef": "action", "json": "action"}[format]
    assert {parsed(one, format)[key] for one in messages} == {"add"}
    if format == "json":
        assert parsed(messages[1], format)["name"] == HOSTILE


@pytest.mark.real_server
def test_a_receiver_that_was_killed_gets_what_it_missed_in_order(
    host: SyslogHost, make_adapter: MakeAdapter
) -> None:
    adapter = make_adapter(host.ports["tcp"], format="json")
    host.stop()
    numbers = [
        Entry(Observable(T.AUTONOMOUS_SYSTEM, str(number))) for number in range(64496, 64511)
    ]
    said = adapter.add(numbers)
    assert {type(one) for one in said.values()} == {Later}
    with pytest.raises(UnavailableError, match="15 events wait on disk"):
        adapter.flush()
    host.start()
    again = adapter.add(numbers)
    assert {type(one) for one in again.values()} == {Written}
    values = [parsed(one, "json")["value"] for one in host.received(15)]
    assert values == [one.value for one in numbers]


@pytest.mark.real_server
def test_a_receiver_that_stalls_has_nothing_until_it_read_it(
    host: SyslogHost, make_adapter: MakeAdapter
) -> None:
    adapter = make_adapter(host.ports["tcp"], format="json", timeout="1s")
    assert host._process is not None
    host._process.send_signal(signal.SIGSTOP)
    try:
        assert isinstance(adapter.add([ADDRESS])[ADDRESS.observable], Later)
        with pytest.raises(UnavailableError, match="did not read all"):
            adapter.flush()
    finally:
        host._process.send_signal(signal.SIGCONT)
    adapter.settings = adapter.settings.model_copy(
        update={"timeout": adapter.settings.timeout * 60}
    )
    assert isinstance(adapter.add([ADDRESS])[ADDRESS.observable], Written)
    assert len({one["text"] for one in host.received(2)}) == 1  # the same event, by its bytes


@pytest.mark.real_server
def test_a_receiver_refuses_a_stranger_and_we_refuse_one(
    host: SyslogHost, make_adapter: MakeAdapter, certificates: Path
) -> None:
    port = host.ports["tls"]
    stranger = make_adapter(port, "tls", owner_tag="a", **shown_as(certificates, "stranger"))
    assert isinstance(stranger.add([ADDRESS])[ADDRESS.observable], Later)
    with pytest.raises((RefusedError, UnavailableError)):
        stranger.flush()
    fooled = make_adapter(port, "tls", owner_tag="b", **shown_as(certificates, "client", "other"))
    fooled.add([ADDRESS])
    with pytest.raises(UnavailableError, match="not trusted"):
        fooled.flush()


def test_a_connection_that_is_reset_is_no_answer(make_adapter: MakeAdapter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reset() -> None:
            connection, _ = server.accept()
            linger = (1).to_bytes(4, "little") + bytes(4)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.recv(1)
            connection.close()

        thread = threading.Thread(target=reset)
        thread.start()
        adapter = make_adapter(server.getsockname()[1])
        assert isinstance(adapter.add([ADDRESS])[ADDRESS.observable], Later)
        thread.join()


def test_over_udp_a_machine_without_a_receiver_says_so(make_adapter: MakeAdapter) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    adapter = make_adapter(port, "udp")
    assert isinstance(adapter.add([ADDRESS])[ADDRESS.observable], Later)


def test_a_message_that_is_too_long_is_refused_and_not_cut(make_adapter: MakeAdapter) -> None:
    adapter = make_adapter(9, max_bytes=480)
    long = Entry(Observable(T.URL, f"http://bad.example/{'a' * 400}"))
    said = adapter.add([long])[long.observable]
    assert isinstance(said, Refused)
    assert "480" in said.words


@pytest.mark.parametrize(
    ("format", "value", "words"),
    [
        ("cef", "a\x01b", "control"),
        ("leef", "a\x01b", "control"),
        ("leef", "run act=remove", "another attribute"),
        ("leef", '"act', "quoted"),
        ("cef", "x" * 4001, "4,000"),
    ],
)
def test_what_a_format_cannot_carry_is_refused_with_the_reason(
    make_adapter: MakeAdapter, format: str, value: str, words: str
) -> None:
    entry = Entry(Observable(T.MUTEX, value))
    said = make_adapter(9, format=format).add([entry])[entry.observable]
    assert isinstance(said, Refused)
    assert words in said.words
