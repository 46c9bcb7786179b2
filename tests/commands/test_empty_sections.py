"""No command ends in a traceback, whichever sections of the file hold nothing."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
import yaml

from connector.commands import app as cli
from connector.daemon.daemon import Daemon
from connector.server import ListServer

GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
INDICATOR = "indicator--3f1b8f0e-3b34-4d0d-8a30-5f0f8a3b1c01"
FULL: dict[str, Any] = {
    "version": 1,
    "feeds": {"bulletins": {"type": "bundle", "path": "bulletins.json"}},
    # Without what takes each command longest to read.
    "allowlist": {
        "warninglists": [],
        "builtin": {"except": ["documentation", "public_suffixes", "shared_hosting", "vital"]},
    },
    "lists": {"perimeter": {"select": {"types": ["ipv4-addr"]}}},
    "outputs": {"edge": {"list": "perimeter", "adapter": "edl", "options": {"file": "edge.txt"}}},
}
# What each command is asked; `None` for those that read no file.
COMMANDS: dict[str, list[list[str]] | None] = {
    "check": [[], ["--impact"]],
    "run": [["--once"], []],
    "plan": [[], ["edge"]],
    "apply": [["0123456789ab"]],
    "refuse": [["0123456789ab", "--why", "ill"]],
    "status": [[]],
    "explain": [["192.0.2.7"], [INDICATOR], ["8.8.8.8"]],
    "outputs list": [[]],
    "outputs forget": [["edge", "--why", "sold"]],
    "withdraw": [["edge"]],
    "feeds list": [[]],
    "feeds ack": [["bulletins"]],
    "feeds purge": [["bulletins"]],
    "allow add": [["192.0.2.9", "--why", "ours"]],
    "allow list": [[]],
    "allow remove": [["192.0.2.9"]],
    "map try": [["edge", "--indicator", "bulletins.json"]],
    "plugins list": None,
    "plugins new": None,
    "plugins test": [["nftables", "--output", "edge"]],
    "schema": None,
    "docs": None,
    "demo": None,
}
EMPTIED = [
    ("lists", "outputs"), ("outputs",), ("feeds",), ("feeds", "lists", "outputs"),
    ("allowlist", "server", "organisation", "log", "state"),
]  # fmt: skip


def options(group: Any, above: str = "") -> dict[str, set[str]]:
    """Return the options of all commands, by name with the names of their groups before it."""
    found: dict[str, set[str]] = {}
    for name, command in group.commands.items():
        path = f"{above} {name}".strip()
        if hasattr(command, "commands"):
            found |= options(command, path)
        else:
            found[path] = {option for param in command.params for option in param.opts}
    return found


OPTIONS = options(typer.main.get_command(cli.app))


def test_every_command_is_asked_with_empty_sections() -> None:
    assert set(OPTIONS) == set(COMMANDS)
    assert {name for name, asked in COMMANDS.items() if asked} == {
        name for name, found in OPTIONS.items() if "--config" in found
    }


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A full configuration that was run once."""
    found = {
        "type": "indicator", "spec_version": "2.1", "id": INDICATOR, "pattern_type": "stix",
        "created": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z",
        "valid_from": "2026-01-01T00:00:00Z", "pattern": "[ipv4-addr:value = '192.0.2.7']",
        "object_marking_refs": [GREEN],
    }  # fmt: skip
    bundle = {"type": "bundle", "id": "bundle--3f1b8f0e-3b34-4d0d-8a30-5f0f8a3b1c02"}
    text = json.dumps({**bundle, "objects": [found]})
    (tmp_path / "bulletins.json").write_text(text, encoding="utf-8")
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(FULL), encoding="utf-8")
    assert ended(["run", "--once"], path) == 0
    return path


@pytest.fixture(autouse=True)
def daemon_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon is told to end as soon as it has started; its port is a free one."""
    started = ListServer.start

    def starts(server: ListServer) -> None:
        server._port = 0
        started(server)

    def ends(daemon: Daemon) -> None:
        daemon.started.set = daemon.end  # type: ignore[method-assign]

    monkeypatch.setattr(ListServer, "start", starts)
    monkeypatch.setattr(Daemon, "obey_signals", ends)


def ended(words: list[str], config: Path) -> int:
    """Run a command as its entry point does; a traceback leaves it as an exception."""
    before, sys.argv = sys.argv, ["connector", *words, "-c", str(config)]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
        structlog.reset_defaults()
    return 0


@pytest.mark.parametrize("nothing", [{}, None], ids=["empty", "left-blank"])
@pytest.mark.parametrize("sections", EMPTIED, ids="+".join)
def test_no_command_ends_in_a_traceback(
    sections: tuple[str, ...], nothing: object, config: Path
) -> None:
    told = {**FULL, **dict.fromkeys(sections, nothing)}
    config.write_text(yaml.safe_dump(told), encoding="utf-8")
    for name, asked in COMMANDS.items():
        for words in asked or ():
            forms: list[list[str]] = [[]]
            if "--json" in OPTIONS[name] and (name, words) != ("run", []):
                forms.append(["--json"])
            for form in forms:
                code = ended([*name.split(), *words, *form], config)
                wrong_file = nothing is None or words == ["edge"]
                assert code in ((0, 1, 2, 3, 4) if wrong_file else (0, 1, 3, 4)), (name, words)


def test_explain_knows_a_value_with_its_marking_where_there_are_no_lists(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(yaml.safe_dump({**FULL, "lists": {}, "outputs": {}}), encoding="utf-8")
    for asked in ("192.0.2.7", INDICATOR):
        capsys.readouterr()
        assert ended(["explain", asked, "--json"], config) == 0
        answer = json.loads(capsys.readouterr().out)
        claim = answer["observables"][0]["claims"][0]
        assert (claim["feed"], claim["marking"]) == ("bulletins", "green")
        assert (claim["reasons"], answer["observables"][0]["outputs"]) == ({}, [])


def test_explain_shows_what_the_allowlist_protects_where_there_are_no_lists(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(yaml.safe_dump({**FULL, "lists": {}, "outputs": {}}), encoding="utf-8")
    capsys.readouterr()
    ended(["explain", "8.8.8.8", "--json"], config)
    assert json.loads(capsys.readouterr().out)["protected"][0]["group"] == "public_resolvers"
