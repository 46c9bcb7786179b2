"""Decide: from all claims on one observable to a place on a list, or to the reason there is none.

The order of the questions is the order of `Reason`; the first answer counts. Pure: facts come in,
a value goes out. Instants are whole microseconds since 1970 (UTC).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

from connector.decisions.context import NO_CONTEXT, counted_opinions
from connector.decisions.selection import Choice, Select, Terms, Traits, refusal
from connector.model import Context, Observable, ObservableType, Purpose, Reason, Tlp, Word

__all__ = [
    "CODES", "NEVER", "REASONS", "Choice", "ClaimRow", "Decision", "Kind", "ListPolicy", "Merged",
    "Select", "State", "Terms", "Traits", "confidence_of", "decide", "ends", "explain", "reason_of",
]  # fmt: skip

_VERDICTS_HELD: Final = 500_000
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
    context: int = 0
    sighted: int | None = None


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
    """What traits and context of an indicator mean for a list: a reason against it, or None."""

    reason: Reason | None
    detail: str
    min_confidence: int = 0


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
    contexts: Callable[[int], Context] = lambda _number: NO_CONTEXT
    countries: Callable[[str], Collection[str]] = lambda _producer: ()
    _verdicts: dict[tuple[int, int, int], Verdict] = field(default_factory=dict)
    _levels: dict[tuple[int, int], Tlp] = field(default_factory=dict)

    def verdict(self, traits: int, feed: int, context: int = 0) -> Verdict:
        """Return what an indicator's markings, labels, types, producer and context mean here."""
        known = self._verdicts.get((traits, feed, context))
        if known is None:
            if len(self._verdicts) > _VERDICTS_HELD:
                self._verdicts.clear()
            said = self.contexts(context) if context else NO_CONTEXT
            known = self._judge(self.traits(traits), feed, said)
            self._verdicts[traits, feed, context] = known
        return known

    def forget_verdicts(self) -> None:
        """Judge all traits anew: a marking that was unknown has arrived, or a producer moved."""
        self._verdicts.clear()
        self._levels.clear()

    def tlp_of(self, traits: int, feed: int) -> Tlp:
        """Return the TLP level that holds for indicators with these traits."""
        known = self._levels.get((traits, feed))
        if known is None:
            level, _why = self.level(self.traits(traits), feed)
            known = self._levels[traits, feed] = level
        return known

    def words(self, context: int, feed: int, kind: str) -> tuple[str, ...]:
        """Return what context says of one kind, as far as the list's audience may be told."""
        if not context:
            return ()
        words = (word for word in self.contexts(context).words if word.kind == kind)
        return tuple(dict.fromkeys(word.name for word in words if self._tells(word, feed)))

    def _tells(self, word: Word, feed: int) -> bool:
        """Every object that led to a word bears its own markings; one without is its feed's."""
        for marking in word.markings:
            _, unmarked, number = marking.partition("unmarked:")
            bearing = (Traits(), int(number)) if unmarked else (Traits(markings=(marking,)), feed)
            if self.level(*bearing)[0] > self.max_tlp:
                return False
        return True

    def _judge(self, traits: Traits, feed: int, context: Context) -> Verdict:
        level, why = self.level(traits, feed)
        if level > self.max_tlp:
            detail = f"{why or 'TLP:' + level.label} is stricter than TLP:{self.max_tlp.label}"
            return Verdict(Reason.WITHHELD, detail)
        terms, rule, blocks = self.terms[feed], self.select.opinions, self.purpose is Purpose.BLOCK
        counted = counted_opinions(context, feed, terms.authoritative)
        refused = refusal(self.select, self.purpose, terms, traits, context, self.countries)
        if refused := refused or rule.refuses(counted, blocks=blocks):
            return Verdict(Reason.DESELECTED, refused)
        return Verdict(None, "", rule.confidence_asked(counted, traits.created_by, blocks=blocks))


class Merged(NamedTuple):
    """What all claims that are taken say together.

    The strictest marking, the highest confidence, the earliest first seen, the latest end.
    """

    confidence: int | None
    until: int
    tlp: Tlp
    first_seen: int | None


