"""Keys of an access map: from an observable, and back.

Only values of a strict form become keys, so no value can add a line, an action or a pattern.
"""

import re
import socket
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Final

import idna

from connector.adapter import Observable, ObservableType, observable_of

_T = ObservableType
MARKER: Final = "ti-digest.invalid"
_LONGEST_KEY: Final = 510  # LMDB allows 511 bytes, and Postfix expects a NUL at the end

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN: Final = re.compile(rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?")
# Without what Postfix or its text format reads in another way: space " # ( ) , : ; < > @ [ \ ]
_ATOM: Final = r"[a-z0-9!$%&'*+/=?^_`{|}~-]+"
_LOCAL_PART: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_IPV4_START: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}")


def keys_of(observable: Observable) -> tuple[str, ...]:
    """Return the key of an observable and its other forms; a ValueError says why it has none."""
    keys = _KEYS.get(observable.type)
    if keys is None:
        raise ValueError(f"an access map has no keys for {observable.type}")
    return keys(observable.value)


def _domain_keys(value: str) -> tuple[str, ...]:
    dot, name = (".", value[2:]) if value.startswith("*.") else ("", value)
    _check_domain(name)
    return _with_unicode_form(dot, name)


def _address_keys(value: str) -> tuple[str, ...]:
    local, at, domain = value.rpartition("@")
    if not at or len(local) > 64 or not _LOCAL_PART.fullmatch(local):
        raise ValueError("has a local part that is not safe in an access map")
    _check_domain(domain)
    if len(value) > 254:
        raise ValueError("is longer than the 254 characters of an e-mail address")
    return _with_unicode_form(f"{local}@", domain)


def _check_domain(name: str) -> None:
    if len(name) > 253 or not _DOMAIN.fullmatch(name):
        raise ValueError("is not a domain name in lower case with at least two labels")
    if name == MARKER:
        raise ValueError("is the name that marks our maps")


def _with_unicode_form(start: str, name: str) -> tuple[str, ...]:
    """Postfix looks up a domain as it was sent, and SMTPUTF8 allows it in Unicode."""
    if "xn--" not in name:
        return (start + name,)
    try:
        in_unicode = start + idna.decode(name)
    except idna.IDNAError:
        return (start + name,)
    is_key = not in_unicode.isascii() and len(in_unicode.encode()) <= _LONGEST_KEY
    return (start + name, in_unicode) if is_key else (start + name,)


def _ipv4_keys(value: str) -> tuple[str, ...]:
    if "/" not in value:
        return (_address(socket.AF_INET, value),)
    network = IPv4Network(value)
    if str(network) != value or network.prefixlen not in {8, 16, 24}:
        raise ValueError("an lmdb map matches IPv4 prefixes of /8, /16 and /24 only")
    return (".".join(value.split(".")[: network.prefixlen // 8]),)


def _ipv6_keys(value: str) -> tuple[str, ...]:
    if "/" not in value:
        return (_address(socket.AF_INET6, value),)
    network = IPv6Network(value)
    groups, rest = divmod(network.prefixlen, 16)
    if str(network) != value or rest or not 2 <= groups <= 7:
        raise ValueError("an lmdb map matches IPv6 prefixes of /32, /48, /64, /80, /96, /112 only")
    parts = [part.lstrip("0") for part in network.network_address.exploded.split(":")[:groups]]
    # Postfix removes groups from the right of the shortest form, which may leave zeros out.
    if not all(parts):
        raise ValueError("an lmdb map cannot match an IPv6 prefix with a group of zeros")
    return (":".join(parts),)


def _address(family: socket.AddressFamily, value: str) -> str:
    """Postfix looks up a client by its address as the C library writes it."""
    try:
        written = socket.inet_ntop(family, socket.inet_pton(family, value))
    except OSError:
        raise ValueError("is not an address of its type") from None
    if written != value:
        raise ValueError(f"is looked up as {written} by Postfix")
    return value


_KEYS: Final[Mapping[ObservableType, Callable[[str], tuple[str, ...]]]] = {
    _T.DOMAIN_NAME: _domain_keys,
    _T.EMAIL_ADDR: _address_keys,
    _T.IPV4_ADDR: _ipv4_keys,
    _T.IPV6_ADDR: _ipv6_keys,
}


def sender_of(key: str) -> Observable | None:
    """Return the observable of a key in a sender map; None for another form of a key."""
    if not key.isascii():
        return None
    if "@" in key:
        return Observable(_T.EMAIL_ADDR, key)
    return Observable(_T.DOMAIN_NAME, f"*{key}" if key.startswith(".") else key)


def client_of(key: str) -> Observable:
    """Return the observable of a key in a client map."""
    if _IPV4_START.fullmatch(key):
        parts = key.split(".")
        missing = ".0" * (4 - len(parts))
        return Observable(_T.IPV4_ADDR, f"{key}{missing}/{8 * len(parts)}" if missing else key)
    groups = key.count(":") + 1
    if "::" in key or groups == 8:
        found = observable_of(_T.IPV6_ADDR, key)
        exact = found is not None and found.value == key  # Postfix looks up no other spelling
        return Observable(_T.IPV6_ADDR if exact else _T.DOMAIN_NAME, key)
    whole = key + ":0" * (8 - groups)
    try:
        return Observable(_T.IPV6_ADDR, str(IPv6Network(f"{whole}/{16 * groups}")))
    except ValueError:  # a host name that someone else added
        return Observable(_T.DOMAIN_NAME, key)
