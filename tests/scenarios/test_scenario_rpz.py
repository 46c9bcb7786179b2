"""Resolvers that keep to a policy zone, from a feed to the answer: refused, answered again."""

from collections.abc import Iterator
from typing import Any

import pytest
from connector_rpz import RpzAdapter
from edl_programs import open_folder, open_resolver
from named_host import SECRET, ZONE, NamedHost, named
from rpz_resolvers import unbound
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from stix_samples import indicator, revoked

from connector.feeds.bundle import BundleFeed
from connector.sync.view import EVERYTHING

NAMES = ("bad.example", "by-address.example", "x.worse.example")
FEW = [
    indicator("a", "bad.example"),
    indicator("b", "203.0.113.0/24"),
    indicator("c", pattern="[domain-name:value LIKE '%.worse.example']"),
]


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[NamedHost]]:
    with named(2) as running:
        yield running


@pytest.fixture
def resolvers(site: Site, hosts: list[NamedHost], monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site that keeps a list in the policy zone of two real BINDs."""
    monkeypatch.setenv("RPZ_KEY", SECRET)
    site.registry = QuickRegistry({"rpz": RpzAdapter}, {"bundle": BundleFeed})
    options = {
        "zone": ZONE, "servers": [f"127.0.0.1#{host.port}" for host in hosts],
        "key_name": "connector", "key_secret": {"env": "RPZ_KEY"},
    }  # fmt: skip
    output = {"list": "perimeter", "adapter": "rpz", "options": options}
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": output})
    site.write("one.json", FEW)
    for host in hosts:
        host.stop()
        host.empty()
        host.start()
    return site


def answers(host: NamedHost) -> list[str]:
    """What a client gets for a listed name, one with a listed address, and one below a name."""
    return [host.ask(name)[0] for name in NAMES]


def written(site: Site) -> Any:
    return site.output()["reasons"]["written"]


@pytest.mark.real_server
def test_resolvers_refuse_what_a_feed_names_until_the_feed_takes_it_back(
    resolvers: Site, hosts: list[NamedHost]
) -> None:
    resolvers.service.feeds.poll("files")
    resolvers.service.lists.refresh("perimeter")
    assert len(resolvers.service.outputs.propose("edge").plan.add) == 3
    assert [answers(host) for host in hosts] == [["NOERROR"] * 3] * 2
    resolvers.once()
    assert written(resolvers) == 3
    for host in hosts:
        host.until("x.worse.example", "NXDOMAIN")
        assert answers(host) == ["NXDOMAIN"] * 3
    assert resolvers.idle()
    resolvers.write("two.json", [revoked(FEW[0])])
    resolvers.change()
    assert written(resolvers) == 2
    for host in hosts:
        host.until("bad.example", "NOERROR")
        assert answers(host) == ["NOERROR", "NXDOMAIN", "NXDOMAIN"]


@pytest.mark.real_server
def test_a_resolver_that_forgot_or_was_away_answers_by_the_list_again(
    resolvers: Site, hosts: list[NamedHost]
) -> None:
    resolvers.once()
    hosts[1].stop()
    assert "Connection refused" in resolvers.once().failures["output edge"]
    assert resolvers.output()["state"] != "ok"
    hosts[1].empty()
    hosts[1].start()
    resolvers.change()
    assert written(resolvers) == 3
    hosts[1].until("bad.example", "NXDOMAIN")
    hosts[1].until("by-address.example", "NXDOMAIN")


@pytest.mark.real_server
def test_what_others_put_at_one_of_the_servers_is_never_ours_and_never_said_to_be_written(
    resolvers: Site, hosts: list[NamedHost]
) -> None:
    hosts[0].change(f"add bad.example.{ZONE} 60 CNAME .", f"add new.example.{ZONE} 60 CNAME .")
    resolvers.once()
    resolvers.write("two.json", [indicator("d", "new.example")])
    resolvers.change()
    resolvers.service.outputs.sync("edge", EVERYTHING)
    assert (written(resolvers), resolvers.output()["reasons"]["rejected"]) == (2, 2)
    hosts[1].until("x.worse.example", "NXDOMAIN")
    assert hosts[1].ask("bad.example")[0] == "NOERROR"
    resolvers.write("one.json", [revoked(each) for each in FEW])
    resolvers.write("two.json", [revoked(indicator("d", "new.example"))])
    resolvers.change()
    resolvers.service.outputs.sync("edge", EVERYTHING)
    hosts[0].until("x.worse.example", "NOERROR")
    assert [hosts[0].ask(name)[0] for name in ("bad.example", "new.example")] == ["NXDOMAIN"] * 2


@pytest.mark.real_server
def test_a_resolver_with_the_zone_as_a_file_refuses_what_a_feed_names(site: Site) -> None:
    site.registry = QuickRegistry({"rpz": RpzAdapter}, {"bundle": BundleFeed})
    with open_resolver() as behind, open_folder() as folder:
        zone = folder / "rpz.example.zone"
        options: dict[str, Any] = {"mode": "file", "zone": ZONE, "file": str(zone), "ttl": 1}
        output = {"list": "perimeter", "adapter": "rpz", "options": options}
        site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": output})
        site.once()
        with unbound(zone, behind) as resolver:
            options["reload"] = [*resolver.reload]
            site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": output})
            site.open()
            site.write("one.json", FEW[:1])
            assert resolver.ask("bad.example")[0] == "NOERROR"
            site.change()
            assert resolver.ask("bad.example")[0] == "NXDOMAIN"
            assert (written(site), site.output()["state"]) == (1, "ok")
            site.write("two.json", [revoked(FEW[0])])
            site.change()
            resolver.until("bad.example", "NOERROR")
            assert "written" not in site.output()["reasons"]