class Decision(NamedTuple):
    """What became of the claims on one observable.

    `codes` holds one reason code a claim, in their order; `carrier` is the claim that puts the
    observable on the list, None where none does; `recheck` is the next instant at which time
    alone may change the answer (`NEVER` where it cannot); `merged` is what a listed entry says.
    """

    codes: bytes
    carrier: ClaimRow | None
    rank: int
    recheck: int
    detail: str = ""
    merged: Merged | None = None


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
    taken: list[ClaimRow] = []
    for index, claim in enumerate(claims):
        code, turn = _standing(observable.type, claim, policy, now)
        codes[index] = code
        recheck = min(recheck, turn)
        if code != _WANTED:
            continue
        taken.append(claim)
        rank = _rank(claim, policy)
        if rank > best_rank:
            if best is not None:
                codes[at] = _SUPERSEDED
            best, best_rank, at = claim, rank, index
        else:
            codes[index] = _SUPERSEDED
    if best is None:
        return Decision(bytes(codes), None, 0, recheck)
    merged = _merged(observable.type, taken, policy)
    decision = Decision(bytes(codes), best, best_rank, recheck, "", merged)
    return _protected(observable, policy, now, decision)


def _merged(kind: ObservableType, taken: Sequence[ClaimRow], policy: ListPolicy) -> Merged:
    said = [
        Merged(
            confidence_of(claim, policy),
            ends(kind, claim, policy.terms[claim.feed]),
            policy.tlp_of(claim.traits, claim.feed),
            claim.valid_from,
        )
        for claim in taken
    ]
    if len(said) == 1:
        return said[0]
    return Merged(
        max((one.confidence for one in said if one.confidence is not None), default=None),
        max(one.until for one in said),
        max(one.tlp for one in said),
        min((one.first_seen for one in said if one.first_seen is not None), default=None),
    )


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
    verdict = policy.verdict(claim.traits, claim.feed, claim.context)
    if verdict.reason is not None:
        return CODES[verdict.reason], until
    if _unselected(kind, claim, policy, verdict.min_confidence):
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
    return max(claim.modified, claim.valid_from or 0, claim.sighted or 0) + bound


def confidence_of(claim: ClaimRow, policy: ListPolicy) -> int | None:
    """Return the indicator's confidence, or what its feed assumes; None where neither says."""
    if claim.confidence is not None:
        return claim.confidence
    return policy.terms[claim.feed].default_confidence


def _unselected(
    kind: ObservableType, claim: ClaimRow, policy: ListPolicy, min_confidence: int
) -> bool:
    select = policy.select
    if select.types and kind not in select.types:
        return True
    confidence = confidence_of(claim, policy)
    asked = max(select.min_confidence, min_confidence)
    if confidence is None:
        return asked > 0
    if confidence == 0 and policy.purpose is Purpose.BLOCK:
        return True  # STIX 2.1 appendix A: the creator gives it no trust
    return confidence < asked


def _rank(claim: ClaimRow, policy: ListPolicy) -> int:
    confidence = confidence_of(claim, policy) or 0
    seconds = max(0, claim.modified // 1_000_000)
    if policy.rank_by[:1] == ("newest",):
        return (seconds << 7) | confidence
    return (confidence << _RANK_SECONDS) | seconds


def explain(
    observable: Observable, claim: ClaimRow, policy: ListPolicy, now: int
) -> tuple[Reason, str]:
    """Return one claim's reason by itself, in words where there is more to say."""
    code, _turn = _standing(observable.type, claim, policy, now)
    reason = reason_of(code)
    if reason in (Reason.WITHHELD, Reason.DESELECTED):
        verdict = policy.verdict(claim.traits, claim.feed, claim.context)
        if verdict.reason is reason:
            return reason, verdict.detail
        return reason, _unselected_words(observable.type, claim, policy, verdict.min_confidence)
    if claim.state == State.DISPUTED and reason is Reason.REVOKED:
        return reason, "revoked by an identity that did not create it"
    return reason, ""


def _unselected_words(
    kind: ObservableType, claim: ClaimRow, policy: ListPolicy, min_confidence: int
) -> str:
    if policy.select.types and kind not in policy.select.types:
        return f"type {kind.value} is not selected"
    confidence = confidence_of(claim, policy)
    asked = max(1, policy.select.min_confidence, min_confidence)
    why = " (no opinion agrees)" if min_confidence == asked else ""
    if confidence is None:
        return f"no confidence is given, and the feed assumes none{why}"
    return f"confidence {confidence} is below {asked}{why}"
