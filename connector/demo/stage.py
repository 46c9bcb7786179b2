"""The servers of the demo: a TAXII server, the daemon and its list server, all on loopback."""

import json
import socket
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from connector.config.loading import Loaded, load
from connector.daemon.daemon import Daemon
from connector.errors import ConfigError, UnavailableError
from connector.instants import utc_now
from connector.registry import Registry
from connector.reports.explain import explain_value
from connector.reports.values import Json
from connector.service.build import build
from connector.service.state import open_store
from connector.testing.samples import feed as sample_feed
from connector.testing.samples.ais_like import whole_feed
from connector.testing.taxii.server import ServedCollection, TaxiiServer

POLL: Final = timedelta(seconds=2)
# Few enough that their IPv4 addresses, from documentation ranges, are not those of the story.
INDICATORS: Final = 1500
_OLDEST: Final = timedelta(days=20)
_LOOK_SECONDS: Final = 0.05
_ANSWER_SECONDS: Final = 10.0
_PORTS_TRIED: Final = 5

_CONFIG: Final = """\
# The demo's configuration. Its sample data has reserved addresses and names, so the allowlist
# leaves out the group `documentation`, which a real one should keep.
version: 1
feeds:
  sample:
    type: taxii
    url: {taxii}
    collections: [indicators]
    every: 10s
allowlist:
  builtin: {{except: [documentation]}}
lists:
  addresses:
    purpose: block
    select: {{types: [ipv4-addr, ipv6-addr], min_confidence: 50, max_tlp: amber}}
  names:
    purpose: block
    select: {{types: [domain-name], min_confidence: 50, max_tlp: amber}}
  hunting:
    purpose: watch
    select: {{max_tlp: amber}}
outputs:
  firewall: {{list: addresses, adapter: edl, every: 10s, options: {{file: addresses.txt}}}}
  resolver: {{list: names, adapter: edl, every: 10s, options: {{file: names.txt}}}}
  siem:
    list: hunting
    adapter: edl
    every: 10s
    options: {{file: hunting.txt, types: [domain-name]}}
server: {{listen: "127.0.0.1:{port}"}}
"""


class Stage:
    """Everything that runs during the demo; `revoke` does what a producer would do."""

    def __init__(self, folder: Path, port: int, short_life: timedelta) -> None:
        self.config = folder / "config.yaml"
        self.failure: BaseException | None = None
        now = utc_now()
        self._told_of = sample_feed.Indicators(now, short_life).all()
        self.short_lived_until = now + short_life
        self.collection = ServedCollection(alias="indicators")
        self.taxii = TaxiiServer([self.collection])
        self.taxii.add_objects(whole_feed(INDICATORS, start=now - _OLDEST))
        self.taxii.add_objects(map(_raw, self._told_of))
        self.objects = len(self.collection.rows)
        self._port = port
        self.listening = port
        self._registry = Registry.installed()
        self._daemon: Daemon | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.taxii.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._daemon is not None and self._thread is not None:
            self._daemon.end()
            self._thread.join()
        self.taxii.close()

    def start(self) -> Loaded:
        """Write the configuration and start the daemon; raise the error if it cannot start."""
        if self._port:
            try:
                return self._started(self._port)
            except (ConfigError, UnavailableError) as error:
                raise UnavailableError(f"{error}: choose another with --port") from error
        for _attempt in range(_PORTS_TRIED):
            with suppress(UnavailableError):  # the port was free a moment ago, but is taken now
                return self._started(_free_port())
        return self._started(_free_port())

    def _started(self, port: int) -> Loaded:
        self.config.write_text(_CONFIG.format(taxii=self.taxii.url, port=port), encoding="utf-8")
        loaded = _faster(load(self.config, self._registry))
        self.listening, self.failure = port, None
        self._daemon = daemon = Daemon(self.config, self._registry)
        self._thread = threading.Thread(target=self._run, args=(daemon, loaded), name="daemon")
        self._thread.start()
        while not daemon.started.wait(_LOOK_SECONDS):
            if self.failure is not None:
                raise self.failure
        return loaded

    def _run(self, daemon: Daemon, loaded: Loaded) -> None:
        try:
            daemon.run(loaded)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread of the screen
            self.failure = error

    @property
    def lists_url(self) -> str:
        """Where firewalls fetch lists."""
        return f"http://127.0.0.1:{self.listening}/lists"

    def status(self) -> Json:
        """Return the response of /healthz."""
        answer: Json = json.loads(self._get("/healthz"))
        return answer

    def fetch(self, file: str) -> list[str]:
        """Return the lines that a firewall fetches."""
        return self._get(f"/lists/{file}").decode().splitlines()

    def _get(self, path: str) -> bytes:
        connection = HTTPConnection("127.0.0.1", self.listening, timeout=_ANSWER_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def explain(self, *values: str) -> list[Json]:
        """Return what `connector explain` says about each value while the daemon runs."""
        loaded = load(self.config, self._registry)
        with (
            closing(open_store(loaded, alone=False)) as store,
            closing(build(loaded, self._registry, store)) as service,
        ):
            return [explain_value(service.decider, value) for value in values]

    def revoke(self, value: str) -> str:
        """Revoke the indicator of a value at the TAXII server; return its id."""
        found = sample_feed.on(value, self._told_of)[0]
        self.taxii.add_objects([_raw(sample_feed.revoked(found, utc_now()))])
        return str(found.id)


def _raw(found: Any) -> bytes:
    if isinstance(found, Mapping) and not hasattr(found, "serialize"):
        return json.dumps(found).encode()
    text: str = found.serialize()
    return text.encode()


def _faster(loaded: Loaded) -> Loaded:
    """Poll more often than a file allows: the server is ours, and the viewer is waiting."""
    feeds = {
        name: feed.model_copy(update={"every": POLL}) for name, feed in loaded.config.feeds.items()
    }
    return replace(loaded, config=loaded.config.model_copy(update={"feeds": feeds}))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port
