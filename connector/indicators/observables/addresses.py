"""Canonical forms of IP addresses, prefixes, endpoints and autonomous systems."""

import re
from ipaddress import AddressValueError, IPv4Network, IPv6Network, NetmaskValueError
from typing import Final, TypeVar

from connector.indicators.observables.errors import UnfitValueError, shown
from connector.model import ObservableType

_N = TypeVar("_N", IPv4Network, IPv6Network)
_BYTE: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4: Final = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")
_IPV4_LIKE: Final = re.compile(r"[0-9]+(?:\.[0-9]+){3}(?:/.*)?")
_PREFIX_LENGTH: Final = re.compile(r"0|[1-9][0-9]{0,2}")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_ENDPOINT: Final = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[0-9.]+):(?P<port>[1-9][0-9]{0,4})/(?P<protocol>tcp|udp)",
    re.IGNORECASE,
)
_AUTONOMOUS_SYSTEM: Final = re.compile(r"(?:ASN?\s?)?(?P<number>[1-9][0-9]{0,9})", re.IGNORECASE)


class HostBitsError(UnfitValueError):
    """A prefix with bits set beyond its length: it may mean the host or its network."""


def network_of(text: str) -> tuple[ObservableType, str]:
    """Return the type and canonical form of the network of a prefix with host bits."""
    version = IPv4Network if IPV4.fullmatch(text.partition("/")[0]) else IPv6Network
    network = version(text, strict=False)
    return _canonical(_without_mapping(network) if isinstance(network, IPv6Network) else network)


def address(text: str) -> tuple[ObservableType, str]:
    """Return the type and canonical form of an address or prefix of either IP version."""
    if IPV4.fullmatch(text):
        return ObservableType.IPV4_ADDR, text
    host, slash, length = text.partition("/")
    if slash and not _PREFIX_LENGTH.fullmatch(length):
        raise UnfitValueError(f"prefix length {shown(length)} is not a plain number")
    if IPV4.fullmatch(host):
        return _canonical(_network(IPv4Network, text))
    if _IPV4_LIKE.fullmatch(text):
        raise UnfitValueError(f"{shown(text)} is not an IPv4 address: each part is 0 to 255, plain")
    if ":" not in host:
        raise UnfitValueError(f"{shown(text)} is not an IP address")
    if "%" in host:
        raise UnfitValueError(f"{shown(text)} has a zone, which only has a meaning on one host")
    return _canonical(_without_mapping(_network(IPv6Network, text)))


def endpoint(text: str) -> str:
    """Return the canonical form of an endpoint: address, port and protocol."""
    parts = _ENDPOINT.fullmatch(text)
    if parts is None:
        raise UnfitValueError(f"{shown(text)} is not written as address:port/tcp or /udp")
    if (port := int(parts["port"])) > 65535:
        raise UnfitValueError(f"port {port} is more than 65535")
    kind, host = address(parts["host"].strip("[]"))
    if kind is ObservableType.IPV6_ADDR:
        host = f"[{host}]"
    return f"{host}:{port}/{parts['protocol'].lower()}"


def autonomous_system(text: str) -> str:
    """Return the bare number of an autonomous system."""
    parts = _AUTONOMOUS_SYSTEM.fullmatch(text)
    if parts is None or int(parts["number"]) > 0xFFFFFFFF:
        raise UnfitValueError(f"{shown(text)} is not an autonomous system number")
    return parts["number"]


def _network(version: type[_N], text: str) -> _N:
    try:
        return version(text)
    except (AddressValueError, NetmaskValueError):
        raise UnfitValueError(f"{shown(text)} is not an IP address or prefix") from None
    except ValueError:
        raise HostBitsError(f"{shown(text)} has bits set beyond its prefix") from None


def _without_mapping(network: IPv6Network) -> IPv4Network | IPv6Network:
    if not network.subnet_of(_MAPPED):
        return network
    return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))


def _canonical(network: IPv4Network | IPv6Network) -> tuple[ObservableType, str]:
    kind = ObservableType.IPV4_ADDR if network.version == 4 else ObservableType.IPV6_ADDR
    if network.prefixlen == network.max_prefixlen:
        return kind, str(network.network_address)
    return kind, str(network)
