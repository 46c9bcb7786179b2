"""Each adapter cleans the place that its output moved from, also after a crash at any instant."""

import shutil
from pathlib import Path
from typing import Any

import nft_hosts
import pytest
from connector_ipset import IpsetAdapter
from connector_nftables import NftablesAdapter
from connector_postfix import PostfixAdapter
from connector_postfix.mapfile import MapFile
from connector_splunk_kvstore import SplunkKvstoreAdapter
from connector_splunk_kvstore.emulator.server import SplunkEmulator
from dying_process import Nursery, Points, cycle
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from stix_samples import indicator, revoked
from test_scenario_kill import CHANGES, copies
from test_scenario_places import left, open_left_places_of

from connector.errors import ConfigError
from connector.feeds.bundle import BundleFeed

ONE, TWO = "192.0.2.1", "192.0.2.2"
FEW = [indicator("a", ONE), indicator("b", TWO)]


def keep(site: Site, adapter: str, **outputs: dict[str, Any]) -> None:
    """Configure outputs of one adapter by name, each with its options."""
    site.configure(
        lists={"perimeter": BLOCK_ALL},
        outputs={
            name: {"list": "perimeter", "adapter": adapter, "options": options}
            for name, options in outputs.items()
        },
    )
    site.close()


@pytest.mark.real_server
def test_a_set_of_the_kernel_that_was_left_is_emptied(site: Site) -> None:
    nft_hosts.require_nftables()
    site.registry = QuickRegistry({"nftables": NftablesAdapter}, {"bundle": BundleFeed})
    with nft_hosts.namespace() as netns:

        def held(name: str) -> str:
            return nft_hosts.nft(netns, f"list set inet connector {name}_v4")

        keep(site, "nftables", edge={"netns": netns})
        site.write("one.json", FEW)
        site.once()
        nft_hosts.nft(netns, "add element inet connector blocklist_v4 { 203.0.113.9 }")
        keep(site, "nftables", edge={"netns": netns, "set": "bad"})
        site.once()
        assert ONE in held("bad")
        assert TWO in held("bad")
        assert ONE not in held("blocklist")
        assert "203.0.113.9" in held("blocklist"), "it is not ours"
        assert left(site) == []
        assert site.output()["state"] == "ok"


@pytest.mark.real_server
@pytest.mark.parametrize("changed", [{"set": "bad"}, {"file": "new.save"}])
def test_of_sets_and_their_file_only_what_was_left_is_emptied(
    site: Site, changed: dict[str, str]
) -> None:
    nft_hosts.require_nftables()
    if shutil.which("ipset") is None:
        pytest.skip("no ipset: install the package ipset")
    site.registry = QuickRegistry({"ipset": IpsetAdapter}, {"bundle": BundleFeed})
    with nft_hosts.namespace() as netns:

        def held(name: str) -> str:
            return nft_hosts.run("ip", "netns", "exec", netns, "ipset", "list", f"{name}_v4")

        before = {"netns": netns, "set": "connector", "file": "ipset.save"}
        after = {**before, **changed}
        keep(site, "ipset", edge=before)
        site.write("one.json", FEW)
        site.once()
        site.write("two.json", [revoked(FEW[1])])  # which the place that is kept still has, as ours
        keep(site, "ipset", edge=after)
        assert not site.once().held
        assert ONE in held(after["set"])
        assert TWO not in held(after["set"])
        assert ONE in (site.folder / after["file"]).read_text()
        if after["set"] != before["set"]:
            assert ONE not in held(before["set"])
        else:
            assert ONE not in (site.folder / before["file"]).read_text()
        assert left(site) == []
        assert site.output()["state"] == "ok"
        assert site.idle()


def addresses(folder: Path, stem: str) -> list[str]:
    return sorted(key for key, _value in MapFile(folder, stem).pairs())


@pytest.fixture
def mailed(site: Site) -> Site:
    """Senders and clients in two maps of Postfix."""
    pytest.importorskip("lmdb")
    site.registry = QuickRegistry({"postfix": PostfixAdapter}, {"bundle": BundleFeed})
    (site.folder / "maps").mkdir()
    keep(site, "postfix", mx={"folder": "maps", "senders": "from", "clients": "hosts"})
    spam = indicator("s", pattern="[email-addr:value = 'spam@bad.example']")
    site.write("one.json", [*FEW, spam])
    site.once()
    return site


