"""Decide: from all claims on one observable to a place on a list, or to the reason there is none.

The order of the questions is the order of `Reason`; the first answer counts. Pure: facts come in,
a value goes out. Instants are whole microseconds since 1970 (UTC).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

from connector.model import Observable, ObservableType, Purpose, Reason, Tlp

REASONS: Final[tuple[Reason, ...]] = tuple(Reason)
CODES: Final[Mapping[Reason, int]] = {reason: code for code, reason in enumerate(REASONS, 1)}
NEVER: Final = (1 << 62) - 1
_RANK_SECONDS: Final = 40
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def reason_of(code: int) -> Reason:
    """Return the reason that a stored byte stands for."""
    return REASONS[code - 1]


class Kind(IntEnum):
    """What a claim can do: block and watch, only watch, or nothing (with the reason)."""

    ENFORCEABLE = 0
    WATCH_ONLY = 1
    UNREADABLE = 2
    UNSUPPORTED = 3
    NOT_ENFORCEABLE = 4


class State(IntEnum):
    """Where an object stands with its producer and its feed."""

    CURRENT = 0
    REVOKED = 1
    WITHDRAWN = 2
    UNREADABLE = 3
    DISPUTED = 4


class ClaimRow(NamedTuple):
    """A claim with what its indicator says, as the store yields it."""

    number: int
    kind: int
    feed: int
    state: int
    modified: int
    valid_from: int | None
    valid_until: int | None
    confidence: int | None
    traits: int


class Traits(NamedTuple):
    """What many indicators share: creator, labels, types and markings."""

    created_by: str = ""
    labels: tuple[str, ...] = ()
    indicator_types: tuple[str, ...] = ()
    markings: tuple[str, ...] = ()
    partly: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a feed's configuration adds to its indicators: confidence, and age bounds by type."""

    name: str
    default_confidence: int | None = None
    max_age: Mapping[ObservableType, int] = field(default_factory=dict)
    configured: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """Words of which one must be present, and words of which none may be."""

    any: frozenset[str] = frozenset()
    none: frozenset[str] = frozenset()

    def refuses(self, words: Sequence[str]) -> str:
        """Return why these words are not taken; empty when they are."""
        if hit := self.none.intersection(words):
            return f"bears {min(hit)}"
        if self.any and not self.any.intersection(words):
            return f"bears none of {', '.join(sorted(self.any))}"
        return ""


@dataclass(frozen=True, slots=True)
class Select:
    """What a list takes, of all that its purpose and audience allow."""

    feeds: frozenset[str] = frozenset()
    types: frozenset[ObservableType] = frozenset()
    min_confidence: int = 0
    labels: Choice = Choice()
    indicator_types: Choice = Choice()
    producers: Choice = Choice()


class Protector(Protocol):
    """What decide asks of an allowlist."""

    def protects(self, observable: Observable, now: datetime) -> "ProtectionLike | None":
        """Return who protects it."""


