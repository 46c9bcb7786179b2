"""How the core uses an adapter, as steps that explain their failures."""

from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest

from connector.adapter import (
    Choice,
    Entry,
    EntryAdapter,
    FieldSpec,
    FieldValue,
    Flag,
    Held,
    Instant,
    ListAdapter,
    Number,
    StagedAdapter,
    Text,
    Written,
)
from connector.sync.outcomes import expect_outcomes

AnyAdapter = ListAdapter[Any] | EntryAdapter[Any]
Key = tuple[str, str]


def key(entry: Entry | Held) -> Key:
    """Return the identity of an entry: its type and value."""
    return (entry.type.value, entry.value)


def held(adapter: AnyAdapter) -> dict[Key, Held]:
    """Return the entries at the target; an entry shown twice is a failure."""
    found: dict[Key, Held] = {}
    for entry in adapter.read():
        if not isinstance(entry, Held):
            pytest.fail(f"read() yielded {type(entry).__name__}, not Held")
        if key(entry) in found:
            pytest.fail(f"read() shows {entry.value!r} ({entry.type}) twice")
        found[key(entry)] = entry
    return found


def sample_field(name: str, spec: FieldSpec) -> FieldValue:
    """Return a value that a mapping might fill a field with."""
    match spec:
        case Text(max_length=longest):
            return f"sample {name}"[:longest]
        case Number(least=least, most=most):
            return next((bound for bound in (most, least) if bound is not None), 1)
        case Choice(choices=choices):
            return choices[0]
        case Flag():
            return True
        case Instant():
            return "2027-06-30T00:00:00Z"


def not_held(adapter: AnyAdapter, entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries that `holds` does not report for the target."""
    asked = [entry.observable for entry in entries]
    found = set()
    for each in single_changes(adapter).holds(asked):
        if not isinstance(each, Held):
            pytest.fail(f"holds() yielded {type(each).__name__}, not Held")
        found.add(each.observable)
    return [entry for entry in entries if entry.observable not in found]


def of_others(adapter: AnyAdapter) -> list[Entry]:
    """Return the entries at the target before we write; none where we publish the list."""
    if isinstance(adapter, ListAdapter):
        return []
    return [Entry(each.observable, each.fields) for each in adapter.read()]


def write(adapter: AnyAdapter, entries: Iterable[Entry]) -> dict[str, str]:
    """Publish or add entries, and return the reason for each rejected one, by value."""
    in_order = sorted(entries, key=key)
    given = {entry.observable for entry in in_order}
    if isinstance(adapter, ListAdapter):
        said = rejected_by("publish", adapter.publish(iter(in_order)), given)
        adapter.activate()
        return said
    rejected: dict[str, str] = {}
    writer, remaining = single_changes(adapter), iter(in_order)
    with unit_of_work(writer):
        while batch := list(islice(remaining, writer.batch.entries)):
            rejected |= rejected_by("add", writer.add(batch), given)
    return rejected


def remove(adapter: AnyAdapter, entries: Sequence[Entry], kept: Sequence[Entry] = ()) -> None:
    """Remove entries: by single changes, or by publishing the entries that are kept."""
    if isinstance(adapter, ListAdapter):
        write(adapter, kept)
        return
    writer = single_changes(adapter)
    handles = {each: found.handle for each, found in held(adapter).items()}
    with unit_of_work(writer):
        for start in range(0, len(entries), writer.batch.entries):
            batch = entries[start : start + writer.batch.entries]
            ours = [Held(entry.observable, handle=handles.get(key(entry), "")) for entry in batch]
            given = {entry.observable for entry in batch}
            if kept_there := rejected_by("remove", writer.remove(ours), given):
                pytest.fail(f"remove() left entries there: {kept_there}")


@contextmanager
def unit_of_work(adapter: EntryAdapter[Any]) -> Iterator[None]:
    """Begin and commit as the core does where the target stages changes; abandon on failure."""
    if not isinstance(adapter, StagedAdapter):
        yield
        return
    try:
        adapter.begin()
        yield
        adapter.commit()
    except BaseException:
        adapter.abandon()
        raise


def rejected_by(verb: str, said: Any, given: Container[Any]) -> dict[str, str]:
    """Return the words on what was not written, by value; an outcome that no core takes fails."""
    try:
        outcomes = expect_outcomes(verb, said, given)
    except TypeError as error:
        pytest.fail(str(error))
    return {
        subject.value: outcome.words
        for subject, outcome in outcomes.items()
        if not isinstance(outcome, Written)
    }


def single_changes(adapter: AnyAdapter) -> EntryAdapter[Any]:
    """Return the adapter as one that takes single changes."""
    if not isinstance(adapter, EntryAdapter):
        pytest.fail("an adapter should derive from ListAdapter or EntryAdapter")
    return adapter


def expect_held(adapter: AnyAdapter, expected: Iterable[Entry], promise: str) -> None:
    """Fail unless read() shows exactly these entries, with the fields that `as_held` announces.

    Fields that it does not show are ignored.
    """
    found, wanted = held(adapter), {key(entry): adapter.as_held(entry) for entry in expected}
    problems = [f"  missing: {kind} {value!r}" for kind, value in wanted.keys() - found.keys()]
    problems += [f"  never written: {kind} {value!r}" for kind, value in found.keys() - wanted]
    for each in found.keys() & wanted.keys():
        written = wanted[each].fields
        problems += [
            f"  {each[1]!r}: field {name} is {value!r}, was written as {written[name]!r}"
            for name, value in found[each].fields.items()
            if name in written and written[name] != value
        ]
    if problems:
        pytest.fail("\n".join([promise, *sorted(problems)[:20]]))
