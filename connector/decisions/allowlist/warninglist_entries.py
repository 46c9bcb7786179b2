"""A MISP warninglist as it was read: what it is about, and its entries in canonical form."""

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

import idna

from connector.decisions.allowlist.url_paths import url_steps
from connector.model import ObservableType

__all__ = [
    "ADDRESSES",
    "CERTIFICATES",
    "DIGESTS",
    "FILES",
    "NAMES",
    "WORDS",
    "ListKind",
    "Span",
    "Warninglist",
    "network_text",
    "plain_names",
    "read_network",
    "read_pattern",
    "read_plain_networks",
    "types_of",
]

_T = ObservableType


class ListKind(StrEnum):
    """How the entries of a list are to be compared."""

    STRING = "string"
    HOSTNAME = "hostname"
    CIDR = "cidr"
    SUBSTRING = "substring"
    REGEX = "regex"


@dataclass(frozen=True, slots=True)
class Warninglist:
    """One list; its entries are taken once, so that a million need not be held twice.

    Where several lists hold an entry, the one with the lowest number is named. `group` is what its
    protection is told as; `warninglist:` and its name when left out.
    """

    number: int
    name: str
    kind: ListKind
    attributes: frozenset[str] | None
    entries: Iterable[str]
    group: str = ""


ADDRESSES: Final = frozenset({_T.IPV4_ADDR, _T.IPV6_ADDR, _T.ENDPOINT})
NAMES: Final = frozenset({_T.DOMAIN_NAME, _T.URL})
FILES: Final = frozenset({_T.FILE_MD5, _T.FILE_SHA1, _T.FILE_SHA256, _T.FILE_SHA512})
CERTIFICATES: Final = frozenset({_T.X509_SHA1, _T.X509_SHA256})
WORDS: Final = frozenset(_T) - ADDRESSES - NAMES - FILES - CERTIFICATES
DIGESTS: Final = {
    32: frozenset({_T.FILE_MD5}),
    40: frozenset({_T.FILE_SHA1, _T.X509_SHA1}),
    64: frozenset({_T.FILE_SHA256, _T.X509_SHA256}),
    128: frozenset({_T.FILE_SHA512}),
}

_DOMAIN: Final = frozenset({_T.DOMAIN_NAME})
_URL: Final = frozenset({_T.URL})
_MAIL: Final = frozenset({_T.EMAIL_ADDR})
_MD5: Final = frozenset({_T.FILE_MD5})
_SHA1: Final = frozenset({_T.FILE_SHA1})
_SHA256: Final = frozenset({_T.FILE_SHA256})
_SHA512: Final = frozenset({_T.FILE_SHA512})
_ATTRIBUTES: Final = {
    "ip-src": ADDRESSES, "ip-dst": ADDRESSES,
    "ip-src|port": ADDRESSES, "ip-dst|port": ADDRESSES,
    "domain": _DOMAIN, "hostname": _DOMAIN, "hostname|port": _DOMAIN,
    "domain|ip": _DOMAIN | ADDRESSES,
    "url": _URL, "uri": _URL, "link": _URL,
    "email": _MAIL, "email-src": _MAIL, "email-dst": _MAIL, "email-reply-to": _MAIL,
    "target-email": _MAIL, "whois-registrant-email": _MAIL, "dns-soa-email": _MAIL,
    "email-subject": frozenset({_T.EMAIL_SUBJECT}),
    "md5": _MD5, "sha1": _SHA1, "sha256": _SHA256, "sha512": _SHA512,
    "filename|md5": _MD5, "filename|sha1": _SHA1,
    "filename|sha256": _SHA256, "filename|sha512": _SHA512,
    "x509-fingerprint-sha1": frozenset({_T.X509_SHA1}),
    "x509-fingerprint-sha256": frozenset({_T.X509_SHA256}),
    "filename": frozenset({_T.FILE_NAME}), "AS": frozenset({_T.AUTONOMOUS_SYSTEM}),
    "user-agent": frozenset({_T.USER_AGENT}), "mutex": frozenset({_T.MUTEX}),
    "regkey": frozenset({_T.REGISTRY_KEY}),
}  # fmt: skip
_OF_ADDRESSES: Final = frozenset({"ip-src", "ip-dst", "ip-src|port", "ip-dst|port"})


def types_of(kind: ListKind, attributes: frozenset[str] | None) -> frozenset[ObservableType]:
    """Return the types of observable that a list is about; empty where we have none of them."""
    if attributes is None:
        return frozenset(_T)
    nothing: frozenset[ObservableType] = frozenset()
    types = nothing.union(*(_ATTRIBUTES.get(name, nothing) for name in attributes))
    if kind is not ListKind.CIDR and attributes.isdisjoint(_OF_ADDRESSES):
        types -= ADDRESSES  # `domain|ip` is a pair: a list of names is about its first half
    return types


