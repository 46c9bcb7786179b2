"""A running list server, and one request to it."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from connector.server import ListServer
from connector.settings import SecretValue


@dataclass(frozen=True)
class KnownClient:
    name: str
    token: SecretValue | None = None
    address: IPv4Network | IPv6Network | None = None


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Asker:
    """Asks one server, each time over a new connection."""

    def __init__(self, server: ListServer) -> None:
        self.server = server
        self.host, _, port = server.url.removeprefix("http://").rpartition(":")
        self.port = int(port)

    def __call__(
        self, path: str, method: str = "GET", source: str = "127.0.0.1", **headers: str
    ) -> Answer:
        connection = http.client.HTTPConnection(
            self.host, self.port, timeout=300, source_address=(source, 0)
        )
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()


Serve = Callable[..., Asker]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts list servers on free ports, and ends them with the test."""
    with ExitStack() as stack:

        def start(
            *clients: KnownClient,
            folder: Path = tmp_path,
            status: Callable[[], dict[str, object]] = lambda: {"healthy": True},
            registry: CollectorRegistry | None = None,
        ) -> Asker:
            registry = registry or CollectorRegistry()
            server = ListServer("127.0.0.1:0", clients, folder, status, registry)
            server.start()
            stack.callback(server.stop)
            return Asker(server)

        yield start


@pytest.fixture
def by_token() -> KnownClient:
    return KnownClient("fw-01", token=SecretValue("s3cret:with colon"))


@pytest.fixture
def by_address() -> KnownClient:
    return KnownClient("fw-02", address=ip_network("127.0.0.2/32"))
