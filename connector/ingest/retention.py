"""Purges objects that their markings no longer let us hold; many at once only on a person's order.

From that instant on such objects already count as `expired` (or `withheld` if classified); this
module only removes them from the store.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from threading import Lock
from typing import Final

from connector.log import log
from connector.store.feeds.retention import HOUR, Due
from connector.store.store import Store

_DISPOSAL: Final = "disposal"
# Like an output's limits: fewer than this always go, and otherwise at most this share at once.
_SMALL: Final = 20
_LARGEST_SHARE: Final = 0.3
_DATE: Final = "their disposition date has passed"


@dataclass(slots=True)
class Disposal:
    """Purges objects that may not be held; checks all of them at most hourly, except for spills."""

    searched: dict[int, int] = field(default_factory=dict)
    _working: Lock = field(default_factory=Lock)

    def apply(self, store: Store, now: int) -> int:
        """Purge what is due; return the number of objects.

        The audit is written first, by marking and number: after a kill the rest is repeated.
        """
        with self._working:
            due = store.objects.disposals.due(now)
            purged = 0
            for feed, those in groupby(due, lambda one: one.feed):
                found = list(those)
                if self._in_turn(feed, found, now):
                    self.searched[feed] = now
                    purged += _search(store, feed, found, now)
            if values := store.objects.disposals.scrub():
                log.info("store.values_disposed", values=values)
            return purged

    def _in_turn(self, feed: int, due: Sequence[Due], now: int) -> bool:
        last = self.searched.get(feed)
        urgent = any(one.spill and not one.waits for one in due)
        return urgent or last is None or now - last >= HOUR or now < last


def confirm(store: Store, feed: int, by: str, now: int) -> int:
    """Purge what is waiting for a person in a feed; return the number of objects."""
    disposals = store.objects.disposals
    waiting = {one.marking: one.spill for one in disposals.waiting(feed)}
    if not waiting:
        return 0
    found = disposals.bearing(feed, waiting)
    _purge(store, feed, waiting, found, now, by)
    return len(found)


def _search(store: Store, feed: int, due: Sequence[Due], now: int) -> int:
    """Purge what is due in one feed, or set it aside if it is too much to purge unasked."""
    disposals = store.objects.disposals
    reasons = {one.marking: one.spill for one in due}
    found = disposals.bearing(feed, reasons)
    set_aside = {one.marking for one in due if one.waits}
    fresh = {number: refs for number, refs in found.items() if refs - set_aside}
    if _is_large(len(fresh), disposals.count(feed)):
        _tell_of_waiting(store, feed, fresh, now)
        set_aside |= {ref for refs in fresh.values() for ref in refs}
        fresh = {}
    counts = Counter(ref for refs in found.values() for ref in refs if ref in set_aside)
    disposals.wait(feed, counts, now)
    going = {ref: why for ref, why in reasons.items() if ref not in counts}
    _purge(store, feed, going, fresh, now)
    return len(fresh)


def _is_large(count: int, held: int) -> bool:
    return count > _SMALL and count > _LARGEST_SHARE * held


def _tell_of_waiting(
    store: Store, feed: int, found: Mapping[int, Collection[str]], now: int
) -> None:
    name = store.feeds()[feed]
    counts = Counter(ref for refs in found.values() for ref in refs)
    for ref, count in sorted(counts.items()):
        why = f"feed {name}: {count} objects are waiting for deletion: connector feeds purge {name}"
        store.audit.record(_DISPOSAL, "wait", ref, why, [], now)
    log.warning(
        "feed.purge_waits", feed=name, objects=len(found), markings=len(counts),
        what=f"withheld now; to delete them: connector feeds purge {name}",
    )  # fmt: skip


def _purge(
    store: Store,
    feed: int,
    reasons: Mapping[str, str],
    found: Mapping[int, Collection[str]],
    now: int,
    by: str = "",
) -> None:
    """Remove objects from the store: every trace of classified ones, the contents of others."""
    disposals = store.objects.disposals
    counts = Counter(ref for refs in found.values() for ref in refs if ref in reasons)
    for ref, count in sorted(counts.items()):
        asked = f"; ordered by {by}" if by else ""
        why = f"{count} objects: {reasons[ref] or _DATE}{asked}"
        store.audit.record(_DISPOSAL, "dispose", ref, why, [], now)
    spills = {ref for ref, why in reasons.items() if why}
    classified = {number for number, refs in found.items() if not spills.isdisjoint(refs)}
    disposals.purge(feed, classified)
    disposals.dispose(feed, found.keys() - classified)
    staged = store.objects.staging.purge(feed, reasons) if reasons else 0
    disposals.finish(feed, reasons, reasons if staged else counts, now)
    store.database.checkpoint_wal()
    if classified:
        log.error("feed.spill_purged", markings=sorted(spills), objects=len(classified))
    if dated := len(found) - len(classified):
        log.info("store.disposed", objects=dated, markings=len(counts))
