"""Proxies on this machine, from a feed to the request: denied, allowed again, restarted."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from connector_haproxy import HaproxyAdapter
from connector_squid import SquidAdapter
from haproxy_host import HaproxyHost, haproxy
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from squid_host import SquidHost, squid
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


@pytest.fixture
def proxy() -> Iterator[SquidHost]:
    with squid() as running:
        yield running


@pytest.fixture
def guarded(site: Site, proxy: SquidHost) -> Site:
    """A site that keeps a list in the files of a real Squid."""
    site.registry = QuickRegistry({"squid": SquidAdapter}, {"bundle": BundleFeed})
    options = {
        "domains": str(proxy.domains), "addresses": str(proxy.addresses),
        "squid": list(proxy.command),
    }  # fmt: skip
    output = {"list": "perimeter", "adapter": "squid", "options": options}
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": output})
    site.write("one.json", FEW)
    return site


@pytest.mark.real_server
def test_squid_denies_what_a_feed_names_until_the_feed_takes_it_back(
    guarded: Site, proxy: SquidHost
) -> None:
    guarded.service.feeds.poll("files")
    guarded.service.lists.refresh("perimeter")
    assert len(guarded.service.outputs.propose("edge").plan.add) == 3
    assert (proxy.status(NAME), proxy.status(CLIENT)) == (200, 200)
    guarded.once()
    proxy.until(NAME, 403)
    assert proxy.status(CLIENT) == 403
    assert guarded.output()["reasons"]["written"] == 3
    assert guarded.idle()
    guarded.write("two.json", [revoked(FEW[1])])
    guarded.change()
    proxy.until(NAME, 200)
    assert proxy.status(CLIENT) == 403
    assert guarded.output()["reasons"]["written"] == 2


def test_a_squid_that_the_file_names_anew_takes_up_the_list_as_it_is_at_once(site: Site) -> None:
    """The list stays the same, and the proxy behind the new command may never have read it."""
    site.registry = QuickRegistry({"squid": SquidAdapter}, {"bundle": BundleFeed})
    listed, said = site.folder / "domains.txt", site.folder / "said"

    def keep(name: str) -> None:
        program = site.folder / name
        program.write_text(f"#!/bin/sh\necho {name} $2 >> {said}\necho '\"{listed}\"'\n")
        program.chmod(0o755)
        options = {"domains": str(listed), "squid": [str(program)]}
        output = {"list": "perimeter", "adapter": "squid", "options": options}
        site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": output})
        site.close()

    keep("before")
    site.write("one.json", FEW)
    site.once()
    keep("after")
    site.change()
    site.change()
    asked = [line for line in said.read_text().splitlines() if line.endswith("reconfigure")]
    assert asked == ["before reconfigure", "after reconfigure"]
    assert site.output()["drift"] is None


@pytest.mark.real_server
def test_a_squid_that_restarted_denies_the_same(guarded: Site, proxy: SquidHost) -> None:
    guarded.once()
    guarded.change()
    proxy.stop()
    proxy.start()
    assert (proxy.status(NAME), proxy.status(CLIENT)) == (403, 403)
    guarded.change()
    assert guarded.output()["drift"] is None


@pytest.mark.real_server
@pytest.mark.parametrize("text", ["", None])
def test_a_list_of_squid_that_others_changed_is_mended_in_the_next_cycle(
    guarded: Site, proxy: SquidHost, text: str | None
) -> None:
    guarded.once()
    guarded.change()
    as_written = proxy.domains.read_text(encoding="utf-8")
    if text is None:
        proxy.domains.unlink()
    else:
        proxy.domains.write_text(text, encoding="utf-8")
    guarded.change()
    assert guarded.output()["drift"]["missing"] == 1
    assert proxy.domains.read_text(encoding="utf-8") == as_written


@pytest.mark.real_server
def test_while_somebody_edits_squids_configuration_nothing_is_taken_up_or_said_to_be_there(
    guarded: Site, proxy: SquidHost
) -> None:
    sound = proxy.config.read_text(encoding="utf-8")
    proxy.config.write_text(f"{sound}http_access deny not_yet_there\n", encoding="utf-8")
    assert "Bungled" in guarded.once().failures["output edge"]
    assert proxy.alive
    assert proxy.status(NAME) == 200
    assert guarded.output()["reasons"].get("written", 0) == 0
    proxy.config.write_text(sound, encoding="utf-8")
    guarded.once()
    proxy.until(NAME, 403)
    assert guarded.output()["reasons"]["written"] == 3


@pytest.mark.real_server
def test_a_list_that_others_put_in_the_place_of_ours_is_left_to_them_and_said(
    guarded: Site, proxy: SquidHost
) -> None:
    guarded.once()
    proxy.domains.write_text(".by-hand.example\n", encoding="utf-8")
    assert "was not written by this output" in guarded.once().failures["output edge"]
    assert proxy.domains.read_text(encoding="utf-8") == ".by-hand.example\n"


def move(web: Site, socket: Path) -> None:
    """Have the output reach HAProxy by another socket."""
    web.edit(lambda config: config["outputs"]["edge"]["options"].update(socket=str(socket)))
    web.open()


@pytest.mark.real_server
def test_a_haproxy_that_an_output_left_denies_nothing_while_another_reads_the_same_files(
    web: Site, host: HaproxyHost
) -> None:
    web.once()
    web.write("one.json", FEW[:2])
    web.write("two.json", [revoked(FEW[2])])  # which is in the file, as ours
    with haproxy(RULES.replace("%s", str(host.folder))) as second:
        move(web, second.socket)
        assert not web.once().held
        assert denied(second) == (True, True)
        assert denied(host) == (False, False)
        assert CLIENT in host.map.read_text()
        assert web.output()["written"] == 2
        assert web.status()["left_behind"] == []
        assert web.idle()


@pytest.mark.real_server
def test_a_haproxy_by_another_of_its_sockets_is_not_taken_for_one_that_was_left(
    web: Site, host: HaproxyHost
) -> None:
    web.once()
    other = host.folder / "other.socket"
    os.link(host.socket, other)
    move(web, other)
    web.once()
    assert denied(host) == (True, True)
    [left] = web.status()["left_behind"]
    assert "it seems to be the place of output edge by another name" in left["error"]
