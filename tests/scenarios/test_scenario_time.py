"""Time alone moves entries on and off lists, and only those are looked at again."""

from datetime import timedelta
from typing import Any

import pytest
from scenario_site import FREED, Site, one_firewall
from stix_samples import START, address, indicator, stamp

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
CROWD = [indicator(n, address(n)) for n in range(1, 301)]


def tick(site: Site, **amount: float) -> int:
    """Let time pass and look at what changed; return how many observables were looked at."""
    site.clock.advance(**amount)
    done = site.service.lists.refresh("perimeter")
    site.service.outputs.sync("edge")
    return done.considered


def among_many(site: Site, *special: dict[str, Any]) -> None:
    site.write("crowd.json", CROWD)
    site.write("special.json", special)
    site.once()


def shown(site: Site) -> set[str]:
    return set(site.at()) & {ONE, TWO, THREE}


def test_an_indicator_counts_from_valid_from_on(site: Site) -> None:
    site.configure()
    begins = stamp(START + timedelta(hours=5))
    among_many(site, indicator("a", ONE, valid_from=begins))
    assert shown(site) == set()
    assert site.reasons()["not_yet_valid"] == 1
    assert tick(site, hours=4, minutes=59) == 0
    assert shown(site) == set()
    assert tick(site, minutes=1) == 1
    assert shown(site) == {ONE}
    site.consistent()


def test_an_indicator_counts_until_just_before_valid_until(site: Site) -> None:
    site.configure()
    ends = stamp(START + timedelta(hours=5))
    among_many(site, indicator("a", ONE, valid_until=ends), indicator("b", TWO))
    assert tick(site, hours=4, minutes=59, seconds=59) == 0
    assert shown(site) == {ONE, TWO}
    assert tick(site, seconds=1) == 1
    assert shown(site) == {TWO}
    assert site.reasons()["expired"] == 1
    site.consistent()


def test_an_indicator_without_end_ages_by_the_bound_of_its_feed(site: Site) -> None:
    site.configure()
    bounds = {"ipv4-addr": "40d", "default": "365d"}
    site.edit(lambda config: config["feeds"]["files"].update(max_age=bounds))
    among_many(
        site,
        indicator("a", ONE),
        indicator("b", TWO, days=5),
        indicator("c", THREE, valid_until=stamp(START + timedelta(days=100))),
    )
    assert shown(site) == {ONE, TWO, THREE}
    assert tick(site, days=10) == 1
    assert shown(site) == {TWO, THREE}
    assert tick(site, days=5) == 1
    assert shown(site) == {THREE}
    site.consistent()


def test_an_update_renews_what_would_have_aged_away(site: Site) -> None:
    site.configure()
    site.edit(lambda config: config["feeds"]["files"].update(max_age="40d"))
    site.write("one.json", [indicator("a", ONE), indicator("b", TWO)])
    site.once()
    site.clock.advance(days=5)
    site.write("one.json", [indicator("a", ONE, days=35), indicator("b", TWO)])
    site.change()
    site.clock.advance(days=5)
    site.change()
    assert site.at() == [ONE]
    site.consistent()


def test_the_last_of_two_claims_to_end_decides(site: Site) -> None:
    site.configure()
    among_many(
        site,
        indicator("a", ONE, valid_until=stamp(START + timedelta(hours=1)), confidence=90),
        indicator("b", ONE, valid_until=stamp(START + timedelta(hours=2)), confidence=10),
    )
    assert tick(site, hours=1) == 1
    assert shown(site) == {ONE}
    assert site.reasons()["expired"] == 1
    assert tick(site, hours=1) == 1
    assert shown(site) == set()
    assert site.reasons()["expired"] == 2
    site.consistent()


def test_an_exception_ends_with_its_last_day(site: Site) -> None:
    exception = {"value": "192.0.2.0/30", "why": "migration", "until": "2026-03-02"}
    site.configure(allowlist={**FREED, "exceptions": [exception]})
    among_many(site, indicator("a", ONE), indicator("b", TWO))
    assert shown(site) == set()
    assert site.reasons()["allowlisted"] == 2
    assert tick(site, hours=35, minutes=59) == 0
    assert tick(site, minutes=1) == 2
    assert shown(site) == {ONE, TWO}
    site.consistent()


def test_what_the_feed_forgot_to_revoke_goes_by_age_while_it_is_down(
    site: Site, taxii: Any, taxii_feed: Any
) -> None:
    from connector.testing.taxii.faults import Status

    site.configure(feeds={"ais": taxii_feed(max_age="40d")}, **one_firewall())
    taxii.add_objects([indicator("a", ONE), indicator("b", TWO, days=20)])
    site.once()
    taxii.faults = [Status(code=503, path="/")]
    site.clock.advance(days=10)
    assert site.once().failures
    assert site.at() == [TWO]
    site.consistent()


@pytest.mark.parametrize("restarts", [False, True])
def test_a_restart_late_catches_up_with_the_clock(site: Site, restarts: bool) -> None:
    site.configure()
    ends = stamp(START + timedelta(hours=5))
    site.write("one.json", [indicator("a", ONE, valid_until=ends), indicator("b", TWO)])
    site.once()
    site.clock.advance(days=3)
    if restarts:
        site.open()
    site.change()
    assert site.at() == [TWO]
    site.consistent()


def test_only_what_changed_is_looked_at_and_written(site: Site) -> None:
    site.configure()
    among_many(site)
    writes = site.rack["edge"].writes
    site.write("special.json", [indicator("a", ONE), indicator(7, address(7), days=1)])
    site.service.feeds.poll("files")
    assert site.service.lists.refresh("perimeter").considered == 2
    site.service.outputs.sync("edge")
    assert site.rack["edge"].writes - writes <= 2
    assert shown(site) == {ONE}
    site.consistent()
