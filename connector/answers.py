"""Answers for people and scripts: status, plans and explanations, as the documented JSON."""

from collections.abc import Iterable
from datetime import UTC
from ipaddress import ip_address, ip_network
from typing import Any, Final

from connector.decisions.plan import Mark, violations
from connector.decisions.policy import NEVER, ClaimRow, Kind, decide, ends, explain, reason_of
from connector.indicators.identity import id_of_key, key_of_id
from connector.indicators.keys import key_of
from connector.indicators.observable import UnfitValueError, canonical
from connector.indicators.refang import refanged
from connector.indicators.stix import instant
from connector.model import Observable, ObservableType, Reason
from connector.reconcile import Listing, Output, Proposal
from connector.service import Service
from connector.store import questions
from connector.store.gaps import GapRow
from connector.store.questions import ClaimFound, FeedRow, OutputRow

_STALE_AFTER: Final = 3
_MARK_REASONS: Final = {
    Mark.WRITTEN: Reason.WRITTEN,
    Mark.FOREIGN: Reason.WRITTEN,
    Mark.REJECTED: Reason.REJECTED,
    Mark.UNSUPPORTED: Reason.UNSUPPORTED_TYPE,
    Mark.OVER_CAPACITY: Reason.OVER_CAPACITY,
}
_FOREIGN: Final = "was there before us, put by others; it stays theirs"

Json = dict[str, Any]


def moment(microseconds: int | None) -> str | None:
    """Return an instant as ISO 8601 in UTC with whole seconds; None stays None."""
    if microseconds is None or microseconds >= NEVER:
        return None
    return instant(microseconds).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def defang(value: str) -> str:
    """Return a value as people may read it without it becoming a link: `bad[.]example`."""
    return value.replace("://", "[://]").replace(".", "[.]").replace("@", "[@]")


def status(service: Service) -> Json:
    """Return feeds, lists and outputs with their freshness and buckets."""
    database, now = service.store.database, service.now()
    with database.read() as connection:
        claims = questions.claim_count(database, connection)
        feeds = questions.feed_rows(database, connection)
        outputs = questions.output_rows(database, connection)
        reasons = {
            name: questions.list_reasons(database, connection, listing.number, claims)
            for name, listing in service.listings.items()
        }
        output_reasons = {
            name: questions.output_reasons(
                database, connection, outputs[name], reasons[output.listing.policy.name]
            )
            for name, output in service.outputs.items()
            if name in outputs
        }
        there = {
            name: questions.entries_there(database, connection, row)
            for name, row in outputs.items()
        }
    gaps = service.store.objects.gaps.found()
    return {
        "feeds": [_feed_json(service, name, feeds.get(name), gaps, now) for name in service.feeds],
        "claims": claims,
        "lists": [
            {
                "name": name,
                "purpose": service.listings[name].policy.purpose.value,
                "wanted": counts.get(Reason.WANTED, 0),
                "reasons": _counts(counts),
            }
            for name, counts in reasons.items()
        ],
        "outputs": [
            {
                **_output_json(
                    service, output, outputs.get(name), output_reasons.get(name), reasons, now
                ),
                "written": there.get(name, 0),
            }
            for name, output in service.outputs.items()
        ],
    }


def healthy(answer: Json) -> bool:
    """Return whether nothing in a status is stale, failing, paused or held, and no gap is open."""
    parts = [*answer["feeds"], *answer["outputs"]]
    gaps = any(feed["gaps"] for feed in answer["feeds"])
    return not gaps and all(part["state"] == "ok" for part in parts)


def _counts(reasons: dict[Reason, int]) -> dict[str, int]:
    return {reason.value: reasons[reason] for reason in Reason if reasons.get(reason)}


def gap_json(gap: GapRow) -> Json:
    """Return a span of time whose objects were lost to us."""
    return {
        "collection": gap.collection,
        "after": moment(gap.after),
        "until": moment(gap.until),
        "noted": moment(gap.noted),
    }


