"""A search cluster, from a feed to the query of a stock rule: matched, renewed, revoked, gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from connector_elastic import ElasticAdapter
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from search_cluster import API_KEY, Noida, noida
from stix_samples import indicator, revoked

from connector.feeds.bundle import BundleFeed
from connector.testing.http_target import Fault

INDEX = "logs-ti_connector"
FEW = [indicator("a", "203.0.113.7"), indicator("b", "bad.example"), indicator("c", "2001:db8::7")]


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Noida]:
    with noida(tmp_path / "noida") as port, Noida(port) as proxy:
        yield proxy


@pytest.fixture
def siem(site: Site, target: Noida, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("ELASTIC_API_KEY", API_KEY)
    site.registry = QuickRegistry({"elastic": ElasticAdapter}, {"bundle": BundleFeed})
    options = {"url": target.url, "index": INDEX, "api_key": {"env": "ELASTIC_API_KEY"}}
    edge = {"list": "perimeter", "adapter": "elastic", "options": options}
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": edge})
    site.write("one.json", FEW)
    return site


def matched(site: Site, target: Noida) -> int:
    """Return how many addresses the query of a stock indicator-match rule finds now."""
    since = f"{site.clock.moment:%Y-%m-%dT%H:%M:%SZ}||-30d/d"
    filters = [
        {"range": {"@timestamp": {"gte": since}}},
        {"prefix": {"event.module": "ti_"}},
        {"term": {"event.kind": "enrichment"}},
        {"exists": {"field": "threat.indicator.ip"}},
    ]
    said = target.ask("POST", f"/{INDEX}/_count", {"query": {"bool": {"filter": filters}}})
    return int(said.get("count", 0))


@pytest.mark.real_server
def test_a_stock_rule_matches_what_a_feed_names_until_the_feed_takes_it_back(
    siem: Site, target: Noida
) -> None:
    siem.service.feeds.poll("files")
    siem.service.lists.refresh("perimeter")
    assert len(siem.service.outputs.propose("edge").plan.add) == 3
    assert matched(siem, target) == 0
    target.fail(Fault.RESET_AFTER, "/_bulk")
    siem.once()
    assert matched(siem, target) == 2
    assert siem.output()["reasons"]["written"] == 3
    assert siem.idle()
    target.ask("DELETE", f"/{INDEX}")
    siem.change()
    assert matched(siem, target) == 2
    for _ in range(5):
        siem.clock.advance(days=9)
        siem.change()
        assert matched(siem, target) == 2
    siem.write("two.json", [revoked(FEW[0])])
    siem.change()
    assert matched(siem, target) == 1
    assert siem.output()["reasons"]["written"] == 2
    siem.write("three.json", [revoked(one) for one in FEW[1:]])
    siem.change()
    assert target.documents(INDEX) == {}
