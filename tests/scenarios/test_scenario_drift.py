"""What others did at each kind of target is told as drift, in numbers, and mended."""

import re
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import lmdb
import nft_hosts
import pytest
from connector_nftables import NftablesAdapter
from connector_postfix import PostfixAdapter
from connector_splunk_kvstore import SplunkKvstoreAdapter
from connector_splunk_kvstore.emulator.collections import KvCollection
from connector_splunk_kvstore.emulator.server import SplunkEmulator
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from stix_samples import indicator
from structlog.testing import capture_logs

from connector.feeds.bundle import BundleFeed

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
FEW = [indicator("a", ONE), indicator("b", TWO), indicator("c", THREE)]
ALL = [ONE, TWO, THREE]
APP, NAME = "threat_lists", "perimeter"


def keep_at(site: Site, adapter: str, kind: type, **options: object) -> None:
    """Keep three addresses at a target, up to a cycle in which nothing changes any more."""
    site.registry = QuickRegistry({adapter: kind}, {"bundle": BundleFeed})
    edge = {"list": "perimeter", "adapter": adapter, "options": options}
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": edge})
    site.write("one.json", FEW)
    site.once()
    site.change()
    assert site.output()["drift"] is None


def drift(site: Site) -> dict[str, int]:
    """The numbers that status tells."""
    told = site.output()["drift"]
    return {name: told[name] for name in ("missing", "altered", "foreign")} if told else {}


