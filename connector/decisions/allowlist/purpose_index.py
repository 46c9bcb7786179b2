"""One index of allowlist values, asked who protects an observable: by containment, both ways."""

import re
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv6Address, ip_network
from typing import Final

from connector.decisions.allowlist.builtin import BuiltinGroup
from connector.decisions.allowlist.index import (
    Names,
    Paths,
    Protection,
    Ranges,
    Span,
    ipv4_number,
    keep,
    lasting,
    live,
)
from connector.decisions.allowlist.public_suffixes import PublicSuffixes
from connector.decisions.allowlist.url_paths import is_root, split_url, url_steps
from connector.decisions.allowlist.values import AllowValue, Kind, Scope
from connector.model import Observable, ObservableType

__all__ = ["AllowIndex", "Draft"]

_IPV4: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")


class Draft:
    """The parts of an index while it is put together."""

    def __init__(self) -> None:
        self.spans: dict[int, list[Span]] = {4: [], 6: []}
        self.as_numbers: list[Span] = []
        self.names = Names()
        self.paths = Paths()
        self.texts: dict[str, Protection] = {}

    def add(self, value: AllowValue, scope: Scope, protection: Protection) -> None:
        """Put one value where look-ups will find it."""
        match value.kind:
            case Kind.NETWORK:
                self._add_network(value.text, protection)
            case Kind.AS_NUMBERS:
                first, _, last = value.text.partition("-")
                self.as_numbers.append(Span(int(first), int(last), protection))
            case Kind.NAME:
                self._add_name(value.text, scope, protection)
            case Kind.URL:
                self._add_url(value.text, protection)
            case Kind.MAIL:
                keep(self.texts, value.text, protection)
                self.names.add_shared(value.text.rpartition("@")[2], protection)
            case _:
                keep(self.texts, value.text, protection)

    def _add_network(self, text: str, protection: Protection) -> None:
        network = ip_network(text)
        first = int(network.network_address)
        span = Span(first, first + network.num_addresses - 1, protection)
        self.spans[network.version].append(span)

    def _add_name(self, name: str, scope: Scope, protection: Protection) -> None:
        match scope:
            case Scope.TREE:
                self.names.add_tree(name, protection)
            case Scope.HOST:
                self.names.add_host(name, protection)
            case Scope.NAMES:
                self.names.add_names(name, protection)
            case _:
                self.names.add_shared(name, protection)

    def _add_url(self, url: str, protection: Protection) -> None:
        """Protect a URL, and its host from being stopped as a whole."""
        steps = url_steps(url)
        self.paths.add(steps, protection)
        if _is_address(steps[0]):
            self._add_network(steps[0], protection)
        else:
            self.names.add_shared(steps[0], protection)


