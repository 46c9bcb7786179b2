"""Rules of other languages, end to end: kept whole, in step with their feed, never torn or lost."""

import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yara
from dying_process import Nursery, Points, cycle
from scenario_site import Site
from stix_samples import START, STRANGER, TLP, Object, indicator, revoked, sid, stamp

from connector.commands.impact import impact
from connector.errors import ConfigError
from connector.reports.explain import explain_value
from connector.reports.plans import plan_json
from connector.store.transaction import Transaction
from connector.sync.view import EVERYTHING

FEED = "rules.json"


def yara_rule(called: str, body: str = "true", *, titled: str = "", **fields: Any) -> Object:
    text = f"rule {called} {{ condition: {body} }}"
    made = indicator(called, pattern=text, pattern_type="yara", **fields)
    return {**made, "name": titled} if titled else made


def suricata(number: int, **fields: Any) -> Object:
    text = f'alert tcp any any -> any any (msg:"s {number}"; sid:{number}; rev:1;)'
    return indicator(f"s{number}", pattern=text, pattern_type="suricata", **fields)


def detect(language: str = "yara", file: str = "detect.yar", **more: Any) -> dict[str, Any]:
    options = {"file": file, "language": language}
    return {"list": "hunt", "adapter": "rules", "options": options, **more}


def configure(site: Site, **more: Any) -> None:
    """Two lists; rules are kept as files of two languages from the one that is for hunting."""
    edge = {"list": "perimeter", "adapter": "firewall", "options": {"device": "edge"}}
    outputs = {"detect": detect(), "ids": detect("suricata", "local.rules"), "edge": edge}
    lists = {"perimeter": {"purpose": "block"}, "hunt": {"purpose": "watch"}}
    site.configure(lists=lists, outputs=outputs, **more)


def names(site: Site) -> list[str]:
    """What YARA itself finds in the published file."""
    path = site.folder / "published" / "detect.yar"
    return sorted(rule.identifier for rule in yara.compile(source=path.read_text()))


def text(site: Site, file: str = "detect.yar") -> str:
    return (site.folder / "published" / file).read_text(encoding="utf-8")


def plan(site: Site, output: str = "detect") -> dict[str, Any]:
    service = site.service
    return plan_json(service, service.outputs.propose(output))


@pytest.fixture
def ready(site: Site) -> Site:
    """A site that keeps three YARA rules and two of Suricata, beside a firewall."""
    configure(site)
    site.write("others.json", [indicator("a", "192.0.2.1"), indicator("b", "b.example")])
    site.write(FEED, [*map(yara_rule, ("one", "two", "three")), suricata(1), suricata(2)])
    site.once()
    site.consistent()
    return site


def test_rules_arrive_at_the_outputs_that_take_them_and_nowhere_else(ready: Site) -> None:
    assert names(ready) == ["one", "three", "two"]
    assert text(ready, "local.rules").count("alert tcp") == 2
    assert ready.at() == ["192.0.2.1", "b.example"]
    assert ready.reasons("perimeter") == {"unsupported_pattern": 5, "wanted": 2}
    assert ready.reasons("hunt") == {"wanted": 7}
    assert ready.output("detect")["reasons"] == {"unsupported_type": 4, "written": 3}
    assert ready.output("ids")["reasons"] == {"unsupported_type": 5, "written": 2}
    assert ready.output("detect")["written"] == 3
    assert ready.output("edge")["reasons"] == {"unsupported_pattern": 5, "written": 2}
    assert ready.idle()


def test_a_new_version_replaces_the_text(ready: Site) -> None:
    changed = yara_rule("one", "filesize < 10", days=2)
    ready.write(FEED, [changed, *map(yara_rule, ("two", "three")), suricata(1), suricata(2)])
    ready.service.feeds.poll("files")
    ready.service.lists.refresh("hunt")
    assert plan(ready)["update"] == [{"type": "yara", "value": changed["id"]}]
    assert plan(ready, "ids")["update"] == []
    ready.change()
    assert "rule one { condition: filesize < 10 }" in text(ready)
    assert names(ready) == ["one", "three", "two"]
    ready.consistent()
    assert ready.idle()