def test_of_several_maps_only_the_one_that_was_left_is_emptied(mailed: Site) -> None:
    maps = mailed.folder / "maps"
    keep(mailed, "postfix", mx={"folder": "maps", "senders": "senders", "clients": "hosts"})
    mailed.once()
    assert addresses(maps, "senders") == ["spam@bad.example"]
    assert addresses(maps, "from") == []
    assert addresses(maps, "hosts") == [ONE, TWO]
    assert left(mailed) == []
    assert mailed.output("mx")["written"] == 3
    assert mailed.idle()


def test_maps_that_two_outputs_share_out_are_taken_over_as_they_are(mailed: Site) -> None:
    maps = mailed.folder / "maps"
    people = {"folder": "maps", "senders": "from"}
    machines = {"folder": "maps", "clients": "hosts"}
    keep(mailed, "postfix", people=people, machines=machines)
    mailed.once()
    assert addresses(maps, "from") == ["spam@bad.example"]
    assert addresses(maps, "hosts") == [ONE, TWO]
    assert [mailed.output(name)["written"] for name in ("people", "machines")] == [1, 2]
    assert left(mailed) == []


def rule(name: str) -> dict[str, Any]:
    return indicator(name, pattern=f"rule {name} {{ condition: true }}", pattern_type="yara")


def test_a_file_of_rules_that_was_left_is_emptied(site: Site) -> None:
    keep(site, "rules", hunt={"file": "old.yar", "language": "yara", "compile": False})
    site.write("one.json", [rule("one"), rule("two")])
    site.once()
    keep(site, "rules", hunt={"file": "new.yar", "language": "yara", "compile": False})
    site.once()
    published = site.folder / "published"
    assert (published / "new.yar").read_text().count("condition: true") == 2
    assert "condition" not in (published / "old.yar").read_text()
    assert left(site) == []


