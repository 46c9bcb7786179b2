"""The whole chain for one value: claims, decisions, outputs, as the documented JSON."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from connector.decisions.context import NO_CONTEXT, OPINIONS
from connector.decisions.decide import ends
from connector.decisions.holds import reason_name
from connector.decisions.reach import exceeds, reach_of, words_of_reach
from connector.decisions.records import OURS, UNFIT_REASONS, ClaimKind, LedgerState, reason_of
from connector.decisions.selection import FeedDefaults
from connector.indicators.confidence import words_of
from connector.indicators.identity import id_of_key, key_of_id
from connector.indicators.markings.redaction import Part
from connector.indicators.observables.keys import key_of
from connector.indicators.observables.lookup import candidates, meanings
from connector.instants import NEVER, to_datetime
from connector.model import Context, Reason, Subject
from connector.reports.mentioned import Mentions, find_mentions
from connector.reports.rollouts import rollout_words
from connector.reports.status import gap_json, place_json
from connector.reports.values import Json, moment
from connector.service.decider import Decider
from connector.settings import EventSettings
from connector.store import evidence
from connector.store import queries as questions
from connector.store.evidence import ClaimFound
from connector.store.feeds.gaps import Gaps
from connector.store.outputs.ends import end_of
from connector.store.outputs.holds import hold_on
from connector.store.outputs.kept_holds import HoldState, KeptHold
from connector.store.outputs.places import PlacedLedger, left_behind
from connector.store.queries import OutputRow
from connector.store.transaction import Transaction
from connector.sync.listing import Listing

_MARK_REASONS: Final[Mapping[int, Reason]] = {
    LedgerState.WRITTEN: Reason.WRITTEN,
    LedgerState.FOREIGN: Reason.WRITTEN,
    LedgerState.REJECTED: Reason.REJECTED,
    LedgerState.CONTRARY: Reason.REJECTED,
    **UNFIT_REASONS,
}
_REASONS_WITHOUT_OBSERVABLE: Final = {
    ClaimKind.UNREADABLE: Reason.UNREADABLE,
    ClaimKind.UNSUPPORTED: Reason.UNSUPPORTED_PATTERN,
    ClaimKind.NOT_ENFORCEABLE: Reason.NOT_ENFORCEABLE,
}
_ENDED: Final = "its end at the target has passed, so the next cycle writes it again:"
_CONTRARY: Final = "someone else put the opposite on the target, and it was left untouched"
_SENT: Final = "its event was handed over; the target cannot be read back"
_FOREIGN: Final = "already on the target, added by someone else; left untouched"


class _Held(NamedTuple):
    """The hold in which a change waits, and what caused that change, in words."""

    hold: KeptHold
    cause: str


def explain_value(decider: Decider, asked: str) -> Json:
    """Return the whole chain for a value or an indicator's id: claims, decisions, outputs."""
    database = decider.store.database
    with database.read() as transaction:
        if "--" in asked and asked.partition("--")[0].replace("-", "").isalpha():
            key = key_of_id(asked)
            found = evidence.observables_of_object(transaction, key)
            bare = evidence.bare_claims_of(transaction, key)
            unread = evidence.unreadable_named(transaction, asked)
            mentions = Mentions(bare)
        else:
            keys = [key_of(candidate) for candidate in candidates(asked)]
            found = evidence.find_observables(transaction, keys) if keys else {}
            mentions, unread = find_mentions(decider.store, transaction, asked), []
        left = left_behind(transaction, tuple(decider.loaded.config.outputs))
        answers = [
            {
                **_observable_json(decider, transaction, number, observable),
                "left_behind": _left_json(decider, transaction, number, left),
            }
            for number, observable in sorted(found.items())
        ]
    return {
        "value": asked,
        "found": bool(answers or mentions.claims or unread),
        "observables": answers,
        "unread": [
            *(_unread_json(decider, claim) for claim in mentions.claims),
            *({**_unread_json(decider, claim), "indicator": asked} for claim in unread),
        ],
        "searched": {"unread": mentions.searched, "of": mentions.of},
        "protected": _protections(decider, asked),
        "gaps": [
            {"feed": gap.feed, **gap_json(gap)} for gap in Gaps(decider.store.database).found()
        ],
    }


def _protections(decider: Decider, asked: str) -> list[Json]:
    """Return what protects the value itself, whether or not any feed mentions it."""
    now = to_datetime(decider.now())
    for observable in meanings(asked):
        if (by := decider.allowlist.protects(observable, now)) is not None:
            return [{"type": observable.type.value, "group": by.group, "value": by.value}]
    return []


def _observable_json(
    decider: Decider, transaction: Transaction, number: int, observable: Subject
) -> Json:
    claims = evidence.claims_on(transaction, number)
    standings = {
        name: _standings(observable, claims, listing, decider)
        for name, listing in decider.listings.items()
    }
    return {
        "type": observable.type.value,
        "value": observable.shown,
        "claims": [
            {
                **_claim_json(decider, claim, observable),
                "reasons": {name: found[at] for name, found in standings.items()},
            }
            for at, claim in enumerate(claims)
        ],
        "outputs": [
            _outcome_json(decider, transaction, output, number, observable, claims)
            for output in decider.loaded.config.outputs
        ],
    }


