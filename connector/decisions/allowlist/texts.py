"""Texts with the numbers of their owners, in little memory however many they are.

A million names as a set or dictionary take 150 MB. Lists come sorted, so that long ones are kept
as sorted text in blocks, for a binary search and one look into a block: exact, and no larger than
the text itself. Of several owners of a text the one with the lowest number stands for all.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, KeysView, Sequence
from itertools import chain, repeat
from operator import itemgetter
from typing import Final

__all__ = ["MANY", "Find", "Needles", "Parents", "SortedTexts", "Texts", "parents_of"]

Find = Callable[[str], int | None]

_BLOCK: Final = 48
MANY: Final = 50_000
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
    """Texts of many owners: short lists together, long ones each by itself."""

    __slots__ = ("_few", "_many")

    def __init__(self) -> None:
        self._few: dict[str, int] = {}
        self._many: list[tuple[int, SortedTexts]] = []

    def __bool__(self) -> bool:
        return bool(self._few or self._many)

    def add(self, texts: list[str], owner: int) -> list[str] | SortedTexts:
        """Take over the texts of an owner, and return them in the form in which they are kept."""
        if len(texts) > MANY:
            long = SortedTexts(texts)
            self._many.append((owner, long))
            self._many.sort(key=itemgetter(0))
            return long
        few = self._few
        for text in texts:
            if few.get(text, owner) >= owner:
                few[text] = owner
        return texts

    def finder(self) -> Find:
        """Return what finds the first owner of a text; nothing may be added from then on."""
        return self._find if self._many else self._few.get

    def _find(self, text: str) -> int | None:
        best = self._few.get(text)
        for owner, texts in self._many:
            if best is not None and best < owner:
                return best
            if text in texts:
                return owner
        return best

    @property
    def few(self) -> KeysView[str] | None:
        """The texts; None where there are long lists among them."""
        return None if self._many else self._few.keys()


def none_of(held: Iterable[Texts]) -> Callable[[Iterable[str]], bool]:
    """Return what tells quickly that none of some texts is among these; False where it cannot."""
    few = [texts.few for texts in held if texts]

    def none(texts: Iterable[str]) -> bool:
        for known in few:  # noqa: SIM110 - `all` would cost as much as the look-ups
            if known is None or not known.isdisjoint(texts):
                return False
        return True

    return none


class Parents:
    """The names above those of many owners."""

    __slots__ = ("_long", "_texts")

    def __init__(self) -> None:
        self._texts = Texts()
        self._long: list[tuple[int, SortedTexts]] = []

    def add(self, name: str, owner: int) -> None:
        """Add every name above one."""
        above = []
        while name := name.partition(".")[2]:
            above.append(name)
        self._texts.add(above, owner)

    def add_above(self, names: list[str] | SortedTexts, owner: int) -> None:
        """Add every name above these."""
        if isinstance(names, SortedTexts):
            self._long.append((owner, names))
            self._texts.add(names.parents(), owner)
        else:
            self._texts.add(parents_of(names), owner)

    def finder(self) -> Find:
        """Return what finds the first owner of a name below one; nothing may be added then."""
        above = self._texts.finder()
        if not self._long:
            return above
        long = sorted(self._long, key=itemgetter(0))

        def find(name: str) -> int | None:
            best = above(name)
            below = next((owner for owner, names in long if names.holds_below(name)), None)
            return min((each for each in (best, below) if each is not None), default=None)

        return find


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
