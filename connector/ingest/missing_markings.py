"""Markings that objects bear and that never came with them: asked for by id, kept for ever."""

from collections.abc import Collection
from typing import Any, Final

from connector.errors import ConnectorError
from connector.feed import Feed, Page
from connector.indicators.markings.tlp import tlp_of_id
from connector.indicators.stix import StixObject, read_object
from connector.ingest.poll import PollResult
from connector.ingest.spills import Door, definition_in
from connector.log import log
from connector.store.feeds.markings import FeedMarkings

_AT_ONCE: Final = 50


def resolve(
    feed: Feed[Any],
    wanted: Collection[str],
    known: FeedMarkings,
    door: Door,
    polled: PollResult,
    now: int,
) -> set[str]:
    """Ask the feed for markings by id; return those that are still missing, and restrict most.

    At most fifty are asked for at once; a feed that does not answer is asked again next time.
    """
    polled.remarked |= known.look_again(polled.markings)
    missing = {ref for ref in wanted if tlp_of_id(ref) is None and ref not in known}
    for ref in sorted(missing)[:_AT_ONCE]:
        try:
            raw = feed.find(ref)
        except ConnectorError as error:
            log.warning("feed.marking_unresolved", marking=ref, why=str(error))
            break
        if raw is not None and _take(raw, ref, door, polled, now):
            missing.discard(ref)
    return missing


def _take(raw: bytes, ref: str, door: Door, polled: PollResult, now: int) -> bool:
    """Remember a marking definition that was asked for; return whether it is that one."""
    for kept in door.without_spills(Page([raw], "", last=True), polled.spilled, now).objects:
        found = read_object(kept)
        if not isinstance(found, StixObject) or found.id != ref:
            return False
        door.store.add_markings(door.feed, {ref: definition_in(kept, found)})
    polled.markings.add(ref)
    return True