def _left_json(
    decider: Decider, transaction: Transaction, number: int, left: Sequence[PlacedLedger]
) -> list[Json]:
    """Return the places where an observable of ours may still be, and that no output keeps."""
    found = ((one, evidence.entry_of(transaction, one.number, number)) for one in left)
    return [
        {**place_json(one, decider.loaded.config.outputs), "since": moment(entry.since)}
        for one, entry in found
        if entry is not None and entry.mark in OURS
    ]


def _claim_json(decider: Decider, claim: ClaimFound, observable: Subject | None) -> Json:
    defaults = decider.defaults[claim.row.feed]
    level = decider.level(decider.store.attributes(claim.row.attributes), claim.row.feed)
    until = NEVER if observable is None else ends(observable.type, claim.row, defaults)
    too_wide = _too_wide(decider, observable, defaults)
    return {
        "feed": defaults.name,
        "indicator": id_of_key(claim.object),
        "enforceable": claim.row.kind in (ClaimKind.ENFORCEABLE, ClaimKind.RULE) and not too_wide,
        "why": "; ".join(filter(None, (claim.why, too_wide))),
        "valid_from": moment(claim.row.valid_from),
        "valid_until": moment(until),
        "marking": level.label,
        "confidence": _meant(claim.row.confidence, defaults),
        "confidence_said": _said(claim.row.confidence, defaults),
        "caps": ["max_confidence"] if _lowered(claim.row.confidence, defaults) else [],
        "sighted": moment(claim.row.sighted),
        **_kept_back(decider, claim),
        **_context_json(
            decider.store.contexts(claim.row.context) if claim.row.context else NO_CONTEXT
        ),
        "reasons": {},
    }


def _unread_json(decider: Decider, claim: ClaimFound) -> Json:
    """Return a claim without an observable, with the reason under which it counts."""
    reason = _REASONS_WITHOUT_OBSERVABLE[ClaimKind(claim.row.kind)]
    return {**_claim_json(decider, claim, None), "reason": reason.value}


def _too_wide(decider: Decider, observable: Subject | None, defaults: FeedDefaults) -> str:
    """Return why the reach of an observable of this feed prevents any list from blocking it."""
    if observable is None:
        return ""
    wide = {kind for one in decider.listings.values() for kind in one.policy.select.wide}
    if not exceeds(observable.type, reach_of(observable), defaults.widest, wide):
        return ""
    return words_of_reach(observable.type, defaults.name, defaults.widest)


def _meant(confidence: int | None, defaults: FeedDefaults) -> int | None:
    """Return the confidence from 0 to 100, or None if it has no known meaning."""
    meant = defaults.capped(defaults.reads(confidence))
    return None if meant is None or meant < 0 else meant


def _lowered(confidence: int | None, defaults: FeedDefaults) -> bool:
    """Return whether the feed's `max_confidence` lowers the indicator's confidence."""
    return defaults.reads(confidence) != defaults.capped(defaults.reads(confidence))


def _said(confidence: int | None, defaults: FeedDefaults) -> str | None:
    """Return the confidence as the producer wrote it, or None if that follows STIX."""
    plain = confidence is None or (confidence >= 0 and defaults.scale is None)
    if confidence is None or (plain and not _lowered(confidence, defaults)):
        return None
    return words_of(confidence)


def _kept_back(decider: Decider, claim: ClaimFound) -> Json:
    """Return what is hidden from the fields of which list and why, and any contradictions."""
    attributes, feed = decider.store.attributes(claim.row.attributes), claim.row.feed
    nobody = () if attributes.created_by else (Part.PRODUCER, Part.PRODUCER_NAME)
    allowed = {
        name: listing.judge.sharing(attributes, feed, decider.now())
        for name, listing in decider.listings.items()
    }
    hidden = {
        name: {part: why for part, why in sharing.hidden.items() if part not in nobody}
        for name, sharing in allowed.items()
    }
    notes = [note for sharing in allowed.values() for note in sharing.notes]
    return {
        "hidden": {name: parts for name, parts in hidden.items() if parts},
        "notes": list(dict.fromkeys(notes)),
    }


def _context_json(context: Context) -> Json:
    """Return who is behind an indicator, by kind, and others' opinions of it, by producer."""
    words: dict[str, list[str]] = {}
    for word in context.words:
        words.setdefault(word.kind, []).append(word.name)
    opinions = {producer: OPINIONS[score - 1] for producer, score in context.opinions}
    return {"context": words, "opinions": opinions}


def _standings(
    observable: Subject, claims: list[ClaimFound], listing: Listing, decider: Decider
) -> list[Json]:
    """Return for each claim why it is on the list or not."""
    rows = [claim.row for claim in claims]
    found = listing.explain(observable, rows, decider.now())
    carrier = next(
        (id_of_key(claim.object) for claim, (reason, _) in zip(claims, found, strict=True)
         if reason is Reason.WANTED), "",
    )  # fmt: skip
    return [
        {
            "reason": reason.value,
            "detail": f"{carrier} provides the entry" if reason is Reason.SUPERSEDED else detail,
        }
        for reason, detail in found
    ]


