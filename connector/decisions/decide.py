"""Decide: from all claims on one observable to an entry of a list, or the reason for none.

The order of the questions is the order of `Reason`; the first answer counts. Pure: facts come in,
a value goes out; what the facts are is asked before, a chunk at a time. Instants are whole
microseconds since 1970 (UTC).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from connector.decisions.allowlist.allowlist import Allowlist
from connector.decisions.policy import ListPolicy
from connector.decisions.reach import exceeds, reach_of
from connector.decisions.records import CODES, ClaimKind, ClaimRow, ObjectState
from connector.decisions.selection import FeedDefaults
from connector.decisions.verdict import Verdict, VerdictKey
from connector.decisions.witnesses import witnesses
from connector.instants import NEVER, SECOND, to_datetime, to_instant
from connector.model import Purpose, Reason, RuleLanguage, RuleRef, Subject, SubjectType, Tlp

_RANK_SECONDS: Final = 40


class Merged(NamedTuple):
    """What all taken claims say together.

    The strictest marking, the highest confidence, the earliest first seen, the latest end.
    """

    confidence: int | None
    until: int
    tlp: Tlp
    first_seen: int | None


class Decision(NamedTuple):
    """The result for the claims on one observable.

    `codes` holds one reason code a claim, in their order; `carrier` is the claim that puts the
    observable on the list, None where none does; `recheck` is the next instant at which time
    alone may change the answer (`NEVER` where it cannot); `merged` is what a listed entry says,
    `content_digest` changes with the fields that its carrier may give it, and `protector` is the
    group of the allowlist that keeps it off. `source` is the feed that a listed entry comes from,
    0 where it comes from several.
    """

    codes: bytes
    carrier: ClaimRow | None
    rank: int
    recheck: int
    detail: str = ""
    merged: Merged | None = None
    protector: str = ""
    content_digest: int = 0
    source: int = 0


Verdicts = Mapping[VerdictKey, Verdict]

_WITHOUT_OBSERVABLE: Final = {
    ClaimKind.UNREADABLE: CODES[Reason.UNREADABLE],
    ClaimKind.UNSUPPORTED: CODES[Reason.UNSUPPORTED_PATTERN],
    ClaimKind.NOT_ENFORCEABLE: CODES[Reason.NOT_ENFORCEABLE],
}
_UNREADABLE: Final = CODES[Reason.UNREADABLE]
_UNSUPPORTED: Final = CODES[Reason.UNSUPPORTED_PATTERN]
_NOT_ENFORCEABLE: Final = CODES[Reason.NOT_ENFORCEABLE]
_REVOKED: Final = CODES[Reason.REVOKED]
_WITHDRAWN: Final = CODES[Reason.WITHDRAWN]
_NOT_YET_VALID: Final = CODES[Reason.NOT_YET_VALID]
_EXPIRED: Final = CODES[Reason.EXPIRED]
_DESELECTED: Final = CODES[Reason.DESELECTED]
_ALLOWLISTED: Final = CODES[Reason.ALLOWLISTED]
_SUPERSEDED: Final = CODES[Reason.SUPERSEDED]
_WANTED: Final = CODES[Reason.WANTED]
_TAKEN_BACK: Final = (ObjectState.REVOKED, ObjectState.WITHDRAWN)


def decide(
    observable: Subject,
    claims: Sequence[ClaimRow],
    verdicts: Verdicts,
    allowlist: Allowlist,
    policy: ListPolicy,
    now: int,
) -> Decision:
    """Return each claim's reason, the claim that carries the entry, and when to ask again.

    `verdicts` hold those of all claims that `needs_verdict`.
    """
    codes = bytearray(len(claims))
    best: ClaimRow | None = None
    best_rank, at, recheck = -1, -1, NEVER
    taken: list[ClaimRow] = []
    reach = reach_of(observable)
    for index, claim in enumerate(claims):
        code, turn = standing(observable.type, reach, claim, verdicts, policy, now)
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
    if words := _too_few(taken, verdicts, policy):
        return Decision(_instead_of_listed(codes, _DESELECTED), None, 0, recheck, words)
    alone = len(taken) == 1 or all(claim.feed == best.feed for claim in taken)
    decision = Decision(
        bytes(codes),
        best,
        best_rank,
        recheck,
        "",
        _merged(observable.type, taken, verdicts, policy),
        content_digest=verdicts[verdict_key(best)].content_digest,
        source=best.feed if alone else 0,
    )
    return _protected(observable, allowlist, policy, now, decision)


def verdict_key(claim: ClaimRow) -> VerdictKey:
    """Return what a claim's verdict is found by."""
    return claim.attributes, claim.feed, claim.context


