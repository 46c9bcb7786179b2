"""Exceptions that people add by command, on both kinds of database."""

from datetime import UTC, datetime

import pytest

from connector.store.lists.exceptions import latest_change
from connector.store.store import Store

NOW = 1_795_000_000_000_000
DAY = 86_400_000_000


def add(store: Store, value: str, now: int = NOW, **given):
    facts = {"why": "ours", "ticket": "NET-1", "owner": "ana", "until": None, **given}
    return store.exceptions.add(value, now=now, **facts)


def change(store: Store) -> int:
    with store.database.read() as transaction:
        return latest_change(transaction)


def test_an_exception_is_kept_with_all_that_was_said(store: Store):
    assert add(store, "203.0.113.0/24", until=NOW + DAY) is None
    (row,) = store.exceptions.all()
    assert (row.value, row.why, row.ticket, row.owner) == ("203.0.113.0/24", "ours", "NET-1", "ana")
    (rule,) = store.exceptions.rules(NOW)
    assert (rule.value, rule.why, rule.ticket) == ("203.0.113.0/24", "ours", "NET-1")
    assert rule.until == datetime.fromtimestamp((NOW + DAY) // 1_000_000, UTC)
    assert rule.source == "added by ana"


def test_an_exception_holds_until_its_end_and_no_longer(store: Store):
    add(store, "a.example", until=NOW + DAY)
    assert store.exceptions.rules(NOW + DAY - 1)
    assert store.exceptions.rules(NOW + DAY) == ()
    assert len(store.exceptions.all()) == 1


@pytest.mark.parametrize("again", ["A.example", "*.a.example", "a.example."])
def test_one_value_has_one_exception_however_it_is_written(store: Store, again: str):
    add(store, "a.example")
    before = add(store, again, owner="ben")
    assert before is not None
    assert before.owner == "ana"
    assert [row.owner for row in store.exceptions.all()] == ["ben"]
    history = store.exceptions.all(everything=True)
    assert [(row.owner, row.removed_by) for row in history] == [("ana", "ben"), ("ben", None)]


def test_what_is_removed_protects_nothing_and_stays_on_record(store: Store):
    add(store, "a.example")
    removed = store.exceptions.remove("A.EXAMPLE", by="ben", now=NOW + 1)
    assert removed is not None
    assert store.exceptions.rules(NOW + 1) == ()
    (row,) = store.exceptions.all(everything=True)
    assert (row.removed, row.removed_by) == (NOW + 1, "ben")
    assert store.exceptions.remove("a.example", by="ben", now=NOW + 2) is None


def test_every_change_is_noticed_even_when_the_clock_was_set_back(store: Store):
    seen = [change(store)]
    assert seen == [0]
    add(store, "a.example")
    seen.append(change(store))
    add(store, "b.example", now=NOW - DAY)
    seen.append(change(store))
    store.exceptions.remove("a.example", by="ana", now=NOW - DAY)
    seen.append(change(store))
    assert seen == sorted(set(seen))
    store.exceptions.remove("a.example", by="ana", now=NOW)
    assert change(store) == seen[-1]


def test_what_is_no_value_is_refused(store: Store):
    with pytest.raises(ValueError, match="should be"):
        add(store, "not a value")
    assert store.exceptions.all(everything=True) == []
