"""The guide to outputs, followed word by word, and the recipes, each from code that is tested."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from test_docs import ROOT, blocks

from connector.adapter import ObservableType, observable_of
from connector.testing.http_target import HttpTarget, Reply, page_of, route

GUIDE = ROOT / "docs" / "writing-an-output.md"
RECIPES = ROOT / "docs" / "recipes-outputs.md"
SOURCES = [*ROOT.glob("examples/*/*.py"), *ROOT.glob("tests/sync/*.py"),
           *ROOT.glob("tests/testing/*.py")]  # fmt: skip
IMPORTS = """
from collections.abc import Iterable
import pytest
from connector.adapter import *
from connector.testing.adapter_suite import AdapterSuite
"""


def console() -> Iterator[tuple[list[str], list[str]]]:
    """Yield each call of the program in the guide, with the lines that it is said to print."""
    for block in blocks(GUIDE, "console"):
        call, *printed = block.splitlines()
        yield call.removeprefix("$ connector ").split(), printed


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    package = folder / "connector_my_edge"
    environment = {**os.environ, "PYTHONPATH": str(package)}
    return subprocess.run(
        (sys.executable, *words), cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def install(package: Path) -> None:
    """Do what `pip install -e` does, without a network."""
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    info = package / "connector_my_edge-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: connector-my-edge\nVersion: 0.1\n")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))


def test_its_commands_print_what_it_says(tmp_path: Path) -> None:
    (new, files), (test, verdict) = console()
    made = run(tmp_path, "-m", "connector", *new)
    assert made.stdout.splitlines()[: len(files)] == files
    assert all((tmp_path / file).is_file() for file in files)
    install(tmp_path / "connector_my_edge")
    tested = run(tmp_path, "-m", "connector", *test)
    assert tested.stdout.splitlines()[: len(verdict)] == verdict
    assert tested.returncode == 0


def test_its_adapter_and_its_tests_of_it_run_as_they_stand(tmp_path: Path) -> None:
    adapter, tests, *_others = blocks(GUIDE, "python")
    assert "class TestPlainList" in tests
    (tmp_path / "test_guide.py").write_text(IMPORTS + adapter + "\n\n" + tests)
    ran = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_guide.py")
    assert ran.returncode == 0, ran.stdout
    assert "failed" not in ran.stdout


def test_its_emulator_answers() -> None:
    (block,) = [one for one in blocks(GUIDE, "python") if "HttpTarget" in one]
    known = {"HttpTarget": HttpTarget, "Reply": Reply, "page_of": page_of, "route": route}
    exec(compile(block, str(GUIDE), "exec"), known)  # noqa: S102 - our own page
    made: type[HttpTarget] = known["EdgeApi"]
    with made() as target, requests.Session() as client:
        client.put(f"{target.url}/names/bad.example", timeout=10)
        answer = client.get(f"{target.url}/names", timeout=10).json()
    assert answer == {"names": ["bad.example"], "next": ""}


def test_its_table_of_values_has_every_type_in_canonical_form() -> None:
    section = GUIDE.read_text("utf-8").partition("| type | form | longest |")[2]
    rows = [line for line in section.partition("\n\n")[0].splitlines() if line.startswith("| `")]
    named: list[str] = []
    for row in rows:
        _, kinds, form, _longest, _ = row.split("|")
        named += re.findall(r"`([^`]+)`", kinds)
        for value in re.findall(r"`([^`]+)`", form):
            if value != "observable.below":
                found = [observable_of(ObservableType(kind), value)
                         for kind in re.findall(r"`([^`]+)`", kinds)]  # fmt: skip
                assert any(one is not None and one.value == value for one in found), value
    assert sorted(named) == sorted(ObservableType)


def statements(text: str) -> Iterator[str]:
    """Yield each function and each statement of a class, whatever its layout."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            yield ast.unparse(node)
        elif isinstance(node, ast.ClassDef):
            yield from map(ast.unparse, node.body)


@pytest.mark.parametrize("number", range(len(blocks(RECIPES, "python"))))
def test_each_recipe_is_code_that_is_tested(number: int) -> None:
    tested = {one for source in SOURCES for one in statements(source.read_text("utf-8"))}
    shown = list(statements(blocks(RECIPES, "python")[number]))
    assert shown
    assert [one for one in shown if one not in tested] == []
