"""The list server, health and metrics."""

from connector.server.authentication import Client
from connector.server.connections import ConnectionBounds
from connector.server.fetches import Fetch
from connector.server.lists import KeptFiles
from connector.server.listserver import ListServer
from connector.server.open_files import raise_file_limit

__all__ = ["Client", "ConnectionBounds", "Fetch", "KeptFiles", "ListServer", "raise_file_limit"]
