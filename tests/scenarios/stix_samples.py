"""STIX objects for scenarios: raw, as feeds send them, also where they break rules."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PRODUCER = "identity--a1b2c3d4-0000-4000-8000-000000000001"
STRANGER = "identity--a1b2c3d4-0000-4000-8000-000000000002"
TLP = {
    "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}

Object = dict[str, Any]


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def sid(kind: str, name: object) -> str:
    """An id that is the same for the same name."""
    return f"{kind}--{uuid5(NAMESPACE_URL, f'https://feed.example/{kind}/{name}')}"


def address(number: int) -> str:
    """One of 65,535 documentation addresses."""
    return f"2001:db8::{number:x}"


def pattern(value: str) -> str:
    if "/" in value and not value.endswith(tuple(f"/{n}" for n in range(129))):
        return f"[url:value = '{value}']"
    if ":" in value:
        return f"[ipv6-addr:value = '{value}']"
    if value.replace(".", "").replace("/", "").isdigit():
        return f"[ipv4-addr:value = '{value}']"
    return f"[domain-name:value = '{value}']"


def indicator(name: object, value: str | None = None, *, days: float = 0, **fields: Any) -> Object:
    """An indicator of one value; `days` is when it was last modified, counted from the start."""
    modified = START - timedelta(days=30) + timedelta(days=days)
    made: Object = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": sid("indicator", name),
        "created_by_ref": PRODUCER,
        "created": stamp(START - timedelta(days=30)),
        "modified": stamp(modified),
        "pattern": pattern(value or "192.0.2.1"),
        "pattern_type": "stix",
        "valid_from": stamp(START - timedelta(days=30)),
        "indicator_types": ["malicious-activity"],
    }
    made.update(fields)
    return {key: kept for key, kept in made.items() if kept is not None}


def revoked(known: Object, *, days: float = 1, **fields: Any) -> Object:
    """The revocation of an indicator."""
    modified = START - timedelta(days=30) + timedelta(days=days)
    return {**known, "modified": stamp(modified), "revoked": True, **fields}


def bundle(objects: Iterable[Mapping[str, Any]]) -> str:
    return json.dumps({"type": "bundle", "id": sid("bundle", "one"), "objects": list(objects)})


def write_bundle(path: Path, objects: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(bundle(objects), encoding="utf-8")
    draft.replace(path)
