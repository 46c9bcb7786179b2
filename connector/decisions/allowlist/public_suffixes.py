"""Public suffixes: names under which the public registers, so that nobody owns them as a whole."""

from collections.abc import Iterable
from importlib.resources import files
from typing import Self

import idna

__all__ = ["PublicSuffixes"]


class PublicSuffixes:
    """The Public Suffix List with its private section, asked whether a name itself is on it.

    Only the suffix itself counts, never names below it, and a top-level domain always does.
    The library's own look-up walks every label of every name, several times our whole budget.
    """

    __slots__ = ("_exempt", "_names", "_wild")

    def __init__(self, lines: Iterable[str]) -> None:
        rules = [rule for line in lines if (rule := _rule(line))]
        self._exempt = frozenset(_ascii(rule[1:]) for rule in rules if rule.startswith("!"))
        self._wild = frozenset(_ascii(rule[2:]) for rule in rules if rule.startswith("*."))
        plain = {_ascii(rule) for rule in rules if rule[0] not in "!*"}
        # A wildcard implies its own root: `*.ck` makes `ck` public too.
        self._names = frozenset(plain | self._wild)

    @classmethod
    def shipped(cls) -> Self:
        """Read the list that comes with publicsuffixlist; nothing is fetched."""
        text = files("publicsuffixlist").joinpath("public_suffix_list.dat").read_text("utf-8")
        return cls(text.splitlines())

    def __contains__(self, name: str) -> bool:
        if name in self._names:
            return True
        parent = name.partition(".")[2]
        return not parent or (parent in self._wild and name not in self._exempt)


def _rule(line: str) -> str:
    words = line.split(maxsplit=1)
    return "" if not words or words[0].startswith("//") else words[0].lower()


def _ascii(name: str) -> str:
    return name if name.isascii() else idna.encode(name).decode("ascii")
