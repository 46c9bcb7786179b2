"""What one value may stop: wide prefixes and autonomous systems, as feed and list say."""

import pytest
from policy_case import NOW, claim, listed

from connector.decisions.records import ClaimKind, reason_of
from connector.decisions.selection import FeedDefaults, Select
from connector.model import Observable, ObservableType, Purpose, Reason

T = ObservableType
AS = Observable(T.AUTONOMOUS_SYSTEM, "15169")


def reason(subject, defaults=None, purpose=Purpose.BLOCK, wide=()):
    by = listed(
        purpose=purpose,
        defaults={1: defaults or FeedDefaults("isac")},
        select=Select(wide=frozenset(wide)),
    )
    [code] = by.decide(subject, [claim()], NOW).codes
    assert by.explain(subject, claim(), NOW)[0] is reason_of(code)
    return reason_of(code)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (T.IPV4_ADDR, "198.51.100.7", Reason.WANTED),
        (T.IPV4_ADDR, "198.51.100.0/24", Reason.WANTED),
        (T.IPV4_ADDR, "198.51.100.0/23", Reason.NOT_ENFORCEABLE),
        (T.IPV4_ADDR, "198.48.0.0/14", Reason.NOT_ENFORCEABLE),
        (T.IPV4_ADDR, "0.0.0.0/0", Reason.NOT_ENFORCEABLE),
        (T.IPV6_ADDR, "2001:db8:1::/48", Reason.WANTED),
        (T.IPV6_ADDR, "2001:db8::/47", Reason.NOT_ENFORCEABLE),
        (T.AUTONOMOUS_SYSTEM, "15169", Reason.NOT_ENFORCEABLE),
        (T.URL, "http://bad.example/8", Reason.WANTED),
        (T.ENDPOINT, "198.51.100.7:8/tcp", Reason.WANTED),
    ],
)
def test_a_wide_prefix_and_an_autonomous_system_are_watched_and_do_not_block(kind, value, expected):
    assert reason(Observable(kind, value)) is expected
    assert reason(Observable(kind, value), purpose=Purpose.WATCH) is Reason.WANTED


@pytest.mark.parametrize(
    ("kind", "bound", "value", "expected"),
    [
        (T.IPV4_ADDR, 20, "198.51.96.0/20", Reason.WANTED),
        (T.IPV4_ADDR, 20, "198.51.0.0/19", Reason.NOT_ENFORCEABLE),
        (T.IPV4_ADDR, 32, "198.51.100.0/24", Reason.NOT_ENFORCEABLE),
        (T.IPV6_ADDR, 32, "2001:db8::/32", Reason.WANTED),
        (T.IPV6_ADDR, 64, "2001:db8:1::/48", Reason.NOT_ENFORCEABLE),
        (T.AUTONOMOUS_SYSTEM, 0, "15169", Reason.WANTED),
    ],
)
def test_the_feed_says_how_wide_a_block_may_be(kind, bound, value, expected):
    defaults = FeedDefaults("isac", widest={kind: bound})
    assert reason(Observable(kind, value), defaults) is expected


def test_a_list_may_take_autonomous_systems_whichever_feed_names_them():
    assert reason(AS, wide=[T.AUTONOMOUS_SYSTEM]) is Reason.WANTED


def test_of_two_feeds_the_one_that_may_carries_the_entry():
    defaults = {1: FeedDefaults("strict"), 2: FeedDefaults("wide", widest={T.IPV4_ADDR: 20})}
    wide = Observable(T.IPV4_ADDR, "198.51.96.0/20")
    decision = listed(defaults=defaults).decide(wide, [claim(1), claim(2, feed=2)], NOW)
    assert list(map(reason_of, decision.codes)) == [Reason.NOT_ENFORCEABLE, Reason.WANTED]
    assert decision.carrier.feed == 2


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (AS, "only if the feed isac or the list says `wide: [autonomous-system]`"),
        (Observable(T.IPV4_ADDR, "198.51.0.0/16"), "wider than /24, the bound (`widest`) of the"),
    ],
)
def test_why_it_does_not_block_is_said_in_words(subject, words):
    reason, said = listed(defaults={1: FeedDefaults("isac")}).explain(subject, claim(), NOW)
    assert (reason, words in said) == (Reason.NOT_ENFORCEABLE, True)


def test_what_needs_more_than_the_value_is_watched_however_narrow():
    said = claim(kind=ClaimKind.WATCH_ONLY)
    by = listed(defaults={1: FeedDefaults("isac", widest={T.AUTONOMOUS_SYSTEM: 0})})
    assert list(by.decide(AS, [said], NOW).codes) == [3]
