"""Which of our sets an observable belongs to, and as which element."""

import re
import socket
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

from connector.adapter import Observable, ObservableType, observable_of

__all__ = ["KINDS", "LARGEST", "SetKind", "place"]

LARGEST: Final = 2_000_000
"""Elements of a set at most: ipset's own 65,536 are too few, and memory grows with use."""

_T = ObservableType
_HOST: Final = {4: "/32", 6: "/128"}
_PROTOCOLS: Final = frozenset({"tcp", "udp", "sctp"})
_ENDPOINT: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([1-9][0-9]{0,4})/([a-z]+)")


@dataclass(frozen=True, slots=True)
class SetKind:
    """One of our sets: addresses and prefixes of a version, or addresses with a port."""

    version: int
    port: bool = False

    @property
    def type(self) -> str:
        """The set's type, as ipset names it."""
        return "hash:ip,port" if self.port else "hash:net"

    @property
    def family(self) -> str:
        """The family of its addresses, as ipset names it."""
        return "inet" if self.version == 4 else "inet6"

    def name(self, beginning: str) -> str:
        """Return the set's name."""
        return f"{beginning}_v{self.version}{'_port' if self.port else ''}"

    def create(self, name: str) -> str:
        """Return the command that makes such a set."""
        return f"create {name} {self.type} family {self.family} maxelem {LARGEST}"

    def observable(self, element: str) -> Observable:
        """Return what an element means; what means nothing to us is a text, which no list has."""
        if self.port:
            address, _, rest = element.partition(",")
            protocol, _, port = rest.partition(":")
            host = address if self.version == 4 else f"[{address}]"
            found = observable_of(_T.ENDPOINT, f"{host}:{port}/{protocol}")
        else:
            found = observable_of(_T.IPV4_ADDR, element)
        return found or Observable(_T.MUTEX, element)

    def respell(self, element: str) -> str:
        """Return an element in our spelling: the kernel writes some IPv6 addresses as IPv4."""
        if self.version == 4 or "." not in element:
            return element
        try:
            return place(self.observable(element))[1]
        except ValueError:
            return element


KINDS: Final = (SetKind(4), SetKind(6), SetKind(4, port=True), SetKind(6, port=True))
_ADDRESSES: Final = {_T.IPV4_ADDR: KINDS[0], _T.IPV6_ADDR: KINDS[1]}


def place(observable: Observable) -> tuple[SetKind, str]:
    """Return the set's kind and the element; a ValueError says why there is none."""
    value = observable.value
    if observable.type is _T.ENDPOINT:
        return _endpoint(value)
    kind = _ADDRESSES.get(observable.type)
    if kind is None:
        raise ValueError(f"ipset has no set for {observable.type}")
    if _is_host(kind.version, value):
        return kind, value
    network = ip_network(value)
    if network.version != kind.version or str(network).removesuffix(_HOST[kind.version]) != value:
        raise ValueError(f"is not a canonical IPv{kind.version} address or prefix")
    if not network.prefixlen:
        raise ValueError("ipset has no element for all addresses")
    return kind, value


def _is_host(version: int, value: str) -> bool:
    """The C library's round trip is five times faster than `ipaddress`, which reads the rest."""
    if version == 6 and "." in value:
        return False
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, value)) == value
    except OSError:
        return False


def _endpoint(value: str) -> tuple[SetKind, str]:
    found = _ENDPOINT.fullmatch(value)
    if not found or observable_of(_T.ENDPOINT, value) != Observable(_T.ENDPOINT, value):
        raise ValueError("is not an endpoint such as 203.0.113.7:443/tcp")
    bracketed, plain, port, protocol = found.groups()
    if protocol not in _PROTOCOLS:
        raise ValueError(f"has no port of {', '.join(sorted(_PROTOCOLS))}")
    return KINDS[3 if bracketed else 2], f"{bracketed or plain},{protocol}:{port}"