def needs_verdict(claim: ClaimRow, policy: ListPolicy, now: int) -> bool:
    """Return whether a claim may come as far as its verdict; others have their reason before."""
    if claim.kind == ClaimKind.WATCH_ONLY and policy.purpose is Purpose.BLOCK:
        return False
    if claim.state and _state_code(claim.state, policy.purpose):
        return False
    return claim.valid_until is None or claim.valid_until > now


def _merged(
    kind: SubjectType, taken: Sequence[ClaimRow], verdicts: Verdicts, policy: ListPolicy
) -> Merged:
    if len(taken) == 1:  # as nearly always
        return _said(kind, taken[0], verdicts, policy)
    said = [_said(kind, claim, verdicts, policy) for claim in taken]
    return Merged(
        max((one.confidence for one in said if one.confidence is not None), default=None),
        max(one.until for one in said),
        max(one.tlp for one in said),
        min((one.first_seen for one in said if one.first_seen is not None), default=None),
    )


def _said(kind: SubjectType, claim: ClaimRow, verdicts: Verdicts, policy: ListPolicy) -> Merged:
    return Merged(
        confidence_of(claim, policy),
        ends(kind, claim, policy.defaults[claim.feed]),
        verdicts[verdict_key(claim)].level,
        claim.valid_from,
    )


def _too_few(taken: Sequence[ClaimRow], verdicts: Verdicts, policy: ListPolicy) -> str:
    """Return in words that too few independent feeds claim it, or empty if enough do."""
    asked = policy.select.min_sources
    if asked <= 1:
        return ""
    count = witnesses((claim.feed, verdicts[verdict_key(claim)].created_by) for claim in taken)
    if count >= asked:
        return ""
    verb = "claims" if count == 1 else "claim"
    return f"{count} of the {asked} independent feeds that min_sources requires {verb} it"


def _instead_of_listed(codes: bytes | bytearray, code: int) -> bytes:
    """Return the codes with this one for every claim that would be on the list."""
    return bytes(code if each in (_WANTED, _SUPERSEDED) else each for each in codes)


@lru_cache(maxsize=4)
def _instant(now: int) -> datetime:
    """Return the instant of a whole cycle, the same for everything that it decides."""
    return to_datetime(now)


def _protected(
    observable: Subject, allowlist: Allowlist, policy: ListPolicy, now: int, decision: Decision
) -> Decision:
    if isinstance(observable, RuleRef):  # only running it shows what it would stop
        return decision
    by = allowlist.protects(observable, _instant(now), policy.purpose)
    if by is None:
        return decision
    codes = _instead_of_listed(decision.codes, _ALLOWLISTED)
    until = NEVER if by.until is None else to_instant(by.until)
    detail = f"{by.group} protects {by.value}"
    return Decision(codes, None, 0, min(decision.recheck, until), detail, None, by.group)


