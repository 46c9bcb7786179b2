"""How many independent feeds claim an observable, and what a list that asks for several takes."""

import pytest
from policy_case import ADDRESS, NOTHING_PROTECTED, Listed, claim, listed, protecting

from connector.decisions.allowlist.allowlist import Allowlist
from connector.decisions.records import reason_of
from connector.decisions.selection import FeedDefaults, IndicatorAttributes, Select
from connector.decisions.witnesses import witnesses
from connector.model import Reason

P, Q, R = "identity--p", "identity--q", "identity--r"
TERMS = {1: FeedDefaults("a"), 2: FeedDefaults("b"), 3: FeedDefaults("c")}
TRAITS = {1: IndicatorAttributes(), 2: IndicatorAttributes(P), 3: IndicatorAttributes(Q)}


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ([], 0),
        ([(1, P)], 1),
        ([(1, P), (2, Q)], 2),
        ([(1, P), (1, Q), (1, R)], 1),
        ([(1, P), (2, P)], 1),
        ([(1, ""), (2, "")], 2),
        ([(1, ""), (2, P)], 2),
        ([(1, P), (1, Q), (2, P)], 2),
        ([(1, P), (1, Q), (1, R), (2, P), (3, P)], 2),
        ([(1, P), (2, P), (2, Q), (3, Q), (3, R)], 3),
    ],
)
def test_two_witnesses_share_neither_a_feed_nor_a_producer(
    said: list[tuple[int, str]], count: int
) -> None:
    assert witnesses(said) == witnesses(reversed(said)) == count


def asking(count: int, allowlist: Allowlist = NOTHING_PROTECTED) -> Listed:
    select = Select(min_sources=count)
    return listed(select=select, defaults=TERMS, attributes=TRAITS, allowlist=allowlist)


def test_a_list_that_asks_for_two_feeds_takes_what_two_claim() -> None:
    two = [claim(1, feed=1, attributes=2), claim(2, feed=2, attributes=3)]
    decision = asking(2).decide(ADDRESS, two, 5)
    assert decision.carrier is not None
    alone = asking(3).decide(ADDRESS, two, 5)
    assert alone.carrier is None
    assert [reason_of(code) for code in alone.codes] == [Reason.DESELECTED] * 2
    assert alone.detail == "2 of the 3 independent feeds that min_sources requires claim it"


@pytest.mark.parametrize(
    "fields", [{"state": 1}, {"valid_until": 3}, {"valid_from": 9}, {"feed": 1}, {"attributes": 2}]
)
def test_only_a_claim_that_is_otherwise_taken_is_a_witness(fields: dict[str, int]) -> None:
    first = claim(1, feed=1, attributes=2)
    other = claim(2, **({"feed": 2, "attributes": 3} | fields))
    reasons = asking(2).explain_all(ADDRESS, [first, other], 5)
    words = "1 of the 2 independent feeds that min_sources requires claims it"
    assert reasons[0] == (Reason.DESELECTED, words)


def test_what_too_few_feeds_claim_is_asked_again_when_another_claim_begins() -> None:
    said = [claim(1, feed=1, attributes=2), claim(2, feed=2, attributes=3, valid_from=9)]
    before = asking(2).decide(ADDRESS, said, 5)
    assert (before.carrier, before.recheck) == (None, 9)
    assert asking(2).decide(ADDRESS, said, 9).carrier is not None


def test_what_too_few_feeds_claim_is_not_counted_as_kept_off_by_the_allowlist() -> None:
    decision = asking(2, protecting()).decide(ADDRESS, [claim(1, attributes=2)], 5)
    assert (reason_of(decision.codes[0]), decision.protector) == (Reason.DESELECTED, "")
