"""`connector map try`: what an output gets of a sample, and what is left out and why."""

import json
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from typer.testing import CliRunner

from connector.commands.app import app

CONFIG = """
version: 1
feeds:
  files: {type: bundle, path: bundles, unmarked_tlp: green}
  isac: {type: taxii, url: "https://isac.example/taxii2/", unmarked_tlp: green}
allowlist: {builtin: {except: [documentation]}}
lists:
  perimeter: {select: {feeds: [isac], min_confidence: 50}}
outputs:
  edge:
    list: perimeter
    adapter: edl
    mapping: {comment: {template: "{indicator.name} {context.country}"}}
    options: {file: list.txt, format: panos, comments: true, types: [ipv4-addr]}
"""


def indicator(pattern: str, **more: object) -> dict[str, object]:
    return {
        "type": "indicator", "spec_version": "2.1", "pattern": pattern, "pattern_type": "stix",
        "id": f"indicator--00000000-0000-4000-8000-{crc32(pattern.encode()):012d}",
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2099-01-01T00:00:00Z",
        "confidence": 80, "name": "a scanner", **more,
    }  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "bundles").mkdir()
    return tmp_path


def tried(site: Path, sample: object, *words: str) -> tuple[int, str]:
    file = site / "sample.json"
    file.write_text(json.dumps(sample), encoding="utf-8")
    call = ["map", "try", "edge", "--indicator", str(file), "-c", str(site / "config.yaml")]
    ran = CliRunner().invoke(app, [*call, *words])
    return ran.exit_code, ran.stdout


def answer(site: Path, sample: object, *words: str) -> tuple[int, dict[str, Any]]:
    code, told = tried(site, sample, "--json", *words)
    return code, json.loads(told)


def test_a_sample_shows_the_fields_that_the_target_gets(site: Path) -> None:
    code, told = answer(site, indicator("[ipv4-addr:value = '192.0.2.7']"))
    assert code == 0
    (one,) = told["observables"]
    assert (one["value"], one["reason"], one["fields"]) == (
        "192.0.2.7", "pending", {"comment": "a scanner "},
    )  # fmt: skip
    assert told["feed"] == "isac"


def test_what_is_left_out_says_why(site: Path) -> None:
    bundle = {
        "type": "bundle",
        "id": "bundle--1",
        "objects": [
            indicator("[domain-name:value = 'bad.example']"),
            indicator("[ipv4-addr:value = '192.0.2.8']", confidence=10),
            indicator("[ipv4-addr:value = '192.0.2.9']", valid_until="2026-01-02T00:00:00Z"),
            indicator("[ipv4-addr:value = '192.0.2.10' AND url:value = 'http://bad.example/']"),
            indicator("rule x", pattern_type="yara"),
        ],
    }
    code, told = answer(site, bundle)
    reasons = {one["value"][:19]: one["reason"] for one in told["observables"]}
    assert reasons == {
        "bad.example": "unsupported_type",
        "192.0.2.8": "deselected",
        "192.0.2.9": "expired",
        "192.0.2.10": "not_enforceable",
        "http://bad.example/": "not_enforceable",
        "indicator--00000000": "unsupported_pattern",
    }
    assert code == 1


def test_a_text_that_is_cut_is_marked(site: Path) -> None:
    _code, told = answer(site, indicator("[ipv4-addr:value = '192.0.2.7']", name="long " * 90))
    (one,) = told["observables"]
    assert len(one["fields"]["comment"]) <= 255
    code, text = tried(site, indicator("[ipv4-addr:value = '192.0.2.7']"))
    assert code == 0
    assert "192[.]0[.]2[.]7" in text
    assert "a scanner" in text


def test_nothing_is_written_and_no_state_is_made(site: Path) -> None:
    tried(site, indicator("[ipv4-addr:value = '192.0.2.7']"))
    assert sorted(path.name for path in site.iterdir()) == ["bundles", "config.yaml", "sample.json"]


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--feed", "isca"), "isca is not a feed of this file (isac, files)")],
)
def test_a_name_that_is_not_in_the_file_is_told(site: Path, words: tuple[str], said: str) -> None:
    file = site / "sample.json"
    file.write_text("{}", encoding="utf-8")
    call = ["map", "try", "edge", "--indicator", str(file), "-c", str(site / "config.yaml")]
    ran = CliRunner().invoke(app, [*call, *words])
    assert said in str(ran.exception)
