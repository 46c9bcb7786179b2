"""The commands as scripts use them: exit codes, JSON, and what is said when something is wrong."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
import structlog
from damage import hide_rows
from prometheus_client import CollectorRegistry, generate_latest

from connector import __version__
from connector.commands import app as cli
from connector.config import load
from connector.instants import SECOND, system_clock
from connector.model import ObservableType, Reason
from connector.registry import Registry
from connector.reports.metrics import StatusCollector
from connector.service.state import open_store
from connector.store.outputs.fetches import FetchRow, ServedCertificate

PROGRAM = Path(sys.executable).with_name("connector")
IDS = UUID("5b0c1a52-3f0c-4e8e-9a1a-64d2b1c9e0aa")
GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
# Without what takes a command longest to read, and has no value that these tests use.
CONFIG = """\
version: 1
feeds:
  bulletins: {type: bundle, path: bulletins.json, every: 10s}
allowlist:
  warninglists: []
  builtin: {except: [documentation, public_suffixes, shared_hosting, vital]}
lists:
  perimeter: {select: {types: [ipv4-addr], max_tlp: amber}}
outputs:
  edge:
    list: perimeter
    adapter: edl
    limits: {max_remove_ratio: 0.3, small: 3}
    options: {file: perimeter.txt}
"""


def with_defaults(config: str) -> str:
    """Return a configuration with all of the allowlist but the samples' own addresses."""
    config = config.replace("  warninglists: []\n", "")
    return re.sub(r"except: \[.*\]", "except: [documentation]", config)


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def indicator(value: str, **given: Any) -> dict[str, Any]:
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid5(IDS, value)}",
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "valid_from": "2026-01-01T00:00:00Z", "pattern_type": "stix",
        "pattern": f"[ipv4-addr:value = '{value}']", "object_marking_refs": [GREEN], **given,
    }  # fmt: skip


