"""What may not be held at all never enters: objects marked as classified (ACS 3.0).

A feed of unclassified data that carries one has a spill: nothing of it is stored or logged but the
marking's id, and an alarm is raised (`reference/feed.md` section 2.3, rule 1).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec
import structlog

from connector.feed import Page
from connector.indicators.acs import ACS_EXTENSION
from connector.indicators.known_marking import KnownMarking, read_marking, spilling
from connector.store.objects import ObjectStore

log = structlog.get_logger()

# Two plain searches: every object passes here, and a pattern with a choice takes ten times as long.
_ACS: Final = ACS_EXTENSION.encode()
_OLD_ACS: Final = b"x-isa-acs"


def without_spills(page: Page, store: ObjectStore, spilled: dict[str, str]) -> Page:
    """Return the page without objects that may not be held; `spilled` gathers why.

    A marking that arrives after objects that bear it takes these out of the store again.
    """
    late = _spilling_markings(page.objects)
    fresh = {ref: marking for ref, marking in late.items() if ref not in store.spills()}
    if fresh:
        store.add_markings(fresh)
        purged = store.purge(fresh) + store.staging.purge(fresh)
        log.error("feed.spill_purged", markings=sorted(fresh), objects=purged)
    spills = store.spills()
    if not spills:
        return page
    marks = {ref.encode(): ref for ref in spills}
    kept = []
    for raw in page.objects:
        borne = [ref for mark, ref in marks.items() if mark in raw]
        spilled.update((ref, spills[ref]) for ref in borne)
        if not borne:
            kept.append(raw)
    if dropped := len(page.objects) - len(kept):
        log.error("feed.spill", markings=sorted(spilled), objects=dropped)
    return replace(page, objects=kept)


def _spilling_markings(objects: Sequence[bytes]) -> dict[str, KnownMarking]:
    found = {}
    for raw in objects:
        if _ACS not in raw and _OLD_ACS not in raw:
            continue
        try:
            body = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        ref = body.get("id") if isinstance(body, dict) else None
        if isinstance(ref, str) and body.get("type") == "marking-definition":
            marking = read_marking(body)
            if spilling([ref], {ref: marking}):
                found[ref] = marking
    return found
