"""The hosts that a file names, and so depends on."""

from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from connector.config.machine_hosts import is_host
from connector.config.model import Config
from connector.settings import Settings

# Options of any adapter that name a host without a scheme.
_FOR_HOSTS: Final = frozenset({"host", "hosts", "server", "servers"})


def own_hosts(config: Config, options: Iterable[Settings]) -> frozenset[str]:
    """Return the hosts that a file names: blocking them would cut us off.

    They come from URLs, options for hosts, the database, and the clients that fetch lists.
    """
    hosts = {_host(text) for each in options for text in _texts(each.model_dump(), "")}
    hosts.add(_host(config.state.url))
    clients = [client.address for client in config.server.clients if client.address is not None]
    hosts |= {str(network) for network in clients if network.prefixlen}
    return frozenset(host for host in hosts if host)


def _texts(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, str):
        yield f"//{value}" if key in _FOR_HOSTS and "://" not in value else value
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from _texts(below, str(name))
    elif isinstance(value, list | tuple | set | frozenset):
        for below in value:
            yield from _texts(below, key)


def _host(text: str) -> str | None:
    try:
        host = urlsplit(text).hostname if "//" in text else None
    except ValueError:
        return None
    return host if host and is_host(host) else None
