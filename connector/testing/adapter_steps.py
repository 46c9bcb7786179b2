"""How the core drives an adapter, as steps that fail in words."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import pytest

from connector.adapter import Entry, EntryAdapter, EntryRejectedError, ListAdapter

AnyAdapter = ListAdapter[Any] | EntryAdapter[Any]
Key = tuple[str, str]


def key(entry: Entry) -> Key:
    """Return what makes an entry the same entry: its type and value."""
    return (entry.type.value, entry.value)


def held(adapter: AnyAdapter) -> dict[Key, Entry]:
    """Return what the target holds; an entry shown twice is a failure."""
    found: dict[Key, Entry] = {}
    for entry in adapter.read():
        if key(entry) in found:
            pytest.fail(f"read() shows {entry.value!r} ({entry.type}) twice")
        found[key(entry)] = entry
    return found


def not_held(adapter: AnyAdapter, entries: Sequence[Entry]) -> list[Entry]:
    """Return those of these entries that the target is asked about and does not hold."""
    found = single_changes(adapter).holds([entry.observable for entry in entries])
    return [entry for entry in entries if entry.observable not in found]


def of_others(adapter: AnyAdapter) -> list[Entry]:
    """Return what is at the target before we write, and stays: nothing where a list is ours."""
    return [] if isinstance(adapter, ListAdapter) else list(adapter.read())


def write(adapter: AnyAdapter, entries: Iterable[Entry]) -> dict[str, str]:
    """Publish or add entries, and return what was rejected, with the words."""
    in_order = sorted(entries, key=key)
    if isinstance(adapter, ListAdapter):
        try:
            adapter.publish(iter(in_order))
        except EntryRejectedError as refusal:
            return refusal.rejected
        return {}
    rejected: dict[str, str] = {}
    writer, remaining = single_changes(adapter), iter(in_order)
    while batch := list(islice(remaining, writer.batch_size)):
        try:
            writer.add(batch)
        except EntryRejectedError as refusal:
            rejected |= refusal.rejected
    writer.commit()
    return rejected


def remove(adapter: AnyAdapter, entries: Sequence[Entry], kept: Sequence[Entry] = ()) -> None:
    """Remove entries: by single changes, or by publishing a list of what is kept."""
    if isinstance(adapter, ListAdapter):
        write(adapter, kept)
        return
    writer = single_changes(adapter)
    for start in range(0, len(entries), writer.batch_size):
        writer.remove(entries[start : start + writer.batch_size])
    writer.commit()


def single_changes(adapter: AnyAdapter) -> EntryAdapter[Any]:
    """Return the adapter as the one that takes single changes."""
    if not isinstance(adapter, EntryAdapter):
        pytest.fail("an adapter derives from ListAdapter or EntryAdapter")
    return adapter


def expect_held(adapter: AnyAdapter, expected: Iterable[Entry], promise: str) -> None:
    """Fail unless read() shows exactly these entries; fields it does not show are passed over."""
    found, wanted = held(adapter), {key(entry): entry for entry in expected}
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
