"""A kill at any instant: after a restart the target holds what it should, owned exactly once."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from dying_process import Nursery, Points, cycle
from scenario_site import Site, forget_state
from stix_samples import TLP, indicator, revoked

from connector.testing.taxii.server import TaxiiServer

# The steps of applying a plan, and each page; each is passed at least once.
STEPS = ("intended", "added", "removed", "published", "written", "finished", "page")
# Whatever changes the state or a target; a kill anywhere else is the same as one after the last.
CHANGES = ("after commit", "device half added", "device added", "device removed", "published")


def sections(feeds: dict[str, Any]) -> dict[str, Any]:
    """Two lists on four outputs: by batches, with room for five, as a file, and a watchlist."""
    comment = {"comment": {"template": "{indicator.id} {feed.name}"}}

    def firewall(listed: str, device: str, **more: Any) -> dict[str, Any]:
        options = {"device": device, "batch_size": 2}
        return {"list": listed, "adapter": "firewall", "options": options, **more}

    return {
        "feeds": feeds,
        "lists": {"perimeter": {"purpose": "block"}, "hunt": {"purpose": "watch"}},
        "outputs": {
            "edge": firewall("perimeter", "edge", mapping=comment),
            "small": firewall("perimeter", "small", limits={"max_entries": 5}),
            "file": {"list": "perimeter", "adapter": "edl", "options": {"file": "list.txt"}},
            "hunt": firewall("hunt", "hunt"),
        },
    }


FIRST = [indicator(n, f"192.0.2.{n}", confidence=50 + n) for n in range(1, 8)]
BOTH = "[domain-name:value = 'x.example' AND ipv4-addr:value = '192.0.2.9']"
# Everything that may happen to an indicator, all at once.
NEWS = [
    indicator(1, "192.0.2.1", days=2, confidence=90),
    indicator(2, "198.51.100.2", days=2),
    revoked(FIRST[2]),
    indicator(8, "203.0.113.8", confidence=99),
    indicator("late", "203.0.113.9", valid_from="2026-03-01T13:00:00.000Z"),
    indicator("red", "203.0.113.10", object_marking_refs=[TLP["red"]]),
    indicator("both", pattern=BOTH),
]
BUNDLES = {"type": "bundle", "path": "bundles/", "unmarked_tlp": "clear"}


def write_first(site: Site) -> None:
    site.write("one.json", [indicator("b1", "b1.example"), indicator("b2", "b2.example")])
    site.write("two.json", [indicator("b3", "b3.example"), indicator("b4", "192.0.2.1")])


def write_news(site: Site) -> None:
    site.write("one.json", [indicator("b1", "b1.example"), indicator("b5", "b5.example")])
    (site.bundles / "two.json").unlink()
    site.clock.advance(hours=2)
    site.close()


def end_state(site: Site) -> dict[str, Any]:
    """All that must be the same, however often somebody died on the way."""
    status = site.status()
    return {
        "devices": {name: site.rack[name].entries() for name in ("edge", "small", "hunt")},
        "file": site.lines("list.txt"),
        "lists": status["lists"],
        "outputs": [
            (part["name"], part["reasons"], part["state"], part["removal_seconds"])
            for part in status["outputs"]
        ],
        "objects": [part["objects"] for part in status["feeds"]],
    }


def holds_of(site: Site) -> dict[str, list[tuple[Any, ...]]]:
    """What waits at each output."""
    return {
        output["name"]: [
            (hold["id"], hold["state"], hold["add"], hold["remove"]) for hold in output["held"]
        ]
        for output in site.status()["outputs"]
    }


def held(site: Site) -> dict[bytes, tuple[Any, ...]]:
    """Every object of the store by key: where it stands, its original, and what it claims."""
    store = site.service.store
    with store.database.read() as transaction:
        objects = transaction.rows(
            "SELECT number, key, state, modified, valid_from, received, sighted FROM objects",
        )
        claims = transaction.rows(
            "SELECT c.object, c.kind, b.type, b.value FROM claims c "
            "JOIN observables b ON b.number = c.observable",
        )
        keys = {row[0]: bytes(row[1]) for row in objects}
        originals = store.originals(transaction, list(keys.values()))
    said: dict[int, list[tuple[Any, ...]]] = {}
    for number, *claim in claims:
        said.setdefault(number, []).append(tuple(claim))
    return {
        keys[number]: (*standing, originals[keys[number]], sorted(said[number]))
        for number, _key, *standing in objects
    }


@pytest.fixture
def ready(site: Site, taxii: TaxiiServer, taxii_feed: Callable[..., dict[str, Any]]) -> Site:
    """A site in step with a server and a folder, at the moment before everything changes."""
    site.configure(**sections({"ais": taxii_feed(page_size=4), "files": BUNDLES}))
    taxii.add_objects(FIRST)
    write_first(site)
    site.once()
    site.consistent()
    taxii.add_objects(NEWS)
    write_news(site)
    return site


@pytest.fixture
def ready_files(site: Site) -> Site:
    """The same from files alone."""
    site.configure(**sections({"files": BUNDLES}))
    write_first(site)
    site.write("ais.json", FIRST)
    site.once()
    site.consistent()
    site.write("ais.json", [*FIRST, *NEWS])
    write_news(site)
    return site


def copies(site: Site, folder: Path) -> Iterator[Site]:
    """Yield the same site again and again, each time in a folder of its own."""
    number = 0
    while True:
        number += 1
        copied = folder.parent / f"{folder.name}-{number}"
        shutil.copytree(site.folder, copied)
        made = Site(copied, type(site.clock)(site.clock.moment))
        yield made
        made.close()
        shutil.rmtree(copied)


def test_a_kill_at_any_instant_of_a_cycle_leaves_no_trace_after_the_next(
    ready_files: Site, nursery: Nursery
) -> None:
    sites = copies(ready_files, ready_files.folder)
    undisturbed = next(sites)
    passed = Points()
    cycle(undisturbed, passed, whole=False)
    expected = end_state(undisturbed)
    undisturbed.consistent()

    for point in CHANGES:
        assert passed.passed[point]
        for nth in range(1, passed.passed[point] + 1):
            killed = next(sites)
            nursery.kill_in_cycle(killed, point, nth, whole=False)
            where = f"killed at {point} {nth}"
            killed.consistent(settled=False)
            killed.change()
            assert end_state(killed) == expected, where
            killed.consistent()
            assert killed.idle(), where


def test_a_kill_at_any_instant_of_a_first_fill_leaves_each_entry_owned_once(
    site: Site, nursery: Nursery
) -> None:
    """Its rows are written many at once, and confirmed by one statement for many."""
    site.configure(
        feeds={"files": BUNDLES},
        lists={"perimeter": {}},
        outputs={
            "edge": {
                "list": "perimeter", "adapter": "firewall",
                "options": {"device": "edge", "batch_size": 4},
            },
            "file": {"list": "perimeter", "adapter": "edl", "options": {"file": "list.txt"}},
        },
    )  # fmt: skip
    site.write("all.json", [indicator(n, f"192.0.2.{n}") for n in range(1, 11)])
    sites = copies(site, site.folder)
    undisturbed = next(sites)
    passed = Points()
    cycle(undisturbed, passed, whole=False, at_once=3)
    expected = [undisturbed.at(), undisturbed.lines("list.txt"), undisturbed.output("file")]
    assert len(undisturbed.at()) == len(undisturbed.lines("list.txt")) == 10
    undisturbed.consistent()
    audited = audit_of(undisturbed)
    for point in CHANGES:
        for nth in range(1, passed.passed[point] + 1):
            killed = next(sites)
            nursery.kill_in_cycle(killed, point, nth, whole=False, at_once=3)
            where = f"killed at {point} {nth}"
            killed.consistent(settled=False)
            killed.change()
            assert [killed.at(), killed.lines("list.txt"), killed.output("file")] == expected, where
            assert audit_of(killed) >= audited, where
            killed.consistent()
            assert killed.idle(), where


def audit_of(site: Site) -> set[tuple[str, str]]:
    """Which entries the audit says were written, by output."""
    with site.service.store.database.read() as transaction:
        rows = transaction.rows("SELECT output, entries FROM audit WHERE action = 'write'")
    return {
        (output, entry[1])
        for output, packed in rows
        for entry in msgspec.msgpack.decode(zstandard.decompress(packed))
    }


@pytest.mark.parametrize("accepted", [False, True], ids=["made", "accepted"])
def test_a_kill_between_a_hold_and_the_write_leaves_each_change_held_or_written(
    ready_files: Site, nursery: Nursery, accepted: bool
) -> None:
    """Also in the cycle that applies a hold, while other changes wait for a person."""

    def strict(config: dict[str, Any]) -> None:
        del config["lists"]["hunt"], config["outputs"]["hunt"], config["outputs"]["small"]
        for output in config["outputs"].values():
            output["limits"] = {"max_add": 0, "max_remove": 1}

    ready_files.edit(strict)
    if accepted:
        cycle(ready_files, Points(), whole=False)
        service = ready_files.open()
        for output in ready_files.status()["outputs"]:
            for hold in output["held"]:
                number = service.store.outputs.open(output["name"], 1).number
                service.store.holds.accept(number, hold["id"], "ada", "")
        ready_files.write("more.json", [indicator(n, f"192.0.2.{n}") for n in range(50, 53)])
        ready_files.close()
    sites = copies(ready_files, ready_files.folder)
    undisturbed = next(sites)
    passed = Points()
    cycle(undisturbed, passed, whole=False)
    expected = (end_state(undisturbed), holds_of(undisturbed))
    assert any(holds_of(undisturbed).values())
    undisturbed.consistent()
    for point in CHANGES:
        for nth in range(1, passed.passed[point] + 1):
            killed = next(sites)
            nursery.kill_in_cycle(killed, point, nth, whole=False)
            killed.consistent(settled=False)
            killed.change()
            assert (end_state(killed), holds_of(killed)) == expected, f"killed at {point} {nth}"
            killed.consistent()
            assert killed.idle(), f"killed at {point} {nth}"


@pytest.mark.parametrize("whole", [True, False], ids=["everything", "changed"])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_each_step_is_healed_by_a_whole_pass(
    ready: Site, nursery: Nursery, step: str, whole: bool
) -> None:
    sites = copies(ready, ready.folder)
    undisturbed = next(sites)
    undisturbed.once()
    expected = end_state(undisturbed)
    killed = next(sites)
    nursery.kill_in_cycle(killed, step, 1, whole=whole)
    killed.consistent(settled=False)
    killed.once()
    assert end_state(killed) == expected
    killed.consistent()
    assert killed.idle()


@pytest.mark.parametrize("page", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("partial_runs", ["allow", "refuse"])
def test_a_kill_between_two_pages_ends_in_the_same_store(
    site: Site,
    taxii: TaxiiServer,
    taxii_feed: Callable[..., dict[str, Any]],
    nursery: Nursery,
    page: int,
    partial_runs: str,
) -> None:
    site.configure(**sections({"ais": taxii_feed(page_size=3, partial_runs=partial_runs)}))
    taxii.add_objects([indicator(n, f"192.0.2.{n}") for n in range(1, 14)])
    sites = copies(site, site.folder)
    undisturbed = next(sites)
    undisturbed.once()
    nursery.kill_in_cycle(site, "page", page, whole=True)
    kept = min(3 * page, 13) if partial_runs == "allow" else 0
    assert site.feed("ais")["objects"] == kept
    site.once()
    assert end_state(site) == end_state(undisturbed)
    assert held(site) == held(undisturbed)
    assert len(held(site)) == 13
    assert len(site.at()) == 13
    site.consistent()
    sites.close()
    assert site.idle()


def test_a_first_fill_that_is_killed_is_ours_after_the_restart(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[..., dict[str, Any]], nursery: Nursery
) -> None:
    site.configure(**sections({"ais": taxii_feed()}))
    known = [indicator(n, f"192.0.2.{n}") for n in range(1, 8)]
    taxii.add_objects(known)
    nursery.kill_in_cycle(site, "device half added", 2, whole=True)
    assert len(site.at()) == 3
    taxii.add_objects([revoked(one) for one in known[:6]])
    site.once()
    assert site.at() == ["192.0.2.7"]
    site.consistent()


def test_a_kill_and_a_lost_ledger_together_leave_entries_that_nobody_touches(
    ready: Site, nursery: Nursery
) -> None:
    nursery.kill_in_cycle(ready, "device half added", 1, whole=False)
    left = set(ready.at())
    forget_state(ready)
    for observable in ready.rack["edge"].entries():
        ready.rack["edge"].by_hand.add(observable)
    ready.once()
    assert left <= set(ready.at())
