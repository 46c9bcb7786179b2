"""Purging what markings no longer let us hold: time alone calls for it."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import structlog

from connector.store.disposals import HOUR
from connector.store.store import Store

log = structlog.get_logger()
_DISPOSAL: Final = "disposal"


@dataclass(slots=True)
class Disposal:
    """Purges when a disposition date has come; it looks at all that is held hourly at most."""

    searched: int | None = None

    def carry_out(self, store: Store, now: int) -> int:
        """Purge what is due; return how many objects that were.

        The audit is told first, by marking and number: a kill on the way repeats the rest.
        """
        disposals = store.objects.disposals
        purged = 0
        due = disposals.due(now)
        if due and (self.searched is None or now - self.searched >= HOUR or now < self.searched):
            found = disposals.bearing(due)
            counts = Counter(ref for refs in found.values() for ref in refs)
            for ref, count in sorted(counts.items()):
                why = f"{count} objects: their disposition date has come"
                store.ledger.record(_DISPOSAL, "dispose", ref, why, [], now)
            disposals.dispose(found, due)
            disposals.settle(due, now)
            store.database.fold_log()
            self.searched, purged = now, len(found)
            if purged:
                log.info("store.disposed", objects=purged, markings=len(counts))
        if values := disposals.scrub():
            log.info("store.values_disposed", values=values)
        return purged
