"""Rows of targets as values that an allowlist is asked about, and its values as observables.

A target may keep less than an observable says, and so stop more: 203.0.113.0/24 for one address of
it, a host for one of its URLs. What a row is, an adapter's `held_as` tells.
"""

from collections.abc import Hashable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from connector.decisions.allowlist.values import DIGESTS, AllowValue, Kind, read_allow_value
from connector.model import Observable, ObservableType

__all__ = ["meant_by", "value_of_row"]

_T = ObservableType
_PAIR: Final = 2


def value_of_row(observable: Observable, key: Hashable) -> Observable | None:
    """Return what a row stops, given as its key or a text; None where that is no value.

    The text of a URL's row may be a host, that of a mailbox's row a domain, and that of an
    address's row a prefix.
    """
    if isinstance(key, tuple):
        told = len(key) == _PAIR and isinstance(key[0], ObservableType)
        return value_of_row(Observable(key[0], ""), key[1]) if told else None
    if not isinstance(key, str) or not key:
        return None
    if key == observable.value:
        return observable
    match observable.type:
        case _T.IPV4_ADDR | _T.IPV6_ADDR:
            return _network(key)
        case _T.ENDPOINT:
            return _network(key) or _network(key.rpartition(":")[0].strip("[]"))
        case _T.DOMAIN_NAME:
            return _of_kind(key, Kind.NAME, _T.DOMAIN_NAME)
        case _T.URL:
            return _network(key) or Observable(_T.URL, key)
        case _T.EMAIL_ADDR:
            return _mailbox(key)
        case _T.AUTONOMOUS_SYSTEM:
            return Observable(_T.AUTONOMOUS_SYSTEM, key) if key.isdecimal() else None
    return Observable(observable.type, key)


def meant_by(value: AllowValue) -> Iterator[Observable]:
    """Yield the observables that an allowlist value names; what contains more has a row of its own.

    Such as both schemes of a URL, and each type that a digest may be of.
    """
    text = value.text
    match value.kind:
        case Kind.NETWORK:
            if (network := _network(text)) is not None:
                yield network
        case Kind.NAME:
            yield Observable(_T.DOMAIN_NAME, text)
        case Kind.URL:
            yield from (Observable(_T.URL, f"{scheme}://{text}") for scheme in ("http", "https"))
        case Kind.MAIL:
            yield Observable(_T.EMAIL_ADDR, text)
        case Kind.DIGEST:
            yield from (Observable(kind, text) for kind in sorted(DIGESTS[len(text)]))
        case Kind.TEXT:
            kind, _, word = text.partition(":")
            yield Observable(_T(kind), word)
        case Kind.AS_NUMBERS:
            first, _, last = text.partition("-")
            if first == last:
                yield Observable(_T.AUTONOMOUS_SYSTEM, first)


def _network(text: str) -> Observable | None:
    try:
        network: IPv4Network | IPv6Network = ip_network(text, strict=False)
    except ValueError:
        return None
    kind = _T.IPV4_ADDR if network.version == 4 else _T.IPV6_ADDR
    single = network.prefixlen == network.max_prefixlen
    return Observable(kind, str(network.network_address if single else network))


def _mailbox(text: str) -> Observable | None:
    """Return a mailbox; of a domain alone, all of its mailboxes."""
    local, _, domain = text.rpartition("@")
    if local:
        return Observable(_T.EMAIL_ADDR, text)
    return _of_kind(domain, Kind.NAME, _T.EMAIL_ADDR, "*@")


def _of_kind(text: str, kind: Kind, meant: ObservableType, before: str = "") -> Observable | None:
    try:
        value = read_allow_value(text)
    except ValueError:
        return None
    return Observable(meant, before + value.text) if value.kind is kind else None