class Site:
    """A configuration with one feed of files and one list, in a folder of its own."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.config.write_text(CONFIG, encoding="utf-8")
        self._capture = capture

    def bring(self, *values: str, **given: Any) -> None:
        """Let the feed hold indicators on exactly these values."""
        self.bring_objects(*(indicator(value, **given) for value in values))

    def bring_objects(self, *objects: dict[str, Any]) -> None:
        bundle = {"type": "bundle", "id": f"bundle--{uuid5(IDS, 'b')}", "objects": list(objects)}
        (self.folder / "bulletins.json").write_text(json.dumps(bundle), encoding="utf-8")

    def run(self, *words: str, config: bool = True) -> Ran:
        """Run a command in this process, as its entry point does."""
        self._capture.readouterr()
        told = ["-c", str(self.config)] if config else []
        before, sys.argv = sys.argv, ["connector", *words, *told]
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        else:
            code = 0
        finally:
            sys.argv = before
            structlog.reset_defaults()
        said = self._capture.readouterr()
        assert isinstance(code, int | None)
        return Ran(code or 0, said.out, said.err)

    @property
    def published(self) -> list[str]:
        file = self.folder / "published" / "perimeter.txt"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def hold(self) -> str:
        """Let most of what is enforced go from the feed; return the id of what is held of it."""
        self.bring(*TEN)
        assert self.run("run", "--once").code == 0
        self.bring(*TEN[:4])
        assert self.run("run", "--once").code == 3
        held = self.run("status", "--json").json["outputs"][0]["held_plan"]
        assert isinstance(held, str)
        return held


TEN = [f"198.51.100.{n}" for n in range(10, 20)]


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    return Site(tmp_path, capsys)


# check


def test_check_says_that_a_file_is_valid(site: Site) -> None:
    site.config.write_text(with_defaults(CONFIG), encoding="utf-8")
    ran = site.run("check")
    assert ran.code == 0
    assert "valid: 1 feed, 1 list, 1 output" in ran.out
    assert "warninglists: 17 in force, 0 of them newer copies; the oldest: " in ran.out
    assert "note: " in ran.err
    assert "documentation is switched off" in ran.err


def test_check_shows_every_mistake_with_its_line(site: Site) -> None:
    text = CONFIG.replace("max_remove_ratio: 0.3", "max_remove_ratio: 20")
    site.config.write_text(text.replace("adapter: edl", "adapter: eld"), encoding="utf-8")
    ran = site.run("check")
    assert ran.code == 2
    assert ran.out == ""
    told = ran.err.splitlines()
    assert len(told) == 2
    assert told[0].startswith(f"{site.config}:12: outputs.edge.adapter: ")
    assert told[1] == (
        f"{site.config}:13: outputs.edge.limits.max_remove_ratio: should be at most 1, is 20"
    )


def test_check_shows_scripts_the_same(site: Site) -> None:
    site.config.write_text(with_defaults(CONFIG), encoding="utf-8")
    told = site.run("check", "--json").json
    ages = told.pop("warninglists")
    assert {"microsoft", "tranco10k", "cloudflare"} <= {one["name"] for one in ages}
    (note,) = told.pop("notes")
    assert "documentation is switched off" in note
    assert told == {"valid": True, "problems": [], "warnings": []}
    site.config.write_text(CONFIG.replace("edl", "eld"), encoding="utf-8")
    ran = site.run("check", "--json")
    assert ran.code == 2
    assert ran.json["valid"] is False
    assert len(ran.json["problems"]) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("check",), ("run",), ("run", "--once"), ("plan",), ("apply", "0123456789ab"), ("status",),
        ("explain", "192.0.2.7"),
    ],
)  # fmt: skip
def test_an_invalid_file_ends_every_command_with_2(site: Site, words: tuple[str, ...]) -> None:
    site.config.write_text("version: 2\n", encoding="utf-8")
    ran = site.run(*words)
    assert ran.code == 2
    assert f"{site.config}:1: version: " in ran.err
    assert not (site.folder / "state").exists()


def test_a_missing_file_says_how_to_name_one(site: Site) -> None:
    site.config.unlink()
    ran = site.run("status")
    assert ran.code == 2
    assert "no such file: name the file with -c FILE or in CONNECTOR_CONFIG" in ran.err


def test_the_environment_names_the_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_CONFIG", str(site.config))
    assert site.run("check", config=False).code == 0


# run --once


def test_a_pass_polls_and_writes(site: Site) -> None:
    site.bring(*TEN)
    ran = site.run("run", "--once")
    assert ran.code == 0
    assert site.published == TEN
    assert "output edge: 10 added" in ran.err


def test_a_failing_feed_ends_with_1_and_leaves_what_is_enforced(site: Site) -> None:
    site.bring(*TEN)
    site.run("run", "--once")
    (site.folder / "bulletins.json").unlink()
    ran = site.run("run", "--once")
    assert ran.code == 1
    assert "feed bulletins: " in ran.err
    assert site.published == TEN


def test_what_is_held_ends_the_run_with_3_and_stays_enforced(site: Site) -> None:
    site.bring(*TEN)
    site.run("run", "--once")
    site.bring(*TEN[:4])
    ran = site.run("run", "--once")
    assert ran.code == 3
    assert "would remove 6 entries, 60% of the 10 there; max_remove_ratio allows 30%" in ran.err
    assert re.search(r"accept: connector apply [0-9a-f]{12}\n", ran.err)
    assert site.published == TEN


def test_a_damaged_state_ends_the_run_before_anything_is_removed(site: Site) -> None:
    site.bring(*TEN)
    assert site.run("run", "--once").code == 0
    lost = "observable % 2 = 0"
    hide_rows(site.folder / "state" / "connector.db", "claims_by_observable", lost)
    ran = site.run("run", "--once")
    assert ran.code == 1
    assert "the state is damaged (5 claims are there that an index of them does not show" in ran.err
    assert "restore a backup" in ran.err
    assert site.published == TEN
    shown = site.run("status")
    assert (shown.code, "the state is damaged" in shown.out) == (1, True)


# plan


def test_plan_shows_what_would_be_written_and_writes_nothing(site: Site) -> None:
    site.bring("198.51.100.7")
    ran = site.run("plan", "--json")
    assert ran.code == 0
    plan = ran.json["plans"][0]
    assert plan["output"] == "edge"
    assert plan["scope"] == "everything"
    assert plan["add"] == [{"type": "ipv4-addr", "value": "198.51.100.7"}]
    assert (plan["update"], plan["remove"], plan["unchanged"]) == ([], [], 0)
    assert plan["broken_limits"] == []
    assert re.fullmatch("[0-9a-f]{12}", plan["id"])
    assert site.published == []


def test_plan_says_why_each_entry_waits_and_what_goes_on(site: Site) -> None:
    site.bring(*TEN)
    site.run("run", "--once")
    site.bring(*TEN[:4], "198.51.100.77")
    plan = site.run("plan", "--json", "edge").json["plans"][0]
    assert plan["add"] == [{"type": "ipv4-addr", "value": "198.51.100.77"}]
    assert plan["remove"] == []
    assert plan["unchanged"] == 4
    [hold] = plan["held"]
    assert [gone["value"] for gone in hold["remove"]] == TEN[4:]
    assert {(gone["reason"], gone["feed"]) for gone in hold["remove"]} == {
        ("withdrawn", "bulletins")
    }
    assert plan["broken_limits"] == hold["broken_limits"]
    assert (len(plan["broken_limits"]), hold["since"]) == (1, None)


def test_plan_shows_what_is_held_from_the_state_alone(site: Site) -> None:
    held = site.hold()
    (site.folder / "bulletins.json").unlink()
    ran = site.run("plan", "--held")
    assert ran.code == 0
    assert f"hold {held} (held since " in ran.out
    assert "- 6 of feed bulletins withdrawn" in ran.out
    assert "      ipv4-addr 198[.]51[.]100[.]14, 198[.]51[.]100[.]15, " in ran.out
    assert f"accept: connector apply {held}; refuse: connector refuse {held} --why" in ran.out
    [plan] = site.run("plan", "edge", "--held", "--json").json["plans"]
    [hold] = plan["held"]
    assert (hold["id"], hold["state"], hold["kind"]) == (held, "held", "remove")
    assert [gone["value"] for gone in hold["remove"]] == TEN[4:]


def test_plan_says_that_nothing_is_held(site: Site) -> None:
    site.bring(*TEN)
    site.run("run", "--once")
    assert site.run("plan", "--held").out == "Nothing is held.\n"
    assert site.run("plan", "--held", "--json").json == {"plans": [], "failures": []}


def test_plan_is_the_same_each_time_until_something_changes(site: Site) -> None:
    site.bring(*TEN)
    first = site.run("plan", "--json").json["plans"][0]["id"]
    assert site.run("plan", "--json").json["plans"][0]["id"] == first
    site.bring(*TEN[1:])
    assert site.run("plan", "--json").json["plans"][0]["id"] != first


def test_plan_prints_values_defanged_for_people(site: Site) -> None:
    site.bring("198.51.100.7")
    assert "+ ipv4-addr 198[.]51[.]100[.]7" in site.run("plan").out


def test_plan_ends_with_1_where_something_could_not_be_asked(site: Site) -> None:
    ran = site.run("plan", "--json")
    assert ran.code == 1
    assert ran.json["failures"][0].startswith("feed bulletins: ")


def test_plan_names_the_outputs_when_asked_for_one_that_is_not_there(site: Site) -> None:
    ran = site.run("plan", "egde")
    assert ran.code != 0
    assert "egde is not an output of this configuration (edge)" in ran.err


# apply


def test_apply_accepts_exactly_what_is_held(site: Site) -> None:
    held = site.hold()
    ran = site.run("apply", held)
    assert ran.code == 0
    assert f"Hold {held} applied to edge: 0 added, 0 updated, 6 removed" in ran.out
    assert site.published == TEN[:4]
    assert site.run("status").code == 0


def test_apply_of_what_nobody_held_ends_with_1(site: Site) -> None:
    site.bring(*TEN)
    site.run("run", "--once")
    ran = site.run("apply", "0123456789ab")
    assert ran.code == 1
    assert "Hold 0123456789ab is not known" in ran.out


def test_apply_of_what_things_have_overtaken_ends_with_4(site: Site) -> None:
    held = site.hold()
    site.bring(*TEN)
    assert site.run("run", "--once").code == 0
    ran = site.run("apply", held)
    assert ran.code == 4
    assert "nothing of it is left" in ran.out
    assert site.published == TEN


def test_apply_takes_what_is_left_of_it(site: Site) -> None:
    held = site.hold()
    site.bring(*TEN[:8])
    site.run("plan")  # polls: two of the six still go
    assert site.run("apply", held, "--why", "the feed shrank").code == 0
    assert site.published == TEN[:8]


def test_apply_twice_ends_with_4(site: Site) -> None:
    held = site.hold()
    assert site.run("apply", held).code == 0
    assert site.run("apply", held).code == 4


# refuse


def test_refuse_leaves_what_is_enforced_and_the_run_ends_well(site: Site) -> None:
    held = site.hold()
    ran = site.run("refuse", held, "--why", "the feed is ill", "--until", "2099-12-31")
    assert (ran.code, f"Hold {held} for edge is refused" in ran.out) == (0, True)
    assert site.run("run", "--once").code == 0
    assert site.published == TEN
    status = site.run("status")
    assert status.code == 0
    assert f"refused, in hold {held}" in status.out
    assert "until 2100-01-01T00:00:00Z: the feed is ill" in status.out
    assert site.run("apply", held).code == 0
    assert site.published == TEN[:4]
    assert site.run("refuse", held, "--why", "too late").code == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--why", "ill", "--until", "tomorrow"], "should be a day, such as 2027-06-30"),
        (["--why", "ill", "--until", "2001-01-01"], "is already over (UTC)"),
        (["--why", " "], "give a reason"),
    ],
)
def test_refuse_asks_for_a_reason_and_a_day_to_come(
    site: Site, words: list[str], told: str
) -> None:
    ran = site.run("refuse", site.hold(), *words)
    assert (ran.code, told in ran.err) == (1, True)


def test_refuse_of_what_nobody_held_ends_with_1(site: Site) -> None:
    site.bring(*TEN)
    site.run("run", "--once")
    ran = site.run("refuse", "0123456789ab", "--why", "no", "--json")
    assert (ran.code, ran.json["refused"], ran.json["nothing_left"]) == (1, False, False)


# status


def test_status_is_not_healthy_before_the_first_pass(site: Site) -> None:
    site.bring(*TEN)
    ran = site.run("status", "--json")
    assert ran.code == 1
    assert ran.json["feeds"][0]["state"] == "never"


def keys_of(answer: Any, named: frozenset[str]) -> Iterator[str]:
    """Yield the keys of an answer, but for those that are names or reasons."""
    if isinstance(answer, dict):
        for key, value in answer.items():
            if key not in named and re.fullmatch(r"[a-z_]+", key):
                yield key
            yield from keys_of(value, named)
    elif isinstance(answer, list):
        for value in answer:
            yield from keys_of(value, named)


def test_every_key_of_an_answer_is_on_the_page_about_json(site: Site) -> None:
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
    named = frozenset({"bulletins", "edge", "perimeter", *(reason.value for reason in Reason)})
    site.bring("192.0.2.1", "192.0.2.2", "192.0.2.3", "10.0.0.1")
    answers = [site.run("run", "--once", "--json")]
    site.bring("192.0.2.1")
    answers += [
        site.run(*words, "--json", config=words[0] != "plugins")
        for words in (
            ("run", "--once"), ("plan",), ("status",), ("explain", "192.0.2.2"), ("feeds", "list"),
            ("feeds", "ack", "bulletins"), ("allow", "list"), ("plugins", "list"),
            ("check", "--impact"), ("apply", "0af"), ("outputs", "list"), ("withdraw", "edge"),
            ("outputs", "forget", "edge", "--why", "sold"),
        )
    ]  # fmt: skip
    for answer in answers:
        missing = {key for key in keys_of(answer.json, named) if f'"{key}"' not in page}
        assert missing <= {"valid", "problems", "warnings", "special_purpose"}, answer.json


def test_a_pass_and_an_acceptance_report_to_scripts_what_they_did(site: Site) -> None:
    site.bring(*TEN)
    first = site.run("run", "--once", "--json")
    assert first.code == 0
    assert first.json["feeds"]["bulletins"]["new"] == 10
    assert first.json["outputs"] == {
        "edge": {"added": 10, "updated": 0, "removed": 0, "rejected": 0, "later": 0}
    }
    site.bring(*TEN[:4])
    second = site.run("run", "--once", "--json")
    assert second.code == 3
    held = second.json["held"]["edge"]
    assert "max_remove_ratio" in held["broken_limits"][0]
    done = site.run("apply", held["plan"], "--json")
    assert done.code == 0
    assert (done.json["hold"], done.json["applied"], done.json["nothing_left"]) == (
        held["plan"], True, False
    )  # fmt: skip
    assert site.run("apply", held["plan"], "--json").code == 4
    assert site.run("run", "--json").code == 2


def test_a_state_that_cannot_be_looked_for_is_not_one_that_is_absent(site: Site) -> None:
    site.bring("192.0.2.1")
    long = f"state: {{url: 'sqlite:///{'a' * 300}.db'}}\n"
    site.config.write_text(CONFIG + long, encoding="utf-8")
    looked = site.run("status")
    assert looked.code == 1
    assert "cannot open the state: File name too long" in looked.err
    assert "There is no state yet" not in looked.err


@pytest.mark.parametrize(
    "words",
    [("status",), ("explain", "192.0.2.1"), ("feeds", "list"), ("allow", "list")],
)
def test_who_only_looks_makes_no_state_that_the_service_could_not_open(
    site: Site, words: tuple[str, ...]
) -> None:
    site.bring("192.0.2.1")
    assert "There is no state yet" in site.run(*words).err
    assert not (site.folder / "state").exists()
    site.run("run", "--once")
    assert "There is no state yet" not in site.run(*words).err


def test_status_has_the_documented_keys_and_its_counts_add_up(site: Site) -> None:
    site.bring_objects(
        *(indicator(value) for value in TEN),
        indicator("8.8.8.8"),
        indicator("192.0.2.1", valid_until="2026-01-02T00:00:00Z"),
        indicator("192.0.2.2", revoked=True),
        indicator("192.0.2.3", pattern="[domain-name:value = 'bad.example']"),
        indicator("192.0.2.4", pattern_type="yara", pattern="rule x { condition: true }"),
    )
    site.run("run", "--once")
    ran = site.run("status", "--json")
    assert ran.code == 0
    status = ran.json
    [feed], [listed], [output] = status["feeds"], status["lists"], status["outputs"]
    assert {"name", "state", "last_success", "age_seconds", "objects", "gaps"} <= feed.keys()
    assert (feed["name"], feed["state"], feed["objects"]) == ("bulletins", "ok", 15)
    assert (listed["name"], listed["wanted"]) == ("perimeter", 10)
    assert listed["reasons"] == {
        "unsupported_pattern": 1, "revoked": 1, "expired": 1, "deselected": 1, "allowlisted": 1,
        "wanted": 10,
    }  # fmt: skip
    assert {
        "name", "list", "adapter", "state", "last_success", "written", "held_plan", "reasons",
    } <= output.keys()  # fmt: skip
    assert (output["written"], output["held_plan"], output["reasons"]["written"]) == (10, None, 10)
    assert sum(listed["reasons"].values()) == status["claims"] == 15
    assert sum(output["reasons"].values()) == status["claims"]
    assert set(listed["reasons"]) | set(output["reasons"]) <= set(Reason)


def test_status_names_what_waits(site: Site) -> None:
    held = site.hold()
    ran = site.run("status")
    assert ran.code == 1
    assert f"connector apply {held}" in ran.out
    answer = site.run("status", "--json").json
    assert answer["outputs"][0]["state"] == "held"
    assert sum(answer["outputs"][0]["reasons"].values()) == answer["claims"]


# explain


def test_explain_shows_the_whole_chain(site: Site) -> None:
    site.bring("198.51.100.7", valid_until="2999-01-01T00:00:00Z")
    site.run("run", "--once")
    ran = site.run("explain", "--json", "198.51.100.7")
    assert ran.code == 0
    assert (ran.json["value"], ran.json["found"]) == ("198.51.100.7", True)
    [observable] = ran.json["observables"]
    [claim], [output] = observable["claims"], observable["outputs"]
    assert (observable["type"], observable["value"]) == ("ipv4-addr", "198.51.100.7")
    assert claim["indicator"] == indicator("198.51.100.7")["id"]
    assert (claim["feed"], claim["enforceable"], claim["marking"]) == ("bulletins", True, "green")
    assert claim["valid_until"] == output["until"] == "2999-01-01T00:00:00Z"
    assert claim["why"] == ""
    assert (output["name"], output["list"], output["reason"]) == ("edge", "perimeter", "written")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", output["since"])
    assert output["detail"] == ""


LISTS = "lists:\n  perimeter: {select: {types: [ipv4-addr], max_tlp: amber}}\n"
STRICT = "  strict: {purpose: watch, audience: public, select: {min_confidence: 90}}\n"


@pytest.mark.parametrize(
    "lists",
    [
        LISTS + STRICT,
        LISTS.replace("lists:\n", "lists:\n" + STRICT),
        "lists: {}\n",
    ],
    ids=["the strict one last", "the strict one first", "none"],
)
def test_explain_reads_marking_and_confidence_whatever_lists_there_are(
    site: Site, lists: str
) -> None:
    site.bring("198.51.100.7", confidence=70)
    site.run("run", "--once")
    text = CONFIG.replace(LISTS, lists).replace("every: 10s", "every: 10s, max_confidence: 60")
    if lists == "lists: {}\n":
        text = text.partition("outputs:")[0] + "outputs: {}\n"
    site.config.write_text(text, encoding="utf-8")
    ran = site.run("explain", "--json", "198.51.100.7")
    assert ran.code == 0
    [observable] = ran.json["observables"]
    [claim] = observable["claims"]
    assert (claim["marking"], claim["confidence"], claim["caps"]) == (
        "green", 60, ["max_confidence"],
    )  # fmt: skip
    assert set(claim["reasons"]) == set(re.findall(r"^  (\w+): \{", lists, re.MULTILINE))
    assert claim["indicator"] in site.run("explain", "198.51.100.7").out


@pytest.mark.parametrize("asked", ["198[.]51[.]100[.]7", indicator("198.51.100.7")["id"]])
def test_explain_takes_what_people_paste(site: Site, asked: str) -> None:
    site.bring("198.51.100.7")
    site.run("run", "--once")
    ran = site.run("explain", "--json", asked)
    assert ran.code == 0
    assert ran.json["observables"][0]["outputs"][0]["reason"] == "written"


def test_explain_says_why_something_is_not_blocked(site: Site) -> None:
    site.bring("8.8.8.8")
    site.run("run", "--once")
    ran = site.run("explain", "8.8.8.8")
    assert ran.code == 0
    assert "edge (perimeter): allowlisted: public_resolvers protects 8[.]8[.]8[.]8" in ran.out


def test_explain_finds_the_prefix_that_covers_an_address(site: Site) -> None:
    site.bring("198.51.100.0/24")
    site.run("run", "--once")
    ran = site.run("explain", "--json", "198.51.100.77")
    assert ran.code == 0
    assert [found["value"] for found in ran.json["observables"]] == ["198.51.100.0/24"]


def test_explain_of_what_nobody_speaks_of_ends_with_1(site: Site) -> None:
    site.bring("198.51.100.7")
    site.run("run", "--once")
    ran = site.run("explain", "--json", "192.0.2.99")
    assert ran.code == 1
    assert ran.json["found"] is False
    assert ran.json["observables"] == []
    assert "192[.]0[.]2[.]99: no feed mentions it" in site.run("explain", "192.0.2.99").out


def test_explain_blames_the_allowlist_only_for_the_value_itself(site: Site) -> None:
    site.bring("198.51.100.7")
    site.run("run", "--once")
    for asked in ("198.51.100.7", "www.evil.example.com"):
        assert site.run("explain", "--json", asked).json["protected"] == []
    for asked in ("8.8.8.8", "http://8.8.8.8/x"):
        (protected,) = site.run("explain", "--json", asked).json["protected"]
        assert (protected["group"], protected["value"]) == ("public_resolvers", "8.8.8.8")


def test_explain_says_that_what_is_no_longer_wanted_stays_while_it_is_held(site: Site) -> None:
    held = site.hold()
    ran = site.run("explain", TEN[-1])
    cause = "withdrawn by feed bulletins"
    words = f"withdrawn: still on the target: hold {held} ({cause}): would remove 6 entries"
    assert words in ran.out
    assert f"; accept it: connector apply {held}" in ran.out


def test_an_object_that_cannot_be_read_is_reported_with_its_id_and_reason(site: Site) -> None:
    broken = {**indicator("198.51.100.7"), "valid_from": "yesterday"}
    site.bring_objects(broken, indicator("198.51.100.8"))
    ran = site.run("run", "--once")
    assert "1 unreadable" in ran.err
    assert f"unreadable: {broken['id']}: Invalid RFC3339 encoded datetime" in ran.err
    asked = site.run("explain", "--json", broken["id"])
    assert asked.code == 0
    (claim,) = asked.json["unread"]
    assert claim["indicator"] == broken["id"]
    assert "`$.valid_from`" in claim["why"]
    assert site.run("explain", broken["id"][:-1]).code == 1


def test_explain_says_from_when_an_indicator_counts(site: Site) -> None:
    site.bring("198.51.100.7", valid_from="2999-01-01T00:00:00Z")
    site.run("run", "--once")
    ran = site.run("explain", "198.51.100.7")
    assert "TLP:green, from 2999-01-01T00:00:00Z\n" in ran.out
    assert "edge (perimeter): not_yet_valid" in ran.out


def test_explain_names_no_producer_where_there_is_none(site: Site) -> None:
    site.bring("198.51.100.7")
    site.run("run", "--once")
    assert "hidden from" not in site.run("explain", "198.51.100.7").out


# plugins, schema, docs, and calls that are wrong


@pytest.mark.parametrize("group", ["feeds", "allow", "plugins"])
def test_a_group_of_commands_that_is_named_alone_lists(site: Site, group: str) -> None:
    site.bring("198.51.100.7")
    takes = group != "plugins"
    site.run("run", "--once")
    listed = site.run(group, "list", "--json", config=takes)
    assert (listed.code, site.run(group, "--json", config=takes)) == (0, listed)
    assert "Commands:" in site.run(group, "--help", config=False).out


def test_plugins_shows_what_each_adapter_can_do(site: Site) -> None:
    ran = site.run("plugins", "list", "--json", config=False)
    assert ran.code == 0
    plugins = {plugin["name"]: plugin for plugin in ran.json["plugins"]}
    assert {"edl", "nftables", "postfix", "rules", "splunk_kvstore"} <= plugins.keys()
    assert {"taxii", "bundle"} <= plugins.keys()
    assert plugins["edl"]["kind"] == "adapter"
    assert set(plugins["edl"]["supports"]) == set(ObservableType)
    assert plugins["edl"]["takes_rules"] == []
    assert plugins["rules"]["takes_rules"] == ["sigma", "snort", "suricata", "yara"]
    assert plugins["taxii"]["kind"] == "feed"
    takes = {one["field"]: one["words"] for one in plugins["edl"]["takes"]}
    assert takes["comment"].startswith("text of at most")
    told = site.run("plugins", "list", config=False).out
    assert "nftables (adapter, batches), from threat-feed-connector" in told
    assert "kinds: endpoint, ipv4-addr, ipv6-addr" in told
    assert "field comment: text of at most" in told


def test_schema_and_docs_describe_every_adapter(site: Site) -> None:
    schema = site.run("schema", config=False)
    assert schema.code == 0
    described = schema.json["$defs"]["Config"]["properties"]
    assert {"version", "feeds", "lists", "outputs"} <= described.keys()
    docs = site.run("docs", config=False)
    assert docs.code == 0
    assert "## Adapter edl" in docs.out


def test_the_version_is_reported(site: Site) -> None:
    ran = site.run("--version", config=False)
    assert (ran.code, ran.out) == (0, f"connector {__version__}\n")


def test_the_command_runs_as_a_module_too() -> None:
    command = [sys.executable, "-m", "connector", "--version"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (ran.returncode, ran.stdout) == (0, f"connector {__version__}\n")


@pytest.mark.parametrize(
    "words",
    [
        ("chekc",), ("check", "--impcat"), ("apply",), ("explain",), ("plugins", "lits"),
        ("demo", "--seconds", "soon"),
    ],
)  # fmt: skip
def test_an_invalid_command_line_ends_with_2(site: Site, words: tuple[str, ...]) -> None:
    ran = site.run(*words, config=False)
    assert ran.code == 2
    assert ran.out == ""
    assert "Usage: " in ran.err


# the daemon, as a process of its own


class Running:
    """The daemon on a site, until the end of a test."""

    def __init__(self, site: Site) -> None:
        self.process = subprocess.Popen(
            [PROGRAM, "run", "-c", site.config],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip

    def wait_for(self, *words: str) -> str:
        """Return the next line of the log that has all these words."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if all(word in line for word in words):
                return line
        raise AssertionError(f"the daemon ended before it told of {' '.join(words)}")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=300)
        return self.process.returncode


