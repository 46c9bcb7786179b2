"""The promises of an adapter as tests: subclass `AdapterSuite` and give it an `adapter` fixture."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from typing import Any

import pytest

from connector.adapter import (
    Adapter,
    Entry,
    EntryAdapter,
    EntryRejectedError,
    FieldValue,
    ListAdapter,
    Observable,
    ObservableType,
    Settings,
    UnavailableError,
)
from connector.testing.sample_entries import HOSTILE_TEXTS, hostile_values, sample_values

AnyAdapter = Adapter[Any]
Key = tuple[str, str]
PutForeign = Callable[[Entry], Callable[[], bool] | None]
_PER_TYPE = 4


def _key(entry: Entry) -> Key:
    return (entry.type.value, entry.value)


def _held(adapter: AnyAdapter) -> dict[Key, Entry]:
    """What the target holds, by type and value; an entry shown twice is a failure."""
    held: dict[Key, Entry] = {}
    for entry in adapter.read():
        if _key(entry) in held:
            pytest.fail(f"read() shows {entry.value!r} ({entry.type}) twice")
        held[_key(entry)] = entry
    return held


def _write(adapter: AnyAdapter, entries: Iterable[Entry]) -> dict[str, str]:
    """Write as the core does, and return what was rejected, with the words."""
    rejected: dict[str, str] = {}
    if isinstance(adapter, ListAdapter):
        try:
            adapter.publish(iter(sorted(entries, key=_key)))
        except EntryRejectedError as refusal:
            rejected.update(refusal.rejected)
        return rejected
    writer = _single_changes(adapter)
    remaining = iter(sorted(entries, key=_key))
    while batch := list(islice(remaining, writer.batch_size)):
        try:
            writer.add(batch)
        except EntryRejectedError as refusal:
            rejected.update(refusal.rejected)
    writer.commit()
    return rejected


def _remove(adapter: EntryAdapter[Any], entries: Sequence[Entry]) -> None:
    for start in range(0, len(entries), adapter.batch_size):
        adapter.remove(entries[start : start + adapter.batch_size])
    adapter.commit()


def _single_changes(adapter: AnyAdapter) -> EntryAdapter[Any]:
    if not isinstance(adapter, EntryAdapter):
        pytest.fail("an adapter derives from ListAdapter or EntryAdapter")
    return adapter


def _expect_held(adapter: AnyAdapter, expected: Iterable[Entry], promise: str) -> None:
    """Fail in words unless read() shows exactly the expected entries."""
    held, wanted = _held(adapter), {_key(entry): entry for entry in expected}
    problems = [f"  missing: {kind} {value!r}" for kind, value in wanted.keys() - held.keys()]
    problems += [f"  not written by us: {kind} {value!r}" for kind, value in held - wanted.keys()]
    for key in held.keys() & wanted.keys():
        problems += [
            f"  {key[1]!r}: field {name} is {value!r}, was written as {wanted[key].fields[name]!r}"
            for name, value in held[key].fields.items()
            if name in wanted[key].fields and wanted[key].fields[name] != value
        ]
    if problems:
        pytest.fail("\n".join([promise, *sorted(problems)[:20]]))


class AdapterSuite:
    """The five promises of an adapter, plus hostile values.

    A plugin's tests are one class with an `adapter` fixture whose target holds nothing of ours.
    The other fixtures may be overridden; a test that needs `foreign` or `break_target` is skipped
    with a sentence as long as the class does not say how that is done at this target.
    """

    @pytest.fixture
    def adapter(self) -> AnyAdapter:
        """The adapter under test, on a target of its own."""
        pytest.fail("define a fixture `adapter` in your subclass of AdapterSuite")

    @pytest.fixture
    def fresh(self, adapter: AnyAdapter) -> Callable[[], AnyAdapter]:
        """Makes another adapter on the same target, as after a restart."""
        return lambda: type(adapter)(adapter.settings, adapter._http, adapter._place)

    @pytest.fixture
    def sample_fields(self, adapter: AnyAdapter) -> Mapping[str, FieldValue]:
        """What a mapping might fill in; override where a field is not free text."""
        return {name: f"sample {name}" for name in adapter.fields}

    @pytest.fixture
    def accepted_types(self, adapter: AnyAdapter) -> Sequence[ObservableType]:
        """Types that the adapter, as configured, can hold."""
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
        return [
            Entry(observable, sample_fields)
            for kind in accepted_types
            for observable in islice(self._accepted(adapter, kind), _PER_TYPE)
        ]

    @pytest.fixture
    def more_entries(
        self,
        adapter: AnyAdapter,
        accepted_types: Sequence[ObservableType],
        sample_fields: Mapping[str, FieldValue],
    ) -> Sequence[Entry]:
        """Other entries of every accepted type."""
        return [
            Entry(observable, sample_fields)
            for kind in accepted_types
            for observable in islice(self._accepted(adapter, kind), _PER_TYPE, 2 * _PER_TYPE)
        ]

    @pytest.fixture
    def foreign(self) -> PutForeign | None:
        """Puts an entry at the target by other hands than ours.

        It may return a question that says whether the entry is still there; otherwise `read`
        is expected to show it.
        """
        return None

    @pytest.fixture
    def break_target(self) -> Callable[[], None] | None:
        """Makes the target unreachable."""
        return None

    @staticmethod
    def _accepted(adapter: AnyAdapter, kind: ObservableType) -> Iterator[Observable]:
        observables = (Observable(kind, value) for value in sample_values(kind))
        return (observable for observable in observables if adapter.accepts(observable))

    def test_declares_what_it_can_do(self, adapter: AnyAdapter) -> None:
        if not issubclass(adapter.settings_type, Settings):
            pytest.fail("settings_type should be a subclass of connector.adapter.Settings")
        if not isinstance(adapter.supports, frozenset) or not adapter.supports:
            pytest.fail("supports should be a frozenset with at least one ObservableType")
        if unknown := adapter.default_mapping.keys() - adapter.fields:
            pytest.fail(f"default_mapping fills what `fields` does not name: {sorted(unknown)}")
        if isinstance(adapter, EntryAdapter) and adapter.batch_size < 1:
            pytest.fail("batch_size should be at least 1")

    # Promise 1: read gives back what was written.

    def test_read_gives_back_what_was_written(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        before = list(adapter.read())
        if rejected := _write(adapter, sample_entries):
            pytest.fail(
                f"plain samples were rejected: {rejected}; narrow `accepts`, or override "
                "`sample_entries` or `sample_fields` where the target wants special values"
            )
        _expect_held(adapter, [*before, *sample_entries], "read() should give back what we wrote")

    def test_a_fresh_adapter_reads_the_same(
        self,
        adapter: AnyAdapter,
        fresh: Callable[[], AnyAdapter],
        sample_entries: Sequence[Entry],
    ) -> None:
        before = list(adapter.read())
        _write(adapter, sample_entries)
        again = fresh()
        try:
            _expect_held(again, [*before, *sample_entries], "after a restart read() should agree")
        finally:
            again.close()

    # Promise 2: a second cycle has nothing to do.

    def test_a_second_cycle_has_nothing_to_do(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        _write(adapter, sample_entries)
        first = list(adapter.read())
        _write(adapter, sample_entries)
        _expect_held(adapter, first, "writing the same again should change nothing")

    # Promise 3: adding and removing are idempotent.

    def test_adding_goes_beside_what_is_there(
        self,
        adapter: AnyAdapter,
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        before = list(adapter.read())
        _write(adapter, sample_entries)
        later = (
            [*sample_entries, *more_entries] if isinstance(adapter, ListAdapter) else more_entries
        )
        _write(adapter, later)
        _expect_held(
            adapter,
            [*before, *sample_entries, *more_entries],
            "a later addition should leave the earlier entries",
        )

    def test_removing_is_idempotent(
        self,
        adapter: AnyAdapter,
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        before = list(adapter.read())
        _write(adapter, [*sample_entries, *more_entries])
        if isinstance(adapter, ListAdapter):
            _write(adapter, more_entries)
        else:
            writer = _single_changes(adapter)
            _remove(writer, sample_entries)
            _remove(writer, sample_entries)
        _expect_held(adapter, [*before, *more_entries], "what is removed should be gone, once")

    def test_removing_what_was_never_there_is_no_error(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry], more_entries: Sequence[Entry]
    ) -> None:
        before = list(adapter.read())
        _write(adapter, sample_entries)
        if isinstance(adapter, EntryAdapter):
            _remove(adapter, more_entries)
        _expect_held(adapter, [*before, *sample_entries], "removing the absent should do nothing")

    def test_everything_can_be_removed(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        before = [] if isinstance(adapter, ListAdapter) else list(adapter.read())
        _write(adapter, sample_entries)
        if isinstance(adapter, ListAdapter):
            _write(adapter, [])
        else:
            _remove(_single_changes(adapter), sample_entries)
        _expect_held(adapter, before, "after the last entry is gone nothing of ours should remain")

    def test_takes_a_full_batch(
        self,
        adapter: AnyAdapter,
        accepted_types: Sequence[ObservableType],
        sample_fields: Mapping[str, FieldValue],
    ) -> None:
        before = list(adapter.read())
        size = adapter.batch_size if isinstance(adapter, EntryAdapter) else 2_000
        size = min(size, adapter.capacity or size)
        streams = [self._accepted(adapter, kind) for kind in accepted_types]
        numbered = enumerate(zip(*streams, strict=False))
        rounds = takewhile(lambda step: step[0] * len(streams) < size, numbered)
        batch = [Entry(observable, sample_fields) for _, row in rounds for observable in row][:size]
        _write(adapter, batch)
        _expect_held(adapter, [*before, *batch], f"a batch of {size} entries should arrive whole")

    # Promise 4: entries that others own survive; a list we publish is ours alone.

    def test_entries_that_others_own_survive(
        self,
        adapter: AnyAdapter,
        foreign: PutForeign | None,
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        if isinstance(adapter, ListAdapter):
            pytest.skip("a published list is ours alone")
        if foreign is None:
            pytest.skip("override the fixture `foreign` to put an entry there by other hands")
        theirs = Entry(more_entries[0].observable)
        still_there = foreign(theirs) or (lambda: _key(theirs) in _held(adapter))
        _write(adapter, sample_entries)
        if not still_there():
            pytest.fail(f"adding our entries removed one that is not ours: {theirs.value!r}")
        _remove(_single_changes(adapter), sample_entries)
        if not still_there():
            pytest.fail(f"removing our entries removed one that is not ours: {theirs.value!r}")

    def test_a_published_list_is_ours_alone(
        self,
        adapter: AnyAdapter,
        foreign: PutForeign | None,
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        if not isinstance(adapter, ListAdapter):
            pytest.skip("single changes leave other entries alone")
        _write(adapter, more_entries)
        if foreign is not None:
            foreign(more_entries[0])
        _write(adapter, sample_entries)
        _expect_held(adapter, sample_entries, "publishing should replace the whole list")

    def test_a_list_that_breaks_off_leaves_the_old_one(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry], more_entries: Sequence[Entry]
    ) -> None:
        if not isinstance(adapter, ListAdapter):
            pytest.skip("single changes are not published in one step")

        def broken() -> Iterator[Entry]:
            yield from more_entries
            raise _BrokenOffError

        _write(adapter, sample_entries)
        try:
            adapter.publish(broken())
        except _BrokenOffError:
            pass
        else:
            pytest.fail("publish() swallowed an error of its stream: half a list looks whole")
        _expect_held(adapter, sample_entries, "half a list should never replace the old one")

    # Promise 5: failure is typed, and unknown is not empty.

    def test_an_unreachable_target_is_never_read_as_empty(
        self,
        adapter: AnyAdapter,
        break_target: Callable[[], None] | None,
        sample_entries: Sequence[Entry],
    ) -> None:
        if break_target is None:
            pytest.skip("override the fixture `break_target` to make the target unreachable")
        _write(adapter, sample_entries)
        break_target()
        try:
            held = list(adapter.read())
        except UnavailableError:
            return
        pytest.fail(f"read() returned {len(held)} entries from a target that cannot be reached")

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
            _write(adapter, sample_entries)
        except UnavailableError:
            return
        pytest.fail("writing to a target that cannot be reached should raise UnavailableError")

    # Feed content is hostile input.

    def test_hostile_values_add_nothing_but_themselves(
        self, adapter: AnyAdapter, accepted_types: Sequence[ObservableType]
    ) -> None:
        before = list(adapter.read())
        observables = [
            Observable(kind, value) for kind in accepted_types for value in hostile_values(kind)
        ]
        hostile = [Entry(observable) for observable in observables if adapter.accepts(observable)]
        rejected = _write(adapter, hostile)
        if invented := rejected.keys() - {entry.value for entry in hostile}:
            pytest.fail(f"rejected values that were never sent: {sorted(invented)}")
        taken = [entry for entry in hostile if entry.value not in rejected]
        _expect_held(
            adapter,
            [*before, *taken],
            "a value should be held exactly as it is, or be refused with EntryRejectedError",
        )

    def test_hostile_field_texts_add_nothing_but_themselves(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        before = list(adapter.read())
        for name in sorted(adapter.fields):
            for text in HOSTILE_TEXTS:
                entries = [
                    Entry(entry.observable, {**entry.fields, name: text})
                    for entry in sample_entries
                ]
                rejected = _write(adapter, entries)
                held, ours = _held(adapter), {_key(e) for e in entries if e.value not in rejected}
                expected = ours | {_key(entry) for entry in before}
                if isinstance(adapter, EntryAdapter):  # one refused here may stand from before
                    expected |= held.keys() & {_key(entry) for entry in entries}
                if held.keys() != expected:
                    pytest.fail(
                        f"the field {name} filled with {text!r} changed which entries there are: "
                        f"{sorted(held.keys() ^ expected)[:10]}"
                    )


class _BrokenOffError(Exception):
    """Stands for any failure inside the stream that a list is made from."""