def standing(
    kind: SubjectType,
    reach: int | None,
    claim: ClaimRow,
    verdicts: Verdicts,
    policy: ListPolicy,
    now: int,
) -> tuple[int, int]:
    """Return the reason code of one claim by itself, and when it may change by time alone."""
    defaults = policy.defaults[claim.feed]
    said = claim.confidence
    if said is not None and said < 0 and defaults.scale is None and claim.state not in _TAKEN_BACK:
        return _UNREADABLE, NEVER
    if claim.kind and (code := _kind_code(kind, claim.kind, policy)):
        return code, NEVER
    if reach is not None and _stops_too_much(kind, reach, defaults, policy):
        return _NOT_ENFORCEABLE, NEVER
    if claim.state:
        code = _state_code(claim.state, policy.purpose)
        if code:
            return code, NEVER
    if claim.valid_from is not None and claim.valid_from > now:
        if never_opens(claim):
            return _EXPIRED, NEVER
        return _NOT_YET_VALID, claim.valid_from
    until = ends(kind, claim, defaults)
    if until <= now:
        return _EXPIRED, NEVER
    verdict = verdicts[claim.attributes, claim.feed, claim.context]
    until = until if verdict.until is None else min(until, verdict.until)
    if verdict.reason is not None:
        return CODES[verdict.reason], until
    if _unselected(kind, claim, policy, verdict.min_confidence):
        return _DESELECTED, until
    return _WANTED, until


def _kind_code(subject: SubjectType, kind: int, policy: ListPolicy) -> int:
    if kind == ClaimKind.WATCH_ONLY:
        return _NOT_ENFORCEABLE if policy.purpose is Purpose.BLOCK else 0
    if kind == ClaimKind.RULE:
        return 0 if subject in policy.rules else _UNSUPPORTED
    return _WITHOUT_OBSERVABLE[ClaimKind(kind)]


def _stops_too_much(
    kind: SubjectType, reach: int, defaults: FeedDefaults, policy: ListPolicy
) -> bool:
    blocks = policy.purpose is Purpose.BLOCK
    return blocks and exceeds(kind, reach, defaults.widest, policy.select.wide)


def _state_code(state: int, purpose: Purpose) -> int:
    if (
        state == ObjectState.DISPUTED
    ):  # revoked by someone other than its creator: watch, do not block
        return _REVOKED if purpose is Purpose.BLOCK else 0
    if state == ObjectState.DISPOSED:
        return _EXPIRED
    return _WITHDRAWN if state == ObjectState.WITHDRAWN else _REVOKED


def never_opens(claim: ClaimRow) -> bool:
    """Return whether a claim ends before it begins, so that it is never valid."""
    begins, until = claim.valid_from, claim.valid_until
    return begins is not None and until is not None and until <= begins


def ends(kind: SubjectType, claim: ClaimRow, defaults: FeedDefaults) -> int:
    """Return the instant at which a claim ends by `valid_until`, or by age if there is none.

    If `valid_from` is later than the arrival, age counts from `valid_from`.
    """
    if claim.valid_until is not None:
        return claim.valid_until
    bound = defaults.max_age.get(kind)
    if bound is None:
        return NEVER
    return max(claim.dated, claim.valid_from or 0, claim.sighted or 0) + bound


def confidence_of(claim: ClaimRow, policy: ListPolicy) -> int | None:
    """Return the confidence that counts, the indicator's or its feed's; None if neither has one."""
    return policy.defaults[claim.feed].counts(claim.confidence)


def _unselected(
    kind: SubjectType, claim: ClaimRow, policy: ListPolicy, min_confidence: int
) -> bool:
    select = policy.select
    if of_other_type(kind, policy):
        return True
    confidence = confidence_of(claim, policy)
    asked = max(select.min_confidence, min_confidence)
    if confidence is None:
        return asked > 0
    if confidence == 0 and policy.purpose is Purpose.BLOCK:
        return True  # STIX 2.1 appendix A: the creator gives it no trust
    return confidence < asked


def of_other_type(kind: SubjectType, policy: ListPolicy) -> bool:
    """Return whether `types` leaves it out; it applies to observables, not to rules."""
    types = policy.select.types
    return bool(types) and kind not in types and not isinstance(kind, RuleLanguage)


def _rank(claim: ClaimRow, policy: ListPolicy) -> int:
    confidence = confidence_of(claim, policy) or 0
    seconds = max(0, claim.dated // SECOND)
    if policy.rank_by[:1] == ("newest",):
        return (seconds << 7) | confidence
    return (confidence << _RANK_SECONDS) | seconds
