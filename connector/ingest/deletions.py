"""Compares a feed's source with our store from time to time, as no cursor shows deletions."""

from collections.abc import Sequence
from typing import Final

from connector.errors import ConnectorError
from connector.feed import Collection, Feed
from connector.instants import SECOND, Clock, span
from connector.log import log
from connector.settings import Settings
from connector.store.feeds.objects import ObjectStore

_RETRY_AFTER: Final = 3600 * SECOND


def withdraw_deleted(
    feed: Feed[Settings],
    number: int,
    collections: Sequence[Collection],
    store: ObjectStore,
    now: Clock,
) -> int:
    """Compare when it is due; return how many objects were withdrawn.

    An object counts as deleted if no collection lists it, twice in a row. An incomplete listing is
    not compared at all; the next attempt is in an hour.
    """
    if feed.reconcile_every is None:
        return 0
    every = span(feed.reconcile_every)
    if not store.inventories.due(number, every, now()):
        return 0
    inventory = store.inventories.begin(number)
    try:
        for collection in collections:
            for ids in feed.holdings(collection):
                inventory.name(ids)
    except ConnectorError as error:
        store.inventories.put_off(number, now() + _RETRY_AFTER, every)
        log.warning("feed.inventory_failed", why=str(error))
        return 0
    compared = store.inventories.finish(inventory, now())
    if compared.partial:
        log.warning(
            "feed.inventory_short", held=compared.held, absent=compared.absent,
            what="the source names less than half of the objects we have; nothing is withdrawn",
        )  # fmt: skip
    else:
        log.info(
            "feed.inventory", held=compared.held, absent=compared.absent,
            withdrawn=compared.withdrawn, returned=compared.returned,
        )  # fmt: skip
    return compared.withdrawn