def test_a_new_version_in_another_language_moves_to_the_other_file(ready: Site) -> None:
    moved = suricata(9, id=sid("indicator", "one"), days=2)
    ready.write(FEED, [moved, *map(yara_rule, ("two", "three")), suricata(1), suricata(2)])
    ready.change()
    assert names(ready) == ["three", "two"]
    assert "sid:9" in text(ready, "local.rules")
    ready.consistent()


def test_a_new_version_that_becomes_a_pattern_is_a_rule_no_more(ready: Site) -> None:
    pattern = indicator("one", "203.0.113.9", days=2)
    ready.write(FEED, [pattern, *map(yara_rule, ("two", "three")), suricata(1), suricata(2)])
    ready.change()
    assert names(ready) == ["three", "two"]
    assert "203.0.113.9" in ready.at()
    ready.consistent()


def test_revoked_and_expired_rules_leave_the_file(site: Site) -> None:
    configure(site)
    ends = stamp(START + timedelta(hours=5))
    begins = stamp(START + timedelta(hours=9))
    one, two = yara_rule("one"), yara_rule("two", valid_until=ends)
    three, late = yara_rule("three"), yara_rule("late", valid_from=begins)
    site.write(FEED, [one, two, three, late])
    site.once()
    assert names(site) == ["one", "three", "two"]
    site.write(FEED, [revoked(one), two, three, late])
    site.change()
    assert names(site) == ["three", "two"]
    site.clock.advance(hours=5)
    site.change()
    assert names(site) == ["three"]
    site.clock.advance(hours=4)
    site.change()
    assert names(site) == ["late", "three"]
    site.consistent()
    counts = {"revoked": 1, "expired": 1, "written": 2}
    assert site.output("detect")["reasons"] == counts


def test_policy_decides_on_rules_as_on_all_else(site: Site) -> None:
    configure(site)
    select = {"min_confidence": 50, "labels": {"none": ["noisy"]}, "types": ["ipv4-addr"]}
    site.edit(lambda config: config["lists"]["hunt"].update(select=select))
    site.write(
        FEED,
        [
            yara_rule("good", confidence=80),
            yara_rule("weak", confidence=20),
            yara_rule("noisy", confidence=80, labels=["noisy"]),
            yara_rule("red", confidence=80, object_marking_refs=[TLP["red"]]),
            {**revoked(yara_rule("gone", confidence=80)), "created_by_ref": STRANGER},
        ],
    )
    site.once()
    assert names(site) == ["good"]
    counts = {"revoked": 1, "withheld": 1, "deselected": 2}
    assert site.output("detect")["reasons"] == {**counts, "written": 1}
    site.edit(lambda config: config["lists"]["hunt"]["select"].update(min_confidence=10))
    site.close()
    site.once()
    assert names(site) == ["good", "weak"]
    site.consistent()


def test_a_name_that_its_marking_hides_is_not_published(site: Site) -> None:
    configure(site)
    site.edit(lambda config: config["lists"]["hunt"].update(audience="community"))
    partly = [{"marking_ref": TLP["red"], "selectors": ["description"]}]
    site.write(
        FEED,
        [
            yara_rule("open", titled="Open name"),
            yara_rule("closed", titled="A name", granular_markings=partly),
            yara_rule("amber", titled="Amber name", object_marking_refs=[TLP["amber"]]),
        ],
    )
    site.once()
    assert "Open name" in text(site)
    assert "Amber name" not in text(site)
    assert "amber" not in names(site)
    site.consistent()


def test_no_feed_no_change(ready: Site) -> None:
    before = text(ready)
    (ready.bundles / FEED).write_text('{"type": "bundle", "objects": [')
    ready.once()
    assert text(ready) == before
    ready.consistent(settled=False)


def test_a_feed_that_loses_all_its_rules_does_not_empty_the_file(ready: Site) -> None:
    before = text(ready)
    ready.write(FEED, [suricata(1), suricata(2)])
    outcome = ready.once()
    assert outcome.held
    assert text(ready) == before
    held = ready.output("detect")
    assert (held["state"], held["written"]) == ("held", 3)
    assert "would remove all" in plan(ready)["broken_limits"][0]
    ready.service.outputs.accept(held["held_plan"], "ada")
    assert names(ready) == []
    ready.once()
    assert ready.output("detect")["state"] == "ok"
    ready.consistent()


