"""Compact indexes of very many entries, each with the number of the list that bears it.

A million names as a set or dictionary take 150 MB. Lists come sorted, so that long ones are kept
as sorted text in blocks, for a binary search and one look into a block: exact, and no larger than
the text itself. Of several lists that bear an entry, the one with the lowest number stands for all.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from operator import itemgetter
from typing import Final

__all__ = ["Needles", "Networks", "Parents", "SortedTexts", "Texts", "parents_of"]

_BLOCK: Final = 48
_MANY: Final = 50_000
_LONGEST_STEM: Final = 4
_AFTER_ALL: Final = "\x7f"
# In lines, what is after the first dot where there is a second one; and after `www` not at once.
_ABOVE: Final = re.compile(r"\.([^.\n]*\..+)")
_ABOVE_WWW: Final = re.compile(r"\n(?>(?:www\.)?)[^.\n]*\.([^.\n]*\..+)")


class SortedTexts:
    """A long list of one-line texts, kept as sorted text in blocks."""

    __slots__ = ("_blocks",)

    def __init__(self, texts: list[str]) -> None:
        """Take a list over: it is emptied on the way, so that its texts are not held twice."""
        texts.sort(reverse=True)  # next to nothing for a list that is sorted already
        self._blocks: list[str] = []
        while texts:
            block = texts[: -_BLOCK - 1 : -1]
            del texts[-_BLOCK:]
            self._blocks.append("\n" + "\n".join(block) + "\n")

    def __contains__(self, text: str) -> bool:
        line = f"\n{text}\n"
        # Blocks are their own index: one that begins with this line still sorts before the mark.
        at = bisect_right(self._blocks, line + _AFTER_ALL) - 1
        return at >= 0 and line in self._blocks[at]

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(block[1:-1].split("\n") for block in self._blocks)

    def parents(self) -> list[str]:
        """Return every name above these, each once, but for what `holds_below` tells."""
        # Most names have only a top-level domain above them, and are passed over in C.
        found = new = dict.fromkeys(chain.from_iterable(map(_above, self._blocks)))
        while new:
            new = {each: None for each in _parents(new) if "." in each and each not in found}
            found |= new
        return list(found)

    def holds_below(self, name: str) -> bool:
        """Return whether any of these is below a name that `parents` leaves out."""
        if f"www.{name}" in self:  # a third of a long list: finding them costs less than keeping
            return True
        if "." in name:
            return False
        line_end = f".{name}\n"  # whether one is below `com` is asked too seldom to be kept
        return any(line_end in block for block in self._blocks)


def _above(block: str) -> list[str]:
    return (_ABOVE_WWW if block.startswith("\nwww.") else _ABOVE).findall(block)


class Texts:
    """Texts of many lists: short lists together, long ones each by itself."""

    __slots__ = ("_few", "_many")

    def __init__(self) -> None:
        self._few: dict[str, int] = {}
        self._many: list[tuple[int, SortedTexts]] = []

    def add(self, texts: list[str], owner: int) -> Iterable[str]:
        """Take over the texts of a list, and return them in the form in which they are kept."""
        if len(texts) > _MANY:
            long = SortedTexts(texts)
            self._many.append((owner, long))
            self._many.sort(key=itemgetter(0))
            return long
        few = self._few
        for text in texts:
            if few.get(text, owner) >= owner:
                few[text] = owner
        return texts

    def find(self, text: str) -> int | None:
        """Return the first list that bears a text."""
        best = self._few.get(text)
        for owner, texts in self._many:
            if best is not None and best < owner:
                return best
            if text in texts:
                return owner
        return best


class Parents:
    """What is above the entries of many lists: names by their names, and URLs by their steps."""

    __slots__ = ("_long", "_texts")

    def __init__(self) -> None:
        self._texts = Texts()
        self._long: list[tuple[int, SortedTexts]] = []

    def add(self, steps: list[str], owner: int) -> None:
        """Add what is above an entry."""
        self._texts.add(steps, owner)

    def add_above(self, names: Iterable[str], owner: int) -> None:
        """Add every name above these."""
        if isinstance(names, SortedTexts):
            self._long.append((owner, names))
            self._texts.add(names.parents(), owner)
        else:
            self._texts.add(parents_of(names), owner)

    def find(self, text: str) -> int | None:
        """Return the first list that has an entry below a text."""
        best = self._texts.find(text)
        if not self._long:
            return best
        owners = (owner for owner, names in self._long if names.holds_below(text))
        return min((*owners, *(() if best is None else (best,))), default=None)


def parents_of(names: Iterable[str]) -> list[str]:
    """Return every name above these, each once, up to top-level domains."""
    found = new = _parents(names)
    while new:
        new = {parent: None for parent in _parents(new) if parent not in found}
        found |= new
    return list(found)


def _parents(names: Iterable[str]) -> dict[str, None]:
    # One pipeline in C: a loop in Python over a million names costs as much as reading them. Kept
    # in order, the parents of sorted names come in long sorted runs, which sort fast.
    parents = dict.fromkeys(map(itemgetter(2), map(str.partition, names, repeat("."))))
    parents.pop("", None)
    return parents


class Networks:
    """Networks of one IP version; they nest or are apart, so that only the outermost count."""

    __slots__ = ("_firsts", "_lasts", "_owners")

    def __init__(self, spans: Iterable[tuple[int, int, int]]) -> None:
        """Take (first address, last address, list)."""
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._owners: list[int] = []
        for first, minus_last, owner in sorted((one, -two, three) for one, two, three in spans):
            if not self._lasts or first > self._lasts[-1]:
                self._firsts.append(first)
                self._lasts.append(-minus_last)
                self._owners.append(owner)

    def touching(self, first: int, last: int) -> tuple[int, int, int] | None:
        """Return a network that shares an address with first..last: its ends and its list."""
        at = bisect_right(self._firsts, last) - 1
        if at < 0 or self._lasts[at] < first:
            return None
        return self._firsts[at], self._lasts[at], self._owners[at]


class Needles:
    """Texts to find anywhere in a value, looked up by how they begin instead of one by one."""

    __slots__ = ("_by_stem",)

    def __init__(self) -> None:
        self._by_stem: dict[str, list[tuple[str, int]]] = {}

    def add(self, needles: Sequence[str], owner: int) -> None:
        """Add texts of a list."""
        for needle in filter(None, needles):
            self._by_stem.setdefault(needle[:_LONGEST_STEM], []).append((needle, owner))

    def find(self, value: str) -> tuple[str, int] | None:
        """Return the first text found in a value, and its list."""
        stems = {
            value[at : at + length]
            for at in range(len(value))
            for length in range(1, _LONGEST_STEM + 1)
        }
        hits = [
            (owner, needle)
            for stem in stems & self._by_stem.keys()
            for needle, owner in self._by_stem[stem]
            if needle in value
        ]
        if not hits:
            return None
        owner, needle = min(hits)
        return needle, owner
