"""Builds the service that a valid configuration describes."""

from collections.abc import Iterable, Mapping
from functools import partial
from hashlib import blake2b
from typing import Any

from connector import collect_seldom
from connector.config.loading import Loaded
from connector.config.model import FeedConfig, ListConfig, OutputConfig
from connector.decisions.allowlist.allowlist import (
    Allowlist,
    BuiltinGroup,
    ExceptionRule,
    Warninglists,
)
from connector.decisions.mapping import Input
from connector.decisions.plan import Limits
from connector.decisions.policy import ListPolicy
from connector.decisions.selection import Choice, FeedDefaults, Select
from connector.indicators.confidence import readings
from connector.indicators.markings.acs_policy import Organisation
from connector.indicators.markings.applied import Viewer
from connector.indicators.markings.tlp import audience_limit
from connector.ingest.configured_feed import ConfiguredFeed
from connector.instants import Clock, span, system_clock
from connector.model import Audience, ObservableType, RuleLanguage, Tlp
from connector.registry import Registry
from connector.service.allowlist import AllowlistInForce
from connector.service.feeds import Feeds
from connector.service.lists import Lists
from connector.service.outputs import Outputs
from connector.service.own_hosts import OwnHosts
from connector.service.service import Service
from connector.store.store import Store
from connector.sync.apply import Applier
from connector.sync.judge import Judge
from connector.sync.listing import Listing
from connector.sync.output import Output
from connector.sync.targets.kinds import target_of
from connector.sync.targets.target import Target


def build(
    loaded: Loaded,
    registry: Registry,
    store: Store,
    now: Clock = system_clock,
    applier: Applier | None = None,
    hosts: OwnHosts | None = None,
    *,
    polls: bool = True,
) -> Service:
    """Return the service that a configuration describes, on a store that is open and migrated.

    `hosts` know the addresses that our own hosts had before a reload. Without `polls` a feed is
    made only when it is first asked, by one thread. Raises ConfigError where one cannot be made.
    """
    collect_seldom()
    config = loaded.config
    feeds = {
        name: ConfiguredFeed(
            name, store.objects.feed_number(name), feed,
            partial(registry.make_feed, feed.type, loaded.feeds[name]),
        )
        for name, feed in config.feeds.items()
    }  # fmt: skip
    if polls:  # now: later several threads would, and a fault would meet the first that asks
        for configured in feeds.values():
            configured.open()
    defaults = _terms(store, config.feeds)
    hosts = hosts or OwnHosts()
    hosts.expect(loaded.own_hosts)
    allowlist = _allowlist(loaded, store, now, hosts)
    targets = {
        name: _target(name, output, loaded, registry) for name, output in config.outputs.items()
    }
    listings = {}
    for name, listed in config.lists.items():
        policy = ListPolicy(
            name=name, purpose=listed.purpose, select=_select(listed),
            viewer=_viewer(loaded, listed), rank_by=tuple(rank.value for rank in listed.rank_by),
            defaults=defaults, shows=_shown(loaded, name),
            rules=_rules(config.outputs, targets, name),
        )  # fmt: skip
        number, judge = store.lists.open(name).number, Judge(policy, store, now)
        listings[name] = Listing(number, policy, judge, allowlist.made)
    outputs = {
        name: _output(name, output, listings[output.list], loaded, targets[name])
        for name, output in config.outputs.items()
    }
    lists = Lists(listings, config.lists, store, now, allowlist)
    ourselves = Viewer(_organisation(loaded), Audience.OWN, Tlp.RED)
    return Service(
        loaded, store, now, Feeds(feeds, store, now, lists, defaults, ourselves), lists,
        Outputs(outputs, tuple(feeds), lists, store, now, applier or Applier(store, now)),
    )  # fmt: skip


def _rules(
    outputs: Mapping[str, OutputConfig], targets: Mapping[str, Target[Any]], listed: str
) -> frozenset[RuleLanguage]:
    """Return the rule languages that a list takes: those of its outputs."""
    takers = [targets[name] for name, output in outputs.items() if output.list == listed]
    return frozenset(language for target in takers for language in target.languages)


