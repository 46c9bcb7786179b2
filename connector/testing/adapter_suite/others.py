"""What others do at the same target: their entries, their words against ours, their outputs."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import pytest

from connector.adapter import Entry, ListAdapter, UnavailableError
from connector.testing.adapter_steps import (
    AnyAdapter,
    expect_held,
    held,
    holding,
    key,
    not_held,
    of_others,
    remove,
    shown,
    shown_keys,
    write,
)
from connector.testing.adapter_suite.fixtures import PutForeign, SuiteFixtures, needs

_TRIES: Final = 3
T = TypeVar("T")


class Others(SuiteFixtures):
    """Tests that `AdapterSuite` inherits; it has their fixtures."""

    def test_a_published_list_is_ours_alone(
        self,
        adapter: AnyAdapter,
        foreign: PutForeign | None,
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        if not isinstance(adapter, ListAdapter):
            return  # others may have entries there
        write(adapter, more_entries[1:])
        if foreign is not None:
            foreign(Entry(more_entries[0].observable))
        write(adapter, sample_entries)
        expect_held(adapter, sample_entries, "publishing should replace the whole list")

    @needs("foreign", of_lists=False)
    def test_what_others_own_survives(
        self,
        adapter: AnyAdapter,
        foreign: PutForeign,
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        theirs = Entry(more_entries[0].observable)
        still_there = foreign(theirs) or (lambda: key(theirs) in held(adapter))
        for verb, change in (("adding", write), ("removing", remove)):
            change(adapter, sample_entries)
            if not still_there():
                pytest.fail(
                    f"{verb} our entries removed one that is not ours: {shown(theirs.value)}"
                )

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

    @needs("foreign", of_lists=False)
    def test_an_entry_that_others_put_there_before_us_is_left_to_them(
        self,
        adapter: AnyAdapter,
        foreign: PutForeign,
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        theirs = Entry(more_entries[0].observable)
        write(adapter, sample_entries)
        still_there = foreign(theirs) or (lambda: key(theirs) in held(adapter))
        # As the core does when a feed names them all and the target was not read since.
        ours = not_held(adapter, more_entries)
        write(adapter, ours)
        remove(adapter, ours)
        if not still_there():
            pytest.fail(
                f"holds() did not show {shown(theirs.value)}, which someone else added: so it "
                "was taken for ours, and removed"
            )

    @needs("foreign")
    def test_a_second_row_of_an_entry_that_others_added_does_no_harm(
        self, adapter: AnyAdapter, foreign: PutForeign, sample_entries: Sequence[Entry]
    ) -> None:
        twice, *rest = sample_entries
        write(adapter, sample_entries)
        foreign(Entry(twice.observable))
        there = held(adapter, once=False)
        if lost := {key(entry) for entry in rest} - there.keys():
            pytest.fail(
                f"beside a second row of {shown(twice.value)}, read() lacks {shown_keys(lost)}"
            )
        write(adapter, sample_entries)
        remove(adapter, [twice], kept=rest)
        there = held(adapter, once=False)
        if lost := {key(entry) for entry in rest} - there.keys():
            pytest.fail(f"removing {shown(twice.value)}, there twice, removed {shown_keys(lost)}")

    @needs("contrary", of_lists=False)
    def test_the_opposite_of_an_entry_is_contrary_and_never_held(
        self,
        adapter: AnyAdapter,
        contrary: Callable[[Entry], None],
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        write(adapter, sample_entries)
        theirs = more_entries[0]
        contrary(theirs)
        for verb, found in (("read", held(adapter)), ("holds", holding(adapter, more_entries))):
            if key(theirs) not in found or not found[key(theirs)].contrary:
                pytest.fail(
                    f"{verb}() should show {shown(theirs.value)} with `contrary`, in words: the "
                    "target has its opposite, so it must never count as written"
                )
        remove(adapter, sample_entries)
        if key(theirs) not in held(adapter):
            pytest.fail(f"removing our entries removed the opposite of {shown(theirs.value)}")

    @needs("refuse")
    def test_what_the_target_refuses_is_named_as_it_was_given(
        self,
        adapter: AnyAdapter,
        refuse: Callable[[Entry], None],
        sample_entries: Sequence[Entry],
    ) -> None:
        others = of_others(adapter)
        refused, *rest = sample_entries
        refuse(refused)
        if write(adapter, sample_entries).keys() != {refused.value}:
            pytest.fail(f"the target refuses {shown(refused.value)}, and no outcome says so")
        expect_held(adapter, [*others, *rest], "one that is refused should not keep others away")

    @needs("neighbour")
    def test_two_outputs_at_one_target_leave_each_other_alone(
        self,
        adapter: AnyAdapter,
        neighbour: AnyAdapter,
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        try:
            for _ in range(2):
                write(adapter, sample_entries)
                write(neighbour, more_entries)
                _expect_among(adapter, sample_entries, "after its neighbour wrote")
                remove(adapter, sample_entries)
                _expect_among(neighbour, more_entries, "after the other output removed its own")
                write(adapter, sample_entries)
                remove(neighbour, more_entries)
                _expect_among(adapter, sample_entries, "after its neighbour removed its own")
        finally:
            neighbour.close()

    @needs("restart_target")
    def test_after_a_restart_of_the_target_everything_is_there_again(
        self,
        adapter: AnyAdapter,
        restart_target: Callable[[], None],
        sample_entries: Sequence[Entry],
    ) -> None:
        write(adapter, sample_entries)
        before, stamp = held(adapter), adapter.stamp()
        restart_target()
        after = _patiently(lambda: held(adapter))
        if after != before and stamp is not None and adapter.stamp() == stamp:
            pytest.fail("stamp() did not change when the target started anew and forgot entries")
        _patiently(lambda: write(adapter, sample_entries))
        _expect_among(adapter, sample_entries, "after the target started anew")


def _patiently(use: Callable[[], T]) -> T:
    """Return what comes of a use that is tried again, as the core does."""
    for _ in range(_TRIES - 1):
        with suppress(UnavailableError):
            return use()
    return use()


def _expect_among(adapter: AnyAdapter, entries: Sequence[Entry], when: str) -> None:
    if lost := {key(entry) for entry in entries} - held(adapter, once=False).keys():
        pytest.fail(f"{when}, read() of {adapter.context.output} lacks {shown_keys(lost)}")
