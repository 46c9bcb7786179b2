"""Which of our sets an observable belongs to, and as which element.

Hosts, ports and each prefix length have a plain hash set of their own: `block_v4`, `block_v6`,
`block_v4_port`, `block_v4_24`, `block_v6_48`. The rule that looks up a packet's address masks it.
Interval sets, the usual choice for prefixes, refuse nested prefixes or merge them (so that they
read back as something else), and deleting a hundred of 100,000 elements takes nft 15 s.
"""

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Final

from connector.adapter import Observable, ObservableType

PROTOCOLS: Final = {"tcp": 6, "udp": 17, "sctp": 132}
_PROTOCOL_NAMES: Final = {number: name for name, number in PROTOCOLS.items()}
_SUFFIX: Final = re.compile(r"v(4|6)(?:_(port|[1-9][0-9]{0,2}))?")
_ENDPOINT: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([1-9][0-9]{0,4})/([a-z]+)")
_FLAGS_THAT_CHANGE_ELEMENTS: Final = 0x04 | 0x08  # interval, map


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """The facts of one version of the Internet protocol: `V4` or `V6`."""

    number: int
    bits: int
    family: socket.AddressFamily
    header: str
    nft_type: str
    type_number: int
    observable: ObservableType


V4: Final = Version(4, 32, socket.AF_INET, "ip", "ipv4_addr", 7, ObservableType.IPV4_ADDR)
V6: Final = Version(6, 128, socket.AF_INET6, "ip6", "ipv6_addr", 8, ObservableType.IPV6_ADDR)
_VERSIONS: Final = {"4": V4, "6": V6}


@dataclass(frozen=True, slots=True, eq=False)
class SetKind:
    """One of our sets: hosts, prefixes of one length, or addresses with a port; see `kind_of`."""

    version: Version
    prefix: int | None = None
    port: bool = False

    @property
    def suffix(self) -> str:
        """The end of the set's name."""
        detail = "_port" if self.port else f"_{self.prefix}" if self.prefix else ""
        return f"v{self.version.number}{detail}"

    @property
    def declaration(self) -> str:
        """The type of its elements, as nft writes it."""
        ports = " . inet_proto . inet_service" if self.port else ""
        return f"type {self.version.nft_type}{ports};"

    @property
    def key_type(self) -> int:
        """The type of its elements, as nft numbers it: six bits for each part."""
        number = self.version.type_number
        return (number << 6 | 12) << 6 | 13 if self.port else number

    def has_shape(self, flags: int, key_type: int) -> bool:
        """Return whether the elements of a set declared like this are ours to read."""
        return key_type == self.key_type and not flags & _FLAGS_THAT_CHANGE_ELEMENTS

    def match(self, side: str) -> str:
        """Return what a rule compares with the set; `side` is `s` (source) or `d` (destination)."""
        address = f"{self.version.header} {side}addr"
        if self.port:
            return f"{address} . meta l4proto . th {side}port"
        return f"{address} & {self._mask()}" if self.prefix else address

    def _mask(self) -> str:
        bits = self.version.bits
        mask = (1 << bits) - (1 << bits - (self.prefix or 0))
        return socket.inet_ntop(self.version.family, mask.to_bytes(bits // 8, "big"))

    def reader(self) -> Callable[[bytes], Observable]:
        """Return the function that makes an observable of an element's key."""
        kind, suffix = self.version.observable, f"/{self.prefix}" if self.prefix else ""
        if self.port:
            return self._endpoint
        return lambda key: Observable(kind, _write(self.version, key) + suffix)

    def key(self, element: str) -> bytes:
        """Return the kernel's key of an element, which is written as `place` returns it."""
        address, *port = element.split(" . ")
        packed = socket.inet_pton(self.version.family, address)
        if port:
            protocol, number = port
            packed += bytes((PROTOCOLS[protocol], 0, 0, 0))
            packed += int(number).to_bytes(2, "big") + bytes(2)
        return packed

    def _endpoint(self, key: bytes) -> Observable:
        size = self.version.bits // 8
        address = _write(self.version, key[:size])
        host = f"[{address}]" if self.version is V6 else address
        port = int.from_bytes(key[size + 4 : size + 6], "big")
        protocol = _PROTOCOL_NAMES.get(key[size], str(key[size]))
        return Observable(ObservableType.ENDPOINT, f"{host}:{port}/{protocol}")


def kind_of(version: Version, prefix: int | None = None, port: bool = False) -> SetKind:
    """Return the kind, always the same object for the same arguments."""
    return _kind_of(version, prefix, port)


@cache  # the cache treats an omitted default as other arguments
def _kind_of(version: Version, prefix: int | None, port: bool) -> SetKind:
    return SetKind(version, prefix, port)


def kind_named(suffix: str) -> SetKind | None:
    """Return the kind whose sets have names with this suffix."""
    found = _SUFFIX.fullmatch(suffix)
    if not found:
        return None
    version, detail = _VERSIONS[found[1]], found[2]
    if detail is None or detail == "port":
        return kind_of(version, None, detail == "port")
    return kind_of(version, int(detail)) if int(detail) < version.bits else None


def place(observable: Observable) -> tuple[SetKind, str]:
    """Return the set's kind and the element; a ValueError says why there is none."""
    value = observable.value
    match observable.type:
        case ObservableType.IPV4_ADDR:
            return _place_address(V4, value)
        case ObservableType.IPV6_ADDR:
            return _place_address(V6, value)
        case ObservableType.ENDPOINT:
            return _place_endpoint(value)
    raise ValueError(f"nftables has no set for {observable.type}")


def _place_address(version: Version, value: str) -> tuple[SetKind, str]:
    if "/" not in value:
        _check_host(version, value)
        return kind_of(version), value
    network = ip_network(value)
    if network.version != version.number or str(network) != value:
        raise ValueError(f"is not a canonical IPv{version.number} prefix")
    if not 0 < network.prefixlen < version.bits:
        raise ValueError(f"is not a prefix of 1 to {version.bits - 1} bits")
    return kind_of(version, network.prefixlen), str(network.network_address)


def _place_endpoint(value: str) -> tuple[SetKind, str]:
    found = _ENDPOINT.fullmatch(value)
    if not found:
        raise ValueError("is not an endpoint such as 203.0.113.7:443/tcp")
    bracketed, plain, port, protocol = found.groups()
    version, address = (V6, bracketed) if bracketed else (V4, plain)
    _check_host(version, address)
    if int(port) > 65535 or protocol not in PROTOCOLS:
        raise ValueError(f"has no port of {', '.join(PROTOCOLS)}")
    return kind_of(version, None, True), f"{address} . {protocol} . {port}"


def _check_host(version: Version, value: str) -> None:
    """The C library's round trip is five times faster than `ipaddress`, with the same result."""
    try:
        if _write(version, socket.inet_pton(version.family, value)) == value:
            return
    except OSError:
        pass
    raise ValueError(f"is not a canonical IPv{version.number} address")


def _write(version: Version, key: bytes) -> str:
    text = socket.inet_ntop(version.family, key)
    # The C library writes the last 32 bits of some addresses as IPv4 (::ffff:192.0.2.1).
    return str(ip_address(key)) if version is V6 and "." in text else text
