"""Entries that are one row at a target are written once, and the row goes with the last."""

import random
from contextlib import suppress
from dataclasses import replace

import pytest
from folding_targets import Fence, FoldingList, FoldingTable

from connector.adapter import Later, Refused
from connector.decisions.limits import Limits
from connector.decisions.records import LedgerState
from connector.errors import UnavailableError
from connector.store.store import Store
from connector.sync.view import CHANGED, EVERYTHING, Scope

PLAIN, TLS, OTHER = "http://bad.example/a", "https://bad.example/a", "https://bad.example/b"
ROW = "bad.example/a"
WRITTEN = LedgerState.WRITTEN
both_scopes = pytest.mark.parametrize("scope", [CHANGED, EVERYTHING])


def settled(fence: Fence, scope: Scope = EVERYTHING) -> bool:
    """Whether nothing is left to write."""
    plan = fence.propose(scope).plan
    return not (plan.add or plan.update or plan.remove or plan.drifted)


@pytest.fixture(params=[FoldingTable, FoldingList])
def fence(request: pytest.FixtureRequest, store: Store) -> Fence:
    """Two URLs that are one row; the second ranks higher."""
    fence = Fence(store, request.param)
    fence.say(1, PLAIN, 40)
    fence.say(2, TLS, 80)
    fence.sync()
    return fence


@pytest.fixture
def table(store: Store) -> Fence:
    """The same, at a table of single entries."""
    fence = Fence(store, FoldingTable)
    fence.say(1, PLAIN, 40)
    fence.say(2, TLS, 80)
    fence.sync()
    fence.table.events.clear()
    return fence


@both_scopes
def test_the_best_ranked_is_written_once_and_both_are_written(fence: Fence, scope: Scope) -> None:
    assert fence.comments() == {ROW: TLS}
    assert fence.marks() == {PLAIN: WRITTEN, TLS: WRITTEN}
    assert settled(fence, scope)


@both_scopes
def test_the_row_stays_while_another_wants_it_and_goes_with_the_last(
    fence: Fence, scope: Scope
) -> None:
    fence.say(1, PLAIN, revoked=True)
    assert fence.sync(scope).removed == 1
    assert fence.comments() == {ROW: TLS}
    assert fence.marks() == {TLS: WRITTEN}
    fence.say(2, TLS, revoked=True)
    assert fence.sync(scope).removed == 1
    assert fence.comments() == {}
    assert fence.marks() == {}


@both_scopes
def test_where_the_one_that_carries_it_goes_the_row_gets_the_fields_of_the_next(
    fence: Fence, scope: Scope
) -> None:
    fence.table.events.clear()
    fence.say(2, TLS, revoked=True)
    fence.sync(scope)
    assert fence.comments() == {ROW: PLAIN}
    assert fence.marks() == {PLAIN: WRITTEN}
    assert "remove" not in " ".join(fence.table.events)
    assert settled(fence)


def test_a_row_takes_one_place_of_a_target_that_is_full(store: Store) -> None:
    fence = Fence(store, FoldingTable)
    fence.output = replace(fence.output, max_entries=2)
    for number, url in enumerate((PLAIN, TLS, OTHER, "https://bad.example/c"), 1):
        fence.say(number, url, 90 - number)
    fence.sync()
    assert fence.comments() == {ROW: PLAIN, "bad.example/b": OTHER}
    assert fence.marks()["https://bad.example/c"] is LedgerState.OVER_CAPACITY
    assert settled(fence)


@both_scopes
def test_a_better_one_takes_the_row_over(fence: Fence, scope: Scope) -> None:
    fence.say(1, PLAIN, 90)
    fence.sync(scope)
    assert fence.comments() == {ROW: PLAIN}
    assert settled(fence)


def test_what_joins_a_row_that_is_there_has_nothing_written(table: Fence) -> None:
    table.say(3, "ftp://bad.example/a", 10)
    assert table.sync().added == 1
    assert table.table.events == []
    assert table.marks()["ftp://bad.example/a"] is WRITTEN
    assert settled(table)


def test_a_row_of_others_is_left_to_them_whatever_it_is_called(store: Store) -> None:
    fence = Fence(store, FoldingTable)
    fence.table.rows[ROW] = {"comment": "by hand"}
    fence.say(1, TLS)
    fence.sync()
    fence.say(2, PLAIN)
    fence.sync()
    fence.sync(EVERYTHING)
    assert fence.marks() == {PLAIN: LedgerState.FOREIGN, TLS: LedgerState.FOREIGN}
    fence.say(1, TLS, revoked=True)
    fence.say(2, PLAIN, revoked=True)
    fence.sync()
    assert fence.comments() == {ROW: "by hand"}


def test_a_row_in_another_spelling_on_a_list_of_ours_is_no_drift(fence: Fence) -> None:
    fence.say(1, PLAIN, revoked=True)
    fence.sync()  # read() calls the row http://, and only https:// is wanted
    proposal = fence.propose(EVERYTHING)
    assert not any(proposal.drift)
    assert settled(fence)


@both_scopes
@pytest.mark.parametrize("kind", [FoldingTable, FoldingList])
def test_what_is_refused_is_refused_for_all_of_the_row(
    store: Store, kind: type[FoldingTable], scope: Scope
) -> None:
    fence = Fence(store, kind)
    fence.table.said = lambda _entry: Refused("no")
    fence.say(1, PLAIN, 40)
    fence.say(2, TLS, 80)
    fence.sync(scope)
    assert fence.marks() == dict.fromkeys((PLAIN, TLS), LedgerState.REJECTED)
    assert fence.comments() == {}


