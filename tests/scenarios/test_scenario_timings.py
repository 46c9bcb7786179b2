"""How long it takes: from what a feed says, or from when it was due, to what the target holds."""

from collections.abc import Callable
from typing import Any

import pytest
from scenario_site import Site, one_firewall
from stix_samples import START, Object, indicator, revoked, stamp

from connector.errors import UnavailableError
from connector.testing.taxii.server import TaxiiServer

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
KNOWN = [indicator(n, f"192.0.2.{n}") for n in range(1, 5)]


@pytest.fixture
def polled(site: Site, taxii: TaxiiServer, taxii_feed: Callable[..., dict[str, Any]]) -> Site:
    site.configure(feeds={"ais": taxii_feed()}, **one_firewall())
    taxii.add_objects(KNOWN)
    site.change()
    assert len(site.at()) == 4
    return site


def slowly(site: Site) -> None:
    """Poll, and 5 seconds later decide, and 3 seconds later write."""
    site.service.feeds.poll("ais")
    site.clock.advance(seconds=5)
    site.service.lists.refresh("perimeter")
    site.clock.advance(seconds=3)
    site.service.outputs.sync("edge")


def gone(site: Site) -> dict[str, tuple[int, float]]:
    """How many entries went for each reason, and the seconds of all of them."""
    return took(site, "removal_seconds")


def took(site: Site, what: str) -> dict[str, tuple[int, float]]:
    found = site.output()[what]
    return {reason: (times["count"], times["sum"]) for reason, times in found.items()}


def test_a_removal_counts_from_when_its_revocation_was_read(
    polled: Site, taxii: TaxiiServer
) -> None:
    assert gone(polled) == {}
    polled.clock.advance(hours=1)
    taxii.add_objects([revoked(KNOWN[0]), revoked(KNOWN[1])])
    slowly(polled)
    assert polled.at() == [THREE, "192.0.2.4"]
    assert gone(polled) == {"revoked": (2, 16.0)}
    told = polled.metrics()
    edge = 'output="edge",reason="revoked"'
    assert f'connector_removal_seconds_bucket{{le="5.0",{edge}}} 0.0' in told
    assert f'connector_removal_seconds_bucket{{le="10.0",{edge}}} 2.0' in told
    assert f'connector_removal_seconds_bucket{{le="+Inf",{edge}}} 2.0' in told
    assert f"connector_removal_seconds_count{{{edge}}} 2.0" in told
    assert f"connector_removal_seconds_sum{{{edge}}} 16.0" in told
    polled.change()
    polled.open()
    polled.once()
    assert gone(polled) == {"revoked": (2, 16.0)}, "counted once, and kept over a restart"


def test_time_runs_on_while_a_removal_is_held(polled: Site, taxii: TaxiiServer) -> None:
    polled.edit(lambda config: config["outputs"]["edge"].update(limits={"max_remove": 1}))
    polled.open()
    taxii.add_objects([revoked(KNOWN[0]), revoked(KNOWN[1])])
    polled.service.feeds.poll("ais")
    polled.service.lists.refresh("perimeter")
    polled.service.outputs.sync("edge")
    held = polled.output()["held_plan"]
    polled.clock.advance(hours=1)
    polled.open()
    polled.service.lists.refresh("perimeter")
    assert gone(polled) == {}
    polled.service.outputs.accept(held, "ada")
    assert polled.at() == [THREE, "192.0.2.4"]
    assert gone(polled) == {"revoked": (2, 7200.0)}
    polled.consistent()


def test_time_runs_on_while_a_target_is_down(polled: Site, taxii: TaxiiServer) -> None:
    taxii.add_objects([revoked(KNOWN[0])])
    polled.rack["edge"].fault = UnavailableError("no route to host")
    for _ in range(3):
        polled.once()
        polled.clock.advance(minutes=10)
    assert gone(polled) == {}
    polled.rack["edge"].fault = None
    polled.once()
    assert polled.at() == [TWO, THREE, "192.0.2.4"]
    assert gone(polled) == {"revoked": (1, 1800.0)}


def test_what_expires_counts_from_when_it_was_due(site: Site) -> None:
    site.configure(**one_firewall(max_remove_ratio=1))
    ends = [stamp(START.replace(hour=hour)) for hour in (13, 14)]
    objects = [
        indicator("a", ONE, valid_until=ends[0]),
        indicator("b", TWO, valid_until=ends[0]),
        indicator("again", TWO, valid_until=ends[1]),
        indicator("c", THREE),
    ]
    site.write("one.json", objects)
    site.change()
    site.close()  # nobody is there when they end
    site.clock.advance(hours=5)
    site.once()
    assert site.at() == [THREE]
    assert gone(site) == {"expired": (2, 4 * 3600.0 + 3 * 3600.0)}


@pytest.mark.parametrize("asleep", [0, 600])
def test_what_becomes_valid_counts_from_when_it_was_due(site: Site, asleep: int) -> None:
    site.configure()
    later = indicator("b", TWO, valid_from=stamp(START.replace(hour=13)))
    site.write("one.json", [indicator("a", ONE), later])
    site.change()
    site.clock.advance(hours=1, seconds=asleep)
    site.change()
    assert site.at() == [ONE, TWO]
    assert took(site, "enforce_seconds") == {"wanted": (1, asleep)}


def test_an_addition_counts_from_when_it_was_read_and_a_first_fill_is_none(
    polled: Site, taxii: TaxiiServer
) -> None:
    assert took(polled, "enforce_seconds") == {}
    taxii.add_objects([indicator("new", "198.51.100.1"), indicator("more", "198.51.100.2")])
    slowly(polled)
    assert took(polled, "enforce_seconds") == {"wanted": (2, 16.0)}
    assert 'connector_enforce_seconds_sum{output="edge"} 16.0' in polled.metrics()
    polled.rack["edge"].take_by_hand(next(iter(polled.rack["edge"].entries())))
    polled.clock.advance(hours=7)
    polled.once()
    assert len(polled.at()) == 6, "put back"
    assert took(polled, "enforce_seconds") == {"wanted": (2, 16.0)}


def test_what_a_changed_policy_takes_off_counts_from_the_change(site: Site) -> None:
    site.configure()
    site.write("one.json", [indicator(n, f"192.0.2.{n}", confidence=10 * n) for n in range(1, 7)])
    site.change()
    site.clock.advance(days=1)
    select = {"min_confidence": 40}
    site.edit(lambda config: config["lists"]["perimeter"].update(select=select))
    site.open()
    site.service.lists.refresh("perimeter")
    site.clock.advance(seconds=9)
    site.change()
    assert gone(site) == {"deselected": (3, 27.0)}


def test_what_left_its_file_counts_from_when_that_was_seen(site: Site) -> None:
    objects: list[Object] = [indicator("a", ONE), indicator("b", TWO)]
    site.configure()
    site.write("one.json", objects)
    site.change()
    site.clock.advance(days=1)
    site.write("one.json", objects[1:])
    site.service.feeds.poll("files")
    site.clock.advance(seconds=4)
    site.change()
    assert gone(site) == {"withdrawn": (1, 4.0)}
