"""The example of docs/writing-a-feed.md: thirty lines that keep every promise of a feed."""

import ast
import json
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent / "examples" / "connector_lines"
sys.path.insert(0, str(EXAMPLE))

from connector_lines import LinesFeed  # noqa: E402 - it is not installed
from test_lines import TestLines  # noqa: E402 - the same

from connector.config.loading import load  # noqa: E402
from connector.registry import Registry  # noqa: E402
from connector.reports.look import look_of  # noqa: E402
from connector.reports.status import status  # noqa: E402
from connector.service.build import build  # noqa: E402
from connector.service.once import run_once  # noqa: E402
from connector.service.state import open_store  # noqa: E402
from connector.testing.feed_suite import sample_objects  # noqa: E402

__all__ = ["TestLines"]

CONFIG = """\
version: 1
feeds:
  ours: {type: lines, path: objects.jsonl, unmarked_tlp: clear, default_confidence: 50}
allowlist: {builtin: {except: [documentation]}}
lists:
  names: {select: {types: [domain-name]}}
outputs:
  edge: {list: names, adapter: edl, options: {file: names.txt}}
"""


def test_is_under_forty_lines_without_its_imports():
    source = (EXAMPLE / "connector_lines.py").read_text(encoding="utf-8")
    first = next(node.lineno for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    assert len(source.splitlines()) - first < 40


def test_imports_nothing_of_the_core_but_its_contract():
    source = (EXAMPLE / "connector_lines.py").read_text(encoding="utf-8")
    imported = {
        node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)
    }
    assert {name for name in imported if name.startswith("connector")} == {"connector.feed"}


def test_is_configured_and_read_like_any_other(tmp_path):
    objects = tmp_path / "objects.jsonl"
    objects.write_text("".join(json.dumps(item) + "\n" for item in sample_objects(3)), "utf-8")
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    registry = Registry({"edl": Registry.installed().adapter("edl")}, {"lines": LinesFeed})
    loaded = load(path, registry)
    store = open_store(loaded)
    service = build(loaded, registry, store)
    try:
        assert not run_once(service, lambda _what, _done, _all: None).failures
        assert [feed["state"] for feed in status(look_of(service))["feeds"]] == ["ok"]
    finally:
        service.close()
        store.close()
    published = (tmp_path / "published" / "names.txt").read_text("utf-8").splitlines()
    assert published == ["host-0.example", "host-1.example", "host-2.example"]