def test_rules_that_are_too_many_wait(ready: Site) -> None:
    ready.edit(lambda config: config["outputs"]["detect"].update(limits={"max_add": 1}))
    ready.close()
    more = [yara_rule(f"more_{n}") for n in range(3)]
    ready.write("more.json", more)
    ready.service.feeds.poll("files")
    ready.service.lists.refresh("hunt")
    ready.service.outputs.sync("detect")
    assert ready.output("detect")["state"] == "held"
    assert names(ready) == ["one", "three", "two"]


def test_rules_that_wait_to_be_removed_stay_as_they_are_while_others_come(ready: Site) -> None:
    ready.edit(lambda config: config["outputs"]["detect"].update(limits={"max_remove": 1}))
    ready.close()
    before = text(ready)
    ready.write(FEED, [yara_rule("one"), suricata(1), suricata(2), yara_rule("fine")])
    ready.change()
    assert names(ready) == ["fine", "one", "three", "two"]
    assert text(ready).startswith(before.rstrip())
    [hold] = ready.output("detect")["held"]
    assert (hold["add"], hold["remove"]) == (0, 2)
    ready.consistent()
    assert ready.service.outputs.accept(hold["id"], "ada").done
    assert names(ready) == ["fine", "one"]
    ready.consistent()


def test_a_rule_altered_by_hand_while_it_waits_to_be_removed_stays_until_it_is(ready: Site) -> None:
    ready.edit(lambda config: config["outputs"]["detect"].update(limits={"max_remove": 1}))
    ready.close()
    ready.write(FEED, [yara_rule("one"), suricata(1), suricata(2)])
    ready.change()
    path = ready.folder / "published" / "detect.yar"
    path.write_text(path.read_text().replace("rule two { ", "rule two { meta: a = 1 "))
    ready.change()
    ready.write(FEED, [yara_rule("one"), yara_rule("fine"), suricata(1), suricata(2)])
    ready.change()
    assert names(ready) == ["fine", "one", "three", "two"]
    ready.consistent()
    [hold] = ready.output("detect")["held"]
    assert (hold["add"], hold["remove"]) == (0, 2)
    assert ready.service.outputs.accept(hold["id"], "ada").done
    assert names(ready) == ["fine", "one"]
    ready.consistent()


def test_a_rule_that_would_spoil_the_file_is_rejected_and_says_why(ready: Site) -> None:
    broken = yara_rule("broken", "$nowhere")
    ready.write("more.json", [broken, yara_rule("fine")])
    ready.change()
    assert names(ready) == ["fine", "one", "three", "two"]
    reasons = ready.output("detect")["reasons"]
    assert reasons == {"unsupported_type": 4, "written": 4, "rejected": 1}
    [found] = explain_value(ready.service.decider, broken["id"])["observables"]
    assert (found["type"], found["value"]) == ("yara", broken["id"])
    outcomes = {each["name"]: each for each in found["outputs"]}
    assert outcomes["detect"]["reason"] == "rejected"
    assert "does not compile" in outcomes["detect"]["detail"]
    assert outcomes["ids"]["reason"] == "unsupported_type"
    assert outcomes["edge"]["reason"] == "unsupported_pattern"
    assert outcomes["edge"]["detail"] == "no output of this list takes yara rules"
    ready.consistent()
    mended = yara_rule("broken", "filesize > 1", days=2)
    ready.write("more.json", [mended, yara_rule("fine")])
    ready.change()
    assert "broken" in names(ready)
    ready.consistent()


def same(number: int, **fields: Any) -> Object:
    """One of several rules that all bear one name."""
    text = f"rule same {{ condition: filesize > {number} }}"
    return indicator(f"same {number}", pattern=text, pattern_type="yara", **fields)


def test_when_a_rule_goes_another_of_its_name_takes_its_place(ready: Site) -> None:
    ready.write("same.json", [same(1)])
    ready.change()
    others = [same(n) for n in range(2, 6)]
    ready.write("same.json", [same(1), *others])
    ready.change()
    assert "filesize > 1 " in text(ready), "the one that is there stays"
    assert ready.output("detect")["reasons"]["rejected"] == 4
    ready.consistent()
    ready.write("same.json", [revoked(same(1)), *others])
    ready.change()
    counts = ready.output("detect")["reasons"]
    assert (counts["written"], counts["rejected"], counts["revoked"]) == (4, 3, 1)
    ready.consistent()
    for gone in range(2, 6):  # the ledger knows which one is there, so it can be taken out
        ready.write("same.json", [revoked(same(n)) if n <= gone else same(n) for n in range(1, 6)])
        ready.change()
        ready.consistent()
    assert names(ready) == ["one", "three", "two"]
    assert ready.idle()


