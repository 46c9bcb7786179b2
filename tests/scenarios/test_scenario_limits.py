"""Emptied feeds empty nothing, mass changes wait for a person, lost ledgers remove nothing."""

import os
from typing import Any

import pytest
from scenario_site import BLOCK_ALL, Site, forget_state, one_firewall
from stix_samples import address, indicator, revoked

from connector.errors import PlanRefusedError, UnavailableError
from connector.model import Observable, ObservableType
from connector.testing.taxii.server import TaxiiServer

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
FEW = [indicator("a", ONE), indicator("b", TWO), indicator("c", THREE)]
MANY = [indicator(n, address(n)) for n in range(1, 1201)]


def both_kinds(**limits: Any) -> dict[str, Any]:
    """One list at a firewall and in a published file."""
    outputs: dict[str, Any] = {
        "edge": {"list": "perimeter", "adapter": "firewall", "options": {"device": "edge"}},
        "file": {"list": "perimeter", "adapter": "edl", "options": {"file": "list.txt"}},
    }
    for output in outputs.values():
        output["limits"] = limits
    return {"lists": {"perimeter": BLOCK_ALL}, "outputs": outputs}


@pytest.fixture
def filled(site: Site) -> Site:
    site.configure(**both_kinds())
    site.write("one.json", FEW)
    site.once()
    assert site.at() == site.lines("list.txt") == [ONE, TWO, THREE]
    return site


def untouched(site: Site) -> bool:
    return site.at() == site.lines("list.txt") == [ONE, TWO, THREE]


@pytest.mark.parametrize("how", ["emptied", "deleted"])
def test_a_feed_of_files_that_is_emptied_holds_the_plan(filled: Site, how: str) -> None:
    if how == "emptied":
        filled.write("one.json", [])
    else:
        (filled.bundles / "one.json").unlink()
    outcome = filled.once()
    assert set(outcome.held) == {"edge", "file"}
    assert "would remove all" in str(outcome.held["edge"])
    assert untouched(filled)
    output = filled.output("edge")
    assert output["state"] == "held"
    assert output["held_plan"] == outcome.held["edge"].plan_id
    filled.consistent(settled=False)
    filled.write("one.json", FEW)
    assert not filled.once().held
    assert untouched(filled)
    assert filled.output("edge")["held_plan"] is None
    filled.consistent()


def test_a_folder_that_cannot_be_listed_withdraws_nothing(filled: Site) -> None:
    gone = filled.folder / "elsewhere"
    filled.bundles.rename(gone)
    assert "feed files" in filled.once().failures
    assert untouched(filled)
    assert filled.feed()["state"] == "failing"
    filled.consistent()
    gone.rename(filled.bundles)
    assert not filled.once().failures
    filled.consistent()


@pytest.mark.parametrize("content", ["", "{", '{"objects": [{}', "<html>", "null", "{}"])
def test_a_file_of_nonsense_withdraws_nothing(filled: Site, content: str) -> None:
    (filled.bundles / "one.json").write_text(content, encoding="utf-8")
    assert "one.json" in filled.once().failures["feed files"]
    assert untouched(filled)
    filled.consistent()
    filled.write("one.json", FEW)
    assert not filled.once().failures
    filled.consistent()


def test_a_link_that_leads_nowhere_withdraws_nothing(filled: Site) -> None:
    path = filled.bundles / "one.json"
    path.unlink()
    os.symlink(filled.folder / "nowhere.json", path)
    assert "feed files" in filled.once().failures
    assert untouched(filled)
    filled.consistent()


def test_a_server_whose_collection_is_empty_now_withdraws_nothing(
    site: Site, taxii: TaxiiServer, taxii_feed: Any
) -> None:
    site.configure(feeds={"ais": taxii_feed()}, **both_kinds())
    taxii.add_objects(FEW)
    site.once()
    for known in FEW:
        taxii.collections[0].remove(known["id"])
    assert not site.once().failures
    assert untouched(site)
    site.consistent()


def test_a_list_empties_when_every_producer_revoked(filled: Site) -> None:
    filled.write("one.json", [revoked(known) for known in FEW])
    assert not filled.once().held
    assert filled.at() == filled.lines("list.txt") == []
    filled.consistent()


@pytest.fixture
def full(site: Site) -> Site:
    """A site with 1,200 entries at two targets."""
    site.configure(**both_kinds())
    site.write("many.json", MANY)
    assert not site.once().held
    assert len(site.at()) == len(site.lines("list.txt")) == 1200
    return site


