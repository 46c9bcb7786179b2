"""Who protects an observable: the built-in groups, site files, exceptions, warninglists, both ways.

A prefix is protected when it touches a protected address; a domain when it is at, below or above
a protected name; a URL when its host must never be stopped, or when it is nothing but a host that
many share. Public suffixes protect themselves only: `gov` is one, `agency.gov` is not. What is
kept off blocklists only may stand on watchlists: seeing it stops nobody.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Protocol, Self

from connector.decisions.allowlist.builtin import BuiltinGroup, builtin_rules
from connector.decisions.allowlist.index import Protection, lasting
from connector.decisions.allowlist.public_suffixes import PublicSuffixes
from connector.decisions.allowlist.purpose_index import AllowIndex, Draft
from connector.decisions.allowlist.url_paths import split_url
from connector.decisions.allowlist.values import (
    AllowValue,
    ExceptionRule,
    Kind,
    Scope,
    SiteRule,
    parse_site_lines,
    read_allow_value,
)
from connector.model import Observable, Purpose

__all__ = [
    "Allowlist",
    "BuiltinGroup",
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
        self, indexes: Mapping[Purpose, AllowIndex], warninglists: Warninglists | None
    ) -> None:
        self._indexes = indexes
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
        drafts = {purpose: Draft() for purpose in purposes}
        for rule in builtin_rules(without):
            value = read_allow_value(rule.value)
            protection = Protection(rule.group, rule.value, why=rule.why, source=rule.source)
            for purpose, draft in drafts.items():
                if purpose is Purpose.BLOCK or not rule.watched:
                    draft.add(value, rule.scope, protection)
        own = () if BuiltinGroup.OWN_HOSTS in without else tuple(own_hosts)
        added = [*map(_own_host, own), *map(_of_site, site), *map(_of_exception, exceptions)]
        for draft in drafts.values():
            for value, scope, protection in added:
                draft.add(value, scope, protection)
        suffixed = BuiltinGroup.PUBLIC_SUFFIXES not in without
        bounded = BuiltinGroup.WIDE_PREFIXES not in without
        suffixes = PublicSuffixes.shipped() if suffixed else None
        shortest = (shortest_ipv4, shortest_ipv6) if bounded else (0, 0)
        return cls(
            {purpose: AllowIndex(draft, suffixes, shortest) for purpose, draft in drafts.items()},
            warninglists,
        )

    def protects(
        self, observable: Observable, now: datetime, purpose: Purpose = Purpose.BLOCK
    ) -> Protection | None:
        """Return who keeps a canonical observable off lists of a purpose.

        Of several it is the one that does so longest.
        """
        found = self._indexes[purpose].find(observable, now)
        if self.warninglists is None or (found is not None and found.until is None):
            return found
        return lasting(found, self.warninglists.protects(observable, purpose))


_Added = tuple[AllowValue, Scope, Protection]


def _of_site(rule: SiteRule) -> _Added:
    return _read(rule.value, rule.source), rule.scope, _protection(rule, rule.group)


def _of_exception(rule: ExceptionRule) -> _Added:
    return _read(rule.value, rule.source), Scope.TREE, _protection(rule, "exception")


def _protection(rule: SiteRule | ExceptionRule, group: str) -> Protection:
    why = f"{rule.why} ({rule.ticket})" if rule.ticket else rule.why
    return Protection(group, rule.value, rule.until, why, rule.source)


def _own_host(host: str) -> _Added:
    protection = Protection(BuiltinGroup.OWN_HOSTS, host, why="a host this service talks to")
    return _read_host(host), Scope.HOST, protection


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
