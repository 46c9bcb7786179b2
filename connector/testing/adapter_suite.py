"""The promises of an adapter as tests: subclass `AdapterSuite` and define a fixture `adapter`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

import pytest

from connector.adapter import (
    Entry,
    EntryAdapter,
    FieldValue,
    ListAdapter,
    Observable,
    ObservableType,
    Settings,
    UnavailableError,
)
from connector.adapter.fields import misfits
from connector.decisions.mapping import read_mapping
from connector.testing.adapter_steps import (
    AnyAdapter,
    expect_held,
    held,
    key,
    not_held,
    of_others,
    remove,
    sample_field,
    write,
)
from connector.testing.folding_suite import FoldedEntries
from connector.testing.hostile_suite import HostileValues
from connector.testing.room_suite import Rooms
from connector.testing.samples.entries import sample_values

PutForeign = Callable[[Entry], Callable[[], bool] | None]
_PER_TYPE = 4
_LOOK_AT = 100_000


class AdapterSuite(FoldedEntries, Rooms, HostileValues):
    """The five promises of an adapter, plus hostile values.

    A plugin's tests are one class with an `adapter` fixture whose target has no entries of ours.
    The other fixtures may be overridden; a test that needs `foreign` or `break_target` is skipped,
    with a reason, until the class defines how that is done at this target.
    """

    @pytest.fixture
    def adapter(self) -> AnyAdapter:
        """The adapter under test, on a target of its own."""
        pytest.fail("define a fixture `adapter` in your subclass of AdapterSuite")

    @pytest.fixture
    def fresh(self, adapter: AnyAdapter) -> Callable[[], AnyAdapter]:
        """Makes another adapter on the same target, as after a restart."""
        return lambda: type(adapter)(adapter.settings, adapter.context)

    @pytest.fixture
    def sample_fields(self, adapter: AnyAdapter) -> Mapping[str, FieldValue]:
        """Fields as a mapping might fill them."""
        return {name: sample_field(name, spec) for name, spec in adapter.fields.items()}

    @pytest.fixture
    def accepted_types(self, adapter: AnyAdapter) -> Sequence[ObservableType]:
        """The types that the adapter, as configured, accepts."""
        accepted = [
            kind
            for kind in sorted(adapter.supports)
            if adapter.accepts(Observable(kind, next(sample_values(kind))))
        ]
        if not accepted:
            pytest.fail("accepts() refuses a plain sample of every type in `supports`")
        return accepted

    @pytest.fixture
    def sample_entries(
        self,
        adapter: AnyAdapter,
        accepted_types: Sequence[ObservableType],
        sample_fields: Mapping[str, FieldValue],
    ) -> Sequence[Entry]:
        """Some entries of every accepted type."""
        return _entries(adapter, accepted_types, sample_fields, 0)

    @pytest.fixture
    def more_entries(
        self,
        adapter: AnyAdapter,
        accepted_types: Sequence[ObservableType],
        sample_fields: Mapping[str, FieldValue],
    ) -> Sequence[Entry]:
        """Other entries of every accepted type."""
        return _entries(adapter, accepted_types, sample_fields, _PER_TYPE)

    @pytest.fixture
    def foreign(self) -> PutForeign | None:
        """Adds an entry at the target as someone else would.

        It may return a function that says whether the entry is still there; otherwise `read` is
        expected to show it.
        """
        return None

    @pytest.fixture
    def break_target(self) -> Callable[[], None] | None:
        """Makes the target unreachable."""
        return None

    def test_declares_what_it_can_do(self, adapter: AnyAdapter) -> None:
        if not issubclass(adapter.settings_type, Settings):
            pytest.fail("settings_type should be a subclass of connector.adapter.Settings")
        if not isinstance(adapter.supports, frozenset) or not adapter.supports:
            pytest.fail("supports should be a frozenset with at least one ObservableType")
        if unknown := adapter.default_mapping.keys() - adapter.fields.keys():
            pytest.fail(f"default_mapping has names that `fields` lacks: {sorted(unknown)}")
        if wrong := misfits(read_mapping(adapter.default_mapping), adapter.fields):
            pytest.fail(f"default_mapping leaves the bounds of `fields`: {wrong}")
        if isinstance(adapter, EntryAdapter) and adapter.batch.entries < 1:
            pytest.fail("batch should have at least 1 entry")

    # Promise 1: read gives back what was written.

    def test_read_gives_back_what_was_written(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        others = of_others(adapter)
        if rejected := write(adapter, sample_entries):
            pytest.fail(
                f"plain samples were rejected: {rejected}; narrow `accepts`, or override "
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

    def test_a_full_batch_arrives_whole(
        self,
        adapter: AnyAdapter,
        accepted_types: Sequence[ObservableType],
        sample_fields: Mapping[str, FieldValue],
    ) -> None:
        others = of_others(adapter)
        size = adapter.batch.entries if isinstance(adapter, EntryAdapter) else 2_000
        size = min(size, adapter.capacity or size)
        rows = zip(*(_accepted(adapter, kind) for kind in accepted_types), strict=False)
        batch = list(islice((Entry(item, sample_fields) for row in rows for item in row), size))
        write(adapter, batch)
        expect_held(adapter, [*others, *batch], f"a batch of {size} entries should arrive complete")

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
        remove(adapter, sample_entries, kept=more_entries)
        remove(adapter, sample_entries, kept=more_entries)
        expect_held(
            adapter,
            [*others, *more_entries],
            "removing again should change nothing",
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

    # Promise 4: entries of others survive; a list that we publish has only ours.

    def test_what_others_own_survives_and_a_published_list_is_ours_alone(
        self,
        adapter: AnyAdapter,
        foreign: PutForeign | None,
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        theirs = Entry(more_entries[0].observable)
        if isinstance(adapter, ListAdapter):
            write(adapter, more_entries[1:])
            if foreign is not None:
                foreign(theirs)
            write(adapter, sample_entries)
            expect_held(adapter, sample_entries, "publishing should replace the whole list")
            return
        if foreign is None:
            pytest.skip("override the fixture `foreign` to add an entry as someone else")
        still_there = foreign(theirs) or (lambda: key(theirs) in held(adapter))
        for verb, change in (("adding", write), ("removing", remove)):
            change(adapter, sample_entries)
            if not still_there():
                pytest.fail(f"{verb} our entries removed one that is not ours: {theirs.value!r}")

    def test_the_stamp_stands_while_nothing_happens_and_tells_what_others_do(
        self,
        adapter: AnyAdapter,
        foreign: PutForeign | None,
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        write(adapter, sample_entries)
        stamp = adapter.stamp()
        if stamp is None:
            return  # the target is read back at intervals alone
        held(adapter)
        if adapter.stamp() != stamp:
            pytest.fail("stamp() changed while nothing happened: each cycle would read everything")
        if foreign is not None:
            foreign(Entry(more_entries[0].observable))
            if adapter.stamp() == stamp:
                pytest.fail("stamp() did not change when someone else added an entry")

    def test_an_entry_that_others_put_there_before_us_is_left_to_them(
        self,
        adapter: AnyAdapter,
        foreign: PutForeign | None,
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        if isinstance(adapter, ListAdapter):
            return  # has only our entries
        if foreign is None:
            pytest.skip("override the fixture `foreign` to add an entry as someone else")
        theirs = Entry(more_entries[0].observable)
        write(adapter, sample_entries)
        still_there = foreign(theirs) or (lambda: key(theirs) in held(adapter))
        # As the core does when a feed names them all and the target was not read since.
        ours = not_held(adapter, more_entries)
        write(adapter, ours)
        remove(adapter, ours)
        if not still_there():
            pytest.fail(
                f"holds() did not show {theirs.value!r}, which someone else added: so it was taken "
                "for ours, and removed"
            )

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
                    pytest.fail(f"holds() and read() disagree on {sorted(wrong)[:10]}")

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

    # Promise 5: failure is typed, and unknown is not empty.

    def test_an_unreachable_target_is_never_read_as_empty(
        self,
        adapter: AnyAdapter,
        break_target: Callable[[], None] | None,
        sample_entries: Sequence[Entry],
    ) -> None:
        if break_target is None:
            pytest.skip("override the fixture `break_target` to make the target unreachable")
        write(adapter, sample_entries)
        break_target()
        try:
            found = list(adapter.read())
        except UnavailableError:
            return
        pytest.fail(f"read() returned {len(found)} entries from an unreachable target")

    def test_an_unreachable_target_is_never_said_to_hold_nothing(
        self,
        adapter: AnyAdapter,
        break_target: Callable[[], None] | None,
        sample_entries: Sequence[Entry],
    ) -> None:
        if isinstance(adapter, ListAdapter):
            return  # never asked
        if break_target is None:
            pytest.skip("override the fixture `break_target` to make the target unreachable")
        write(adapter, sample_entries)
        break_target()
        try:
            absent = not_held(adapter, sample_entries)
        except UnavailableError:
            return
        pytest.fail(f"holds() reported {len(absent)} entries as absent from an unreachable target")

    def test_an_unreachable_target_is_never_written_in_silence(
        self,
        adapter: AnyAdapter,
        break_target: Callable[[], None] | None,
        sample_entries: Sequence[Entry],
    ) -> None:
        if break_target is None:
            pytest.skip("override the fixture `break_target` to make the target unreachable")
        break_target()
        try:
            write(adapter, sample_entries)
        except UnavailableError:
            return
        pytest.fail("writing to an unreachable target should raise UnavailableError")


class _BrokenOffError(Exception):
    """Any failure inside the stream that a list is made from."""


def _breaking_off(entries: Sequence[Entry]) -> Iterator[Entry]:
    yield from entries
    raise _BrokenOffError


def _entries(
    adapter: AnyAdapter,
    types: Sequence[ObservableType],
    fields: Mapping[str, FieldValue],
    start: int,
) -> list[Entry]:
    return [
        Entry(observable, fields)
        for kind in types
        for observable in islice(_accepted(adapter, kind), start, start + _PER_TYPE)
    ]


def _accepted(adapter: AnyAdapter, kind: ObservableType) -> Iterator[Observable]:
    observables = (Observable(kind, value) for value in islice(sample_values(kind), _LOOK_AT))
    return (observable for observable in observables if adapter.accepts(observable))