def test_a_mass_revocation_waits_until_exactly_it_is_accepted(full: Site) -> None:
    full.write("many.json", [*(revoked(known) for known in MANY[:400]), *MANY[400:]])
    outcome = full.once()
    assert set(outcome.held) == {"edge", "file"}
    held = outcome.held["edge"].plan_id
    assert "remove 400 entries, 33% of the 1,200 there" in str(outcome.held["edge"])
    assert full.output()["reasons"]["revoked"] == 400
    full.consistent(settled=False)

    full.open()
    assert not full.service.outputs.accept("000000000000", "me").outdated
    done = full.service.outputs.accept(held, "me")
    assert done.applied
    assert len(full.at()) == 800
    assert len(full.lines("list.txt")) == 1200
    assert full.output("file")["state"] == "held"
    done = full.service.outputs.accept(outcome.held["file"].plan_id, "me")
    assert done.applied
    assert len(full.lines("list.txt")) == 800
    full.consistent()
    again = full.service.outputs.accept(held, "me")
    assert not again.applied
    assert again.outdated


def test_a_plan_that_no_longer_fits_is_out_of_date(full: Site) -> None:
    full.write("many.json", [*(revoked(known) for known in MANY[:400]), *MANY[400:]])
    held = full.once().held["edge"].plan_id
    full.write("many.json", [*(revoked(known) for known in MANY[:500]), *MANY[500:]])
    newer = full.once().held["edge"].plan_id
    assert newer != held
    done = full.service.outputs.accept(held, "me")
    assert done.outdated
    assert not done.applied
    assert len(full.at()) == 1200
    assert full.service.outputs.accept(newer, "me").applied
    assert len(full.at()) == 700
    full.consistent(settled=False)


def test_a_plan_held_before_an_exception_was_made_does_not_enforce_the_excepted(
    site: Site,
) -> None:
    site.configure(**both_kinds(max_add=1))
    site.write("one.json", FEW[:1])
    site.once()
    site.write("one.json", FEW)
    held = site.once().held["edge"].plan_id
    exception = {"value": THREE, "why": "our own portal"}
    site.edit(lambda config: config["allowlist"].update(exceptions=[exception]))
    site.open()
    done = site.service.outputs.accept(held, "me")
    assert done.outdated
    assert site.at() == [ONE]
    site.once()
    assert site.at() == [ONE, TWO]
    site.consistent()


def test_a_mass_addition_waits_too(full: Site) -> None:
    full.write("more.json", [indicator(n, address(n)) for n in range(2000, 2700)])
    outcome = full.once()
    assert "add 700 entries, 58% of the 1,200 there" in str(outcome.held["edge"])
    assert len(full.at()) == 1200
    full.consistent(settled=False)


def interrupted(site: Site, *, after: str, times: int) -> None:
    """Let the next cycle fail at a device, after so many batches."""
    seen: list[str] = []

    def cut_off(point: str) -> None:
        seen.append(point)
        if seen.count(after) > times:
            raise UnavailableError("connection reset")

    site.rack["edge"].hook = cut_off
    with pytest.raises(UnavailableError):
        site.change()
    site.rack["edge"].hook = lambda _point: None


def in_batches(site: Site) -> None:
    site.configure(**one_firewall())
    site.edit(lambda config: config["outputs"]["edge"]["options"].update(batch_size=100))


def test_a_first_fill_that_was_cut_short_goes_on_by_itself(site: Site) -> None:
    in_batches(site)
    site.write("many.json", MANY)
    interrupted(site, after="added", times=3)
    assert len(site.at()) == 400
    site.consistent(settled=False)
    site.open()
    site.change()
    assert len(site.at()) == 1200
    site.consistent()


def test_an_accepted_removal_that_was_cut_short_goes_on_by_itself(site: Site) -> None:
    in_batches(site)
    site.write("many.json", MANY)
    site.once()
    site.write("many.json", [*(revoked(known) for known in MANY[:800]), *MANY[800:]])
    held = site.once().held["edge"].plan_id
    seen: list[str] = []

    def cut_off(point: str) -> None:
        seen.append(point)
        if seen.count("removed") > 2:
            raise UnavailableError("connection reset")

    site.rack["edge"].hook = cut_off
    with pytest.raises(UnavailableError):
        site.service.outputs.accept(held, "me")
    assert 800 < len(site.at()) < 1200
    site.rack["edge"].hook = lambda _point: None
    site.open()
    site.change()
    assert len(site.at()) == 400
    site.consistent()


def test_a_firewall_that_lost_its_table_gets_it_back_without_a_person(full: Site) -> None:
    for known in full.rack["edge"].entries():
        full.rack["edge"].take_by_hand(known)
    assert not full.once().held
    assert len(full.at()) == 1200
    full.consistent()


def test_a_full_device_that_refuses_again_what_it_has_does_not_orphan_it(site: Site) -> None:
    in_batches(site)
    site.write("few.json", FEW)
    seen: list[str] = []

    def cut_off(point: str) -> None:
        seen.append(point)
        if point == "added":
            raise UnavailableError("connection reset")

    site.rack["edge"].hook = cut_off
    with pytest.raises(UnavailableError):
        site.change()
    assert site.at() == [ONE, TWO, THREE]
    site.rack["edge"].hook = lambda _point: None
    site.rack["edge"].refuses = {TWO: "table full"}
    site.open()
    site.once()
    site.consistent(settled=False)
    site.write("few.json", [FEW[0]])
    site.change()
    assert site.at() == [ONE]
    site.consistent()


