"""A MISP feed through whole cycles: what leaves an event, or the manifest, leaves the target."""

import json
from pathlib import Path
from typing import Any

import pytest
from connector_misp import MispFeed
from scenario_site import QuickRegistry, Site

from connector.feeds.bundle import BundleFeed

FIRST, SECOND = (f"5f9d7a10-0000-4000-8000-00000000000{n}" for n in (1, 2))


def event(folder: Path, uuid: str, values: dict[int, str], at: int, **given: Any) -> None:
    """Write an event of addresses by number, and a manifest beside the entries that are there."""
    folder.mkdir(exist_ok=True)
    attributes = [
        {
            "uuid": f"{uuid[:-2]}{number:02x}", "type": "ip-dst", "value": value, "to_ids": True,
            "timestamp": "1772366000", **given,
        }
        for number, value in values.items()
    ]  # fmt: skip
    head = {"info": "x", "timestamp": str(at), "Tag": [{"name": "tlp:clear"}]}
    (folder / f"{uuid}.json").write_text(json.dumps({"Event": {**head, "Attribute": attributes}}))
    manifest = folder / "manifest.json"
    listed = json.loads(manifest.read_text()) if manifest.exists() else {}
    manifest.write_text(json.dumps({**listed, uuid: head}))


@pytest.fixture
def misp(site: Site) -> Path:
    """The folder of a feed with two events that share an address."""
    parts = {"firewall": site.rack.adapter}
    site.registry = QuickRegistry(parts, {"misp": MispFeed, "bundle": BundleFeed})
    site.configure(feeds={"misp": {"type": "misp", "path": "misp/"}})
    folder = site.folder / "misp"
    event(folder, FIRST, {16: "192.0.2.1", 17: "192.0.2.2"}, 1)
    event(folder, SECOND, {32: "192.0.2.2", 33: "192.0.2.3"}, 1)
    site.change()
    assert site.at() == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    return folder


def test_an_event_that_left_the_manifest_is_withdrawn(site: Site, misp: Path) -> None:
    listed = json.loads((misp / "manifest.json").read_text())
    del listed[FIRST]
    (misp / "manifest.json").write_text(json.dumps(listed))
    site.change()
    assert site.at() == ["192.0.2.2", "192.0.2.3"]
    assert site.reasons()["withdrawn"] == 2
    site.consistent()


def test_an_attribute_that_left_its_event_is_withdrawn_and_one_deleted_revoked(
    site: Site, misp: Path
) -> None:
    event(misp, FIRST, {17: "192.0.2.2"}, 2)
    event(misp, SECOND, {32: "192.0.2.2", 33: "192.0.2.3"}, 2, deleted=True)
    site.change()
    assert site.at() == ["192.0.2.2"]
    assert site.reasons() == {"wanted": 1, "withdrawn": 1, "revoked": 2}
    site.consistent()


def test_half_a_manifest_leaves_all_as_it_was(site: Site, misp: Path) -> None:
    text = (misp / "manifest.json").read_text()
    (misp / "manifest.json").write_text(text[: len(text) // 2])
    with pytest.raises(Exception, match="not a complete MISP manifest"):
        site.change()
    assert site.idle()
    assert len(site.at()) == 3


def test_editing_an_event_keeps_its_old_attributes_as_old_as_they_are(
    site: Site, misp: Path
) -> None:
    site.edit(lambda config: config["feeds"]["misp"].update(max_age="365d"))
    site.open()
    site.once()
    assert len(site.at()) == 3
    long_ago = str(int(site.clock.moment.timestamp()) - 400 * 86400)
    for edited in (2, int(site.clock.moment.timestamp())):
        event(misp, SECOND, {32: "192.0.2.2", 33: "192.0.2.3"}, edited, timestamp=long_ago)
        site.change()
    assert site.at() == ["192.0.2.1", "192.0.2.2", "192.0.2.3"], "a version counts if it is newer"
    event(misp, SECOND, {48: "192.0.2.4"}, edited + 1, timestamp=long_ago)
    site.change()
    assert site.at() == ["192.0.2.1", "192.0.2.2"]
    assert site.reasons()["expired"] == 1
    site.consistent()


def test_an_attribute_that_cannot_be_read_any_more_takes_its_older_version_off(
    site: Site, misp: Path
) -> None:
    event(misp, SECOND, {32: "192.0.2.2", 33: "no address"}, 2, timestamp="1772366001")
    site.change()
    assert site.at() == ["192.0.2.1", "192.0.2.2"]
    assert site.reasons()["unreadable"] == 1
    assert "withdrawn" not in site.reasons(), "one indicator is one claim"
    site.consistent()
    event(misp, SECOND, {32: "192.0.2.2", 33: "192.0.2.3"}, 3, timestamp="1772366002")
    site.change()
    assert site.at() == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    site.consistent()
