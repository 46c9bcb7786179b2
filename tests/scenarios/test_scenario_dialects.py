"""Every format of a polled list: fed, published, revoked, gone; and what devices would cut."""

from pathlib import Path
from typing import Any

import connector_edl
import pytest
from connector_edl.capacity import Device, form_of, room_of
from connector_edl.dialects import Format
from scenario_site import BLOCK_ALL, Clock, Site
from stix_samples import Object, indicator

from connector.adapter import ADDRESSES, Family, ObservableType

ADDRESS, OTHER_ADDRESS = "203.0.113.7", "198.51.100.9"
NAME, OTHER_NAME = "bad.example", "worse.example"
NAMES = {"types": ["domain-name"]}
HOSTS = {"types": ["ipv4-addr", "ipv6-addr"]}
# What one file has of each format that has one family of types a file.
OPTIONS: dict[Format, dict[str, Any]] = {
    Format.PLAIN: HOSTS, Format.PANOS: NAMES, Format.FORTIGATE: HOSTS,
    Format.FMC: {**NAMES, "widen": True}, Format.HOSTS: NAMES, Format.DNSMASQ: NAMES,
    Format.UNBOUND: NAMES, Format.SQUID: NAMES, Format.NGINX: HOSTS,
    Format.SURICATA_DATASET: HOSTS, Format.SURICATA_IPREP: HOSTS, Format.SNORT: HOSTS,
    Format.SPAMASSASSIN: NAMES, Format.EXIM: NAMES,
}  # fmt: skip


def feed(*, revoked: bool = False) -> list[Object]:
    """Two addresses and two names; of each the first may be revoked."""
    again: dict[str, Any] = {"days": 1, "revoked": True} if revoked else {}
    return [
        indicator("a", ADDRESS, **again), indicator("b", NAME, **again),
        indicator("c", OTHER_ADDRESS), indicator("d", OTHER_NAME),
    ]  # fmt: skip


def output(form: Format, **options: Any) -> dict[str, Any]:
    return {
        "list": "perimeter",
        "adapter": "edl",
        "limits": {"max_remove_ratio": 1},
        "options": {"file": f"{form}.txt", "format": form.value, **options},
    }


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[Format, list[str]]:
    """The file of every format before and after the revocation."""
    site = Site(tmp_path_factory.mktemp("dialects"), Clock())
    outputs = {form.value: output(form, **OPTIONS.get(form, {})) for form in Format}
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs=outputs)
    found: dict[Format, list[str]] = {form: [] for form in Format}

    def look() -> None:
        site.change()
        for form in Format:
            found[form].append(whole(site.folder / "published" / f"{form}.txt"))

    try:
        for objects in (feed(), feed(revoked=True)):
            site.write("all.json", objects)
            look()
            states = {name: site.output(name)["state"] for name in outputs}
            assert set(states.values()) == {"ok"}, site.output("plain")["held"]
        site.consistent()
    finally:
        site.close()
    return found


def whole(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", Format)
def test_what_a_feed_revokes_leaves_the_file_of_every_format_and_nothing_else_does(
    form: Format, seen: dict[Format, list[str]]
) -> None:
    options = OPTIONS.get(form, {})
    pairs = [(NAME, OTHER_NAME)] if options.get("types") == NAMES["types"] else []
    pairs += [(ADDRESS, OTHER_ADDRESS)] if options.get("types") == HOSTS["types"] else []
    for gone, stays in pairs or [(ADDRESS, OTHER_ADDRESS), (NAME, OTHER_NAME)]:
        fed, revoked = seen[form]
        assert gone in fed, fed
        assert stays in fed, fed
        assert gone not in revoked, revoked
        assert stays in revoked, revoked
        only = {line for line in fed.splitlines() if stays in line}
        assert only <= set(revoked.splitlines())


@pytest.mark.parametrize("device", Device)
def test_what_a_device_would_cut_is_over_capacity(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []

    def small(which: Device, types: Family) -> int | None:
        asked.append(room_of(which, types))
        return 2  # in place of tens of thousands

    monkeypatch.setattr(connector_edl, "room_of", small)
    form = form_of(device)
    options = {"device": device.value, **({} if form is Format.CHECKPOINT else HOSTS)}
    site = Site(tmp_path, Clock())
    site.configure(
        lists={"perimeter": {**BLOCK_ALL, "select": {"types": [ObservableType.IPV4_ADDR.value]}}},
        outputs={"edge": output(form, **options)},
    )
    site.write("all.json", [indicator(n, f"203.0.113.{n}", confidence=n) for n in range(1, 6)])
    try:
        site.change()
        reasons = site.output()["reasons"]
        assert (reasons["written"], reasons["over_capacity"]) == (2, 3)
        file = whole(tmp_path / "published" / f"{form}.txt")
        assert [n for n in range(1, 6) if f"203.0.113.{n}" in file] == [4, 5]
    finally:
        site.close()
    assert set(asked) == {room_of(device, ADDRESSES)}
    assert asked[0] is not None
    assert asked[0] >= 25_000
