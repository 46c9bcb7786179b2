"""A client as the configuration names it, and one who asks a list server."""

import http.client
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from connector.server import ListServer
from connector.settings import SecretValue


@dataclass(frozen=True)
class KnownClient:
    name: str
    token: SecretValue | None = None
    address: IPv4Network | IPv6Network | None = None
    certificate: str | None = None


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Asker:
    """Asks one server, each time over a new connection."""

    def __init__(self, server: ListServer) -> None:
        self.server = server
        self.host, _, port = server.url.partition("://")[2].rpartition(":")
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
