"""Staged roll-out: what is new reaches an output once it has stood at another one for a while."""

import re
from typing import Any

import pytest
from scenario_site import BLOCK_ALL, Site
from stix_samples import address, indicator, revoked

from connector.commands.impact import impact
from connector.errors import ConfigError, UnavailableError
from connector.instants import SECOND
from connector.reports.explain import explain_value
from connector.reports.status import moment
from connector.sync.view import CHANGED, EVERYTHING

FEW = [indicator(n, address(n)) for n in range(1, 41)]
ROLLOUT = {"after": "edge", "wait": "30m"}


def canary(rollout: dict[str, Any] | None = ROLLOUT, **first: Any) -> dict[str, Any]:
    """One list at a firewall first, and then at another and in a published file."""
    outputs: dict[str, Any] = {
        "edge": {"list": "perimeter", "adapter": "firewall", "options": {"device": "edge"}, **first}
    }
    later: dict[str, Any] = {
        "core": {"list": "perimeter", "adapter": "firewall", "options": {"device": "core"}},
        "file": {"list": "perimeter", "adapter": "edl", "options": {"file": "list.txt"}},
    }
    for output in later.values():
        if rollout is not None:
            output["rollout"] = rollout
    return {"lists": {"perimeter": BLOCK_ALL}, "outputs": {**outputs, **later}}


@pytest.fixture
def staged(site: Site) -> Site:
    """A site of which all outputs have the same forty entries."""
    site.configure(**canary())
    site.write("few.json", FEW)
    site.once()
    site.clock.advance(minutes=30)
    site.change()
    assert counts(site) == (40, 40, 40)
    return site


def counts(site: Site) -> tuple[int, int, int]:
    lines = site.lines("list.txt") if (site.folder / "published" / "list.txt").exists() else []
    return len(site.at("edge")), len(site.at("core")), len(lines)


def add(site: Site, *numbers: int) -> None:
    site.write("new.json", [indicator(n, address(n)) for n in numbers])


def reason(site: Site, value: str, output: str) -> tuple[str, str]:
    answer = explain_value(site.service.decider, value)
    [found] = [one for one in answer["observables"][0]["outputs"] if one["name"] == output]
    return found["reason"], found["detail"]


def test_what_is_new_waits_until_it_has_stood_elsewhere_for_that_long(staged: Site) -> None:
    add(staged, 100, 101)
    staged.change()
    assert counts(staged) == (42, 40, 40)
    for output in ("core", "file"):
        told = staged.output(output)
        assert told["reasons"] == {"pending": 2, "written": 40}
        assert told["rollout"]["waiting"] == 2
        assert told["state"] == "ok"
    told_by, detail = reason(staged, address(100), "core")
    assert told_by == "pending"
    assert re.fullmatch(r"rollout: at output edge since \S+Z, and here from \S+Z on", detail)
    assert 'connector_output_rollout_waiting{output="core"} 2.0' in staged.metrics()
    staged.consistent(settled=False)
    staged.clock.advance(minutes=29)
    staged.change()
    assert counts(staged) == (42, 40, 40)
    staged.clock.advance(minutes=1)
    assert staged.service.outputs.scope_of("core") == CHANGED
    staged.change()
    assert counts(staged) == (42, 42, 42)
    assert staged.output("core")["rollout"]["waiting"] == 0
    staged.consistent()
    assert staged.idle()


def test_what_is_taken_back_meanwhile_never_comes(staged: Site) -> None:
    add(staged, 100, 101)
    staged.change()
    staged.clock.advance(minutes=20)
    staged.write("new.json", [revoked(indicator(100, address(100))), indicator(101, address(101))])
    staged.change()
    staged.clock.advance(minutes=20)
    staged.change()
    assert counts(staged) == (41, 41, 41)
    assert address(100) not in staged.at("core")
    staged.consistent()


def test_what_leaves_the_list_leaves_everywhere_at_once(staged: Site) -> None:
    staged.write("few.json", [revoked(FEW[0]), *FEW[1:]])
    staged.change()
    assert counts(staged) == (39, 39, 39)
    staged.consistent()


def test_the_wait_begins_when_the_first_output_has_it_and_again_when_it_lost_it(
    staged: Site,
) -> None:
    staged.rack["edge"].fault = UnavailableError("connection reset")
    add(staged, 100)
    for output in ("edge", "core", "file"):
        staged.service.feeds.poll("files")
        staged.service.lists.refresh("perimeter")
        if output == "edge":
            with pytest.raises(UnavailableError):
                staged.service.outputs.sync(output)
        else:
            staged.service.outputs.sync(output)
    assert staged.output("core")["rollout"]["next"] is None
    assert reason(staged, address(100), "core") == (
        "pending", "rollout: waits until it stands at output edge",
    )  # fmt: skip
    staged.clock.advance(hours=2)
    staged.rack["edge"].fault = None
    staged.change()
    assert counts(staged) == (41, 40, 40)
    assert staged.output("core")["rollout"]["next"] is not None
    staged.clock.advance(minutes=30)
    staged.change()
    assert counts(staged) == (41, 41, 41)
    staged.consistent()


