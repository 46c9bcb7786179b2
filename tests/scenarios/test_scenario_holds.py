"""Holds from the other side: what others, clocks and restarts do while something waits."""

import re
from typing import Any

import msgspec
import pytest
import zstandard
from rich.console import Console
from scenario_site import BLOCK_ALL, Site, forget_state
from stix_samples import address, indicator, revoked, write_bundle
from structlog.testing import capture_logs

from connector.errors import UnavailableError
from connector.model import Observable, ObservableType
from connector.reports.explain import explain_value
from connector.reports.held import held_plans, show_held
from connector.reports.look import look_of
from connector.sync.view import CHANGED

MANY = [indicator(n, address(n)) for n in range(1, 101)]


def two_feeds(**limits: Any) -> dict[str, Any]:
    """Two feeds on one list, kept at a firewall and in a published file."""
    feeds = {
        name: {"type": "bundle", "path": f"{name}/", "unmarked_tlp": "clear"}
        for name in ("bundles", "theirs")
    }
    outputs: dict[str, Any] = {
        "edge": {"list": "perimeter", "adapter": "firewall", "options": {"device": "edge"}},
        "file": {"list": "perimeter", "adapter": "edl", "options": {"file": "list.txt"}},
    }
    for output in outputs.values():
        output["limits"] = limits
    return {"feeds": feeds, "lists": {"perimeter": BLOCK_ALL}, "outputs": outputs}


@pytest.fixture
def pair(site: Site) -> Site:
    """A site with a hundred entries of one feed, and three of another."""
    (site.folder / "theirs").mkdir()
    site.configure(**two_feeds())
    site.write("many.json", MANY)
    theirs(site, *range(501, 504))
    assert not site.once().held
    assert len(site.at()) == len(site.lines("list.txt")) == 103
    return site


def theirs(site: Site, *numbers: int) -> None:
    objects = [indicator(f"theirs {n}", address(n)) for n in numbers]
    write_bundle(site.folder / "theirs" / "few.json", objects)


def lose(site: Site, count: int) -> None:
    site.write("many.json", MANY[count:])


def empty(site: Site) -> None:
    """Have the firewall forget everything, as by a restart."""
    for one in site.rack["edge"].entries():
        site.rack["edge"].take_by_hand(one)


def holds(site: Site, output: str = "edge") -> list[dict[str, Any]]:
    return site.output(output)["held"]


def audited(site: Site) -> list[dict[str, Any]]:
    """The audit of the firewall: what was done, to which values, and under which hold."""
    sql = (
        "SELECT action, result, entries, hold, by_whom, why, plan FROM audit WHERE output = 'edge'"
    )
    with site.service.store.database.read() as transaction:
        rows = transaction.rows(sql + " ORDER BY number")
    unpack = zstandard.ZstdDecompressor().decompress
    return [
        {
            "action": row[0], "result": row[1], "hold": row[3], "by": row[4], "why": row[5],
            "plan": row[6], "entries": msgspec.msgpack.decode(unpack(bytes(row[2]))),
        }
        for row in rows
    ]  # fmt: skip


def test_the_last_entries_of_one_feed_wait_however_few_they_are(pair: Site) -> None:
    theirs(pair)
    pair.change()
    [told] = holds(pair)
    assert told["broken_limits"] == ["would remove the last 3 entries of feed theirs (3 withdrawn)"]
    assert len(pair.at()) == len(pair.lines("list.txt")) == 103
    pair.consistent()
    theirs(pair, 501)
    pair.change()
    [told] = holds(pair)
    assert told["remove"] == 2, "a hold is frozen: it only loses what the feed gives again"
    pair.consistent()


def test_a_feed_that_revokes_its_last_entries_or_shares_them_does_not_wait(pair: Site) -> None:
    theirs(pair, 1)
    pair.change()
    assert not holds(pair), "what it shares with another feed is still there of it"
    assert len(pair.at()) == 100
    gone = [revoked(indicator("theirs 1", address(1)))]
    write_bundle(pair.folder / "theirs" / "few.json", gone)
    pair.change()
    assert not holds(pair)
    pair.consistent()


