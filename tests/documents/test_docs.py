"""What the documentation says is so: commands, options, files, links, examples."""

import ast
import dataclasses
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from connector import adapter as adapter_contract
from connector.commands import app as cli
from connector.config.loading import load
from connector.model import Observable, ObservableType, Reason
from connector.registry import Registry

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PAGE_NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROOT_COMMAND: Any = typer.main.get_command(cli.app)
SECRETS = dict.fromkeys(
    (
        "ISAC_TOKEN", "FW01_TOKEN", "SPLUNK_TOKEN", "HEC_TOKEN", "ELASTIC_API_KEY",
        "OPENSEARCH_PASSWORD", "RPZ_KEY",
        "AIS_PASSWORD", "MEMBERS_PASSWORD", "COUNTY_TOKEN", "WEBHOOK_SECRET", "WAZUH_PASSWORD",
    ),
    "c2FtcGxl",
)  # fmt: skip

each_page = pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)


def calls(page: Path) -> list[list[str]]:
    """Return every call of the program that a page shows."""
    text = page.read_text("utf-8")
    shown = re.findall(r"`connector ([a-z][^`\n]*)`", text)
    for console in re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S):
        shown += re.findall(r"(?:^|[ /])connector ([a-z][^#\n]*)", console, re.M)
    return [call.split() for call in shown]


