"""Indicators that carry sample entries, for adapters that pass indicators on."""

import json
from datetime import UTC, datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from msgspec.structs import replace

from connector.adapter import Adapter, Entry, Observable, ObservableType, Original

_PROPERTIES: Final = {
    ObservableType.IPV4_ADDR: "ipv4-addr:value",
    ObservableType.IPV6_ADDR: "ipv6-addr:value",
    ObservableType.DOMAIN_NAME: "domain-name:value",
    ObservableType.URL: "url:value",
    ObservableType.EMAIL_ADDR: "email-addr:value",
    ObservableType.EMAIL_SUBJECT: "email-message:subject",
    ObservableType.FILE_MD5: "file:hashes.MD5",
    ObservableType.FILE_SHA1: "file:hashes.'SHA-1'",
    ObservableType.FILE_SHA512: "file:hashes.'SHA-512'",
    ObservableType.FILE_NAME: "file:name",
    ObservableType.MUTEX: "mutex:name",
    ObservableType.PROCESS_COMMAND: "process:command_line",
    ObservableType.REGISTRY_KEY: "windows-registry-key:key",
    ObservableType.USER_AGENT: (
        "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'"
    ),
    ObservableType.X509_SHA1: "x509-certificate:hashes.'SHA-1'",
    ObservableType.X509_SHA256: "x509-certificate:hashes.'SHA-256'",
    ObservableType.FILE_SHA256: "file:hashes.'SHA-256'",
}
_SAID: Final = datetime(2026, 1, 5, tzinfo=UTC)


def with_originals(adapter: Adapter[Any], entries: list[Entry]) -> list[Entry]:
    """Return entries with what carries them, where the adapter wants that."""
    if not adapter.settings.wants_originals:
        return entries
    return [replace(entry, original=original_of(entry.observable)) for entry in entries]


def original_of(one: Observable) -> Original:
    """Return an indicator of one observable."""
    said = {
        "type": "indicator", "spec_version": "2.1",
        "id": f"indicator--{uuid5(NAMESPACE_URL, f'{one.type} {one.value}')}",
        "created": _SAID.isoformat().replace("+00:00", ".000Z"),
        "modified": _SAID.isoformat().replace("+00:00", ".000Z"),
        "valid_from": _SAID.isoformat().replace("+00:00", ".000Z"),
        "pattern_type": "stix",
        "pattern": f"[{_comparison(one)}]",
    }  # fmt: skip
    return Original(str(said["id"]), json.dumps(said).encode(), _SAID)


def _comparison(one: Observable) -> str:
    if one.type is ObservableType.ENDPOINT:
        socket, _, protocol = one.value.rpartition("/")
        host, _, port = socket.rpartition(":")
        there = "network-traffic:dst"
        return (
            f"{there}_ref.value = '{host.strip('[]')}' AND {there}_port = {port} "
            f"AND network-traffic:protocols[*] = '{protocol}'"
        )
    if one.type is ObservableType.AUTONOMOUS_SYSTEM:
        return f"autonomous-system:number = {one.value}"
    text = one.value.replace("\\", "\\\\").replace("'", "\\'")
    verb, said = ("LIKE", f"%{text[1:]}") if one.below else ("=", text)
    return f"{_PROPERTIES[one.type]} {verb} '{said}'"
