"""Lists over TLS: real clients, renewed certificates, and those who say nothing or plain HTTP."""

import http.client
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from list_asker import Asker, KnownClient

from connector.config.service import ServerTlsConfig
from connector.errors import ConfigError
from connector.http.serving import served
from connector.instants import SECOND, system_clock
from connector.server import ConnectionBounds
from connector.server.connections import Connections, Standing
from connector.settings import SecretValue

DAY = 86_400 * SECOND
LIST = b"192.0.2.7\n"
TOKEN = "s3cret"


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, two certificates of this server, and clients' of it and of a stranger."""
    folder = tmp_path_factory.mktemp("made")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "stranger"):
        openssl(
            folder, "req", "-x509", *key, "-days", "9", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.pem",
        )  # fmt: skip
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    (folder / "fw").write_text("subjectAltName=DNS:fw-03.county.example\n")
    for name, authority, names, days in (
        ("server", "ca", "names", "5"), ("renewed", "ca", "names", "90"),
        ("client", "ca", "fw", "5"), ("unknown", "ca", "names", "5"),
        ("foreign", "stranger", "fw", "5"),
    ):  # fmt: skip
        openssl(
            folder, "req", "-new", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key",
            "-out", f"{name}.csr",
        )  # fmt: skip
        openssl(
            folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey",
            f"{authority}.key", "-CAcreateserial", "-days", days, "-extfile", names,
            "-out", f"{name}.pem",
        )  # fmt: skip
    openssl(
        folder,
        "pkcs8",
        "-topk8",
        "-in",
        "server.key",
        "-passout",
        "pass:open",
        "-out",
        "locked.key",
    )
    return folder


@pytest.fixture
def pair(made: Path, tmp_path: Path) -> SimpleNamespace:
    """The files that the server uses, which a test may replace."""
    files = SimpleNamespace(certificate=tmp_path / "tls.crt", key=tmp_path / "tls.key")

    def put(certificate: str, key: str) -> None:
        for path, name in ((files.certificate, f"{certificate}.pem"), (files.key, f"{key}.key")):
            fresh = path.with_suffix(".new")
            fresh.write_bytes((made / name).read_bytes())
            os.replace(fresh, path)

    files.put = put
    put("server", "server")
    return files


def options(pair: SimpleNamespace, client_ca: Path | None = None) -> ServerTlsConfig:
    certificate, key = SecretValue("", pair.certificate), SecretValue("", pair.key)
    return ServerTlsConfig(certificate=certificate, key=key, client_ca=client_ca)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "list.txt").write_bytes(LIST)
    return folder


@pytest.fixture
def asker(
    serve: Callable[..., Asker], pair: SimpleNamespace, made: Path, folder: Path
) -> Iterator[Asker]:
    clients = [
        KnownClient("fw-01", token=SecretValue(TOKEN)),
        KnownClient("fw-03", certificate="FW-03.county.example"),
    ]
    bounds = ConnectionBounds(in_all=5)
    return serve(*clients, folder=folder, tls=options(pair, made / "ca.pem"), bounds=bounds)


Curl = Callable[..., tuple[int, str]]


@pytest.fixture
def curl(asker: Asker, made: Path) -> Curl:
    """Ask by curl; returns its exit code, and the status with the body or what it complains of."""
    if shutil.which("curl") is None:
        pytest.skip("no curl: install the package curl")

    def ask(*words: str, url: str | None = None) -> tuple[int, str]:
        command = ["curl", "-sS", "--cacert", str(made / "ca.pem"), "-w", "%{http_code}", *words]
        command.append(url or f"{asker.server.url}/lists/list.txt")
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        return ran.returncode, ran.stdout + ran.stderr

    return ask


def by(made: Path, name: str) -> tuple[str, ...]:
    return ("--cert", str(made / f"{name}.pem"), "--key", str(made / f"{name}.key"))


def test_curl_fetches_a_list_with_a_token_or_with_a_certificate(
    curl: Curl, asker: Asker, made: Path
) -> None:
    whole = (0, LIST.decode() + "200")
    assert curl("-u", f"x:{TOKEN}") == whole
    assert curl(*by(made, "client")) == whole
    assert {fetch.client for fetch in asker.server.fetches()} == {"fw-01", "fw-03"}