@pytest.fixture
def running(site: Site, free_port: int) -> Iterator[Running]:
    listen = f'server: {{listen: "127.0.0.1:{free_port}"}}\n'
    site.config.write_text(CONFIG + listen, encoding="utf-8")
    site.bring(*TEN)
    daemon = Running(site)
    try:
        yield daemon
    finally:
        daemon.process.kill()
        daemon.process.communicate()


def test_the_daemon_writes_and_ends_on_sigterm(site: Site, running: Running) -> None:
    running.wait_for("output.applied", "added=10")
    assert site.published == TEN
    assert running.end() == 0


def test_a_second_daemon_on_the_same_state_ends_with_1(site: Site, running: Running) -> None:
    running.wait_for("output.applied", "added=10")
    ran = site.run("run", "--once")
    assert ran.code == 1
    assert "another connector is using" in ran.err


def test_commands_that_only_look_may_be_used_beside_the_daemon(
    site: Site, running: Running
) -> None:
    running.wait_for("output.applied", "added=10")
    assert site.run("explain", TEN[0]).code == 0
    plan = site.run("plan", "--json")
    assert (plan.code, plan.json["plans"][0]["unchanged"]) == (0, 10)
    assert site.run("status", "--json").json["outputs"][0]["written"] == 10


def test_an_invalid_file_on_reload_keeps_the_running_configuration(
    site: Site, running: Running
) -> None:
    running.wait_for("output.applied", "added=10")
    site.config.write_text("version: 2\n", encoding="utf-8")
    running.process.send_signal(signal.SIGHUP)
    assert "the running configuration" in running.wait_for("config.refused")
    assert running.process.poll() is None
    assert running.end() == 0


