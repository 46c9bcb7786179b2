"""Rows that an older copy of a target brings back are removed again; those of others are not."""

import pytest
from folding_targets import Fence, FoldingTable

from connector.adapter import Held
from connector.decisions.records import LedgerState
from connector.store.store import Store
from connector.sync.apply import Applier
from connector.sync.view import EVERYTHING
from connector.sync.withdrawal import remove_all

PLAIN, TLS, FTP = "http://bad.example/a", "https://bad.example/a", "ftp://bad.example/a"
OTHER = "https://bad.example/b"
ROW, OTHER_ROW = "bad.example/a", "bad.example/b"
WRITTEN, FOREIGN = LedgerState.WRITTEN, LedgerState.FOREIGN


@pytest.fixture
def fence(store: Store) -> Fence:
    """Two URLs that are one row and one of another, of which the first two are gone by now."""
    fence = Fence(store, FoldingTable)
    fence.say(1, PLAIN, 40)
    fence.say(2, TLS, 80)
    fence.say(3, OTHER)
    fence.sync()
    fence.older = dict(fence.table.rows)
    fence.say(2, TLS, revoked=True)
    fence.sync()
    fence.older_by_one = dict(fence.table.rows)
    fence.say(1, PLAIN, revoked=True)
    fence.sync(EVERYTHING)
    assert list(fence.table.rows) == [OTHER_ROW]
    return fence


@pytest.fixture
def mute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that shows no fields."""

    def read(self: FoldingTable) -> list[Held]:
        return [Held(self.shown(row)) for row in self.table.rows]

    monkeypatch.setattr(FoldingTable, "read", read)


@pytest.mark.parametrize("which", ["older", "older_by_one"])
def test_a_row_that_an_older_copy_brings_back_is_removed_again(fence: Fence, which: str) -> None:
    fence.table.rows = dict(getattr(fence, which))
    proposal = fence.propose(EVERYTHING)
    assert proposal.drift.foreign == 1
    fence.sync(EVERYTHING)
    assert list(fence.table.rows) == [OTHER_ROW]
    assert fence.marks() == {OTHER: WRITTEN}
    assert fence.propose(EVERYTHING).plan.empty


@pytest.mark.both_databases
def test_it_is_removed_under_the_name_that_the_target_gives_it_now(fence: Fence) -> None:
    handles: list[str] = []
    remove = FoldingTable.remove

    def removed(self, held):
        handles.extend(one.handle for one in held)
        return remove(self, held)

    fence.output.adapter.remove = removed.__get__(fence.output.adapter)
    fence.table.rows = dict(fence.older)
    fence.sync(EVERYTHING)
    assert handles == [f"id of {ROW}"]


def test_a_row_that_others_put_there_with_fields_of_theirs_stays(fence: Fence) -> None:
    fence.table.rows[ROW] = {"comment": "by hand"}
    fence.sync(EVERYTHING)
    assert fence.table.rows[ROW] == {"comment": "by hand"}


@pytest.mark.usefixtures("mute")
def test_where_a_target_shows_no_fields_a_row_is_ours_only_if_ours_are_lost_too(
    fence: Fence,
) -> None:
    fence.table.rows[ROW] = {}
    fence.sync(EVERYTHING)
    assert ROW in fence.table.rows
    fence.table.rows = {ROW: {}}  # and what came after that copy is missing
    fence.sync(EVERYTHING)
    assert list(fence.table.rows) == [OTHER_ROW]


def test_a_row_that_something_else_of_ours_is_did_not_come_back(store: Store) -> None:
    fence = Fence(store, FoldingTable)
    fence.say(1, PLAIN, 40)
    fence.say(2, TLS, 80)
    fence.sync()
    fence.say(2, TLS, revoked=True)
    fence.sync()
    proposal = fence.propose(EVERYTHING)
    assert proposal.plan.empty
    assert not any(proposal.drift)
    assert list(fence.table.rows) == [ROW]


@pytest.mark.both_databases
def test_a_row_that_came_back_is_ours_for_another_that_wants_it_now(fence: Fence) -> None:
    fence.table.rows = dict(fence.older)
    fence.say(4, FTP, 90)
    fence.sync(EVERYTHING)
    assert fence.marks() == {OTHER: WRITTEN, FTP: WRITTEN}
    assert fence.comments() == {OTHER_ROW: OTHER, ROW: FTP}
    fence.say(4, FTP, revoked=True)
    fence.sync()
    assert list(fence.table.rows) == [OTHER_ROW]


def test_a_row_known_to_be_of_others_is_not_taken_for_ours(fence: Fence) -> None:
    fence.table.rows = dict(fence.older)
    fence.say(4, FTP, 90)
    fence.sync()  # the target was not read, so what is there counts as put there by others
    assert fence.marks()[FTP] is FOREIGN
    fence.sync(EVERYTHING)
    assert fence.marks()[FTP] is FOREIGN
    assert ROW in fence.table.rows


@pytest.mark.both_databases
def test_a_place_that_is_given_up_is_cleaned_by_the_row(fence: Fence) -> None:
    fence.say(5, FTP)
    fence.say(6, TLS)
    fence.table.rows["theirs.example/"] = {}
    fence.sync()
    applier = Applier(fence.store, lambda: fence.hand.now, sleep=lambda _seconds: None)
    number = fence.propose().state.number
    assert remove_all("edge", number, fence.output.target, applier) == 3
    assert list(fence.table.rows) == ["theirs.example/"]
