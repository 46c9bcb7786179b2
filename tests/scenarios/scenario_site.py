"""A site as an operator has it: a configuration file, a state, feeds and targets, and a clock."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from connector_edl import EdlAdapter
from connector_rules import RulesAdapter
from consistency import Held, assert_consistent
from firewall import FakeFirewall, Rack
from prometheus_client import CollectorRegistry, generate_latest
from stix_samples import START, Object, write_bundle

from connector.config.loading import Loaded, load
from connector.feed import Feed
from connector.feeds.bundle import BundleFeed
from connector.feeds.taxii.feed import TaxiiFeed
from connector.http.pace import Paces
from connector.instants import SECOND
from connector.registry import Registry
from connector.reports.look import look_of
from connector.reports.metrics import StatusCollector
from connector.reports.status import status
from connector.service.build import Runtime, build
from connector.service.once import RunResult, run_once
from connector.service.service import Service
from connector.service.state import open_store
from connector.settings import Settings
from connector.sync.apply import Applier

# Reserved addresses and names stand for real ones here, so the groups that protect them are out.
# The other groups and the default warninglists hold no sample value, and slow each start.
FREED = {
    "builtin": {
        "except": [
            "documentation", "special_purpose", "public_suffixes", "shared_hosting", "vital",
            "empty_files", "system_files",
        ]
    },
    "warninglists": [],
}  # fmt: skip
BLOCK_ALL: dict[str, Any] = {"purpose": "block"}


class Clock:
    """The service's clock, which only moves when told to."""

    def __init__(self, start: datetime = START) -> None:
        self.moment = start

    def __call__(self) -> int:
        return (self.moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    def advance(self, **amount: float) -> None:
        self.moment += timedelta(**amount)


class QuickRegistry(Registry):
    """The parts used here; HTTP clients do not pause between their tries."""

    def make_feed(
        self, name: str, settings: Settings, pause: Callable[[float], None] = time.sleep
    ) -> Feed[Any]:
        del pause
        return super().make_feed(name, settings, lambda _seconds: None)


def one_firewall(**limits: Any) -> dict[str, Any]:
    """One list that blocks everything, kept at one firewall."""
    edge: dict[str, Any] = {"list": "perimeter", "adapter": "firewall"}
    edge["options"] = {"device": "edge"}
    if limits:
        edge["limits"] = limits
    return {"lists": {"perimeter": BLOCK_ALL}, "outputs": {"edge": edge}}


class Site:
    """Everything of one installation below one folder; `open` starts the service on it."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.folder = folder
        self.clock = clock or Clock()
        (folder / "devices").mkdir(parents=True, exist_ok=True)
        self.rack = Rack(folder / "devices")
        self.registry = QuickRegistry(
            {"firewall": self.rack.adapter, "edl": EdlAdapter, "rules": RulesAdapter},
            {"bundle": BundleFeed, "taxii": TaxiiFeed},
            Paces(lambda: self.clock() / SECOND),
        )
        self._service: Service | None = None

    @property
    def config_path(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def bundles(self) -> Path:
        return self.folder / "bundles"

    def configure(self, **sections: Any) -> None:
        """Write the configuration: a folder of bundles as feed, unless `feeds` says otherwise."""
        self.bundles.mkdir(exist_ok=True)
        feed = {"type": "bundle", "path": "bundles/", "unmarked_tlp": "clear"}
        config = {
            "version": 1,
            "feeds": {"files": feed},
            "allowlist": FREED,
            **one_firewall(),
            **deepcopy(sections),
        }
        self.config_path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the configuration file."""
        config = yaml.safe_load(self.config_path.read_text(encoding="utf-8"))
        change(config)
        self.config_path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    def write(self, name: str, objects: Iterable[Mapping[str, Any]]) -> None:
        """Put a bundle into the folder, or replace one."""
        write_bundle(self.bundles / name, objects)

    def load(self) -> Loaded:
        return load(self.config_path, self.registry)

    def open(self) -> Service:
        """Start the service anew on what the disk holds."""
        self.close()
        loaded = self.load()
        store = open_store(loaded)
        applier = Applier(store, self.clock, sleep=lambda _seconds: None)
        self._service = build(loaded, self.registry, store, Runtime(self.clock, applier))
        return self._service

    @property
    def service(self) -> Service:
        """The running service; started when it is not."""
        return self._service or self.open()

    def close(self) -> None:
        if self._service is not None:
            self._service.close()
            self._service.store.close()
            self._service = None

    def once(self) -> RunResult:
        """What `connector run --once` does."""
        return run_once(self.service, lambda _what, _done, _all: None)

    def change(self) -> None:
        """A cycle of what changed: poll, refresh, sync, as the daemon does it."""
        for feed in self.service.feeds:
            self.service.feeds.poll(feed)
        for name in self.service.lists:
            self.service.lists.refresh(name)
        for output in self.service.outputs:
            self.service.outputs.sync(output)

    def consistent(self, *, settled: bool = True, decided: bool | None = None) -> None:
        """Fail where records, decisions and targets contradict each other."""
        assert_consistent(self.service, self.targets(), settled=settled, decided=decided)

    def targets(self) -> dict[str, Callable[[], Held]]:
        """What each target holds, seen with other eyes than the adapter's."""
        targets: dict[str, Callable[[], Held]] = {}
        for name, output in self.service.outputs.items():
            device = getattr(output.adapter, "device", None)
            if isinstance(device, FakeFirewall):
                targets[name] = lambda device=device: Held(device.entries(), device.by_hand)
        return targets

    def at(self, device: str = "edge") -> list[str]:
        """The values at a firewall, sorted."""
        return self.rack[device].values()

    def lines(self, file: str) -> list[str]:
        """The lines of a published list."""
        return (self.folder / "published" / file).read_text(encoding="utf-8").splitlines()

    def status(self) -> dict[str, Any]:
        return status(look_of(self.service))

    def metrics(self) -> str:
        """What monitoring reads."""
        registry = CollectorRegistry()
        registry.register(StatusCollector(self.status))
        return generate_latest(registry).decode()

    def reasons(self, listed: str = "perimeter") -> dict[str, int]:
        """The buckets of a list."""
        return next(part["reasons"] for part in self.status()["lists"] if part["name"] == listed)

    def output(self, name: str = "edge") -> dict[str, Any]:
        return next(part for part in self.status()["outputs"] if part["name"] == name)

    def feed(self, name: str = "files") -> dict[str, Any]:
        return next(part for part in self.status()["feeds"] if part["name"] == name)

    def idle(self) -> bool:
        """Whether a whole cycle would write nothing."""
        return all(self.service.outputs.propose(name).plan.empty for name in self.service.outputs)


def until(holds: Callable[[], object], seconds: float = 300) -> None:
    """Wait until something holds; fail when it never does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)


def forget_state(site: Site) -> None:
    """Lose the ledger: the state's files are gone."""
    site.close()
    for path in (site.folder / "state").iterdir():
        os.unlink(path)


__all__ = ["BLOCK_ALL", "FREED", "Clock", "Object", "Site", "forget_state", "one_firewall", "until"]
