"""A target's row that would stop what the allowlist protects is not written, whoever wants it."""

import pytest
from folding_targets import Fence, FoldingList, FoldingTable, NetworkList, NetworkTable

from connector.decisions.allowlist.allowlist import Protection
from connector.decisions.limits import Limits
from connector.decisions.records import LedgerState
from connector.model import Observable, Reason
from connector.store import evidence, queries
from connector.store.store import Store
from connector.sync.row_guard import RowGuard
from connector.sync.view import CHANGED, EVERYTHING, Scope

BAD, WORSE, FAR, GOOD = "203.0.113.9", "203.0.113.10", "192.0.2.9", "203.0.113.8"
ROW, FAR_ROW = "203.0.113.0/24", "192.0.2.0/24"
WRITTEN, PROTECTED = LedgerState.WRITTEN, LedgerState.PROTECTED
both_scopes = pytest.mark.parametrize("scope", [CHANGED, EVERYTHING])


@pytest.fixture(params=[NetworkTable, NetworkList])
def fence(request: pytest.FixtureRequest, store: Store) -> Fence:
    """Three addresses in two networks, at a target that keeps networks."""
    fence = Fence(store, request.param)
    fence.say(1, BAD)
    fence.say(2, WORSE)
    fence.say(3, FAR)
    return fence


def rows(fence: Fence) -> list[str]:
    return sorted(fence.table.rows)


def settled(fence: Fence) -> bool:
    plan = fence.propose(EVERYTHING).plan
    return not (plan.add or plan.update or plan.remove or plan.drifted)


def test_a_row_that_covers_a_protected_address_is_not_written(fence: Fence) -> None:
    fence.protect(GOOD)  # no feed knows it
    fence.sync()
    assert rows(fence) == [FAR_ROW]
    assert fence.marks() == {BAD: PROTECTED, WORSE: PROTECTED, FAR: WRITTEN}
    assert settled(fence)


@both_scopes
def test_a_row_that_stands_goes_once_an_address_of_it_is_protected(
    fence: Fence, scope: Scope
) -> None:
    fence.sync()
    assert rows(fence) == [FAR_ROW, ROW]
    fence.output = fence.limited(Limits(max_remove_ratio=0.1, small=0))
    fence.protect(GOOD)
    assert fence.sync(scope).removed == 2  # which is never held
    assert rows(fence) == [FAR_ROW]
    assert settled(fence)


@both_scopes
def test_a_row_comes_back_when_nobody_protects_it_any_more(fence: Fence, scope: Scope) -> None:
    fence.protect(GOOD)
    fence.sync()
    fence.protect()
    fence.sync(scope)
    assert rows(fence) == [FAR_ROW, ROW]
    assert fence.marks() == {BAD: WRITTEN, WORSE: WRITTEN, FAR: WRITTEN}


@pytest.mark.both_databases
def test_a_row_comes_back_when_the_protection_ends_by_its_time(fence: Fence) -> None:
    fence.protect(GOOD, until=fence.hand.now + 10)
    fence.sync()
    fence.sync()
    assert rows(fence) == [FAR_ROW]
    fence.hand.now += 10
    fence.sync()
    assert rows(fence) == [FAR_ROW, ROW]


def test_what_is_wanted_later_of_a_protected_row_is_not_written_either(fence: Fence) -> None:
    fence.protect(GOOD)
    fence.sync()
    fence.say(4, "203.0.113.11")
    fence.sync()
    assert rows(fence) == [FAR_ROW]
    assert fence.marks()["203.0.113.11"] is PROTECTED


@pytest.mark.parametrize("value", ["203.0.113.0/28", "203.0.112.0/22", ROW])
def test_a_row_is_protected_by_what_lies_in_it_and_by_what_it_lies_in(
    fence: Fence, value: str
) -> None:
    fence.protect(value)
    fence.sync()
    assert rows(fence) == [FAR_ROW]


