"""Reader of the whole STIX 2.0 and 2.1 pattern grammar, into the arms of a normal form.

A pattern is an OR of arms; an arm is an AND of comparisons on one object, and says whether the
pattern also needs something beside it. What the comparisons mean is told by `pattern_claims`.
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

_FOLLOWED: Final = "FOLLOWEDBY: another observation must follow or precede"
_JOINED: Final = "AND: another observation is needed too"
_AT_A_TIME: Final = "START and STOP: it must be seen at that time"
_TOGETHER: Final = "REPEATS: one observation is not enough"
_NEVER: Final = "WITHIN 0 SECONDS: no observation can be"


@dataclass(frozen=True, slots=True)
class Arm:
    """Comparisons that one object must pass together, and what the pattern needs beside it."""

    term: Term
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A pattern as an OR of arms, and the repairs that were needed to read it."""

    arms: list[Arm]
    repairs: tuple[str, ...]


def parse(pattern: str, version: str = "2.1") -> Parsed:
    """Return the arms of a pattern, or raise PatternSyntaxError or PatternTooLargeError."""
    if len(pattern) > LONGEST:
        raise PatternTooLargeError(f"it is longer than {LONGEST} characters")
    words = Words(pattern)
    has_exists = version != "2.0"
    if words.next.kind == "word":
        arms = [Arm(term) for term in read_test(words, has_exists=has_exists)]
        words.repairs.append(MISSING_BRACKETS)
    else:
        arms = _read_observations(words, has_exists)
    words.read("end")
    if sum(len(arm.term) for arm in arms) > MOST_COMPARISONS:  # many ANDs, each within its bound
        raise PatternTooLargeError(f"its ANDs make more than {MOST_COMPARISONS} comparisons")
    return Parsed(arms, tuple(dict.fromkeys(words.repairs)))


@dataclass(slots=True)
class _Group:
    """What has been read between two parentheses; AND binds before OR, OR before FOLLOWEDBY."""

    followed: list[list[Arm]] = field(default_factory=list)
    alternatives: list[Arm] = field(default_factory=list)
    joined: list[list[Arm]] = field(default_factory=list)

    def end_and(self) -> None:
        self.alternatives.extend(_all_needed(self.joined, _JOINED))
        self.joined = []

    def end_or(self) -> None:
        self.followed.append(self.alternatives)
        self.alternatives = []

    def arms(self) -> list[Arm]:
        return _all_needed(self.followed, _FOLLOWED)


def _read_observations(words: Words, has_exists: bool) -> list[Arm]:
    outer: list[_Group] = []
    group = _Group()
    while True:
        while words.take("("):
            outer.append(group)
            group = _Group()
            check_depth(len(outer))
        arms = _qualified(words, _read_observation(words, has_exists), once=True)
        while True:
            group.joined.append(arms)
            if words.take("AND"):
                break
            group.end_and()
            if words.take("OR"):
                break
            group.end_or()
            if words.take("FOLLOWEDBY"):
                break
            if not outer:
                return group.arms()
            words.read(")")
            arms, group = _qualified(words, group.arms(), once=False), outer.pop()


def _read_observation(words: Words, has_exists: bool) -> list[Arm]:
    words.read("[")
    terms = read_comparisons(words, has_exists=has_exists)
    words.read("]")
    return [Arm(term) for term in terms]


def _qualified(words: Words, arms: list[Arm], *, once: bool) -> list[Arm]:
    seen: set[str] = set()
    while (kind := words.next.kind) in {"START", "WITHIN", "REPEATS"}:
        if once and kind in seen:
            raise words.problem("one qualifier of each kind is allowed")
        seen.add(kind)
        if needs := _read_qualifier(words):
            arms = _needing(arms, needs)
    return arms


def _read_qualifier(words: Words) -> str:
    """Return what it adds to the observation's needs: nothing where one alone will do."""
    if words.take("START"):
        words.read("timestamp")
        words.read("STOP")
        words.read("timestamp")
        return _AT_A_TIME
    if words.take("WITHIN"):
        span = float(words.read("int", "float").text)
        words.read("SECONDS")
        # One observation lies within any span; where an AND asks for several, the AND says so.
        return "" if span > 0 else _NEVER
    words.read("REPEATS")
    times = words.read("int").text
    words.read("TIMES")
    return "" if times.removeprefix("+") == "1" else _TOGETHER


def _all_needed(sides: list[list[Arm]], needs: str) -> list[Arm]:
    if len(sides) == 1:
        return sides[0]
    return _needing(chain.from_iterable(sides), needs)


def _needing(arms: Iterable[Arm], needs: str) -> list[Arm]:
    return [arm if arm.needs else Arm(arm.term, needs) for arm in arms]
