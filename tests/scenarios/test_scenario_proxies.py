"""Proxies on this machine, from a feed to the request: denied, allowed again, restarted."""

from collections.abc import Callable, Iterator

import pytest
from connector_haproxy import HaproxyAdapter
from haproxy_host import HaproxyHost, haproxy
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from stix_samples import indicator, revoked

from connector.feeds.bundle import BundleFeed

CLIENT, NAME = "203.0.113.7", "bad.example"
FEW = [indicator("a", CLIENT), indicator("b", NAME), indicator("c", "2001:db8::7")]
RULES = """\
  http-request deny if { src,map_ip(%s/addresses.map) -m found }
  http-request deny if { req.hdr(host),field(1,:),lower,map_str(%s/names.map) -m found }
"""


@pytest.fixture
def host() -> Iterator[HaproxyHost]:
    with haproxy(RULES) as running:
        yield running


@pytest.fixture
def web(site: Site, host: HaproxyHost) -> Site:
    """A site that keeps a list in the maps of a real HAProxy."""
    site.registry = QuickRegistry({"haproxy": HaproxyAdapter}, {"bundle": BundleFeed})
    options = {
        "socket": str(host.socket), "addresses": str(host.map),
        "names": str(host.folder / "names.map"),
    }  # fmt: skip
    output = {"list": "perimeter", "adapter": "haproxy", "options": options}
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": output})
    site.write("one.json", FEW)
    return site


def denied(host: HaproxyHost) -> tuple[bool, bool]:
    """Whether HAProxy denies the client, and the name."""
    return host.status(CLIENT) == 403, host.status(host=NAME) == 403


@pytest.mark.real_server
def test_haproxy_denies_what_a_feed_names_until_the_feed_takes_it_back(
    web: Site, host: HaproxyHost
) -> None:
    web.service.feeds.poll("files")
    web.service.lists.refresh("perimeter")
    assert len(web.service.outputs.propose("edge").plan.add) == 3
    assert denied(host) == (False, False)
    web.once()
    assert denied(host) == (True, True)
    assert web.output()["reasons"]["written"] == 3
    assert web.idle()
    web.write("two.json", [revoked(FEW[0])])
    web.change()
    assert denied(host) == (False, True)
    assert web.output()["reasons"]["written"] == 2


@pytest.mark.real_server
def test_a_haproxy_that_restarted_denies_the_same_before_the_next_cycle_and_nothing_drifted(
    web: Site, host: HaproxyHost
) -> None:
    web.once()
    web.change()
    host.restart()
    assert denied(host) == (True, True)
    web.change()
    assert web.output()["drift"] is None
    assert web.output()["state"] == "ok"


def _forget(host: HaproxyHost) -> None:
    host.ask(f"clear map {host.map}")


def _empty_the_file(host: HaproxyHost) -> None:
    host.map.write_text("", encoding="utf-8")


def _delete_the_file(host: HaproxyHost) -> None:
    host.map.unlink()


def _alter(host: HaproxyHost) -> None:
    host.ask(f"set map {host.map} {CLIENT} mine")


def _add_one(host: HaproxyHost) -> None:
    host.ask(f"add map {host.map} 192.0.2.99 by-hand")


@pytest.mark.real_server
@pytest.mark.parametrize("harm", [_forget, _empty_the_file, _delete_the_file, _alter, _add_one])
def test_what_others_did_to_map_or_file_is_mended_in_the_next_cycle(
    web: Site, host: HaproxyHost, harm: Callable[[HaproxyHost], None]
) -> None:
    web.once()
    web.change()
    as_written = host.map.read_text(encoding="utf-8")
    harm(host)
    web.change()
    assert web.output()["drift"] is not None
    assert denied(host) == (True, True)
    assert host.status("192.0.2.99") == 200
    assert host.map.read_text(encoding="utf-8") == as_written
    assert "mine" not in host.ask(f"show map {host.map}")


@pytest.mark.real_server
def test_while_haproxy_is_away_nothing_changes_and_it_starts_with_what_it_had(
    web: Site, host: HaproxyHost
) -> None:
    web.once()
    host.stop()
    web.write("two.json", [revoked(FEW[0])])
    assert str(host.socket) in web.once().failures["output edge"]
    host.start()
    assert denied(host) == (True, True)
    web.once()
    assert denied(host) == (False, True)
