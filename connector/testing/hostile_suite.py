"""The promises of an adapter that feeds can attack: what they send is hostile input."""

from collections.abc import Mapping, Sequence

import pytest

from connector.adapter import Entry, FieldValue, Observable, ObservableType
from connector.adapter.fields import longest as text_lengths
from connector.testing.adapter_steps import (
    AnyAdapter,
    Key,
    Said,
    expect_held,
    held,
    key,
    of_others,
    remove,
    shown,
    shown_keys,
    write,
)
from connector.testing.samples.entries import (
    HOSTILE_TEXTS,
    LOOKALIKES,
    TEXT_TYPES,
    hostile_values,
)


class HostileValues:
    """Tests that `AdapterSuite` inherits; it has their fixtures."""

    def test_hostile_values_add_nothing_but_themselves(
        self, adapter: AnyAdapter, accepted_types: Sequence[ObservableType]
    ) -> None:
        others = of_others(adapter)
        observables = [
            Observable(kind, value) for kind in accepted_types for value in hostile_values(kind)
        ]
        hostile = [Entry(observable) for observable in observables if adapter.accepts(observable)]
        rejected = write(adapter, hostile)
        taken = [entry for entry in hostile if entry.value not in rejected]
        expect_held(
            adapter,
            [*others, *taken],
            "a value should be stored exactly as it is, or be Refused",
        )

    def test_a_text_that_looks_like_another_kind_is_never_read_back_as_that_kind(
        self, adapter: AnyAdapter, accepted_types: Sequence[ObservableType]
    ) -> None:
        before = {key(entry) for entry in of_others(adapter)}
        for kind in TEXT_TYPES.intersection(accepted_types):
            texts = [
                Entry(observable)
                for observable in (Observable(kind, text) for text in LOOKALIKES)
                if adapter.accepts(observable)
            ]
            write(adapter, texts)
            if wrong := held(adapter).keys() - before - {key(entry) for entry in texts}:
                pytest.fail(
                    f"texts of type {kind} are read back as something else: {shown_keys(wrong)}; "
                    "write the type beside the value, or accept one family and refuse what "
                    "connector.adapter.misreading names"
                )
            remove(adapter, texts)

    def test_hostile_field_texts_add_no_entry_and_lose_none(
        self, adapter: AnyAdapter, sample_entries: Sequence[Entry]
    ) -> None:
        others = {key(entry) for entry in of_others(adapter)}
        lengths = sorted(text_lengths(adapter.fields).items())
        for text in HOSTILE_TEXTS if lengths else ():
            alone = [{name: text[:longest]} for name, longest in lengths]
            together = {name: cut for one in alone for name, cut in one.items()}
            written = [_with(entry, together) for entry in sample_entries]
            refused = write(adapter, written)
            if not refused and not _astray(adapter, others, written, refused):
                continue
            for fields in [*alone, together]:  # one that is refused may hide what another does
                written = [_with(entry, fields) for entry in sample_entries]
                refused = write(adapter, written)
                if wrong := _astray(adapter, others, written, refused):
                    pytest.fail(
                        f"the field {', '.join(fields)} filled with {shown(text)} added or removed "
                        f"entries: {shown_keys(wrong)}"
                    )


def _with(entry: Entry, fields: Mapping[str, FieldValue]) -> Entry:
    return Entry(entry.observable, {**entry.fields, **fields})


def _astray(
    adapter: AnyAdapter, others: set[Key], written: Sequence[Entry], refused: Said
) -> set[Key]:
    """Return what is at the target and should not be, and the other way round."""
    given = {key(entry) for entry in written}
    taken = {key(entry) for entry in written if entry.value not in refused}
    found = held(adapter).keys()
    return (found - others - given) | ((others | taken) - found)
