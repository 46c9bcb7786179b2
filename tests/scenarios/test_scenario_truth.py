"""What others do to a target is noticed in the next cycle, by its stamp, and mended."""

import os
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import nft_hosts
import pytest
from connector_nftables import NftablesAdapter
from rich.console import Console
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from stix_samples import address, indicator

from connector.feeds.bundle import BundleFeed
from connector.model import Observable, ObservableType
from connector.reports.formatting import show_status

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
FEW = [indicator("a", ONE), indicator("b", TWO), indicator("c", THREE)]
MANY = [indicator(n, address(n)) for n in range(1, 1201)]
FILE = {
    "lists": {"perimeter": BLOCK_ALL},
    "outputs": {"file": {"list": "perimeter", "adapter": "edl", "options": {"file": "list.txt"}}},
}


def deleted(file: Path) -> None:
    file.unlink()


def emptied(file: Path) -> None:
    file.write_text("", encoding="utf-8")


def altered(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(TWO, "192.0.2.7"), encoding="utf-8")


def altered_within_its_time_and_size(file: Path) -> None:
    before = file.stat()
    altered(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def with_a_line_of_others(file: Path) -> None:
    with file.open("a", encoding="utf-8") as lines:
        lines.write("192.0.2.99\n")


def restored_from_an_older_copy(file: Path) -> None:
    older = file.with_name("older.txt")
    older.write_text(f"{ONE}\n", encoding="utf-8")
    os.utime(older, ns=(0, 0))
    shutil.copy2(older, file)


@pytest.mark.parametrize(
    "harm",
    [
        deleted, emptied, altered, altered_within_its_time_and_size, with_a_line_of_others,
        restored_from_an_older_copy,
    ],
)  # fmt: skip
def test_a_published_file_that_others_changed_is_mended_in_the_next_cycle(
    site: Site, harm: Callable[[Path], None]
) -> None:
    site.configure(**FILE)
    site.write("one.json", FEW)
    site.once()
    site.change()
    harm(site.folder / "published" / "list.txt")
    site.change()
    assert site.lines("list.txt") == [ONE, TWO, THREE]


@pytest.mark.parametrize(
    ("harm", "missing", "foreign"),
    [(deleted, 3, 0), (emptied, 3, 0), (altered, 1, 1), (with_a_line_of_others, 0, 1)],
)
def test_what_others_did_is_told_once_as_drift_and_never_as_a_change_of_a_feed(
    site: Site, capsys: pytest.CaptureFixture[str], harm: Callable[[Path], None], missing: int,
    foreign: int,
) -> None:  # fmt: skip
    site.configure(**FILE)
    site.write("one.json", FEW)
    site.once()
    assert site.output("file")["drift"] is None
    harm(site.folder / "published" / "list.txt")
    site.change()
    site.change()
    told = [line for line in capsys.readouterr().out.splitlines() if "output.drifted" in line]
    assert len(told) == 1
    assert f"missing={missing}" in told[0]
    assert "altered=0" in told[0]
    assert f"foreign={foreign}" in told[0]
    assert site.output("file")["drift"] == {
        "at": "2026-03-01T12:00:00Z", "missing": missing, "altered": 0, "foreign": foreign,
        "total": missing + foreign,
    }  # fmt: skip
    assert (
        f'connector_output_drifted_total{{output="file"}} {missing + foreign}.0' in site.metrics()
    )
    assert site.output("file")["state"] == "ok"
    console = Console(width=200, file=StringIO())
    show_status(console, site.status())
    assert "others changed the target: " in console.file.getvalue()


def test_values_and_losses_that_nobody_expects_are_told_once_and_stay_in_status(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.configure()
    site.write("one.json", FEW)
    site.once()
    edge = site.rack["edge"]
    edge.put_by_hand(Observable(ObservableType.IPV4_ADDR, "198[.]51.100.9"), {})
    for _ in range(3):
        edge.take_by_hand(Observable(ObservableType.IPV4_ADDR, ONE))
        site.clock.advance(hours=6)
        site.once()
    for hours in (0, 6):  # also where two full passes are in one instant
        site.clock.advance(hours=hours)
        site.once()
    assert [(one["remark"], one["type"], one["count"]) for one in site.output()["remarks"]] == [
        ("not_canonical", "ipv4-addr", 1),
        ("never_read_back", "ipv4-addr", 1),
    ]
    said = capsys.readouterr().out
    assert said.count("output.odd_values") == said.count("output.never_read_back") == 1
    console = Console(width=200, file=StringIO())
    show_status(console, site.status())
    assert "edge: 1 entry of type ipv4-addr at the target is not in" in console.file.getvalue()
    assert (
        "1 entry of type ipv4-addr written three times or more, and never"
        in console.file.getvalue()
    )
    assert site.at() == [TWO, THREE, "198[.]51.100.9"]


def test_an_entry_altered_at_a_firewall_is_drift_and_a_changed_mapping_is_not(site: Site) -> None:
    site.configure()
    site.write("one.json", FEW)
    site.once()
    edge = site.rack["edge"]
    site.edit(
        lambda config: config["outputs"]["edge"].update(mapping={"comment": {"from": "value"}})
    )
    site.open()
    site.once()
    assert site.output()["drift"] is None
    edge.put_by_hand(Observable(ObservableType.IPV4_ADDR, ONE), {"comment": "mine"})
    site.once()
    assert site.output()["drift"]["altered"] == 1
    assert edge.entries()[Observable(ObservableType.IPV4_ADDR, ONE)] == {"comment": ONE}


def test_a_large_file_that_was_deleted_is_mended_without_breaking_a_limit(site: Site) -> None:
    site.configure(**FILE)
    site.write("one.json", MANY)
    site.once()
    deleted(site.folder / "published" / "list.txt")
    site.change()
    assert len(site.lines("list.txt")) == len(MANY)


@pytest.fixture
def stamped(site: Site) -> Site:
    """A firewall that counts what is done to it, and tells."""
    site.configure()
    site.write("one.json", FEW)
    site.rack["edge"].stamp = "1"
    site.once()
    site.change()
    return site


def test_a_target_whose_stamp_stands_is_not_read(stamped: Site) -> None:
    reads = stamped.rack["edge"].reads
    for _ in range(5):
        stamped.clock.advance(minutes=1)
        stamped.change()
    assert stamped.rack["edge"].reads == reads


def test_a_target_that_forgot_is_filled_again(stamped: Site) -> None:
    edge = stamped.rack["edge"]
    for observable in list(edge.entries()):
        edge.take_by_hand(observable)
    edge.stamp = "2"
    stamped.change()
    assert stamped.at() == [ONE, TWO, THREE]
    stamped.consistent()


def test_a_change_by_others_is_not_covered_by_a_write_of_ours(stamped: Site) -> None:
    """The new stamp is kept only where the target was as we left it, or was read."""
    edge = stamped.rack["edge"]
    edge.take_by_hand(Observable(ObservableType.IPV4_ADDR, ONE))
    edge.stamp = "2"
    stamped.write("two.json", [indicator("d", "192.0.2.4")])
    stamped.change()
    assert stamped.at() == [ONE, TWO, THREE, "192.0.2.4"]


def test_a_busy_neighbour_has_us_read_less_and_less_often_and_a_true_call_mends_that(
    stamped: Site,
) -> None:
    edge = stamped.rack["edge"]
    before = edge.reads
    for minute in range(60):
        edge.stamp = f"of minute {minute}"
        stamped.change()
        stamped.clock.advance(minutes=1)
    assert 3 <= edge.reads - before <= 7
    edge.take_by_hand(Observable(ObservableType.IPV4_ADDR, ONE))
    for _ in range(70):  # the longest rest so far
        stamped.clock.advance(minutes=1)
        stamped.change()
    assert stamped.at() == [ONE, TWO, THREE]
    edge.take_by_hand(Observable(ObservableType.IPV4_ADDR, TWO))
    edge.stamp = "another"
    stamped.change()
    assert stamped.at() == [ONE, TWO, THREE]


def test_a_busy_neighbour_beside_a_list_that_changes_has_us_read_no_more_often(
    stamped: Site,
) -> None:
    edge = stamped.rack["edge"]
    before = edge.reads
    for minute in range(60):
        edge.stamp = f"of minute {minute}"
        stamped.write("two.json", [indicator(minute, address(100 + minute))])
        stamped.change()
        stamped.clock.advance(minutes=1)
    assert 3 <= edge.reads - before <= 7


def test_the_target_is_read_once_for_a_stamp_that_changed_while_nothing_ran(stamped: Site) -> None:
    edge = stamped.rack["edge"]
    stamped.close()
    edge.stamp = "2"
    stamped.once()
    reads = edge.reads
    stamped.change()
    assert edge.reads == reads


def blocked(netns: str) -> bool:
    """Whether the kernel has all three."""
    held = nft_hosts.nft(netns, "list ruleset")
    return all(value in held for value in (ONE, TWO, THREE))


@pytest.mark.real_server
@pytest.mark.parametrize(
    "harm",
    [
        "flush ruleset",
        "delete table inet connector",
        "flush set inet connector blocklist_v4",
        f"delete element inet connector blocklist_v4 {{ {TWO} }}",
    ],
)
def test_a_kernel_that_forgot_is_filled_again_in_the_next_cycle(site: Site, harm: str) -> None:
    nft_hosts.require_nftables()
    site.registry = QuickRegistry({"nftables": NftablesAdapter}, {"bundle": BundleFeed})
    with nft_hosts.namespace() as netns:
        edge = {"list": "perimeter", "adapter": "nftables", "options": {"netns": netns}}
        site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": edge})
        site.write("one.json", FEW)
        site.once()
        site.change()
        nft_hosts.nft(netns, harm)
        assert not blocked(netns)
        site.change()
        assert blocked(netns)
        assert site.output()["state"] == "ok"