def test_a_clock_that_is_set_forward_makes_nothing_due_early(staged: Site) -> None:
    add(staged, 100)
    staged.change()
    staged.clock.advance(minutes=10)
    staged.change()
    stopped = staged.service.outputs.monotonic()
    staged.service.outputs.monotonic = lambda: stopped
    add(staged, 100, 101)  # came as the clock was set: it does not wait here yet
    staged.clock.advance(days=3)
    set_to = staged.clock()
    staged.service.outputs.monotonic = lambda: stopped + (staged.clock() - set_to) / SECOND
    staged.change()
    assert counts(staged) == (42, 40, 40)
    _told, detail = reason(staged, address(100), "core")
    assert detail.startswith("rollout: at output edge since ")
    assert detail.endswith(f"and here from {moment(staged.clock() + 20 * 60 * SECOND)} on")
    staged.service.outputs.sync("core", EVERYTHING)  # nor does a full pass forget what it waited
    assert counts(staged) == (42, 40, 40)
    staged.clock.advance(minutes=20)
    staged.change()
    assert counts(staged) == (42, 41, 41), "of its 30 minutes 10 had passed before"
    staged.clock.advance(minutes=10)
    staged.change()
    assert counts(staged) == (42, 42, 42)
    staged.consistent()


def test_a_clock_that_is_set_back_lets_nothing_wait_for_ever(staged: Site) -> None:
    add(staged, 100)
    staged.change()
    staged.clock.advance(days=-400)
    staged.change()
    assert counts(staged) == (41, 40, 40)
    staged.clock.advance(minutes=30)
    staged.change()
    assert counts(staged) == (41, 41, 41)


def test_what_stood_before_the_clock_was_set_and_waits_nowhere_yet_is_not_due_early(
    staged: Site,
) -> None:
    add(staged, 100)
    staged.service.feeds.poll("files")
    staged.service.lists.refresh("perimeter")
    staged.service.outputs.sync("edge")
    stopped = staged.service.outputs.monotonic()
    staged.service.outputs.monotonic = lambda: stopped
    staged.clock.advance(days=3)
    staged.change()
    assert counts(staged) == (41, 40, 40)


def test_an_entry_that_changes_at_the_first_output_does_not_wait_anew(staged: Site) -> None:
    mapping = {"comment": {"template": "{indicator.name}"}}
    staged.edit(
        lambda config: [config["outputs"][one].update(mapping=mapping) for one in ("edge", "core")]
    )
    staged.open()
    staged.once()
    add(staged, 100)
    staged.change()
    staged.clock.advance(minutes=20)
    staged.write("new.json", [{**indicator(100, address(100), days=1), "name": "second"}])
    staged.change()
    staged.clock.advance(minutes=10)
    staged.change()
    fields = {one.value: found for one, found in staged.rack["core"].entries().items()}
    assert fields[address(100)]["comment"] == "second"


def test_what_the_first_output_rejects_waits_and_says_so(staged: Site) -> None:
    staged.rack["edge"].refuses = {address(100): "not an address of ours"}
    add(staged, 100)
    staged.change()
    staged.clock.advance(hours=2)
    staged.change()
    assert counts(staged) == (40, 40, 40)
    assert reason(staged, address(100), "core") == (
        "pending", "rollout: waits for output edge, where it is rejected: not an address of ours",
    )  # fmt: skip
    staged.consistent(settled=False)


def test_a_first_fill_that_comes_in_parts_breaks_no_limit(site: Site) -> None:
    site.configure(**canary())
    site.write("few.json", FEW)
    site.service.feeds.poll("files")
    site.service.lists.refresh("perimeter")
    for output in ("core", "file", "edge"):
        site.service.outputs.sync(output)
    with site.service.store.database.write() as transaction:  # the first part an hour before
        number = site.service.store.outputs.open("edge", 1).number
        sql = "UPDATE ledger SET since = since - 3600000000 WHERE output = ? AND observable <= 10"
        transaction.run(sql, (number,))
        sql = (
            "UPDATE rollouts SET stood = stood - 3600000000 WHERE upstream = ? AND observable <= 10"
        )
        transaction.run(sql, (number,))
    site.once()
    assert counts(site) == (40, 10, 10)
    site.clock.advance(minutes=30)
    site.change()
    assert counts(site) == (40, 40, 40)
    assert not site.output("core")["held"]
    site.consistent()


