"""List server, health and metrics."""

from connector.server.clients import Client
from connector.server.fetches import Fetch
from connector.server.listserver import ListServer

__all__ = ["Client", "Fetch", "ListServer"]
