"""Ends at targets that end entries by themselves: which an entry gets, and when to renew it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from connector.adapter import Adapter, EntryAdapter, Written
from connector.instants import NEVER, span, to_datetime, to_instant
from connector.model import Entry
from connector.store.outputs.ends import End
from connector.sync.apply import WrittenBatch

_TAKEN: Final = Written()


@dataclass(frozen=True, slots=True)
class Expiry:
    """How a target ends entries: at latest so many microseconds after they are written."""

    bound: int | None

    @classmethod
    def of(cls, adapter: Adapter[Any]) -> "Expiry | None":
        """Return how the target of an adapter ends entries; None where it does not."""
        if not isinstance(adapter, EntryAdapter):
            return None
        if adapter.ttl_bound is not None:
            return cls(span(adapter.ttl_bound))
        return cls(None) if adapter.expires else None

    def ending(self, entry: Entry, until: int, now: int) -> Entry:
        """Return an entry with its end at the target."""
        end = until if self.bound is None else min(until, now + self.bound)
        return replace(entry, expires=None if end >= NEVER else to_datetime(end))

    def ends(self, batch: WrittenBatch, now: int) -> Iterator[End]:
        """Yield the ends of what a target took: cut short, an entry is renewed in good time."""
        for one in batch.lines:
            if isinstance(one.line, Entry) and isinstance(
                batch.outcomes.get(one.subject, _TAKEN), Written
            ):
                expires = one.line.expires
                at = NEVER if expires is None else to_instant(expires)
                cut = at < one.until
                yield End(one.number, at, one.until, now + (at - now) * 2 // 3 if cut else at)
