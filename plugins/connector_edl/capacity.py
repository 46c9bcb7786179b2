"""What devices can hold of a polled list: beyond it, they cut the list without a word.

The figures are the vendors' (docs/outputs/edl.md); a device that shares its room among lists has
less, which `limits.max_entries` says.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from connector.adapter import ADDRESSES, Family, ObservableType
from connector_edl.dialect import DOMAINS, URLS
from connector_edl.dialects import Format


class Device(StrEnum):
    """Devices whose capacity is known."""

    PANOS = "panos"
    PANOS_LARGE = "panos-large"
    FORTIGATE_BEFORE_7_4_4 = "fortigate-before-7.4.4"
    FORTIGATE_ENTRY = "fortigate-entry"
    FORTIGATE_MID = "fortigate-mid"
    FORTIGATE_HIGH = "fortigate-high"
    SONICWALL_TZ = "sonicwall-tz"
    SONICWALL_NSA = "sonicwall-nsa"
    PFSENSE = "pfsense"
    OPNSENSE = "opnsense"
    CHECKPOINT = "checkpoint"


_Room = Mapping[Family, int]
_HASHES: Final = tuple(
    frozenset({kind})
    for kind in (ObservableType.FILE_MD5, ObservableType.FILE_SHA1, ObservableType.FILE_SHA256)
)
_PF_TABLE: Final = 200_000  # of FreeBSD; over it, pf loads nothing of the table


def _fortigate(urls: int, domains: int) -> tuple[Format, _Room]:
    return Format.FORTIGATE, {ADDRESSES: 300_000, URLS: urls, DOMAINS: domains}


_KNOWN: Final[Mapping[Device, tuple[Format, _Room]]] = {
    Device.PANOS: (Format.PANOS, {ADDRESSES: 50_000, URLS: 50_000, DOMAINS: 50_000}),
    Device.PANOS_LARGE: (
        Format.PANOS,
        {ADDRESSES: 150_000, URLS: 250_000, DOMAINS: 4_000_000},
    ),
    Device.FORTIGATE_BEFORE_7_4_4: (
        Format.FORTIGATE,
        dict.fromkeys((ADDRESSES, URLS, DOMAINS, *_HASHES), 131_072),
    ),
    Device.FORTIGATE_ENTRY: _fortigate(150_000, 1_000_000),
    Device.FORTIGATE_MID: _fortigate(300_000, 3_000_000),
    Device.FORTIGATE_HIGH: _fortigate(2_000_000, 5_000_000),
    Device.SONICWALL_TZ: (Format.PLAIN, {ADDRESSES: 25_000}),
    Device.SONICWALL_NSA: (Format.PLAIN, {ADDRESSES: 50_000}),
    Device.PFSENSE: (Format.PLAIN, {ADDRESSES: _PF_TABLE}),
    Device.OPNSENSE: (Format.PLAIN, {ADDRESSES: _PF_TABLE}),
    Device.CHECKPOINT: (Format.CHECKPOINT, {}),
}
_CHECKPOINT: Final = 2_000_000


def form_of(device: Device) -> Format:
    """Return the format that a device reads."""
    return _KNOWN[device][0]


def room_of(device: Device, types: Family) -> int | None:
    """Return how many entries of these types a device holds, or None where that is unknown."""
    form, rooms = _KNOWN[device]
    if form is Format.CHECKPOINT:
        return _CHECKPOINT
    return next((room for family, room in rooms.items() if types <= family), None)
