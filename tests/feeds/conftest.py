"""What the tests of feeds share: a server, its client, and certificates made on the spot."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from connector.feeds.taxii.feed import TaxiiFeed, TaxiiSettings
from connector.http.client import Http
from connector.http.pace import Paces
from connector.testing.taxii.server import TaxiiServer

MakeFeed = Callable[..., TaxiiFeed]


@pytest.fixture
def server() -> Iterator[TaxiiServer]:
    with TaxiiServer() as running:
        yield running


@pytest.fixture
def make_feed(server: TaxiiServer) -> Iterator[MakeFeed]:
    """Makes feeds on the server, without pauses between tries."""
    made: list[TaxiiFeed] = []

    def make(**options: object) -> TaxiiFeed:
        settings = TaxiiSettings(
            **{"url": server.url, "read_timeout": timedelta(seconds=5), **options}
        )
        later = Paces(count(0, 7200).__next__)  # whoever asked us to wait has waited long enough
        feed = TaxiiFeed(settings, Http(settings, sleep=lambda _seconds: None, paces=later))
        made.append(feed)
        return feed

    yield make
    for feed in made:
        feed.close()


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A private authority, a certificate of `localhost`, and client certificates."""
    folder = tmp_path_factory.mktemp("certificates")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    for name in ("ca", "stranger"):
        _openssl(
            folder, "req", "-x509", *new_key, "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.pem",
        )  # fmt: skip
    (folder / "names.cnf").write_text("subjectAltName=DNS:localhost\n")
    for name, authority in (("server", "ca"), ("client", "ca"), ("foreign", "stranger")):
        _openssl(
            folder, "req", "-new", *new_key, "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr",
        )  # fmt: skip
        _openssl(
            folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem",
            "-CAkey", f"{authority}.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names.cnf", "-out", f"{name}.pem",
        )  # fmt: skip
    _openssl(
        folder, "pkcs8", "-topk8", "-in", "client.key", "-passout", "pass:open sesame",
        "-out", "client-locked.key",
    )  # fmt: skip
    return SimpleNamespace(folder=folder, passphrase="open sesame")
