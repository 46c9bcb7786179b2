"""How much a target gets at once: by entries, by bytes, by what it refused, and in one unit."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from list_hand import DAY, Hand
from store_samples import indicator

from connector.adapter import (
    ALL_WRITTEN,
    Batch,
    BatchTooLargeError,
    Entry,
    EntryAdapter,
    Held,
    Observable,
    ObservableType,
    Outcomes,
    OutputContext,
    Settings,
    StagedAdapter,
    UnavailableError,
)
from connector.decisions.limits import Limits
from connector.decisions.records import LedgerState
from connector.http.response import HttpResponse
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult
from connector.sync.cycle import apply, propose
from connector.sync.output import Output
from connector.sync.targets.kinds import target_of
from connector.sync.view import CHANGED, EVERYTHING, Scope

MANY = 20


class Options(Settings):
    """None."""


class Table(EntryAdapter[Options]):
    """Rows, and how many each request had."""

    settings_type = Options
    supports = frozenset({ObservableType.IPV4_ADDR})
    batch = Batch(entries=8)

    def __init__(self, settings: Options, context: OutputContext) -> None:
        super().__init__(settings, context)
        self.rows: set[Observable] = set()
        self.requests: list[int] = []
        self.takes = 1000
        self.fits, self.huge = 1000, ""

    def read(self) -> list[Held]:
        return [Held(row) for row in self.rows]

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        self.requests.append(len(entries))
        if len(entries) > self.takes:
            raise BatchTooLargeError(len(entries) - 1)
        if len(entries) > self.fits or self.huge in {entry.value for entry in entries}:
            raise HttpResponse("edge/rows", 413, {}, b"body over 1 MB").error()
        self.rows.update(entry.observable for entry in entries)
        return ALL_WRITTEN

    def remove(self, held: Sequence[Held]) -> Outcomes:
        self.requests.append(len(held))
        self.rows.difference_update(each.observable for each in held)
        return ALL_WRITTEN


class Stage(StagedAdapter[Options]):
    """The same with commits; a session that fails loses what was staged in it."""

    settings_type = Options
    supports = Table.supports
    batch = Batch(entries=4, commit_every=8)

    def __init__(self, settings: Options, context: OutputContext) -> None:
        super().__init__(settings, context)
        self.rows: set[Observable] = set()
        self.staged: set[Observable] | None = None
        self.units: list[int] = []
        self.fails_at: set[int] = set()
        self.commits = 0

    def read(self) -> list[Held]:
        return [Held(row) for row in self.rows]

    def begin(self) -> None:
        assert self.staged is None
        self.staged = set()

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        assert self.staged is not None
        self.staged.update(entry.observable for entry in entries)
        return ALL_WRITTEN

    def remove(self, held: Sequence[Held]) -> Outcomes:
        self.rows.difference_update(each.observable for each in held)
        return ALL_WRITTEN

    def commit(self) -> None:
        assert self.staged is not None
        self.commits += 1
        if self.commits in self.fails_at:
            raise UnavailableError("the commit did not go well")
        self.units.append(len(self.staged))
        self.rows |= self.staged
        self.staged = None

    def abandon(self) -> None:
        self.staged = None


class Site:
    """A list of twenty addresses, and the table that it is kept in."""

    def __init__(self, store: Store, adapter: Table | Stage) -> None:
        self.store, self.hand, self.table = store, Hand(store), adapter
        self.hand.give(*map(indicator, range(1, MANY + 1)))
        self.hand.refresh()
        target = target_of("edge", adapter)
        self.output = Output("edge", self.hand.listing(), target, Limits(), b"setup", DAY)

    def sync(self, scope: Scope = EVERYTHING) -> ApplyResult:
        self.hand.refresh()
        applier = Applier(self.store, lambda: self.hand.now, sleep=lambda _seconds: None)
        proposal = propose(self.output, self.store, scope, self.hand.now)
        return apply(proposal, self.output, applier)

    def marks(self) -> list[int]:
        return [mark for (mark,) in self.hand.rows("SELECT state FROM ledger")]


@pytest.fixture
def site(store: Store) -> Site:
    """Kept in a table of single entries."""
    return Site(store, Table(Options(), OutputContext("edge", Path())))


def test_a_batch_is_bounded_by_its_entries(site: Site) -> None:
    assert site.sync().added == MANY
    assert site.table.requests == [8, 8, 4]


def test_a_batch_is_bounded_by_its_bytes(site: Site) -> None:
    site.table.batch = Batch(entries=8, bytes=40)  # "198.51.100.1" has 12
    assert site.sync().added == MANY
    assert site.table.requests == [3, 3, 2, 3, 3, 2, 3, 1]
    assert len(site.table.rows) == MANY


def test_what_is_larger_than_a_request_by_itself_is_sent_alone(site: Site) -> None:
    site.table.batch = Batch(entries=8, bytes=5)
    assert site.sync().added == MANY
    assert set(site.table.requests) == {1}


def test_what_was_too_large_is_not_tried_again(site: Site) -> None:
    site.table.takes = 3
    site.sync()
    assert site.table.requests[0] == 8
    site.table.requests.clear()
    site.hand.give(*(indicator(n, modified=2, revoked=True) for n in range(1, 11)))
    site.sync(CHANGED)
    assert site.table.requests == [2, 2, 2, 2, 2]


def test_a_request_that_is_too_large_says_so_of_its_batch_and_is_not_repeated(site: Site) -> None:
    site.table.fits = 3
    assert site.sync().added == MANY
    assert site.table.requests == [8, 4, 2, 2, 4, 2, 2, 8, 4, 2, 2, 4, 2, 2, 4, 2, 2]
    site.table.requests.clear()
    site.hand.give(*(indicator(n, modified=2, revoked=True) for n in range(1, 5)))
    site.sync(CHANGED)
    assert site.table.requests == [2, 2], "what fits is kept"


def test_an_entry_that_is_too_large_by_itself_is_refused_with_words_and_makes_no_batch_smaller(
    site: Site,
) -> None:
    site.table.huge = "198.51.100.3"
    done = site.sync()
    assert (done.added, done.rejected) == (MANY - 1, 1)
    told = site.hand.rows("SELECT why FROM ledger WHERE why IS NOT NULL")
    assert told == [
        ("too large for the target by itself: edge/rows: answered 413 Request Entity Too Large: "
         "body over 1 MB",)
    ]  # fmt: skip
    site.table.requests.clear()
    site.hand.give(*(indicator(n, modified=2, revoked=True) for n in range(5, 14)))
    site.sync(CHANGED)
    assert site.table.requests == [8, 1], "the others fit as before"


def test_a_target_that_takes_no_entry_at_all_is_soon_left_alone(site: Site) -> None:
    site.table.fits, site.table.batch = 0, Batch(entries=100)
    with pytest.raises(UnavailableError, match="does not take even a single entry"):
        site.sync()
    assert LedgerState.REJECTED not in site.marks()


def test_a_change_of_the_settings_has_large_batches_tried_again(site: Site) -> None:
    site.table.takes = 3
    site.sync()
    site.output = replace(site.output, setup=b"other")
    site.sync()
    site.table.requests.clear()
    site.hand.give(*(indicator(n, modified=2, revoked=True) for n in range(1, 10)))
    site.sync(CHANGED)
    assert site.table.requests == [8, 1]


def test_a_unit_has_so_many_entries_and_is_done_again_by_itself(store: Store) -> None:
    stage = Stage(Options(), OutputContext("edge", Path()))
    stage.fails_at = {2}
    site = Site(store, stage)
    assert site.sync().added == MANY
    assert stage.units == [8, 8, 4]
    assert set(site.marks()) == {LedgerState.WRITTEN}


def test_what_was_committed_before_a_unit_failed_is_written(store: Store) -> None:
    stage = Stage(Options(), OutputContext("edge", Path()))
    stage.fails_at = {2, 3, 4}
    site = Site(store, stage)
    with pytest.raises(UnavailableError):
        site.sync()
    assert len(stage.rows) == 8
    assert sorted(site.marks()).count(LedgerState.WRITTEN) == 8
    assert site.sync(CHANGED).added == MANY - 8
    assert len(stage.rows) == MANY


class Sessions:
    """The part of a session that the core uses, which notes in which state the stage is used."""

    def __init__(self) -> None:
        self.staging = False

    def stage(self) -> None:
        self.staging = True

    def staged(self) -> None:
        self.staging = False


def test_no_session_is_opened_anew_from_the_beginning_of_a_unit_to_its_commit(store: Store) -> None:
    stage, session, seen = Stage(Options(), OutputContext("edge", Path())), Sessions(), []
    stage.context._sessions.append(session)  # type: ignore[arg-type] # as `logged_in` does
    stage.fails_at = {2}

    def noting(verb: str, act: Callable[..., Any], *given: object) -> Any:
        seen.append((verb, session.staging))
        return act(*given)

    for verb in ("begin", "add", "commit", "abandon"):
        setattr(stage, verb, partial(noting, verb, getattr(stage, verb)))
    Site(store, stage).sync()
    assert {verb for verb, staging in seen if staging} == {"begin", "add", "commit"}
    assert ("abandon", False) in seen
    assert not session.staging


def test_a_plan_is_one_unit_unless_the_adapter_says_otherwise(store: Store) -> None:
    stage = Stage(Options(), OutputContext("edge", Path()))
    stage.batch = Batch(entries=4)
    Site(store, stage).sync()
    assert stage.units == [MANY]
