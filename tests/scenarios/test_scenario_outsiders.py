"""Adapters that outsiders wrote, from a feed to the target: enforced, revoked, restarted."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from stix_samples import indicator, revoked

from connector.adapter import Adapter, OutputContext
from connector.feeds.bundle import BundleFeed
from connector.http.client import Http
from connector.testing.http_target import Fault

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path += [str(EXAMPLES / name) for name in ("connector_haproxy_map", "connector_palisade")]

from connector_haproxy_map import HaproxyMapAdapter  # noqa: E402 - it is not installed
from connector_palisade import PalisadeAdapter  # noqa: E402 - the same
from haproxy_host import HaproxyHost, haproxy  # noqa: E402 - the same
from palisade_target import PASSWORD, USER, Palisade  # noqa: E402 - the same

ONE, TWO, SIX = "203.0.113.7", "203.0.113.8", "2001:db8::7"
FEW = [indicator("a", ONE), indicator("b", TWO), indicator("c", SIX)]


NAMES = [indicator(number, f"n{number}.bad.example") for number in range(120)]


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


class Unhurried(QuickRegistry):
    """Has no adapter pause, neither between its tries nor while a task runs."""

    def make_adapter(
        self, name: str, settings: Any, output: str, folder: Path, *_: Any
    ) -> Adapter[Any]:
        http = Http(settings, sleep=lambda _seconds: None)
        context = OutputContext(output, folder, http=http, sleep=lambda _seconds: None)
        return self.adapter(name)(settings, context)


@pytest.fixture
def firewall() -> Iterator[Palisade]:
    with Palisade() as running:
        yield running


@pytest.fixture
def managed(site: Site, firewall: Palisade, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site that keeps 120 names on a firewall with sessions, stages and tasks."""
    monkeypatch.setenv("PALISADE_PASSWORD", PASSWORD)
    site.registry = Unhurried({"palisade": PalisadeAdapter}, {"bundle": BundleFeed})
    options = {"url": firewall.url, "user": USER, "password": {"env": "PALISADE_PASSWORD"}}
    edge = {"list": "perimeter", "adapter": "palisade", "options": options}
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": edge})
    site.write("one.json", NAMES)
    return site


def written(site: Site) -> int:
    return int(site.output()["reasons"].get("written", 0))


def test_a_firewall_blocks_what_a_feed_names_until_the_feed_takes_it_back(
    managed: Site, firewall: Palisade
) -> None:
    managed.change()
    assert (len(firewall.blocks()), written(managed)) == (120, 120)
    managed.write("two.json", [revoked(one) for one in NAMES[:10]])
    managed.change()
    assert (len(firewall.blocks()), written(managed)) == (110, 110)
    assert managed.output()["reasons"]["revoked"] == 10
    assert managed.idle()


@pytest.mark.parametrize(
    ("fault", "on"),
    [
        (Fault.SESSION_ENDS, "/add"), (Fault.SESSION_ENDS, "/publish"), (Fault.AWAY, "/publish"),
        (Fault.RESET_AFTER, "/publish"), (Fault.SESSION_ENDS, "/tasks/"), (Fault.BUSY, "/add"),
        (Fault.ERROR_PAGE, "/add"), (Fault.HALF_JSON, "/add"), (Fault.RESET_AFTER, "/lock"),
        (Fault.RESET_AFTER, "/logout"), (Fault.AWAY, "/revision"), (Fault.BUSY, "/login"),
    ],
)  # fmt: skip
def test_whatever_breaks_a_unit_of_work_all_of_it_is_there_in_the_end(
    managed: Site, firewall: Palisade, fault: Fault, on: str
) -> None:
    assert firewall.fail(fault, on, after=1 if on == "/add" else 0)
    managed.change()
    assert managed.output()["state"] == "ok"
    assert (len(firewall.blocks()), written(managed)) == (120, 120)


def test_nothing_is_written_that_was_never_published(managed: Site, firewall: Palisade) -> None:
    firewall.fails_to_publish = "validation of the policy failed"
    assert "validation of the policy failed" in managed.once().failures["output edge"]
    assert (firewall.blocks(), written(managed)) == ([], 0)
    firewall.fails_to_publish = ""
    managed.once()
    assert (len(firewall.blocks()), written(managed)) == (120, 120)


def test_one_name_that_the_firewall_refuses_loses_that_name_alone(
    managed: Site, firewall: Palisade
) -> None:
    firewall.refuses["n7.bad.example"] = "reserved by policy"
    managed.change()
    assert (len(firewall.blocks()), written(managed)) == (119, 119)
    assert managed.output()["reasons"]["rejected"] == 1


def test_a_firewall_with_room_for_a_hundred_has_a_hundred(
    managed: Site, firewall: Palisade
) -> None:
    firewall.most = 100
    managed.change()
    assert (len(firewall.blocks()), written(managed)) == (100, 100)
    assert managed.output()["reasons"]["over_capacity"] == 20


def test_a_firewall_that_was_set_back_is_filled_again_in_the_next_cycle(
    managed: Site, firewall: Palisade
) -> None:
    managed.once()
    managed.change()
    firewall.clear()
    managed.change()
    assert (len(firewall.blocks()), written(managed)) == (120, 120)
    assert managed.output()["drift"]["missing"] == 120


def test_what_an_administrator_blocks_or_allows_by_hand_is_left_as_it_is(
    managed: Site, firewall: Palisade
) -> None:
    firewall.by_hand("blocked", "host", "n1.bad.example")
    firewall.by_hand("blocked", "host", "n2.bad.example", action="allow")
    managed.once()
    assert managed.output()["reasons"]["rejected"] == 1
    managed.write("two.json", [revoked(one) for one in NAMES[:4]])
    managed.change()
    assert len(firewall.blocks()) == 117
    assert "N1.BAD.EXAMPLE" in firewall.blocks()
    (passed,) = [key for key, item in firewall.live.items() if item.action == "allow"]
    assert passed == ("blocked", "host", "N2.BAD.EXAMPLE")