def test_one_of_two_claimed_addresses_of_a_row_is_protected(fence: Fence) -> None:
    fence.protect(WORSE)
    fence.sync()
    assert rows(fence) == [FAR_ROW]
    assert fence.marks() == {BAD: PROTECTED, FAR: WRITTEN}


def test_a_removal_that_waits_for_a_person_goes_once_its_row_is_protected(fence: Fence) -> None:
    fence.output = fence.limited(Limits(max_remove_ratio=0.1, small=0))
    fence.sync()
    fence.say(1, BAD, revoked=True)
    fence.say(2, WORSE, revoked=True)
    fence.sync()
    assert rows(fence) == [FAR_ROW, ROW]  # held
    fence.protect(GOOD)
    fence.sync()
    assert rows(fence) == [FAR_ROW]


def test_status_counts_it_as_allowlisted_and_the_ledger_says_why(fence: Fence) -> None:
    fence.protect(GOOD)
    fence.sync()
    with fence.store.database.read() as transaction:
        row = queries.output_rows(transaction)["edge"]
        listed = {Reason.WANTED: 3}
        assert queries.output_reasons(transaction, row, listed) == {
            Reason.ALLOWLISTED: 2,
            Reason.WRITTEN: 1,
        }
        known = fence.store.wanted.numbers_of(transaction, [fence.observable(BAD)])
        found = evidence.entry_of(transaction, row.number, *known.values())
    assert found is not None
    assert found.why == (
        "the target keeps it as 203.0.113.0/24, which would stop more: exception protects "
        "203.0.113.8"
    )


@pytest.mark.both_databases
def test_the_words_follow_who_protects_it_now(fence: Fence) -> None:
    fence.protect(GOOD)
    fence.sync()
    fence.protect("203.0.113.64/28", until=fence.hand.now + 50)
    fence.sync()
    [(why, ends)] = fence.hand.rows("SELECT DISTINCT why, ends FROM ledger WHERE state = 10")
    assert why.endswith("203.0.113.64/28")
    assert ends == fence.hand.now + 50


def test_the_audit_says_that_a_row_went_for_the_allowlist(fence: Fence) -> None:
    fence.sync()
    fence.protect(GOOD)
    fence.sync()
    told = fence.hand.rows("SELECT entries FROM audit WHERE action = 'remove'")
    assert [b"allowlisted" in bytes(text) for (text,) in told] == [True]


def test_a_protected_row_takes_no_room_of_a_full_target(fence: Fence) -> None:
    fence.output = fence.limited(Limits(), max_entries=1)
    fence.say(3, FAR, 10)
    fence.protect(GOOD)
    fence.sync()
    assert rows(fence) == [FAR_ROW]


def test_a_cycle_asks_of_what_changed_only(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Observable] = []
    ask = RowGuard.protection

    def protection(self: RowGuard, observable: Observable) -> Protection | None:
        asked.append(observable)
        return ask(self, observable)

    monkeypatch.setattr(RowGuard, "protection", protection)
    fence = Fence(store, NetworkTable)
    for number in range(60):
        fence.say(number + 1, f"203.0.{number}.9")
    fence.protect("203.0.7.1")
    fence.sync()
    fence.say(100, BAD)
    asked.clear()
    fence.sync()
    assert set(asked) == {fence.observable(BAD)}


@pytest.mark.parametrize("kind", [FoldingTable, FoldingList])
def test_a_row_whose_text_is_another_spelling_of_what_a_person_protects(
    store: Store, kind: type[FoldingTable | FoldingList], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "row", lambda _self, value: value.upper().partition("://")[2][::-1])
    monkeypatch.setattr(kind, "shown", lambda _self, row: fence.observable("http://" + row[::-1]))
    fence = Fence(store, kind)
    fence.say(1, "http://shared.example/login/bad")
    fence.protect("shared.example/Login/Bad")
    fence.sync()
    assert rows(fence) == []
