"""What a person puts at a target between two of our readings stays theirs, at each of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import nft_hosts
import pytest
from connector_nftables import NftablesAdapter
from connector_splunk_kvstore import SplunkKvstoreAdapter
from connector_splunk_kvstore.documents import document_of
from connector_splunk_kvstore.emulator.server import SplunkEmulator
from consistency import Held, assert_consistent
from scenario_site import QuickRegistry, Site
from stix_samples import indicator

from connector.adapter import Entry
from connector.feeds.bundle import BundleFeed
from connector.model import Observable, ObservableType
from connector.reports.explain import explain_value
from connector.sync.view import CHANGED

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
NAMED = [indicator(value, value) for value in (ONE, TWO, THREE)]


@dataclass
class Target:
    """A target as its administrator sees it."""

    adapter: str
    options: dict[str, Any]
    put: Callable[[str], None]
    values: Callable[[], list[str]]

    def held(self) -> Held:
        """All that is there, of which the second was put by hand."""
        return Held([observable(value) for value in self.values()], [observable(TWO)])


def observable(value: str) -> Observable:
    return Observable(ObservableType.IPV4_ADDR, value)


@pytest.fixture
def firewall(site: Site) -> Target:
    def put(value: str) -> None:
        site.rack["edge"].put_by_hand(observable(value), {"comment": "by Ada"})

    return Target("firewall", {"device": "edge"}, put, site.at)


@pytest.fixture
def nftables() -> Iterator[Target]:
    nft_hosts.require_nftables()
    with nft_hosts.namespace() as netns:
        path = "inet connector blocklist_v4"

        def put(value: str) -> None:
            nft_hosts.nft(netns, f"add element {path} {{ {value} }}\n")

        def values() -> list[str]:
            shown = nft_hosts.nft(netns, f"list set {path}\n")
            _, _, listed = shown.partition("elements = {")
            found = listed.partition("}")[0].replace(",", " ").split()
            return sorted(found)

        yield Target("nftables", {"netns": netns}, put, values)


@pytest.fixture
def splunk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    monkeypatch.setenv("SPLUNK_TOKEN", "a-long-token")
    with SplunkEmulator(tokens={"a-long-token"}) as emulator:
        collection = emulator.collection("threat_lists", "perimeter")
        options = {
            "url": emulator.url, "app": "threat_lists", "collection": "perimeter",
            "owner_tag": "soc", "auth": {"token": {"env": "SPLUNK_TOKEN"}},
        }  # fmt: skip

        def put(value: str) -> None:
            collection.fill([document_of(Entry(observable(value)), "soc")])

        def values() -> list[str]:
            return sorted(each["value"] for each in collection.documents.values())

        yield Target("splunk_kvstore", options, put, values)


@pytest.fixture
def target(request: pytest.FixtureRequest, site: Site) -> Iterator[Target]:
    found: Target = request.getfixturevalue(request.param)
    adapters = {
        "firewall": site.rack.adapter,
        "nftables": NftablesAdapter,
        "splunk_kvstore": SplunkKvstoreAdapter,
    }
    site.registry = QuickRegistry(adapters, {"bundle": BundleFeed})
    edge = {"list": "perimeter", "adapter": found.adapter, "options": found.options}
    site.configure(outputs={"edge": edge})
    yield found
    site.close()


@pytest.mark.parametrize(
    "target",
    ["firewall", pytest.param("nftables", marks=pytest.mark.real_server), "splunk"],
    indirect=True,
)
def test_an_entry_that_a_feed_names_later_outlives_the_feeds_word(
    target: Target, site: Site
) -> None:
    site.write("one.json", NAMED[:1])
    assert not site.once().failures
    target.put(TWO)
    site.write("one.json", NAMED)
    assert site.service.outputs.scope_of("edge") == CHANGED, "nothing reads the target as a whole"
    site.change()
    assert target.values() == [ONE, TWO, THREE]
    assert site.output()["reasons"] == {"written": 3}
    (found,) = explain_value(site.service.decider, TWO)["observables"]
    assert "added by someone else" in found["outputs"][0]["detail"]
    assert site.idle()
    assert_consistent(site.service, {"edge": target.held})
    site.write("one.json", NAMED[2:])
    site.change()
    assert target.values() == [TWO, THREE]
    assert not site.once().failures
    assert target.values() == [TWO, THREE]
    assert_consistent(site.service, {"edge": target.held})


@pytest.mark.parametrize("target", ["firewall"], indirect=True)
def test_an_entry_of_others_is_in_no_plan_and_counts_for_no_limit(
    target: Target, site: Site
) -> None:
    site.edit(lambda config: config["outputs"]["edge"].update(limits={"max_add": 1}))
    site.write("one.json", NAMED[:1])
    site.once()
    target.put(TWO)
    site.write("one.json", NAMED)
    site.change()
    assert target.values() == [ONE, TWO, THREE]
    assert site.output()["held_plan"] is None
    with site.service.store.database.read() as transaction:
        sql = "SELECT sum(count) FROM audit WHERE action = 'write'"
        assert transaction.one(sql) == 2, "we wrote one and three"
