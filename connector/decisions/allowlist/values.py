"""What people write into an allowlist: values read into the form that the index looks up."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

import idna

from connector.decisions.allowlist.url_paths import split_url
from connector.model import ObservableType

__all__ = [
    "AllowValue",
    "ExceptionRule",
    "Kind",
    "Scope",
    "SiteRule",
    "end_of_day",
    "parse_site_lines",
    "read_allow_value",
]


class Scope(StrEnum):
    """How far the protection of a domain name reaches.

    `TREE`: the name, all names below it, and what is at them. `NAMES`: the same names, but not what
    is at them. `HOST`: this name and what is at it. `SHARED`: this name alone.
    """

    TREE = "tree"
    NAMES = "names"
    HOST = "host"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class SiteRule:
    """One line of a site file or warninglist: a domain means this name and everything below."""

    value: str
    source: str
    why: str = ""
    ticket: str = ""
    until: datetime | None = None
    group: str = "site"
    scope: Scope = Scope.TREE


@dataclass(frozen=True, slots=True)
class ExceptionRule:
    """One more value that must not be stopped, until its end; a domain with everything below."""

    value: str
    why: str = ""
    ticket: str = ""
    until: datetime | None = None
    source: str = "allowlist.exceptions"


def end_of_day(day: date) -> datetime:
    """Return the instant at which a day ends in UTC: an entry `until` a day holds all that day."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


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
_AS_NUMBERS: Final = re.compile(r"as([0-9]{1,10})(?:-(?:as)?([0-9]{1,10}))?", re.I)
_DIGEST: Final = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128})", re.I)
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_WILD: Final = re.compile(r"[*?%]")
_LAST_AS_NUMBER: Final = 2**32 - 1
_TEXT_TYPES: Final = (
    ObservableType.EMAIL_SUBJECT,
    ObservableType.FILE_NAME,
    ObservableType.USER_AGENT,
    ObservableType.MUTEX,
    ObservableType.REGISTRY_KEY,
    ObservableType.PROCESS_COMMAND,
)


def read_allow_value(text: str) -> AllowValue:
    """Return an allowlist value in canonical form; raise ValueError that says what would do.

    Taken are addresses and prefixes, domains (a leading `*.` or `.` is the same: the name and
    everything below), URLs (with everything below), e-mail addresses, digests, `AS64500` or
    `AS64496-AS64511`, and other kinds behind their type: `user-agent:curl/8.5.0`, also an address
    with a space in it: `email-addr:"a b"@bad.example`.
    """
    text = text.strip()
    kind, colon, rest = text.partition(":")
    if colon and kind in _TEXT_TYPES:
        return _text(kind, rest.strip())
    if kind == ObservableType.EMAIL_ADDR and "@" in rest:
        return _mail(rest.strip())
    if not text or not text.isprintable() or " " in text:
        raise ValueError("should be one value without spaces; text after it is written as # why")
    if _DIGEST.fullmatch(text):
        return AllowValue(Kind.DIGEST, text.lower())
    if _ADDRESS.fullmatch(text):
        return _network(text)
    if found := _AS_NUMBERS.fullmatch(text):
        return _as_numbers(int(found[1]), int(found[2] or found[1]))
    if "/" in text:
        return _url(text)
    if "@" in text:
        return _mail(text)
    return AllowValue(Kind.NAME, _name(text))


def _text(kind: str, text: str) -> AllowValue:
    if not text:
        raise ValueError(f"should have a value after {kind}:")
    return AllowValue(Kind.TEXT, f"{kind}:{text.casefold()}")


def _network(text: str) -> AllowValue:
    if "%" in text:
        raise ValueError("has a zone, which means something on one machine only: leave it out")
    try:
        network = ipaddress.ip_network(text, strict=False)
        address = ipaddress.ip_address(text.partition("/")[0])
    except ValueError as error:
        raise ValueError(
            "should be an address or a prefix such as 198.51.100.7, 198.51.100.0/24 or "
            "2001:db8::/32, without leading zeros or ranges"
        ) from error
    if network.prefixlen == 0:
        raise ValueError("covers every address, so that nothing could be blocked any more")
    if network.network_address != address:
        raise ValueError(f"has bits set behind its prefix: write {network}, or {address} alone")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if mapped is not None and network.prefixlen > 96:
        return AllowValue(Kind.NETWORK, f"{mapped}/{network.prefixlen - 96}")
    return AllowValue(Kind.NETWORK, str(network))


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
        raise ValueError(f"should be a whole address, or the domain alone: {domain}")
    host = domain.lower() if domain.startswith("[") else _name(domain)
    return AllowValue(Kind.MAIL, f"{local.lower()}@{host}")


def _name(text: str) -> str:
    name = text.lower().removeprefix("*").removeprefix(".").removesuffix(".")
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise ValueError(f"should be a domain name: {error}") from error
    labels = name.split(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdigit():
        raise ValueError(
            "should be an address, prefix, domain, URL, e-mail address, digest or AS number, "
            "written plainly (bad.example, not bad[.]example)"
        )
    return name


def parse_site_lines(source: str, lines: Iterable[str]) -> tuple[list[SiteRule], list[str]]:
    """Return the rules of a site file, and its problems, each with file, line and word.

    A line is a value, and behind ` #` why it is there.
    """
    rules: list[SiteRule] = []
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        place = f"{source}:{number}"
        value, why = _split_comment(line.lstrip("\ufeff"))
        if not value:
            continue
        try:
            read_allow_value(value)
        except ValueError as error:
            problems.append(f"{place}: {value[:80]}: {error}")
        else:
            rules.append(SiteRule(value, place, why))
    return rules, problems


def _split_comment(line: str) -> tuple[str, str]:
    """A # starts a comment at the start of a line or behind a space; a URL may hold one."""
    found = re.search(r"(?:^|\s)#", line)
    if found is None:
        return line.strip(), ""
    return line[: found.start()].strip(), line[found.end() :].strip()
