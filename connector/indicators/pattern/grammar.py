"""Reads the whole STIX 2.0 and 2.1 pattern grammar into the conjunctions of a normal form.

A pattern is an OR of conjunctions; a conjunction is an AND of comparisons on one object, and says
what else the pattern needs. `claims` defines what a comparison means.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from connector.indicators.pattern.comparisons import (
    MOST_COMPARISONS,
    PatternTooLargeError,
    Term,
    check_depth,
    read_comparisons,
    read_test,
)
from connector.indicators.pattern.tokens import MISSING_BRACKETS, Words

LONGEST: Final = 256 * 1024

_FOLLOWED: Final = "FOLLOWEDBY: another observation must come before or after it"
_JOINED: Final = "AND: another observation is needed too"
_AT_A_TIME: Final = "START and STOP: it must be seen in that period"
_TOGETHER: Final = "REPEATS: one observation is not enough"
_NEVER: Final = "WITHIN 0 SECONDS: no observation can match"


@dataclass(frozen=True, slots=True)
class Conjunction:
    """Comparisons that one object must satisfy together, and what else the pattern needs."""

    term: Term
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A pattern as an OR of conjunctions, and the repairs needed to read it."""

    conjunctions: list[Conjunction]
    repairs: tuple[str, ...]


def parse(pattern: str, version: str = "2.1") -> Parsed:
    """Return the conjunctions of a pattern, or raise PatternSyntaxError or PatternTooLargeError."""
    if len(pattern) > LONGEST:
        raise PatternTooLargeError(f"it is longer than {LONGEST} characters")
    words = Words(pattern)
    has_exists = version != "2.0"
    if words.next.kind == "word":
        conjunctions = [Conjunction(term) for term in read_test(words, has_exists=has_exists)]
        words.repairs.append(MISSING_BRACKETS)
    else:
        conjunctions = _read_observations(words, has_exists)
    words.read("end")
    if (
        sum(len(conjunction.term) for conjunction in conjunctions) > MOST_COMPARISONS
    ):  # many ANDs, each within its bound
        raise PatternTooLargeError(f"its ANDs make more than {MOST_COMPARISONS} comparisons")
    return Parsed(conjunctions, tuple(dict.fromkeys(words.repairs)))


@dataclass(slots=True)
class _Group:
    """What has been read inside parentheses; AND binds before OR, OR before FOLLOWEDBY."""

    followed: list[list[Conjunction]] = field(default_factory=list)
    alternatives: list[Conjunction] = field(default_factory=list)
    joined: list[list[Conjunction]] = field(default_factory=list)

    def end_and(self) -> None:
        self.alternatives.extend(_all_needed(self.joined, _JOINED))
        self.joined = []

    def end_or(self) -> None:
        self.followed.append(self.alternatives)
        self.alternatives = []

    def conjunctions(self) -> list[Conjunction]:
        return _all_needed(self.followed, _FOLLOWED)


def _read_observations(words: Words, has_exists: bool) -> list[Conjunction]:
    outer: list[_Group] = []
    group = _Group()
    while True:
        while words.take("("):
            outer.append(group)
            group = _Group()
            check_depth(len(outer))
        conjunctions = _qualified(words, _read_observation(words, has_exists), once=True)
        while True:
            group.joined.append(conjunctions)
            if words.take("AND"):
                break
            group.end_and()
            if words.take("OR"):
                break
            group.end_or()
            if words.take("FOLLOWEDBY"):
                break
            if not outer:
                return group.conjunctions()
            words.read(")")
            conjunctions, group = _qualified(words, group.conjunctions(), once=False), outer.pop()


def _read_observation(words: Words, has_exists: bool) -> list[Conjunction]:
    words.read("[")
    defaults = read_comparisons(words, has_exists=has_exists)
    words.read("]")
    return [Conjunction(term) for term in defaults]


def _qualified(words: Words, conjunctions: list[Conjunction], *, once: bool) -> list[Conjunction]:
    seen: set[str] = set()
    while (kind := words.next.kind) in {"START", "WITHIN", "REPEATS"}:
        if once and kind in seen:
            raise words.problem("only one qualifier of each kind is allowed")
        seen.add(kind)
        if needs := _read_qualifier(words):
            conjunctions = _needing(conjunctions, needs)
    return conjunctions


def _read_qualifier(words: Words) -> str:
    """Return what it adds to the observation's needs: nothing if one alone is enough."""
    if words.take("START"):
        words.read("timestamp")
        words.read("STOP")
        words.read("timestamp")
        return _AT_A_TIME
    if words.take("WITHIN"):
        span = float(words.read("int", "float").text)
        words.read("SECONDS")
        # One observation fits into any span; if an AND needs several, the AND says so.
        return "" if span > 0 else _NEVER
    words.read("REPEATS")
    times = words.read("int").text
    words.read("TIMES")
    return "" if times.removeprefix("+") == "1" else _TOGETHER


def _all_needed(sides: list[list[Conjunction]], needs: str) -> list[Conjunction]:
    if len(sides) == 1:
        return sides[0]
    return _needing(chain.from_iterable(sides), needs)


def _needing(conjunctions: Iterable[Conjunction], needs: str) -> list[Conjunction]:
    return [
        conjunction if conjunction.needs else Conjunction(conjunction.term, needs)
        for conjunction in conjunctions
    ]