def test_of_two_rules_of_one_name_the_first_seen_is_written_whatever_their_ids(
    site: Site,
) -> None:
    """A feed may choose its ids, and could put its rule before all others."""
    configure(site)
    lower, higher = sorted((same(n) for n in (1, 2)), key=lambda each: each["id"])
    site.write("same.json", [higher])
    site.service.feeds.poll("files")
    site.write("same.json", [higher, lower])
    site.once()
    assert higher["pattern"] in text(site)
    counts = site.output("detect")["reasons"]
    assert (counts["written"], counts["rejected"]) == (1, 1)
    (site.folder / "published" / "detect.yar").unlink()
    site.once()
    assert higher["pattern"] in text(site), "also where the file has to be made anew"
    site.consistent()


def test_a_rule_that_the_engine_refuses_freezes_no_other(ready: Site) -> None:
    program = ready.folder / "engine.py"
    program.write_text(
        "import sys\nsys.exit('ERROR: no' if 'sid:3;' in open(sys.argv[1]).read() else 0)"
    )
    test = [sys.executable, str(program), "{file}"]
    ready.edit(lambda config: config["outputs"]["ids"]["options"].update(test=test))
    ready.close()
    refused = suricata(3)
    ready.write("more.json", [refused, suricata(4)])
    ready.change()
    published = text(ready, "local.rules")
    assert [f"sid:{n};" in published for n in (1, 2, 3, 4)] == [True, True, False, True]
    [found] = explain_value(ready.service.decider, refused["id"])["observables"]
    outcomes = {each["name"]: each for each in found["outputs"]}
    assert outcomes["ids"]["detail"] == "refused by the engine: ERROR: no"
    ready.consistent()


def test_an_engine_that_is_missing_changes_nothing_and_is_told(ready: Site) -> None:
    before = text(ready, "local.rules")
    test = ["no-such-engine", "{file}"]
    ready.edit(lambda config: config["outputs"]["ids"]["options"].update(test=test))
    ready.close()
    ready.write("more.json", [suricata(4)])
    assert "no such command" in ready.once().failures["output ids"]
    assert text(ready, "local.rules") == before
    assert ready.output("ids")["state"] == "failing"
    ready.consistent(settled=False)


def beside_another_feed(site: Site) -> None:
    """Another feed, which reads a folder of its own, gives to the same lists."""
    configure(site)
    feed = {"type": "bundle", "unmarked_tlp": "clear"}
    feeds = {"files": {**feed, "path": "bundles/"}, "other": {**feed, "path": "other/"}}
    site.edit(lambda config: config.update(feeds=feeds))
    (site.folder / "other").mkdir()


def test_two_feeds_that_send_one_id_send_two_rules(site: Site) -> None:
    beside_another_feed(site)
    mine = yara_rule("mine", confidence=10)
    theirs = yara_rule("theirs", confidence=90, id=mine["id"])
    site.write(FEED, [mine, yara_rule("two")])
    site.write("../other/rules.json", [theirs])
    site.service.feeds.poll("files")
    site.service.feeds.poll("other")
    site.service.lists.refresh("hunt")
    named = {"type": "yara", "value": mine["id"]}
    assert plan(site)["add"].count(named) == 2
    site.once()
    assert names(site) == ["mine", "theirs", "two"]
    assert f"// {mine['id']} from files\nrule mine" in text(site)
    assert f"// {mine['id']} from other\nrule theirs" in text(site)
    assert site.output("detect")["reasons"] == {"written": 3}
    answers = explain_value(site.service.decider, mine["id"])["observables"]
    assert [(one["type"], one["value"]) for one in answers] == [("yara", mine["id"])] * 2
    assert [[claim["feed"] for claim in one["claims"]] for one in answers] == [["files"], ["other"]]
    site.consistent()
    site.write(FEED, [revoked(mine), yara_rule("two")])
    site.change()
    assert names(site) == ["theirs", "two"], "nor does its end end the other"
    site.consistent()
    site.write("../other/rules.json", [revoked(theirs)])
    site.change()
    assert names(site) == ["two"]
    site.consistent()