def _outcome_json(
    decider: Decider,
    transaction: Transaction,
    output: str,
    number: int,
    observable: Subject,
    claims: list[ClaimFound],
) -> Json:
    listing = decider.listings[decider.loaded.config.outputs[output].list]
    rows = [claim.row for claim in claims]
    (decision,) = listing.decide([(observable, rows)], decider.now())
    rowed = questions.output_rows(transaction).get(output)
    found = evidence.entry_of(transaction, rowed.number, number) if rowed else None
    hold = _held(transaction, rowed.number, number) if rowed else None
    since = evidence.listed_since(transaction, listing.number, number)
    if decision.carrier is None:
        reason = reason_of(max(decision.codes, default=1))
        detail = decision.detail or _first_detail(observable, claims, listing, decider)
        until = None
    else:
        reason, detail = _at_target(found, rowed, hold)
        end = end_of(transaction, rowed.number, number) if rowed else None
        if reason is Reason.WRITTEN and end is not None and end <= decider.now():
            reason, detail = Reason.PENDING, f"{_ENDED} at {moment(end)}"
        if reason is Reason.WRITTEN and isinstance(decider.loaded.outputs[output], EventSettings):
            detail = detail or _SENT
        if reason is Reason.PENDING and found is None and rowed is not None:
            rollout = decider.loaded.config.outputs[output].rollout
            detail = (
                rollout_words(transaction, rowed.number, rollout, number, decider.now()) or detail
            )
        if hold is None and found is not None and found.mark == LedgerState.OVER_SHARE:
            detail = _beyond_share(listing.policy.defaults[decision.source])
        since = found.since if found else since
        until = moment(decision.merged.until if decision.merged else None)
    if decision.carrier is None and found is not None and found.mark == LedgerState.WRITTEN:
        detail = (detail + "; " if detail else "") + _still_there(hold)
    if decision.carrier is None and found is not None and found.mark == LedgerState.REMOVING:
        told = f"still on the target: {found.why}" if found.why else ""
        detail = "; ".join(filter(None, (detail, told)))
    return {
        "name": output,
        "list": listing.policy.name,
        "reason": reason.value,
        "detail": detail,
        "since": moment(since),
        "until": until,
    }


def _held(transaction: Transaction, output: int, number: int) -> _Held | None:
    found = hold_on(transaction, output, number)
    if found is None:
        return None
    hold, change = found
    feed = questions.feed_names(transaction).get(change.feed)
    behind = f"feed {feed}" if feed else "several feeds"
    return _Held(hold, " by ".join(filter(None, (reason_name(change.reason), behind))))


def _beyond_share(defaults: FeedDefaults) -> str:
    return (
        f"claimed by feed {defaults.name} alone, which already fills its max_share, "
        f"{defaults.max_share or 0:.0%} of the capacity"
    )


def _still_there(hold: _Held | None) -> str:
    """Return how long the target keeps an entry that should go."""
    if hold is not None:
        return f"still on the target: {_waiting(hold)}"
    return "still on the target until the next cycle"


def _waiting(held: _Held) -> str:
    hold, cause = held
    told = f"hold {hold.id} ({cause}): {'; '.join(hold.sentences)}"
    if hold.state is HoldState.HELD:
        return f"{told}; accept it: connector apply {hold.id}"
    until = f" until {moment(hold.until)}" if hold.until else ""
    return f"{told}; {hold.state.value} by {hold.by}{until}: {hold.why}"


def _first_detail(
    observable: Subject, claims: list[ClaimFound], listing: Listing, decider: Decider
) -> str:
    """Return the first explanation, from the policy or from the pattern reader."""
    now = decider.now()
    words = (listing.explain_alone(observable, claim.row, now)[1] or claim.why for claim in claims)
    return next((detail for detail in words if detail), "")


def _at_target(
    found: evidence.EntryFound | None, output: OutputRow | None, hold: _Held | None
) -> tuple[Reason, str]:
    there = found is not None and found.mark in (LedgerState.WRITTEN, LedgerState.FOREIGN)
    if hold is not None and there:  # others displace it
        return Reason.WRITTEN, _still_there(hold)
    if hold is not None and hold.hold.state is not HoldState.ACCEPTED:
        return Reason.HELD, _waiting(hold)
    if found is not None and found.mark in _MARK_REASONS:
        detail = _FOREIGN if found.mark == LedgerState.FOREIGN else found.why
        if found.mark == LedgerState.CONTRARY:
            detail = f"{_CONTRARY}: {detail}"
        return _MARK_REASONS[found.mark], detail
    if found is not None and found.mark == LedgerState.INTENDED and found.why:
        return Reason.PENDING, found.why
    why = (_waiting(hold) if hold else "", output.error if output else "")
    return Reason.PENDING, "; ".join(filter(None, why))
