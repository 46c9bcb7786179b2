"""Values of an allowlist while they are put together, each with the number of its owner.

An owner is a rule or a warninglist. Of several with the same value the lowest number counts.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

from connector.decisions.allowlist.names import Names, Pages
from connector.decisions.allowlist.networks import Span, is_address, read_network
from connector.decisions.allowlist.protection import Protection, Scope
from connector.decisions.allowlist.texts import Needles, Texts
from connector.decisions.allowlist.url_paths import url_steps
from connector.decisions.allowlist.values import (
    CERTIFICATES,
    DIGESTS,
    FILES,
    AllowValue,
    Kind,
    read_digests,
    read_words,
)
from connector.model import ObservableType

__all__ = ["Contents"]

_Types = frozenset[ObservableType]
_MAIL: Final = frozenset({ObservableType.EMAIL_ADDR})


class Contents:
    """All that an index is made of, by how it is looked up.

    `owners` says what an owner's values are told as. A protection without a value of its own is
    told with the entry by which it was found.
    """

    def __init__(self) -> None:
        self.owners: dict[int, Protection] = {}
        self.names = Names()
        self.pages = {Scope.TREE: Pages(), Scope.SHARED: Pages()}
        self.networks: dict[Scope, dict[int, list[Span]]] = {
            Scope.TREE: {4: [], 6: []},
            Scope.SHARED: {4: [], 6: []},
        }
        self.as_numbers: list[Span] = []
        self.texts = {
            **{kind: Texts() for kind in ObservableType},
            **dict.fromkeys(FILES, Texts()),
            **dict.fromkeys(CERTIFICATES, Texts()),
        }
        self.needles: dict[ObservableType, Needles] = {}
        self.patterns: dict[ObservableType, list[tuple[re.Pattern[str], int]]] = {}

    def add(self, value: AllowValue, scope: Scope, owner: int) -> None:
        """Add one value of a rule."""
        text = value.text
        match value.kind:
            case Kind.NETWORK:
                self.add_network(text, scope, owner)
            case Kind.AS_NUMBERS:
                first, _, last = text.partition("-")
                self.as_numbers.append((int(first), int(last), owner))
            case Kind.NAME:
                self.names.add(text, scope, owner)
            case Kind.URL:
                self._add_tree(url_steps(text), owner)
            case Kind.MAIL:
                self.add_words([text], _MAIL, owner)
                self.names.add(text.rpartition("@")[2], Scope.SHARED, owner)
            case Kind.DIGEST:
                self.add_digests([text], DIGESTS[len(text)], owner)
            case Kind.TEXT:
                kind, _, word = text.partition(":")
                self.add_words([word], frozenset({ObservableType(kind)}), owner)

    def add_network(self, text: str, scope: Scope, owner: int) -> bool:
        """Add a network or address; return whether it is one."""
        network = read_network(text)
        if network is None:
            return False
        held = self.networks[Scope.SHARED if scope is Scope.SHARED else Scope.TREE]
        held[network.version].append((network.first, network.last, owner))
        return True

    def _add_tree(self, steps: list[str], owner: int) -> None:
        """Add a URL with all below it; its host is then not to be stopped as a whole."""
        self.pages[Scope.TREE].add([steps], owner)
        if is_address(steps[0]):
            self.add_network(steps[0], Scope.TREE, owner)
        else:
            self.names.add(steps[0], Scope.SHARED, owner)

    def add_pages(self, pages: list[list[str]], owner: int) -> None:
        """Add URLs alone, each as its steps; their hosts have something below them."""
        self.pages[Scope.SHARED].add([steps[1:] for steps in pages], owner)
        for host, *_ in pages:
            self.names.above.add(f"*.{host}", owner)

    def add_words(self, entries: Collection[str], types: _Types, owner: int) -> None:
        """Add texts that stand for themselves, for each of these types."""
        for kind in types:
            self.texts[kind].add(read_words(entries), owner)

    def add_digests(self, entries: list[str], types: _Types, owner: int) -> None:
        """Add those of the entries that are digests of these types."""
        for family in (FILES, CERTIFICATES):
            if kinds := types & family:
                self.texts[min(family)].add(read_digests(entries, kinds), owner)

    def add_needles(self, entries: Iterable[str], types: _Types, owner: int) -> None:
        """Add texts to find anywhere in values of these types."""
        needles = read_words(entries)
        for kind in types:
            self.needles.setdefault(kind, Needles()).add(needles, owner)

    def add_pattern(self, pattern: re.Pattern[str], types: _Types, owner: int) -> None:
        """Add a pattern to search in values of these types."""
        for kind in types:
            self.patterns.setdefault(kind, []).append((pattern, owner))
