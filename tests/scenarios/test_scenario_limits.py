"""Emptied feeds empty nothing, mass changes wait for a person, lost ledgers remove nothing."""

import os
from datetime import timedelta
from typing import Any

import pytest
from scenario_site import BLOCK_ALL, Site, forget_state, one_firewall
from stix_samples import START, address, indicator, revoked, write_bundle

from connector.errors import UnavailableError
from connector.model import Observable, ObservableType
from connector.service.once import RunResult
from connector.testing.taxii.server import TaxiiServer

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
FEW = [indicator("a", ONE), indicator("b", TWO), indicator("c", THREE)]
MANY = [indicator(n, address(n)) for n in range(1, 1201)]


def at(**amount: float) -> str:
    """An instant after the start, as STIX has it."""
    return (START + timedelta(**amount)).strftime("%Y-%m-%dT%H:%M:%SZ")


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


def broken(outcome: RunResult, output: str) -> str:
    """The sentences of all that waits at an output."""
    return "; ".join(sentence for hold in outcome.held[output] for sentence in hold.sentences)


def held_at(site: Site, output: str = "edge") -> list[str]:
    """The ids of all that waits at an output, the oldest first."""
    return [hold["id"] for hold in site.output(output)["held"]]


def untouched(site: Site) -> bool:
    return site.at() == site.lines("list.txt") == [ONE, TWO, THREE]


@pytest.mark.parametrize("how", ["emptied", "deleted"])
def test_a_feed_of_files_that_is_emptied_empties_no_list(filled: Site, how: str) -> None:
    if how == "emptied":
        filled.write("one.json", [])
    else:
        (filled.bundles / "one.json").unlink()
    outcome = filled.once()
    assert set(outcome.held) == {"edge", "file"}
    assert "would remove all" in broken(outcome, "edge")
    assert untouched(filled)
    output = filled.output("edge")
    assert output["state"] == "held"
    [hold] = outcome.held["edge"]
    assert output["held_plan"] == hold.id
    [told] = output["held"]
    assert (told["id"], told["add"], told["remove"]) == (hold.id, 0, 3)
    filled.consistent()
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
    [held] = held_at(full)
    assert "remove 400 entries, 33% of the 1,200 there" in broken(outcome, "edge")
    assert full.output()["reasons"]["revoked"] == 400
    full.consistent()

    full.open()
    unknown = full.service.outputs.accept("000000000000", "me")
    assert (unknown.done, unknown.nothing_left) == (False, False)
    done = full.service.outputs.accept(held, "me")
    assert done.done
    assert len(full.at()) == 800
    assert len(full.lines("list.txt")) == 1200
    assert full.output("file")["state"] == "held"
    done = full.service.outputs.accept(held_at(full, "file")[0], "me")
    assert done.done
    assert len(full.lines("list.txt")) == 800
    full.consistent()
    again = full.service.outputs.accept(held, "me")
    assert not again.done
    assert again.nothing_left


def test_what_breaks_no_limit_goes_on_while_a_hold_waits(full: Site) -> None:
    full.write("many.json", [*(revoked(known) for known in MANY[:400]), *MANY[400:]])
    [held] = [hold.id for hold in full.once().held["edge"]]
    lost = [*(revoked(known) for known in MANY[:500]), *MANY[500:]]
    full.write("many.json", [*lost, indicator(3000, address(3000))])
    full.once()
    assert held_at(full) == [held], "a hundred more are no third of the list"
    assert len(full.at()) == len(full.lines("list.txt")) == 1200 - 100 + 1
    assert address(3000) in full.at()
    assert address(3000) in full.lines("list.txt")
    full.consistent()
    assert full.service.outputs.accept(held, "me").done
    assert len(full.at()) == 701
    full.consistent(settled=False)


