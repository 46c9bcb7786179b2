"""What every decision takes besides claims: the lists, the allowlist and the feeds' terms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from connector.adapter import RuleAdapter
from connector.config.loading import Loaded
from connector.config.model import ListConfig
from connector.decisions.allowlist.allowlist import Allowlist, ExceptionRule, Warninglists
from connector.decisions.allowlist.groups import BuiltinGroup
from connector.decisions.mapping import Input
from connector.decisions.policy import ORIGINAL, PRODUCER, ListPolicy
from connector.decisions.selection import Choice, FeedDefaults, IndicatorAttributes, Select
from connector.decisions.verdict import sharing_of
from connector.indicators.confidence import readings
from connector.indicators.markings.acs_policy import Organisation
from connector.indicators.markings.applied import Viewer
from connector.indicators.markings.tlp import audience_limit
from connector.instants import Clock, span
from connector.model import Audience, ObservableType, RuleLanguage, Tlp
from connector.registry import Registry, release
from connector.service.allowlist import AllowlistInForce
from connector.service.own_hosts import OwnHosts
from connector.store.store import Store
from connector.sync.judge import Judge, background_of
from connector.sync.listing import Listing


@dataclass(frozen=True, slots=True)
class Decider:
    """The lists as configured, the allowlist in force, and each feed's defaults by its number.

    `ourselves` is for whom markings are read where no list asks.
    """

    loaded: Loaded
    store: Store
    now: Clock
    listings: Mapping[str, Listing]
    allowlist: AllowlistInForce
    defaults: Mapping[int, FeedDefaults]
    ourselves: Viewer

    def level(self, attributes: IndicatorAttributes, feed: int) -> Tlp:
        """Return how far an indicator of a feed may travel, as we ourselves see its markings."""
        said = background_of(attributes, feed, self.defaults, self.store)
        return sharing_of(said, self.ourselves, self.now()).level


def make_decider(
    loaded: Loaded,
    store: Store,
    now: Clock,
    languages: Mapping[str, frozenset[RuleLanguage]],
    hosts: OwnHosts | None = None,
    *,
    warninglists: Warninglists | None = None,
) -> Decider:
    """Return what decides as a file says; `languages` are those of the rules each output takes.

    `hosts` know the addresses that our own hosts had before a reload; `warninglists` are read from
    the files that the configuration names, where none are given.
    """
    defaults = _terms(store, loaded)
    allowlist = _allowlist(loaded, store, now, hosts, warninglists)
    listings = {}
    for name, listed in loaded.config.lists.items():
        policy = ListPolicy(
            name=name, purpose=listed.purpose, select=_select(listed),
            viewer=_viewer(loaded, listed), rank_by=tuple(rank.value for rank in listed.rank_by),
            defaults=defaults, shows=_shown(loaded, name),
            rules=_rules(loaded, languages, name),
        )  # fmt: skip
        number, judge = store.lists.open(name).number, Judge(policy, store, now)
        listings[name] = Listing(number, policy, judge, allowlist.made)
    ourselves = Viewer(_organisation(loaded), Audience.OWN, Tlp.RED)
    return Decider(loaded, store, now, listings, allowlist, defaults, ourselves)


def languages_taken(loaded: Loaded, registry: Registry) -> dict[str, frozenset[RuleLanguage]]:
    """Return the languages of rules that each output takes; an adapter is made only for rules."""
    return {name: _languages(loaded, registry, name) for name in loaded.config.outputs}


def _languages(loaded: Loaded, registry: Registry, output: str) -> frozenset[RuleLanguage]:
    config = loaded.config.outputs[output]
    if not registry.adapter(config.adapter).takes_rules:
        return frozenset()
    folder, types = loaded.config.publish_folder, loaded.config.types_of(output)
    adapter = cast(
        RuleAdapter[Any],
        registry.make_adapter(config.adapter, loaded.outputs[output], output, folder, types),
    )
    try:
        return frozenset(each for each in RuleLanguage if adapter.takes(each))
    finally:
        release(adapter)


def _rules(
    loaded: Loaded, languages: Mapping[str, frozenset[RuleLanguage]], listed: str
) -> frozenset[RuleLanguage]:
    """Return the rule languages that a list takes: those of its outputs."""
    outputs = loaded.config.outputs
    takers = [languages[name] for name, output in outputs.items() if output.list == listed]
    return frozenset[RuleLanguage]().union(*takers)


def _allowlist(
    loaded: Loaded,
    store: Store,
    now: Clock,
    hosts: OwnHosts | None,
    given: Warninglists | None,
) -> AllowlistInForce:
    hosts = hosts or OwnHosts()
    hosts.expect(loaded.own_hosts)

    def make(
        exceptions: Iterable[ExceptionRule], warninglists: Warninglists | None = None
    ) -> Allowlist:
        return loaded.make_allowlist(exceptions, warninglists or given, hosts.hosts)

    kept = BuiltinGroup.OWN_HOSTS not in loaded.config.allowlist.builtin.except_
    rules, change = store.exceptions.rules(now()), store.exceptions.change()
    return AllowlistInForce(make, rules, change, hosts if kept else None)


def _terms(store: Store, loaded: Loaded) -> dict[int, FeedDefaults]:
    defaults = {}
    for number, name in store.feeds().items():
        feed = loaded.config.feeds.get(name)
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
            unmarked=feed.unmarked_tlp, makes_objects=loaded.feeds[name].makes_objects,
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
    names = [name for name in outputs if outputs[name].list == listed]
    needs = frozenset(one for name in names for one in loaded.mappers[name].needs)
    shown = {one.removeprefix("context.") for one in needs if one.startswith("context.")}
    if Input.PRODUCER_NAME in needs:
        shown.add(PRODUCER)
    if any(loaded.outputs[name].wants_originals for name in names):
        shown |= {PRODUCER, ORIGINAL}
    return frozenset(shown)


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
