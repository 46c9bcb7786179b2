"""Values as feeds really write them: put right, counted, and never a wrong entry (feed.md 9)."""

from collections.abc import Callable
from typing import Any

import pytest
from scenario_site import Site, one_firewall
from stix_samples import indicator, revoked

from connector.reports.explain import explain_value
from connector.testing.taxii.server import TaxiiServer

SHA256 = "5f" * 32
MD5 = "5f" * 16
DIRTY = {
    "mismatch": f"[file:hashes.MD5 = '{SHA256}']",
    "mismatch the other way": f"[file:hashes.'SHA-256' = '{MD5}']",
    "defanged": "[domain-name:value = 'evil[.]bad[.]example']",
    "defanged URL": "[url:value = 'hxxp://evil[.]bad[.]example/a']",
    "scheme-less": "[url:value = 'files.bad.example/drop/x']",
    "address as name": "[domain-name:value = '192.0.2.77']",
    "file as name": "[domain-name:value = 'Fix-Your-Files.txt']",
    "program as name": "[domain-name:value = 'setup.exe']",
    "defanged file": "[domain-name:value = 'update[.]dat']",
}
READ = [
    "192.0.2.77", MD5, SHA256, "evil.bad.example", "files.bad.example/drop/x",
    "http://evil.bad.example/a",
]  # fmt: skip
TYPES = ["ipv4-addr", "domain-name", "url", "file-md5", "file-sha256", "file-name"]
NOTES = {"refanged": 2, "retyped": 1, "hash_name_mismatch": 2, "schemeless": 1}


def test_dirty_values_are_counted_and_make_no_wrong_entry(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[..., dict[str, Any]]
) -> None:
    configured = one_firewall()
    configured["outputs"]["edge"]["options"]["types"] = TYPES
    site.configure(feeds={"ais": taxii_feed()}, **configured)
    objects = [indicator(name, pattern=pattern) for name, pattern in DIRTY.items()]
    taxii.add_objects(objects)
    site.once()
    assert site.at() == sorted(READ)
    types = {found.value: found.type.value for found in site.rack["edge"].entries()}
    assert (types[SHA256], types[MD5]) == ("file-sha256", "file-md5")
    assert types["192.0.2.77"] == "ipv4-addr"
    assert types["files.bad.example/drop/x"] == "url"
    assert site.reasons() == {"wanted": 6, "unreadable": 3}
    assert site.feed("ais")["notes"] == NOTES
    told = site.metrics()
    for note, count in NOTES.items():
        assert f'connector_feed_notes_total{{feed="ais",note="{note}"}} {count}.0' in told
    assert 'connector_list_claims{list="perimeter",reason="unreadable"} 3.0' in told
    (claim,) = explain_value(site.service.decider, objects[6]["id"])["unread"]
    assert "there is no top-level domain 'txt'" in claim["why"]
    site.consistent()


def test_what_was_put_right_is_counted_once_however_often_it_is_read(site: Site) -> None:
    site.configure()
    objects = [indicator(name, pattern=pattern) for name, pattern in DIRTY.items()]
    site.write("one.json", objects)
    site.once()
    assert site.feed()["notes"] == NOTES
    site.write("two.json", objects[::-1])
    site.once()
    site.open()
    site.once()
    assert site.feed()["notes"] == NOTES
    site.write("two.json", [revoked(one) for one in objects])
    site.once()
    assert site.feed()["notes"] == NOTES
    newer = indicator("defanged", pattern="[domain-name:value = 'hxxp[.]bad[.]example']", days=2)
    site.write("three.json", [indicator("one more", pattern=newer["pattern"])])
    site.once()
    assert site.feed()["notes"] == NOTES | {"refanged": 3}


def test_what_cannot_be_read_is_told_once_and_not_at_every_poll(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.configure()

    def told(*objects: dict[str, Any]) -> str:
        site.write("one.json", list(objects))
        site.once()
        shown = capsys.readouterr()
        return shown.out + shown.err

    broken = {**indicator("broken"), "valid_from": "yesterday"}
    assert "feed.unreadable" in told(broken)
    assert "feed.unreadable" not in told(broken, indicator("good"))
    other = {**indicator("other"), "valid_from": "tomorrow"}
    assert other["id"] in told(broken, other)