def test_what_another_feed_then_wants_leaves_the_hold_in_a_cycle_of_what_changed(
    pair: Site,
) -> None:
    lose(pair, 60)
    pair.change()
    assert [told["remove"] for told in holds(pair)] == [60]
    theirs(pair, 501, 502, 503, 7, 8)
    pair.change()
    assert [told["remove"] for told in holds(pair)] == [58]
    assert [told["remove"] for told in holds(pair, "file")] == [58]
    assert pair.service.outputs.accept(holds(pair)[0]["id"], "me").done
    assert {address(7), address(8)} <= set(pair.at())
    assert len(pair.at()) == 45
    pair.consistent(settled=False)


def test_an_exception_takes_out_of_a_hold_in_a_cycle_of_what_changed(pair: Site) -> None:
    lose(pair, 60)
    pair.change()
    pair.service.store.exceptions.add(
        address(7), why="our own portal", ticket="", owner="me", until=None, now=pair.clock()
    )
    pair.service.lists.take_up_exceptions()
    pair.change()
    assert pair.service.outputs.scope_of("edge") == CHANGED
    for output in ("edge", "file"):
        assert [told["remove"] for told in holds(pair, output)] == [59]
    assert address(7) not in {*pair.at(), *pair.lines("list.txt")}
    pair.consistent()


def test_the_audit_names_hold_and_person_with_each_entry_written_under_it(pair: Site) -> None:
    lose(pair, 60)
    pair.change()
    [told] = holds(pair)
    theirs(pair, 501, 502, 503, 504)
    assert pair.service.outputs.accept(told["id"], "ada", "the campaign is over").done
    events = audited(pair)
    [made] = [event for event in events if event["result"] == "held"]
    assert (made["plan"], len(made["entries"])) == (told["id"], 60)
    assert made["entries"][0] == ["ipv6-addr", address(1), "", "withdrawn", "bundles"]
    [accepted] = [event for event in events if event["action"] == "accepted"]
    assert (accepted["hold"], accepted["by"], accepted["why"]) == (
        told["id"], "ada", "the campaign is over",
    )  # fmt: skip
    removed = [event for event in events if event["action"] == "remove"]
    assert [(event["hold"], event["by"], len(event["entries"])) for event in removed] == [
        (told["id"], "ada", 60)
    ]


def test_why_and_whose_a_held_change_was_is_told_after_the_cause_is_forgotten(pair: Site) -> None:
    lose(pair, 60)
    pair.change()
    pair.edit(lambda config: config["feeds"].pop("bundles"))
    pair.open()
    pair.once()
    [plan] = held_plans(look_of(pair.service), ["edge"])
    causes = {(gone["reason"], gone["feed"]) for gone in plan["held"][0]["remove"]}
    assert causes == {("withdrawn", "bundles")}