def test_a_row_of_which_the_next_one_is_refused_goes_with_the_one_it_was_for(store: Store) -> None:
    fence = Fence(store, FoldingTable)
    fence.say(2, TLS, 80)
    fence.sync()
    fence.table.said = lambda entry: Refused("no") if entry.value == PLAIN else None
    fence.say(1, PLAIN, 90)
    fence.say(2, TLS, revoked=True)
    fence.sync()
    assert fence.comments() == {}
    assert fence.marks() == {PLAIN: LedgerState.REJECTED}


def test_a_row_of_which_the_next_one_waits_stays_until_that_is_known(store: Store) -> None:
    fence = Fence(store, FoldingTable)
    fence.say(2, TLS, 80)
    fence.sync()
    fence.table.said = lambda _entry: Later("busy")
    fence.say(1, PLAIN, 90)
    fence.say(2, TLS, revoked=True)
    fence.sync()
    assert ROW in fence.comments()
    fence.table.said = lambda _entry: None
    fence.sync()
    assert fence.comments() == {ROW: PLAIN}
    assert fence.marks() == {PLAIN: WRITTEN}


@pytest.mark.parametrize("kind", [FoldingTable, FoldingList])
def test_a_removal_that_waits_for_a_person_keeps_the_row(
    store: Store, kind: type[FoldingTable]
) -> None:
    fence = Fence(store, kind, Limits(max_remove=0))
    fence.say(1, PLAIN, 40)
    fence.say(2, TLS, 80)
    fence.sync()
    fence.say(1, PLAIN, revoked=True)
    fence.say(2, TLS, revoked=True)
    fence.sync()
    fence.sync(EVERYTHING)
    assert fence.comments() == {ROW: TLS} or kind is FoldingList
    assert set(fence.comments()) == {ROW}
    assert fence.marks() == {PLAIN: WRITTEN, TLS: WRITTEN}
    fence.table.rows.clear()  # the target forgot everything
    fence.sync(EVERYTHING)
    assert set(fence.table.rows) == {ROW}
    assert fence.marks() == {PLAIN: WRITTEN, TLS: WRITTEN}
    assert fence.propose(EVERYTHING).plan.empty


@pytest.mark.parametrize("kind", [FoldingTable, FoldingList])
def test_an_addition_that_waits_for_a_person_gives_the_row_no_fields(
    store: Store, kind: type[FoldingTable]
) -> None:
    fence = Fence(store, kind, Limits(max_add=0))
    fence.say(1, PLAIN, 40)
    fence.sync()
    fence.say(2, TLS, 80)
    fence.sync()
    fence.sync()
    assert fence.comments() == {ROW: PLAIN}
    assert fence.marks() == {PLAIN: WRITTEN}
    assert settled(fence, CHANGED)


def test_a_changed_cycle_asks_for_the_rows_of_what_changed_alone(store: Store) -> None:
    table = Fence(store, FoldingTable)
    table.say(1, PLAIN, 40)
    table.say(2, TLS, 80)
    for number in range(10, 300):
        table.say(number, f"https://host{number}.example/x")
    table.sync()
    table.table.asked = 0
    table.say(2, TLS, revoked=True)
    table.sync()
    assert table.comments()[ROW] == PLAIN
    assert table.table.asked < 20


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", [FoldingTable, FoldingList])
def test_whatever_happens_the_rows_are_those_of_what_is_wanted(
    store: Store, kind: type[FoldingTable], seed: int
) -> None:
    """Claims come and go, targets fail half-way; after a good cycle all is as it should be."""
    fence, dice = Fence(store, kind), random.Random(seed)  # noqa: S311 - a test
    urls = [f"{scheme}://bad.example/{path}" for path in "abc" for scheme in ("http", "https")]
    said: dict[str, int] = {}
    by: dict[str, int] = {}
    for turn in range(12):
        for at in range(dice.randint(1, 4)):
            url, confidence = dice.choice(urls), dice.choice([20, 50, 90])
            if url in said and dice.random() < 0.6:
                fence.say(by[url], url, said.pop(url), revoked=True)
                continue
            if url not in said:  # what was revoked never comes back
                by[url] = 10 * turn + at + 1
            said[url] = confidence
            fence.say(by[url], url, confidence)
        scope = dice.choice([CHANGED, CHANGED, EVERYTHING])
        if dice.random() < 0.4:
            works = [None] * dice.randrange(4)
            fence.table.faults = [*works, *[UnavailableError("gone")] * 3]
            with suppress(UnavailableError):
                fence.sync(dice.choice([CHANGED, EVERYTHING]))
            fence.table.faults = []
        fence.sync(scope)
        assert_in_step(fence, said)


def assert_in_step(fence: Fence, said: dict[str, int]) -> None:
    rows: dict[str, list[str]] = {}
    for url in said:
        rows.setdefault(url.partition("://")[2], []).append(url)
    assert fence.marks() == dict.fromkeys(said, WRITTEN)
    comments = fence.comments()
    assert comments.keys() == rows.keys()
    for row, urls in rows.items():
        best = max(said[url] for url in urls)
        assert said[str(comments[row])] == best
    assert settled(fence)
