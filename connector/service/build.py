"""Builds the service that a valid configuration describes."""

import time
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any

from connector import collect_seldom
from connector.adapter import Adapter
from connector.adapter.stopping import Stop
from connector.config.loading import Loaded
from connector.decisions.limits import Limits
from connector.ingest.configured_feed import ConfiguredFeed
from connector.instants import SECOND, Clock, span, system_clock
from connector.registry import Registry
from connector.service.cleaning import AutomaticCleaning, Cleaner
from connector.service.decider import make_decider
from connector.service.feeds import Feeds
from connector.service.lists import Lists
from connector.service.outputs import Outputs
from connector.service.own_hosts import OwnHosts
from connector.service.places import PlaceKeeper, Settler
from connector.service.service import Service
from connector.store.outputs.texts import KeptTexts
from connector.store.store import Store
from connector.sync.apply import Applier
from connector.sync.calls import Calls
from connector.sync.device import Device
from connector.sync.listing import Listing
from connector.sync.output import Output, Rollout
from connector.sync.targets.kinds import target_of
from connector.sync.targets.target import Target


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a service runs with, whatever its file says.

    `hosts` know the addresses that our own hosts had before a reload, and `calls` what adapters
    were doing.
    """

    now: Clock = system_clock
    applier: Applier | None = None
    hosts: OwnHosts | None = None
    calls: Calls = field(default_factory=Calls)


def build(
    loaded: Loaded,
    registry: Registry,
    store: Store,
    runtime: Runtime | None = None,
    *,
    polls: bool = True,
) -> Service:
    """Return the service that a configuration describes, on a store that is open and migrated.

    Without `polls` a feed is made only when it is first asked, by one thread. Raises ConfigError
    where one cannot be made.
    """
    collect_seldom()
    runtime = runtime or Runtime()
    config, stop, now, calls = loaded.config, Stop(), runtime.now, runtime.calls
    feeds = {
        name: ConfiguredFeed(
            name, store.objects.feed_number(name), feed,
            partial(registry.make_feed, feed.type, loaded.feeds[name], stop.pause),
        )
        for name, feed in config.feeds.items()
    }  # fmt: skip
    if polls:  # now: later several threads would, and a fault would meet the first that asks
        for configured in feeds.values():
            configured.open()
    maker = _OutputMaker(loaded, registry, store, stop, calls)
    targets = {name: maker.target(name) for name in config.outputs}
    languages = {name: target.languages for name, target in targets.items()}
    decider = make_decider(loaded, store, now, languages, runtime.hosts)
    outputs = {
        name: maker.output(name, decider.listings[output.list], targets[name])
        for name, output in config.outputs.items()
    }
    applier = runtime.applier or Applier(store, now, stop.pause)
    numbers = {name: output.listing.number for name, output in outputs.items()}
    keeper = PlaceKeeper(Settler(loaded, registry, store, now, numbers))
    cleaner = Cleaner(loaded, registry, store, now, applier)
    lists = Lists(decider.listings, config.lists, store, now, decider.allowlist)
    polled = Feeds(feeds, store, now, lists)
    polled.stopped = lists.stopped = applier.stopped = stop.asked
    return Service(
        loaded, store, now, polled, lists,
        Outputs(
            outputs, tuple(feeds), lists, store, now, applier, keeper,
            AutomaticCleaning(cleaner, keeper, outputs),
            time.monotonic if now is system_clock else lambda: now() / SECOND,
        ),
        decider, stop, calls,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _OutputMaker:
    """Makes the outputs of a configuration; those at one device share it."""

    loaded: Loaded
    registry: Registry
    store: Store
    stop: Stop
    calls: Calls
    devices: dict[tuple[str, str], Device] = field(default_factory=dict)

    def target(self, name: str) -> Target[Any]:
        """Return the target of an output, with its adapter."""
        loaded, config = self.loaded, self.loaded.config.outputs[name]
        folder, mapper = loaded.config.publish_folder, loaded.mappers[name]
        adapter = self.registry.make_adapter(
            config.adapter, loaded.outputs[name], name, folder, loaded.config.types_of(name),
            self.stop.pause, KeptTexts(self.store.database, name), mapper.names,
        )  # fmt: skip
        types = frozenset(config.types or ())
        target = target_of(name, adapter, None if mapper.blank else mapper, types)
        target.calls = self.calls.of(name, config.deadlines.seconds)
        return target

    def output(self, name: str, listing: Listing, target: Target[Any]) -> Output:
        """Return an output as configured."""
        config, options = self.loaded.config.outputs[name], self.loaded.outputs[name]
        said = config.model_dump_json() + options.model_dump_json()
        limits = config.limits
        return Output(
            name, listing, target,
            Limits(
                limits.max_remove_ratio, limits.max_add_ratio, limits.max_evict_ratio,
                limits.max_add, limits.max_remove, limits.window, limits.small,
            ),
            blake2b(said.encode(), digest_size=16).digest(),
            span(config.verify_every),
            limits.max_entries,
            self._device(config.adapter, target.adapter),
            Rollout(config.rollout.after, span(config.rollout.wait)) if config.rollout else None,
        )  # fmt: skip

    def _device(self, kind: str, adapter: Adapter[Any]) -> Device | None:
        """Return what an output shares with others of its kind at the same device."""
        name = adapter.shares()
        if not name:
            return None
        device = self.devices.setdefault((kind, name), Device())
        adapter.context.session = device.session
        return device