def test_an_exception_takes_effect_also_on_what_waits(full: Site) -> None:
    """The command says that its value is never blocked, and that is true within the cycle."""
    full.write("many.json", [*(revoked(known) for known in MANY[:400]), *MANY[400:]])
    full.once()
    freed = [address(1), address(700)]
    exceptions = [{"value": value, "why": "our own portal"} for value in freed]
    full.edit(lambda config: config["allowlist"].update(exceptions=exceptions))
    full.open()
    full.once()
    assert not set(freed) & {*full.at(), *full.lines("list.txt")}
    [told] = full.output()["held"]
    assert told["remove"] == 399, "one of them waits no longer"
    full.consistent()


def test_what_a_feed_gives_again_leaves_its_hold_and_the_last_one_ends_it(full: Site) -> None:
    full.write("many.json", MANY[400:])
    [held] = [hold.id for hold in full.once().held["edge"]]
    full.write("many.json", MANY[200:])
    full.once()
    [told] = full.output()["held"]
    assert (told["id"], told["remove"]) == (held, 200)
    full.write("many.json", MANY)
    assert not full.once().held
    answer = full.service.outputs.accept(held, "me")
    assert (answer.done, answer.nothing_left) == (False, True)
    assert len(full.at()) == 1200
    full.consistent()


def test_what_was_refused_stays_until_its_end_and_is_told(full: Site) -> None:
    full.write("many.json", [*(revoked(known) for known in MANY[:400]), *MANY[400:]])
    [held] = [hold.id for hold in full.once().held["edge"]]
    end = full.clock() + 3_600_000_000
    assert full.service.outputs.refuse(held, "me", "the feed is ill", end).done
    assert "edge" not in full.once().held
    assert len(full.at()) == 1200
    output = full.output()
    assert (output["state"], output["held_plan"]) == ("ok", None)
    assert [(told["state"], told["why"]) for told in output["held"]] == [
        ("refused", "the feed is ill")
    ]
    full.consistent()
    full.clock.advance(hours=2)
    outcome = full.once()
    [again] = outcome.held["edge"]
    assert again.id == held, "the same is due again, and waits for a person again"
    assert len(full.at()) == 1200


def test_an_addition_that_waited_is_not_made_once_an_exception_forbids_it(site: Site) -> None:
    site.configure(**both_kinds(max_add=1))
    site.write("one.json", FEW[:1])
    site.once()
    site.write("one.json", FEW)
    [held] = [hold.id for hold in site.once().held["edge"]]
    exception = {"value": THREE, "why": "our own portal"}
    site.edit(lambda config: config["allowlist"].update(exceptions=[exception]))
    site.open()
    assert site.service.outputs.accept(held, "me").done
    assert site.at() == [ONE, TWO]
    site.consistent(settled=False)


def test_a_mass_addition_waits_too(full: Site) -> None:
    full.write("more.json", [indicator(n, address(n)) for n in range(2000, 2700)])
    outcome = full.once()
    assert "add 700 entries, 58% of the 1,200 there" in broken(outcome, "edge")
    assert len(full.at()) == len(full.lines("list.txt")) == 1200
    assert full.output()["reasons"] == {"held": 700, "written": 1200}
    full.consistent()


def test_a_mass_addition_of_one_feed_does_not_hold_up_the_other(site: Site) -> None:
    both = {
        name: {"type": "bundle", "path": f"{name}/", "unmarked_tlp": "clear"}
        for name in ("bundles", "theirs")
    }
    (site.folder / "theirs").mkdir()
    site.configure(feeds=both, **both_kinds())
    site.write("one.json", MANY[:100])
    site.once()
    write_bundle(
        site.folder / "theirs" / "two.json",
        [indicator(n, address(n)) for n in range(2000, 2100)],
    )
    site.write("one.json", [*MANY[:100], indicator(4000, address(4000))])
    outcome = site.once()
    [hold] = outcome.held["edge"]
    assert (hold.add, hold.remove) == (100, 0)
    assert len(site.at()) == len(site.lines("list.txt")) == 101
    site.consistent()


