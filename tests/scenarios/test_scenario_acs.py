"""ACS 3.0 markings through the main job, as AIS sends them (feed.md section 2.3)."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from connector.config.loading import load
from connector.registry import Registry
from connector.reports.explain import explain_value
from connector.service.build import build
from connector.service.location import state_file
from connector.service.once import RunResult, run_once
from connector.service.service import Service
from connector.service.state import open_store

ACS = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce"
GREEN = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
CONFIG = """
version: 1
feeds:
  ais: {type: bundle, path: bundles, unmarked_tlp: green}
organisation: {nationality: USA, codes: [USA.VA], entity: GOV}
allowlist: {builtin: {except: [documentation]}}
lists:
  own: {audience: own}
  shared: {audience: community}
  watched: {purpose: watch}
outputs:
  own: {list: own, adapter: edl, options: {file: own.txt}}
  shared: {list: shared, adapter: edl, options: {file: shared.txt}}
  watched: {list: watched, adapter: edl, options: {file: watched.txt}}
"""


def acs(number: int, action: str = "CISAUSES", classification: str = "U") -> dict[str, Any]:
    """Return a marking that permits one action to everybody."""
    everybody = {name: ["ALL"] for name in ("permitted_nationalities", "permitted_organizations")}
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": f"marking-definition--{number:08d}-0000-4000-8000-000000000000",
        "created": "2026-01-05T00:00:00.000Z",
        "extensions": {
            ACS: {
                "extension_type": "property-extension",
                "identifier": f"isa:guide.19001.ACS3-{number:08d}-0000-4000-8000-000000000001",
                "create_date_time": "2026-01-05T00:00:00Z",
                "responsible_entity_custodian": "USA.DHS.US-CERT",
                "policy_reference": "urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=deny",
                "access_privilege": [
                    {
                        "privilege_action": action,
                        "rule_effect": "permit",
                        "privilege_scope": everybody,
                    }
                ],
                "control_set": {"classification": classification},
            }
        },
    }


def indicator(number: int, *markings: str) -> dict[str, Any]:
    """Return an indicator of one address that bears these markings."""
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{number:08d}-0000-4000-8000-000000000000",
        "created": "2026-01-06T00:00:00.000Z",
        "modified": "2026-01-06T00:00:00.000Z",
        "valid_from": "2026-01-06T00:00:00Z",
        "pattern": f"[ipv4-addr:value = '192.0.2.{number}']",
        "pattern_type": "stix",
        "object_marking_refs": list(markings),
    }


class Site:
    """A folder with bundles, a configuration, and lists that are published."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bundles").mkdir()
        self.config = folder / "config.yaml"
        self.config.write_text(CONFIG)

    def receive(self, name: str, *objects: dict[str, Any]) -> RunResult:
        """Put a bundle into the feed and run one pass."""
        bundle = {"type": "bundle", "id": f"bundle--{name}", "objects": list(objects)}
        (self.folder / "bundles" / f"{name}.json").write_text(json.dumps(bundle))
        service = self.service()
        outcome = run_once(service, lambda _what, _done, _all: None)
        service.store.close()
        return outcome

    def service(self) -> Service:
        """Return the service on its state."""
        loaded = load(self.config, Registry.installed())
        return build(loaded, Registry.installed(), open_store(loaded))

    def published(self, name: str) -> list[str]:
        """Return what a list file holds."""
        return (self.folder / "published" / f"{name}.txt").read_text().split()

    def holds(self, text: str) -> bool:
        """Return whether any file of the state or of the lists holds a text."""
        files = [*self.folder.glob("state/*"), *self.folder.glob("published/*")]
        return any(text.encode() in file.read_bytes() for file in files)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An empty site."""
    return Site(tmp_path)


def test_what_permits_defence_blocks_for_ourselves_and_is_handed_to_nobody(site: Site) -> None:
    marking = acs(1)
    site.receive("a", marking, indicator(1, marking["id"], GREEN))
    assert site.published("own") == ["192.0.2.1"]
    assert site.published("shared") == []


def test_explain_says_which_marking_withheld_what_from_where(site: Site) -> None:
    marking = acs(1)
    site.receive("a", marking, indicator(1, marking["id"], GREEN))
    service = site.service()
    (observable,) = explain_value(service.decider, "192.0.2.1")["observables"]
    service.store.close()
    outcome = {output["name"]: output for output in observable["outputs"]}["shared"]
    assert outcome["reason"] == "withheld"
    assert marking["id"] in outcome["detail"]


def test_what_may_only_be_displayed_is_watched_and_not_blocked(site: Site) -> None:
    marking = acs(1, action="DSPLY")
    site.receive("a", marking, indicator(1, marking["id"], GREEN))
    assert site.published("own") == []
    assert site.published("watched") == ["192.0.2.1"]


def test_a_marking_that_is_not_at_hand_restricts_until_it_comes(site: Site) -> None:
    marking = acs(1)
    site.receive("a", indicator(1, marking["id"], GREEN))
    assert site.published("own") == []
    site.receive("b", marking)
    assert site.published("own") == ["192.0.2.1"]


def test_nothing_classified_is_stored_and_an_alarm_is_raised(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    marking = acs(1, classification="S")
    outcome = site.receive("a", marking, indicator(77, marking["id"]), indicator(2, GREEN))
    assert list(outcome.polled["ais"].spilled) == [marking["id"]]
    assert site.published("own") == ["192.0.2.2"]
    assert not site.holds("192.0.2.77")
    told = capsys.readouterr()
    assert "feed.spill" in told.out + told.err
    assert "192.0.2.77" not in told.out + told.err


def test_a_classification_that_comes_late_takes_the_object_out_again(site: Site) -> None:
    marking = acs(1, classification="TS")
    rat = {
        "type": "malware", "spec_version": "2.1", "name": "Hidden Rat", "is_family": False,
        "id": "malware--00000001-0000-4000-8000-000000000000",
        "created": "2026-01-06T00:00:00.000Z", "modified": "2026-01-06T00:00:00.000Z",
        "object_marking_refs": [marking["id"]],
    }  # fmt: skip
    site.receive("a", indicator(77, marking["id"], GREEN), indicator(2, GREEN), rat)
    assert site.holds("Hidden Rat")
    site.receive("b", marking)
    loaded = load(site.config, Registry.installed())
    state = state_file(loaded)
    assert state is not None
    held = sqlite3.connect(state)
    assert held.execute("SELECT count(*) FROM objects").fetchone() == (1,)
    assert held.execute("SELECT count(packed) FROM objects").fetchone() == (1,)
    found = held.execute("SELECT value FROM observables ORDER BY number").fetchall()
    assert found == [("",), ("192.0.2.2",)]
    assert held.execute("SELECT count(*) FROM nodes WHERE body LIKE '%Hidden%'").fetchone() == (0,)
    held.close()
    assert not site.holds("Hidden Rat")
    assert site.published("own") == ["192.0.2.2"]


def test_a_second_definition_of_a_marking_loosens_nothing(site: Site) -> None:
    marking = acs(1, action="DSPLY")
    looser = {**acs(1), "created": "2026-01-06T00:00:00.000Z"}
    site.receive("a", marking, indicator(1, marking["id"], GREEN), indicator(2, GREEN))
    assert site.published("watched") == ["192.0.2.1", "192.0.2.2"]
    site.receive("b", looser)
    assert site.published("own") == ["192.0.2.2"]
    assert site.published("watched") == ["192.0.2.2"]
    service = site.service()
    (observable,) = explain_value(service.decider, "192.0.2.1")["observables"]
    service.store.close()
    assert "two definitions of it contradict each other" in observable["outputs"][0]["detail"]


def test_a_statement_in_the_place_of_a_marking_that_is_awaited_frees_nothing(site: Site) -> None:
    marking = acs(1, action="DSPLY")
    statement = {
        "type": "marking-definition", "spec_version": "2.1", "id": marking["id"],
        "created": "2026-01-01T00:00:00.000Z", "definition_type": "statement",
        "definition": {"statement": "free for all"},
    }  # fmt: skip
    site.receive("a", statement)
    site.receive("b", marking, indicator(1, marking["id"], GREEN), indicator(2, GREEN))
    assert site.published("own") == ["192.0.2.2"]
    assert site.published("watched") == ["192.0.2.1", "192.0.2.2"]
