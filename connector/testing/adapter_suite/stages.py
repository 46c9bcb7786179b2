"""Where changes are staged: a unit of work becomes live as a whole, or not at all."""

from collections.abc import Sequence

import pytest

from connector.adapter import Entry, StagedAdapter
from connector.testing.adapter_steps import AnyAdapter, add, expect_held, of_others


class Stages:
    """Tests that `AdapterSuite` inherits; it has their fixtures."""

    def test_what_was_abandoned_does_not_become_live_with_the_next_unit(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry], more_entries: Sequence[Entry]
    ) -> None:
        if not isinstance(adapter, StagedAdapter):
            return  # stages nothing
        others = of_others(adapter)
        adapter.begin()
        add(adapter, sample_entries)
        adapter.abandon()
        adapter.begin()
        add(adapter, more_entries)
        adapter.commit()
        expect_held(
            adapter,
            [*others, *more_entries],
            "a unit that was abandoned should leave nothing behind",
        )

    def test_abandoning_what_was_never_begun_is_no_error(self, adapter: AnyAdapter) -> None:
        if not isinstance(adapter, StagedAdapter):
            return  # stages nothing
        others = of_others(adapter)
        try:
            adapter.abandon()
        except Exception as error:  # noqa: BLE001 - any error is one too many
            pytest.fail(f"abandon() comes also after a begin() that failed: {error!r}")
        expect_held(adapter, others, "abandoning should change nothing")
