"""Who protects an observable: the built-in groups, site files, exceptions, warninglists, both ways.

A prefix is protected when it touches a protected address; a domain when it is at, below or above
a protected name; a URL when its host must never be stopped, or when it is nothing but a host that
many share. Public suffixes protect themselves only: `gov` is one, `agency.gov` is not. What is
kept off blocklists only may stand on watchlists: seeing it stops nobody.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from typing import NamedTuple, Protocol, Self

from connector.decisions.allowlist.builtin import BuiltinRule, builtin_rules
from connector.decisions.allowlist.contents import Contents
from connector.decisions.allowlist.groups import BuiltinGroup
from connector.decisions.allowlist.index import AllowIndex
from connector.decisions.allowlist.protection import Protection, Scope, lasting, live
from connector.decisions.allowlist.public_suffixes import PublicSuffixes
from connector.decisions.allowlist.rows import meant_by
from connector.decisions.allowlist.site import ExceptionRule, SiteRule, parse_site_lines
from connector.decisions.allowlist.values import AllowValue, read_allow_value, read_host
from connector.model import Observable, Purpose

__all__ = [
    "Allowlist",
    "ExceptionRule",
    "Protection",
    "Scope",
    "SiteRule",
    "Warninglists",
    "parse_site_lines",
    "read_allow_value",
]


class Warninglists(Protocol):
    """What an allowlist asks of warninglists."""

    def protects(self, observable: Observable, purpose: Purpose) -> Protection | None:
        """Return the list that keeps an observable off lists of a purpose."""


class Allowlist:
    """Answers who protects an observable; made once with `build` and never changed.

    Lists of each purpose have an index of their own: that is one look-up for each observable.
    """

    def __init__(
        self,
        indexes: Mapping[Purpose, AllowIndex],
        warninglists: Warninglists | None,
        values: Sequence[AllowValue] = (),
    ) -> None:
        self._indexes = indexes
        self._values = values
        self.warninglists = warninglists

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
        warninglists: Warninglists | None = None,
        purposes: Collection[Purpose] = tuple(Purpose),
    ) -> Self:
        """Return the index of the built-in groups but `without`, and of what a site adds.

        It answers for lists of these purposes only.
        Prefixes shorter than the two bounds are protected as `wide_prefixes`. A value that cannot
        be read raises ValueError: a rule left out in silence would be one not kept.
        """
        if unknown := set(without) - set(BuiltinGroup):
            raise ValueError(
                f"not a built-in group: {', '.join(sorted(unknown))}; "
                f"should be among {', '.join(BuiltinGroup)}"
            )
        rules = [*_builtin(frozenset(without))]
        if BuiltinGroup.OWN_HOSTS not in without:
            rules += map(_own_host, own_hosts)
        rules += [*map(_of_site, site), *map(_of_exception, exceptions)]
        rules.sort(key=lambda rule: rule.protection.end, reverse=True)
        suffixed = BuiltinGroup.PUBLIC_SUFFIXES not in without
        bounded = BuiltinGroup.WIDE_PREFIXES not in without
        suffixes = PublicSuffixes.shipped() if suffixed else None
        shortest = (shortest_ipv4, shortest_ipv6) if bounded else (0, 0)
        return cls(
            {each: AllowIndex(_contents(rules, each), suffixes, shortest) for each in purposes},
            warninglists,
            [rule.value for rule in rules],
        )

    def protects(
        self, observable: Observable, now: datetime, purpose: Purpose = Purpose.BLOCK
    ) -> Protection | None:
        """Return who keeps a canonical observable off lists of a purpose.

        Of several it is the one that does so longest.
        """
        found = live(self._indexes[purpose].find(observable), now)
        if self.warninglists is None or (found is not None and found.until is None):
            return found
        return lasting(found, self.warninglists.protects(observable, purpose))

    def named(self) -> Iterator[Observable]:
        """Yield the observables that it names one by one, those of warninglists excepted.

        Not each of them is protected from every list: `protects` says so.
        """
        return chain.from_iterable(map(meant_by, self._values))


class _Rule(NamedTuple):
    """A value that was read, how far it reaches and who protects it, maybe on blocklists only."""

    value: AllowValue
    scope: Scope
    protection: Protection
    watched: bool = False


def _contents(rules: Sequence[_Rule], purpose: Purpose) -> Contents:
    """Return the contents of an index for lists of a purpose; what lasts longest is named first."""
    contents = Contents()
    for number, rule in enumerate(rules):
        if purpose is Purpose.BLOCK or not rule.watched:
            contents.owners[number] = rule.protection
            contents.add(rule.value, rule.scope, number)
    return contents


@cache
def _builtin(without: frozenset[str]) -> tuple[_Rule, ...]:
    """Return the built-in groups but some; read once, as each new exception asks again."""
    return tuple(map(_of_builtin, builtin_rules(without)))


def _of_builtin(rule: BuiltinRule) -> _Rule:
    protection = Protection(rule.group, rule.value, why=rule.why, source=rule.source)
    return _Rule(read_allow_value(rule.value), rule.scope, protection, rule.watched)


def _of_site(rule: SiteRule) -> _Rule:
    return _Rule(_read(rule), rule.scope, _protection(rule, rule.group))


def _of_exception(rule: ExceptionRule) -> _Rule:
    return _Rule(_read(rule), Scope.TREE, _protection(rule, "exception"))


def _protection(rule: SiteRule | ExceptionRule, group: str) -> Protection:
    why = f"{rule.why} ({rule.ticket})" if rule.ticket else rule.why
    return Protection(group, rule.value, rule.until, why, rule.source)


def _read(rule: SiteRule | ExceptionRule) -> AllowValue:
    try:
        return read_allow_value(rule.value)
    except ValueError as error:
        raise ValueError(f"{rule.source}: {rule.value}: {error}") from error


def _own_host(host: str) -> _Rule:
    protection = Protection(
        BuiltinGroup.OWN_HOSTS, host, why="a host with which this service communicates"
    )
    try:
        return _Rule(read_host(host), Scope.HOST, protection)
    except ValueError as error:
        raise ValueError(f"{BuiltinGroup.OWN_HOSTS}: {host}: {error}") from error
