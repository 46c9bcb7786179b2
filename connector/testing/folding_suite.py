"""Entries that are one row at a target, as an adapter's `held_as` says: promises as tests."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import pytest

from connector.adapter import Adapter, Entry, EntryAdapter, FieldValue, Observable, ObservableType
from connector.decisions.allowlist.rows import value_of_row
from connector.testing.adapter_steps import AnyAdapter, remove, write

Pair = tuple[Entry, Entry]
_T: Final = ObservableType
# Values that targets often take for one.
_TWINS: Final = (
    (_T.URL, "http://twin.bad.example/a", "https://twin.bad.example/a"),
    (_T.URL, "http://twin.bad.example/Setup", "http://twin.bad.example/setup"),
    (_T.URL, "http://twin.bad.example/a", "http://twin.bad.example/a/"),
    (_T.URL, "http://twin.bad.example/a", "http://twin.bad.example/a?x=1"),
    (_T.URL, "http://twin.bad.example/a", "http://twin.bad.example/b"),
    (_T.DOMAIN_NAME, "twin.bad.example", "*.twin.bad.example"),
    (_T.EMAIL_ADDR, "twin@bad.example", "twin@sub.bad.example"),
    (_T.ENDPOINT, "203.0.113.77:53/tcp", "203.0.113.77:53/udp"),
    (_T.ENDPOINT, "203.0.113.77:53/tcp", "203.0.113.77:5353/tcp"),
    (_T.USER_AGENT, "Twin/1.0", "twin/1.0"),
    (_T.MUTEX, "Global\\Twin", "Global\\twin"),
    (_T.FILE_NAME, "twin.exe", "Twin.exe"),
)
# Of a row that these share, nobody knows what it stops unless its key says so.
_NEIGHBOURS: Final = (
    (_T.IPV4_ADDR, "203.0.113.77", "203.0.113.78"),
    (_T.IPV6_ADDR, "2001:db8::77", "2001:db8::78"),
    (_T.ENDPOINT, "203.0.113.77:53/tcp", "203.0.113.78:53/tcp"),
    (_T.DOMAIN_NAME, "one.twin.bad.example", "two.twin.bad.example"),
    (_T.URL, "http://twin.bad.example/a", "http://twin.bad.example/b"),
    (_T.EMAIL_ADDR, "one@bad.example", "two@bad.example"),
)


class FoldedEntries:
    """Tests that `AdapterSuite` inherits; an adapter without a `held_as` of its own passes."""

    @pytest.fixture
    def folded(
        self, adapter: AnyAdapter, sample_fields: Mapping[str, FieldValue]
    ) -> Sequence[Pair]:
        """Pairs of entries that are one row at the target."""
        return [
            (Entry(one, sample_fields), Entry(other, sample_fields))
            for one, other in _twins(adapter)
            if adapter.held_as(one) == adapter.held_as(other)
        ]

    def test_entries_that_are_one_row_are_read_as_one_and_go_by_either_name(
        self, adapter: AnyAdapter, folded: Sequence[Pair]
    ) -> None:
        if type(adapter).held_as is Adapter.held_as:
            return  # each entry is a row of its own
        if not folded:
            pytest.skip("override the fixture `folded` to give two entries that are one row")
        for pair in folded:
            for one, other in (pair, pair[::-1]):
                write(adapter, [one])
                _expect_rows(adapter, one, 1)
                if isinstance(adapter, EntryAdapter):
                    write(adapter, [other])  # as where another one carries the row from now on
                    _expect_rows(adapter, other, 1)
                    _expect_shown(adapter, other)
                    remove(adapter, [one])
                else:
                    remove(adapter, [one, other])
                _expect_rows(adapter, one, 0)

    def test_what_an_entry_is_held_as_can_be_kept(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        for entry in sample_entries:
            key = adapter.held_as(entry.observable)
            try:
                hash(key)
                msgspec.json.encode(key)
            except TypeError as error:
                pytest.fail(f"held_as() should return a text, a number or a tuple of them: {error}")
            if key != adapter.held_as(entry.observable):
                pytest.fail("held_as() should say the same of an observable each time")
        for one, other in _pairs(adapter, _NEIGHBOURS):
            key = adapter.held_as(one)
            if key == adapter.held_as(other) and value_of_row(one, key) is None:
                pytest.fail(
                    f"held_as() gives {one.value} and {other.value} the key {key!r}, which is no "
                    "value: return what the row stops, such as 203.0.113.0/24 or bad.example, so "
                    "that the allowlist can be asked for it"
                )


def _twins(adapter: AnyAdapter) -> Iterator[tuple[Observable, Observable]]:
    return _pairs(adapter, _TWINS)


def _pairs(
    adapter: AnyAdapter, pairs: Sequence[tuple[ObservableType, str, str]]
) -> Iterator[tuple[Observable, Observable]]:
    for kind, *values in pairs:
        one, other = (Observable(kind, value) for value in values)
        if kind in adapter.supports and adapter.accepts(one) and adapter.accepts(other):
            yield one, other


def _expect_rows(adapter: AnyAdapter, entry: Entry, count: int) -> None:
    key = adapter.held_as(entry.observable)
    found = [each for each in adapter.read() if adapter.held_as(each.observable) == key]
    if len(found) != count:
        pytest.fail(
            f"read() shows {len(found)} rows that are {entry.value[:80]!r} by held_as(), "
            f"not {count}"
        )


def _expect_shown(adapter: EntryAdapter[Any], entry: Entry) -> None:
    key = adapter.held_as(entry.observable)
    shown = adapter.holds([entry.observable])
    if not any(adapter.held_as(each.observable) == key for each in shown):
        pytest.fail(f"holds() does not show {entry.value[:80]!r}, whose row is there")


def twin_values() -> Iterator[Observable]:
    """Yield every value that folding is tried with."""
    for kind, *values in _TWINS:
        yield from (Observable(kind, value) for value in values)
