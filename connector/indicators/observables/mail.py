"""Canonical forms of e-mail addresses (RFC 5321, 5322, and 6531 for other letters)."""

import re
import unicodedata
from typing import Final

from connector.indicators.observables.addresses import address as ip_address
from connector.indicators.observables.errors import UnfitValueError, shown
from connector.indicators.observables.names import domain
from connector.model import ObservableType

LONGEST: Final = 254
LONGEST_LOCAL_PART: Final = 64  # bytes (RFC 5321 section 4.5.3.1.1)

_ATOM: Final = r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\x00-\x7f])+"
_DOT_ATOM: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_TO_ESCAPE: Final = re.compile(r'(["\\])')
_LITERAL: Final = re.compile(r"\[(ipv6:)?([0-9a-f.:]+)\]", re.IGNORECASE)


def address(text: str) -> str:
    """Return the canonical form of an e-mail address, all in lower case, as targets compare."""
    local, at, host = text.rpartition("@")
    if not at:
        raise UnfitValueError(f"{shown(text)} is not an e-mail address: it has no @")
    local = _local_part(unicodedata.normalize("NFC", local.lower()))
    if not local or len(local.encode()) > LONGEST_LOCAL_PART:
        raise UnfitValueError(f"{shown(text)} has a local part that no mailbox can have")
    host = _host(host)
    if host.startswith("*."):
        raise UnfitValueError(f"{shown(text)} has more than one domain")
    if len(local.encode()) + len(host) >= LONGEST:
        raise UnfitValueError(f"{shown(text)} is longer than {LONGEST} characters")
    return f"{local}@{host}"


def _local_part(text: str) -> str:
    """Return a local part, in quotes only if it needs them; empty if it is not valid."""
    if _DOT_ATOM.fullmatch(text):
        return text
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        return ""
    said = _ESCAPED.sub(r"\1", quoted[1])
    if _DOT_ATOM.fullmatch(said):
        return said
    escaped = _TO_ESCAPE.sub(r"\\\1", said)
    return f'"{escaped}"'


def _host(text: str) -> str:
    """Return the domain, or the address literal in brackets (RFC 5321 section 4.1.3)."""
    literal = _LITERAL.fullmatch(text)
    if literal is None:
        return domain(text)
    kind, value = ip_address(literal[2])
    if "/" in value or (kind is ObservableType.IPV6_ADDR) is not bool(literal[1]):
        raise UnfitValueError(f"{shown(text)} is not an address literal")
    return f"[ipv6:{value}]" if literal[1] else f"[{value}]"