def _feed_json(
    service: Service, name: str, row: FeedRow | None, gaps: list[GapRow], now: int
) -> Json:
    every = service.feeds[name].config.every.total_seconds()
    last = row.last_success if row else None
    age = None if last is None else max(0, (now - last) // 1_000_000)
    return {
        "name": name,
        "type": service.feeds[name].config.type,
        "state": _state(row is not None and row.error is not None, age, every),
        "last_success": moment(last),
        "age_seconds": age,
        "objects": row.objects if row else 0,
        "gaps": [gap_json(gap) for gap in gaps if gap.feed == name],
        "error": row.error if row else None,
    }


def _state(failing: bool, age: int | None, every: float) -> str:
    if failing:
        return "failing"
    if age is None:
        return "never"
    return "stale" if age > _STALE_AFTER * every + 60 else "ok"


def _output_json(
    service: Service,
    output: Output,
    row: OutputRow | None,
    reasons: dict[Reason, int] | None,
    listed: dict[str, dict[Reason, int]],
    now: int,
) -> Json:
    config = service.loaded.config.outputs[output.name]
    last = row.last_success if row else None
    age = None if last is None else max(0, (now - last) // 1_000_000)
    state = _state(row is not None and row.error is not None, age, config.every.total_seconds())
    if row is not None and row.paused:
        state = "paused"
    elif row is not None and row.held_plan:
        state = "held"
    counts = reasons if reasons is not None else _all_pending(listed[config.list])
    return {
        "name": output.name,
        "list": config.list,
        "adapter": config.adapter,
        "state": state,
        "last_success": moment(last),
        "age_seconds": age,
        "held_plan": row.held_plan if row else None,
        "error": row.error if row else None,
        "reasons": _counts(counts),
    }


def _all_pending(listed: dict[Reason, int]) -> dict[Reason, int]:
    counts = dict(listed)
    if waiting := counts.pop(Reason.WANTED, 0):
        counts[Reason.PENDING] = counts.get(Reason.PENDING, 0) + waiting
    return counts


def plan_json(service: Service, proposal: Proposal, output: Output) -> Json:
    """Return a plan with the values it would write."""
    plan, ledger = proposal.plan, service.store.ledger
    with service.store.database.read() as connection:

        def values(numbers: Iterable[int]) -> list[Json]:
            return [
                {"type": found.type.value, "value": found.value}
                for _number, found in ledger.observables_of(connection, list(numbers))
            ]

        gone = list(plan.remove.numbers)
        reasons = ledger.reasons_among(connection, proposal.state.list, gone)
        unfit = _unfit_reasons(service, output, proposal, gone)
        removed = [
            {
                "type": found.type.value,
                "value": found.value,
                "reason": (unfit.get(number) or reasons.get(number, Reason.DESELECTED)).value,
            }
            for number, found in ledger.observables_of(connection, gone)
        ]
        return {
            "id": plan.id,
            "output": plan.output,
            "scope": plan.scope,
            "add": values(plan.add.numbers),
            "update": values(plan.update.numbers),
            "remove": removed,
            "unchanged": plan.unchanged,
            "drifted": plan.drifted,
            "broken_limits": list(violations(plan, output.limits)),
        }


def _unfit_reasons(
    service: Service, output: Output, proposal: Proposal, gone: list[int]
) -> dict[int, Reason]:
    with service.store.database.read() as connection:
        rows = list(service.store.ledger.wanted_among(connection, proposal.state.list, gone))
    return {
        row.number: Reason.OVER_CAPACITY if output.fits(row.observable) else Reason.UNSUPPORTED_TYPE
        for row in rows
    }


def explain_value(service: Service, asked: str) -> Json:
    """Return the whole chain for a value or an indicator's id: claims, decisions, outputs."""
    database = service.store.database
    with database.read() as connection:
        if "--" in asked and asked.partition("--")[0].replace("-", "").isalpha():
            key = key_of_id(asked)
            found = questions.observables_of_object(database, connection, key)
            bare = questions.bare_claims_of(database, connection, key)
        else:
            keys = [key_of(candidate) for candidate in candidates(asked)]
            found = questions.find_observables(database, connection, keys) if keys else {}
            bare = []
        answers = [
            _observable_json(service, connection, number, observable)
            for number, observable in sorted(found.items())
        ]
    return {
        "value": asked,
        "found": bool(answers or bare),
        "observables": answers,
        "unread": [_claim_json(service, claim, None) for claim in bare],
        "protected": _protections(service, asked),
        "gaps": [{"feed": gap.feed, **gap_json(gap)} for gap in service.store.objects.gaps.found()],
    }


def candidates(asked: str) -> list[Observable]:
    """Return every observable that a typed value may mean, or that would cover it."""
    found: dict[Observable, None] = {}
    for kind in ObservableType:
        for text in dict.fromkeys((asked, refanged(asked))):
            try:
                found[canonical(kind, text)] = None
            except UnfitValueError:
                continue
    for observable in list(found):
        found.update(dict.fromkeys(_covering(observable)))
    return list(found)


def _covering(observable: Observable) -> list[Observable]:
    kind, value = observable.type, observable.value
    if kind is ObservableType.DOMAIN_NAME:
        labels = value.removeprefix("*.").split(".")
        return [Observable(kind, "*." + ".".join(labels[at:])) for at in range(1, len(labels))]
    if kind not in (ObservableType.IPV4_ADDR, ObservableType.IPV6_ADDR) or "/" in value:
        return []
    address = ip_address(value)
    return [
        Observable(kind, str(ip_network((address, length), strict=False)))
        for length in range(1, address.max_prefixlen)
    ]


def _protections(service: Service, asked: str) -> list[Json]:
    """Return who protects the value itself, whether any feed speaks of it or not."""
    now = instant(service.now())
    answers = []
    for listing in list(service.listings.values())[:1]:
        for observable in candidates(asked):
            by = listing.policy.allowlist.protects(observable, now)
            if by is not None and "/" not in observable.value.partition("//")[2]:
                answers.append(
                    {"type": observable.type.value, "group": by.group, "value": by.value}
                )
    return answers[:1]


def _observable_json(
    service: Service, connection: Any, number: int, observable: Observable
) -> Json:
    claims = questions.claims_on(service.store.database, connection, number)
    return {
        "type": observable.type.value,
        "value": observable.value,
        "claims": [_claim_json(service, claim, observable) for claim in claims],
        "outputs": [
            _outcome_json(service, connection, output, number, observable, claims)
            for output in service.outputs.values()
        ],
    }


def _claim_json(service: Service, claim: ClaimFound, observable: Observable | None) -> Json:
    policy = next(iter(service.listings.values())).policy
    terms = policy.terms[claim.row.feed]
    level, _why = policy.level(service.store.traits(claim.row.traits), claim.row.feed)
    until = NEVER if observable is None else ends(observable.type, claim.row, terms)
    return {
        "feed": terms.name,
        "indicator": id_of_key(claim.object),
        "enforceable": claim.row.kind == Kind.ENFORCEABLE,
        "why": claim.why,
        "valid_until": moment(until),
        "marking": level.label,
        "confidence": claim.row.confidence,
        "reasons": {
            name: _standing_json(observable, claim.row, listing, service)
            for name, listing in service.listings.items()
            if observable is not None
        },
    }


def _standing_json(
    observable: Observable, claim: ClaimRow, listing: Listing, service: Service
) -> Json:
    reason, detail = _standing(observable, claim, listing, service)
    return {"reason": reason, "detail": detail}


def _standing(
    observable: Observable, claim: ClaimRow, listing: Listing, service: Service
) -> tuple[str, str]:
    reason, detail = explain(observable, claim, listing.policy, service.now())
    return reason.value, detail


def _outcome_json(
    service: Service,
    connection: Any,
    output: Output,
    number: int,
    observable: Observable,
    claims: list[ClaimFound],
) -> Json:
    policy, database = output.listing.policy, service.store.database
    rows = [claim.row for claim in claims]
    decision = decide(observable, rows, policy, service.now())
    rowed = questions.output_rows(database, connection).get(output.name)
    found = questions.entry_of(database, connection, rowed.number, number) if rowed else None
    since = questions.listed_since(database, connection, output.listing.number, number)
    if decision.carrier is None:
        reason = reason_of(max(decision.codes, default=1))
        detail = decision.detail or _first_detail(observable, claims, output.listing, service)
        until = None
    else:
        reason, detail = _at_target(found, rowed)
        since = found.since if found else since
        until = moment(ends(observable.type, decision.carrier, policy.terms[decision.carrier.feed]))
    if decision.carrier is None and found is not None and found.mark == Mark.WRITTEN:
        detail = (detail + "; " if detail else "") + "still at the target until its next cycle"
    return {
        "name": output.name,
        "list": policy.name,
        "reason": reason.value,
        "detail": detail,
        "since": moment(since),
        "until": until,
    }


def _first_detail(
    observable: Observable, claims: list[ClaimFound], listing: Listing, service: Service
) -> str:
    """Return the first words there are: of the policy, or of the pattern's reader."""
    found = ((_standing(observable, claim.row, listing, service)[1], claim) for claim in claims)
    words = (detail or claim.why for detail, claim in found)
    return next((detail for detail in words if detail), "")


def _at_target(found: questions.EntryFound | None, output: OutputRow | None) -> tuple[Reason, str]:
    if found is not None and found.mark in _MARK_REASONS:
        detail = _FOREIGN if found.mark == Mark.FOREIGN else found.why
        return _MARK_REASONS[Mark(found.mark)], detail
    if output is not None and output.held_plan:
        return Reason.HELD, f"plan {output.held_plan} waits: connector apply {output.held_plan}"
    return Reason.PENDING, output.error if output is not None and output.error else ""