def test_a_file_that_we_may_not_read_is_reported_in_the_form_asked_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens = Path.open

    def refuses(path: Path, *how: Any, **more: Any) -> Any:
        if path == site.config:
            raise PermissionError(13, "Permission denied", str(path))
        return opens(path, *how, **more)

    monkeypatch.setattr(os, "access", lambda *_asked, **_more: False)
    monkeypatch.setattr(Path, "open", refuses)
    ran = site.run("check", "--json")
    assert ran.code == 2
    assert ran.json["problems"] == [f"{site.config}: cannot be read: Permission denied"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk always full")
@pytest.mark.parametrize("words", [("docs",), ("plugins", "list"), ("plugins", "list", "--json")])
def test_a_disk_too_full_for_what_is_printed_is_reported_without_a_traceback(
    words: tuple[str, ...],
) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ran.returncode == 1
    assert ran.stderr == ("connector: cannot write output: No space left on device\n")


def test_what_a_dropped_output_left_is_listed_until_it_is_withdrawn(site: Site) -> None:
    site.bring("192.0.2.1", "192.0.2.2")
    site.run("run", "--once")
    assert site.run("outputs", "--json").json["outputs"][0]["left"] is None
    assert site.run("withdraw", "edge").code == 1
    assert "is in the file" in site.run("outputs", "forget", "edge", "--why", "sold").out
    text = site.config.read_text(encoding="utf-8")
    site.config.write_text(text.replace("  edge:\n", "  next:\n").replace("perimeter.txt", "n.txt"))
    foreseen = site.run("check", "--impact")
    assert "edge: is not in the file: would leave 2 entries at published file" in foreseen.out
    site.run("run", "--once")
    status = site.run("status")
    assert status.code == 1
    assert "2 entries left behind at published file published/perimeter.txt" in status.out
    [_next, left] = site.run("outputs", "list", "--json").json["outputs"]
    assert (left["output"], left["left"], left["entries"]) == ("edge", "dropped", 2)
    assert "connector outputs forget edge --why" in site.run("outputs").out
    assert site.published == ["192.0.2.1", "192.0.2.2"]
    ran = site.run("withdraw", "edge", "--why", "replaced", "--json")
    assert ran.code == 0
    assert ran.json == {
        "output": "edge", "withdrawn": 2, "left": 0, "words": "edge: 2 entries removed",
    }  # fmt: skip
    assert site.published == []
    assert site.run("status").code == 0
    assert site.run("withdraw", "edge").code == 1


def test_forgetting_a_place_asks_for_a_reason(site: Site) -> None:
    site.bring("192.0.2.1")
    site.run("run", "--once")
    text = site.config.read_text(encoding="utf-8")
    site.config.write_text(text.partition("outputs:\n")[0] + "outputs: {}\n", encoding="utf-8")
    assert site.run("outputs", "forget", "edge", "--why", " ").code == 1
    ran = site.run("outputs", "forget", "edge", "--why", "sold", "--json")
    assert (ran.code, ran.json["forgotten"]) == (0, 1)
    assert site.published == ["192.0.2.1"]
    assert site.run("outputs", "list", "--json").json == {"outputs": []}


CLIENTS = """\
server:
  clients:
    - {name: fw-01, address: 192.0.2.1}
    - {name: fw-02, address: 192.0.2.2}
"""


def test_status_shows_who_fetched_what_and_what_is_wrong_with_the_certificate(site: Site) -> None:
    site.config.write_text(CONFIG + CLIENTS, encoding="utf-8")
    site.bring("192.0.2.1")
    site.run("run", "--once")
    store = open_store(load(site.config, Registry.installed()))
    now = system_clock()
    store.fetches.put([FetchRow("fw-01", "edge.txt", now - 90 * SECOND, 304, "ab", told=True)])
    store.fetches.show(ServedCertificate(now + 9 * 86_400 * SECOND, "server.tls.key: is wrong"))
    store.close()
    answer = site.run("status", "--json").json
    first, second = answer["clients"]
    assert (first["state"], second) == ("silent", {"name": "fw-02", "state": "never", "lists": []})
    assert (first["lists"][0]["status"], first["lists"][0]["age_seconds"] >= 90) == (304, True)
    ran = site.run("status")
    assert ran.code == 0  # one of many firewalls is always away
    assert re.search(r"fw-01 +edge\.txt +silent +20.*\n *fw-02 +- +never +never", ran.out)
    assert "the certificate of the list server ends at 20" in ran.out
    assert "the renewed certificate is not in force: server.tls.key: is wrong" in ran.out
    shown = "".join(generate_metrics(answer))
    assert 'connector_client_silent{client="fw-01",file="edge.txt"} 1.0' in shown
    assert 'connector_client_silent{client="fw-02",file=""} 0.0' in shown


def generate_metrics(answer: Any) -> Iterator[str]:
    registry = CollectorRegistry()
    registry.register(StatusCollector(lambda: answer))
    yield generate_latest(registry).decode()
