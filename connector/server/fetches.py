"""Who fetched which version when: the only read-back there is for devices without an API."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connector.instants import utc_now


@dataclass(frozen=True, slots=True)
class Fetch:
    """The last time one client fetched one list, and the version it has had since."""

    client: str
    list: str
    at: datetime
    status: int
    etag: str


class FetchLog(Collector):
    """Keeps the last fetch of each client and list, counts all, and exports them as metrics."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._lock = Lock()
        self._last: dict[tuple[str, str], tuple[datetime, int, str]] = {}
        self._counts: dict[tuple[str, str, int], int] = {}
        self._refused = 0

    def note(self, client: str, name: str, status: int, etag: str) -> None:
        """Record a response after which the client has this version."""
        with self._lock:
            self._last[client, name] = self._clock(), status, etag
            self._counts[client, name, status] = self._counts.get((client, name, status), 0) + 1

    def note_refusal(self) -> None:
        """Count a refused request."""
        with self._lock:
            self._refused += 1

    def fetches(self) -> tuple[Fetch, ...]:
        """Return the last fetch of each client and list."""
        with self._lock:
            return tuple(
                Fetch(client, name, at, status, etag)
                for (client, name), (at, status, etag) in self._last.items()
            )

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics for the registry."""
        with self._lock:
            last, counts, refused = dict(self._last), dict(self._counts), self._refused
        fetched = CounterMetricFamily(
            "connector_list_fetches",
            "Responses to clients that fetch lists.",
            labels=("client", "list", "status"),
        )
        for (client, name, status), count in counts.items():
            fetched.add_metric((client, name, str(status)), count)
        yield fetched
        when = GaugeMetricFamily(
            "connector_list_last_fetch_timestamp_seconds",
            "When a client last fetched a list.",
            labels=("client", "list"),
        )
        for (client, name), (at, _status, _etag) in last.items():
            when.add_metric((client, name), at.timestamp())
        yield when
        yield CounterMetricFamily(
            "connector_list_refusals", "Requests without valid credentials.", value=refused
        )