@pytest.fixture
def splunk(site: Site, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SPLUNK_TOKEN", "a-long-token")
    site.registry = QuickRegistry({"splunk_kvstore": SplunkKvstoreAdapter}, {"bundle": BundleFeed})
    with SplunkEmulator(tokens={"a-long-token"}) as emulator:
        yield emulator
        site.close()


def documents(emulator: SplunkEmulator, collection: str) -> list[str]:
    found = emulator.collection("threat_lists", collection).documents.values()
    return sorted(each["value"] for each in found)


def kvstore(emulator: SplunkEmulator, collection: str, **more: Any) -> dict[str, Any]:
    auth = {"token": {"env": "SPLUNK_TOKEN"}}
    url = {"url": emulator.url, "app": "threat_lists"}
    return {**url, "collection": collection, "auth": auth, **more}


def test_a_collection_that_was_left_loses_our_documents_with_the_credentials_of_the_new_one(
    splunk: SplunkEmulator, site: Site
) -> None:
    keep(site, "splunk_kvstore", edge=kvstore(splunk, "old"))
    site.write("one.json", FEW)
    site.once()
    keep(site, "splunk_kvstore", edge=kvstore(splunk, "new", read_timeout="30s"))
    site.once()
    assert documents(splunk, "new") == [ONE, TWO]
    assert documents(splunk, "old") == []
    assert left(site) == []


def test_the_state_keeps_no_secret_of_the_options(splunk: SplunkEmulator, site: Site) -> None:
    keep(site, "splunk_kvstore", edge=kvstore(splunk, "old"))
    site.service.outputs.places.settle()
    with site.service.store.database.read() as transaction:
        [(options, places)] = transaction.rows("SELECT options, places FROM outputs")
    assert "a-long-token" not in options + places
    assert '"token": "***"' in options


def test_credentials_of_one_server_are_never_sent_to_another(
    splunk: SplunkEmulator, site: Site
) -> None:
    keep(site, "splunk_kvstore", edge=kvstore(splunk, "old"))
    site.write("one.json", FEW)
    site.once()
    with SplunkEmulator(tokens={"a-long-token"}) as other:
        keep(site, "splunk_kvstore", edge=kvstore(other, "old"))
        site.once()
        assert documents(other, "old") == [ONE, TWO]
        assert documents(splunk, "old") == [ONE, TWO]
        [one] = site.status()["left_behind"]
        assert "needs the credentials" in one["error"]
        with open_left_places_of(site) as places:
            assert not places.withdraw("edge", "ada", "").done
        keep(site, "splunk_kvstore", edge=kvstore(splunk, "old"))  # as `-c OLD` has it
        with open_left_places_of(site) as places:
            assert places.withdraw("edge", "ada", "").done
        assert documents(splunk, "old") == []
        assert documents(other, "old") == [ONE, TWO]


def test_an_output_that_its_target_knows_by_name_is_not_renamed_unseen(
    splunk: SplunkEmulator, site: Site
) -> None:
    keep(site, "splunk_kvstore", edge=kvstore(splunk, "old"))
    site.write("one.json", FEW)
    site.once()
    keep(site, "splunk_kvstore", border=kvstore(splunk, "old"))
    with pytest.raises(ConfigError, match="set `owner_tag: edge` to rename it"):
        site.once()
    keep(site, "splunk_kvstore", border=kvstore(splunk, "old", owner_tag="edge"))
    site.once()
    assert documents(splunk, "old") == [ONE, TWO]
    assert left(site) == []
    assert site.output("border")["written"] == 2


def move(config: dict[str, Any]) -> None:
    config["outputs"]["edge"]["options"]["device"] = "other"
    config["outputs"]["file"]["options"]["file"] = "new.txt"


def ended(site: Site) -> dict[str, Any]:
    published = site.folder / "published"
    return {
        "devices": {name: site.rack[name].entries() for name in ("edge", "other")},
        "files": {name: (published / name).read_text() for name in ("list.txt", "new.txt")},
        "written": {one["name"]: one["written"] for one in site.status()["outputs"]},
        "left": left(site),
    }


def test_a_kill_at_any_instant_of_a_move_ends_with_the_same_places(
    site: Site, nursery: Nursery
) -> None:
    options = {"device": "edge", "batch_size": 2}
    edge = {"list": "perimeter", "adapter": "firewall", "options": options}
    file = {"list": "perimeter", "adapter": "edl", "options": {"file": "list.txt"}}
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": edge, "file": file})
    site.write("one.json", [indicator(n, f"192.0.2.{n}") for n in range(1, 6)])
    site.once()
    site.edit(move)
    site.close()
    sites = copies(site, site.folder)
    undisturbed = next(sites)
    passed = Points()
    cycle(undisturbed, passed, whole=False)
    expected = ended(undisturbed)
    assert expected["left"] == []
    assert expected["devices"]["edge"] == {}
    assert expected["files"]["list.txt"] == ""
    for point in CHANGES:
        for nth in range(1, passed.passed[point] + 1):
            killed = next(sites)
            nursery.kill_in_cycle(killed, point, nth, whole=False)
            killed.change()
            killed.change()
            assert ended(killed) == expected, f"killed at {point} {nth}"
            killed.consistent()
            assert killed.idle(), f"killed at {point} {nth}"


def test_a_withdrawal_that_breaks_off_goes_on_where_it_was(site: Site) -> None:
    options = {"device": "edge", "batch_size": 2}
    edge = {"list": "perimeter", "adapter": "firewall", "options": options}
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": edge})
    site.write("one.json", [indicator(n, f"192.0.2.{n}") for n in range(1, 6)])
    site.once()
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs={})
    site.close()
    site.once()

    def breaks(point: str) -> None:
        if point == "removed" and len(site.at()) == 3:
            raise KeyboardInterrupt

    site.rack["edge"].hook = breaks
    with open_left_places_of(site) as places, pytest.raises(KeyboardInterrupt):
        places.withdraw("edge", "ada", "")
    site.rack["edge"].hook = lambda _point: None
    assert len(site.at()) == 3
    with open_left_places_of(site) as places:
        assert places.withdraw("edge", "ada", "").done
    assert site.at() == []
    assert left(site) == []