def test_a_held_change_does_not_pile_up_with_each_cycle(filled: Site) -> None:
    filled.write("one.json", [])
    first = filled.once().held["edge"].plan_id
    for _ in range(3):
        filled.service.feeds.poll("files")
        filled.service.lists.refresh("perimeter")
        with pytest.raises(PlanRefusedError) as refusal:
            filled.service.outputs.sync("edge")
        assert refusal.value.plan_id == first
    with filled.service.store.database.read() as transaction:
        rows = transaction.rows(
            "SELECT count(*) FROM audit WHERE action = 'hold' AND output = 'edge'"
        )
    assert rows[0][0] == 1


def test_a_lost_ledger_removes_nothing_at_a_firewall_and_takes_no_error(site: Site) -> None:
    site.configure(**one_firewall())
    site.write("one.json", FEW)
    site.once()
    forget_state(site)
    site.rack["edge"].by_hand.update(site.rack["edge"].entries())
    site.write("one.json", [FEW[0], indicator("d", "192.0.2.4")])
    outcome = site.once()
    assert not outcome.failures
    assert not outcome.held
    assert site.at() == [ONE, TWO, THREE, "192.0.2.4"]
    assert site.output()["reasons"] == {"written": 2}
    site.consistent(settled=False)
    site.write("one.json", [indicator("e", "192.0.2.5")])
    site.change()
    assert site.at() == [ONE, TWO, THREE, "192.0.2.5"]


def test_a_lost_ledger_does_not_wipe_a_published_file_while_the_feed_is_down(
    site: Site, taxii: TaxiiServer, taxii_feed: Any
) -> None:
    site.configure(feeds={"ais": taxii_feed()}, **both_kinds())
    taxii.add_objects(FEW)
    site.once()
    forget_state(site)
    from connector.testing.taxii.faults import Status

    taxii.faults = [Status(code=503, path="/")]
    outcome = site.once()
    assert "feed ais" in outcome.failures
    assert "waiting for the first poll of feed ais" in outcome.failures["output file"]
    assert site.lines("list.txt") == [ONE, TWO, THREE]
    taxii.faults = []
    outcome = site.once()
    assert not outcome.failures
    assert not outcome.held
    assert site.lines("list.txt") == [ONE, TWO, THREE]
    assert site.output("file")["state"] == "ok"


def test_a_published_file_drops_what_was_revoked_while_the_ledger_was_lost(site: Site) -> None:
    site.configure(**both_kinds())
    site.write("one.json", FEW)
    site.once()
    forget_state(site)
    site.write("one.json", [FEW[0], FEW[1], revoked(FEW[2])])
    outcome = site.once()
    held = outcome.held["file"].plan_id
    assert site.service.outputs.accept(held, "me").applied
    assert site.lines("list.txt") == [ONE, TWO]


def test_what_somebody_put_at_the_target_is_left_alone_for_ever(site: Site) -> None:
    """Also when a feed names it later, and when the feed takes it back."""
    theirs = Observable(ObservableType.IPV4_ADDR, TWO)
    site.configure()
    site.rack["edge"].put_by_hand(theirs, {"comment": "by hand"})
    site.write("one.json", [FEW[0]])
    site.once()
    site.write("one.json", FEW)
    site.change()
    assert site.at() == [ONE, TWO, THREE]
    assert site.rack["edge"].entries()[theirs] == {"comment": "by hand"}
    assert site.output()["reasons"] == {"written": 3}
    site.consistent()
    site.write("one.json", [FEW[2]])
    site.change()
    assert site.at() == [TWO, THREE]
    site.once()
    assert site.at() == [TWO, THREE]
    site.consistent()


def test_an_entry_taken_away_by_its_owner_is_then_added_by_us(site: Site) -> None:
    theirs = Observable(ObservableType.IPV4_ADDR, TWO)
    site.configure()
    site.rack["edge"].put_by_hand(theirs, {})
    site.write("one.json", FEW)
    site.once()
    site.rack["edge"].take_by_hand(theirs)
    site.once()
    assert site.at() == [ONE, TWO, THREE]
    site.consistent()
    site.write("one.json", [FEW[0]])
    site.change()
    assert site.at() == [ONE]
    site.consistent()


def test_an_output_that_gets_another_list_gets_all_of_it_and_loses_the_rest(site: Site) -> None:
    site.configure(**both_kinds())
    site.edit(
        lambda config: config["lists"].update(
            sure={"purpose": "block", "select": {"min_confidence": 80}}
        )
    )
    sure = [indicator(n, f"198.51.100.{n}", confidence=90) for n in range(1, 4)]
    site.write("one.json", [*FEW, *sure])
    site.once()
    assert len(site.at()) == 6
    site.edit(lambda config: config["outputs"]["edge"].update(list="sure"))
    site.open()
    site.change()
    assert site.at() == ["198.51.100.1", "198.51.100.2", "198.51.100.3"]
    site.consistent()
    assert site.idle()
