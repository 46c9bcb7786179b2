"""Which feeds an output waits for: a list that was never read is unknown, not empty."""

from collections.abc import Collection, Mapping

from connector.store.queries import FeedRow


def waiting_for(
    chosen: Collection[str], rows: Mapping[str, FeedRow], *, in_step: bool
) -> tuple[str, ...]:
    """Return the feeds of a list whose first poll its output is waiting for.

    Nothing is known until one of them has delivered something. Later a new feed only delays
    outputs that were never `in_step`: other feeds' revocations must not wait for its first load. A
    failed first poll does not delay outputs for which another feed has delivered something.
    """
    known = [rows[name] for name in chosen if name in rows]
    if chosen and not any(row.last_success is not None or row.objects for row in known):
        return tuple(chosen)
    if in_step:
        return ()
    tried = {row.name for row in known if (row.last_success, row.last_failure) != (None, None)}
    return tuple(name for name in chosen if name not in tried)