_LOOK: Final = 10_000
_UNUSUAL: Final = ("*", "/", ":", " ", "\n.", ".\n")


def plain_names(entries: list[str]) -> tuple[list[str], list[str]]:
    """Return the names among entries, then the URLs, without scheme; what is neither falls out."""
    if all(_usual(entries[at : at + _LOOK]) for at in range(0, len(entries), _LOOK)):
        return entries, []
    plain = [name for name in map(_plain, entries) if name]
    return [name for name in plain if "/" not in name], [name for name in plain if "/" in name]


def _usual(entries: list[str]) -> bool:
    """Return whether entries are plain names, found out without looking at each: there are many."""
    text = "\n" + "\n".join(entries) + "\n"
    return text.isascii() and text == text.lower() and not any(mark in text for mark in _UNUSUAL)


def _plain(entry: str) -> str:
    entry = entry.strip()
    if "/" in entry:
        return url_steps(entry)[-1]
    name = entry.lower().removeprefix("*").strip(".")
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        return ""


_OCTETS: Final = r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+(?:/[0-9]+)?"
_IPV4_LINES: Final = re.compile(rf"(?:{_OCTETS}\n)*{_OCTETS}")


class Span(NamedTuple):
    """The addresses of a network, as numbers."""

    version: int
    first: int
    last: int


def read_network(entry: str) -> Span | None:
    """Return the network or address that an entry is; None if it is neither, or everything."""
    address, slash, length = entry.partition("/")
    octets = address.split(".")
    if len(octets) != 4 or not (length if slash else "32").isdigit():
        return _read_network(entry)
    try:
        first, second, third, fourth = map(int, octets)
    except ValueError:
        return None
    bits = int(length or 32)
    size = 1 << 32 - bits if 0 < bits <= 32 else 0
    if not size or (first | second | third | fourth) & ~255:
        return None
    start = (first << 24 | second << 16 | third << 8 | fourth) & -size
    return Span(4, start, start + size - 1)


def read_plain_networks(entries: list[str]) -> list[tuple[int, int]] | None:
    """Return first and last address of IPv4 networks, read all at once; None where one is not."""
    lines = "\n".join(entries)
    if not _IPV4_LINES.fullmatch(lines):
        return None
    hosts = [entry for entry in entries if "/" not in entry]
    networks = [entry for entry in entries if "/" in entry]
    try:
        found = [(number, number) for number in _numbers(hosts)]
        lengths = [int(entry.partition("/")[2]) for entry in networks]
        firsts = _numbers([entry.partition("/")[0] for entry in networks])
    except ValueError:  # an octet beyond 255
        return None
    for number, length in zip(firsts, lengths, strict=True):
        if not 0 < length <= 32:
            return None
        size = 1 << 32 - length
        first = number & -size
        found.append((first, first + size - 1))
    return found


def _numbers(addresses: list[str]) -> Sequence[int]:
    octets = bytes(map(int, ".".join(addresses).split("."))) if addresses else b""
    return struct.unpack(f">{len(addresses)}I", octets)


def _read_network(entry: str) -> Span | None:
    try:
        network = ip_network(entry, strict=False)
    except ValueError:
        return None
    if network.prefixlen == 0:
        return None
    return Span(network.version, int(network.network_address), int(network.broadcast_address))


def network_text(version: int, first: int, last: int) -> str:
    """Return a network as people write it."""
    length = (32 if version == 4 else 128) - (last - first).bit_length()
    address = ip_address(first) if version == 4 else ip_address(first.to_bytes(16, "big"))
    return str(address) if first == last else f"{address}/{length}"


_PATTERN: Final = re.compile(r"/(.*)/([a-z]*)", re.DOTALL)
_FLAGS: Final = {"i": re.I, "m": re.M, "s": re.S, "x": re.X, "g": 0, "u": 0}


def read_pattern(entry: str) -> re.Pattern[str] | None:
    """Return a regular expression written as `/pattern/flags`; None if it cannot be read."""
    framed = _PATTERN.fullmatch(entry)
    body, letters = (framed[1], framed[2]) if framed else (entry, "")
    flags = 0
    for letter in letters:
        if letter not in _FLAGS:
            return None
        flags |= _FLAGS[letter]
    try:
        return re.compile(body, flags) if body else None
    except (re.error, OverflowError, RecursionError):
        return None
