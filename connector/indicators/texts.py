"""Canonical forms of the free texts that hosts, mail and browsers are recognised by."""

import re
from typing import Final

from connector.indicators.unfit import UnfitValueError, shown

_QUOTE_OR_COMMA: Final = re.compile("[\"'`,]")
_HIVES: Final = {
    "HKCR": "HKEY_CLASSES_ROOT",
    "HKCU": "HKEY_CURRENT_USER",
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKU": "HKEY_USERS",
    "HKCC": "HKEY_CURRENT_CONFIG",
}


def plain_name(text: str) -> str:
    """Return a name that can stand in any list: without quotes and commas."""
    if _QUOTE_OR_COMMA.search(text):
        raise UnfitValueError(f"{shown(text)} holds a quote or a comma")
    return text


def registry_key(text: str) -> str:
    """Return a registry key with its hive written in full."""
    hive, backslash, rest = text.partition("\\")
    if not backslash:
        raise UnfitValueError(f"{shown(text)} is not a registry key: it has no backslash")
    hive = hive.upper()
    return f"{_HIVES.get(hive, hive)}\\{rest.rstrip(chr(92))}"
