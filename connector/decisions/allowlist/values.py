"""The entries of an allowlist: values read into the form that the index looks up.

`read_allow_value` takes one value of a person, a site's file or the built-in groups, tells by
itself what it is, and says what is wrong with it. `read_host` takes one of an option. The entries
of a warninglist are of a kind that the list tells: `read_names`, `read_digests`, `read_words` and
`read_pattern` take them as they come, many at once, and leave out what is none.
"""

import ipaddress
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import idna

from connector.decisions.allowlist.networks import Network, read_network
from connector.decisions.allowlist.url_paths import split_url, url_steps
from connector.model import ObservableType

__all__ = [
    "CERTIFICATES",
    "DIGESTS",
    "FILES",
    "AllowValue",
    "Kind",
    "read_allow_value",
    "read_as_numbers",
    "read_digests",
    "read_host",
    "read_names",
    "read_pattern",
    "read_words",
]

_T = ObservableType
FILES: Final = frozenset({_T.FILE_MD5, _T.FILE_SHA1, _T.FILE_SHA256, _T.FILE_SHA512})
CERTIFICATES: Final = frozenset({_T.X509_SHA1, _T.X509_SHA256})
DIGESTS: Final = {
    32: frozenset({_T.FILE_MD5}),
    40: frozenset({_T.FILE_SHA1, _T.X509_SHA1}),
    64: frozenset({_T.FILE_SHA256, _T.X509_SHA256}),
    128: frozenset({_T.FILE_SHA512}),
}


class Kind(StrEnum):
    """What an allowlist value is about."""

    NETWORK = "network"
    AS_NUMBERS = "as-numbers"
    NAME = "name"
    URL = "url"
    MAIL = "mail"
    DIGEST = "digest"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class AllowValue:
    """An allowlist value in canonical form, such as `198.51.100.0/24` or `64496-64511`."""

    kind: Kind
    text: str


_ADDRESS: Final = re.compile(r"[0-9.]+(/[0-9.]*)?|[0-9a-f.]*:[0-9a-f:.]*(%.*)?(/[0-9]*)?", re.I)
_AS_NUMBERS: Final = re.compile(r"(?:as)?([0-9]{1,10})(?:-(?:as)?([0-9]{1,10}))?", re.I)
_HEX: Final = re.compile(r"[0-9a-f]+", re.I)
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# Nearly every value that we keep ourselves, and nothing that could be of another kind.
_PLAIN_NAME: Final = re.compile(
    r"(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z]{2,63}"
)
_WILD: Final = re.compile(r"[*?%]")
_LAST_AS_NUMBER: Final = 2**32 - 1
_TEXT_TYPES: Final = (
    _T.EMAIL_SUBJECT,
    _T.FILE_NAME,
    _T.USER_AGENT,
    _T.MUTEX,
    _T.REGISTRY_KEY,
    _T.PROCESS_COMMAND,
)


def read_allow_value(text: str) -> AllowValue:
    """Return an allowlist value in canonical form; raise ValueError that says what would do.

    Taken are addresses and prefixes, domains (a leading `*.` or `.` is the same: the name and
    everything below), URLs (with everything below), e-mail addresses, digests, `AS64500` or
    `AS64496-AS64511`, and other kinds behind their type: `user-agent:curl/8.5.0`, also an address
    with a space in it: `email-addr:"a b"@bad.example`.
    """
    if _PLAIN_NAME.fullmatch(text):
        return AllowValue(Kind.NAME, text)
    text = text.strip()
    kind, colon, rest = text.partition(":")
    if colon and kind in _TEXT_TYPES:
        return _text(kind, rest)
    if kind == _T.EMAIL_ADDR and "@" in rest:
        return _mail(rest.strip())
    if not text or not text.isprintable() or " " in text:
        raise ValueError("should be one value without spaces; text after it is written as # why")
    if len(text) in DIGESTS and _HEX.fullmatch(text):
        return AllowValue(Kind.DIGEST, text.lower())
    if _ADDRESS.fullmatch(text):
        return _network(text)
    if text[:2].lower() == "as" and (found := read_as_numbers(text)):
        return _as_numbers(*found)
    if "/" in text:
        return _url(text)
    if "@" in text:
        return _mail(text)
    return AllowValue(Kind.NAME, _name(text))


def read_host(text: str) -> AllowValue:
    """Read a host as options give it: name, address, prefix, host and port, or URL."""
    try:
        value = read_allow_value(text)
    except ValueError:
        value = None
    if value is not None and value.kind is not Kind.URL:
        return value
    return read_allow_value(split_url(text)[0])


def _text(kind: str, text: str) -> AllowValue:
    (word,) = read_words([text])
    if not word:
        raise ValueError(f"should have a value after {kind}:")
    return AllowValue(Kind.TEXT, f"{kind}:{word}")


