"""An output of several name servers that loses one: what it wrote there is not forgotten."""

from collections.abc import Iterator
from typing import Any

import pytest
from connector_rpz import RpzAdapter, server
from rpz_memory import LISTED, Memory
from scenario_site import QuickRegistry, Site
from stix_samples import indicator, revoked
from test_scenario_places import left, open_left_places_of
from test_scenario_places_cleaned import keep

from connector.feeds.bundle import BundleFeed

A, B = "192.0.2.53", "192.0.2.54"
NAME = "bad.example"
FEW = [indicator("a", NAME)]


def at(*servers: str) -> dict[str, Any]:
    key = {"key_name": "connector", "key_secret": {"env": "RPZ_KEY"}}
    return {"zone": "rpz.example", "servers": [*servers], **key}


@pytest.fixture
def both(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A name in the policy zone of two servers."""
    monkeypatch.setenv("RPZ_KEY", "c2VjcmV0")
    monkeypatch.setattr(server, "Server", Memory)
    site.registry = QuickRegistry({"rpz": RpzAdapter}, {"bundle": BundleFeed})
    Memory.empty()
    keep(site, "rpz", edge=at(A, B))
    site.write("one.json", FEW)
    site.once()
    assert Memory.zones == {A: {NAME: LISTED}, B: {NAME: LISTED}}
    yield site
    Memory.empty()


def test_a_server_that_was_taken_out_is_listed_and_cleaned_with_the_earlier_file(
    both: Site,
) -> None:
    keep(both, "rpz", edge=at(A))
    both.once()
    assert left(both) == [("edge", "moved", 1, f"policy zone {B} 53 rpz.example")]
    assert "needs the credentials" in both.status()["left_behind"][0]["error"]
    assert both.output()["written"] == 1
    keep(both, "rpz", edge=at(A, B))  # as `-c OLD` has it
    with open_left_places_of(both) as places:
        assert places.withdraw("edge", "ada", "").done
    assert Memory.zones == {A: {NAME: LISTED}, B: {}}
    keep(both, "rpz", edge=at(A))
    both.once()
    assert left(both) == []
    both.write("two.json", [revoked(FEW[0])])
    both.change()
    assert Memory.zones == {A: {}, B: {}}


def test_a_server_that_comes_back_is_as_it_was(both: Site) -> None:
    keep(both, "rpz", edge=at(A))
    both.once()
    both.write("two.json", [revoked(FEW[0])])
    both.change()
    assert Memory.zones == {A: {}, B: {NAME: LISTED}}
    keep(both, "rpz", edge=at(A, B))
    both.once()
    assert left(both) == []
    assert Memory.zones == {A: {}, B: {}}


def test_servers_that_two_outputs_share_out_are_taken_over_as_they_are(both: Site) -> None:
    keep(both, "rpz", edge=at(A), far=at(B))
    both.once()
    assert left(both) == []
    assert [both.output(name)["written"] for name in ("edge", "far")] == [1, 1]
    both.write("two.json", [revoked(FEW[0])])
    both.change()
    assert Memory.zones == {A: {}, B: {}}


def test_a_server_of_two_that_were_left_is_taken_over_and_the_other_stays_listed(
    both: Site,
) -> None:
    keep(both, "rpz", edge=at("192.0.2.55"))
    both.once()
    keep(both, "rpz", edge=at("192.0.2.55"), far=at(B))
    both.once()
    assert left(both) == [("edge", "moved", 1, f"policy zone {A} 53 rpz.example")]
    both.write("two.json", [revoked(FEW[0])])
    both.change()
    assert Memory.zones == {A: {NAME: LISTED}, B: {}, "192.0.2.55": {}}