def test_a_certificate_names_its_client_for_what_is_unchanged_and_for_monitoring(
    curl: Curl, asker: Asker, made: Path
) -> None:
    tag = asker_tag(curl, made)
    assert curl(*by(made, "client"), "-H", f"If-None-Match: {tag}") == (0, "304")
    found = [(fetch.client, fetch.status) for fetch in asker.server.fetches()]
    assert found == [("fw-03", 304)]
    forwarded = ("-H", "X-Forwarded-For: 203.0.113.7", "-o", "/dev/null")
    health = f"{asker.server.url}/healthz"
    assert curl(*by(made, "client"), *forwarded, url=health) == (0, "200")
    assert curl(*forwarded, url=health) == (0, "401")


def asker_tag(curl: Curl, made: Path) -> str:
    _, told = curl(*by(made, "client"), "-I")
    return next(line[6:] for line in told.splitlines() if line.lower().startswith("etag: "))


def test_a_certificate_that_names_no_client_is_a_stranger_s(curl: Curl, made: Path) -> None:
    assert curl(*by(made, "unknown"), "-o", "/dev/null") == (0, "401")
    assert curl("-o", "/dev/null") == (0, "401")
    assert curl(*by(made, "unknown"), "-u", f"x:{TOKEN}") == (0, LIST.decode() + "200")


def test_a_certificate_of_another_authority_gets_no_connection(
    curl: Curl, asker: Asker, made: Path
) -> None:
    code, told = curl(*by(made, "foreign"))
    assert (code != 0, LIST.decode() in told) == (True, False)
    assert metric(asker, curl, 'why="handshake"') == 1


