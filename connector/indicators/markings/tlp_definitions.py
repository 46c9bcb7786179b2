"""The nine TLP marking definitions as OASIS published them: nobody may define them otherwise."""

import json
from typing import Any, Final

from connector.indicators.markings.tlp import TLP_2_0_EXTENSION

__all__ = ["TLP_CLEAR", "tlp_definition"]

TLP_CLEAR: Final = "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"


def _first(uuid: str, level: str) -> dict[str, Any]:
    """Return a definition of TLP 1 (STIX 2.1 section 7.2.1.4)."""
    return {
        "type": "marking-definition", "spec_version": "2.1", "id": f"marking-definition--{uuid}",
        "created": "2017-01-20T00:00:00.000Z", "definition_type": "tlp",
        "name": f"TLP:{level.upper()}", "definition": {"tlp": level},
    }  # fmt: skip


def _second(uuid: str, level: str) -> dict[str, Any]:
    """Return a definition of TLP 2.0, as the extension's own repository has it."""
    extension = {"extension_type": "property-extension", "tlp_2_0": level}
    return {
        "type": "marking-definition", "spec_version": "2.1", "id": f"marking-definition--{uuid}",
        "created": "2022-10-01T00:00:00.000Z", "name": f"TLP:{level.upper()}",
        "extensions": {TLP_2_0_EXTENSION: extension},
    }  # fmt: skip


_ALL: Final = {
    one["id"]: one
    for one in (
        _first("613f2e26-407d-48c7-9eca-b8e91df99dc9", "white"),
        _first("34098fce-860f-48ae-8e50-ebd3cc5e41da", "green"),
        _first("f88d31f6-486f-44da-b317-01333bde0b82", "amber"),
        _first("5e57c739-391a-4eb3-b6be-7d15ca92d5ed", "red"),
        _second("94868c89-83c2-464b-929b-a1a8aa3c8487", "clear"),
        _second("bab4a63c-aed9-4cf5-a766-dfca5abac2bb", "green"),
        _second("55d920b0-5e8b-4f79-9ee9-91f868d9b421", "amber"),
        _second("939a9414-2ddd-4d32-a0cd-375ea402b003", "amber+strict"),
        _second("e828b379-4e03-4974-9ac4-e53a884c97c1", "red"),
    )
}


def tlp_definition(ref: str) -> bytes | None:
    """Return the text of one of the nine published TLP markings, or None for any other id."""
    return json.dumps(_ALL[ref]).encode() if ref in _ALL else None
