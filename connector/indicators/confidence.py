"""Confidence as producers write it, and what it means from 0 to 100 (STIX 2.1 appendix A).

An indicator's confidence is kept as a whole number: 0 to 100 as it is, a code below zero for a
word or a value that is on no scale at all. Only the configuration knows which scale it is on.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = ["Scale", "code_of", "readings", "words_of"]

NOWHERE: Final = -1
_FIRST_WORD: Final = -2
_QUOTED: Final = -1000  # a number in quotes: -1000 is "0", -1100 is "100"
_HIGHEST: Final = 100

# Stores keep these positions: only ever append a word.
_WORDS: Final = (
    "none", "low", "medium", "high",
    "impossible", "highly unlikely", "almost certainly not", "unlikely", "probably not",
    "even chance", "chances about even", "likely", "probable", "highly likely", "almost certain",
    "certain",
    "almost no chance", "remote", "very unlikely", "highly improbable", "improbable",
    "roughly even chance", "roughly even odds", "very likely", "highly probable",
    "nearly certain",
    "confirmed", "confirmed by other sources", "probably true", "possibly true", "doubtful",
    "truth cannot be judged", "1 confirmed by other sources", "2 probably true",
    "3 possibly true", "4 doubtful", "5 improbable", "6 truth cannot be judged",
)  # fmt: skip
_ALIASES: Final = {"med": "medium"}
_CODES: Final = {word: _FIRST_WORD - place for place, word in enumerate(_WORDS)}


class Scale(StrEnum):
    """How a feed's producers write confidence."""

    STIX = "0-100"
    TEN = "0-10"
    ADMIRALTY = "admiralty"
    LOW_MEDIUM_HIGH = "low-medium-high"
    WEP = "wep"
    DNI = "dni"


_LOW_MEDIUM_HIGH: Final = {"none": 0, "low": 15, "medium": 50, "high": 85}
_WEP: Final = {
    "impossible": 0, "highly unlikely": 10, "almost certainly not": 10, "unlikely": 30,
    "probably not": 30, "even chance": 50, "chances about even": 50, "likely": 70, "probable": 70,
    "highly likely": 90, "almost certain": 90, "certain": 100,
}  # fmt: skip
_DNI: Final = {
    "almost no chance": 5, "remote": 5, "very unlikely": 15, "highly improbable": 15,
    "unlikely": 30, "improbable": 30, "roughly even chance": 50, "roughly even odds": 50,
    "likely": 70, "probable": 70, "very likely": 85, "highly probable": 85, "almost certain": 95,
    "nearly certain": 95,
}  # fmt: skip
_ADMIRALTY: Final = (
    (90, ("confirmed", "confirmed by other sources", "1 confirmed by other sources")),
    (70, ("probably true", "2 probably true")),
    (50, ("possibly true", "3 possibly true")),
    (30, ("doubtful", "4 doubtful")),
    (10, ("improbable", "5 improbable")),
    (None, ("truth cannot be judged", "6 truth cannot be judged")),
)


def code_of(said: object) -> int:
    """Return the code for a confidence that is not a whole number from 0 to 100."""
    if isinstance(said, str):
        word = " ".join(said.replace("-", " ").replace("_", " ").casefold().split())
        if word.isascii() and word.isdecimal() and len(word) <= 3 and int(word) <= _HIGHEST:
            return _QUOTED - int(word)
        return _CODES.get(_ALIASES.get(word, word), NOWHERE)
    if isinstance(said, float) and said.is_integer() and 0 <= said <= _HIGHEST:
        return int(said)
    return NOWHERE


def words_of(code: int) -> str:
    """Return the confidence as the indicator gave it, as far as it was kept."""
    if code >= 0:
        return str(code)
    if code <= _QUOTED:
        return f'"{_QUOTED - code}"'
    return "on no scale" if code == NOWHERE else _WORDS[_FIRST_WORD - code]


def readings(scale: Scale) -> Mapping[int, int | None] | None:
    """Return the values of a scale with their meanings; None for STIX's own, which needs none.

    The value without a meaning is Admiralty's 6, which judges nothing. On the scales of words, a
    whole number is already on STIX's scale.
    """
    if scale is Scale.STIX:
        return None
    if scale is Scale.TEN:
        return _numbered((number, 10 * number) for number in range(11))
    if scale is Scale.ADMIRALTY:
        steps = _numbered((number, value) for number, (value, _) in enumerate(_ADMIRALTY, 1))
        words = {_CODES[word]: value for value, words in _ADMIRALTY for word in words}
        return MappingProxyType({**steps, **words})
    said = {Scale.LOW_MEDIUM_HIGH: _LOW_MEDIUM_HIGH, Scale.WEP: _WEP, Scale.DNI: _DNI}[scale]
    numbers = {number: number for number in range(_HIGHEST + 1)}
    return MappingProxyType({**numbers, **{_CODES[word]: value for word, value in said.items()}})


def _numbered(steps: Iterable[tuple[int, int | None]]) -> Mapping[int, int | None]:
    """Return the steps of a numeric scale, also in quotes, as some producers write them."""
    known = dict(steps)
    quoted = {_QUOTED - number: value for number, value in known.items()}
    return MappingProxyType({**known, **quoted})