def test_tls_before_version_1_2_is_refused(curl: Curl) -> None:
    code, told = curl("-u", f"x:{TOKEN}", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0")
    assert code == 35, told
    assert curl("-u", f"x:{TOKEN}", "--tls-max", "1.2") == (0, LIST.decode() + "200")


def metric(asker: Asker, curl: Curl, label: str) -> float:
    _, text = curl("-u", f"x:{TOKEN}", url=f"{asker.server.url}/metrics")
    told = [line for line in text.splitlines() if not line.startswith("#")]
    return float(next(line.split()[-1] for line in told if label in line))


def test_plain_http_on_the_port_for_https_is_told_so(curl: Curl, asker: Asker) -> None:
    code, told = curl(url=asker.server.url.replace("https", "http"))
    assert (code, told[-3:]) == (0, "400")
    assert "HTTPS only" in told
    assert metric(asker, curl, 'why="not_tls"') == 1


def test_clients_that_say_nothing_make_room_for_those_that_ask(curl: Curl, asker: Asker) -> None:
    silent = [socket.create_connection((asker.host, asker.port)) for _ in range(5)]
    begun = [socket.create_connection((asker.host, asker.port)) for _ in range(5)]
    for one in begun:
        one.sendall(b"\x16\x03\x01\x02")  # the handshake goes no further
    assert curl("-u", f"x:{TOKEN}") == (0, LIST.decode() + "200")
    for one in silent:
        one.settimeout(5)
        assert one.recv(1) == b""  # each was closed for the next
        one.close()
    for one in begun:
        one.close()


def test_a_stop_closes_who_has_said_nothing(asker: Asker) -> None:
    at = asker.host, asker.port
    with socket.create_connection(at) as silent, socket.create_connection(at) as begun:
        begun.sendall(b"\x16\x03\x01\x02")
        asker.server.stop()
        for one in (silent, begun):
            one.settimeout(5)
            assert heard(one) == b""


def heard(one: socket.socket) -> bytes:
    try:
        return one.recv(1)
    except ConnectionResetError:
        return b""


@pytest.fixture
def connect(asker: Asker, made: Path) -> Iterator[Callable[[], http.client.HTTPSConnection]]:
    """Opens connections that stay open, and closes them with the test."""
    context = ssl.create_default_context(cafile=str(made / "ca.pem"))
    with ExitStack() as stack:

        def connected() -> http.client.HTTPSConnection:
            found = http.client.HTTPSConnection(asker.host, asker.port, timeout=5, context=context)
            found.connect()
            stack.callback(found.close)
            return found

        yield connected


def subject(connection: http.client.HTTPSConnection) -> str:
    shown = connection.sock.getpeercert()
    return str(shown["subject"][0][0][1])


def asked(connection: http.client.HTTPSConnection) -> bytes:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    connection.request("GET", "/lists/list.txt", headers=headers)
    return connection.getresponse().read()


def test_a_connection_counts_once_while_its_handshake_ends(
    connect: Callable[[], http.client.HTTPSConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, add = [], Connections.add

    def added(connections: Connections, *what: Standing) -> None:
        add(connections, *what)
        counted.append(len(connections))

    monkeypatch.setattr(Connections, "add", added)
    assert asked(connect()) == LIST
    assert counted == [1, 1]  # as a socket, then as a connection


def test_a_renewed_certificate_is_for_new_connections_and_open_ones_go_on(
    asker: Asker,
    curl: Curl,
    pair: SimpleNamespace,
    connect: Callable[[], http.client.HTTPSConnection],
) -> None:
    first = connect()
    assert (subject(first), asked(first)) == ("server", LIST)
    pair.put("renewed", "server")  # the key has not come yet
    asker.server.renew()
    assert asker.server.certificate is not None
    assert asker.server.certificate.problem == "server.tls.key: does not belong to certificate"
    assert subject(connect()) == "server"
    assert metric(asker, curl, "server_certificate_refused ") == 1
    pair.put("renewed", "renewed")
    asker.server.renew()
    assert asker.server.certificate.problem is None
    assert (asker.server.certificate.ends - system_clock()) // DAY in {89, 90}
    assert (
        metric(asker, curl, "certificate_end_timestamp") * SECOND == asker.server.certificate.ends
    )
    assert metric(asker, curl, "server_certificate_refused ") == 0
    second = connect()
    assert (subject(second), asked(second)) == ("renewed", LIST)
    assert asked(first) == LIST


def test_a_pair_that_cannot_be_used_is_told_by_its_option(
    pair: SimpleNamespace, made: Path
) -> None:
    def made_of(**changed: object) -> object:
        return served(options(pair).model_copy(update=changed))

    def problem(**changed: object) -> str:
        with pytest.raises(ConfigError) as refused:
            made_of(**changed)
        return refused.value.problems[0]

    locked, none = SecretValue("", made / "locked.key"), SecretValue("x")
    assert problem(key=locked) == "key: is encrypted, but key_password is missing"
    wrong = problem(key=locked, key_password=SecretValue("shut"))
    assert wrong == "key_password: is wrong for key"
    assert made_of(key=locked, key_password=SecretValue("open"))
    assert problem(key=none).startswith("key: should be the certificate's key")
    assert problem(certificate=none).startswith("certificate: should be a certificate")
    assert "cannot be read" in problem(certificate=SecretValue("", pair.key / "no"))
    assert problem(client_ca=pair.key).startswith("client_ca: ")
    whole = (made / "server.pem").read_text() + (made / "server.key").read_text()
    assert made_of(certificate=SecretValue(whole), key=None)


@pytest.mark.parametrize("name", ["server", "renewed"])
def test_the_end_of_a_certificate_is_what_openssl_says(
    made: Path, pair: SimpleNamespace, name: str
) -> None:
    command = ["openssl", "x509", "-in", f"{name}.pem", "-noout", "-enddate"]
    ran = subprocess.run(command, cwd=made, capture_output=True, text=True, check=True)
    told = ssl.cert_time_to_seconds(ran.stdout.strip().removeprefix("notAfter="))
    assert served(of(made, pair, name)).ends == told * SECOND


def of(made: Path, pair: SimpleNamespace, name: str) -> ServerTlsConfig:
    """Return the options that show this certificate."""
    certificate, key = (SecretValue("", made / f"{name}.{end}") for end in ("pem", "key"))
    return options(pair).model_copy(update={"certificate": certificate, "key": key})


def test_a_certificate_that_has_ended_has_its_end_and_one_that_clients_refuse_is_told(
    made: Path, pair: SimpleNamespace
) -> None:
    own = ("req", "-x509", "-key", "client.key", "-subj", "/CN=x", "-out")
    openssl(
        made, "x509", "-req", "-in", "client.csr", "-signkey", "client.key", "-days", "-1",
        "-out", "ended.pem",
    )  # fmt: skip
    (made / "ended.key").write_bytes((made / "client.key").read_bytes())
    assert served(of(made, pair, "ended")).ends < system_clock()
    openssl(made, *own, "client-alone.pem", "-addext", "extendedKeyUsage=clientAuth")
    (made / "client-alone.key").write_bytes((made / "client.key").read_bytes())
    with pytest.raises(ConfigError, match=r"clients would refuse it: .*purpose"):
        served(of(made, pair, "client-alone"))
    (made / "junk.pem").write_text(f"{ssl.PEM_HEADER}\nanVuaw==\n{ssl.PEM_FOOTER}\n")
    (made / "junk.key").write_bytes((made / "client.key").read_bytes())
    with pytest.raises(ConfigError, match="certificate: should be a certificate chain"):
        served(of(made, pair, "junk"))
