"""Adapters that outsiders wrote, from a feed to the target: enforced, revoked, restarted."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from stix_samples import indicator, revoked

from connector.feeds.bundle import BundleFeed

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path += [str(EXAMPLES / "connector_haproxy_map")]

from connector_haproxy_map import HaproxyMapAdapter  # noqa: E402 - it is not installed
from haproxy_host import HaproxyHost, haproxy  # noqa: E402 - the same

ONE, TWO, SIX = "203.0.113.7", "203.0.113.8", "2001:db8::7"
FEW = [indicator("a", ONE), indicator("b", TWO), indicator("c", SIX)]


def answers(host: HaproxyHost) -> list[int]:
    """What HAProxy answers to a client at each address."""
    return [host.status(client) for client in (ONE, TWO, SIX)]


@pytest.fixture
def host() -> Iterator[HaproxyHost]:
    with haproxy() as running:
        yield running


@pytest.fixture
def edge(site: Site, host: HaproxyHost) -> Site:
    """A site that keeps three addresses in the map of a real HAProxy."""
    site.registry = QuickRegistry({"haproxy_map": HaproxyMapAdapter}, {"bundle": BundleFeed})
    options = {"socket": str(host.socket), "map": str(host.map)}
    edge = {"list": "perimeter", "adapter": "haproxy_map", "options": options}
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": edge})
    site.write("one.json", FEW)
    return site


@pytest.mark.real_server
def test_haproxy_denies_what_a_feed_names_until_the_feed_takes_it_back(
    edge: Site, host: HaproxyHost
) -> None:
    plan = edge.service.outputs
    edge.change()
    assert answers(host) == [403, 403, 403]
    assert plan.propose("edge").plan.empty
    assert edge.output()["reasons"]["written"] == 3
    edge.write("two.json", [revoked(FEW[0])])
    edge.change()
    assert answers(host) == [200, 403, 403]
    assert edge.output()["reasons"]["written"] == 2
    assert edge.output()["reasons"]["revoked"] == 1
    assert edge.idle()


@pytest.mark.real_server
def test_a_plan_denies_nobody(edge: Site, host: HaproxyHost) -> None:
    edge.service.feeds.poll("files")
    edge.service.lists.refresh("perimeter")
    assert len(edge.service.outputs.propose("edge").plan.add) == 3
    assert answers(host) == [200, 200, 200]


@pytest.mark.real_server
def test_a_haproxy_that_restarted_is_filled_again_in_the_next_cycle(
    edge: Site, host: HaproxyHost
) -> None:
    edge.once()
    edge.change()
    host.restart()
    assert answers(host) == [200, 200, 200]
    edge.change()
    assert answers(host) == [403, 403, 403]
    assert edge.output()["drift"]["missing"] == 3
    assert edge.output()["state"] == "ok"


@pytest.mark.real_server
@pytest.mark.parametrize("harm", ["clear map {map}", "del map {map} " + TWO])
def test_a_map_that_others_emptied_is_filled_again_in_the_next_cycle(
    edge: Site, host: HaproxyHost, harm: str
) -> None:
    edge.once()
    edge.change()
    host.ask(harm.format(map=host.map))
    assert 200 in answers(host)
    edge.change()
    assert answers(host) == [403, 403, 403]


@pytest.mark.real_server
def test_what_an_administrator_denied_by_hand_stays_denied(edge: Site, host: HaproxyHost) -> None:
    host.ask(f"add map {host.map} {ONE} by-hand")
    edge.once()
    edge.write("two.json", [revoked(FEW[0]), revoked(FEW[1])])
    edge.change()
    assert answers(host) == [403, 200, 403]
    assert edge.output()["reasons"]["written"] == 1


@pytest.mark.real_server
def test_while_haproxy_is_away_the_output_fails_and_its_entries_stay_known(
    edge: Site, host: HaproxyHost
) -> None:
    edge.once()
    host.stop()
    assert str(host.socket) in edge.once().failures["output edge"]
    assert edge.output()["reasons"]["written"] == 3
    host.start()
    edge.once()
    assert answers(host) == [403, 403, 403]
