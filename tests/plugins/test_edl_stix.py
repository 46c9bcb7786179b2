"""Published bundles read back: what stands in them, by marks."""

import json
from pathlib import Path
from typing import Any

from connector_edl.stix import originals_in

from connector.adapter import Original

UUID = "00000000-0000-4000-8000-{:012x}"


def test_a_bundle_with_many_texts_of_many_markings_is_read_at_once(tmp_path: Path) -> None:
    refs = [f"marking-definition--{UUID.format(number)}" for number in range(40)]
    said: dict[str, Any] = {"type": "indicator", "id": f"indicator--{UUID.format(0)}"}
    indicator = {**said, "modified": "2026-01-01T00:00:00Z", "object_marking_refs": refs}
    texts = [{"id": ref, "name": name} for name in ("one", "other") for ref in refs]
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps({"objects": [*texts, indicator]}), encoding="utf-8")
    beside = tuple(Original(one["id"], json.dumps(one).encode()) for one in texts[:40])
    sent = Original(said["id"], json.dumps(indicator).encode(), beside=beside)
    assert originals_in(path)[sent.mark].beside == beside
