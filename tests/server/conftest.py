"""A running list server, and one request to it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import ip_network
from pathlib import Path

import pytest
from list_asker import Asker, KnownClient
from prometheus_client import CollectorRegistry

from connector.http.serving import ServerTls
from connector.server import ConnectionBounds, KeptFiles, ListServer
from connector.settings import SecretValue

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
            bounds: ConnectionBounds | None = None,
            kept: KeptFiles | None = None,
            tls: ServerTls | None = None,
        ) -> Asker:
            registry = registry or CollectorRegistry()
            server = ListServer("127.0.0.1:0", clients, folder, status, registry, bounds, kept, tls)
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
