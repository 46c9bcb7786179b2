"""The connections that stand: how many, from where, and which makes room for the next."""

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

# A connection may have a list open beside it, and feeds, outputs and the state need files too.
_SHARE_OF_FILES: Final = 4
_FULL_SECONDS: Final = 60.0
_SITE_BITS: Final = 64  # what one IPv6 host may choose its addresses from


@dataclass(frozen=True, slots=True)
class ConnectionBounds:
    """What one side may take of the list server; times are in seconds.

    `request` is for a request to be complete, counted from the connection or from the answer
    before it; `stalled` for a reader to take what the server has ready for it. One that has been
    stalled for `patience` makes room where there is none.
    """

    in_all: int = 1000
    per_address: int = 100
    request: float = 10.0
    stalled: float = 60.0
    patience: float = 5.0

    @property
    def connections(self) -> int:
        """How many may stand: as asked, and never more than a share of the files we may open."""
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
    OUT_OF_FILES = "out_of_files"


_WANTS_ROOM: Final = frozenset({Closed.FULL, Closed.ADDRESS_FULL, Closed.OUT_OF_FILES})
# Nothing that anybody has to hear of is missing here: a client may keep a connection for a while.
_WHAT: Final = {
    Closed.FULL: "all connections are in use; the longest-waiting ones make room",
    Closed.ADDRESS_FULL: "one address has all the connections that it may have: those that waited "
    "longest make room; many clients behind one address need server.max_connections_per_address",
    Closed.SLOW_REQUEST: "requests were not complete in time",
    Closed.STALLED: "answers were not read",
    Closed.TOO_LARGE: "requests had too many bytes or headers, or too many came at once",
    Closed.NOT_HTTP: "requests were not HTTP",
    Closed.OUT_OF_FILES: "no connection can be accepted for the moment: raise LimitNOFILE",
}


class Standing(Protocol):
    """A connection as the bounds see it."""

    @property
    def address(self) -> str:
        """Where it comes from, as far as one side can choose."""

    def overdue(self, now: float) -> Closed | None:
        """Return why it has to be closed by now; None where it may stay."""

    def makes_room(self, now: float) -> bool:
        """Return whether it waits for the other side, so that closing it interrupts nothing."""

    def drop(self) -> None:
        """Close it at once, whatever is unsent."""


class Connections(Collector):
    """Keeps connections within their bounds and tells of it; used from one event loop."""

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
        """Return whether there is room for one more, or one that waits could make some."""
        now = self.now()
        return len(self._all) < self.most or any(one.makes_room(now) for one in self._all)

    def has_room_for(self, address: str) -> bool:
        """Return whether one more may come from here, after one that waits made room for it."""
        near = self._from.get(address, OrderedDict())
        if len(near) >= self.bounds.per_address and not self._make_room(near, Closed.ADDRESS_FULL):
            return False
        return len(self._all) < self.most or self._make_room(self._all, Closed.FULL)

    def _make_room(self, among: Iterable[Standing], why: Closed) -> bool:
        """Close the one that waited longest for its other side; False where none waits."""
        now = self.now()
        self.note(why)
        oldest = next((one for one in among if one.makes_room(now)), None)
        if oldest is None:
            return False
        self.remove(oldest)
        oldest.drop()
        return True

    def add(self, connection: Standing) -> None:
        """Count a connection."""
        self._all[connection] = None
        self._from.setdefault(connection.address, OrderedDict())[connection] = None

    def progressed(self, connection: Standing) -> None:
        """Note that a connection got on: a request was complete, or an answer was."""
        if connection in self._all:
            self._all.move_to_end(connection)
            self._from[connection.address].move_to_end(connection)

    def remove(self, connection: Standing) -> None:
        """Forget a connection; one that is forgotten already is no error."""
        if connection in self._all:
            del self._all[connection]
            near = self._from[connection.address]
            del near[connection]
            if not near:
                del self._from[connection.address]

    def note(self, why: Closed) -> None:
        """Count what was closed or refused, and tell of it once in a while."""
        self._closed[why] += 1
        if why in _WANTS_ROOM:
            self._full_until = self.now() + _FULL_SECONDS
        if why in _WHAT and (untold := self._seldom.untold(why)) is not None:
            log.warning(
                "server.closed", why=why.value, what=_WHAT[why], connections=len(self._all),
                most=self.most, untold=untold,
            )  # fmt: skip

    async def watch(self, seconds: float = 0.5) -> None:
        """Close what is overdue, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            self.close_overdue()

    def close_overdue(self) -> None:
        """Close what waited for the other side for too long."""
        now = self.now()
        for connection in list(self._all):
            if (why := connection.overdue(now)) is not None:
                self.note(why)
                self.remove(connection)
                connection.drop()

    @property
    def is_full(self) -> bool:
        """Whether there was no room for a connection within the last minute."""
        return self.now() < self._full_until

    def facts(self) -> dict[str, object]:
        """Return how many stand, whether that is all there may be, and what was closed and why."""
        return {
            "state": "full" if self.is_full else "ok",
            "connections": len(self._all),
            "max_connections": self.most,
            "closed": {why.value: count for why, count in dict(self._closed).items()},
        }

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, as the registry asks for them."""
        yield GaugeMetricFamily(
            "connector_server_connections", "Connections to the list server.", value=len(self._all)
        )
        yield GaugeMetricFamily(
            "connector_server_max_connections", "Connections it accepts at most.", value=self.most
        )
        yield GaugeMetricFamily(
            "connector_server_full",
            "Whether connections were closed for want of room within the last minute.",
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
    """Return what one side is counted by: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ip_network((found, _SITE_BITS), strict=False))
