"""The five promises of an adapter, on a good day."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import pytest

from connector.adapter import (
    Entry,
    EntryAdapter,
    FieldValue,
    ListAdapter,
    Observable,
    Settings,
    Written,
)
from connector.adapter.fields import longest, misfits
from connector.adapter.mistakes import mistakes
from connector.decisions.mapping import Facts, compile_mapping, read_mapping
from connector.testing.adapter_steps import (
    AnyAdapter,
    adding,
    expect_held,
    handles_at,
    held,
    key,
    not_held,
    of_others,
    remove,
    shown,
    shown_keys,
    unit_of_work,
    write,
)
from connector.testing.adapter_suite.fixtures import SuiteFixtures

_EARLY: Final = datetime(2001, 1, 1, tzinfo=UTC)
_LATE: Final = datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)


class Promises(SuiteFixtures):
    """Tests that `AdapterSuite` inherits; it has their fixtures."""

    def test_declares_what_it_can_do(self, adapter: AnyAdapter) -> None:
        if not issubclass(adapter.settings_type, Settings):
            pytest.fail("settings_type should be a subclass of connector.adapter.Settings")
        if not isinstance(adapter.supports, frozenset) or not adapter.supports:
            pytest.fail("supports should be a frozenset with at least one ObservableType")
        if adapter.capacity is not None and adapter.capacity < 1:
            pytest.fail("capacity should be at least 1, or None")
        if unknown := adapter.default_mapping.keys() - adapter.fields.keys():
            pytest.fail(f"default_mapping has names that `fields` lacks: {sorted(unknown)}")
        if wrong := [*mistakes(type(adapter))]:
            pytest.fail("; ".join(wrong))

    def test_the_default_mapping_stays_within_the_bounds_of_the_fields(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        if wrong := misfits(read_mapping(adapter.default_mapping), adapter.fields):
            pytest.fail(f"default_mapping leaves the bounds of `fields`: {shown(wrong)}")
        others = of_others(adapter)
        observable = sample_entries[0].observable
        for facts in (_poorest(observable), _richest(observable)):
            entry = Entry(observable, _mapped(adapter, facts))
            if rejected := write(adapter, [entry]):
                pytest.fail(f"what default_mapping fills is rejected: {shown(rejected)}")
            expect_held(adapter, [*others, entry], "read() should give back what a mapping fills")

    # Promise 1: read gives back what was written.

    def test_read_gives_back_what_was_written(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        others = of_others(adapter)
        if rejected := write(adapter, sample_entries):
            pytest.fail(
                f"plain samples were rejected: {shown(rejected)}; narrow `accepts`, or override "
                "`sample_entries` or `sample_fields` where the target needs special values"
            )
        expect_held(adapter, [*others, *sample_entries], "read() should give back what we wrote")

    def test_a_fresh_adapter_reads_the_same(
        self,
        adapter: AnyAdapter,
        fresh: Callable[[], AnyAdapter],
        sample_entries: Sequence[Entry],
    ) -> None:
        others = of_others(adapter)
        write(adapter, sample_entries)
        again = fresh()
        try:
            expect_held(again, [*others, *sample_entries], "after a restart read() should agree")
        finally:
            again.close()

    def test_fields_that_change_are_written_again(
        self,
        adapter: AnyAdapter,
        sample_entries: Sequence[Entry],
        other_fields: Mapping[str, FieldValue],
    ) -> None:
        others = of_others(adapter)
        write(adapter, sample_entries)
        changed = [Entry(entry.observable, other_fields) for entry in sample_entries]
        if rejected := write(adapter, changed):
            pytest.fail(f"a change of fields was rejected: {shown(rejected)}")
        expect_held(adapter, [*others, *changed], "a change of fields should arrive")

    # Promise 2: a second cycle has nothing to do.

    def test_a_second_cycle_has_nothing_to_do(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        write(adapter, sample_entries)
        first = [Entry(each.observable, each.fields) for each in adapter.read()]
        write(adapter, sample_entries)
        expect_held(adapter, first, "writing the same again should change nothing")

    # Promise 3: adding and removing are idempotent.

    def test_adding_leaves_what_is_there(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry], more_entries: Sequence[Entry]
    ) -> None:
        others, both = of_others(adapter), [*sample_entries, *more_entries]
        write(adapter, sample_entries)
        write(adapter, both if isinstance(adapter, ListAdapter) else more_entries)
        expect_held(adapter, [*others, *both], "a later addition should leave the earlier entries")

    def test_removing_twice_is_no_error(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry], more_entries: Sequence[Entry]
    ) -> None:
        others = of_others(adapter)
        write(adapter, [*sample_entries, *more_entries])
        handles = handles_at(adapter)
        remove(adapter, sample_entries, more_entries, handles)
        remove(adapter, sample_entries, more_entries, handles)
        remove(adapter, sample_entries, more_entries, handles={})
        expect_held(
            adapter,
            [*others, *more_entries],
            "removing again should change nothing",
        )

    def test_the_handle_that_writing_gave_is_the_one_that_reading_shows(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        if not isinstance(adapter, EntryAdapter):
            return  # nothing is removed by its handle
        with unit_of_work(adapter):
            given = {
                one: outcome.handle
                for one, outcome in adding(adapter, sample_entries).items()
                if isinstance(outcome, Written) and isinstance(one, Observable)
            }
        found = held(adapter)
        for one, handle in given.items():
            seen = found[one.type.value, one.value].handle
            if seen and seen != handle:
                pytest.fail(
                    f"add() names {shown(one.value)} {shown(handle)}, read() {shown(seen)}: "
                    "which one would remove() get?"
                )

    def test_removing_what_was_never_there_is_no_error(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry], more_entries: Sequence[Entry]
    ) -> None:
        others = of_others(adapter)
        remove(adapter, more_entries)
        write(adapter, sample_entries)
        remove(adapter, more_entries, kept=sample_entries)
        expect_held(
            adapter, [*others, *sample_entries], "removing absent entries should change nothing"
        )

    def test_everything_can_be_removed(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        others = of_others(adapter)
        write(adapter, sample_entries)
        remove(adapter, sample_entries)
        expect_held(adapter, others, "none of ours should remain")

    def test_holds_shows_what_read_shows(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry], more_entries: Sequence[Entry]
    ) -> None:
        if isinstance(adapter, ListAdapter):
            return  # never asked
        both = [*sample_entries, *more_entries]
        for there in ([], sample_entries):
            write(adapter, there)
            read = held(adapter)
            for asked in (both, more_entries, []):
                absent = {key(entry) for entry in not_held(adapter, asked)}
                if wrong := absent ^ {key(entry) for entry in asked if key(entry) not in read}:
                    pytest.fail(f"holds() and read() disagree on {shown_keys(wrong)}")

    def test_a_change_that_breaks_off_leaves_a_whole_list(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry], more_entries: Sequence[Entry]
    ) -> None:
        others = of_others(adapter)
        write(adapter, sample_entries)
        if isinstance(adapter, ListAdapter):
            try:
                adapter.publish(_breaking_off(more_entries))
            except _BrokenOffError:
                pass
            else:
                pytest.fail("publish() hid an error of its stream: half a list looks complete")
        expect_held(adapter, [*others, *sample_entries], "half a list should replace nothing")


class _BrokenOffError(Exception):
    """Any failure inside the stream that a list is made from."""


def _breaking_off(entries: Sequence[Entry]) -> Iterator[Entry]:
    yield from entries
    raise _BrokenOffError


def _mapped(adapter: AnyAdapter, facts: Facts) -> Mapping[str, FieldValue]:
    spec = read_mapping(adapter.default_mapping)
    fields = compile_mapping(spec, adapter.fields, longest(adapter.fields))(facts)
    for name, value in fields.items():
        if not adapter.fields[name].takes(value):
            words = adapter.fields[name].words
            pytest.fail(f"default_mapping fills {name} with {shown(value)}, which is not {words}")
    return fields


def _poorest(observable: Observable) -> Facts:
    return Facts(
        observable, "indicator--1", "", (), (), "", None, None, "feed", "list", "output", "clear",
        None, None,
    )  # fmt: skip


def _richest(observable: Observable) -> Facts:
    long = ("long " * 60).strip()
    return Facts(
        observable, f"indicator--{UUID(int=1)}", long, (long, "benign"), (long,), long, _LATE, 100,
        "feed", "list", "output", "amber+strict", _EARLY, _LATE, lambda _kind: (long, long),
        lambda: long,
    )  # fmt: skip
