"""The room of a target, as an adapter's `pools` and `pool_of` say: promises as tests."""

from collections.abc import Sequence

import pytest

from connector.adapter import Entry
from connector.testing.adapter_steps import AnyAdapter


class Rooms:
    """Tests that `AdapterSuite` inherits; it has their fixtures."""

    def test_every_entry_takes_its_room_from_a_pool_that_is_named(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        pools = adapter.pools()
        if not pools:
            pytest.fail("pools() should name at least one pool")
        for pool, room in pools.items():
            if room is not None and room < 0:
                pytest.fail(f"pools() gives {pool!r} room for {room} entries")
        for entry in sample_entries:
            if (pool := adapter.pool_of(entry.observable)) not in pools:
                pytest.fail(f"pool_of() says {pool!r}, which pools() does not name")
