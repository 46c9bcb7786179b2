"""The open connections: how many, from where, and which one makes room for the next."""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connector.log import log
from connector.server.open_files import file_limit
from connector.server.seldom import Seldom

# A connection may also have a list open, and feeds, outputs and the state need files too.
_SHARE_OF_FILES: Final = 4
_FULL_SECONDS: Final = 60.0
_SITE_BITS: Final = 64  # one IPv6 host can choose any address in its /64


@dataclass(frozen=True, slots=True)
class ConnectionBounds:
    """The limits on what clients may use of the list server; times are in seconds.

    A request must be complete within `request`, counted from the connection or the previous
    response; a reader must take what is ready within `stalled`. When there is no room, a reader
    stalled for `patience` is closed.
    """

    in_all: int = 1000
    per_address: int = 100
    request: float = 10.0
    stalled: float = 60.0
    patience: float = 5.0

    @property
    def connections(self) -> int:
        """The maximum number: as configured, but never more than a share of the open-file limit."""
        return max(1, min(self.in_all, file_limit() // _SHARE_OF_FILES))


class Closed(StrEnum):
    """Why the server closed or refused a connection, or refused a request."""

    FULL = "full"
    ADDRESS_FULL = "address_full"
    IDLE = "idle"
    SLOW_REQUEST = "slow_request"
    STALLED = "stalled"
    TOO_LARGE = "too_large"
    NOT_HTTP = "not_http"
    NOT_TLS = "not_tls"
    HANDSHAKE = "handshake"
    OUT_OF_FILES = "out_of_files"


_WANTS_ROOM: Final = frozenset({Closed.FULL, Closed.ADDRESS_FULL, Closed.OUT_OF_FILES})
# Reasons not listed here need no report: a client may keep a connection for a while.
_WHAT: Final = {
    Closed.FULL: "all connections are in use; those idle the longest are closed",
    Closed.ADDRESS_FULL: "one address has reached its maximum of connections; those idle the "
    "longest are closed; for many clients behind one address raise "
    "server.max_connections_per_address",
    Closed.SLOW_REQUEST: "requests were not complete in time",
    Closed.STALLED: "responses were not read",
    Closed.TOO_LARGE: "requests had too many bytes or headers, or too many were sent at once",
    Closed.NOT_HTTP: "requests were not HTTP",
    Closed.NOT_TLS: "requests were plain HTTP, or anything but TLS; server.tls serves HTTPS only",
    Closed.HANDSHAKE: "TLS handshakes failed: no version in common, or a certificate that is not "
    "trusted, of the client by server.tls.client_ca or ours by the client",
    Closed.OUT_OF_FILES: "no more connections can be accepted now: raise LimitNOFILE",
}


class Standing(Protocol):
    """A connection as the limits see it."""

    @property
    def address(self) -> str:
        """Where it comes from: the part of the address that a client cannot choose."""

    def overdue(self, now: float) -> Closed | None:
        """Return why it must be closed now, or None if it may stay."""

    def makes_room(self, now: float) -> bool:
        """Return whether it is waiting for the client, so that closing it interrupts nothing."""

    def drop(self) -> None:
        """Close it at once, discarding unsent data."""


class Connections(Collector):
    """Keeps connections within their limits and reports it; used from one event loop."""

    def __init__(
        self, bounds: ConnectionBounds, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.bounds = bounds
        self.most = bounds.connections
        self.now = monotonic
        self._all: OrderedDict[Standing, None] = OrderedDict()  # longest without progress first
        self._from: dict[str, OrderedDict[Standing, None]] = {}
        self._closed: Counter[Closed] = Counter()
        self._full_until = float("-inf")
        self._seldom = Seldom(monotonic=monotonic)

    def __len__(self) -> int:
        return len(self._all)

    def has_room(self) -> bool:
        """Return whether there is room for one more, or could be by closing an idle one."""
        now = self.now()
        return len(self._all) < self.most or any(one.makes_room(now) for one in self._all)

    def has_room_for(self, address: str) -> bool:
        """Return whether one more may come from here, closing an idle one for it if needed."""
        near = self._from.get(address, OrderedDict())
        if len(near) >= self.bounds.per_address and not self._make_room(near, Closed.ADDRESS_FULL):
            return False
        return len(self._all) < self.most or self._make_room(self._all, Closed.FULL)

    def _make_room(self, among: Iterable[Standing], why: Closed) -> bool:
        """Close the one that has been idle the longest; return False if none is idle."""
        now = self.now()
        self.note(why)
        oldest = next((one for one in among if one.makes_room(now)), None)
        if oldest is None:
            return False
        self.remove(oldest)
        oldest.drop()
        return True

    def add(self, connection: Standing, instead_of: Standing | None = None) -> None:
        """Count a connection, in the place of what it has come of."""
        if instead_of is not None:
            self.remove(instead_of)
        self._all[connection] = None
        self._from.setdefault(connection.address, OrderedDict())[connection] = None

    def progressed(self, connection: Standing) -> None:
        """Note progress on a connection: a complete request or response."""
        if connection in self._all:
            self._all.move_to_end(connection)
            self._from[connection.address].move_to_end(connection)

    def remove(self, connection: Standing) -> None:
        """Forget a connection; forgetting it twice is no error."""
        if connection in self._all:
            del self._all[connection]
            near = self._from[connection.address]
            del near[connection]
            if not near:
                del self._from[connection.address]

    def note(self, why: Closed, said: str = "") -> None:
        """Count a closed or refused connection, and log it from time to time."""
        self._closed[why] += 1
        if why in _WANTS_ROOM:
            self._full_until = self.now() + _FULL_SECONDS
        if why in _WHAT and (untold := self._seldom.untold(why)) is not None:
            what = f"{_WHAT[why]} ({said})" if said else _WHAT[why]
            log.warning(
                "server.closed", why=why.value, what=what, connections=len(self._all),
                most=self.most, untold=untold,
            )  # fmt: skip

    async def watch(self, seconds: float = 0.5) -> None:
        """Close overdue connections until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            self.close_overdue()

    def close_overdue(self) -> None:
        """Close connections that have waited for the client too long."""
        now = self.now()
        for connection in list(self._all):
            if (why := connection.overdue(now)) is not None:
                self.note(why)
                self.remove(connection)
                connection.drop()

    def drop_all(self) -> None:
        """Close all that are left."""
        for connection in list(self._all):
            self.remove(connection)
            connection.drop()

    @property
    def is_full(self) -> bool:
        """Whether there was no room for a connection within the last minute."""
        return self.now() < self._full_until

    def facts(self) -> dict[str, object]:
        """Return how many are open, whether that is the maximum, and what was closed and why."""
        return {
            "state": "full" if self.is_full else "ok",
            "connections": len(self._all),
            "max_connections": self.most,
            "closed": {why.value: count for why, count in dict(self._closed).items()},
        }

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics for the registry."""
        yield GaugeMetricFamily(
            "connector_server_connections", "Connections to the list server.", value=len(self._all)
        )
        yield GaugeMetricFamily(
            "connector_server_max_connections", "Maximum number of connections.", value=self.most
        )
        yield GaugeMetricFamily(
            "connector_server_full",
            "Whether connections were closed for lack of room within the last minute.",
            value=float(self.is_full),
        )
        closed = CounterMetricFamily(
            "connector_server_closed", "Connections closed or refused.", labels=("why",)
        )
        counted = dict(self._closed)
        for why in Closed:
            closed.add_metric((why.value,), counted.get(why, 0))
        yield closed


def site_of(address: str) -> str:
    """Return the unit in which clients are counted: an IPv4 address, or an IPv6 /64."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ip_network((found, _SITE_BITS), strict=False))
