"""What MISP warninglists protect: each list by its own type, read into the index of the allowlist.

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

from collections.abc import Iterable
from typing import Final

from connector.decisions.allowlist.contents import Contents
from connector.decisions.allowlist.index import AllowIndex
from connector.decisions.allowlist.networks import read_ipv4_networks
from connector.decisions.allowlist.protection import Protection, Scope
from connector.decisions.allowlist.values import (
    CERTIFICATES,
    FILES,
    read_as_numbers,
    read_names,
    read_pattern,
    read_words,
)
from connector.decisions.allowlist.warninglist import ListKind, Warninglist
from connector.model import Observable, ObservableType

__all__ = ["WarninglistIndex"]

_GROUP: Final = "warninglist:"
_T = ObservableType
_Types = frozenset[ObservableType]


_ADDRESSES: Final = frozenset({_T.IPV4_ADDR, _T.IPV6_ADDR, _T.ENDPOINT})
_NAMES: Final = frozenset({_T.DOMAIN_NAME, _T.URL})
_AS_NUMBERS: Final = frozenset({_T.AUTONOMOUS_SYSTEM})
_WORDS: Final = frozenset(_T) - _ADDRESSES - _NAMES - _AS_NUMBERS - FILES - CERTIFICATES

_DOMAIN: Final = frozenset({_T.DOMAIN_NAME})
_URL: Final = frozenset({_T.URL})
_MAIL: Final = frozenset({_T.EMAIL_ADDR})
_MD5: Final = frozenset({_T.FILE_MD5})
_SHA1: Final = frozenset({_T.FILE_SHA1})
_SHA256: Final = frozenset({_T.FILE_SHA256})
_SHA512: Final = frozenset({_T.FILE_SHA512})
_ATTRIBUTES: Final = {
    "ip-src": _ADDRESSES, "ip-dst": _ADDRESSES,
    "ip-src|port": _ADDRESSES, "ip-dst|port": _ADDRESSES,
    "domain": _DOMAIN, "hostname": _DOMAIN, "hostname|port": _DOMAIN,
    "domain|ip": _DOMAIN | _ADDRESSES,
    "url": _URL, "uri": _URL, "link": _URL,
    "email": _MAIL, "email-src": _MAIL, "email-dst": _MAIL, "email-reply-to": _MAIL,
    "target-email": _MAIL, "whois-registrant-email": _MAIL, "dns-soa-email": _MAIL,
    "email-subject": frozenset({_T.EMAIL_SUBJECT}),
    "md5": _MD5, "sha1": _SHA1, "sha256": _SHA256, "sha512": _SHA512,
    "filename|md5": _MD5, "filename|sha1": _SHA1,
    "filename|sha256": _SHA256, "filename|sha512": _SHA512,
    "x509-fingerprint-sha1": frozenset({_T.X509_SHA1}),
    "x509-fingerprint-sha256": frozenset({_T.X509_SHA256}),
    "filename": frozenset({_T.FILE_NAME}), "AS": frozenset({_T.AUTONOMOUS_SYSTEM}),
    "user-agent": frozenset({_T.USER_AGENT}), "mutex": frozenset({_T.MUTEX}),
    "regkey": frozenset({_T.REGISTRY_KEY}),
}  # fmt: skip
_OF_ADDRESSES: Final = frozenset({"ip-src", "ip-dst", "ip-src|port", "ip-dst|port"})


def types_of(kind: ListKind, attributes: frozenset[str] | None) -> frozenset[ObservableType]:
    """Return the types of observable that a list is about; empty where we have none of them."""
    if attributes is None:
        return frozenset(_T)
    nothing: frozenset[ObservableType] = frozenset()
    types = nothing.union(*(_ATTRIBUTES.get(name, nothing) for name in attributes))
    if kind is not ListKind.CIDR and attributes.isdisjoint(_OF_ADDRESSES):
        types -= _ADDRESSES  # `domain|ip` is a pair: a list of names is about its first half
    return types


class WarninglistIndex:
    """Answers which list protects an observable; made once and never changed.

    Lists may come in any order: the largest first costs least memory. `unread` says in sentences
    which entries could not be used.
    """

    def __init__(self, lists: Iterable[Warninglist]) -> None:
        contents = Contents()
        unread: list[str] = []
        for listed in lists:
            contents.owners[listed.number] = Protection(listed.group or _GROUP + listed.name, "")
            unread += [f"warninglist {listed.name}: {what}" for what in _add(contents, listed)]
        self.unread = tuple(unread)
        self._index = AllowIndex(contents)

    def protects(self, observable: Observable) -> Protection | None:
        """Return the list that protects a canonical observable, and by which entry."""
        return self._index.find(observable)


def _add(contents: Contents, listed: Warninglist) -> list[str]:
    """Put one list where look-ups will find it; return what of it could not be used."""
    types = types_of(listed.kind, listed.attributes)
    if not types:
        return ["is about nothing that a list of ours could hold"]
    match listed.kind:
        case ListKind.CIDR:
            return _add_networks(contents, listed)
        case ListKind.REGEX:
            return _add_patterns(contents, listed, types)
        case ListKind.SUBSTRING:
            _add_needles(contents, list(listed.entries), types, listed.number)
        case _:
            _add_texts(contents, listed, types)
    return []


def _add_networks(contents: Contents, listed: Warninglist) -> list[str]:
    entries = list(listed.entries)
    ipv4 = read_ipv4_networks(entries)
    if ipv4 is not None:
        owner = listed.number
        held = contents.networks[Scope.SHARED][4]
        held.extend((first, last, owner) for first, last in ipv4)
        return []
    return [
        _left_out(entry)
        for entry in entries
        if not contents.add_network(entry, Scope.SHARED, listed.number)
    ]


def _add_patterns(contents: Contents, listed: Warninglist, types: _Types) -> list[str]:
    unread = []
    for entry in listed.entries:
        pattern = read_pattern(entry)
        if pattern is None:
            unread.append(_left_out(entry))
        else:
            contents.add_pattern(pattern, types, listed.number)
    return unread


def _left_out(entry: str) -> str:
    return f"{entry[:80]}: cannot be read, so it is left out"


def _add_needles(contents: Contents, entries: list[str], types: _Types, owner: int) -> None:
    contents.add_needles(entries, types, owner)
    if types & _ADDRESSES:
        _add_addresses(contents, entries, owner)
    if types & _NAMES:
        contents.names.above.add_above(read_names(read_words(entries))[0], owner)


def _add_texts(contents: Contents, listed: Warninglist, types: _Types) -> None:
    owner, below = listed.number, listed.kind is ListKind.HOSTNAME
    if types <= _NAMES:
        _add_names(contents, listed.entries, owner, below=below)
        return
    entries = list(listed.entries)
    if types & _NAMES:
        _add_names(contents, entries, owner, below=below)
    if types & _ADDRESSES:
        _add_addresses(contents, entries, owner)
    if types & _AS_NUMBERS:
        numbers = (read_as_numbers(entry.strip()) for entry in entries)
        contents.as_numbers += [(*found, owner) for found in numbers if found]
    contents.add_digests(entries, types, owner)
    contents.add_words(entries, types & _WORDS, owner)
    if below and _T.EMAIL_ADDR in types:
        contents.names.add_all(read_names(entries)[0], Scope.MAIL, owner)


def _add_names(contents: Contents, entries: Iterable[str], owner: int, *, below: bool) -> None:
    names, pages = read_names(list(entries))  # a long list is given up on the way
    contents.add_pages(pages, owner)
    contents.names.add_all(names, Scope.LISTED if below else Scope.SHARED, owner)


def _add_addresses(contents: Contents, entries: Iterable[str], owner: int) -> None:
    for entry in entries:
        if entry[-1:].isdigit() or ":" in entry:
            contents.add_network(entry, Scope.SHARED, owner)
