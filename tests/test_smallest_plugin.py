"""The example of docs/writing-an-output.md: thirty lines that keep every promise of an adapter."""

import ast
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "connector_plainlist"
sys.path.insert(0, str(EXAMPLE))

from connector_plainlist import PlainListAdapter  # noqa: E402 - it is not installed
from test_plainlist import TestPlainList  # noqa: E402 - the same

from connector.adapter import Entry, Observable, ObservableType  # noqa: E402
from connector.config.loading import load  # noqa: E402
from connector.registry import Registry  # noqa: E402

__all__ = ["TestPlainList"]

CONFIG = """\
version: 1
feeds:
  bulletins: {type: bundle, path: bulletins/}
lists:
  perimeter: {select: {types: [ipv4-addr]}}
outputs:
  edge: {list: perimeter, adapter: plainlist, options: {file: block.txt}}
"""


@pytest.fixture
def registry():
    feed = Registry.installed().feed("bundle")
    return Registry({"plainlist": PlainListAdapter}, {"bundle": feed})


def test_is_under_thirty_lines_without_its_imports():
    source = (EXAMPLE / "connector_plainlist.py").read_text(encoding="utf-8")
    first = next(node.lineno for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    assert len(source.splitlines()) - first < 30


def test_imports_nothing_of_the_core_but_its_contract():
    source = (EXAMPLE / "connector_plainlist.py").read_text(encoding="utf-8")
    imported = {
        node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)
    }
    assert {name for name in imported if name.startswith("connector")} == {"connector.adapter"}


def test_is_configured_and_published_like_any_other(tmp_path, registry):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    loaded = load(path, registry)
    adapter = registry.make_adapter("plainlist", loaded.outputs["edge"], "edge", tmp_path)
    adapter.publish([Entry(Observable(ObservableType.IPV4_ADDR, "192.0.2.7"))])
    assert (tmp_path / "block.txt").read_text(encoding="utf-8") == "192.0.2.7\n"
    assert [entry.value for entry in adapter.read()] == ["192.0.2.7"]
