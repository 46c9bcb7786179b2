"""The answer of `decide`, claim by claim, in words for people."""

from collections.abc import Sequence
from typing import Final

from connector.decisions.allowlist.allowlist import Allowlist
from connector.decisions.decide import (
    Verdicts,
    confidence_of,
    decide,
    ends,
    never_opens,
    of_other_type,
    standing,
    verdict_key,
)
from connector.decisions.policy import ListPolicy
from connector.decisions.reach import reach_of, words_of_reach
from connector.decisions.records import ClaimKind, ClaimRow, ObjectState, reason_of
from connector.model import Reason, Subject, SubjectType

_OFF_SCALE: Final = "the given confidence is not on the feed's scale"


def explain(
    observable: Subject, claim: ClaimRow, verdicts: Verdicts, policy: ListPolicy, now: int
) -> tuple[Reason, str]:
    """Return one claim's own reason, in words if there is more to say."""
    code, _turn = standing(observable.type, reach_of(observable), claim, verdicts, policy, now)
    reason = reason_of(code)
    if reason in (Reason.WITHHELD, Reason.DESELECTED):
        verdict = verdicts[verdict_key(claim)]
        if verdict.reason is reason:
            return reason, verdict.detail
        return reason, _unselected_words(observable.type, claim, policy, verdict.min_confidence)
    if reason is Reason.NOT_ENFORCEABLE and claim.kind == ClaimKind.ENFORCEABLE:
        defaults = policy.defaults[claim.feed]
        return reason, words_of_reach(observable.type, defaults.name, defaults.widest)
    if reason is Reason.UNSUPPORTED_PATTERN and claim.kind == ClaimKind.RULE:
        return reason, f"no output of this list takes {observable.type} rules"
    if claim.state == ObjectState.DISPUTED and reason is Reason.REVOKED:
        return reason, "revoked by an identity other than its producer"
    if reason is Reason.EXPIRED:
        return reason, _expired_words(observable.type, claim, verdicts, policy, now)
    if reason is Reason.UNREADABLE and not claim.kind:
        return reason, (
            "its confidence is not a whole number from 0 to 100: if the feed uses another scale, "
            "set the feed's confidence_scale"
        )
    return reason, ""


def _expired_words(
    kind: SubjectType, claim: ClaimRow, verdicts: Verdicts, policy: ListPolicy, now: int
) -> str:
    if claim.state == ObjectState.DISPOSED:
        return "purged: the disposition date of its marking has passed"
    if never_opens(claim):
        return "it is never valid: `valid_until` is not later than `valid_from`"
    if ends(kind, claim, policy.defaults[claim.feed]) <= now:
        return ""
    return verdicts[verdict_key(claim)].detail


def explain_all(
    observable: Subject,
    claims: Sequence[ClaimRow],
    verdicts: Verdicts,
    allowlist: Allowlist,
    policy: ListPolicy,
    now: int,
) -> list[tuple[Reason, str]]:
    """Return each claim's reason among the others, in words if there is more to say."""
    decision = decide(observable, claims, verdicts, allowlist, policy, now)
    found = []
    for claim, code in zip(claims, decision.codes, strict=True):
        alone, words = explain(observable, claim, verdicts, policy, now)
        reason = reason_of(code)
        found.append((reason, words if reason is alone else decision.detail))
    return found


def _unselected_words(
    kind: SubjectType, claim: ClaimRow, policy: ListPolicy, min_confidence: int
) -> str:
    if of_other_type(kind, policy):
        return f"type {kind.value} is not selected"
    confidence = confidence_of(claim, policy)
    asked = max(1, policy.select.min_confidence, min_confidence)
    why = " (no opinion agrees)" if min_confidence == asked else ""
    if confidence is None:
        given = "no confidence is given" if claim.confidence is None else _OFF_SCALE
        return f"{given}, and the feed assumes none{why}"
    defaults = policy.defaults[claim.feed]
    capped = defaults.reads(claim.confidence) not in (None, confidence)
    by = f", capped by max_confidence of feed {defaults.name}," if capped else ""
    return f"confidence {confidence}{by} is below {asked}{why}"
