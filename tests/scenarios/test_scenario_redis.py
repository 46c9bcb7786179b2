"""Keys of Redis, from a feed to another program's question: there, revoked, forgotten, gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from connector_redis import RedisAdapter
from redis_host import PASSWORD, RedisHost, redis
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from stix_samples import indicator, revoked

from connector.feeds.bundle import BundleFeed

FEW = [indicator("a", "203.0.113.7"), indicator("b", "bad.example"), indicator("c", "2001:db8::7")]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[RedisHost]:
    with redis(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def cache(site: Site, host: RedisHost, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("REDIS_PASSWORD", PASSWORD)
    site.registry = QuickRegistry({"redis": RedisAdapter}, {"bundle": BundleFeed})
    options = {"url": host.url, "auth": {"password": {"env": "REDIS_PASSWORD"}}}
    edge = {"list": "perimeter", "adapter": "redis", "options": options}
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": edge})
    site.write("one.json", FEW)
    return site


def asked(host: RedisHost) -> tuple[list[str], list[str]]:
    """Return what another program is told of an address and of a name."""
    return (
        host.ask("SISMEMBER", "connector:ipv4-addr", "203.0.113.7"),
        host.ask("SISMEMBER", "connector:domain-name", "bad.example"),
    )


@pytest.mark.real_server
def test_other_programs_find_what_a_feed_names_until_the_feed_takes_it_back(
    cache: Site, host: RedisHost
) -> None:
    host.ask("SADD", "connector:domain-name", "theirs.example")
    cache.service.feeds.poll("files")
    cache.service.lists.refresh("perimeter")
    assert len(cache.service.outputs.propose("edge").plan.add) == 3
    assert asked(host) == (["0"], ["0"])
    cache.once()
    assert asked(host) == (["1"], ["1"])
    assert cache.output()["reasons"]["written"] == 3
    assert cache.idle()
    cache.write("two.json", [revoked(FEW[0])])
    cache.change()
    assert asked(host) == (["0"], ["1"])
    host.restart()
    assert asked(host) == (["0"], ["0"])
    cache.change()
    assert asked(host) == (["0"], ["1"])
    assert cache.output()["reasons"]["written"] == 2
    host.ask("SADD", "connector:domain-name", "theirs.example")
    cache.write("three.json", [revoked(one) for one in FEW[1:]])
    cache.change()
    assert host.ask("KEYS", "*") == ["connector:domain-name"]
    assert host.ask("SMEMBERS", "connector:domain-name") == ["theirs.example"]
