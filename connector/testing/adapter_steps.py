"""How the core uses an adapter, as steps that explain their failures."""

from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Final, TypeVar

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
    Outcome,
    Outcomes,
    StagedAdapter,
    Subject,
    Text,
    Written,
)
from connector.errors import ConnectorError
from connector.sync.halving import Halving, as_batch
from connector.sync.outcomes import expect_outcomes
from connector.testing.samples.originals import with_originals

AnyAdapter = ListAdapter[Any] | EntryAdapter[Any]
Key = tuple[str, str]
Said = dict[str, str]
E = TypeVar("E", Entry, Held)

_LONGEST: Final = 80
_MOST_SHOWN: Final = 20


def key(entry: Entry | Held) -> Key:
    """Return the identity of an entry: its type and value."""
    return (entry.type.value, entry.value)


def shown(value: object) -> str:
    """Return a value as messages have it: cut to 80 characters."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def shown_keys(keys: Iterable[Key]) -> str:
    """Return the first of some keys as messages have them."""
    return ", ".join(f"{kind} {shown(value)}" for kind, value in islice(sorted(keys), 10))


def held(adapter: AnyAdapter, *, once: bool = True) -> dict[Key, Held]:
    """Return the entries at the target; one that is shown twice is a failure where `once`."""
    found: dict[Key, Held] = {}
    for entry in adapter.read():
        if not isinstance(entry, Held):
            pytest.fail(f"read() yielded {type(entry).__name__}, not Held")
        if once and key(entry) in found:
            pytest.fail(f"read() shows {shown(entry.value)} ({entry.type}) twice")
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


def other_field(spec: FieldSpec, sample: FieldValue) -> FieldValue:
    """Return another value for a field than the sample; the sample where it has only one."""
    candidates: Sequence[FieldValue]
    match spec:
        case Text(max_length=most):
            candidates = ["another text"[:most]]
        case Choice(choices=choices):
            candidates = choices
        case Flag():
            candidates = [False, True]
        case Instant() if isinstance(sample, str):
            candidates = ["2028-06-30T00:00:00Z"]
        case _:
            candidates = [float(sample) - 1, float(sample) + 1]
    return next((one for one in candidates if one != sample and spec.takes(one)), sample)


def holding(adapter: AnyAdapter, entries: Sequence[Entry]) -> dict[Key, Held]:
    """Return what `holds` reports for the target, of these entries."""
    found: dict[Key, Held] = {}
    for each in single_changes(adapter).holds([entry.observable for entry in entries]):
        if not isinstance(each, Held):
            pytest.fail(f"holds() yielded {type(each).__name__}, not Held")
        found[key(each)] = each
    return found


def not_held(adapter: AnyAdapter, entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries that `holds` does not report for the target."""
    found = holding(adapter, entries)
    return [entry for entry in entries if key(entry) not in found]


def of_others(adapter: AnyAdapter) -> list[Entry]:
    """Return the entries at the target before we write; none where we publish the list."""
    if isinstance(adapter, ListAdapter):
        return []
    return [Entry(each.observable, each.fields) for each in adapter.read()]


def write(adapter: AnyAdapter, entries: Iterable[Entry]) -> Said:
    """Publish or add entries, and return the reason for each rejected one, by value."""
    rows = {adapter.held_as(entry.observable): entry for entry in entries}  # as the core does
    in_order = with_originals(adapter, sorted(rows.values(), key=key))
    if isinstance(adapter, ListAdapter):
        said = publish(adapter, in_order)
        adapter.activate()
        return said
    with unit_of_work(single_changes(adapter)):
        return add(adapter, in_order)


def publish(adapter: ListAdapter[Any], in_order: Sequence[Entry]) -> Said:
    """Publish a list, and return the reason for each rejected entry, by value."""
    given = {entry.observable for entry in in_order}
    return rejected_by("publish", adapter.publish(iter(in_order)), given)


def add(adapter: AnyAdapter, entries: Sequence[Entry]) -> Said:
    """Add entries a batch at a time, outside of any unit of work."""
    return words_on(adding(adapter, entries))


def adding(adapter: AnyAdapter, entries: Sequence[Entry]) -> dict[Subject, Outcome]:
    """Add entries a batch at a time, and return what the adapter says of them."""
    writer = single_changes(adapter)
    said: dict[Subject, Outcome] = {}
    for batch in _batches(writer, entries):
        said |= _batch("add", writer.add, batch)
    return said


