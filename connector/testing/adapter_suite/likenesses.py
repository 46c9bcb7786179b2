"""Values that look alike are different entries: none is taken, or removed, for another."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pytest

from connector.adapter import Entry, EntryAdapter, FieldValue, Observable, ObservableType
from connector.testing.adapter_steps import (
    AnyAdapter,
    expect_held,
    not_held,
    of_others,
    remove,
    shown,
    write,
)

Pair = tuple[Observable, Observable]
T = ObservableType
_KEY: Final = "HKEY_LOCAL_MACHINE\\Software\\"

_ALIKE: Final[Mapping[str, Sequence[tuple[ObservableType, str, str]]]] = {
    "a name and all names below it": (
        (T.DOMAIN_NAME, "alike.bad.example", "*.alike.bad.example"),
        (T.DOMAIN_NAME, "alike.bad.example", "sub.alike.bad.example"),
        (T.DOMAIN_NAME, "sub.alike.bad.example", "*.alike.bad.example"),
        (T.EMAIL_ADDR, "alike@bad.example", "alike@sub.bad.example"),
    ),
    "http and https": (
        (T.URL, "http://alike.bad.example/a", "https://alike.bad.example/a"),
        (T.URL, "http://alike.bad.example/", "https://alike.bad.example/"),
    ),
    "upper and lower case": (
        (T.URL, "http://alike.bad.example/Setup", "http://alike.bad.example/setup"),
        (T.MUTEX, "Global\\Alike", "Global\\alike"),
        (T.USER_AGENT, "Alike/1.0", "alike/1.0"),
    ),
    "with and without a slash or a query": (
        (T.URL, "http://alike.bad.example/a", "http://alike.bad.example/a/"),
        (T.URL, "http://alike.bad.example/a", "http://alike.bad.example/a?x=1"),
        (T.URL, "http://alike.bad.example/", "http://alike.bad.example/a"),
        (T.URL, "http://alike.bad.example/a", "http://alike.bad.example:8080/a"),
    ),
    "a prefix and what it covers": (
        (T.IPV4_ADDR, "198.51.100.0/24", "198.51.100.7"),
        (T.IPV4_ADDR, "198.51.100.0/24", "198.51.100.0/25"),
        (T.IPV4_ADDR, "198.51.100.0/24", "198.51.100.0"),
        (T.IPV6_ADDR, "2001:db8:7::/64", "2001:db8:7::7"),
        (T.IPV6_ADDR, "2001:db8:7::/64", "2001:db8:7::/96"),
    ),
    "ports and protocols of one address": (
        (T.ENDPOINT, "203.0.113.7:53/tcp", "203.0.113.7:53/udp"),
        (T.ENDPOINT, "203.0.113.7:53/tcp", "203.0.113.7:5353/tcp"),
    ),
    "one begins or ends with the other": (
        (T.DOMAIN_NAME, "alike.bad.example", "not-alike.bad.example"),
        (T.IPV4_ADDR, "198.51.100.1", "198.51.100.10"),
        (T.FILE_NAME, "alike.exe", "alike.exe.txt"),
        (T.REGISTRY_KEY, f"{_KEY}Alike", f"{_KEY}Alike\\Run"),
        (T.AUTONOMOUS_SYSTEM, "420000000", "4200000001"),
        (T.EMAIL_ADDR, "alike@bad.example", "not-alike@bad.example"),
    ),
}


class Likenesses:
    """Tests that `AdapterSuite` inherits; it has their fixtures."""

    @pytest.mark.parametrize("likeness", _ALIKE)
    def test_what_looks_alike_is_kept_apart(
        self, adapter: AnyAdapter, sample_fields: Mapping[str, FieldValue], likeness: str
    ) -> None:
        others = of_others(adapter)
        for one, other in _pairs(adapter, likeness):
            both = [Entry(one, sample_fields), Entry(other, sample_fields)]
            names = f"{shown(one.value)} and {shown(other.value)}"
            if rejected := write(adapter, both):
                remove(adapter, [entry for entry in both if entry.value not in rejected])
                continue  # the target says that it cannot have both
            expect_held(adapter, [*others, *both], f"{names} are two entries")
            for gone, stays in (both, both[::-1]):
                remove(adapter, [gone], kept=[stays])
                promise = f"removing {shown(gone.value)} should leave {shown(stays.value)}"
                expect_held(adapter, [*others, stays], promise)
                write(adapter, both)
            remove(adapter, both)

    @pytest.mark.parametrize("likeness", _ALIKE)
    def test_holds_answers_for_exactly_what_it_is_asked(
        self, adapter: AnyAdapter, sample_fields: Mapping[str, FieldValue], likeness: str
    ) -> None:
        if not isinstance(adapter, EntryAdapter):
            return  # never asked
        for pair in _pairs(adapter, likeness):
            for there, asked in (pair, pair[::-1]):
                if write(adapter, [Entry(there, sample_fields)]):
                    continue
                if not not_held(adapter, [Entry(asked)]):
                    pytest.fail(
                        f"holds() shows {shown(asked.value)} where only {shown(there.value)} is "
                        "there: an entry matches exactly, not by what covers or resembles it"
                    )
                remove(adapter, [Entry(there)])


def _pairs(adapter: AnyAdapter, likeness: str) -> Iterator[Pair]:
    for kind, one, other in _ALIKE[likeness]:
        pair = Observable(kind, one), Observable(kind, other)
        taken = kind in adapter.supports and all(map(adapter.accepts, pair))
        if taken and adapter.held_as(pair[0]) != adapter.held_as(pair[1]):
            yield pair


def alike_values() -> Iterator[Observable]:
    """Yield every value that the likenesses are tried with."""
    for pairs in _ALIKE.values():
        for kind, *values in pairs:
            yield from (Observable(kind, value) for value in values)
