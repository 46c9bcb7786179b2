"""What MISP warninglists protect: their data, each list by its own type, in an index of our own.

How far each type reaches:

- `string`: exactly this value. `hostname`: this name and all below it, if it has a dot.
- `cidr`: networks, held against addresses and networks both ways; endpoints by their address.
- `substring`: anywhere in the value. `regex`: as it says, in the first 2,048 characters.
- A name that has a listed name below it is protected by any of them, because many targets take a
  domain as "this and below"; `*.name` is held like the name.
- A URL that is nothing but a host is held like its host. A page is not protected by its host being
  listed: a popular name, or an address in a cloud, says nothing of all that can be had there.

A list protects the types of observable that its MISP attributes stand for; without any, all.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from connector.decisions.allowlist.compact_index import Needles, Networks, Parents, Texts
from connector.decisions.allowlist.index import Protection, ipv4_number
from connector.decisions.allowlist.url_paths import is_root, split_url, url_steps
from connector.decisions.allowlist.warninglist_entries import (
    ADDRESSES,
    CERTIFICATES,
    DIGESTS,
    FILES,
    NAMES,
    WORDS,
    ListKind,
    Warninglist,
    network_text,
    plain_names,
    read_network,
    read_pattern,
    read_plain_networks,
    types_of,
)
from connector.model import Observable, ObservableType

__all__ = ["GROUP", "WarninglistIndex"]

GROUP: Final = "warninglist:"
_LONGEST_SEARCHED: Final = 2048
_T = ObservableType
_Types = frozenset[ObservableType]


class _Contents:
    """The parts of the index while lists are put into it, one after the other."""

    def __init__(self) -> None:
        self.groups: dict[int, str] = {}
        self.unread: list[str] = []
        self.exact = Texts()
        self.pages = False  # whether any list names one
        self.trees = Texts()
        self.mail_trees = Texts()
        self.above = Parents()
        self.files = Texts()
        self.certificates = Texts()
        self.words = Texts()
        self.needles: dict[ObservableType, Needles] = {}
        self.patterns: dict[ObservableType, list[tuple[re.Pattern[str], int]]] = {}
        self.spans: dict[int, list[tuple[int, int, int]]] = {4: [], 6: []}

    def add(self, listed: Warninglist) -> None:
        """Put one list where look-ups will find it."""
        owner = listed.number
        self.groups[owner] = listed.group or GROUP + listed.name
        types = types_of(listed.kind, listed.attributes)
        if not types:
            text = "is about nothing that a list of ours could hold"
            self.unread.append(f"warninglist {listed.name}: {text}")
            return
        match listed.kind:
            case ListKind.CIDR:
                self._add_networks(listed, owner)
            case ListKind.REGEX:
                self._add_patterns(listed, types, owner)
            case ListKind.SUBSTRING:
                self._add_needles(list(listed.entries), types, owner)
            case _:
                self._add_texts(listed, types, owner)

    def _add_networks(self, listed: Warninglist, owner: int) -> None:
        entries = list(listed.entries)
        plain = read_plain_networks(entries)
        if plain is not None:
            self.spans[4].extend((first, last, owner) for first, last in plain)
            return
        for entry in entries:
            if span := read_network(entry):
                self.spans[span.version].append((span.first, span.last, owner))
            else:
                self._leave_out(listed, entry)

    def _add_patterns(self, listed: Warninglist, types: _Types, owner: int) -> None:
        for entry in listed.entries:
            pattern = read_pattern(entry)
            if pattern is None:
                self._leave_out(listed, entry)
                continue
            for kind in types:
                self.patterns.setdefault(kind, []).append((pattern, owner))

    def _add_needles(self, entries: list[str], types: _Types, owner: int) -> None:
        needles = [entry.strip().casefold() for entry in entries]
        for kind in types:
            self.needles.setdefault(kind, Needles()).add(needles, owner)
        if types & ADDRESSES:
            self._add_addresses(entries, owner)
        if types & NAMES:
            self.above.add_above(plain_names(needles)[0], owner)

    def _add_texts(self, listed: Warninglist, types: _Types, owner: int) -> None:
        below = listed.kind is ListKind.HOSTNAME
        if types <= NAMES:
            self._add_names(listed.entries, owner, below=below)
            return
        entries = list(listed.entries)
        if types & NAMES:
            self._add_names(entries, owner, below=below)
        if types & ADDRESSES:
            self._add_addresses(entries, owner)
        if types & FILES:
            self.files.add(_digests(entries, types & FILES), owner)
        if types & CERTIFICATES:
            self.certificates.add(_digests(entries, types & CERTIFICATES), owner)
        for kind in types & WORDS:
            self.words.add([f"{kind}:{entry.strip().casefold()}" for entry in entries], owner)
        if below and _T.EMAIL_ADDR in types:
            self.mail_trees.add(plain_names(entries)[0], owner)

    def _add_names(self, entries: Iterable[str], owner: int, *, below: bool) -> None:
        names, urls = plain_names(list(entries))
        self.exact.add(urls, owner)
        self.pages = self.pages or bool(urls)
        for url in urls:
            *above, _ = url_steps(url)
            self.above.add(above, owner)
            self.above.add_above(above[:1], owner)
        held = (self.trees if below else self.exact).add(names, owner)
        del names  # a million of them: for their parents the compact form will do
        self.above.add_above(held, owner)

    def _add_addresses(self, entries: Iterable[str], owner: int) -> None:
        for entry in entries:
            if (entry[-1:].isdigit() or ":" in entry) and (span := read_network(entry)):
                self.spans[span.version].append((span.first, span.last, owner))

    def _leave_out(self, listed: Warninglist, entry: str) -> None:
        self.unread.append(f"warninglist {listed.name}: {entry[:80]}: cannot be read, is left out")


class WarninglistIndex:
    """Answers which list protects an observable; made once and never changed.

    Lists may come in any order: the largest first costs least memory. `unread` says in sentences
    which entries could not be used.
    """

    def __init__(self, lists: Iterable[Warninglist]) -> None:
        contents = _Contents()
        for listed in lists:
            contents.add(listed)
        self.unread = tuple(contents.unread)
        self._groups = contents.groups
        self._contents = contents
        self._networks = {version: Networks(spans) for version, spans in contents.spans.items()}
        contents.spans.clear()
        self._searched = contents.needles.keys() | contents.patterns.keys()
        self._by_type: dict[ObservableType, Callable[[str], tuple[str, str, int] | None]] = {
            _T.IPV4_ADDR: self._of_ipv4,
            _T.IPV6_ADDR: self._of_network,
            _T.ENDPOINT: self._of_endpoint,
            _T.DOMAIN_NAME: self._of_domain,
            _T.URL: self._of_url,
            _T.EMAIL_ADDR: self._of_mail,
            **dict.fromkeys(FILES, self._of_file),
            **dict.fromkeys(CERTIFICATES, self._of_certificate),
        }

    def protects(self, observable: Observable) -> Protection | None:
        """Return the list that protects a canonical observable, and by which entry."""
        kind, value = observable.type, observable.value
        ask = self._by_type.get(kind)
        found = ask(value) if ask is not None else self._of_words(kind, value)
        if found is None and kind in self._searched:
            found = self._found_in(kind, value)
        if found is None and kind is _T.EMAIL_ADDR and observable.wild:
            found = self._of_name(value.rpartition("@")[2])  # it stands for the whole domain
        if found is None:
            return None
        entry, why, owner = found
        return Protection(self._groups[owner], entry, why=why)

    def _of_domain(self, value: str) -> tuple[str, str, int] | None:
        return self._of_name(value.removeprefix("*."))

    def _of_endpoint(self, value: str) -> tuple[str, str, int] | None:
        return self._of_network(value.rpartition(":")[0].strip("[]"))

    def _of_file(self, value: str) -> tuple[str, str, int] | None:
        return _as_it_is(value, self._contents.files.find(value))

    def _of_certificate(self, value: str) -> tuple[str, str, int] | None:
        return _as_it_is(value, self._contents.certificates.find(value))

    def _of_words(self, kind: ObservableType, value: str) -> tuple[str, str, int] | None:
        return _as_it_is(value, self._contents.words.find(f"{kind}:{value.casefold()}"))

    def _of_name(self, name: str) -> tuple[str, str, int] | None:
        held = self._contents
        if (owner := held.exact.find(name)) is not None:
            return name, "", owner
        parent = name
        while (owner := held.trees.find(parent)) is None:
            parent = parent.partition(".")[2]
            if "." not in parent:  # nobody lists all of a top-level domain: that is a slip
                break
        else:
            return parent, "", owner
        owner = held.above.find(name)
        return None if owner is None else (name, "what is below it is listed", owner)

    def _of_url(self, value: str) -> tuple[str, str, int] | None:
        host, path = split_url(value)
        if is_root(path):
            return self._of_host(host)
        held = self._contents
        if not held.pages:
            return None
        *_, whole = url_steps(value)
        if (owner := held.exact.find(whole)) is not None:
            return whole, "", owner
        owner = held.above.find(whole)
        return None if owner is None else (whole, "what is below it is listed", owner)

    def _of_host(self, host: str) -> tuple[str, str, int] | None:
        if ":" in host or host.rpartition(".")[2].isdigit():
            return self._of_network(host)
        return self._of_name(host)

    def _of_ipv4(self, value: str) -> tuple[str, str, int] | None:
        if "/" in value:
            return self._of_network(value)
        number = ipv4_number(value)
        if self._networks[4].touching(number, number) is None:  # as nearly always
            return None
        return self._of_network(value)

    def _of_network(self, value: str) -> tuple[str, str, int] | None:
        span = read_network(value)
        if span is None:
            return None
        found = self._networks[span.version].touching(span.first, span.last)
        if found is None:
            return None
        first, last, owner = found
        return network_text(span.version, first, last), "", owner

    def _of_mail(self, value: str) -> tuple[str, str, int] | None:
        address = value.casefold()
        owner = self._contents.words.find(f"{_T.EMAIL_ADDR}:{address}")
        domain = address.rpartition("@")[2]
        while owner is None and "." in domain:
            owner = self._contents.mail_trees.find(domain)
            domain = domain.partition(".")[2]
        return _as_it_is(value, owner)

    def _found_in(self, kind: ObservableType, value: str) -> tuple[str, str, int] | None:
        """Return the list with a substring or pattern that occurs in a value."""
        searched = value.removeprefix("*.")[:_LONGEST_SEARCHED]
        if (needles := self._contents.needles.get(kind)) and (
            found := needles.find(searched.casefold())
        ):
            return found[0], "occurs in it", found[1]
        for pattern, owner in self._contents.patterns.get(kind, ()):
            if pattern.search(searched):
                return pattern.pattern, "matches it", owner
        return None


def _as_it_is(value: str, owner: int | None) -> tuple[str, str, int] | None:
    return None if owner is None else (value, "", owner)


def _digests(entries: Iterable[str], types: _Types) -> list[str]:
    """Return those entries that are as long as a digest of one of these types."""
    lengths = {length for length, kinds in DIGESTS.items() if kinds & types}
    return [entry.lower() for entry in entries if len(entry) in lengths]
