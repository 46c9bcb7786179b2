"""Ends at a target that ends entries by itself: promises as tests."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from connector.adapter import Entry, EntryAdapter
from connector.instants import utc_now
from connector.testing.adapter_steps import AnyAdapter, expect_held, of_others, write

_HOUR = timedelta(hours=1)


class EndsAtTheTarget:
    """Tests that `AdapterSuite` inherits; an adapter whose target has no ends passes."""

    def test_an_entry_may_end_or_never_end_and_its_end_may_be_moved(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        if not isinstance(adapter, EntryAdapter):
            return
        bound = adapter.ttl_bound
        if not adapter.expires and bound is None:
            return
        others, now = of_others(adapter), utc_now()
        most = _HOUR if bound is None else min(bound, _HOUR)
        ends = [now + most / 2, now + most, now + most / 3, *([None] if bound is None else [])]
        for end in ends:
            write(adapter, [replace(entry, expires=end) for entry in sample_entries])
            promise = f"an entry that ends at {end} should be there" if end else "it never ends"
            expect_held(adapter, [*others, *sample_entries], promise)

    def test_an_end_that_has_passed_is_no_error(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        if not isinstance(adapter, EntryAdapter):
            return
        if not adapter.expires and adapter.ttl_bound is None:
            return
        passed = utc_now() - timedelta(seconds=1)
        try:
            write(adapter, [replace(entry, expires=passed) for entry in sample_entries])
        except Exception as error:  # noqa: BLE001 - whatever it is, it would stop a cycle
            pytest.fail(f"an end that passed on the way to the target broke add(): {error!r}")
