"""The decision about an observable as the row of a list, and which changes concern targets."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from connector.decisions.decide import Decision
from connector.decisions.records import CODES
from connector.instants import NEVER
from connector.model import Reason, Tlp
from connector.store.change_times import Learned

_STAMP: Final = (1 << 62) - 1
_WITHDRAWN: Final = CODES[Reason.WITHDRAWN]
_WANTED: Final = CODES[Reason.WANTED]
_EXPIRED: Final = CODES[Reason.EXPIRED]
_NOTHING_SAID: Final = (None, None, int(Tlp.RED), None, 0)


@dataclass(slots=True)
class RefreshResult:
    """What a refresh did: observables considered, entries that came, left or changed."""

    considered: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0


class EntryRow(NamedTuple):
    wanted: int
    claim: int
    reason: int
    stamp: int
    rank: int
    recheck: int | None
    confidence: int | None
    until: int | None
    tlp: int
    first_seen: int | None
    source: int


# The positions in a stored row of the columns after these.
_SEQ: Final = 1 + len(EntryRow._fields)
_SINCE: Final = _SEQ + 1
# Of an observable that nothing claims any more.
UNCLAIMED: Final = EntryRow(0, 0, _WITHDRAWN, 0, 0, None, *_NOTHING_SAID)


def entry_row(decision: Decision) -> EntryRow:
    recheck = None if decision.recheck >= NEVER else decision.recheck
    carrier, merged = decision.carrier, decision.merged
    if carrier is None or merged is None:
        reason = max(decision.codes, default=_WITHDRAWN)
        return EntryRow(0, 0, reason, 0, 0, recheck, *_NOTHING_SAID)
    confidence, until, tlp, first_seen = merged
    facts = (
        carrier.number, carrier.modified, carrier.attributes, carrier.context, until, int(tlp),
        -1 if confidence is None else confidence, -1 if first_seen is None else first_seen,
        decision.content_digest,
    )  # fmt: skip
    stamp = hash(facts) & _STAMP  # whole numbers hash alike in every process; None does not
    return EntryRow(
        1, carrier.number, _WANTED, stamp, decision.rank, recheck,
        confidence, None if until >= NEVER else until, int(tlp), first_seen,
        decision.source,
    )  # fmt: skip


class Onsets(NamedTuple):
    """Says since when the findings of a refresh have been true."""

    learned: Learned
    now: int

    def since(self, entry: EntryRow, old: Any, touched: int) -> int:
        """Return when a feed sent it, or when it was due, or else the time of this refresh."""
        recheck, until = (old[6], old[8]) if old is not None else (None, None)
        if entry.reason == _EXPIRED and until is not None and until <= self.now:
            return int(until)
        told = self.learned.at(touched)
        if told is not None:
            return min(told, self.now)
        return self.now if recheck is None else min(recheck, self.now)


def news_of(
    owner: int,
    observable: int,
    seq: int,
    entry: EntryRow,
    old: Any,
    done: RefreshResult,
    onsets: Onsets,
    touched: int,
) -> tuple[Any, ...] | None:
    """Return the row to write where anything changed; only what targets see moves `seq`."""
    if old is None:
        if not entry.wanted and entry.recheck is None:
            return None
        done.added += entry.wanted
        return (owner, observable, *entry, seq, onsets.since(entry, old, touched))
    if entry == tuple(old[1:_SEQ]):
        return None
    if entry.wanted == old[1] and entry.stamp == old[4]:
        return (owner, observable, *entry, old[_SEQ], old[_SINCE])
    done.added += entry.wanted and not old[1]
    done.removed += old[1] and not entry.wanted
    done.changed += entry.wanted and old[1]
    since = old[_SINCE] if entry.wanted == old[1] else onsets.since(entry, old, touched)
    return (owner, observable, *entry, seq, since)
