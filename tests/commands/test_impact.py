"""`connector check --impact`: what a changed file would change, before it is loaded."""

import json
from pathlib import Path

import pytest

from connector.commands.impact import impact
from connector.config.loading import load
from connector.registry import Registry
from connector.service.build import build
from connector.service.location import state_file
from connector.service.once import run_once
from connector.service.state import open_store

CONFIG = """
version: 1
feeds: {{files: {{type: bundle, path: bundles, unmarked_tlp: green}}}}
allowlist: {{builtin: {{except: [documentation]}}}}
lists: {{perimeter: {{select: {{min_confidence: {confidence}}}}}}}
outputs: {{edge: {{list: perimeter, adapter: edl, options: {{file: list.txt}}}}}}
"""


def indicator(number: int, confidence: int) -> dict[str, object]:
    """Return an indicator of one address."""
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--00000000-0000-4000-8000-{number:012d}",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "valid_from": "2026-01-01T00:00:00Z",
        "pattern": f"[ipv4-addr:value = '192.0.2.{number}']",
        "pattern_type": "stix",
        "confidence": confidence,
    }


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A configuration whose list holds four addresses, written once."""
    (tmp_path / "bundles").mkdir()
    objects = [indicator(number, 20 * number) for number in range(1, 5)]
    bundle = {"type": "bundle", "id": "bundle--1", "objects": objects}
    (tmp_path / "bundles" / "a.json").write_text(json.dumps(bundle))
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(confidence=20))
    loaded = load(config, Registry.installed())
    store = open_store(loaded)
    run_once(build(loaded, Registry.installed(), store), lambda _what, _done, _all: None)
    store.close()
    return config


def test_an_unchanged_file_changes_nothing(site: Path) -> None:
    (plan,) = impact(load(site, Registry.installed()), Registry.installed())["plans"]
    assert (plan["add"], plan["update"], plan["remove"]) == ([], [], [])
    assert plan["unchanged"] == 4


def test_a_stricter_file_shows_what_would_go_and_why_and_changes_no_state(site: Path) -> None:
    site.write_text(CONFIG.format(confidence=50))
    loaded = load(site, Registry.installed())
    state = state_file(loaded)
    assert state is not None
    before = state.read_bytes()
    (plan,) = impact(loaded, Registry.installed())["plans"]
    gone = [(entry["value"], entry["reason"]) for entry in plan["remove"]]
    assert gone == [("192.0.2.1", "deselected"), ("192.0.2.2", "deselected")]
    assert state.read_bytes() == before
    assert (site.parent / "published" / "list.txt").read_text().count("\n") == 4


def test_a_file_that_would_empty_a_list_shows_the_limit_that_holds_it(site: Path) -> None:
    site.write_text(CONFIG.format(confidence=100))
    (plan,) = impact(load(site, Registry.installed()), Registry.installed())["plans"]
    assert plan["broken_limits"] == ["would remove all 4 entries (4 deselected)"]


def test_without_a_state_there_is_nothing_to_compare(site: Path) -> None:
    loaded = load(site, Registry.installed())
    state = state_file(loaded)
    assert state is not None
    state.unlink()
    (plan,) = impact(loaded, Registry.installed())["plans"]
    assert (plan["add"], plan["remove"]) == ([], [])
    assert not state.exists()
