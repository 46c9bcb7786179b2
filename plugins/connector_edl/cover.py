"""Which lines say a whole list, where one line covers another: wide names, and prefixes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from connector.adapter import Observable
from connector_edl.dialect import VALUES, Lines, NotWritableError, Writer, domain

_Network = IPv4Network | IPv6Network
_COVERED = ""
_WIDEN = "which also stops {}; set `widen: true` to stop both, or list both"


@dataclass(frozen=True, slots=True)
class Names:
    """How a format says a name alone, all names below it, and both; None for what it cannot say.

    What it can only say wider is refused, unless both are listed or the file asks to `widen`.
    """

    both: Writer
    alone: Writer | None = None
    below: Writer | None = None

    def __call__(self, observables: Iterable[Observable], widen: bool) -> Lines:
        """Return the line of each name; it is empty where a line of another covers it."""
        lines: dict[Observable, str | NotWritableError] = {}
        alone: dict[str, Observable] = {}
        below: dict[str, Observable] = {}
        for observable in observables:
            try:
                name = domain(observable.value)
            except NotWritableError as refusal:
                lines[observable] = refusal
            else:
                (below if name.startswith("*.") else alone)[name.removeprefix("*.")] = observable
        wide = alone.keys() & below.keys()
        if widen:
            wide |= alone.keys() if self.alone is None else set()
            wide |= below.keys() if self.below is None else set()
        covering = wide if self.below is None else wide | below.keys()
        for name, observable in alone.items():
            lines[observable] = self._alone(name, wide, covering)
        for name, observable in below.items():
            lines[observable] = self._below(name, wide, covering, carried=name in alone)
        return lines

    def _alone(self, name: str, wide: set[str], covering: set[str]) -> str | NotWritableError:
        if _is_covered(name, covering):
            return _COVERED
        if name in wide:
            return self.both(name)
        if self.alone is None:
            return NotWritableError(
                f"can only be written so that it means more, {_WIDEN.format('all names below it')}"
            )
        return self.alone(name)

    def _below(
        self, name: str, wide: set[str], covering: set[str], *, carried: bool
    ) -> str | NotWritableError:
        if _is_covered(name, covering):
            return _COVERED
        if name in wide:
            return _COVERED if carried else self.both(name)
        if self.below is None:
            return NotWritableError(
                f"can only be written so that it means more, {_WIDEN.format('the name itself')}"
            )
        return self.below(name)


def _is_covered(name: str, covering: set[str]) -> bool:
    """Return whether all below a parent of this name is stopped."""
    _, dot, parent = name.partition(".")
    while dot:
        if parent in covering:
            return True
        _, dot, parent = parent.partition(".")
    return False


def uncovered(observables: Iterable[Observable], _widen: bool) -> Lines:
    """Return the line of each address or prefix; empty where a wider one of the list covers it."""
    return _prefix_lines(observables, join=False)


def collapsed(observables: Iterable[Observable], _widen: bool) -> Lines:
    """Return the fewest prefixes that hold these addresses and no other, on the first of each."""
    return _prefix_lines(observables, join=True)


def _prefix_lines(observables: Iterable[Observable], *, join: bool) -> Lines:
    lines: dict[Observable, str | NotWritableError] = {}
    found: dict[int, list[tuple[int, int, Observable]]] = {4: [], 6: []}
    for observable in observables:
        try:
            network = ip_network(VALUES[observable.type](observable.value))
        except ValueError as refusal:
            lines[observable] = NotWritableError(str(refusal))
        else:
            size = network.max_prefixlen - network.prefixlen
            found[network.version].append((int(network.network_address), size, observable))
            lines[observable] = _COVERED
    for version, networks in found.items():
        for start, size, first in _kept(networks, join=join):
            lines[first] = first.value if not join else _written(version, start, size)
    return lines


def _kept(
    networks: list[tuple[int, int, Observable]], *, join: bool
) -> Iterator[tuple[int, int, Observable]]:
    """Yield the networks that no other holds, halves joined to the whole that they make."""
    networks.sort(key=lambda one: (one[0], -one[1]))
    kept: list[tuple[int, int, Observable]] = []
    end = -1
    for start, size, first in networks:
        if start <= end:
            continue
        end = start + (1 << size) - 1
        kept.append((start, size, first))
        while join and len(kept) > 1 and _halves(kept[-2], kept[-1]):
            _, half, _ = kept.pop()
            left, _, carrier = kept[-1]
            kept[-1] = (left, half + 1, carrier)
    return iter(kept)


def _halves(left: tuple[int, int, Observable], right: tuple[int, int, Observable]) -> bool:
    return left[1] == right[1] and left[0] ^ right[0] == 1 << left[1]


def _written(version: int, start: int, size: int) -> str:
    network: _Network = (
        IPv4Network((start, 32 - size)) if version == 4 else IPv6Network((start, 128 - size))
    )
    return str(network.network_address if size == 0 else network)
