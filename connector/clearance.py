"""What may not be held at all never enters: what is classified, and what is past its date.

A feed of unclassified data that carries a classified object (ACS 3.0) has a spill: nothing of it
is stored or logged but the marking's id, and an alarm is raised (`reference/feed.md` section 2.3,
rule 1). What a marking told us to dispose of by now (rule 7) is as if it had never been sent.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec
import structlog

from connector.feed import Page
from connector.indicators.known_marking import (
    KnownMarking,
    markings_in,
    read_marking,
    spilling,
)
from connector.indicators.stix import LONGEST_ID
from connector.store.objects import ObjectStore

log = structlog.get_logger()

_MARKING: Final = "marking-definition"
_QUOTED: Final = b'"marking-definition"'  # as a whole value: every object names markings by id


def cleared(page: Page, store: ObjectStore, spilled: dict[str, str], now: int) -> Page:
    """Return the page without objects that may not be held; `spilled` gathers what is classified.

    A marking that arrives after objects that bear it takes these out of the store again.
    """
    _learn(page.objects, store, now)
    spills, past = store.spills(), store.disposals.past(now)
    if not spills and not past:
        return page
    kept = []
    classified = 0
    for raw in page.objects:
        borne = markings_in(raw)
        if found := borne & spills.keys():
            spilled.update((ref, spills[ref]) for ref in found)
            classified += 1
        elif borne.isdisjoint(past):
            kept.append(raw)
    if classified:
        log.error("feed.spill", markings=sorted(spilled), objects=classified)
    if late := len(page.objects) - len(kept) - classified:
        log.info("feed.past_disposition", objects=late)
    return replace(page, objects=kept)


def _learn(objects: Sequence[bytes], store: ObjectStore, now: int) -> None:
    """Take markings in that close the door, before what bears them can pass it."""
    found = _closing_markings(objects, now)
    if not found:
        return
    known = store.spills().keys() | store.disposals.past(now)
    fresh = {ref: marking for ref, marking in found.items() if ref not in known}
    if not fresh:
        return
    store.add_markings(fresh)
    if classified := {ref for ref in fresh if spilling([ref], fresh)}:
        purged = store.disposals.purge(classified)
        log.error("feed.spill_purged", markings=sorted(classified), objects=purged)


def _closing_markings(objects: Sequence[bytes], now: int) -> dict[str, KnownMarking]:
    found = {}
    for raw in objects:
        if _QUOTED not in raw:
            continue
        try:
            body = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        ref = body.get("id") if isinstance(body, dict) else None
        if isinstance(ref, str) and len(ref) <= LONGEST_ID and body.get("type") == _MARKING:
            marking = read_marking(body)
            if spilling([ref], {ref: marking}) or _is_past(marking, now):
                found[ref] = marking
    return found


def _is_past(marking: KnownMarking, now: int) -> bool:
    disposal = None if marking.acs is None else marking.acs.disposal
    return disposal is not None and disposal <= now