def _allowlist(loaded: Loaded, store: Store, now: Clock, hosts: OwnHosts) -> AllowlistInForce:
    def make(
        exceptions: Iterable[ExceptionRule], warninglists: Warninglists | None = None
    ) -> Allowlist:
        return loaded.make_allowlist(exceptions, warninglists, hosts.hosts)

    kept = BuiltinGroup.OWN_HOSTS not in loaded.config.allowlist.builtin.except_
    rules, change = store.exceptions.rules(now()), store.exceptions.change()
    return AllowlistInForce(make, rules, change, hosts if kept else None)


def _terms(store: Store, feeds: Mapping[str, FeedConfig]) -> dict[int, FeedDefaults]:
    defaults = {}
    for number, name in store.feeds().items():
        feed = feeds.get(name)
        if feed is None:
            defaults[number] = FeedDefaults(name, configured=False)
            continue
        bounds = {kind: feed.max_age_of(kind) for kind in (*ObservableType, *RuleLanguage)}
        ages = {kind: span(bound) for kind, bound in bounds.items() if bound is not None}
        authoritative = frozenset(feed.authoritative)
        defaults[number] = FeedDefaults(
            name, feed.default_confidence, ages, authoritative=authoritative,
            scale=readings(feed.confidence_scale), widest=feed.least_reach,
            max_confidence=feed.max_confidence, max_share=feed.max_share,
            unmarked=feed.unmarked_tlp,
        )  # fmt: skip
    return defaults


def _viewer(loaded: Loaded, listed: ListConfig) -> Viewer:
    """Return the viewer of a list: us, its audience, and the highest level it may have."""
    return Viewer(_organisation(loaded), listed.audience, _max_tlp(listed))


def _organisation(loaded: Loaded) -> Organisation:
    ours = loaded.config.organisation
    return Organisation(ours.nationality, frozenset(ours.codes), ours.entity)


def _shown(loaded: Loaded, listed: str) -> frozenset[str]:
    """Return what the mappings of a list's outputs show of context and producers."""
    outputs = loaded.config.outputs
    mappers = (loaded.mappers[name] for name in outputs if outputs[name].list == listed)
    needs = frozenset(one for mapper in mappers for one in mapper.needs)
    kinds = (one.removeprefix("context.") for one in needs if one.startswith("context."))
    return frozenset((*kinds, *(("producer",) if Input.PRODUCER_NAME in needs else ())))


def _select(listed: ListConfig) -> Select:
    chosen = listed.select
    return Select(
        feeds=frozenset(chosen.feeds or ()),
        types=frozenset(chosen.types or ()),
        min_confidence=chosen.min_confidence or 0,
        labels=Choice(frozenset(chosen.labels.any), frozenset(chosen.labels.none)),
        indicator_types=Choice(
            frozenset(chosen.indicator_types.any), frozenset(chosen.indicator_types.none)
        ),
        producers=Choice(frozenset(chosen.producers.any), frozenset(chosen.producers.none)),
        context=chosen.context.choice,
        opinions=chosen.opinions.rule,
        wide=frozenset(ObservableType(kind) for kind in listed.wide),
        min_sources=chosen.min_sources,
    )


def _max_tlp(listed: ListConfig) -> Tlp:
    """Return the audience's bound; only for ourselves may the file raise it to red."""
    bound, asked = audience_limit(listed.audience), listed.select.max_tlp
    if asked is None:
        return bound
    return asked if listed.audience is Audience.OWN else min(asked, bound)


def _target(name: str, config: OutputConfig, loaded: Loaded, registry: Registry) -> Target[Any]:
    folder, types = loaded.config.publish_folder, loaded.config.types_of(name)
    adapter = registry.make_adapter(config.adapter, loaded.outputs[name], name, folder, types)
    mapper = loaded.mappers[name]
    return target_of(name, adapter, None if mapper.blank else mapper, frozenset(config.types or ()))


def _output(
    name: str, config: OutputConfig, listing: Listing, loaded: Loaded, target: Target[Any]
) -> Output:
    options = loaded.outputs[name]
    said = config.model_dump_json() + options.model_dump_json()
    limits = config.limits
    always = limits.model_fields_set & {"max_remove_ratio", "max_add_ratio", "max_evict_ratio"}
    return Output(
        name, listing, target,
        Limits(
            limits.max_remove_ratio, limits.max_add_ratio, limits.max_add, limits.max_remove,
            frozenset(always), limits.max_evict_ratio,
        ),
        blake2b(said.encode(), digest_size=16).digest(),
        span(config.verify_every),
        limits.max_entries,
    )  # fmt: skip
