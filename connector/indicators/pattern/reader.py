"""From a STIX pattern to claims: which observables it indicts, and which of them by themselves.

Soundness comes first: an observable is enforceable only if seeing it alone makes the pattern true.
The only exception is the identity of a file by a strong hash (see `conjunctions`).
"""

from collections.abc import Iterable
from operator import attrgetter
from typing import Final

from connector.indicators.pattern.claims import claim_of_text
from connector.indicators.pattern.comparisons import HASH_NAMES, PatternTooLargeError
from connector.indicators.pattern.conjunctions import ConjunctionReader, Placed
from connector.indicators.pattern.grammar import LONGEST, parse
from connector.indicators.pattern.paths import PROPERTIES, Property
from connector.indicators.pattern.tokens import PatternSyntaxError
from connector.model import Claim, Reason, Subject


def read_pattern(pattern: str, version: str = "2.1") -> tuple[Claim, ...]:
    """Return what a pattern claims: at least one claim, no observable twice, never an error."""
    # Of the patterns in feeds, 99 in 100 are a single equality.
    end = -2 if pattern.endswith("']") else -3 if pattern.endswith("' ]") else 0
    head, _quote, text = pattern[:end].rpartition("'")
    known = _HEADS.get(head)
    if known is not None and "\\" not in text and len(pattern) <= LONGEST:
        return (claim_of_text(known, text),)
    return read_in_full(pattern, version)


def read_in_full(pattern: str, version: str = "2.1") -> tuple[Claim, ...]:
    """Return the same as `read_pattern`, but always using the grammar."""
    try:
        parsed = parse(pattern, version)
    except PatternSyntaxError as error:
        return (Claim(None, False, Reason.UNREADABLE, f"not a STIX pattern: {error}"),)
    except PatternTooLargeError as error:
        return (
            Claim(None, False, Reason.UNSUPPORTED_PATTERN, f"the pattern is too large: {error}"),
        )
    reader = ConjunctionReader()
    claims = _gathered(
        placed for conjunction in parsed.conjunctions for placed in reader.claims(conjunction)
    )
    if parsed.repairs:
        repairs = f"repaired: {', '.join(parsed.repairs)}"
        return tuple(_noted(claim, repairs) for claim in claims)
    return claims


def _spelled() -> dict[str, Property]:
    """Return the properties by every usual spelling of their paths."""
    spelled = {}
    for path, known in PROPERTIES.items():
        parent, _, name = path.rpartition(".")
        if parent.endswith("hashes"):
            names = (given for given, meant in HASH_NAMES.items() if meant == name)
            for given in names:
                spelled[f"{parent}.'{given}'"] = spelled[f"{parent}.'{given.upper()}'"] = known
                if "-" not in given:
                    spelled[f"{parent}.{given}"] = spelled[f"{parent}.{given.upper()}"] = known
        elif not known.is_number and "[" not in path and "-" not in path.partition(":")[2]:
            spelled[path] = known
    return spelled


def _heads() -> dict[str, Property]:
    """Return the properties by everything that precedes the text in a usual equality."""
    return {
        f"{bracket}{path}{equals}": known
        for path, known in _spelled().items()
        for bracket in ("[", "[ ")
        for equals in (" = ", " =", "= ", "=")
    }


_HEADS: Final = _heads()


def _gathered(found: Iterable[Placed]) -> tuple[Claim, ...]:
    """Return the claims in the order of the pattern, then one for each kind of failure."""
    best: dict[Subject, Placed] = {}
    failed: dict[Reason, list[str]] = {}
    for placed in found:
        claim = placed.claim
        if claim.observable is None:
            failed.setdefault(claim.reason or Reason.UNREADABLE, []).append(claim.why)
        elif (known := best.get(claim.observable)) is None:
            best[claim.observable] = placed
        elif claim.enforceable > known.claim.enforceable:
            best[claim.observable] = Placed(min(placed.at, known.at), claim)
    claims = [placed.claim for placed in sorted(best.values(), key=attrgetter("at"))]
    claims += [_failure(reason, whys) for reason, whys in failed.items()]
    return tuple(claims)


def _failure(reason: Reason, whys: list[str]) -> Claim:
    others = len(set(whys)) - 1
    return Claim(None, False, reason, f"{whys[0]} (and {others} more)" if others else whys[0])


def _noted(claim: Claim, note: str) -> Claim:
    why = f"{claim.why}; {note}" if claim.why else note
    return Claim(claim.observable, claim.enforceable, claim.reason, why)
