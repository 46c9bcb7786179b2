"""Targets that drop the scheme of a URL, or keep a network: tables and whole lists."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
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
from connector.decisions.allowlist.allowlist import Allowlist, ExceptionRule
from connector.decisions.allowlist.groups import BuiltinGroup
from connector.decisions.limits import Limits
from connector.decisions.mapping import compile_mapping, read_mapping
from connector.decisions.records import LedgerState
from connector.instants import to_datetime
from connector.service.holds import HoldKeeper
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult
from connector.sync.cycle import apply, propose
from connector.sync.output import Output
from connector.sync.proposal import Proposal
from connector.sync.targets.kinds import target_of
from connector.sync.view import CHANGED, Scope


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


class Folding(Adapter[Options]):
    """What both have in common."""

    settings_type = Options
    supports = frozenset({ObservableType.URL})
    fields: ClassVar[Mapping[str, FieldSpec]] = {"comment": Text()}
    table: Table

    def held_as(self, observable: Observable) -> Hashable:
        self.table.asked += 1
        return self.row(observable.value)

    def row(self, value: str) -> str:
        return value.partition("://")[2]

    def shown(self, row: str) -> Observable:
        return Observable(ObservableType.URL, f"http://{row}")

    def read(self) -> list[Held]:
        self.table.fail()
        return [
            Held(self.shown(row), fields, handle=f"id of {row}")
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
            self.table.rows[self.row(entry.value)] = dict(entry.fields)
            self.table.events.append(f"add {entry.value}")
        return said

    def remove(self, held: Sequence[Held]) -> Outcomes:
        for each in held:
            self.table.fail()
            self.table.rows.pop(self.row(each.value), None)
            self.table.events.append(f"remove {self.row(each.value)}")
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
            assert self.row(entry.value) not in rows, "one row twice"
            rows[self.row(entry.value)] = dict(entry.fields)
        self.table.rows = rows
        self.table.events.append("publish")
        return said


class Networks(Folding):
    """Rows that are the networks of addresses: 203.0.113.0/24 for each address of it."""

    supports = frozenset({ObservableType.IPV4_ADDR})

    def row(self, value: str) -> str:
        return f"{value.rpartition('.')[0]}.0/24"

    def shown(self, row: str) -> Observable:
        return Observable(ObservableType.IPV4_ADDR, row.replace(".0/24", ".200"))


class NetworkTable(Networks, FoldingTable):
    """A table of networks."""


class NetworkList(Networks, FoldingList):
    """A whole list of networks."""


class Fence:
    """A list of URLs or addresses, and the table that it is kept in."""

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
        self.allowed = self.hand.allowlist

    def say(self, number: int, url: str, confidence: int = 50, *, revoked: bool = False) -> None:
        """Have the feed claim a URL or an address, or take it back."""
        self.modified += 1
        kind = "url" if "://" in url else "ipv4-addr"
        said = indicator(
            number, pattern=f"[{kind}:value = '{url}']", confidence=confidence, revoked=revoked
        )
        version = f'"modified": "2026-01-01T00:00:00.{self.modified:06}Z"'.encode()
        self.hand.give(said.replace(b'"modified": "2026-01-01T00:00:00Z"', version))

    def limited(self, limits: Limits, max_entries: int | None = None) -> Output:
        """Return the output with other limits."""
        return replace(self.output, limits=limits, max_entries=max_entries)

    def observable(self, value: str) -> Observable:
        """Return what an indicator of a value claims."""
        kind = ObservableType.URL if "://" in value else ObservableType.IPV4_ADDR
        return Observable(kind, value)

    def protect(self, *values: str, until: int | None = None) -> None:
        """Have a person protect these values, and nothing else."""
        end = None if until is None else to_datetime(until)
        rules = [ExceptionRule(value, "ours", until=end) for value in values]
        self.hand.allowlist = Allowlist.build(without=tuple(BuiltinGroup), exceptions=rules)
        self.hand.refresh(everything=True)

    def propose(self, scope: Scope = CHANGED) -> Proposal:
        self.hand.refresh()
        moved = self.allowed is not self.hand.allowlist
        return propose(self.output, self.store, replace(scope, held=moved), self.hand.now)

    def sync(self, scope: Scope = CHANGED) -> ApplyResult:
        applier = Applier(self.store, lambda: self.hand.now, sleep=lambda _seconds: None)
        proposal = self.propose(scope)
        HoldKeeper(self.store, lambda: self.hand.now).keep(proposal)
        done = apply(proposal, self.output, applier)
        self.allowed = self.hand.allowlist
        return done

    def comments(self) -> dict[str, FieldValue]:
        return {row: fields["comment"] for row, fields in self.table.rows.items()}

    def marks(self) -> dict[str, LedgerState]:
        sql = "SELECT b.value, l.state FROM ledger l JOIN observables b ON b.number = l.observable"
        return {value: LedgerState(mark) for value, mark in self.hand.rows(sql)}
