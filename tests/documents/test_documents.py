"""What the documents promise as a whole: a short README, short ways, commands that run."""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
import structlog
from test_docs import PAGE_NAMES, PAGES, README, ROOT, ROOT_COMMAND, command_named

from connector.commands import app as cli

LONGEST_README = 150
IDS = UUID("6f2f3f2c-0f0e-4f5c-a8b0-2f7f3a0e8c11")
GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
CONFIG = """\
version: 1
feeds:
  isac: {type: bundle, path: bulletins.json}
allowlist:
  builtin: {except: [documentation]}
  warninglists: []
lists:
  perimeter: {select: {types: [ipv4-addr]}}
outputs:
  edge:
    list: perimeter
    adapter: edl
    limits: {max_remove_ratio: 0.3, small: 1}
    options: {file: perimeter.txt}
"""
TEN = [f"203.0.113.{n}" for n in range(10)]
# What a page leaves for the reader to fill in.
FILLED = {"OUTPUT": "edge", "NAME": "isac", "VALUE": "203.0.113.7"}
# Their own tests run them: the daemon and the demo end only when they are told to, and those of
# the guide to outputs make a package.
RUN_ELSEWHERE = (
    ["run"],
    ["demo"],
    ["plugins", "new", "my_edge", "--kind", "entry"],
    ["plugins", "test", "my_edge"],
)
# What acts has to succeed; what looks may also say that something is wrong, or unknown.
ACTS = {"apply", "allow add", "allow remove", "feeds ack", "feeds purge"}


def linked_from(page: Path) -> set[Path]:
    """Return the documents that a page links to."""
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    found = {(page.parent / target).resolve() for target in targets}
    return {path for path in found if path.suffix == ".md"}


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= LONGEST_README


def test_every_document_is_two_clicks_from_the_readme() -> None:
    first = linked_from(ROOT / "README.md")
    second = {path for page in first for path in linked_from(page)}
    reached = {ROOT / "README.md"} | first | second
    assert [page.name for page in PAGES if page not in reached] == []


def test_each_symptom_of_the_runbook_begins_with_the_command() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text("utf-8")
    symptoms = re.findall(r"^## (.+)\n\n(.*)$", text, re.M)
    assert len(symptoms) > 5
    assert [name for name, first in symptoms if first != "```console"] == []


class Site:
    """A small site in a folder of its own."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.config.write_text(CONFIG, encoding="utf-8")
        self._capture = capture

    def hold(self) -> str:
        """Let most of what is enforced leave the feed; return the id of what is held of it."""
        self.bring(*TEN)
        assert self.run("run", "--once")[0] == 0
        self.bring(*TEN[:4])
        assert self.run("run", "--once")[0] == 3
        held = json.loads(self.run("status", "--json")[1])["outputs"][0]["held_plan"]
        assert isinstance(held, str)
        return held

    def bring(self, *values: str) -> None:
        """Let the feed's file hold indicators on exactly these values."""
        objects = [
            {
                "type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid5(IDS, value)}",
                "created": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z",
                "valid_from": "2026-01-01T00:00:00Z", "pattern_type": "stix",
                "pattern": f"[ipv4-addr:value = '{value}']", "object_marking_refs": [GREEN],
            }
            for value in values
        ]  # fmt: skip
        bundle = {"type": "bundle", "id": f"bundle--{uuid5(IDS, 'all')}", "objects": objects}
        (self.folder / "bulletins.json").write_text(json.dumps(bundle), encoding="utf-8")

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command as its entry point does; return its exit code and output."""
        before, sys.argv = sys.argv, ["connector", *words]
        code: object = 0
        self._capture.readouterr()
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        finally:
            sys.argv = before
            structlog.reset_defaults()
        assert isinstance(code, int)
        return code, self._capture.readouterr().out


@pytest.fixture
def site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Site:
    monkeypatch.setenv("CONNECTOR_CONFIG", str(tmp_path / "config.yaml"))
    return Site(tmp_path, capsys)


def console_calls(page: Path) -> Iterator[list[str]]:
    """Yield the calls of the program in a page's examples, as a shell reads them."""
    for block in re.findall(r"^```console\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.match(r"[$#] (?:\w+=\S+ +)?connector (.+)", line):
                yield shlex.split(found[1], comments=True)


def exit_codes() -> dict[str, set[int]]:
    """Return the exit codes of commands, by command, as the README's table has them."""
    section = README.partition("\n## Commands\n")[2].partition("\n## ")[0]
    return {
        own_name(call.split()): {int(code) for code in re.findall(r"\b[0-4]\b", told)}
        for names, told in re.findall(r"^\| (`.*?) \|.*\| (.*?) \|$", section, re.M)
        for call in re.findall(r"`(?:connector )?([^`]+)`", names)
    }


def own_name(call: list[str]) -> str:
    """Return the words of a call that name the command: `allow add`, not its arguments."""
    return " ".join(call[: len(call) - len(command_named(call)[1])])


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_the_commands_that_it_shows_run_and_end_as_documented(page: Path, site: Site) -> None:
    codes = exit_codes()
    calls = [call for call in console_calls(page) if call not in RUN_ELSEWHERE]
    filled = FILLED | ({"HOLD_ID": site.hold()} if calls else {})
    for call in calls:
        words = [filled.get(word, word) for word in call]
        if "-c" in words:  # the file of the reader's site
            words[words.index("-c") + 1] = str(site.config)
        code, told = site.run(*words)
        may_end_with = {0} if own_name(call) in ACTS else codes[own_name(call)] - {2}
        assert code in may_end_with, f"connector {' '.join(words)}: {told}"


def test_the_pages_show_commands_to_run() -> None:
    shown = {own_name(call) for page in PAGES for call in console_calls(page)}
    assert {
        "check",
        "plan",
        "apply",
        "refuse",
        "status",
        "explain",
        "allow add",
        "feeds purge",
    } <= shown


def helps(command: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield each command below one, with what its help says."""
    for name, below in getattr(command, "commands", {}).items():
        yield " ".join((*names, name)), below.help or ""
        yield from helps(below, (*names, name))


def test_the_first_sentence_of_each_help_fits_a_terminal() -> None:
    found = dict(helps(ROOT_COMMAND))
    assert {"check", "allow", "allow add", "feeds purge"} <= set(found)
    first = {name: text.split("\n\n")[0] for name, text in found.items()}
    assert [name for name, text in first.items() if not re.fullmatch(r"[A-Z].{,53}\.", text)] == []
