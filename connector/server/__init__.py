"""List server, health and metrics."""

from connector.server.clients import Client
from connector.server.connections import Bounds
from connector.server.fetches import Fetch
from connector.server.listserver import ListServer
from connector.server.open_files import raise_file_limit

__all__ = ["Bounds", "Client", "Fetch", "ListServer", "raise_file_limit"]
