"""Names and URLs with the numbers of their owners, found from what is at, below and above them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from connector.decisions.allowlist.protection import Scope
from connector.decisions.allowlist.texts import Find, Parents, Texts, none_of
from connector.decisions.allowlist.url_paths import url_steps

__all__ = ["Found", "NameIndex", "Names", "PageIndex", "Pages"]

_BELOW: Final = "a name below it is listed"


# An owner, the text by which it was found, and why that protects the value asked for.
Found = tuple[int, str, str]


class _Step(NamedTuple):
    """One look-up: who finds, for which part of what contains a value, and why a hit protects."""

    find: Find
    part: slice
    why: str = ""


_ITSELF: Final = slice(0, 1)
_ALL: Final = slice(None)
_ALL_FROM_TOP: Final = slice(None, None, -1)
_PARENTS_BUT_TOP: Final = slice(1, -1)


def _asked(steps: Sequence[_Step], line: Sequence[str]) -> Iterator[Found]:
    """Yield the owners of a value, given with what contains it, itself first."""
    for find, part, why in steps:
        for text in line[part]:
            if (owner := find(text)) is not None:
                yield owner, text, why


class Names:
    """Names by how far each reaches, while they are put together."""

    def __init__(self) -> None:
        self.held = {scope: Texts() for scope in Scope}
        self.above = Parents()

    def add(self, name: str, scope: Scope, owner: int) -> None:
        """Add one name of an owner."""
        self.held[scope].add([name], owner)
        if scope is not Scope.MAIL:
            self.above.add(name, owner)

    def add_all(self, names: list[str], scope: Scope, owner: int) -> None:
        """Take over names of an owner; a long list is emptied."""
        held = self.held[scope].add(names, owner)
        if scope is not Scope.MAIL:
            self.above.add_above(held, owner)


class NameIndex:
    """Finds the owners of names, in the order in which they are named."""

    __slots__ = ("_above", "_at_host", "_mailboxes", "_none_known", "_stopped")

    def __init__(self, names: Names) -> None:
        held = {scope: texts.finder() for scope, texts in names.held.items() if texts}

        def steps(*wanted: tuple[Scope, slice]) -> list[_Step]:
            return [_Step(held[scope], part) for scope, part in wanted if scope in held]

        listed = ((Scope.LISTED, _ITSELF), (Scope.LISTED, _PARENTS_BUT_TOP))
        trees = ((Scope.TREE, _ALL), (Scope.NAMES, _ALL))
        self._above = names.above.finder()
        self._stopped = [
            *steps((Scope.HOST, _ITSELF), (Scope.SHARED, _ITSELF), *listed),
            _Step(self._above, _ITSELF, _BELOW),
            *steps(*trees),
        ]
        self._at_host = steps((Scope.HOST, _ITSELF), (Scope.TREE, _ALL))
        self._mailboxes = steps((Scope.MAIL, _ITSELF), (Scope.MAIL, _PARENTS_BUT_TOP))
        self._none_known = none_of(names.held.values())

    @property
    def has_mailboxes(self) -> bool:
        """Whether anybody protects mailboxes at names."""
        return bool(self._mailboxes)

    def stopped(self, name: str) -> Iterable[Found]:
        """Return who would suffer if a name, or all names below it, were stopped."""
        line = _upwards(name)
        if self._none_known(line) and self._above(name) is None:  # as nearly always
            return ()
        return _asked(self._stopped, line)

    def at_host(self, name: str) -> Iterable[Found]:
        """Return who would suffer if only something at this very host were stopped."""
        if not self._at_host or self._none_known(line := _upwards(name)):
            return ()
        return _asked(self._at_host, line)

    def mailboxes(self, name: str) -> Iterable[Found]:
        """Return who would suffer if mailboxes at a name were stopped."""
        return _asked(self._mailboxes, _upwards(name))


def _upwards(name: str) -> list[str]:
    line = [name]
    while name := name.partition(".")[2]:
        line.append(name)
    return line


class Pages:
    """URLs, each with the URLs that contain it, while they are put together."""

    def __init__(self) -> None:
        self.at = Texts()
        self.above = Texts()

    def add(self, pages: Sequence[Sequence[str]], owner: int) -> None:
        """Add URLs of an owner, each as its steps: `host`, `host/a`, `host/a/b`."""
        self.at.add([steps[-1] for steps in pages], owner)
        self.above.add([step for steps in pages for step in steps[:-1]], owner)

    def index(self, scope: Scope) -> "PageIndex":
        """Return the index of these URLs: with all below them, or each alone."""
        at, above = self.at.finder(), self.above.finder()
        if scope is Scope.TREE:
            steps = [_Step(above, _ITSELF), _Step(at, _ALL_FROM_TOP)]
        else:
            steps = [_Step(at, _ITSELF), _Step(above, _ITSELF, _BELOW)]
        return PageIndex(steps if self.at else [])


class PageIndex:
    """Finds the owners of URLs, from URLs below and above them."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Sequence[_Step]) -> None:
        self._steps = steps

    def __bool__(self) -> bool:
        return bool(self._steps)

    def stopped(self, url: str) -> Iterable[Found]:
        """Yield who would suffer if a URL, or all that begins with it, were stopped."""
        return _asked(self._steps, url_steps(url)[::-1])