class ProtectionLike(Protocol):
    """Who protects an observable, and until when."""

    @property
    def group(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def until(self) -> datetime | None: ...


class Verdict(NamedTuple):
    """What the traits of an indicator mean for a list: a reason against it, or None."""

    reason: Reason | None
    detail: str


@dataclass(frozen=True)
class ListPolicy:
    """Everything that decides about one list; `terms` and `verdicts` are by feed and traits."""

    name: str
    purpose: Purpose
    select: Select
    max_tlp: Tlp
    rank_by: tuple[str, ...]
    terms: Mapping[int, Terms]
    traits: Callable[[int], Traits]
    level: Callable[[Traits, int], tuple[Tlp, str]]
    allowlist: Protector
    _verdicts: dict[tuple[int, int], Verdict] = field(default_factory=dict)
    _labels: dict[tuple[int, int], str] = field(default_factory=dict)

    def verdict(self, traits: int, feed: int) -> Verdict:
        """Return what an indicator's markings, labels, types and producer mean here."""
        known = self._verdicts.get((traits, feed))
        if known is None:
            known = self._verdicts[traits, feed] = self._judge(self.traits(traits), feed)
        return known

    def forget_verdicts(self) -> None:
        """Judge all traits anew: a marking that was unknown has arrived."""
        self._verdicts.clear()
        self._labels.clear()

    def tlp_label(self, traits: int, feed: int) -> str:
        """Return the TLP label that holds for indicators with these traits."""
        known = self._labels.get((traits, feed))
        if known is None:
            level, _why = self.level(self.traits(traits), feed)
            known = self._labels[traits, feed] = level.label
        return known

    def _judge(self, traits: Traits, feed: int) -> Verdict:
        level, why = self.level(traits, feed)
        if level > self.max_tlp:
            detail = f"{why or 'TLP:' + level.label} is stricter than TLP:{self.max_tlp.label}"
            return Verdict(Reason.WITHHELD, detail)
        if refused := self._refused(traits, feed):
            return Verdict(Reason.DESELECTED, refused)
        return Verdict(None, "")

    def _refused(self, traits: Traits, feed: int) -> str:
        select = self.select
        if not self.terms[feed].configured:
            return f"feed {self.terms[feed].name} is no longer configured"
        if select.feeds and self.terms[feed].name not in select.feeds:
            return f"feed {self.terms[feed].name} is not selected"
        kinds = traits.indicator_types or traits.labels  # STIX 2.0 keeps the types in labels
        if self.purpose is Purpose.BLOCK and "benign" in kinds:
            return "indicator_types benign never blocks"
        if self.purpose is Purpose.BLOCK and _not_for_detection(traits.labels):
            return "labelled as not for detection (misp:to_ids)"
        for name, choice, words in (
            ("label", select.labels, traits.labels),
            ("indicator type", select.indicator_types, kinds),
            ("producer", select.producers, (traits.created_by,)),
        ):
            if refused := choice.refuses(words):
                return f"{name}: {refused}"
        return ""


class Decision(NamedTuple):
    """What became of the claims on one observable.

    `codes` holds one reason code a claim, in their order; `carrier` is the claim that puts the
    observable on the list, None where none does; `recheck` is the next instant at which time
    alone may change the answer (`NEVER` where it cannot).
    """

    codes: bytes
    carrier: ClaimRow | None
    rank: int
    recheck: int
    detail: str = ""


_WITHOUT_OBSERVABLE: Final = {
    Kind.UNREADABLE: CODES[Reason.UNREADABLE],
    Kind.UNSUPPORTED: CODES[Reason.UNSUPPORTED_PATTERN],
    Kind.NOT_ENFORCEABLE: CODES[Reason.NOT_ENFORCEABLE],
}
_NOT_ENFORCEABLE: Final = CODES[Reason.NOT_ENFORCEABLE]
_REVOKED: Final = CODES[Reason.REVOKED]
_WITHDRAWN: Final = CODES[Reason.WITHDRAWN]
_NOT_YET_VALID: Final = CODES[Reason.NOT_YET_VALID]
_EXPIRED: Final = CODES[Reason.EXPIRED]
_DESELECTED: Final = CODES[Reason.DESELECTED]
_ALLOWLISTED: Final = CODES[Reason.ALLOWLISTED]
_SUPERSEDED: Final = CODES[Reason.SUPERSEDED]
_WANTED: Final = CODES[Reason.WANTED]


def decide(
    observable: Observable, claims: Sequence[ClaimRow], policy: ListPolicy, now: int
) -> Decision:
    """Return each claim's reason, the claim that carries the entry, and when to ask again."""
    codes = bytearray(len(claims))
    best: ClaimRow | None = None
    best_rank, at, recheck = -1, -1, NEVER
    for index, claim in enumerate(claims):
        code, turn = _standing(observable.type, claim, policy, now)
        codes[index] = code
        recheck = min(recheck, turn)
        if code != _WANTED:
            continue
        rank = _rank(claim, policy)
        if rank > best_rank:
            if best is not None:
                codes[at] = _SUPERSEDED
            best, best_rank, at = claim, rank, index
        else:
            codes[index] = _SUPERSEDED
    if best is None:
        return Decision(bytes(codes), None, 0, recheck)
    return _protected(observable, policy, now, Decision(bytes(codes), best, best_rank, recheck))


def _protected(
    observable: Observable, policy: ListPolicy, now: int, decision: Decision
) -> Decision:
    by = policy.allowlist.protects(observable, _EPOCH + timedelta(microseconds=now))
    if by is None:
        return decision
    codes = bytes(
        _ALLOWLISTED if code in (_WANTED, _SUPERSEDED) else code for code in decision.codes
    )
    until = NEVER if by.until is None else (by.until - _EPOCH) // timedelta(microseconds=1)
    detail = f"{by.group} protects {by.value}"
    return Decision(codes, None, 0, min(decision.recheck, until), detail)


def _standing(
    kind: ObservableType, claim: ClaimRow, policy: ListPolicy, now: int
) -> tuple[int, int]:
    """Return the reason code of one claim by itself, and when time alone may change it."""
    if claim.kind and (code := _kind_code(claim.kind, policy.purpose)):
        return code, NEVER
    if claim.state:
        code = _state_code(claim.state, policy.purpose)
        if code:
            return code, NEVER
    if claim.valid_from is not None and claim.valid_from > now:
        return _NOT_YET_VALID, claim.valid_from
    until = ends(kind, claim, policy.terms[claim.feed])
    if until <= now:
        return _EXPIRED, NEVER
    reason = policy.verdict(claim.traits, claim.feed).reason
    if reason is not None:
        return CODES[reason], until
    if _unselected(kind, claim, policy):
        return _DESELECTED, until
    return _WANTED, until


def _kind_code(kind: int, purpose: Purpose) -> int:
    if kind == Kind.WATCH_ONLY:
        return _NOT_ENFORCEABLE if purpose is Purpose.BLOCK else 0
    return _WITHOUT_OBSERVABLE[Kind(kind)]


def _state_code(state: int, purpose: Purpose) -> int:
    if state == State.DISPUTED:  # revoked by somebody who did not create it: watch, do not block
        return _REVOKED if purpose is Purpose.BLOCK else 0
    return _WITHDRAWN if state == State.WITHDRAWN else _REVOKED


def ends(kind: ObservableType, claim: ClaimRow, terms: Terms) -> int:
    """Return the instant a claim ends by `valid_until`, or by age where there is none."""
    if claim.valid_until is not None:
        return claim.valid_until
    bound = terms.max_age.get(kind)
    if bound is None:
        return NEVER
    return max(claim.modified, claim.valid_from or 0) + bound


def confidence_of(claim: ClaimRow, policy: ListPolicy) -> int | None:
    """Return the indicator's confidence, or what its feed assumes; None where neither says."""
    if claim.confidence is not None:
        return claim.confidence
    return policy.terms[claim.feed].default_confidence


def _unselected(kind: ObservableType, claim: ClaimRow, policy: ListPolicy) -> bool:
    select = policy.select
    if select.types and kind not in select.types:
        return True
    confidence = confidence_of(claim, policy)
    if confidence is None:
        return select.min_confidence > 0
    if confidence == 0 and policy.purpose is Purpose.BLOCK:
        return True  # STIX 2.1 appendix A: the creator gives it no trust
    return confidence < select.min_confidence


def _rank(claim: ClaimRow, policy: ListPolicy) -> int:
    confidence = confidence_of(claim, policy) or 0
    seconds = max(0, claim.modified // 1_000_000)
    if policy.rank_by[:1] == ("newest",):
        return (seconds << 7) | confidence
    return (confidence << _RANK_SECONDS) | seconds


def _not_for_detection(labels: Sequence[str]) -> bool:
    return any(
        label.lower().startswith("misp:to_ids=") and "false" in label.lower() for label in labels
    )


def explain(
    observable: Observable, claim: ClaimRow, policy: ListPolicy, now: int
) -> tuple[Reason, str]:
    """Return one claim's reason by itself, in words where there is more to say."""
    code, _turn = _standing(observable.type, claim, policy, now)
    reason = reason_of(code)
    if reason is Reason.WITHHELD or (
        reason is Reason.DESELECTED and policy.verdict(claim.traits, claim.feed).reason is reason
    ):
        return reason, policy.verdict(claim.traits, claim.feed).detail
    if reason is Reason.DESELECTED:
        return reason, _unselected_words(observable.type, claim, policy)
    if claim.state == State.DISPUTED and reason is Reason.REVOKED:
        return reason, "revoked by an identity that did not create it"
    return reason, ""


def _unselected_words(kind: ObservableType, claim: ClaimRow, policy: ListPolicy) -> str:
    if policy.select.types and kind not in policy.select.types:
        return f"type {kind.value} is not selected"
    confidence = confidence_of(claim, policy)
    if confidence is None:
        return "no confidence is given, and the feed assumes none"
    return f"confidence {confidence} is below {max(1, policy.select.min_confidence)}"