@pytest.fixture
def collection(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[KvCollection]:
    """A collection of Splunk with ours and one document of others."""
    monkeypatch.setenv("SPLUNK_TOKEN", "a-long-token")
    with SplunkEmulator(users={}, tokens={"a-long-token"}) as splunk:
        keep_at(
            site, "splunk_kvstore", SplunkKvstoreAdapter, url=splunk.url, app=APP, collection=NAME,
            auth={"token": {"env": "SPLUNK_TOKEN"}},
        )  # fmt: skip
        found = splunk.collection(APP, NAME)
        found.fill([{"_key": "theirs", "type": "ipv4-addr", "value": "192.0.2.9", "source": "x"}])
        yield found


def key(collection: KvCollection, value: str) -> str:
    return next(key for key, each in collection.documents.items() if each["value"] == value)


def cleared(collection: KvCollection) -> None:
    collection.delete("{}")


def without_one(collection: KvCollection) -> None:
    collection.delete_one(key(collection, TWO))


def with_another_weight(collection: KvCollection) -> None:
    collection.documents[key(collection, TWO)]["weight"] = 1


def with_another_value(collection: KvCollection) -> None:
    collection.documents[key(collection, TWO)]["value"] = "192.0.2.7"


def with_one_in_our_name(collection: KvCollection) -> None:
    copied = deepcopy(collection.documents[key(collection, TWO)])
    collection.fill([{**copied, "_key": "by-hand", "value": "192.0.2.8", "ip": "192.0.2.8"}])


@pytest.mark.parametrize(
    ("harm", "counts"),
    [
        (cleared, {"missing": 3, "altered": 0, "foreign": 0}),
        (without_one, {"missing": 1, "altered": 0, "foreign": 0}),
        (with_another_weight, {"missing": 0, "altered": 1, "foreign": 0}),
        (with_another_value, {"missing": 1, "altered": 0, "foreign": 0}),
        (with_one_in_our_name, {}),
    ],
)
def test_what_others_did_to_a_splunk_collection_is_mended_when_it_is_next_read(
    site: Site,
    collection: KvCollection,
    harm: Callable[[KvCollection], None],
    counts: dict[str, int],
) -> None:
    before = {key: doc for key, doc in deepcopy(collection.documents).items() if key != "theirs"}
    theirs = harm is not cleared
    harm(collection)
    site.once()
    assert {key: collection.documents[key] for key in before} == before
    assert ("theirs" in collection.documents) == theirs
    assert drift(site) == counts
    assert site.output()["reasons"]["written"] == 3


def ours(collection: KvCollection) -> list[str]:
    return sorted(each["value"] for each in collection.documents.values() if each["source"] != "x")


def test_a_splunk_collection_restored_from_an_older_copy_has_what_is_wanted_now(
    site: Site, collection: KvCollection
) -> None:
    older = deepcopy(collection.documents)
    site.write("one.json", [indicator("a", ONE), indicator("d", "192.0.2.4")])
    site.once()
    assert ours(collection) == [ONE, "192.0.2.4"]
    for _ in range(2):
        collection.documents.clear()
        collection.fill(older.values())
        site.once()
        assert ours(collection) == [ONE, "192.0.2.4"]
        assert "theirs" in collection.documents
        assert drift(site) == {"missing": 1, "altered": 0, "foreign": 2}


@pytest.fixture
def maps(site: Site) -> Path:
    """The folder of Postfix's access maps, filled."""
    folder = site.folder / "maps"
    folder.mkdir(parents=True)
    keep_at(site, "postfix", PostfixAdapter, folder=str(folder), clients="clients")
    return folder


def entries(maps: Path) -> list[str]:
    """The client addresses that Postfix reads, but for our own mark."""
    path = str(maps / "clients.lmdb")
    opened = lmdb.open(path, subdir=False, readonly=True, lock=False)
    with opened, opened.begin() as reading:
        keys = (key.rstrip(b"\0").decode() for key in reading.cursor().iternext(values=False))
        return sorted(key for key in keys if key[0].isdigit())


def change_by_hand(maps: Path, key: str, value: bytes | None) -> None:
    path = str(maps / "clients.lmdb")
    with lmdb.open(path, subdir=False, lock=False) as opened, opened.begin(write=True) as writing:
        if value is None:
            writing.delete(f"{key}\0".encode())
        else:
            writing.put(f"{key}\0".encode(), value)


@pytest.mark.parametrize(
    ("harm", "counts"),
    [
        (lambda maps: (maps / "clients.lmdb").unlink(), (3, 0, 0)),
        (lambda maps: change_by_hand(maps, TWO, None), (1, 0, 0)),
        (lambda maps: change_by_hand(maps, TWO, b"OK\0"), (0, 1, 0)),
        (lambda maps: change_by_hand(maps, "192.0.2.9", b"REJECT by hand\0"), (0, 0, 1)),
    ],
    ids=["deleted", "without one", "contrary", "foreign"],
)
def test_what_others_did_to_a_postfix_map_is_mended_in_the_next_cycle(
    site: Site, maps: Path, harm: Callable[[Path], None], counts: tuple[int, int, int]
) -> None:
    harm(maps)
    site.change()
    assert entries(maps) == ALL
    assert tuple(drift(site).values()) == counts


def test_a_postfix_map_restored_from_an_older_copy_has_what_is_wanted_now(
    site: Site, maps: Path
) -> None:
    shutil.copy2(maps / "clients.lmdb", maps / "older")
    site.write("one.json", [indicator("a", ONE), indicator("d", "192.0.2.4")])
    site.change()
    assert entries(maps) == [ONE, "192.0.2.4"]
    shutil.copy2(maps / "older", maps / "restored")
    (maps / "restored").rename(maps / "clients.lmdb")
    site.change()
    assert entries(maps) == [ONE, "192.0.2.4"]
    assert drift(site)["missing"] == 1


@pytest.fixture
def listed(site: Site) -> Path:
    """A published list of three addresses with comments."""
    mapping = {"comment": {"template": "of {feed.name}"}}
    kinds = ["ipv4-addr", "ipv6-addr"]
    options = {"file": "list.txt", "format": "panos", "comments": True, "types": kinds}
    edge = {"list": "perimeter", "adapter": "edl", "options": options, "mapping": mapping}
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": edge})
    site.write("one.json", FEW)
    site.once()
    site.change()
    assert site.output()["drift"] is None
    return site.folder / "published" / "list.txt"


def rewritten(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


@pytest.mark.parametrize(
    ("harm", "counts"),
    [
        (Path.unlink, (3, 0, 0)),
        (lambda path: path.write_text(""), (3, 0, 0)),
        (lambda path: path.rename(path.with_name("moved.txt")), (3, 0, 0)),
        (lambda path: rewritten(path, f"{TWO} of files", f"{TWO} of mine"), (0, 1, 0)),
        (lambda path: rewritten(path, TWO, "192.0.2.7"), (1, 0, 1)),
        (lambda path: rewritten(path, TWO, f"192.0.2.9\n{TWO}"), (0, 0, 1)),
    ],
    ids=["deleted", "emptied", "moved away", "altered", "replaced", "foreign"],
)
def test_what_others_did_to_a_published_list_is_mended_in_the_next_cycle_and_told_once(
    site: Site, listed: Path, harm: Callable[[Path], None], counts: tuple[int, int, int]
) -> None:
    before = listed.read_bytes()
    harm(listed)
    with capture_logs() as logged:
        site.change()
        site.change()
    assert listed.read_bytes() == before
    assert tuple(drift(site).values()) == counts
    [said] = [line for line in logged if line["event"] == "output.drifted"]
    assert (said["missing"], said["altered"], said["foreign"]) == counts
    assert f'connector_output_drifted_total{{output="edge"}} {sum(counts)}.0' in site.metrics()
    assert (site.output()["state"], site.output()["reasons"]) == ("ok", {"written": 3})
    assert site.idle()


def test_a_published_list_restored_from_an_older_copy_has_what_is_wanted_now(
    site: Site, listed: Path
) -> None:
    older = listed.read_bytes()
    site.write("one.json", [indicator("a", ONE), indicator("d", "192.0.2.4")])
    site.change()
    newer = listed.read_bytes()
    for _ in range(2):
        listed.write_bytes(older)
        site.change()
        assert listed.read_bytes() == newer
        assert drift(site) == {"missing": 1, "altered": 0, "foreign": 2}


def rule(name: str) -> dict[str, object]:
    text = f"rule {name} {{ condition: filesize > 7 }}"
    return indicator(name, pattern=text, pattern_type="yara")


@pytest.fixture
def rules(site: Site) -> Path:
    """A published file of three rules."""
    options = {"file": "detect.yar", "language": "yara"}
    edge = {"list": "hunt", "adapter": "rules", "options": options}
    site.configure(lists={"hunt": {"purpose": "watch"}}, outputs={"edge": edge})
    site.write("one.json", [*map(rule, ("one", "two", "three"))])
    site.once()
    site.change()
    assert site.output()["drift"] is None
    return site.folder / "published" / "detect.yar"


def without_a_rule(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    at = next(at for at, line in enumerate(lines) if line.startswith("rule two"))
    path.write_text("".join([*lines[: at - 1], *lines[at + 1 :]]))


@pytest.mark.parametrize(
    ("harm", "counts"),
    [
        (Path.unlink, (3, 0, 0)),
        (lambda path: path.write_text(""), (3, 0, 0)),
        (without_a_rule, (1, 0, 0)),
        (lambda path: path.write_text(path.read_text().replace("7", "8", 1)), (0, 1, 0)),
        (lambda path: path.write_text(path.read_text().replace("rule", "\nrule")), (0, 3, 0)),
        (lambda path: path.write_text(path.read_text().replace("from files", "from me")),
         (0, 3, 0)),
        (lambda path: path.write_text(re.sub("rule t.*\n", "", path.read_text())), (2, 0, 0)),
        (lambda path: path.write_text(path.read_text() + "rule more { condition: true }\n"),
         (0, 0, 1)),
    ],
    ids=["deleted", "emptied", "without one", "altered", "all altered", "another comment",
         "comments alone", "foreign"],
)  # fmt: skip
def test_what_others_did_to_a_file_of_rules_is_mended_in_the_next_cycle(
    site: Site, rules: Path, harm: Callable[[Path], None], counts: tuple[int, int, int]
) -> None:
    before = rules.read_bytes()
    harm(rules)
    site.change()
    assert rules.read_bytes() == before
    assert tuple(drift(site).values()) == counts
    assert site.output()["reasons"]["written"] == 3
    assert site.idle()


def test_a_file_of_rules_restored_from_an_older_copy_has_what_is_wanted_now(
    site: Site, rules: Path
) -> None:
    older = rules.read_bytes()
    site.write("one.json", [rule("one"), rule("four")])
    site.change()
    newer = rules.read_bytes()
    for _ in range(2):
        rules.write_bytes(older)
        site.change()
        assert rules.read_bytes() == newer
        assert drift(site) == {"missing": 1, "altered": 0, "foreign": 1}, "all the rest is one text"


@pytest.mark.real_server
@pytest.mark.parametrize(
    ("harm", "counts"),
    [
        ("flush ruleset", (3, 0, 0)),
        ("flush set inet connector blocklist_v4", (3, 0, 0)),
        (f"delete element inet connector blocklist_v4 {{ {TWO} }}", (1, 0, 0)),
        ("add element inet connector blocklist_v4 { 192.0.2.9 }", ()),  # may stand beside ours
    ],
)
def test_what_others_did_to_the_kernels_sets_is_told_in_numbers(
    site: Site, harm: str, counts: tuple[int, ...]
) -> None:
    nft_hosts.require_nftables()
    with nft_hosts.namespace() as netns:
        keep_at(site, "nftables", NftablesAdapter, netns=netns)
        nft_hosts.nft(netns, harm)
        site.change()
        assert tuple(drift(site).values()) == counts
        held = nft_hosts.nft(netns, "list ruleset")
        assert [value for value in ALL if value in held] == ALL


def restored(netns: str) -> None:
    nft_hosts.nft(netns, "flush set inet connector blocklist_v4")
    elements = ", ".join(ALL)
    nft_hosts.nft(netns, f"add element inet connector blocklist_v4 {{ {elements} }}")


@pytest.mark.real_server
def test_a_kernel_restored_from_an_older_copy_has_what_is_wanted_now(site: Site) -> None:
    nft_hosts.require_nftables()
    with nft_hosts.namespace() as netns:
        keep_at(site, "nftables", NftablesAdapter, netns=netns)
        site.write("one.json", [indicator("a", ONE), indicator("d", "192.0.2.4")])
        site.change()
        restored(netns)
        site.change()
        held = nft_hosts.nft(netns, "list ruleset")
        assert [value for value in (*ALL, "192.0.2.4") if value in held] == [ONE, "192.0.2.4"]
        assert drift(site) == {"missing": 1, "altered": 0, "foreign": 2}


@pytest.mark.real_server
def test_what_a_person_adds_by_hand_stays_though_it_once_was_ours(site: Site) -> None:
    nft_hosts.require_nftables()
    with nft_hosts.namespace() as netns:
        keep_at(site, "nftables", NftablesAdapter, netns=netns)
        site.write("one.json", [indicator("a", ONE)])
        site.change()
        nft_hosts.nft(netns, f"add element inet connector blocklist_v4 {{ {TWO} }}")
        site.change()
        site.once()
        assert TWO in nft_hosts.nft(netns, "list ruleset")
        assert drift(site) == {}