def _batches(writer: EntryAdapter[Any], entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Yield entries, as many at a time as the adapter takes, also in bytes."""
    batch: list[Entry] = []
    weight = 0
    for entry in entries:
        weighs = 0 if writer.batch.bytes is None else writer.weigh(entry)
        heavy = writer.batch.bytes is not None and weight + weighs > writer.batch.bytes
        if batch and (heavy or len(batch) == writer.batch.entries):
            yield batch
            batch, weight = [], 0
        batch.append(entry)
        weight += weighs
    if batch:
        yield batch


def remove(
    adapter: AnyAdapter,
    entries: Sequence[Entry],
    kept: Sequence[Entry] = (),
    handles: Mapping[Key, str] | None = None,
) -> None:
    """Remove entries: by single changes, or by publishing the entries that are kept.

    Without `handles`, they are those that `read` shows.
    """
    if isinstance(adapter, ListAdapter):
        write(adapter, kept)
        return
    known = handles_at(adapter) if handles is None else handles
    with unit_of_work(single_changes(adapter)):
        take_away(adapter, entries, known)


def take_away(adapter: AnyAdapter, entries: Sequence[Entry], handles: Mapping[Key, str]) -> None:
    """Remove entries a batch at a time, outside of any unit of work."""
    writer = single_changes(adapter)
    ours = [Held(entry.observable, handle=handles.get(key(entry), "")) for entry in entries]
    for start in range(0, len(ours), writer.batch.entries):
        batch = ours[start : start + writer.batch.entries]
        if kept_there := words_on(_batch("remove", writer.remove, batch)):
            pytest.fail(f"remove() left entries there: {shown(kept_there)}")


def handles_at(adapter: AnyAdapter) -> dict[Key, str]:
    """Return the target's own names of the entries that it shows, by entry."""
    if isinstance(adapter, ListAdapter):
        return {}
    return {each: found.handle for each, found in held(adapter, once=False).items()}


def _batch(
    verb: str, change: Callable[[Sequence[E]], Outcomes], entries: Sequence[E]
) -> dict[Subject, Outcome]:
    """Hand a batch to the adapter, in smaller ones where it is too large, as the core does."""

    def send(part: Sequence[E]) -> Outcomes:
        with as_batch(len(part)):
            said = change(part)
        return _checked(verb, said, {entry.observable for entry in part})

    return Halving(send).send(entries)


@contextmanager
def unit_of_work(adapter: EntryAdapter[Any]) -> Iterator[None]:
    """Begin and commit as the core does where the target stages changes; abandon on failure."""
    if not isinstance(adapter, StagedAdapter):
        yield
        return
    try:
        with adapter.context.unit_of_work():
            adapter.begin()
            yield
            adapter.commit()
    except BaseException:
        with suppress(ConnectorError):  # as in the core: the first error says more
            adapter.abandon()
        raise


def rejected_by(verb: str, said: Any, given: Container[Any]) -> Said:
    """Return the words on what was not written, by value; an outcome that no core takes fails."""
    return words_on(_checked(verb, said, given))


def words_on(outcomes: Outcomes) -> Said:
    """Return the words on what was not written, by value."""
    return {
        subject.value: outcome.words
        for subject, outcome in outcomes.items()
        if not isinstance(outcome, Written)
    }


def _checked(verb: str, said: Any, given: Container[Any]) -> Outcomes:
    try:
        return expect_outcomes(verb, said, given)
    except TypeError as error:
        pytest.fail(str(error))


def single_changes(adapter: AnyAdapter) -> EntryAdapter[Any]:
    """Return the adapter as one that takes single changes."""
    if not isinstance(adapter, EntryAdapter):
        pytest.fail("an adapter should derive from ListAdapter or EntryAdapter")
    return adapter


def expect_held(adapter: AnyAdapter, expected: Iterable[Entry], promise: str) -> None:
    """Fail unless read() shows exactly these entries, with the fields that `as_held` announces.

    Fields that it does not show are ignored.
    """
    if problems := differences(adapter, held(adapter), expected):
        pytest.fail("\n".join([promise, *problems[:_MOST_SHOWN]]))


def differences(
    adapter: AnyAdapter, found: Mapping[Key, Held], expected: Iterable[Entry]
) -> list[str]:
    """Return how what was found differs from the entries that should be there, sorted.

    Entries that are one row by `held_as` are there where the row is.
    """
    rows = {adapter.held_as(each.observable): each for each in found.values()}
    wanted: dict[Hashable, Entry] = {}
    problems = []
    for entry in expected:
        row = adapter.held_as(entry.observable)
        wanted[row] = adapter.as_held(entry)
        if row not in rows:
            problems.append(f"  missing: {entry.type} {shown(entry.value)}")
    for row, seen in rows.items():
        if row not in wanted:
            problems.append(f"  never written: {seen.type} {shown(seen.value)}")
        else:
            problems += _altered(seen, wanted[row])
    return sorted(problems)


def _altered(seen: Held, wanted: Entry) -> Iterator[str]:
    if seen.contrary:
        yield f"  said to be contrary: {shown(seen.value)}: {shown(seen.contrary)}"
    for name, value in seen.fields.items():
        if name in wanted.fields and wanted.fields[name] != value:
            yield (
                f"  {shown(seen.value)}: field {name} is {shown(value)}, was written as "
                f"{shown(wanted.fields[name])}"
            )