def test_a_published_list_keeps_the_fields_of_what_waits_to_be_removed(site: Site) -> None:
    sections = both_kinds()
    sections["outputs"]["file"]["mapping"] = {"comment": {"template": "{indicator.id}"}}
    site.configure(**sections)
    site.write("one.json", MANY[:100])
    site.once()
    before = site.lines("list.txt")
    site.write("one.json", [*MANY[60:100], indicator(4000, address(4000))])
    site.change()
    after = site.lines("list.txt")
    assert after[:-1] == before
    assert after[-1].startswith(address(4000))
    [hold] = site.output("file")["held"]
    assert hold["remove"] == 60
    site.consistent()
    assert site.idle()


def test_an_end_that_was_moved_back_and_then_forward_is_a_loss(site: Site) -> None:
    site.configure(**one_firewall())
    numbers = range(1, 41)

    def until(day: float, until: float) -> None:
        versions = [
            indicator(n, address(n), days=day + 30, valid_until=at(days=until)) for n in numbers
        ]
        site.write("dated.json", [*versions, *MANY[100:150]])
        site.once()

    until(-1, 2)
    until(0, 4)
    site.clock.advance(days=3)
    assert not site.once().held
    assert len(site.at()) == 90
    until(2.9, 2.5)
    assert "would remove 40" in site.output()["held"][0]["broken_limits"][0]
    assert len(site.at()) == 90
    site.consistent()


def test_an_end_that_was_known_is_no_loss_but_one_that_is_moved_forward_is(site: Site) -> None:
    site.configure(**both_kinds())
    dated = [indicator(n, address(n), valid_until=at(days=2)) for n in range(1, 61)]
    lasting = [indicator(n, address(n)) for n in range(101, 141)]
    site.write("dated.json", dated)
    site.write("lasting.json", lasting)
    site.once()
    assert len(site.at()) == 100
    site.clock.advance(days=3)
    assert not site.once().held
    assert len(site.at()) == 40
    moved = [
        indicator(n, address(n), modified=at(days=2), valid_until=at(days=2, hours=1))
        for n in range(101, 141)
    ]
    site.write("lasting.json", moved)
    outcome = site.once()
    assert "would remove" in broken(outcome, "edge")
    assert len(site.at()) == 40
    site.consistent()


def test_when_the_clock_was_set_forward_what_expires_waits(site: Site) -> None:
    site.configure(**both_kinds())
    site.write("dated.json", [indicator(n, address(n), valid_until=at(days=2)) for n in range(61)])
    site.write("lasting.json", [indicator(n, address(n)) for n in range(101, 141)])
    site.once()
    stopped = site.service.outputs.monotonic()
    site.service.outputs.monotonic = lambda: stopped
    site.clock.advance(days=3)
    assert "would remove 61" in broken(site.once(), "edge")
    assert len(site.at()) == 101


def test_many_small_losses_wait_once_they_add_up(site: Site) -> None:
    site.configure(**both_kinds())
    site.write("many.json", MANY[:1000])
    site.once()
    site.write("many.json", [*(revoked(known) for known in MANY[:290]), *MANY[290:1000]])
    assert not site.once().held
    site.clock.advance(hours=1)
    site.write("many.json", [*(revoked(known) for known in MANY[:400]), *MANY[400:1000]])
    assert "loss of 24 hours" in broken(site.once(), "edge")
    assert len(site.at()) == 710
    site.consistent()


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
    [held] = [hold.id for hold in site.once().held["edge"]]
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
    [first] = [hold.id for hold in filled.once().held["edge"]]
    for _ in range(3):
        filled.service.feeds.poll("files")
        filled.service.lists.refresh("perimeter")
        filled.service.outputs.sync("edge")
        assert held_at(filled) == [first]
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
    [hold] = outcome.held["file"]
    assert "would replace 1 entries" in broken(outcome, "file")
    site.service.outputs.sync("file")
    assert site.lines("list.txt") == [ONE, TWO, THREE]
    assert site.service.outputs.accept(hold.id, "me").done
    assert site.lines("list.txt") == [ONE, TWO]
    assert not site.once().held


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
