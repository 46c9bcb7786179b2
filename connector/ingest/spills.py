"""Keeps out objects that may not be held at all: classified ones, and those past their date.

A classified object (ACS 3.0) in a feed of unclassified data is a spill: only the marking's id is
stored or logged, and an alarm is raised. An object past its disposition date is treated as if it
had never been sent. A marking applies only to objects of the feed that defined it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from connector.feed import Page
from connector.indicators.identity import key_of_id
from connector.indicators.markings.definition import Definition, markings_in, read_marking
from connector.indicators.stix import LONGEST_ID, StixObject, read_object
from connector.instants import to_instant
from connector.log import log
from connector.store.feeds.definitions import BY_CURSOR, ShownIn
from connector.store.feeds.objects import ObjectStore

_MARKING: Final = "marking-definition"
_QUOTED: Final = b'"marking-definition"'  # a whole value: every object refers to markings by id


@dataclass(frozen=True, slots=True)
class Door:
    """Filters what enters the store from one feed."""

    store: ObjectStore
    feed: int

    def without_spills(
        self, page: Page, now: int, shown: ShownIn = BY_CURSOR
    ) -> tuple[Page, Mapping[str, str]]:
        """Return the page without what may not be held, and why for each classified marking.

        What is held already stays until it is purged: a version of it is no less true for that.
        """
        self._learn(page.objects, now, shown)
        closed = self._closed(page.objects, now)
        if not closed:
            return page, {}
        named = [closed.keys() & markings_in(raw) for raw in page.objects]
        held = self._held([raw for raw, refs in zip(page.objects, named, strict=True) if refs])
        kept, away = [], []
        for raw, refs in zip(page.objects, named, strict=True):
            (away.append(refs) if refs and raw not in held else kept.append(raw))
        spilled = self._turned_away(closed, away) if away else {}
        return replace(page, objects=kept), spilled

    def _closed(self, objects: Sequence[bytes], now: int) -> Mapping[str, str]:
        disposals = self.store.disposals
        with self.store.reading() as transaction:
            if not disposals.closed(transaction, self.feed, None, now):
                return {}
            refs = {ref for raw in objects for ref in markings_in(raw)}
            return disposals.closed(transaction, self.feed, refs, now)

    def _held(self, doubted: Sequence[bytes]) -> set[bytes]:
        ids = {raw: _id_of(raw) for raw in doubted}
        keys = {raw: key_of_id(found) for raw, found in ids.items() if found}
        with self.store.reading() as transaction:
            held = self.store.disposals.holds(transaction, self.feed, set(keys.values()))
        return {raw for raw, key in keys.items() if key in held}

    def _turned_away(
        self, closed: Mapping[str, str], away: Sequence[set[str]]
    ) -> Mapping[str, str]:
        """Note and tell which objects were turned away; return the classified markings of them."""
        lost = {ref for refs in away for ref in refs}
        self.store.disposals.turned_away(self.feed, lost)
        spills = {ref: closed[ref] for ref in lost if closed[ref]}
        classified = sum(not refs.isdisjoint(spills) for refs in away)
        if classified:
            log.error("feed.spill", markings=sorted(spills), objects=classified)
        if classified < len(away):
            log.info("feed.past_disposition", objects=len(away) - classified)
        return spills

    def _learn(self, objects: Sequence[bytes], now: int, shown: ShownIn) -> None:
        """Take in marking definitions first, before the objects that they allow or forbid."""
        defined = _definitions(objects)
        if not defined:
            return
        with self.store.reading() as transaction:
            closed = self.store.disposals.closed(transaction, self.feed, defined, now)
        turning = {
            ref: said for ref, said in defined.items() if ref in closed or _closes(said, now)
        }
        if not turning:
            return
        self.store.add_markings(self.feed, turning, shown)
        spills = {ref for ref, said in turning.items() if _spills(said) and ref not in closed}
        if spills and self.store.staging.purge(self.feed, spills):
            self.store.disposals.turned_away(self.feed, spills)


def definition_in(raw: bytes, found: StixObject) -> Definition:
    """Return what a marking definition says; without another version, its version is `created`.

    TAXII 2.1 (section 3.4.1) defines this for objects that are not versioned. One that has bytes
    that are no text is not understood.
    """
    dated = found.modified or found.created
    version = 0 if dated is None else to_instant(dated)
    try:
        said = msgspec.json.decode(raw)
    except UnicodeDecodeError:
        said = {"id": found.id}
    return Definition(read_marking(said), version, gone=bool(found.revoked))


def _definitions(objects: Sequence[bytes]) -> dict[str, Definition]:
    found = {}
    for raw in objects:
        if _QUOTED not in raw:
            continue
        read = read_object(raw)
        if isinstance(read, StixObject) and read.type == _MARKING:
            found[read.id] = definition_in(raw, read)
    return found


def _closes(said: Definition, now: int) -> bool:
    closing = said.marking.closing
    return closing is not None and closing[0] <= now


def _spills(said: Definition) -> bool:
    return said.marking.closing is not None and bool(said.marking.closing[1])


def _id_of(raw: bytes) -> str:
    read = read_object(raw)
    return read.id[:LONGEST_ID]
