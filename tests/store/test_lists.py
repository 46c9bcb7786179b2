"""Lists: what moves an entry, what is counted, and that changed comes to the same as everything."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from list_hand import DAY, START, Hand
from store_samples import STRANGER, at, indicator

from connector.decisions.decide import Decision
from connector.decisions.records import CODES
from connector.instants import NEVER
from connector.model import Purpose, Reason, RuleLanguage
from connector.store.lists.lists import CHUNK
from connector.store.lists.reason_blocks import BLOCK
from connector.store.lists.suppressions import by_protector
from connector.store.store import Store
from connector.store.tallies import LIST_TALLY, tallies
from connector.sync.listing import Chunk


@pytest.fixture
def hand(store: Store) -> Hand:
    return Hand(store)


def test_a_first_refresh_lists_what_is_wanted(hand: Hand) -> None:
    hand.give(indicator(1), indicator(2), indicator(3, revoked=True))
    done = hand.refresh(everything=True)
    assert (done.added, done.removed, done.changed) == (2, 0, 0)
    assert set(hand.wanted()) == {"198.51.100.1", "198.51.100.2"}
    assert hand.counts() == {Reason.WANTED: 2, Reason.REVOKED: 1}
    assert hand.seq == 1


def test_a_refresh_without_news_changes_nothing(hand: Hand) -> None:
    hand.give(indicator(1), indicator(2, valid_until=at(20)))
    hand.refresh(everything=True)
    before = hand.rows("SELECT * FROM entries ORDER BY observable")
    for everything in (False, True):
        hand.now += 1
        done = hand.refresh(everything=everything)
        assert (done.added, done.removed, done.changed) == (0, 0, 0)
    assert hand.rows("SELECT * FROM entries ORDER BY observable") == before
    assert hand.seq == 1


def test_a_changed_refresh_considers_only_what_was_touched(hand: Hand) -> None:
    hand.give(*(indicator(number) for number in range(1, 201)))
    hand.refresh(everything=True)
    hand.give(indicator(7, modified=2), indicator(201))
    done = hand.refresh()
    assert (done.added, done.changed, done.considered) == (1, 1, 2)


def test_only_what_targets_see_moves_the_sequence_number(hand: Hand) -> None:
    hand.give(indicator(1, confidence=80))
    hand.refresh()
    hand.give(indicator(2, hosts=(1,), confidence=10))
    done = hand.refresh()
    assert (done.added, done.changed, hand.seq) == (0, 0, 1), "another claim carries it"
    hand.give(indicator(2, hosts=(1,), confidence=90, modified=2))
    done = hand.refresh()
    assert (done.changed, hand.seq) == (1, 2), "a better claim carries it now"
    hand.give(indicator(2, modified=3, revoked=True))
    hand.refresh()
    assert hand.seq == 3
    assert hand.counts() == {Reason.WANTED: 1, Reason.REVOKED: 1}


def test_time_alone_brings_and_takes_entries(hand: Hand) -> None:
    hand.give(indicator(1, valid_from=at(5), valid_until=at(9)))
    seen = []
    for day in range(3, 12):
        hand.now = START + (day - 1) * DAY
        done = hand.refresh()
        seen.append((day, done.added, done.removed))
    assert [each for each in seen if any(each[1:])] == [(5, 1, 0), (9, 0, 1)]
    assert hand.counts() == {Reason.EXPIRED: 1}


def test_since_is_when_an_entry_came_or_left(hand: Hand) -> None:
    def since() -> int:
        return int(hand.rows("SELECT since FROM entries")[0][0])

    hand.give(indicator(1))
    hand.refresh()
    came = since()
    hand.now += DAY
    hand.give(indicator(1, modified=2))
    hand.refresh()
    assert since() == came
    hand.now += DAY
    hand.give(indicator(1, modified=3, revoked=True))
    hand.refresh()
    assert since() == came + 2 * DAY


def test_an_observable_that_nothing_claims_any_more_leaves(hand: Hand) -> None:
    hand.give(indicator(1, hosts=(1, 2)))
    hand.refresh()
    hand.give(indicator(1, modified=2, hosts=(2,)))
    done = hand.refresh()
    assert (done.removed, done.changed) == (1, 1)
    assert set(hand.wanted()) == {"198.51.100.2"}
    assert hand.counts() == {Reason.WANTED: 1}
    assert hand.rows("SELECT reason FROM entries WHERE wanted = 0") == [
        (CODES[Reason.WITHDRAWN],),
    ]  # fmt: skip
    hand.assert_counted()


def test_what_never_was_wanted_and_never_will_be_has_no_row(hand: Hand) -> None:
    hand.give(indicator(1, revoked=True), indicator(2, confidence=0))
    hand.refresh()
    assert hand.rows("SELECT count(*) FROM entries") == [(0,)]
    assert hand.counts() == {Reason.REVOKED: 1, Reason.DESELECTED: 1}


def test_claims_without_observable_are_counted_and_taken_out_of_the_count(hand: Hand) -> None:
    pcre = {"pattern": "x+", "pattern_type": "pcre"}
    hand.give(indicator(1, **pcre), indicator(2), b"not json")
    hand.refresh()
    expected = {Reason.UNSUPPORTED_PATTERN: 1, Reason.WANTED: 1, Reason.UNREADABLE: 1}
    assert hand.counts() == expected
    hand.refresh(everything=True)
    assert hand.counts() == expected
    hand.give(indicator(1, modified=2))
    hand.refresh()
    assert hand.counts() == {Reason.WANTED: 2, Reason.UNREADABLE: 1}
    hand.assert_counted()


def test_rules_are_decided_for_a_list_that_takes_them(hand: Hand) -> None:
    yara = {"pattern": "rule x {condition: true}", "pattern_type": "yara"}
    sigma = {"pattern": "title: x", "pattern_type": "sigma"}
    hand.rules = frozenset([RuleLanguage.YARA])
    hand.give(indicator(1, **yara), indicator(2, **sigma), indicator(3), indicator(4, **yara))
    hand.refresh()
    assert hand.counts() == {Reason.WANTED: 3, Reason.UNSUPPORTED_PATTERN: 1}
    [first, other] = [value for value in hand.wanted() if value.startswith("indicator--")]
    before = hand.wanted()[first]
    hand.give(indicator(1, modified=2, **{**yara, "pattern": "rule y {condition: true}"}))
    assert hand.refresh().changed == 1
    assert hand.wanted()[first][2] != before[2], "a new version is news for whoever holds it"
    hand.give(indicator(4, modified=2, revoked=True, **yara))
    assert hand.refresh().removed == 1
    assert other not in hand.wanted()
    assert hand.counts()[Reason.REVOKED] == 1
    hand.assert_counted()
    hand.rules = frozenset()
    hand.refresh(everything=True)
    assert hand.counts() == {Reason.WANTED: 1, Reason.UNSUPPORTED_PATTERN: 3}
    hand.assert_counted()


def test_a_list_knows_whether_it_has_seen_the_latest_rules(hand: Hand) -> None:
    yara = {"pattern": "rule x {condition: true}", "pattern_type": "yara"}
    hand.rules = frozenset([RuleLanguage.YARA])
    hand.give(indicator(1, **yara))
    hand.refresh()

    def decided() -> bool:
        with hand.store.database.read() as transaction:
            return hand.store.wanted.rules_are_decided(transaction, hand.number)

    assert decided()
    hand.give(indicator(2))
    assert decided(), "an observable has no text that could have changed"
    hand.give(indicator(1, modified=2, **yara))
    assert not decided()
    hand.refresh()
    assert decided()


def test_a_rule_is_read_as_the_object_says_it_that_carries_the_entry(hand: Hand) -> None:
    yara = {"pattern": "rule x {condition: true}", "pattern_type": "yara"}
    hand.rules = frozenset([RuleLanguage.YARA])
    given = indicator(1, **yara), indicator(2)
    hand.give(*given)
    hand.refresh()
    claims = [claim for claim, _rank, _stamp in hand.wanted().values()]
    with hand.store.database.read() as transaction:
        found = hand.store.originals_of_claims(transaction, claims)
    assert sorted(found.values()) == sorted(given)


def test_a_large_list_is_decided_in_chunks_and_blocks(store: Store) -> None:
    hand = Hand(store)
    size = CHUNK + BLOCK + 100
    raw = [
        indicator(number, pattern=f"[ipv4-addr:value = '10.{number >> 16}.{number >> 8 & 255}."
                                  f"{number & 255}']")
        for number in range(size)
    ]  # fmt: skip
    hand.give(*raw)
    assert hand.refresh(everything=True).added == size
    assert hand.seq > 1, "more than one transaction"
    hand.assert_counted()
    hand.give(*(indicator(number, modified=2, revoked=True) for number in range(0, size, 2)))
    assert hand.refresh().removed == (size + 1) // 2
    hand.assert_counted()
    assert hand.counts() == {Reason.WANTED: size // 2, Reason.REVOKED: (size + 1) // 2}


def test_what_protects_is_told_right_after_a_chunk_that_failed(hand: Hand) -> None:
    hand.give(*(indicator(number) for number in range(1, 4)))
    groups = ["files", "files"]

    def protected(chunk: Chunk) -> Iterator[Decision]:
        """Protect all, each by the next group; fail where there is none."""
        code = bytes([CODES[Reason.ALLOWLISTED]])
        for _observable, claims in chunk:
            if not groups:
                raise KeyError("no group")
            yield Decision(code * len(claims), None, 0, NEVER, protector=groups.pop(0))

    def refresh() -> None:
        hand.store.lists.refresh(hand.number, protected, everything=True, now=hand.now)

    with pytest.raises(KeyError, match="no group"):
        refresh()
    groups[:] = ["builtin", "builtin", "files"]
    refresh()
    with hand.store.database.read() as transaction:
        counted = tallies(transaction, LIST_TALLY, hand.number)
        told = by_protector(transaction, counted)
    assert told == {"builtin": 2, "files": 1}


def test_departures_are_forgotten_when_every_list_has_passed_them(hand: Hand) -> None:
    second = Hand(hand.store, name="watch", purpose=Purpose.WATCH)
    departures = "SELECT claim FROM departures ORDER BY claim"
    hand.give(indicator(1, hosts=(1, 2, 3)))
    hand.refresh()
    second.refresh()
    hand.give(indicator(1, modified=2, hosts=(4,)))
    hand.refresh()
    hand.give(indicator(2))
    hand.refresh()
    assert len(hand.rows(departures)) == 3, "the other list has not passed"
    second.refresh()
    second.assert_counted()
    hand.give(indicator(3))
    hand.refresh()
    second.refresh()
    assert hand.rows(departures) == [(3,)], "the latest keeps numbers fresh"
    hand.assert_counted()


def test_a_list_that_the_file_names_no_more_leaves_nothing_and_keeps_nothing(hand: Hand) -> None:
    hand.run(b"unreadable", indicator(1))
    hand.refresh()
    second = Hand(hand.store, name="watch")
    second.refresh()
    assert hand.store.lists.retire(["watch"]) == ["perimeter"]
    assert hand.store.lists.retire(["watch"]) == []
    for table, column in (("entries", "list"), ("buckets", "list"), ("tallies", "owner")):
        assert hand.rows(f"SELECT * FROM {table} WHERE {column} = 1") == []  # noqa: S608 - our own tables
    for turn in range(3):
        hand.run(b"unreadable" * (turn + 2), indicator(1))
        second.refresh()
    assert len(hand.rows("SELECT * FROM departures")) == 1, "the latest keeps numbers fresh"
    second.assert_counted()
    assert set(second.wanted()) == {"198.51.100.1"}


def test_a_list_that_comes_back_is_decided_as_new_and_news_to_its_outputs(hand: Hand) -> None:
    hand.run(b"unreadable", indicator(1), indicator(2))
    hand.refresh()
    seq = hand.seq
    hand.store.lists.retire([])
    second = Hand(hand.store, name="watch")
    hand.run(indicator(1), indicator(2))
    second.refresh()
    hand.refresh(everything=True)
    hand.assert_counted()
    assert set(hand.wanted()) == {"198.51.100.1", "198.51.100.2"}
    assert hand.seq > seq
    hand.give(indicator(3))
    hand.refresh()
    hand.assert_counted()


def test_a_restart_finds_nothing_changed(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/c.db")
    store.database.migrate()
    hand = Hand(store)
    hand.give(indicator(1), indicator(2, confidence=5), indicator(3, valid_until=at(20)))
    code = (
        "import sys; from pathlib import Path; "
        f"sys.path.insert(0, {str(Path(__file__).parent)!r}); "
        "from list_hand import Hand, Store; "
        f"print(Hand(Store('sqlite:///{tmp_path}/c.db')).refresh(everything=True).added)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert ran.stdout == b"3\n"
    done = hand.refresh(everything=True)
    assert (done.added, done.removed, done.changed) == (0, 0, 0)
    store.close()


steps = st.one_of(
    st.tuples(
        st.just("page"),
        st.lists(
            st.fixed_dictionaries(
                {
                    "number": st.integers(1, 6),
                    "modified": st.integers(1, 9),
                    "hosts": st.sets(st.integers(1, 8), min_size=1, max_size=3).map(tuple),
                    "revoked": st.sampled_from([False, False, False, True]),
                    "confidence": st.sampled_from([None, 0, 30, 90]),
                    "valid_from": st.sampled_from([at(1), at(4)]),
                    "valid_until": st.sampled_from([None, at(5), at(8)]),
                    "by": st.sampled_from(["identity--a", "identity--a", STRANGER]),
                }
            ),
            max_size=4,
        ),
    ),
    st.tuples(st.just("run"), st.sets(st.integers(1, 6))),
    st.tuples(st.just("yara"), st.integers(1, 9)),
    st.tuples(st.just("pcre"), st.integers(1, 9)),
    st.tuples(st.just("broken"), st.integers(1, 3)),
    st.tuples(st.just("wait"), st.integers(1, 3)),
    st.tuples(st.just("refresh"), st.booleans()),
)


def act(hand: Hand, verb: str, what: Any) -> None:
    if verb == "page":
        hand.give(*(indicator(**each) for each in what))
    elif verb == "run":
        hand.run(*(indicator(number) for number in what))
    elif verb == "yara":
        hand.give(indicator(6, modified=what, pattern="rule", pattern_type="yara"))
    elif verb == "pcre":
        hand.give(indicator(6, modified=what, pattern="rule", pattern_type="pcre"))
    elif verb == "broken":
        hand.give(b"broken" * what)
    elif verb == "wait":
        hand.now += what * DAY
    else:
        hand.refresh(everything=what)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    done=st.lists(steps, max_size=14),
    purpose=st.sampled_from(list(Purpose)),
    rules=st.sampled_from([frozenset(), frozenset(RuleLanguage)]),
)
def test_what_changed_step_by_step_is_what_everything_would_be(
    tmp_path_factory: pytest.TempPathFactory,
    done: list[tuple[str, Any]],
    purpose: Purpose,
    rules: frozenset[RuleLanguage],
) -> None:
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('lists')}/c.db")
    try:
        store.database.migrate()
        hand = Hand(store, purpose=purpose, rules=rules)
        hand.refresh(everything=True)
        for verb, what in done:
            act(hand, verb, what)
        hand.refresh()
        hand.assert_counted()
        hand.refresh(everything=True, name="anew")
        assert hand.wanted() == hand.wanted("anew")
        assert hand.codes() == hand.codes("anew")
    finally:
        store.close()
