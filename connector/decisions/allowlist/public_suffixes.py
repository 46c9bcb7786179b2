"""Public suffixes: names under which the public registers, so that nobody owns them as a whole."""

import re
from codecs import getdecoder
from importlib.resources import files
from typing import Final, Self

__all__ = ["PublicSuffixes"]

_RULE: Final = re.compile(r"^(?!//)\S+", re.MULTILINE)
_A_LABEL: Final = "xn--"
_decode: Final = getdecoder("punycode")


class PublicSuffixes:
    """The Public Suffix List with its private section, asked whether a name itself is on it.

    Only the suffix itself counts, never names below it, and a top-level domain always does.
    The library's own look-up walks every label of every name, several times our whole budget.
    """

    __slots__ = ("_exempt", "_names", "_wild")

    def __init__(self, text: str) -> None:
        rules = _RULE.findall(text.lower())
        marked = [rule for rule in rules if rule[0] in "!*"]
        self._exempt = frozenset(rule[1:] for rule in marked if rule[0] == "!")
        self._wild = frozenset(rule[2:] for rule in marked if rule[0] == "*")
        # A wildcard implies its own root: `*.ck` makes `ck` public too.
        self._names = frozenset({*rules, *self._wild}.difference(marked))

    @classmethod
    def shipped(cls) -> Self:
        """Read the list that comes with publicsuffixlist; nothing is fetched."""
        text = files("publicsuffixlist").joinpath("public_suffix_list.dat").read_text("utf-8")
        return cls(text)

    def __contains__(self, name: str) -> bool:
        if name in self._names:
            return True
        if _A_LABEL in name:
            name = _shown(name)  # as the list writes it
            if name in self._names:
                return True
        parent = name.partition(".")[2]
        return not parent or (parent in self._wild and name not in self._exempt)


def _shown(name: str) -> str:
    """Return a name with its labels of other scripts decoded; as it is where one cannot be."""
    labels = (
        _decode(label[len(_A_LABEL) :].encode("ascii"))[0] if label.startswith(_A_LABEL) else label
        for label in name.split(".")
    )
    try:
        return ".".join(labels)
    except UnicodeError:
        return name
