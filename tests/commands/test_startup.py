"""What a command imports: those that only look start in a moment, by importing what they use."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from connector.commands.app import COMMANDS, app

CONFIG = """\
version: 1
feeds:
  files: {type: bundle, path: .}
  ais: {type: taxii, url: "https://taxii.example.gov/taxii2/", unmarked_tlp: amber}
lists:
  perimeter: {}
outputs:
  edge: {list: perimeter, adapter: edl, options: {file: perimeter.txt}}
"""
PROGRAM = """\
import sys
from connector.commands.app import main
try:
    main()
finally:
    sys.stdout.write("\\nimported: " + " ".join(sys.modules))
"""
# Who runs, serves or fetches needs these.
RUNNING = {"asyncio", "connector.daemon", "prometheus_client", "starlette", "uvicorn"}
FETCHING = {"connector.http.client", "requests", "splunklib", "stix2", "taxii2client", "urllib3"}
# A state that others made is looked at without what makes its tables, runs it or fetches for it.
IMPORTED_TO_RUN = {"alembic", "lmdb", "sqlalchemy", "structlog", "yara"}
LOOKING = (RUNNING | FETCHING | IMPORTED_TO_RUN) - {"asyncio"}
# What a feed asks its server with, `check` makes once: only then it shows whether options work.
HEAVY = {
    "check": (LOOKING - FETCHING) | {"connector.service", "connector.store", "connector.sync"},
    "--help": RUNNING | FETCHING | {
        "alembic", "connector.config", "connector.registry", "connector.store", "msgspec",
        "pydantic", "sqlalchemy", "structlog", "yaml", "zstandard",
    },
}  # fmt: skip


# `status` reads counts and names: it decides, plans and protects nothing.
DECIDING = {
    "connector.decisions.allowlist.values", "connector.decisions.decide",
    "connector.decisions.plan", "connector.store.feeds.claims", "connector.store.outputs.holds",
    "connector.store.outputs.outputs", "rich._emoji_codes",
}  # fmt: skip
MOST_OF_OUR_OWN = {"status": 110, "explain 192.0.2.1": 192}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def imported(folder: Path, *words: str) -> set[str]:
    """Return the modules that a command imports."""
    command = [sys.executable, "-c", PROGRAM, *words]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in ran.stderr, ran.stderr
    return set(ran.stdout.rpartition("imported: ")[2].split())


@pytest.mark.parametrize("words", HEAVY)
def test_a_command_that_looks_imports_only_what_it_uses(folder: Path, words: str) -> None:
    assert imported(folder, *words.split()) & HEAVY[words] == set()


def test_a_state_that_is_up_to_date_is_read_without_what_makes_or_changes_it(
    folder: Path,
) -> None:
    files_alone = CONFIG.replace("  ais: ", "  # ais: ")  # a run would ask the server
    (folder / "config.yaml").write_text(files_alone)
    imported(folder, "run", "--once")
    (folder / "config.yaml").write_text(CONFIG)
    assert imported(folder, "status") & (LOOKING | DECIDING) == set()
    assert imported(folder, "explain", "192.0.2.1") & LOOKING == set()


@pytest.mark.parametrize("words", MOST_OF_OUR_OWN)
def test_a_look_imports_few_of_our_own_modules(folder: Path, words: str) -> None:
    (folder / "config.yaml").write_text(CONFIG.replace("  ais: ", "  # ais: "))
    own = {name for name in imported(folder, *words.split()) if name.startswith("connector.")}
    assert len(own) <= MOST_OF_OUR_OWN[words], "each costs as much as reading a page"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_all_commands_says_of_each_what_its_own_begins_with(name: str) -> None:
    own = typer.main.get_command(app).commands[name].help  # type: ignore[attr-defined] # a group
    assert re.split(r"\n\n", own)[0] == COMMANDS[name]
    assert len(COMMANDS[name]) <= 55, "80 columns would cut it"
