"""Markings missing from a feed's objects: requested by id, and kept for good."""

from collections.abc import Collection, Iterator
from typing import Any, Final

from connector.errors import ConnectorError
from connector.feed import Feed, Page
from connector.indicators.markings.tlp import tlp_of_id
from connector.indicators.stix import StixObject, read_object
from connector.ingest.results import Intake
from connector.ingest.spills import Door, definition_in
from connector.log import log
from connector.store.feeds.markings import FeedMarkings

_AT_ONCE: Final = 50


def missing(refs: Collection[str], known: FeedMarkings) -> set[str]:
    """Return the markings that nobody defined; each restricts most until somebody does."""
    return {ref for ref in refs if tlp_of_id(ref) is None and ref not in known}


def ask_for(refs: Collection[str], feed: Feed[Any], door: Door, now: int) -> Iterator[Intake]:
    """Ask the feed for markings by id; yield what each one that it has brings.

    At most fifty are asked for at once; a feed that does not answer is asked again next time.
    """
    for ref in sorted(refs)[:_AT_ONCE]:
        try:
            raw = feed.find(ref)
        except ConnectorError as error:
            log.warning("feed.marking_unresolved", marking=ref, why=str(error))
            return
        if raw is not None:
            yield from _take(raw, ref, door, now)


def _take(raw: bytes, ref: str, door: Door, now: int) -> Iterator[Intake]:
    """Remember a definition that was asked for, unless it is another's or may not be held."""
    page, spilled = door.without_spills(Page([raw], "", last=True), now)
    yield Intake(spilled=spilled)
    for kept in page.objects:
        found = read_object(kept)
        if not isinstance(found, StixObject) or found.id != ref:
            return
        door.store.add_markings(door.feed, {ref: definition_in(kept, found)})
    yield Intake(defined=frozenset({ref}))
