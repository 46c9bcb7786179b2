"""Which kinds of value may share an untyped place, such as a text file, and which lines fit.

A text file does not say whether a line is a mutex or a URL: its reader takes each line for what it
looks like. So such a place holds one family of kinds, and never a line that looks like something
else.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from connector.indicators.observables import names
from connector.indicators.observables.addresses import IPV4
from connector.indicators.observables.canonical import UnfitValueError, canonical
from connector.indicators.observables.lookalikes import (
    SCHEME,
    is_address,
    is_registry_key,
    looks_like,
    pattern_like,
)
from connector.model import Observable, ObservableType

Family = frozenset[ObservableType]

_T = ObservableType
ADDRESSES: Final[Family] = frozenset({_T.IPV4_ADDR, _T.IPV6_ADDR})
"""The only family of two kinds: no reader confuses the two versions of IP."""

_ADDRESS: Final[Mapping[ObservableType, re.Pattern[str]]] = {
    _T.IPV4_ADDR: re.compile(rf"{IPV4.pattern}(?:/(?:3[0-2]|[12]?[0-9]))?"),
    _T.IPV6_ADDR: re.compile(r"(?=.*:.*:)[0-9a-f:]{2,39}(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?"),
}
_AUTONOMOUS_SYSTEM: Final = re.compile(r"AS([1-9][0-9]{0,9})")
_PLAIN_LOCAL_PART: Final = re.compile(r"[\w%&'+={}-][\w!$%&'+.=^{}~-]*")
# Host, port and a path without characters at which a reader may end the value.
_BARE_URL: Final = re.compile(
    r"(?:\w[\w.-]*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?/[\w!$%&()+./:<=>?@\[\\\]^{}~-]+",
    re.IGNORECASE | re.ASCII,
)
_ENDPOINT: Final = re.compile(r"\S+:[0-9]+/(?:tcp|udp)", re.IGNORECASE)
_PORT_OR_ZONE: Final = re.compile(r"(?<![:\]])[:%][^:]*$")
_PREFIX_LENGTH: Final = re.compile(r"[0-9.]+")
_DIGITS: Final[Mapping[ObservableType, int]] = {
    _T.FILE_MD5: 32, _T.FILE_SHA1: 40, _T.FILE_SHA256: 64, _T.FILE_SHA512: 128,
    _T.X509_SHA1: 40, _T.X509_SHA256: 64,
}  # fmt: skip
# A letter other than e, so that no reader takes it for a number.
_DIGEST: Final = {
    kind: re.compile(rf"(?=[0-9e]*[a-df])[0-9a-f]{{{digits}}}") for kind, digits in _DIGITS.items()
}


def families_of(kinds: Iterable[ObservableType]) -> list[Family]:
    """Return these kinds by family: both kinds of address together, every other kind alone."""
    chosen = frozenset(kinds)
    families = [ADDRESSES & chosen] if ADDRESSES & chosen else []
    return families + [frozenset({kind}) for kind in _T if kind in chosen - ADDRESSES]


def misreading(kind: ObservableType, line: str) -> str | None:
    """Return why a reader could take an untyped line for something else, or None.

    The words continue a sentence after the value: "could be read as an address". An autonomous
    system is written `AS64496`, since many readers take the bare number for an address.
    """
    plain = _PLAIN.get(kind)
    if plain is not None and plain(line):
        return None
    return _JUDGES.get(kind, _text)(kind, line)


def as_prefix(line: str) -> str | None:
    """Return why a URL without its scheme could be read as an address or prefix, or None."""
    host, slash, length = line.partition("/")
    if (slash and not _PREFIX_LENGTH.fullmatch(length)) or not is_address(
        _PORT_OR_ZONE.sub("", host.lower())
    ):
        return None
    return f"could be read as {'a prefix' if slash else 'an address'}"


def _value(kind: ObservableType, line: str) -> str | None:
    try:
        if canonical(kind, line) == Observable(kind, line):
            return None
    except UnfitValueError:
        pass
    return f"is not {_WORDS[kind]} that fits on one line"


def _no_address(kind: ObservableType, _line: str) -> str:
    return f"is not {_WORDS[kind]}"


def _digest(kind: ObservableType, line: str) -> str:
    return _value(kind, line) or "has no letter other than e, so it could be read as a number"


def _system(kind: ObservableType, line: str) -> str | None:
    named = _AUTONOMOUS_SYSTEM.fullmatch(line)
    return _value(kind, named[1]) if named else "is not an AS number after the letters AS"


def _email(_kind: ObservableType, line: str) -> str | None:
    local, at, host = line.rpartition("@")
    if not at or not names.is_plain_domain(host):
        return "is not an e-mail address with a domain name"
    if local.startswith('"'):
        return "has a quoted local part, in which readers may see other addresses"
    if not _PLAIN_LOCAL_PART.fullmatch(local):
        return "has a local part that could be read as a wildcard, a comment or another address"
    return None


def _url(_kind: ObservableType, line: str) -> str | None:
    if "*" in line:
        return "contains *, which readers take for a wildcard"
    if SCHEME.match(line):
        return None
    if "@" in line or not _BARE_URL.fullmatch(line):
        return "has no scheme, so it could be read as its host or as an e-mail address"
    if _ENDPOINT.fullmatch(line):
        return "could be read as an address with a port"
    return as_prefix(line)


def _text(kind: ObservableType, line: str) -> str | None:
    if words := pattern_like(line):
        return words
    if kind is not _T.REGISTRY_KEY and is_registry_key(line):
        return "could be read as a registry key"
    looks = looks_like(line)
    return f"could be read as {looks}" if looks else None


_WORDS: Final[Mapping[ObservableType, str]] = {
    **dict.fromkeys(ADDRESSES, "an address or prefix"),
    **dict.fromkeys(_DIGITS, "a hash"),
    _T.ENDPOINT: "an address with a port",
    _T.DOMAIN_NAME: "a domain name",
    _T.AUTONOMOUS_SYSTEM: "an AS number",
}
# Values that are beyond doubt, as nearly all are: a quick test that comes first.
_PLAIN: Final[Mapping[ObservableType, Callable[[str], object]]] = {
    **{kind: pattern.fullmatch for kind, pattern in _ADDRESS.items()},
    **{kind: pattern.fullmatch for kind, pattern in _DIGEST.items()},
    _T.DOMAIN_NAME: names.is_plain_domain,
    _T.URL: re.compile(r"[a-z][a-z0-9+.-]*://[!-)+-~]+").fullmatch,
}
_JUDGES: Final[Mapping[ObservableType, Callable[[ObservableType, str], str | None]]] = {
    **dict.fromkeys(ADDRESSES, _no_address),
    **dict.fromkeys(_DIGITS, _digest),
    _T.ENDPOINT: _value,
    _T.DOMAIN_NAME: _value,
    _T.AUTONOMOUS_SYSTEM: _system,
    _T.EMAIL_ADDR: _email,
    _T.URL: _url,
}