def _network(text: str) -> AllowValue:
    found = read_network(text)
    if found is not None and not _is_mapped(found) and text in (found.text, found.prefix):
        return AllowValue(Kind.NETWORK, found.prefix)
    if "%" in text:
        raise ValueError("has a zone, which only has a meaning on one machine: remove it")
    try:
        network = ipaddress.ip_network(text, strict=False)
        address = ipaddress.ip_address(text.partition("/")[0])
    except ValueError as error:
        raise ValueError(
            "should be an address or a prefix such as 198.51.100.7, 198.51.100.0/24 or "
            "2001:db8::/32, without leading zeros or ranges"
        ) from error
    if network.prefixlen == 0:
        raise ValueError("covers every address, so that nothing could be blocked")
    if network.network_address != address:
        raise ValueError(f"has bits set beyond its prefix: write {network}, or just {address}")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if mapped is not None and network.prefixlen > 96:
        return AllowValue(Kind.NETWORK, f"{mapped}/{network.prefixlen - 96}")
    return AllowValue(Kind.NETWORK, str(network))


def _is_mapped(network: Network) -> bool:
    """Return whether it is IPv4 as IPv6 writes it, or all of that: ::ffff:0:0/96."""
    return network.version == 6 and network.first >> 32 == 0xFFFF


def read_as_numbers(text: str) -> tuple[int, int] | None:
    """Return first and last number of AS64500, 64500 or AS64496-AS64511; None where it is none."""
    found = _AS_NUMBERS.fullmatch(text)
    return (int(found[1]), int(found[2] or found[1])) if found else None


def _as_numbers(first: int, last: int) -> AllowValue:
    if not first <= last <= _LAST_AS_NUMBER:
        raise ValueError(f"should be AS numbers in order, up to AS{_LAST_AS_NUMBER}")
    return AllowValue(Kind.AS_NUMBERS, f"{first}-{last}")


def _url(text: str) -> AllowValue:
    host, rest = split_url(text)
    if not _ADDRESS.fullmatch(host):
        return AllowValue(Kind.URL, _name(host) + rest)
    _network(host)
    return AllowValue(Kind.URL, (f"[{host}]" if ":" in host else host) + rest)


def _mail(text: str) -> AllowValue:
    local, _, domain = text.rpartition("@")
    if not local or _WILD.search(local):
        raise ValueError(f"should be a complete address, or just the domain: {domain}")
    host = domain.lower() if domain.startswith("[") else _name(domain)
    return AllowValue(Kind.MAIL, f"{local.lower()}@{host}")


def _name(text: str) -> str:
    try:
        name = _canonical_name(text)
    except idna.IDNAError as error:
        raise ValueError(f"should be a domain name: {error}") from error
    labels = name.split(".")
    plain = ".." not in text and all(map(_LABEL.fullmatch, labels))
    if len(name) > 253 or not plain or labels[-1].isdigit():
        raise ValueError(
            "should be an address, prefix, domain, URL, e-mail address, hash or AS number, "
            "written plainly (bad.example, not bad[.]example)"
        )
    return name


def _canonical_name(text: str) -> str:
    """Return a name without what stands for `and all below`; raise IDNAError where that is none."""
    name = text.lower().removeprefix("*").strip(".")
    return name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")


_LOOK: Final = 10_000
_UNUSUAL: Final = ("*", "/", ":", " ", "\n.", ".\n")


def read_names(entries: list[str]) -> tuple[list[str], list[list[str]]]:
    """Return the names among entries, and the steps of each URL; what is neither falls out."""
    if all(_usual(entries[at : at + _LOOK]) for at in range(0, len(entries), _LOOK)):
        return entries, []
    names, pages = [], []
    for entry in map(str.strip, entries):
        steps = url_steps(entry) if "/" in entry else [_listed_name(entry)]
        if "/" in steps[-1]:
            pages.append(steps)
        elif steps[-1]:
            names.append(steps[-1])
    return names, pages


def _usual(entries: list[str]) -> bool:
    """Return whether entries are plain names, found out without looking at each: there are many."""
    text = "\n" + "\n".join(entries) + "\n"
    return text.isascii() and text == text.lower() and not any(mark in text for mark in _UNUSUAL)


def _listed_name(entry: str) -> str:
    try:
        return _canonical_name(entry)
    except idna.IDNAError:
        return ""


def read_digests(entries: Iterable[str], types: Collection[ObservableType]) -> list[str]:
    """Return those entries that are as long as a digest of one of these types."""
    lengths = {length for length, kinds in DIGESTS.items() if not kinds.isdisjoint(types)}
    return [entry.lower() for entry in entries if len(entry) in lengths]


def read_words(entries: Iterable[str]) -> list[str]:
    """Return texts in the form in which they are compared: their case is no difference."""
    return [entry.strip().casefold() for entry in entries]


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
