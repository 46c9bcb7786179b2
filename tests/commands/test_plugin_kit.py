"""`connector plugins new` and `test`: a package that is green, a target that is left as it was."""

import json
import os
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

NAME = "my_edge"
CONFIG = """
version: 1
feeds: {files: {type: bundle, path: bundles}}
lists: {perimeter: {select: {types: [ipv4-addr, domain-name]}}}
outputs: {edge: {list: perimeter, adapter: my_edge, options: {%s}}}
"""


def connector(folder: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program where a plugin of that folder is installed."""
    return subprocess.run(
        (sys.executable, "-m", "connector", "plugins", *words),
        env={**os.environ, "PYTHONPATH": str(folder)}, cwd=folder, input=given,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def made(below: Path, kind: str) -> Path:
    """Make a plugin, and install it where it stands, as `pip install -e` does."""
    ran = connector(below, "new", NAME, "--kind", kind)
    assert ran.returncode == 0, ran.stderr
    folder = below / f"connector_{NAME}"
    groups = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"][
        "entry-points"
    ]
    info = folder / f"connector_{NAME}-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: connector-{NAME}\nVersion: 0.1\n")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in groups.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize("kind", ["list", "entry", "staged", "http"])
def test_a_new_plugin_keeps_every_promise_as_it_is_made(kind: str, tmp_path: Path) -> None:
    folder = made(tmp_path, kind)
    ran = connector(folder, "test", NAME, "--json")
    verdict = json.loads(ran.stdout)
    assert [one for one in verdict["promises"] if one["outcome"] != "kept"] == []
    assert verdict["kept"]
    assert ran.returncode == 0
    assert "10000 entries: written in" in verdict["speed"][0]
    (found,) = [
        plugin
        for plugin in json.loads(connector(folder, "list", "--json").stdout)["plugins"]
        if plugin["name"] == NAME
    ]
    assert (found["origin"], found["error"]) == (f"connector-{NAME} 0.1", None)


def test_its_own_tests_are_found_by_pytest_and_its_files_are_in_good_form(tmp_path: Path) -> None:
    folder = made(tmp_path, "list")
    tests = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder))
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    ran = subprocess.run(tests, env=environment, cwd=folder, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stdout
    for kind in ("entry", "staged", "http"):
        below = tmp_path / kind
        below.mkdir()
        made(below, kind)
    rules = Path(__file__).parents[2] / "pyproject.toml"
    for check in (("check", "--ignore", "S105"), ("format", "--check")):
        words = (sys.executable, "-m", "ruff", *check, "--config", str(rules), str(tmp_path))
        ran = subprocess.run(words, capture_output=True, check=False)
        assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("edl", "edl is the name of an installed adapter"),
        ("My-Edge", "a name has lower-case letters"),
    ],
)
def test_a_name_that_would_not_do_is_told(name: str, words: str, tmp_path: Path) -> None:
    ran = connector(tmp_path, "new", name)
    assert ran.returncode == 1
    assert words in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_broken_promise_is_named_with_its_words(tmp_path: Path) -> None:
    folder = made(tmp_path, "list")
    source = folder / f"connector_{NAME}.py"
    source.write_text(
        source.read_text("utf-8").replace('f"{entry.value}\\n"', 'f"{entry.value}9\\n"')
    )
    ran = connector(folder, "test", NAME)
    assert ran.returncode == 1
    assert "BROKEN: read gives back what was written\n    read() should give back" in ran.stdout


def values(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as opened:
        return [value for (value,) in opened.execute("SELECT value FROM blocked ORDER BY value")]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A plugin with an output at a real database, in which somebody else has an entry."""
    folder = made(tmp_path, "entry")
    (folder / "config.yaml").write_text(CONFIG % "database: target.db")
    with closing(sqlite3.connect(folder / "target.db")) as opened, opened:
        opened.execute(
            "CREATE TABLE blocked (type TEXT, value TEXT, note TEXT, UNIQUE(type, value))"
        )
        opened.execute("INSERT INTO blocked VALUES ('ipv4-addr', '203.0.113.99', 'by hand')")
    return folder


AT = ("test", NAME, "--config", "config.yaml", "--output", "edge", "--rows", "50")


def test_a_users_own_target_is_tested_and_left_as_it_was(target: Path) -> None:
    ran = connector(target, *AT, "--yes")
    assert ran.returncode == 0, ran.stdout
    assert "Writes up to" in ran.stderr
    assert "and removes them again" in ran.stderr
    assert values(target / "target.db") == ["203.0.113.99"]


def test_nothing_is_written_without_a_yes(target: Path) -> None:
    ran = connector(target, *AT, given="n\n")
    assert ran.returncode == 1
    assert "nothing was written" in ran.stderr
    assert values(target / "target.db") == ["203.0.113.99"]


def test_a_script_that_reads_json_has_to_say_yes_as_well(target: Path) -> None:
    ran = connector(target, *AT, "--json")
    assert ran.returncode == 1
    assert values(target / "target.db") == ["203.0.113.99"]
    verdict = json.loads(connector(target, *AT, "--json", "--yes").stdout)
    assert verdict["kept"]


def test_an_interrupted_run_cleans_up_after_itself(target: Path) -> None:
    source = target / f"connector_{NAME}.py"
    text = source.read_text("utf-8")
    interrupts = (
        "        if len(rows) > 40:\n"
        "            import os, signal\n"
        "            os.kill(os.getpid(), signal.SIGTERM)\n"
        "        return ALL_WRITTEN\n\n    def remove"
    )
    source.write_text(text.replace("        return ALL_WRITTEN\n\n    def remove", interrupts))
    ran = connector(target, *AT, "--yes")
    assert ran.returncode == 1
    assert "It was interrupted, and has cleaned up." in ran.stdout
    assert values(target / "target.db") == ["203.0.113.99"]


def test_what_is_there_already_is_never_taken_for_ours(target: Path) -> None:
    with closing(sqlite3.connect(target / "target.db")) as opened, opened:
        opened.execute("INSERT INTO blocked VALUES ('domain-name', 'bad.example', 'theirs')")
    ran = connector(target, *AT, "--yes")
    assert ran.returncode == 1
    assert "edge has 'bad.example', which the promises would remove" in ran.stderr
    assert values(target / "target.db") == ["203.0.113.99", "bad.example"]


def test_a_list_in_use_is_never_replaced_and_its_adapter_is_closed(tmp_path: Path) -> None:
    folder = made(tmp_path, "list")
    source = folder / f"connector_{NAME}.py"
    source.write_text(
        source.read_text("utf-8").replace(
            "    def read(self)",
            '    def close(self):\n        print("closed")\n\n    def read(self)',
        )
    )
    (folder / "config.yaml").write_text(CONFIG % "file: list.txt")
    (folder / "list.txt").write_text("203.0.113.99\n")
    ran = connector(folder, *AT, "--yes")
    assert ran.returncode == 1
    assert "give the output a place of its own" in ran.stderr
    assert "closed" in ran.stdout
    assert (folder / "list.txt").read_text() == "203.0.113.99\n"
    (folder / "list.txt").write_text("")
    assert connector(folder, *AT, "--yes").returncode == 0
    assert (folder / "list.txt").read_text() == ""