def command_named(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that the first words name, None where there is none, and the rest."""
    command, rest = ROOT_COMMAND, list(words)
    while rest and (commands := getattr(command, "commands", None)) is not None:
        command = commands.get(rest.pop(0))
    return command, rest


def leaves(command: Any) -> Iterator[Any]:
    """Yield every command that does something by itself."""
    commands = getattr(command, "commands", None)
    if commands is None:
        yield command
    else:
        for below in commands.values():
            yield from leaves(below)


@each_page
def test_every_command_and_option_it_names_exists(page):
    for words in calls(page):
        command, rest = command_named(words)
        assert command is not None, f"connector {' '.join(words)}"
        options = {name for param in command.params for name in param.opts}
        named = {word for word in rest if re.match("--?[a-z]", word)}
        assert named <= options, f"connector {' '.join(words)}"


def test_the_readme_has_every_command():
    assert {words[0] for words in calls(ROOT / "README.md")} == set(ROOT_COMMAND.commands)


def test_the_options_that_the_readme_writes_apart_exist():
    section = README.partition("\n## Commands\n")[2].partition("\n## ")[0]
    known = {
        name for command in leaves(ROOT_COMMAND) for param in command.params for name in param.opts
    }
    named = set(re.findall(r"`(--[a-z]+)`", section))
    assert {"--json", "--config", "--seconds", "--port"} <= named <= known


@each_page
def test_every_configuration_it_shows_is_valid(page, tmp_path):
    for number, text in enumerate(blocks(page, "yaml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text, encoding="utf-8")
        loaded = load(file, Registry.installed(), SECRETS)
        assert not loaded.warnings


def test_pages_do_show_configurations():
    shown = [page.name for page in PAGES for _ in blocks(page, "yaml")]
    assert {"README.md", "running-as-a-service.md"} <= set(shown)


def test_the_example_is_valid(tmp_path, secrets_of_the_example):
    shutil.copy(ROOT / "config.example.yaml", tmp_path)
    (tmp_path / "allow.txt").write_text("203.0.113.0/24  # ours\n", encoding="utf-8")
    load(tmp_path / "config.example.yaml", Registry.installed(), SECRETS)


@each_page
def test_every_link_leads_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        assert "://" not in target, f"{target}: a page must be readable without a network"
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert linked.is_relative_to(ROOT.resolve()), target
        if anchor:
            assert anchor in anchors(linked), target


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@each_page
def test_every_make_target_it_names_exists(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    assert set(re.findall(r"(?:`|\$ )make ([a-z]+)", page.read_text("utf-8"))) <= targets


def test_every_reason_is_explained():
    page = (ROOT / "docs" / "deciding.md").read_text("utf-8")
    section = page.partition("## Why is it not blocked?")[2].partition("\n## ")[0]
    rows = "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("|"))
    assert set(re.findall(r"`(\w+)`", rows)) == set(Reason)


def test_the_readme_names_every_adapter_and_feed_and_options_that_they_have():
    registry = Registry.installed("threat-feed-connector")
    section = README.partition("\n## Outputs and feeds\n")[2].partition("\n## ")[0]
    outputs, feeds = section.split("\n| feed |")  # one of each may have the same name
    for table, kinds in (
        (outputs, {name: registry.adapter(name) for name in registry.adapter_names()}),
        (feeds, {name: registry.feed(name) for name in registry.feed_names()}),
    ):
        found = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|[^|]*\| (.*?) \|$", table, re.M)
        rows = {name: options for names, options in found for name in re.findall(r"\w+", names)}
        assert set(rows) == set(kinds)
        for names, options in found:
            sharing = [kinds[name].settings_type for name in re.findall(r"\w+", names)]
            known = {option for each in sharing for option in each.model_fields}
            assert set(re.findall(r"`(\w+)[`:]", options)) <= known, names


def test_what_is_not_there_yet_is_not_there():
    page = (ROOT / "docs" / "not-yet.md").read_text("utf-8")
    commands = page.partition("commands:")[2].partition(";")[0]
    for call in re.findall(r"`([^`]+)`", commands):
        command, rest = command_named(call.split())
        options = {name for param in command.params for name in param.opts} if command else set()
        assert command is None or not set(rest) <= options, f"connector {call} is there"


@pytest.mark.parametrize(
    ("page", "name"),
    [("writing-an-output.md", "connector_plainlist"), ("writing-a-feed.md", "connector_lines")],
)
def test_the_guide_shows_the_example_as_it_is(page, name):
    guide = ROOT / "docs" / page
    source = (ROOT / "examples" / name / f"{name}.py").read_text("utf-8")
    [shown, *_] = blocks(guide, "python")
    assert shown in source
    [named] = blocks(guide, "toml")
    assert named in (ROOT / "examples" / name / "pyproject.toml").read_text("utf-8")
    for block in blocks(guide, "python"):
        ast.parse(block)


def test_the_unit_runs_a_command_that_exists():
    unit = (ROOT / "deploy" / "connector.service").read_text(encoding="utf-8")
    [words] = re.findall(r"^ExecStart=\S+/connector (.+)$", unit, re.M)
    command, rest = command_named(words.split())
    assert command is not None
    assert command.name == "run"
    assert rest == ["--config", "/etc/connector/config.yaml"]


def test_systemd_understands_the_unit(tmp_path):
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("no systemd-analyze: install the package systemd")
    unit = (ROOT / "deploy" / "connector.service").read_text(encoding="utf-8")
    copy = tmp_path / "connector.service"
    copy.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", unit), encoding="utf-8")
    done = subprocess.run([verify, "verify", copy], capture_output=True, text=True, check=False)
    told = [line for line in (done.stdout + done.stderr).splitlines() if "connector" in line]
    assert told == []


def test_what_became_a_struct_is_one_and_is_changed_as_the_page_says() -> None:
    page = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
    (named,) = re.findall(r"^(`Entry`.*?) became\s", page, re.M | re.S)
    kinds = [getattr(adapter_contract, name) for name in re.findall(r"`(\w+)`", named)]
    assert len(kinds) > 5
    assert all(issubclass(kind, msgspec.Struct) for kind in kinds)
    entry = adapter_contract.Entry(Observable(ObservableType.IPV4_ADDR, "203.0.113.7"))
    changed = msgspec.structs.replace(entry, fields={"note": "seen"})
    assert msgspec.structs.asdict(changed)["fields"] == {"note": "seen"}
    with pytest.raises(TypeError):
        dataclasses.replace(entry, fields={})  # type: ignore[type-var]