ATTACKS = {
    "says nothing": {"pattern": ""},
    "says another thing": {"pattern": "rule harmless { condition: false }"},
    "spoils the file": {"pattern": "rule one { condition: "},
    "is of another language": {"pattern": "title: x", "pattern_type": "sigma"},
    "is not to be shared": {"object_marking_refs": [TLP["red"]]},
    "is over": {"valid_until": stamp(START - timedelta(days=1))},
}


@pytest.mark.parametrize("seen", ["first", "later"])
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_no_feed_has_a_say_in_the_rule_of_another_by_its_id(
    site: Site, attack: Object, seen: str
) -> None:
    beside_another_feed(site)
    ours = yara_rule("one", confidence=10)
    theirs = {**ours, "confidence": 100, "modified": stamp(START), **attack}

    def stands() -> bool:
        return f"// {ours['id']} from files\nrule one {{ condition: true }}\n" in text(site)

    for feed in ("other", "files") if seen == "first" else ("files", "other"):
        site.write(FEED if feed == "files" else "../other/rules.json",
                   [ours if feed == "files" else theirs])  # fmt: skip
        site.change()
    assert stands()
    site.consistent()
    for taken_back in ([yara_rule("else")], [theirs], [revoked(theirs, days=40)]):
        site.write("../other/rules.json", taken_back)
        site.change()
        assert stands()
        site.consistent()
    site.write(FEED, [revoked(ours)])
    site.change()
    assert not stands()


def test_of_two_feeds_with_one_id_and_one_name_the_rule_first_seen_stays(site: Site) -> None:
    beside_another_feed(site)
    ours = yara_rule("one", confidence=10)
    theirs = yara_rule("one", "filesize > 7", confidence=100, days=9)
    site.write(FEED, [ours])
    site.change()
    site.write("../other/rules.json", [theirs])
    for _ in range(2):
        site.once()
        assert "rule one { condition: true }" in text(site), "also where the file is made anew"
        assert site.output("detect")["reasons"] == {"rejected": 1, "written": 1}
        (site.folder / "published" / "detect.yar").unlink()
    site.once()
    _mine, refused = explain_value(site.service.decider, ours["id"])["observables"]
    [outcome] = [each for each in refused["outputs"] if each["name"] == "detect"]
    assert outcome["reason"] == "rejected"
    assert outcome["detail"] == f"has the name one, which the rule of {ours['id']} of files has too"
    site.consistent()
    site.write(FEED, [revoked(ours)])
    site.change()
    assert "filesize > 7" in text(site), "the name is free"
    site.consistent()


def test_a_list_takes_rules_as_long_as_one_of_its_outputs_does(ready: Site) -> None:
    ready.edit(lambda config: config["outputs"].pop("ids"))
    ready.close()
    ready.once()
    assert ready.reasons("hunt") == {"unsupported_pattern": 2, "wanted": 5}
    ready.edit(lambda config: config["outputs"].update(ids=detect("suricata", "local.rules")))
    ready.close()
    plans = impact(ready.load(), ready.registry)["plans"]
    [found] = [each for each in plans if each["output"] == "ids"]
    assert found["remove"] == []
    ready.once()
    assert ready.reasons("hunt") == {"wanted": 7}
    ready.consistent()


def test_what_others_write_into_the_file_is_replaced_at_the_next_full_pass(ready: Site) -> None:
    path = ready.folder / "published" / "detect.yar"
    path.write_text(text(ready) + "rule by_hand { condition: true }\n")
    assert ready.service.outputs.propose("detect", EVERYTHING).plan.drifted == 1
    ready.once()
    assert names(ready) == ["one", "three", "two"]
    path.unlink()
    ready.once()
    assert names(ready) == ["one", "three", "two"]
    ready.consistent()


def test_a_file_of_others_is_not_replaced_unasked(site: Site) -> None:
    configure(site)
    (site.folder / "published").mkdir()
    theirs = "rule by_hand { condition: true }\n"
    (site.folder / "published" / "detect.yar").write_text(theirs)
    site.write(FEED, [yara_rule("one")])
    assert site.once().held
    assert text(site) == theirs


