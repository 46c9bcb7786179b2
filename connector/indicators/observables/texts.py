"""Canonical forms of free texts that identify hosts, mail and browsers."""

from typing import Final

from connector.indicators.observables.errors import UnfitValueError, shown

_HIVES: Final = {
    "HKCR": "HKEY_CLASSES_ROOT",
    "HKCU": "HKEY_CURRENT_USER",
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKU": "HKEY_USERS",
    "HKCC": "HKEY_CURRENT_CONFIG",
}


def registry_key(text: str) -> str:
    """Return a registry key with its hive written in full."""
    hive, backslash, rest = text.partition("\\")
    if not backslash:
        raise UnfitValueError(f"{shown(text)} is not a registry key: it has no backslash")
    hive = hive.upper()
    return f"{_HIVES.get(hive, hive)}\\{rest.rstrip(chr(92))}"