def test_a_hold_of_five_thousand_is_read_on_one_screen(site: Site) -> None:
    sections = two_feeds()
    del sections["outputs"]["edge"]
    site.configure(**sections)
    (site.folder / "theirs").mkdir()
    site.write("many.json", [indicator(n, address(n)) for n in range(1, 10_001)])
    site.once()
    site.write("many.json", [indicator(n, address(n)) for n in range(5001, 10_001)])
    site.change()
    console = Console(width=80, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        for plan in held_plans(look_of(site.service), ["file"]):
            show_held(console, plan)
    lines = captured.get().splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "    - 5,000 of feed bundles withdrawn" in lines
    assert "and 4,990 more" in " ".join(line.strip() for line in lines)


def test_a_refusal_for_ever_costs_no_reading_of_the_target(pair: Site) -> None:
    lose(pair, 60)
    pair.change()
    for output in ("edge", "file"):
        pair.service.outputs.refuse(holds(pair, output)[0]["id"], "me", "the feed is ill", None)
    pair.change()
    reads = pair.rack["edge"].reads
    for _ in range(3):
        pair.change()
        assert pair.service.outputs.scope_of("edge") == CHANGED
        assert pair.service.outputs.scope_of("file") == CHANGED
    assert pair.rack["edge"].reads == reads
    assert [told["remove"] for told in holds(pair)] == [60]
    pair.consistent()


def test_a_list_of_others_that_may_not_be_replaced_is_not_read_in_every_cycle(pair: Site) -> None:
    forget_state(pair)
    lose(pair, 60)
    pair.once()
    [told] = holds(pair, "file")
    assert told["kind"] == "replace"
    pair.change()
    assert pair.service.outputs.scope_of("file") == CHANGED
    theirs(pair, 501, 502, 503, 504)
    pair.change()
    assert len(pair.lines("list.txt")) == 103
    assert pair.service.outputs.refuse(told["id"], "me", "wait", pair.clock() + 1_000_000).done
    pair.clock.advance(minutes=1)
    pair.change()
    assert len(pair.lines("list.txt")) == 103, "held anew when the refusal is over"
    [told] = holds(pair, "file")
    assert pair.service.outputs.accept(told["id"], "me").done
    assert len(pair.lines("list.txt")) == 44
    assert pair.output("file")["drift"] is None, "a person asked for it"


def test_a_hold_whose_target_did_not_answer_is_accepted_again(pair: Site) -> None:
    lose(pair, 60)
    pair.change()
    [told] = holds(pair)
    pair.rack["edge"].fault = UnavailableError("connection reset")
    with pytest.raises(UnavailableError):
        pair.service.outputs.accept(told["id"], "ada", "seen")
    assert [told["state"] for told in holds(pair)] == ["accepted"]
    pair.rack["edge"].fault = None
    assert pair.service.outputs.accept(told["id"], "ben").done
    assert len(pair.at()) == 43
    again = pair.service.outputs.accept(told["id"], "ben")
    assert (again.done, again.nothing_left) == (False, True)
    [accepted] = [event for event in audited(pair) if event["action"] == "accepted"]
    assert accepted["by"] == "ada", "it was accepted once"


def test_a_person_who_accepts_while_a_cycle_writes_loses_nothing(pair: Site) -> None:
    lose(pair, 60)
    pair.change()
    [told], [published] = holds(pair), holds(pair, "file")
    theirs(pair, 501, 502, 503, 504)

    def accepted_meanwhile(point: str) -> None:
        if point == "adding":
            for hold in (told, published):
                pair.service.store.holds.accept(
                    pair.service.store.outputs.open("edge" if hold is told else "file", 1).number,
                    hold["id"], "ada", "",
                )  # fmt: skip

    pair.rack["edge"].hook = accepted_meanwhile
    pair.change()
    pair.rack["edge"].hook = lambda _point: None
    pair.change()
    assert len(pair.at()) == len(pair.lines("list.txt")) == 44
    assert not holds(pair)
    assert not holds(pair, "file")
    pair.consistent()


def test_a_drip_of_nineteen_each_cycle_waits_once_it_adds_up(pair: Site) -> None:
    for cycle in range(1, 5):
        lose(pair, 19 * cycle)
        pair.change()
        pair.clock.advance(minutes=5)
    assert len(pair.at()) == 103 - 19
    assert sum(told["remove"] for told in holds(pair)) == 3 * 19
    pair.consistent()


@pytest.mark.parametrize("output", ["edge", "file"])
def test_a_feed_that_is_wiped_and_comes_back_leaves_no_trace(pair: Site, output: str) -> None:
    lose(pair, 100)
    pair.change()
    pair.open()
    pair.change()
    assert len(pair.at()) == len(pair.lines("list.txt")) == 103
    lose(pair, 0)
    pair.change()
    assert not holds(pair, output)
    assert len(pair.at()) == len(pair.lines("list.txt")) == 103
    pair.consistent()
    assert pair.idle()


def test_a_published_list_keeps_what_is_held_over_a_restart_and_another_write(pair: Site) -> None:
    lose(pair, 60)
    pair.change()
    pair.open()
    pair.once()
    theirs(pair, 501, 502, 503, 504)
    pair.change()
    assert len(pair.lines("list.txt")) == 104
    assert [told["remove"] for told in holds(pair, "file")] == [60]
    pair.consistent()


def test_a_clock_set_back_and_forward_again_loses_no_hold_and_no_window(pair: Site) -> None:
    lose(pair, 29)
    pair.change()
    pair.clock.advance(hours=-5)
    lose(pair, 40)
    pair.change()
    assert [told["remove"] for told in holds(pair)] == [11]
    pair.clock.advance(hours=5)
    pair.change()
    assert [told["remove"] for told in holds(pair)] == [11]
    assert len(pair.at()) == 103 - 29
    pair.consistent()


def test_a_hold_stays_with_its_place_when_the_output_gets_another_name(pair: Site) -> None:
    lose(pair, 60)
    pair.change()
    [told] = holds(pair)

    def rename(config: dict[str, Any]) -> None:
        config["outputs"]["gate"] = config["outputs"].pop("edge")

    pair.edit(rename)
    pair.open()
    pair.once()
    assert [held["id"] for held in holds(pair, "gate")] == [told["id"]]
    assert len(pair.at()) == 103
    assert pair.service.outputs.accept(told["id"], "me").done
    assert len(pair.at()) == 43


def test_a_list_whose_policy_changes_takes_out_of_a_hold_what_it_takes_again(pair: Site) -> None:
    pair.edit(lambda config: config["lists"]["perimeter"].update(select={"feeds": ["theirs"]}))
    pair.open()
    pair.once()
    assert [told["remove"] for told in holds(pair)] == [100]
    pair.edit(lambda config: config["lists"]["perimeter"].pop("select"))
    pair.open()
    pair.once()
    assert not holds(pair)
    assert len(pair.at()) == len(pair.lines("list.txt")) == 103
    pair.consistent()


def test_what_the_target_lost_leaves_the_hold(pair: Site) -> None:
    lose(pair, 60)
    pair.change()
    pair.rack["edge"].take_by_hand(Observable(ObservableType.IPV6_ADDR, address(1)))
    pair.once()
    assert [told["remove"] for told in holds(pair)] == [59]
    pair.consistent()


@pytest.mark.parametrize("lost", [60, 100])
def test_what_is_held_is_there_again_after_a_restart_that_forgot_everything(
    pair: Site, lost: int
) -> None:
    """Also where a feed is wiped: what had to stay until a person says otherwise stays."""
    if lost == 100:
        pair.write("many.json", [])
        theirs(pair)
    else:
        lose(pair, lost)
    pair.change()
    waiting = [told["remove"] for told in holds(pair)]
    was = pair.at()
    assert len(was) == 103
    empty(pair)
    (pair.folder / "published" / "list.txt").unlink()
    pair.once()
    assert pair.at() == was
    assert len(pair.lines("list.txt")) == 103
    for output in ("edge", "file"):
        assert [told["remove"] for told in holds(pair, output)] == waiting
        assert pair.output(output)["drift"]["missing"] == 103
    pair.consistent(settled=False)
    assert pair.idle()
    for output in ("edge", "file"):
        [hold] = holds(pair, output)
        assert pair.service.outputs.accept(hold["id"], "anna").done
    assert len(pair.at()) == len(pair.lines("list.txt")) == 103 - sum(waiting)
    pair.consistent()


def test_what_is_held_and_forgotten_gets_its_fields_back_with_its_feed(pair: Site) -> None:
    mapping = {"comment": {"template": "{indicator.name}"}}
    pair.edit(lambda config: config["outputs"]["edge"].update(mapping=mapping))
    pair.open()
    pair.once()
    before = dict(pair.rack["edge"].entries())
    lose(pair, 60)
    pair.change()
    empty(pair)
    pair.once()
    assert len(pair.at()) == 103
    lose(pair, 0)
    pair.change()
    assert pair.rack["edge"].entries() == before
    assert not holds(pair)
    pair.consistent()


def test_what_is_held_forgotten_and_allowed_by_now_stays_away(pair: Site) -> None:
    lose(pair, 60)
    pair.change()
    empty(pair)
    pair.service.store.exceptions.add(
        address(7), why="our own portal", ticket="", owner="me", until=None, now=pair.clock()
    )
    pair.service.lists.take_up_exceptions()
    pair.once()
    assert len(pair.at()) == 102
    assert address(7) not in pair.at()
    assert [told["remove"] for told in holds(pair)] == [59]
    pair.consistent()


def test_the_same_number_is_held_refused_and_accepted_everywhere(pair: Site) -> None:
    """Sixty removals were refused; of 120 additions that were accepted 20 are there; 150 wait."""
    edge = pair.rack["edge"]
    pair.edit(lambda config: config["outputs"]["edge"]["options"].update(batch_size=20))
    outputs = pair.open().outputs
    lose(pair, 60)
    pair.change()
    outputs.refuse(holds(pair)[0]["id"], "ada", "the feed is ill", None)
    theirs(pair, *range(501, 624))
    pair.change()
    batches: list[str] = []

    def says_no(point: str) -> None:
        batches.append(point)
        if batches.count("adding") > 1:
            raise UnavailableError("connection reset")

    edge.hook = says_no
    with pytest.raises(UnavailableError):
        outputs.accept(holds(pair)[1]["id"], "ben", "seen")
    pair.service.feeds.poll("bundles")
    theirs(pair, *range(501, 774))
    with pytest.raises(UnavailableError):
        pair.change()  # the hold is made before anything is written
    assert len(pair.at()) == 123

    changes = {"held": (150, 0), "refused": (0, 60), "accepted": (100, 0)}
    assert numbers_in_status(pair) == changes
    assert numbers_of_plan_held(pair) == changes
    assert numbers_of_metrics(pair) == changes
    assert numbers_of_explain(pair) == changes
    reasons = {"written": 63, "withdrawn": 60, "held": 150, "pending": 100}
    assert pair.output()["reasons"] == reasons
    pair.consistent(settled=False)
    edge.hook = lambda _point: None
    with capture_logs() as logged:
        outputs.sync("edge")
    [said] = [line for line in logged if line["event"] == "output.applied"]
    assert (said["added"], said["held"], said["refused"], said["accepted"]) == (100, 150, 60, 0)
    assert numbers_in_status(pair) == {**changes, "accepted": (0, 0)}
    assert numbers_of_metrics(pair) == numbers_in_status(pair)


Numbers = dict[str, tuple[int, int]]


def summed(held: list[tuple[str, int, int]]) -> Numbers:
    return {
        state: (
            sum(add for at, add, _remove in held if at == state),
            sum(remove for at, _add, remove in held if at == state),
        )
        for state in ("held", "refused", "accepted")
    }


def numbers_in_status(site: Site) -> Numbers:
    """What `status` counts, and `healthz`, which has the same facts."""
    return summed([(hold["state"], hold["add"], hold["remove"]) for hold in holds(site)])


def numbers_of_plan_held(site: Site) -> Numbers:
    [plan] = held_plans(look_of(site.service), ["edge"])
    return summed([(hold["state"], len(hold["add"]), len(hold["remove"])) for hold in plan["held"]])


def numbers_of_metrics(site: Site) -> Numbers:
    found = re.findall(
        r'connector_output_held{change="(\w+)",output="edge",state="(\w+)"} (\d+)', site.metrics()
    )
    counts = {(state, change): int(count) for change, state, count in found}
    return {
        state: (counts[state, "add"], counts[state, "remove"])
        for state in ("held", "refused", "accepted")
    }


def numbers_of_explain(site: Site) -> Numbers:
    """What is said of every single entry: why it is not there yet, or still there."""
    told = []
    for number in (*range(1, 101), *range(501, 774)):
        [observable] = explain_value(site.service.decider, address(number))["observables"]
        [outcome] = [one for one in observable["outputs"] if one["name"] == "edge"]
        detail, reason = outcome["detail"], outcome["reason"]
        if reason == "held":
            assert "accept it: connector apply" in detail
            told.append(("held", 1, 0))
        elif reason == "pending":
            assert "accepted by ben: seen; connection reset" in detail
            told.append(("accepted", 1, 0))
        elif "refused by ada: the feed is ill" in detail:
            told.append(("refused", 0, 1))
        else:
            assert (reason, detail) == ("written", "")
    return summed(told)
