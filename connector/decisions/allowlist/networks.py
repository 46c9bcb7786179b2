"""Addresses and networks as numbers, and spans of numbers found by binary search."""

import re
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from ipaddress import IPv6Address, ip_network
from typing import Final, NamedTuple

__all__ = [
    "Network",
    "Ranges",
    "Span",
    "address_number",
    "is_address",
    "read_ipv4_networks",
    "read_network",
]

_IPV4: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_DIGITS: Final = re.compile(r"[0-9]{1,3}")
_OCTET: Final = "(?:0|[1-9][0-9]{0,2})"  # a leading zero may mean eight's digits
_IPV4_LINE: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}(?:/[0-9]+)?"
_IPV4_NETWORK: Final = re.compile(_IPV4_LINE)
_IPV4_LINES: Final = re.compile(rf"(?:{_IPV4_LINE}\n)*{_IPV4_LINE}")


class Network(NamedTuple):
    """The addresses of a network, as numbers."""

    version: int
    first: int
    last: int

    @property
    def text(self) -> str:
        """Return the network as people write it."""
        version, first, last = self
        return _written(version, first) if first == last else self.prefix

    @property
    def prefix(self) -> str:
        """Return the network with its length, also where it is one address."""
        version, first, last = self
        length = (32 if version == 4 else 128) - (last - first).bit_length()
        return f"{_written(version, first)}/{length}"


def _written(version: int, number: int) -> str:
    if version == 4:
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return str(IPv6Address(number))


def is_address(host: str) -> bool:
    """Return whether a host is written as an address."""
    return ":" in host or (host[-1:].isdigit() and _IPV4.fullmatch(host) is not None)


def address_number(text: str) -> tuple[int, int]:
    """Return the IP version and the number of an address in its canonical form."""
    if ":" in text:
        return 6, int(IPv6Address(text))
    first, second, third, fourth = text.split(".")
    return 4, int(first) << 24 | int(second) << 16 | int(third) << 8 | int(fourth)


def read_network(text: str) -> Network | None:
    """Return the network or address that a text is; None if it is neither, or everything."""
    if not _IPV4_NETWORK.fullmatch(text):
        return _read_network(text)
    address, _, length = text.partition("/")
    first, second, third, fourth = map(int, address.split("."))
    bits = int(length or 32)
    size = 1 << 32 - bits if 0 < bits <= 32 else 0
    if not size or (first | second | third | fourth) & ~255:
        return None
    start = (first << 24 | second << 16 | third << 8 | fourth) & -size
    return Network(4, start, start + size - 1)


def _read_network(text: str) -> Network | None:
    address, slash, length = text.partition("/")
    try:
        if ":" in address and "%" not in address and (not slash or _DIGITS.fullmatch(length)):
            return _ipv6_network(int(IPv6Address(address)), int(length or 128))
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    if network.prefixlen == 0:
        return None
    first, size = int(network.network_address), network.num_addresses
    return Network(network.version, first, first + size - 1)


def _ipv6_network(number: int, bits: int) -> Network | None:
    if not 0 < bits <= 128:
        return None
    size = 1 << 128 - bits
    first = number & -size
    return Network(6, first, first + size - 1)


def read_ipv4_networks(texts: list[str]) -> list[tuple[int, int]] | None:
    """Return first and last address of IPv4 networks, read all at once; None where one is not."""
    if not _IPV4_LINES.fullmatch("\n".join(texts)):
        return None
    hosts = [text for text in texts if "/" not in text]
    networks = [text for text in texts if "/" in text]
    try:
        found = [(number, number) for number in _numbers(hosts)]
        lengths = [int(text.partition("/")[2]) for text in networks]
        firsts = _numbers([text.partition("/")[0] for text in networks])
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


Span = tuple[int, int, int]  # first and last number, and the owner: there are many


class Ranges:
    """Spans of numbers with their owners, cut into pieces that do not overlap."""

    __slots__ = ("_firsts", "_lasts", "_owners")

    def __init__(self, spans: Sequence[Span] = ()) -> None:
        """Take spans in the order in which they count: the first of those that have a number."""
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._owners: list[int] = []
        before = -1
        for first, last, place in _pieces(spans):
            if place == before:
                self._lasts[-1] = last
                continue
            before = place
            self._firsts.append(first)
            self._lasts.append(last)
            self._owners.append(spans[place][2])

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __getitem__(self, place: int) -> Span:
        return self._firsts[place], self._lasts[place], self._owners[place]

    def touching(self, first: int, last: int) -> range:
        """Return the places of the pieces that share a number with first to last."""
        end = bisect_right(self._firsts, last)
        if not end or self._lasts[end - 1] < first:  # as nearly always
            return _NOWHERE
        return range(bisect_left(self._lasts, first, 0, end), end)


_NOWHERE: Final = range(0)


def _pieces(spans: Sequence[Span]) -> Iterator[tuple[int, int, int]]:
    """Sweep over all spans and yield pieces: first and last number, and the place of the span."""
    open_spans: list[int] = []
    begin = 0
    for place in sorted(range(len(spans)), key=lambda place: spans[place][0]):
        first = spans[place][0]
        yield from _closing(spans, open_spans, begin, first - 1)
        begin = first
        heappush(open_spans, place)
    yield from _closing(spans, open_spans, begin, None)


def _closing(
    spans: Sequence[Span], open_spans: list[int], begin: int, end: int | None
) -> Iterator[tuple[int, int, int]]:
    """Yield the pieces of open spans up to a number, or all, and drop the spans that end."""
    while open_spans and (end is None or begin <= end):
        place = open_spans[0]
        last = spans[place][1]
        if last < begin:
            heappop(open_spans)
            continue
        yield begin, last if end is None else min(last, end), place
        begin = last + 1
