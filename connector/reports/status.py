"""Status, plans and results as the documented JSON."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from connector.config.model import FeedConfig, OutputConfig
from connector.config.pace import RolloutConfig
from connector.instants import span
from connector.model import Reason
from connector.reports.freshness import freshness_json, state_of
from connector.reports.listeners import listeners_json
from connector.reports.look import Look
from connector.reports.values import Json, moment
from connector.service.readiness import waiting_for
from connector.store import queries as questions
from connector.store.feeds.alarms import FULL, Alarm, Alarms
from connector.store.feeds.gaps import GapRow, Gaps
from connector.store.feeds.notes import notes_of
from connector.store.outputs.drifts import DriftRow, OddValues, drifts, never_read_back, odd_values
from connector.store.outputs.ends import ended
from connector.store.outputs.kept_holds import HoldState, KeptHold, live_holds
from connector.store.outputs.places import PlacedLedger, Standing, left_behind
from connector.store.outputs.pools import FullPool, full_pools
from connector.store.outputs.rollouts import RolloutCount, rollout_counts
from connector.store.outputs.timings import BOUNDS, Histogram, times_of
from connector.store.queries import UNKNOWN, FeedRow, OutputRow, PurgeRow
from connector.store.tallies import ENFORCE_TALLY, REMOVAL_TALLY

_TIMES: Final = {REMOVAL_TALLY: "removal_seconds", ENFORCE_TALLY: "enforce_seconds"}


class _Facts(NamedTuple):
    """What the state says, read in one snapshot; by the name of a feed, list or output."""

    claims: int
    feeds: Mapping[str, FeedRow]
    notes: Mapping[str, dict[str, int]]
    purges: Mapping[str, list[PurgeRow]]
    reasons: Mapping[str, dict[Reason, int]]
    decided: Mapping[str, int | None]
    suppressed: Mapping[str, dict[str, int]]
    outputs: Mapping[str, OutputRow]
    output_reasons: Mapping[str, dict[Reason, int]]
    times: Mapping[str, dict[int, dict[Reason, Histogram]]]
    there: Mapping[str, int]
    drifts: Mapping[int, DriftRow]
    rollouts: Mapping[int, RolloutCount]
    full: Mapping[int, list[FullPool]]
    remarks: Mapping[str, Mapping[int, list[OddValues]]]
    held: Mapping[str, list[KeptHold]]
    left: list[PlacedLedger]
    beyond: Mapping[str, int]
    """How many entries of each feed are over its share."""


def _facts(look: Look) -> _Facts:
    config = look.config
    with look.database.read() as transaction:
        claims = questions.claim_count(transaction)
        outputs = questions.output_rows(transaction)
        configured = {name: row for name, row in outputs.items() if name in config.outputs}
        lists, feeds = questions.list_numbers(transaction), questions.feed_numbers(transaction)
        reasons = {
            name: questions.list_reasons(transaction, lists.get(name, UNKNOWN), claims)
            for name in config.lists
        }
        numbers = {name: feeds.get(name, UNKNOWN) for name in config.feeds}
        beyond: Counter[int] = Counter()
        for row in configured.values():
            beyond.update(questions.beyond_share(transaction, row))
        holds = live_holds(transaction)
        over = {name: ended(transaction, row.number, look.now()) for name, row in outputs.items()}
        return _Facts(
            claims=claims,
            held={name: [one for one in holds if one.output == name] for name in config.outputs},
            feeds=questions.feed_rows(transaction),
            notes={name: notes_of(transaction, number) for name, number in numbers.items()},
            purges={
                name: questions.purges_waiting(transaction, number)
                for name, number in numbers.items()
            },
            reasons=reasons,
            decided=questions.decided_at(transaction),
            suppressed={
                name: questions.suppressed(transaction, lists.get(name, UNKNOWN))
                for name in config.lists
            },
            outputs=outputs,
            output_reasons={
                name: _without_ended(
                    questions.output_reasons(transaction, row, reasons[config.outputs[name].list]),
                    over[name],
                )
                for name, row in configured.items()
            },
            times={
                name: {kind: times_of(transaction, kind, row.number) for kind in _TIMES}
                for name, row in outputs.items()
            },
            drifts=drifts(transaction),
            rollouts=rollout_counts(transaction),
            full=full_pools(transaction),
            remarks={
                "not_canonical": odd_values(transaction),
                "never_read_back": never_read_back(transaction),
            },
            left=left_behind(transaction, tuple(config.outputs)),
            there={
                name: questions.entries_there(transaction, row) - over[name]
                for name, row in outputs.items()
            },
            beyond={name: beyond[number] for name, number in numbers.items()},
        )


def _without_ended(reasons: dict[Reason, int], count: int) -> dict[Reason, int]:
    """Return reasons in which what the target has ended waits to be written again."""
    written = reasons.get(Reason.WRITTEN, 0)
    if count := min(count, written):
        reasons[Reason.WRITTEN] = written - count
        reasons[Reason.PENDING] = reasons.get(Reason.PENDING, 0) + count
    return reasons


def status(look: Look) -> Json:
    """Return feeds, lists and outputs with their freshness and reasons."""
    facts, now = _facts(look), look.now()
    gaps = Gaps(look.database).found()
    alarms = Alarms(look.database).found()
    return {
        "feeds": [
            {
                **_feed_json(
                    feed, name, facts.feeds.get(name), gaps, facts.notes[name], now, alarms
                ),
                "purges": [_purge_json(waiting) for waiting in facts.purges[name]],
                "caps": _caps_json(feed, name, facts.beyond[name], alarms),
            }
            for name, feed in look.config.feeds.items()
        ],
        "claims": facts.claims,
        "lists": [_list_json(look, name, facts) for name in facts.reasons],
        "outputs": [_whole_output_json(look, name, facts, now) for name in look.config.outputs],
        "left_behind": [place_json(ledger, look.config.outputs) for ledger in facts.left],
        **listeners_json(look),
    }


def place_json(ledger: PlacedLedger, configured: Collection[str]) -> Json:
    """Return where an output keeps its list; `left` says why it no longer does."""
    dropped = ledger.standing is Standing.KEPT and ledger.name not in configured
    standing = Standing.DROPPED if dropped else ledger.standing
    return {
        "output": ledger.name,
        "adapter": ledger.placing.adapter if ledger.placing else None,
        "places": ledger.words,
        "entries": ledger.entries,
        "since": moment(ledger.since),
        "left": None if standing is Standing.KEPT else standing.value,
        "error": None if standing is Standing.KEPT else ledger.error,
    }


def _list_json(look: Look, name: str, facts: _Facts) -> Json:
    counts = facts.reasons[name]
    return {
        "name": name,
        "purpose": look.config.lists[name].purpose.value,
        "wanted": counts.get(Reason.WANTED, 0),
        "decided_at": moment(facts.decided.get(name)),
        "reasons": _counts(counts),
        "suppressed": facts.suppressed[name],
    }


def _whole_output_json(look: Look, name: str, facts: _Facts, now: int) -> Json:
    row, times = facts.outputs.get(name), facts.times.get(name, {})
    reasons = facts.output_reasons.get(name)
    return {
        **_output_json(
            look.config.outputs[name], name, row, reasons, facts.reasons, facts.held[name], now
        ),
        "waits_for": _waits_for(look.feeds_of(name), facts.feeds, row),
        "written": facts.there.get(name, 0),
        "read_back": name not in look.sends,
        "rollout": _rollout_json(
            look.config.outputs[name].rollout, facts.rollouts.get(row.number) if row else None
        ),
        "drift": _drift_json(facts.drifts.get(row.number) if row else None),
        "full": [
            {"pool": one.pool, "held": one.held, "at": moment(one.at)}
            for one in (facts.full.get(row.number, ()) if row else ())
        ],
        "remarks": [
            {"remark": remark, "type": one.type, "count": one.entries, "at": moment(one.at)}
            for remark, found in facts.remarks.items()
            for one in (found.get(row.number, ()) if row else ())
        ],
        **{key: _times_json(times.get(kind, {})) for kind, key in _TIMES.items()},
    }


def _rollout_json(rollout: RolloutConfig | None, found: RolloutCount | None) -> Json | None:
    """Return for which output this one waits, how many additions do, and when the next is due."""
    if rollout is None:
        return None
    stood = found.first if found else None
    return {
        "after": rollout.after,
        "wait_seconds": int(rollout.wait.total_seconds()),
        "waiting": found.waiting if found else 0,
        "next": None if stood is None else moment(stood + span(rollout.wait)),
    }


def _drift_json(found: DriftRow | None) -> Json | None:
    """Return what others last did to a target, and how many entries that ever concerned."""
    if found is None:
        return None
    counts = {"missing": found.missing, "altered": found.altered, "foreign": found.foreign}
    return {"at": moment(found.at), **counts, "total": found.total}


def healthy(answer: Json) -> bool:
    """Return whether nothing is stale, failing, paused, held or waiting for a person.

    What an output left as it moved does not wait for one, as long as it can be cleaned.
    """
    parts = [*answer["feeds"], *answer["outputs"]]
    asked = any(feed["gaps"] or feed["purges"] for feed in answer["feeds"])
    asked = asked or any(
        left["error"] or left["left"] == Standing.DROPPED for left in answer["left_behind"]
    )
    return not asked and all(part["state"] == "ok" for part in parts)


def _counts(reasons: dict[Reason, int]) -> dict[str, int]:
    return {reason.value: reasons[reason] for reason in Reason if reasons.get(reason)}


def gap_json(gap: GapRow) -> Json:
    """Return a period whose objects we did not receive."""
    return {
        "collection": gap.collection,
        "after": moment(gap.after),
        "until": moment(gap.until),
        "noted": moment(gap.noted),
    }


def _purge_json(waiting: PurgeRow) -> Json:
    """Return objects whose deletion is waiting for a person."""
    return {
        "marking": waiting.marking,
        "objects": waiting.objects,
        "since": moment(waiting.since),
    }


def _feed_json(
    config: FeedConfig,
    name: str,
    row: FeedRow | None,
    gaps: list[GapRow],
    notes: dict[str, int],
    now: int,
    alarms: list[Alarm],
) -> Json:
    own = [alarm for alarm in alarms if alarm.feed == name]
    return {
        "name": name,
        "type": config.type,
        "state": _told(state_of(row, config.every, now), own),
        **freshness_json(row, now),
        "objects": row.objects if row else 0,
        "gaps": [gap_json(gap) for gap in gaps if gap.feed == name],
        "alarms": [
            {"name": one.name, "words": one.words, "since": moment(one.since)} for one in own
        ],
        "notes": notes,
    }


def _told(state: str, alarms: list[Alarm]) -> str:
    """Return the state of a feed; one that answers may still be full or out of character."""
    if state != "ok" or not alarms:
        return state
    return "full" if any(alarm.name == FULL for alarm in alarms) else "alarm"


def _caps_json(config: FeedConfig, name: str, beyond_share: int, alarms: list[Alarm]) -> Json:
    """Return the caps of a feed, each with the number it excludes, or None if not counted."""
    waiting = sum(one.count for one in alarms if (one.feed, one.name) == (name, FULL))
    caps = {
        "max_confidence": (config.max_confidence, None),
        "max_share": (config.max_share, beyond_share),
        "max_objects": (config.max_objects, waiting),
    }
    return {
        cap: {"limit": limit, "keeps_off": kept}
        for cap, (limit, kept) in caps.items()
        if limit is not None
    }


def _times_json(found: dict[Reason, Histogram]) -> Json:
    """Return by reason the count, the sum, and how many took at most each number of seconds."""
    return {
        reason.value: {
            "count": times.count,
            "sum": round(times.seconds, 6),
            "within": dict(zip(map(str, BOUNDS), times.within, strict=True)),
        }
        for reason, times in found.items()
    }


def _output_json(
    config: OutputConfig,
    name: str,
    row: OutputRow | None,
    reasons: dict[Reason, int] | None,
    listed: Mapping[str, dict[Reason, int]],
    holds: list[KeptHold],
    now: int,
) -> Json:
    waiting = [hold.id for hold in holds if hold.state is HoldState.HELD]
    state = state_of(row, config.every, now)
    if waiting and state == "ok":
        state = "held"
    elif row is not None and state == "ok" and row.unread:
        state = "unverified"  # the ledger says what was there before the start
    counts = reasons if reasons is not None else _all_pending(listed[config.list])
    return {
        "name": name,
        "list": config.list,
        "adapter": config.adapter,
        "state": state,
        **freshness_json(row, now),
        "held_plan": waiting[-1] if waiting else None,
        "held": [_hold_json(hold) for hold in holds],
        "reasons": _counts(counts),
    }


def _hold_json(hold: KeptHold) -> Json:
    """Return a hold in numbers; one that was refused stays until its end or until all agree."""
    return {
        "id": hold.id,
        "since": moment(hold.since),
        "kind": hold.kind.value,
        "state": hold.state.value,
        "add": hold.add,
        "remove": hold.remove,
        "broken_limits": list(hold.sentences),
        "by": hold.by,
        "why": hold.why,
        "until": moment(hold.until),
    }


def _waits_for(
    chosen: Collection[str], feeds: Mapping[str, FeedRow], row: OutputRow | None
) -> list[str]:
    """Return the feeds whose first poll must finish before an output is written."""
    in_step = row is not None and row.last_success is not None
    return list(waiting_for(chosen, feeds, in_step=in_step))


def _all_pending(listed: dict[Reason, int]) -> dict[Reason, int]:
    counts = dict(listed)
    if waiting := counts.pop(Reason.WANTED, 0):
        counts[Reason.PENDING] = counts.get(Reason.PENDING, 0) + waiting
    return counts
