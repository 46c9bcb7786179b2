"""Who protects an observable: the built-in floor, site files, exceptions, warninglists, both ways.

A prefix is protected when it touches a protected address; a domain when it is at, below or above
a protected name; a URL when its host must never be stopped, or when it is nothing but a host that
many share. Public suffixes protect themselves only: `gov` is one, `agency.gov` is not.
"""

import re
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from ipaddress import IPv6Address, ip_network
from typing import Final, Self

from connector.decisions.allow_values import (
    AllowValue,
    ExceptionRule,
    Kind,
    Scope,
    SiteRule,
    parse_site_lines,
    read_allow_value,
)
from connector.decisions.containment import (
    Names,
    Paths,
    Protection,
    Ranges,
    Span,
    keep,
    lasting,
    live,
)
from connector.decisions.protected import BuiltinGroup, builtin_rules
from connector.decisions.public_suffixes import PublicSuffixes
from connector.decisions.url_paths import is_root, split_url, url_steps
from connector.decisions.warninglists import WarninglistIndex
from connector.model import Observable, ObservableType

__all__ = [
    "Allowlist",
    "BuiltinGroup",
    "ExceptionRule",
    "Protection",
    "Scope",
    "SiteRule",
    "parse_site_lines",
    "read_allow_value",
]

_IPV4: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")


class _Draft:
    """The parts of an allowlist while it is put together."""

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


class Allowlist:
    """Answers who protects an observable; made once with `build` and never changed."""

    def __init__(
        self,
        draft: _Draft,
        suffixes: PublicSuffixes | None,
        shortest: tuple[int, int],
        warninglists: WarninglistIndex | None,
    ) -> None:
        self._ipv4 = Ranges(draft.spans[4])
        self._ipv6 = Ranges(draft.spans[6])
        self._as_numbers = Ranges(draft.as_numbers)
        self._names = draft.names
        self._paths = draft.paths
        self._texts = draft.texts
        self._suffixes = suffixes
        self._shortest_ipv4, self._shortest_ipv6 = shortest
        self.warninglists = warninglists
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

    @classmethod
    def build(
        cls,
        *,
        without: Collection[str] = (),
        site: Iterable[SiteRule] = (),
        exceptions: Iterable[ExceptionRule] = (),
        own_hosts: Iterable[str] = (),
        shortest_ipv4: int = 16,
        shortest_ipv6: int = 32,
        warninglists: WarninglistIndex | None = None,
    ) -> Self:
        """Return the index of the built-in groups but `without`, and of what a site adds.

        Prefixes shorter than the two bounds are protected as `wide_prefixes`. A value that cannot
        be read raises ValueError: a rule left out in silence would be one not kept.
        """
        if unknown := set(without) - set(BuiltinGroup):
            raise ValueError(
                f"not a built-in group: {', '.join(sorted(unknown))}; "
                f"should be among {', '.join(BuiltinGroup)}"
            )
        draft = _Draft()
        _add_builtin(draft, without)
        if BuiltinGroup.OWN_HOSTS not in without:
            _add_own_hosts(draft, own_hosts)
        for rule in site:
            _add_rule(draft, rule, rule.group, rule.scope)
        for exception in exceptions:
            _add_rule(draft, exception, "exception", Scope.TREE)
        suffixed = BuiltinGroup.PUBLIC_SUFFIXES not in without
        bounded = BuiltinGroup.WIDE_PREFIXES not in without
        return cls(
            draft,
            PublicSuffixes.shipped() if suffixed else None,
            (shortest_ipv4, shortest_ipv6) if bounded else (0, 0),
            warninglists,
        )

    def protects(self, observable: Observable, now: datetime) -> Protection | None:
        """Return who protects a canonical observable, of several who does so longest."""
        found = self._found(observable, now)
        if self.warninglists is None or (found is not None and found.until is None):
            return found
        return lasting(found, self.warninglists.protects(observable))

    def _found(self, observable: Observable, now: datetime) -> Protection | None:
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
        first = _ipv4_number(address)
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
            return self._ipv4.at(_ipv4_number(host), now)
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


def _add_builtin(draft: _Draft, without: Collection[str]) -> None:
    for rule in builtin_rules(without):
        protection = Protection(rule.group, rule.value, why=rule.why)
        draft.add(read_allow_value(rule.value), rule.scope, protection)


def _add_rule(draft: _Draft, rule: SiteRule | ExceptionRule, group: str, scope: Scope) -> None:
    why = f"{rule.why} ({rule.ticket})" if rule.ticket else rule.why
    draft.add(
        _read(rule.value, rule.source),
        scope,
        Protection(group, rule.value, rule.until, why, rule.source),
    )


def _add_own_hosts(draft: _Draft, hosts: Iterable[str]) -> None:
    for host in hosts:
        protection = Protection(BuiltinGroup.OWN_HOSTS, host, why="a host this service talks to")
        draft.add(_read_host(host), Scope.HOST, protection)


def _read(value: str, source: str) -> AllowValue:
    try:
        return read_allow_value(value)
    except ValueError as error:
        raise ValueError(f"{source}: {value}: {error}") from error


def _read_host(text: str) -> AllowValue:
    """Read a host as it stands in options: name, address, prefix, host and port, or URL."""
    try:
        value = read_allow_value(text)
    except ValueError:
        value = None
    if value is not None and value.kind is not Kind.URL:
        return value
    return _read(split_url(text)[0], BuiltinGroup.OWN_HOSTS)


def _ipv4_number(text: str) -> int:
    first, second, third, fourth = text.split(".")
    return int(first) << 24 | int(second) << 16 | int(third) << 8 | int(fourth)


def _is_address(host: str) -> bool:
    return ":" in host or _IPV4.fullmatch(host) is not None


def _wide(shortest: int) -> Protection:
    return Protection(
        BuiltinGroup.WIDE_PREFIXES,
        f"prefixes shorter than /{shortest}",
        why="so wide an entry stops many who did nothing",
    )
