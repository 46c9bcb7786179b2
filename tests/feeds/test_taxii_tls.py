"""TLS: a private authority, client certificates, and words that say what is wrong."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from connector.errors import ConfigError, RefusedError, UnavailableError
from connector.feeds.taxii.feed import TaxiiFeed
from connector.settings import Auth, SecretValue
from connector.testing.taxii.server import TaxiiServer

MakeFeed = Callable[..., TaxiiFeed]


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def guarded(certificates: SimpleNamespace, request: pytest.FixtureRequest) -> Iterator[TaxiiServer]:
    """A server that wants a certificate of its own authority, under both versions of TLS."""
    folder = certificates.folder
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[request.param]
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with TaxiiServer(tls=context) as server:
        yield server


@pytest.fixture
def pem(certificates: SimpleNamespace) -> Callable[[str], SecretValue]:
    """A secret as it comes from an environment variable."""
    return lambda name: SecretValue((certificates.folder / name).read_text())


def from_file(certificates: SimpleNamespace, name: str) -> SecretValue:
    path = certificates.folder / name
    return SecretValue(path.read_text(), file=path)


def test_shows_a_certificate_that_is_in_files(
    guarded: TaxiiServer, make_feed: MakeFeed, certificates: SimpleNamespace
) -> None:
    auth = Auth(
        client_cert=from_file(certificates, "client.pem"),
        client_key=from_file(certificates, "client.key"),
    )
    feed = make_feed(url=guarded.url, auth=auth, ca=certificates.folder / "ca.pem")
    assert len(feed.collections()) == 1


def test_shows_a_certificate_from_the_environment_with_a_passphrase(
    guarded: TaxiiServer,
    make_feed: MakeFeed,
    certificates: SimpleNamespace,
    pem: Callable[[str], SecretValue],
) -> None:
    auth = Auth(
        client_cert=pem("client.pem"),
        client_key=pem("client-locked.key"),
        client_key_password=SecretValue(certificates.passphrase),
    )
    feed = make_feed(url=guarded.url, auth=auth, ca=certificates.folder / "ca.pem")
    assert len(feed.collections()) == 1


@pytest.mark.parametrize("name", [None, "foreign"])
def test_a_certificate_that_is_missing_or_foreign_is_refused(
    guarded: TaxiiServer,
    make_feed: MakeFeed,
    certificates: SimpleNamespace,
    pem: Callable[[str], SecretValue],
    name: str | None,
) -> None:
    shown = {"client_cert": pem(f"{name}.pem"), "client_key": pem(f"{name}.key")} if name else {}
    feed = make_feed(url=guarded.url, auth=Auth(**shown), ca=certificates.folder / "ca.pem")
    with pytest.raises((RefusedError, UnavailableError)) as raised:
        feed.collections()
    assert "auth.client_cert" in str(raised.value)


def test_an_unknown_authority_is_not_trusted(
    guarded: TaxiiServer, make_feed: MakeFeed, certificates: SimpleNamespace
) -> None:
    for ca in (None, certificates.folder / "stranger.pem"):
        with pytest.raises(UnavailableError, match="set ca to the PEM file of the authority"):
            make_feed(url=guarded.url, ca=ca).collections()


def test_a_certificate_for_another_name_is_not_trusted(
    guarded: TaxiiServer, make_feed: MakeFeed, certificates: SimpleNamespace
) -> None:
    url = guarded.url.replace("localhost", "127.0.0.1")
    with pytest.raises(UnavailableError, match="it is for another name: check the url"):
        make_feed(url=url, ca=certificates.folder / "ca.pem").collections()


def test_a_private_authority_replaces_the_public_ones(
    guarded: TaxiiServer,
    make_feed: MakeFeed,
    certificates: SimpleNamespace,
    pem: Callable[[str], SecretValue],
) -> None:
    auth = Auth(client_cert=pem("client.pem"), client_key=pem("client.key"))
    feed = make_feed(url=guarded.url, auth=auth, ca=certificates.folder / "ca.pem")
    feed.collections()
    manager = feed._client.session.get_adapter("https://").poolmanager
    [pool] = map(manager.pools.get, manager.pools.keys())
    context = pool.conn_kw["ssl_context"]
    assert [dict(ca["subject"][0])["commonName"] for ca in context.get_ca_certs()] == ["ca"]


def test_public_authorities_are_read_with_the_first_connection_over_tls(
    make_feed: MakeFeed,
    certificates: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To read them takes longer than all else of a start, and many feeds and targets need none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.folder / "server.pem", certificates.folder / "server.key")
    public = tmp_path / "public.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    with TaxiiServer(tls=context) as server:
        feed = make_feed(url=server.url)
        public.write_bytes((certificates.folder / "ca.pem").read_bytes())
        assert len(feed.collections()) == 1
        public.unlink()
        assert len(feed.collections()) == 1


def test_a_server_without_tls_is_named(server: TaxiiServer, make_feed: MakeFeed) -> None:
    with pytest.raises(UnavailableError, match="does not speak TLS"):
        make_feed(url=server.url.replace("http:", "https:")).collections()


@pytest.mark.parametrize(
    ("cert", "key", "password", "problem"),
    [
        ("client.pem", "client-locked.key", None, "auth.client_key_password is missing"),
        ("client.pem", "client-locked.key", "wrong", "is wrong for auth.client_key"),
        ("client.pem", "server.key", None, "does not belong to auth.client_cert"),
        ("client.pem", None, None, "both in PEM form"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_named(
    make_feed: MakeFeed,
    pem: Callable[[str], SecretValue],
    cert: str,
    key: str | None,
    password: str | None,
    problem: str,
) -> None:
    auth = Auth(
        client_cert=pem(cert),
        client_key=pem(key) if key else None,
        client_key_password=SecretValue(password) if password else None,
    )
    with pytest.raises(ConfigError, match=problem):
        make_feed(auth=auth)


def test_an_authority_that_cannot_be_read_is_named(
    make_feed: MakeFeed, certificates: SimpleNamespace
) -> None:
    with pytest.raises(ConfigError, match=r"ca: .* cannot be read: No such file"):
        make_feed(ca=certificates.folder / "none.pem")
    with pytest.raises(ConfigError, match="should be a PEM file of certificates"):
        make_feed(ca=certificates.folder / "client.key")


class _Tunnel(BaseHTTPRequestHandler):
    """A proxy that connects, as proxies do for TLS."""

    seen: ClassVar[list[str]] = []

    def do_CONNECT(self) -> None:
        self.seen.append(self.path)
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as far:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=self._pump, args=(far, self.connection))
            back.start()
            self._pump(self.connection, far)
            back.join()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


def test_shows_its_certificate_through_a_proxy(
    guarded: TaxiiServer,
    make_feed: MakeFeed,
    certificates: SimpleNamespace,
    pem: Callable[[str], SecretValue],
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Tunnel) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,))
        thread.start()
        feed = make_feed(
            url=guarded.url,
            auth=Auth(client_cert=pem("client.pem"), client_key=pem("client.key")),
            ca=certificates.folder / "ca.pem",
            proxy=f"http://127.0.0.1:{proxy.server_address[1]}",
        )
        try:
            assert len(feed.collections()) == 1
        finally:
            feed.close()
            proxy.shutdown()
            thread.join()
    assert _Tunnel.seen[-1] == guarded.origin.removeprefix("https://")
