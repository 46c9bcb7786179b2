"""The index of an allowlist: asked who protects an observable, by containment, both ways."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from connector.decisions.allowlist.contents import Contents
from connector.decisions.allowlist.groups import BuiltinGroup
from connector.decisions.allowlist.names import Found, NameIndex
from connector.decisions.allowlist.networks import (
    Network,
    Ranges,
    Span,
    address_number,
    is_address,
)
from connector.decisions.allowlist.protection import Protection, Scope, lasting
from connector.decisions.allowlist.public_suffixes import PublicSuffixes
from connector.decisions.allowlist.url_paths import is_root, split_url
from connector.model import Observable, ObservableType

__all__ = ["AllowIndex"]

_T = ObservableType
_Ask = Callable[[Observable], Iterable[Found]]
_LONGEST_SEARCHED: Final = 2048
# The owners that no contents have: rules in code.
_SUFFIX, _WIDE = -1, -2
_IN_CODE: Final = {
    _SUFFIX: Protection(BuiltinGroup.PUBLIC_SUFFIXES, "", why="public suffix"),
    _WIDE: Protection(
        BuiltinGroup.WIDE_PREFIXES, "", why="so wide an entry stops many who did nothing"
    ),
}


class AllowIndex:
    """Answers who protects an observable; made once of its contents and never changed.

    Of several protections the one that lasts longest stands for all: it is in force whenever any
    of them is. Of those that end together it is the first that is found. Prefixes shorter than
    the two bounds, of IPv4 and of IPv6, are protected as `wide_prefixes`.
    """

    def __init__(
        self,
        contents: Contents,
        suffixes: PublicSuffixes | None = None,
        shortest: tuple[int, int] = (0, 0),
    ) -> None:
        self._owners = {**contents.owners, **_IN_CODE}
        self._suffixes = suffixes
        self._shortest = {4: (shortest[0], 32), 6: (shortest[1], 128)}
        self._names = NameIndex(contents.names)
        self._page_trees, self._pages = (
            pages.index(scope) for scope, pages in contents.pages.items()
        )
        self._held, self._shared = (
            {version: self._ranges(spans, scope) for version, spans in by_version.items()}
            for scope, by_version in contents.networks.items()
        )
        self._as_numbers = self._ranges(contents.as_numbers, Scope.TREE)
        self._texts = {kind: texts.finder() for kind, texts in contents.texts.items() if texts}
        self._needles = contents.needles
        self._patterns = contents.patterns
        self._asks = {kind: tuple(self._asks_of(kind)) for kind in ObservableType}

    def _ranges(self, spans: list[Span], scope: Scope) -> Ranges:
        """Return an index of spans; where they overlap, it names the longest lasting.

        Of those it is the narrowest, as a person means just it; of shared networks the widest.
        """
        sign = -1 if scope is Scope.SHARED else 1

        def rank(span: Span) -> tuple[float, int, int]:
            first, last, owner = span
            return -self._owners[owner].end.timestamp(), sign * (last - first), owner

        return Ranges(sorted(spans, key=rank))

    def find(self, observable: Observable) -> Protection | None:
        """Return who protects a canonical observable longest, be that over or not."""
        best: Protection | None = None
        for ask in self._asks.get(observable.type, ()):
            for owner, entry, why in ask(observable):
                protection = self._owners[owner]
                if not protection.value:  # for a list, name what was found
                    protection = replace(protection, value=entry, why=why or protection.why)
                best = lasting(best, protection)
                if best is not None and best.until is None:
                    return best
        return best

    def _asks_of(self, kind: ObservableType) -> Iterator[_Ask]:
        """Yield the look-ups for a type, in the order in which their finds are named."""
        yield from self._asks_by_place(kind)
        if kind in self._texts:
            yield self._of_text
        if kind is _T.EMAIL_ADDR and self._names.has_mailboxes:
            yield self._of_mailbox
        if kind in self._needles:
            yield self._of_needles
        if kind in self._patterns:
            yield self._of_patterns
        if kind is _T.EMAIL_ADDR:
            yield self._of_mail_host

    def _asks_by_place(self, kind: ObservableType) -> Iterator[_Ask]:
        match kind:
            case _T.IPV4_ADDR | _T.IPV6_ADDR:
                yield self._of_network
            case _T.ENDPOINT:
                yield self._of_endpoint
            case _T.DOMAIN_NAME:
                yield self._of_domain
            case _T.URL:
                if self._page_trees:
                    yield self._of_page_tree
                yield self._of_url
                if self._pages:
                    yield self._of_page
            case _T.AUTONOMOUS_SYSTEM if self._as_numbers:
                yield self._of_as_number

    def _of_network(self, observable: Observable) -> Iterable[Found]:
        address, slash, length = observable.value.partition("/")
        version, first = address_number(address)
        if not slash:
            return self._touching(version, first, first)
        shortest, bits = self._shortest[version]
        if int(length) < shortest:
            return ((_WIDE, f"prefixes shorter than /{shortest}", ""),)
        return self._touching(version, first, first + (1 << bits - int(length)) - 1)

    def _touching(self, version: int, first: int, last: int) -> Iterable[Found]:
        """Return who would suffer if addresses were stopped."""
        found = self._holding(version, first, last)
        places = self._shared[version].touching(first, last)
        return chain(found, self._sharing(version, places)) if places else found

    def _holding(self, version: int, first: int, last: int) -> Sequence[Found]:
        """Return who protects addresses with all that is at them."""
        ranges = self._held[version]
        return [(ranges[place][2], "", "") for place in ranges.touching(first, last)]

    def _sharing(self, version: int, places: range) -> Iterator[Found]:
        ranges = self._shared[version]
        for place in reversed(places):
            first, last, owner = ranges[place]
            yield owner, Network(version, first, last).text, ""

    def _of_endpoint(self, observable: Observable) -> Iterable[Found]:
        version, number = address_number(observable.value.rpartition(":")[0].strip("[]"))
        return self._touching(version, number, number)

    def _at_host(self, host: str) -> Iterable[Found]:
        """Return who protects all that is at a host."""
        if not is_address(host):
            return self._names.at_host(host)
        version, number = address_number(host)
        return self._holding(version, number, number)

    def _stopped(self, name: str) -> Iterable[Found]:
        """Return who would suffer if a name, or all names below it, were stopped."""
        if self._suffixes is not None and name in self._suffixes:
            return ((_SUFFIX, name, ""),)
        return self._names.stopped(name)

    def _of_domain(self, observable: Observable) -> Iterable[Found]:
        """Look a name up; `*.name` is held like the name, as targets differ on it."""
        return self._stopped(observable.value.removeprefix("*."))

    def _of_url(self, observable: Observable) -> Iterable[Found]:
        """Look the host of a URL up.

        Targets widen a URL without path to its whole host, some to the names below it too.
        """
        host, path = split_url(observable.value)
        if not is_root(path):
            return self._at_host(host)
        if is_address(host):
            version, number = address_number(host)
            return self._touching(version, number, number)
        return chain(self._stopped(host), self._names.at_host(host))

    def _of_page_tree(self, observable: Observable) -> Iterable[Found]:
        return self._page_trees.stopped(observable.value)

    def _of_page(self, observable: Observable) -> Iterable[Found]:
        return self._pages.stopped(observable.value)

    def _of_as_number(self, observable: Observable) -> Iterable[Found]:
        number = int(observable.value.upper().removeprefix("AS"))
        for place in self._as_numbers.touching(number, number):
            yield self._as_numbers[place][2], observable.value, ""

    def _of_text(self, observable: Observable) -> Iterable[Found]:
        kind, value = observable
        owner = self._texts[kind](value.casefold())
        return () if owner is None else ((owner, value, ""),)

    def _of_mailbox(self, observable: Observable) -> Iterable[Found]:
        domain = observable.value.casefold().rpartition("@")[2]
        for owner, _, why in self._names.mailboxes(domain):
            yield owner, observable.value, why

    def _of_mail_host(self, observable: Observable) -> Iterable[Found]:
        """Look the host of an address up; with a wildcard it means its whole domain."""
        host = observable.value.lower().rpartition("@")[2]
        if host.startswith("["):
            return self._at_host(host.strip("[]").removeprefix("ipv6:"))
        return self._stopped(host) if observable.wild else self._names.at_host(host)

    def _of_needles(self, observable: Observable) -> Iterable[Found]:
        hit = self._needles[observable.type].find(_searched(observable).casefold())
        return () if hit is None else ((hit[1], hit[0], "occurs in it"),)

    def _of_patterns(self, observable: Observable) -> Iterable[Found]:
        searched = _searched(observable)
        for pattern, owner in self._patterns[observable.type]:
            if pattern.search(searched):
                yield owner, pattern.pattern, "matches it"


def _searched(observable: Observable) -> str:
    """Return the part of a value in which texts and patterns are looked for."""
    return observable.value.removeprefix("*.")[:_LONGEST_SEARCHED]
