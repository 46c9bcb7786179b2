"""What comparisons claim that one object must satisfy together.

Seeing one of their observables does not make the AND true, with three exceptions: tests that add
nothing (the type of a value that can only have that type), a strong hash, which identifies a file
whatever else is said about it, and an address, port and protocol, which form one observable.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from connector.indicators.observables.canonical import UnfitValueError, canonical
from connector.indicators.observables.errors import shown
from connector.indicators.pattern.claims import claim_of, watched
from connector.indicators.pattern.comparisons import Comparison
from connector.indicators.pattern.grammar import Conjunction
from connector.model import Claim, Observable, ObservableType, Reason

_T = ObservableType
_STRENGTH: Final = {_T.FILE_MD5: 1, _T.FILE_SHA1: 2, _T.FILE_SHA256: 3, _T.FILE_SHA512: 4}
_STRONG: Final = 3
_FAMILIES: Final = {_T.IPV4_ADDR: "ipv4", _T.IPV6_ADDR: "ipv6"}
_DESTINATION: Final = "network-traffic:dst_ref.value"
_PORT: Final = "network-traffic:dst_port"
_PROTOCOLS: Final = "network-traffic:protocols[*]"
_GRAVITY: Final = (Reason.UNREADABLE, Reason.UNSUPPORTED_PATTERN, Reason.NOT_ENFORCEABLE)


class Placed(NamedTuple):
    """A claim, and where in the pattern it begins."""

    at: int
    claim: Claim


class _Read(NamedTuple):
    """A comparison, and what it claims by itself."""

    test: Comparison
    claim: Claim

    @property
    def observable(self) -> Observable | None:
        found = self.claim.observable
        return found if isinstance(found, Observable) else None

    @property
    def is_equality(self) -> bool:
        return self.test.operator == "=" and not self.test.negated


class ConjunctionReader:
    """Reads the conjunctions of one pattern; reads a comparison that several share only once."""

    def __init__(self) -> None:
        self._claims: dict[int, Claim] = {}

    def claims(self, conjunction: Conjunction) -> list[Placed]:
        """Return what a conjunction claims: at least one claim."""
        if len(conjunction.term) == 1:
            test = conjunction.term[0]
            found = [Placed(test.at, self._claim(test))]
        else:
            found = _together([_Read(test, self._claim(test)) for test in conjunction.term])
        if conjunction.needs:
            return [Placed(at, watched(claim, conjunction.needs)) for at, claim in found]
        return found

    def _claim(self, test: Comparison) -> Claim:
        # No two comparisons of a pattern begin at the same place.
        claim = self._claims.get(test.at)
        if claim is None:
            claim = self._claims[test.at] = claim_of(test)
        return claim


def _together(reads: Iterable[_Read]) -> list[Placed]:
    reads = _without_excluded(_without_repeats(reads))
    problem = _mixture(reads)
    if not problem:
        reads = _without_guards(reads) or reads[:1]
    if len(reads) == 1:
        return [Placed(reads[0].test.at, reads[0].claim)]
    problem = problem or _contradiction(reads) or _exclusion(reads)
    found = _sufficient(reads) if not problem else []
    enough = {placed.claim.observable for placed in found}
    for read in reads:
        if read.observable is not None and read.observable not in enough:
            why = problem or f"it is not enough without {_others(reads, read)}"
            found.append(Placed(read.test.at, watched(read.claim, why)))
        elif read.claim.reason is Reason.UNREADABLE:
            found.append(Placed(read.test.at, read.claim))
    return found or [_gravest(reads)]


def _without_repeats(reads: Iterable[_Read]) -> list[_Read]:
    distinct: dict[object, _Read] = {}
    for read in reads:
        test = read.test
        # By the text, not by the observable: two spellings of one name differ in STIX.
        value = (type(test.literal), test.literal)
        distinct.setdefault((test.path, test.operator, test.negated, value), read)
    return list(distinct.values())


def _without_excluded(reads: list[_Read]) -> list[_Read]:
    """Return the reads without values that the same AND excludes."""
    excluded = {(read.test.path, read.test.literal) for read in reads if read.test.negated}
    return [
        read
        for read in reads
        if not (read.is_equality and (read.test.path, read.test.literal) in excluded)
    ]


def _without_guards(reads: list[_Read]) -> list[_Read]:
    types = {
        (read.test.path, read.observable.type.value)
        for read in reads
        if read.observable is not None
    }
    return [read for read in reads if not _is_guard(read, types)]


def _is_guard(read: _Read, types: set[tuple[str, str]]) -> bool:
    path = read.test.path
    if not read.is_equality or not path.endswith((".type", ":type")):
        return False
    return path == f"{read.test.literal}:type" or (
        (f"{path.removesuffix('type')}value", read.test.literal) in types
    )


def _mixture(reads: Sequence[_Read]) -> str:
    """Return why no object can satisfy all of them, if they are about different objects."""
    objects = list(dict.fromkeys(read.test.path.partition(":")[0] for read in reads))
    if len(objects) == 1:
        return ""
    return f"no object is {' and '.join(map(shown, objects[:3]))} at once"


def _contradiction(reads: Sequence[_Read]) -> str:
    """Return why no object can satisfy all of them, if one property has two values."""
    seen: dict[object, object] = {}
    for read in reads:
        if not read.is_equality or "[*]" in read.test.path:
            continue
        observable = read.observable
        # Two hashes of one kind contradict each other under any name.
        is_digest = observable is not None and observable.type in _STRENGTH
        subject = observable.type if is_digest and observable else read.test.path
        value = observable or read.test.literal
        if seen.setdefault(subject, value) != value:
            return f"{shown(read.test.path)} cannot equal two values at once"
    return ""


def _exclusion(reads: Sequence[_Read]) -> str:
    negated = next((read for read in reads if read.test.negated), None)
    return f"it also excludes values of {shown(negated.test.path)}" if negated else ""


def _sufficient(reads: Sequence[_Read]) -> list[Placed]:
    if any(read.claim.reason is Reason.UNREADABLE for read in reads):
        return []
    kind = reads[0].test.path.partition(":")[0]
    if kind == "file":
        return _identity(reads)
    return _endpoint(reads) if kind == "network-traffic" else []


def _identity(reads: Sequence[_Read]) -> list[Placed]:
    """Return the strongest hash of a file, if it identifies the file."""
    hashes = {
        _STRENGTH[read.observable.type]: read
        for read in reads
        if read.observable is not None and read.observable.type in _STRENGTH
    }
    if not hashes:
        return []
    strength = max(hashes)
    if strength < _STRONG and len(hashes) < len(reads):
        return []
    strongest = hashes[strength]
    return [Placed(strongest.test.at, strongest.claim)]


def _endpoint(reads: Sequence[_Read]) -> list[Placed]:
    """Return the address, port and protocol as one observable, if there is no other test."""
    by_path: dict[str, list[_Read]] = {}
    for read in reads:
        by_path.setdefault(read.test.path, []).append(read)
    asked = {_DESTINATION, _PORT, _PROTOCOLS}
    if by_path.keys() != asked or not all(read.is_equality for read in reads):
        return []
    destination, port = by_path[_DESTINATION][0], by_path[_PORT][0].test.literal
    address = destination.observable
    if address is None or address.type not in _FAMILIES:
        return []
    protocols = {read.test.literal for read in by_path[_PROTOCOLS]} - {_FAMILIES[address.type]}
    if len(protocols) != 1 or type(port) is not int:
        return []
    host = f"[{address.value}]" if address.type is _T.IPV6_ADDR else address.value
    try:
        whole = canonical(_T.ENDPOINT, f"{host}:{port}/{protocols.pop()}")
    except UnfitValueError:
        return []
    return [Placed(destination.test.at, Claim(whole, True))]


def _others(reads: Sequence[_Read], read: _Read) -> str:
    paths = dict.fromkeys(other.test.path for other in reads if other is not read)
    named = [shown(path) for path in list(paths)[:3]]
    return ", ".join(named) + (" and more" if len(paths) > len(named) else "")


def _gravest(reads: Sequence[_Read]) -> Placed:
    read = min(reads, key=lambda read: _GRAVITY.index(read.claim.reason or _GRAVITY[-1]))
    return Placed(read.test.at, read.claim)