def test_a_rollout_that_is_added_to_a_running_output_removes_nothing(site: Site) -> None:
    site.configure(**canary(None))
    site.write("few.json", FEW)
    site.once()
    site.edit(lambda config: config["outputs"]["core"].update(rollout=ROLLOUT))
    add(site, 100)
    site.service.feeds.poll("files")
    plans = {plan["output"]: plan for plan in impact(site.load(), site.registry)["plans"]}
    assert (plans["core"]["remove"], plans["core"]["add"]) == ([], [])
    assert plans["core"]["in_rollout"] == 1
    assert len(plans["edge"]["add"]) == 1
    site.open()
    site.once()
    assert counts(site) == (41, 40, 41)
    site.edit(lambda config: config["outputs"]["core"].pop("rollout"))
    site.open()
    site.once()
    assert counts(site) == (41, 41, 41)
    assert site.output("core")["rollout"] is None
    site.consistent()


def test_an_update_of_an_entry_that_is_there_does_not_wait(staged: Site) -> None:
    mapping = {"comment": {"template": "{indicator.name}"}}
    staged.edit(
        lambda config: [config["outputs"][one].update(mapping=mapping) for one in ("edge", "core")]
    )
    staged.open()
    staged.once()
    newer = {**indicator(1, address(1), days=1), "name": "renamed"}
    staged.write("few.json", [newer, *FEW[1:]])
    staged.change()
    fields = {one.value: found for one, found in staged.rack["core"].entries().items()}
    assert fields[address(1)]["comment"] == "renamed"
    staged.consistent()


def test_what_waits_takes_nobodys_room(staged: Site) -> None:
    staged.edit(lambda config: config["outputs"]["core"].update(limits={"max_entries": 40}))
    staged.open()
    staged.once()
    staged.write("new.json", [indicator(n, address(n), confidence=100) for n in (100, 101)])
    staged.change()
    assert counts(staged)[1] == 40, "nothing is displaced before its turn"
    assert reason(staged, address(100), "core")[0] == "pending"
    staged.clock.advance(minutes=30)
    staged.change()
    assert counts(staged)[1] == 40
    assert address(100) in staged.at("core")
    staged.consistent()


def test_a_restart_forgets_nothing_of_what_waits(staged: Site) -> None:
    add(staged, 100)
    staged.change()
    staged.open()
    staged.once()
    assert counts(staged) == (41, 40, 40)
    staged.clock.advance(minutes=30)
    staged.open()
    staged.once()
    assert counts(staged) == (41, 41, 41)
    staged.consistent()


def test_a_write_that_failed_when_its_turn_had_come_is_tried_again(staged: Site) -> None:
    add(staged, 100)
    staged.change()
    staged.clock.advance(minutes=30)
    staged.rack["core"].fault = UnavailableError("connection reset")
    with pytest.raises(UnavailableError):
        staged.service.outputs.sync("core")
    staged.rack["core"].fault = None
    staged.change()
    assert counts(staged) == (41, 41, 41)
    staged.consistent()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"core": {"after": "edg", "wait": "1h"}}, "edg is not an output of this file (edge"),
        ({"core": {"after": "core", "wait": "1h"}}, "an output cannot wait for itself"),
        (
            {"core": {"after": "file", "wait": "1h"}, "file": {"after": "core", "wait": "1h"}},
            "outputs wait for each other (core after file after core)",
        ),
        ({"core": {"after": "other", "wait": "1h"}}, "other has list second, not perimeter"),
        ({"core": {"after": "edge", "wait": "1 hour"}}, "rollout.wait: should be a whole number"),
        ({"core": {"after": "edge"}}, "rollout.wait: is missing"),
    ],
)
def test_a_rollout_that_cannot_be_is_an_error_at_its_line(
    site: Site, change: dict[str, Any], words: str
) -> None:
    sections = canary()
    sections["lists"]["second"] = BLOCK_ALL
    sections["outputs"]["other"] = {
        "list": "second", "adapter": "firewall", "options": {"device": "other"},
    }  # fmt: skip
    for name, rollout in change.items():
        sections["outputs"][name]["rollout"] = rollout
    site.configure(**sections)
    with pytest.raises(ConfigError) as caught:
        site.load()
    problems = "\n".join(caught.value.problems)
    assert words in problems
    assert re.search(r"config.yaml:\d+: outputs.core.rollout", problems)