def test_a_version_that_the_list_has_not_seen_is_not_published(ready: Site) -> None:
    """Its marking may withhold it: the text waits for the decision."""
    secret = yara_rule("one", "filesize > 99", days=2, object_marking_refs=[TLP["red"]])
    others = [*map(yara_rule, ("two", "three")), suricata(1), suricata(2)]
    ready.write(FEED, [secret, *others])
    proposal = ready.service.outputs.propose("detect", EVERYTHING)
    ready.service.feeds.poll("files")
    with pytest.raises(Exception, match="is still being decided"):
        ready.service.outputs.propose("detect", EVERYTHING)
    path = ready.folder / "published" / "detect.yar"
    path.unlink()
    assert proposal.plan.empty
    ready.service.lists.refresh("hunt")
    ready.service.outputs.sync("detect", EVERYTHING)
    assert names(ready) == ["three", "two"]
    ready.consistent(settled=False)


def test_a_cycle_without_news_reads_no_rule(ready: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    store = ready.service.store
    originals = type(store).originals_of_claims

    def counted(self: Any, transaction: Transaction, claims: list[int]) -> dict[int, bytes]:
        read.extend(claims)
        return originals(self, transaction, claims)

    monkeypatch.setattr(type(store), "originals_of_claims", counted)
    ready.change()
    assert read == []
    ready.write("others.json", [indicator("a", "192.0.2.1"), indicator("c", "c.example")])
    ready.change()
    assert read == [], "news of observables are no news of rules"


def test_an_output_of_rules_names_no_types_of_observables(site: Site) -> None:
    configure(site)
    site.edit(lambda config: config["outputs"]["detect"].update(types=["url"]))
    with pytest.raises(ConfigError, match="takes rules, not observables: remove `types`"):
        site.load()
    site.edit(lambda config: config["outputs"]["detect"].pop("types"))
    mapping = {"comment": {"template": "{indicator.id}"}}
    site.edit(lambda config: config["outputs"]["detect"].update(mapping=mapping))
    with pytest.raises(ConfigError, match="is not a field of the rules adapter"):
        site.load()


def test_rules_age_by_a_bound_of_their_own(site: Site) -> None:
    configure(site)
    ages = {"default": "20d", "rule": "40d"}
    site.edit(lambda config: config["feeds"]["files"].update(max_age=ages))
    site.write(FEED, [yara_rule("one"), indicator("a", "192.0.2.1")])
    site.once()
    assert names(site) == ["one"]
    assert site.at() == []
    site.clock.advance(days=10)
    site.change()
    assert names(site) == []
    site.consistent()


STEPS = ("intended", "published", "written", "finished")
NEWS = [
    yara_rule("one", "filesize > 1", days=2),
    revoked(yara_rule("two")),
    yara_rule("four"),
    yara_rule("three", "$nowhere", days=2),
    suricata(2),
    suricata(3),
]


@pytest.mark.parametrize("whole", [True, False], ids=["everything", "changed"])
def test_a_kill_at_any_instant_ends_in_the_same_files(
    ready: Site, nursery: Nursery, whole: bool
) -> None:
    ready.write("same.json", [same(1), same(2)])
    ready.change()
    ready.write(FEED, NEWS)
    holder = 1 if "filesize > 1 " in text(ready) else 2
    ready.write("same.json", [revoked(same(holder)), same(3 - holder)])
    ready.close()
    undisturbed = copied(ready, "undisturbed")
    passed = Points()
    cycle(undisturbed, passed, whole=whole)
    expected = end(undisturbed)
    assert names(undisturbed) == ["four", "one", "same"]
    undisturbed.consistent()
    undisturbed.close()

    points = ("after commit", *STEPS)
    for point in points:
        assert passed.passed[point], point
        for nth in range(1, passed.passed[point] + 1):
            killed = copied(ready, f"killed-{point}-{nth}".replace(" ", "-"))
            nursery.kill_in_cycle(killed, point, nth, whole=whole)
            where = f"killed at {point} {nth}"
            killed.consistent(settled=False)
            killed.change()
            assert end(killed) == expected, where
            killed.consistent()
            killed.close()
            shutil.rmtree(killed.folder)


def copied(site: Site, name: str) -> Site:
    folder = Path(site.folder.parent, name)
    shutil.copytree(site.folder, folder)
    return Site(folder, type(site.clock)(site.clock.moment))


def end(site: Site) -> dict[str, Any]:
    status = site.status()
    return {
        "files": [sorted(text(site, file).splitlines()) for file in ("detect.yar", "local.rules")],
        "lists": status["lists"],
        "outputs": [(part["name"], part["reasons"], part["state"]) for part in status["outputs"]],
    }
