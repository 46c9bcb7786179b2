"""Targets that drop the scheme of a URL: a table of single entries, and a whole list."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from list_hand import DAY, Hand
from store_samples import indicator

from connector.adapter import (
    ALL_WRITTEN,
    Adapter,
    Batch,
    Entry,
    EntryAdapter,
    FieldSpec,
    FieldValue,
    Held,
    ListAdapter,
    Observable,
    ObservableType,
    Outcomes,
    OutputContext,
    Settings,
    Text,
)
from connector.decisions.limits import Limits
from connector.decisions.mapping import compile_mapping, read_mapping
from connector.decisions.plan import LedgerState
from connector.service.holds import HoldKeeper
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult
from connector.sync.cycle import apply, propose
from connector.sync.output import Output
from connector.sync.proposal import CHANGED, Proposal, Scope
from connector.sync.targets.kinds import target_of


class Options(Settings):
    """None."""


class Table:
    """Rows by URL without scheme, with what happens to them."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, FieldValue]] = {}
        self.events: list[str] = []
        self.said: Callable[[Entry], Any] = lambda _entry: None
        self.faults: list[Exception | None] = []
        self.asked = 0

    def fail(self) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault


def bare(value: str) -> str:
    return value.partition("://")[2]


class Folding(Adapter[Options]):
    """What both have in common."""

    settings_type = Options
    supports = frozenset({ObservableType.URL})
    fields: ClassVar[Mapping[str, FieldSpec]] = {"comment": Text()}
    table: Table

    def held_as(self, observable: Observable) -> Hashable:
        self.table.asked += 1
        return bare(observable.value)

    def read(self) -> list[Held]:
        self.table.fail()
        return [
            Held(Observable(ObservableType.URL, f"http://{row}"), fields, handle=f"id of {row}")
            for row, fields in self.table.rows.items()
        ]


class FoldingTable(Folding, EntryAdapter[Options]):
    """A table that others write to as well."""

    batch = Batch(entries=2)

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        said = {}
        for entry in entries:
            self.table.fail()
            if outcome := self.table.said(entry):
                said[entry.observable] = outcome
                continue
            self.table.rows[bare(entry.value)] = dict(entry.fields)
            self.table.events.append(f"add {entry.value}")
        return said

    def remove(self, held: Sequence[Held]) -> Outcomes:
        for each in held:
            self.table.fail()
            self.table.rows.pop(bare(each.value), None)
            self.table.events.append(f"remove {bare(each.value)}")
        return ALL_WRITTEN


class FoldingList(Folding, ListAdapter[Options]):
    """A whole list."""

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        rows, said = {}, {}
        for entry in entries:
            self.table.fail()
            if outcome := self.table.said(entry):
                said[entry.observable] = outcome
                continue
            assert bare(entry.value) not in rows, "one row twice"
            rows[bare(entry.value)] = dict(entry.fields)
        self.table.rows = rows
        self.table.events.append("publish")
        return said


class Fence:
    """A list of URLs, and the table that it is kept in."""

    def __init__(self, store: Store, kind: type[Folding], limits: Limits | None = None) -> None:
        self.store, self.hand, self.table = store, Hand(store), Table()
        adapter = kind(Options(), OutputContext("edge", Path()))
        adapter.table = self.table
        mapper = compile_mapping(read_mapping({"comment": {"from": "value"}}), Folding.fields)
        self.hand.refresh()
        self.output = Output(
            "edge", self.hand.listing(), target_of("edge", adapter, mapper), limits or Limits(),
            b"setup", DAY,
        )  # fmt: skip
        self.modified = 1

    def say(self, number: int, url: str, confidence: int = 50, *, revoked: bool = False) -> None:
        """Have the feed claim a URL, or take it back."""
        self.modified += 1
        said = indicator(
            number, pattern=f"[url:value = '{url}']", confidence=confidence, revoked=revoked
        )
        version = f'"modified": "2026-01-01T00:00:00.{self.modified:06}Z"'.encode()
        self.hand.give(said.replace(b'"modified": "2026-01-01T00:00:00Z"', version))

    def propose(self, scope: Scope = CHANGED) -> Proposal:
        self.hand.refresh()
        return propose(self.output, self.store, scope, self.hand.now)

    def sync(self, scope: Scope = CHANGED) -> ApplyResult:
        applier = Applier(self.store, lambda: self.hand.now, sleep=lambda _seconds: None)
        proposal = self.propose(scope)
        HoldKeeper(self.store, lambda: self.hand.now).keep(proposal)
        return apply(proposal, self.output, applier)

    def comments(self) -> dict[str, FieldValue]:
        return {row: fields["comment"] for row, fields in self.table.rows.items()}

    def marks(self) -> dict[str, LedgerState]:
        sql = "SELECT b.value, l.state FROM ledger l JOIN observables b ON b.number = l.observable"
        return {value: LedgerState(mark) for value, mark in self.hand.rows(sql)}
