"""Large lists arrive whole and are read back whole; a full target says so."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from time import perf_counter
from typing import Any

import pytest

from connector.adapter import (
    Entry,
    EntryAdapter,
    FieldValue,
    Full,
    ListAdapter,
    ObservableType,
    Written,
)
from connector.testing.adapter_steps import (
    AnyAdapter,
    adding,
    differences,
    expect_held,
    held,
    of_others,
    shown,
    single_changes,
    unit_of_work,
    write,
)
from connector.testing.adapter_suite.fixtures import SuiteFixtures, accepted, needs
from connector.testing.http_target import HttpTarget


class Sizes(SuiteFixtures):
    """Tests that `AdapterSuite` inherits; it has their fixtures."""

    def test_a_full_batch_arrives_whole(
        self,
        adapter: AnyAdapter,
        accepted_types: Sequence[ObservableType],
        sample_fields: Mapping[str, FieldValue],
        row_count: int,
    ) -> None:
        if not isinstance(adapter, EntryAdapter):
            return  # a list has no batches
        others = of_others(adapter)
        batch = _many(adapter, accepted_types, sample_fields, min(adapter.batch.entries, row_count))
        write(adapter, batch)
        promise = f"a batch of {len(batch)} entries should arrive complete"
        expect_held(adapter, [*others, *batch], promise)

    def test_a_large_list_is_read_back_whole(
        self,
        adapter: AnyAdapter,
        accepted_types: Sequence[ObservableType],
        sample_fields: Mapping[str, FieldValue],
        row_count: int,
        record_property: Callable[[str, Any], None],
    ) -> None:
        others = of_others(adapter)
        rows = _many(adapter, accepted_types, sample_fields, row_count)
        started = perf_counter()
        rejected = write(adapter, rows)
        written = perf_counter()
        found = held(adapter)
        read = perf_counter()
        seconds = f"written in {written - started:.2f} s, read back in {read - written:.2f} s"
        record_property("speed", f"{len(rows)} entries: {seconds}")
        taken = [row for row in rows if row.value not in rejected]
        if len(taken) < len(rows) * 0.9:
            pytest.fail(f"{len(rejected)} of {len(rows)} plain samples were rejected")
        if problems := differences(adapter, found, [*others, *taken]):
            pytest.fail(
                f"a list of {len(rows)} entries should be read back whole; {len(found)} were, and "
                + "\n".join([f"{len(problems)} differ:", *problems[:5]])
            )

    def test_a_request_that_is_too_large_is_sent_in_smaller_ones(
        self,
        adapter: AnyAdapter,
        http_target: HttpTarget | None,
        more_entries: Sequence[Entry],
        sample_entries: Sequence[Entry],
    ) -> None:
        if http_target is None or not isinstance(adapter, EntryAdapter):
            return  # no target with a bound on requests, or a list in one
        others = of_others(adapter)
        before = len(http_target.calls)
        write(adapter, more_entries)
        largest = max(len(call.body) for call in http_target.calls[before:])
        http_target.largest_body = 2 * largest // 3
        said = write(adapter, sample_entries)
        http_target.largest_body = None
        taken = [entry for entry in sample_entries if entry.value not in said]
        expect_held(
            adapter,
            [*others, *more_entries, *taken],
            "after 413 (too large) what is not named as refused should be there",
        )

    @needs("fill")
    def test_a_full_target_says_which_entries_it_has_no_room_for(
        self,
        adapter: AnyAdapter,
        fill: Callable[[int], None],
        sample_entries: Sequence[Entry],
    ) -> None:
        fill(1)
        others = of_others(adapter)
        said: Mapping[Any, Any]
        if isinstance(adapter, ListAdapter):
            said = adapter.publish(iter(sample_entries))
        else:
            with unit_of_work(single_changes(adapter)):
                said = adding(adapter, sample_entries)
        full = {subject for subject, outcome in said.items() if isinstance(outcome, Full)}
        if not full:
            instead = shown(next(iter(said.values()), "nothing"))
            pytest.fail(f"what a full target has no room for should be Full, not {instead}")
        left_out = {one for one, outcome in said.items() if not isinstance(outcome, Written)}
        taken = [entry for entry in sample_entries if entry.observable not in left_out]
        expect_held(adapter, [*others, *taken], "what is not named as Full should be there")


def _many(
    adapter: AnyAdapter,
    types: Sequence[ObservableType],
    fields: Mapping[str, FieldValue],
    count: int,
) -> list[Entry]:
    """Return plain entries of all types in turn, as many as were asked for or have room."""
    room = dict(adapter.pools())
    rows = zip(*(accepted(adapter, kind) for kind in types), strict=False)
    found: list[Entry] = []
    for one in chain.from_iterable(rows):
        if len(found) == count or not any(left is None or left for left in room.values()):
            break
        left = room[pool := adapter.pool_of(one)]
        if left is not None:
            room[pool] = max(0, left - 1)
        if left is None or left:
            found.append(Entry(one, fields))
    return found