class AllowIndex:
    """Answers who protects an observable; made once of a draft and never changed.

    Prefixes shorter than the two bounds are protected as `wide_prefixes`.
    """

    def __init__(
        self,
        draft: Draft,
        suffixes: PublicSuffixes | None = None,
        shortest: tuple[int, int] = (0, 0),
    ) -> None:
        self._ipv4 = Ranges(draft.spans[4])
        self._ipv6 = Ranges(draft.spans[6])
        self._as_numbers = Ranges(draft.as_numbers)
        self._names = draft.names
        self._paths = draft.paths
        self._texts = draft.texts
        self._suffixes = suffixes
        self._shortest_ipv4, self._shortest_ipv6 = shortest
        self._by_type: dict[str, Callable[[str, datetime], Protection | None]] = {
            ObservableType.IPV4_ADDR: self._of_ipv4,
            ObservableType.IPV6_ADDR: self._of_ipv6,
            ObservableType.ENDPOINT: self._of_endpoint,
            ObservableType.DOMAIN_NAME: self._of_domain,
            ObservableType.URL: self._of_url,
            ObservableType.FILE_MD5: self._of_digest,
            ObservableType.FILE_SHA1: self._of_digest,
            ObservableType.FILE_SHA256: self._of_digest,
            ObservableType.FILE_SHA512: self._of_digest,
            ObservableType.X509_SHA1: self._of_digest,
            ObservableType.X509_SHA256: self._of_digest,
            ObservableType.AUTONOMOUS_SYSTEM: self._of_as_number,
        }

    def find(self, observable: Observable, now: datetime) -> Protection | None:
        """Return who protects a canonical observable, of several who does so longest."""
        if observable.type is ObservableType.EMAIL_ADDR:
            return self._of_mail(observable, now)
        ask = self._by_type.get(observable.type)
        if ask is not None:
            return ask(observable.value, now)
        if not self._texts:
            return None
        text = f"{observable.type}:{observable.value.casefold()}"
        return live(self._texts.get(text), now)

    def _of_ipv4(self, value: str, now: datetime) -> Protection | None:
        address, slash, length = value.partition("/")
        first = ipv4_number(address)
        if not slash:
            return self._ipv4.at(first, now)
        if int(length) < self._shortest_ipv4:
            return _wide(self._shortest_ipv4)
        return self._ipv4.touching(first, first + (1 << 32 - int(length)) - 1, now)

    def _of_ipv6(self, value: str, now: datetime) -> Protection | None:
        address, slash, length = value.partition("/")
        first = int(IPv6Address(address))
        if not slash:
            return self._ipv6.at(first, now)
        if int(length) < self._shortest_ipv6:
            return _wide(self._shortest_ipv6)
        return self._ipv6.touching(first, first + (1 << 128 - int(length)) - 1, now)

    def _of_endpoint(self, value: str, now: datetime) -> Protection | None:
        return self._of_host(value.rpartition(":")[0].strip("[]"), now)

    def _of_host(self, host: str, now: datetime) -> Protection | None:
        """Return who protects all that is at a host."""
        if ":" in host:
            return self._ipv6.at(int(IPv6Address(host)), now)
        if _IPV4.fullmatch(host):
            return self._ipv4.at(ipv4_number(host), now)
        return self._names.find_host(host, now)

    def _of_domain(self, value: str, now: datetime) -> Protection | None:
        """Return who protects a name; `*.name` is held like the name, as targets differ on it."""
        name = value.removeprefix("*.")
        if self._suffixes is not None and name in self._suffixes:
            return Protection(BuiltinGroup.PUBLIC_SUFFIXES, name, why="public suffix")
        return self._names.find(name, now)

    def _of_url(self, value: str, now: datetime) -> Protection | None:
        host, path = split_url(value)
        found = self._of_host(host, now)
        if is_root(path) and not _is_address(host):
            # Targets widen a URL without path to its whole host, some to the names below it too.
            found = lasting(self._of_domain(host, now), found)
        return lasting(self._paths.find(url_steps(value), now), found) if self._paths else found

    def _of_mail(self, observable: Observable, now: datetime) -> Protection | None:
        """Return who protects an address; one with a wildcard stands for its whole domain."""
        address = observable.value.lower()
        host = address.rpartition("@")[2]
        if host.startswith("["):
            by_host = self._of_host(host.strip("[]").removeprefix("ipv6:"), now)
        elif observable.wild:
            by_host = self._of_domain(host, now)
        else:
            by_host = self._names.find_host(host, now)
        return lasting(live(self._texts.get(address), now), by_host)

    def _of_digest(self, value: str, now: datetime) -> Protection | None:
        return live(self._texts.get(value), now)

    def _of_as_number(self, value: str, now: datetime) -> Protection | None:
        return self._as_numbers.at(int(value.upper().removeprefix("AS")), now)


def _is_address(host: str) -> bool:
    return ":" in host or _IPV4.fullmatch(host) is not None


def _wide(shortest: int) -> Protection:
    return Protection(
        BuiltinGroup.WIDE_PREFIXES,
        f"prefixes shorter than /{shortest}",
        why="so wide an entry stops many who did nothing",
    )
