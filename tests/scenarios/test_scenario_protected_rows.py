"""What the allowlist protects is stopped by no row of a target, whatever the target makes of it."""

from collections.abc import Collection, Hashable, Sequence
from typing import Any

import pytest
from connector_edl import EdlAdapter
from scenario_site import FREED, QuickRegistry, Site, one_firewall
from stix_samples import indicator

from connector.adapter import Entry, EntryAdapter, Held, Observable, ObservableType, Outcomes
from connector.feeds.bundle import BundleFeed
from connector.reports.explain import explain_value
from connector.reports.sample import try_mapping

BAD, GOOD, FAR = "203.0.113.9", "203.0.113.8", "192.0.2.9"
ROW, FAR_ROW = "203.0.113.0/24", "192.0.2.0/24"


def network(observable: Observable) -> Observable:
    """Return the network of an address, which stands for it at the target."""
    row = f"{observable.value.rpartition('.')[0]}.0/24"
    return Observable(ObservableType.IPV4_ADDR, row)


@pytest.fixture
def networks(site: Site) -> Site:
    """A firewall that keeps the networks of addresses, with two of them."""
    rack: Any = site.rack.adapter

    class Networks(rack):
        """A firewall that keeps networks."""

        supports = frozenset({ObservableType.IPV4_ADDR})

        def held_as(self, observable: Observable) -> Hashable:
            return network(observable).value

        def add(self, entries: Sequence[Entry]) -> Outcomes:
            return super().add([Entry(network(one.observable), one.fields) for one in entries])

        def remove(self, held: Sequence[Held]) -> Outcomes:
            return super().remove([Held(network(one.observable)) for one in held])

        def holds(self, observables: Collection[Observable]) -> Any:
            return EntryAdapter.holds(self, observables)

    adapters = {"firewall": Networks, "edl": EdlAdapter}
    site.registry = QuickRegistry(adapters, {"bundle": BundleFeed})
    site.configure(**one_firewall())
    site.write("one.json", [indicator(1, BAD), indicator(2, FAR)])
    return site


def outcome(site: Site, value: str) -> dict[str, Any]:
    (found,) = explain_value(site.service.decider, value)["observables"]
    return {key: found["outputs"][0][key] for key in ("reason", "detail")}


def excepted(value: str) -> dict[str, str]:
    return {"value": value, "why": "ours"}


def allow(site: Site, value: str, until: int | None = None) -> None:
    site.service.store.exceptions.add(
        value, why="ours", ticket="", owner="me", until=until, now=site.clock()
    )
    site.service.lists.take_up_exceptions()


def test_a_row_goes_with_an_exception_and_comes_back_after_it(networks: Site) -> None:
    assert not networks.once().failures
    assert networks.at() == [FAR_ROW, ROW]
    allow(networks, GOOD)
    networks.change()
    assert networks.at() == [FAR_ROW]
    assert networks.output()["reasons"] == {"allowlisted": 1, "written": 1}
    assert outcome(networks, BAD) == {
        "reason": "allowlisted",
        "detail": "the target keeps it as 203.0.113.0/24, which would stop more: exception "
        "protects 203.0.113.8",
    }
    assert networks.idle()
    networks.service.store.exceptions.remove(GOOD, by="me", now=networks.clock())
    networks.service.lists.take_up_exceptions()
    networks.change()
    assert networks.at() == [FAR_ROW, ROW]


def test_a_row_comes_back_when_an_exception_ends(networks: Site) -> None:
    networks.once()
    allow(networks, GOOD, until=networks.clock() + 1_000_000)
    networks.change()
    assert networks.at() == [FAR_ROW]
    networks.clock.advance(seconds=1)
    networks.change()
    assert networks.at() == [FAR_ROW, ROW]


def test_what_another_file_protects_is_gone_after_a_restart(networks: Site) -> None:
    networks.once()
    networks.edit(lambda config: config["allowlist"].update(exceptions=[excepted(GOOD)]))
    networks.open()
    networks.once()
    assert networks.at() == [FAR_ROW]


def test_a_sample_is_told_the_same(networks: Site) -> None:
    networks.edit(lambda config: config["allowlist"].update(exceptions=[excepted(GOOD)]))
    sample = networks.bundles / "one.json"
    tried = try_mapping(networks.load(), networks.registry, "edge", sample, now=networks.clock)
    assert {one["value"]: one["reason"] for one in tried["observables"]} == {
        BAD: "allowlisted",
        FAR: "pending",
    }


def test_a_file_of_few_prefixes_or_widened_names_covers_nothing_that_is_protected(
    site: Site,
) -> None:
    """Prefixes are joined where the list has both halves; of names, all below counts already."""
    file = {"list": "perimeter", "adapter": "edl"}
    names = {"format": "fmc", "types": ["domain-name"], "widen": True}
    site.configure(
        allowlist={**FREED, "exceptions": [excepted(GOOD), excepted("www.partner.example")]},
        outputs={
            "joined": {**file, "options": {"file": "joined.txt", "collapse": True}},
            "widened": {**file, "options": {"file": "widened.txt", **names}},
        },
    )
    values = [f"203.0.113.{last}" for last in range(16)]
    values += ["partner.example", "www.partner.example", "bad.example"]
    site.write("one.json", [indicator(value, value) for value in values])
    assert not site.once().failures
    assert site.lines("joined.txt") == [
        "203.0.113.0/29",
        "203.0.113.9",
        "203.0.113.10/31",
        "203.0.113.12/30",
    ]
    assert site.lines("widened.txt") == ["bad.example"]  # which FMC reads as all below, too
