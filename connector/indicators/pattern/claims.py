"""What one comparison claims when it is the whole pattern."""

import re
from typing import Final

from connector.indicators.observables.canonical import (
    HOST_BITS_MASKED,
    RETYPED,
    UnfitValueError,
    WildcardError,
)
from connector.indicators.observables.errors import shown
from connector.indicators.observables.names import ACCOUNT_DROPPED, FRAGMENT_DROPPED
from connector.indicators.pattern.comparisons import Comparison
from connector.indicators.pattern.paths import PROPERTIES, VICTIMS, Property
from connector.model import Claim, Observable, ObservableType, Reason

_ADDRESSES: Final = frozenset({ObservableType.IPV4_ADDR, ObservableType.IPV6_ADDR})
# These parts never reach a server: a URL without them blocks more than was meant.
_DROPPED: Final = {
    FRAGMENT_DROPPED: "its fragment is never sent, and without it any visit to the page matches",
    ACCOUNT_DROPPED: "it is about one account, and without that it matches every account",
}
_NAMES_BELOW: Final = re.compile(r"%(\.[^%_]+)")


def claim_of(comparison: Comparison) -> Claim:
    """Return what a comparison claims by itself."""
    path, operator, literal = comparison.path, comparison.operator, comparison.literal
    if comparison.negated:
        return Claim(
            None, False, Reason.NOT_ENFORCEABLE, f"{shown(path)}: says what must not match"
        )
    known = PROPERTIES.get(path)
    if known is None:
        return _unsupported(path, _why_unknown(path))
    if operator == "=":
        return _equality(known, literal)
    if operator == "ISSUBSET" and known.is_address and isinstance(literal, str):
        return _contained(claim_of_text(known, literal, as_network=True))
    if operator == "ISSUPERSET" and known.is_address and isinstance(literal, str):
        claim = _contained(claim_of_text(known, literal, as_network=True))
        return watched(claim, "it means networks that contain this, not this alone")
    if operator == "LIKE" and path == "domain-name:value" and isinstance(literal, str):
        return _names_below(known, literal)
    return _unsupported(path, f"no observable can be read from {operator}")


def claim_of_text(known: Property, text: str, *, as_network: bool = False) -> Claim:
    """Return what the equality of a known property with a text claims by itself.

    `as_network` says that a prefix can only mean its network, whatever bits are set.
    """
    if known.plain is not None and known.plain[1](text):
        return Claim(Observable(known.plain[0], text), True)
    try:
        observable, notes = known.read(text)
    except UnfitValueError as error:
        return _unfit(known, error)
    caution = known.caution or _caution(observable, notes)
    if not caution and HOST_BITS_MASKED in notes and not as_network:
        caution = "bits are set beyond its prefix, so it may mean one host"
    if caution:
        return Claim(observable, False, Reason.NOT_ENFORCEABLE, "; ".join((caution, *notes)))
    return Claim(observable, True, None, "; ".join(notes) if notes else "")


def watched(claim: Claim, why: str) -> Claim:
    """Return the claim as one for watchlists only; one without an observable is unchanged."""
    if claim.observable is None:
        return claim
    why = f"{why}; {claim.why}" if claim.why else why
    return Claim(claim.observable, False, Reason.NOT_ENFORCEABLE, why)


def _unfit(known: Property, error: UnfitValueError) -> Claim:
    means_many = isinstance(error, WildcardError)
    reason = Reason.NOT_ENFORCEABLE if means_many else Reason.UNREADABLE
    return Claim(None, False, reason, f"{known.path}: {error}")


def _unsupported(path: str, why: str) -> Claim:
    return Claim(None, False, Reason.UNSUPPORTED_PATTERN, f"{shown(path)}: {why}")


def _why_unknown(path: str) -> str:
    if path.startswith(VICTIMS):
        return "says who received it, and victims are never listed"
    return "no observable can be read from this property"


def _equality(known: Property, literal: object) -> Claim:
    if known.is_number and type(literal) is int:
        return claim_of_text(known, str(literal))
    if not isinstance(literal, str):
        why = f"{known.path}: is compared with something that it can never equal"
        return Claim(None, False, Reason.UNREADABLE, why)
    claim = claim_of_text(known, literal)
    return watched(claim, "a number never equals a text") if known.is_number else claim


def _contained(claim: Claim) -> Claim:
    kind = claim.observable.type if claim.observable else None
    if kind is None or kind in _ADDRESSES:
        return claim
    return Claim(None, False, Reason.UNREADABLE, "only addresses can be subsets of each other")


def _names_below(known: Property, literal: str) -> Claim:
    form = _NAMES_BELOW.fullmatch(literal)
    if form is None:
        return _unsupported(known.path, "only LIKE '%.' and a name says which names are meant")
    try:
        observable, notes = known.read("*" + form[1])
    except UnfitValueError as error:
        return Claim(None, False, Reason.UNREADABLE, f"{known.path}: {error}")
    return Claim(observable, True, None, "; ".join(notes))


def _caution(observable: Observable, notes: tuple[str, ...]) -> str:
    kind, value = observable.type, observable.value
    if observable.wild:
        return "it contains a wildcard, so many readers match more than this value"
    for note, why in _DROPPED.items():
        if note in notes:
            return why
    if kind is ObservableType.DOMAIN_NAME:
        if value.startswith("*."):
            return "an equality with a wildcard matches no name"
        return "it is a whole mail domain instead of an address" if RETYPED in notes else ""
    return ""
