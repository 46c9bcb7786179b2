"""What versions, revocations and withdrawals of indicators do to a list, over whole cycles."""

from itertools import permutations

import pytest
from scenario_site import Site, one_firewall
from stix_samples import STRANGER, indicator, revoked

from connector.testing.taxii.server import TaxiiServer

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"


@pytest.fixture
def polled(site: Site, taxii: TaxiiServer, taxii_feed) -> Site:
    site.configure(feeds={"ais": taxii_feed()}, **one_firewall())
    return site


def test_an_update_that_changes_the_pattern_takes_the_old_value_off(polled, taxii):
    taxii.add_objects([indicator("a", ONE), indicator("b", TWO)])
    polled.once()
    assert polled.at() == [ONE, TWO]
    taxii.add_objects([indicator("a", THREE, days=1)])
    polled.change()
    assert polled.at() == [TWO, THREE]
    polled.consistent()


def test_two_indicators_on_one_value_keep_it_until_the_last_is_revoked(polled, taxii):
    first, second = indicator("a", ONE), indicator("b", ONE)
    taxii.add_objects([first, second, indicator("c", TWO)])
    polled.once()
    assert polled.reasons() == {"wanted": 2, "superseded": 1}
    taxii.add_objects([revoked(second)])
    polled.change()
    assert polled.at() == [ONE, TWO]
    assert polled.reasons() == {"wanted": 2, "revoked": 1}
    polled.consistent()
    taxii.add_objects([revoked(first)])
    polled.change()
    assert polled.at() == [TWO]
    assert polled.reasons() == {"wanted": 1, "revoked": 2}
    polled.consistent()


def test_a_revocation_seen_before_its_indicator_is_never_enforced(polled, taxii):
    known = indicator("a", ONE)
    taxii.add_objects([revoked(known), indicator("b", TWO)])
    polled.once()
    taxii.collections[0].remove(known["id"])
    taxii.add_objects([known])
    polled.once()
    assert polled.at() == [TWO]
    assert polled.reasons() == {"wanted": 1, "revoked": 1}
    polled.consistent()


@pytest.mark.parametrize("again", [{}, {"modified": "2026-02-28T00:00:00.000Z"}])
def test_a_revoked_indicator_that_is_delivered_again_stays_off(polled, taxii, again):
    known = indicator("a", ONE)
    taxii.add_objects([known, indicator("b", TWO)])
    polled.once()
    taxii.add_objects([revoked(known)])
    polled.change()
    taxii.collections[0].remove(known["id"])
    taxii.add_objects([{**known, **again}])
    polled.once()
    assert polled.at() == [TWO]
    polled.consistent()


def test_a_replay_of_everything_changes_nothing(site):
    objects = [indicator(n, f"192.0.2.{n}") for n in range(1, 8)]
    site.configure()
    site.write("one.json", objects)
    site.once()
    writes = site.rack["edge"].writes
    site.write("two.json", objects)
    site.write("one.json", list(reversed(objects)))
    site.change()
    assert site.rack["edge"].writes == writes
    assert site.reasons() == {"wanted": 7}
    site.consistent()


def test_an_update_by_somebody_else_is_quarantined(polled, taxii):
    taxii.add_objects([indicator("a", ONE)])
    polled.once()
    taxii.add_objects([indicator("a", TWO, days=1, created_by_ref=STRANGER)])
    done = polled.once()
    assert done.polled["ais"].quarantined == 1
    assert polled.at() == [ONE]
    polled.consistent()


def watch_and_block() -> dict:
    outputs = {
        name: {"list": name, "adapter": "firewall", "options": {"device": name}}
        for name in ("block", "watch")
    }
    return {"lists": {name: {"purpose": name} for name in outputs}, "outputs": outputs}


def test_a_revocation_by_somebody_else_leaves_the_value_on_watchlists_only(site, taxii, taxii_feed):
    site.configure(feeds={"ais": taxii_feed()}, **watch_and_block())
    known = indicator("a", ONE)
    taxii.add_objects([known, indicator("b", TWO)])
    site.once()
    taxii.add_objects([revoked(known, created_by_ref=STRANGER)])
    site.change()
    assert site.at("block") == [TWO]
    assert site.at("watch") == [ONE, TWO]
    site.consistent()


def test_a_later_version_by_the_creator_outlives_a_dispute_also_when_it_is_replayed(site):
    site.configure(**watch_and_block())
    dispute = revoked(indicator("a", ONE), days=1, created_by_ref=STRANGER)
    stands = indicator("b", TWO)
    site.write("one.json", [indicator("a", ONE), dispute, stands])
    site.once()
    assert site.at("block") == [TWO]
    again = indicator("a", ONE, days=2)
    for order in (
        [indicator("a", ONE), dispute, again, stands],
        [dispute, again, stands],
        [again, dispute, stands],
    ):
        site.write("one.json", order)
        site.change()
        assert site.at("block") == [ONE, TWO]
        site.consistent()


def test_what_a_bundle_no_longer_shows_goes_and_comes_back_with_it(site):
    site.configure()
    kept, left = indicator("a", ONE), indicator("b", TWO)
    site.write("one.json", [kept, left])
    site.once()
    site.write("one.json", [kept])
    site.change()
    assert site.at() == [ONE]
    assert site.reasons() == {"wanted": 1, "withdrawn": 1}
    site.consistent()
    site.write("one.json", [kept, left])
    site.change()
    assert site.at() == [ONE, TWO]
    assert site.reasons() == {"wanted": 2}
    site.consistent()


def test_a_disputed_indicator_that_its_bundle_no_longer_shows_leaves_the_watchlist(site):
    site.configure(**watch_and_block())
    known, kept = indicator("a", ONE), indicator("b", TWO)
    site.write("one.json", [known, revoked(known, created_by_ref=STRANGER), kept])
    site.once()
    assert site.at("watch") == [ONE, TWO]
    site.write("one.json", [kept])
    site.change()
    assert site.at("watch") == [TWO]
    site.consistent()


def test_a_file_that_is_gone_withdraws_what_only_it_showed(site):
    site.configure()
    site.write("one.json", [indicator("a", ONE), indicator("b", TWO)])
    site.write("two.json", [indicator("b", TWO), indicator("c", THREE)])
    site.once()
    (site.bundles / "one.json").unlink()
    site.change()
    assert site.at() == [TWO, THREE]
    site.consistent()
    (site.bundles / "two.json").unlink()
    site.write("three.json", [indicator("a", ONE, days=1)])
    site.change()
    assert site.at() == [ONE]
    site.consistent()


def test_unreadable_and_unsupported_objects_are_counted_and_never_enforced(site):
    site.configure()
    odd = [
        indicator("a", ONE),
        indicator("b", TWO, valid_from=None),
        indicator("c", TWO, pattern_type="yara", pattern="rule x {condition: true}"),
        indicator("d", TWO, pattern=f"[ipv4-addr:value = '{TWO}' AND ipv4-addr:value = '{ONE}']"),
        indicator("e", THREE, pattern=f"[ipv4-addr:value NOT IN ('{THREE}')]"),
        indicator("f", THREE, confidence=1000),
    ]
    site.write("one.json", odd)
    site.once()
    assert site.at() == [ONE]
    reasons = site.reasons()
    assert reasons["unreadable"] == 2
    assert reasons["unsupported_pattern"] == 1
    site.consistent()
    site.write("one.json", odd[:1])
    site.change()
    # What is no indicator at all leaves no trace; the one whose confidence means nothing left too.
    assert "unreadable" not in site.reasons()
    assert site.reasons()["withdrawn"] == 1
    site.consistent()


def test_an_older_version_shows_again_that_a_withdrawn_object_is_there(site):
    """What counts is the latest version that was read, as if the file had never gone."""
    site.configure()
    kept = indicator("b", TWO)
    site.write("one.json", [indicator("a", ONE, days=5), kept])
    site.once()
    site.write("one.json", [kept])
    site.change()
    assert site.at() == [TWO]
    site.write("one.json", [indicator("a", THREE, days=3), kept])
    site.change()
    assert site.at() == [ONE, TWO]
    site.consistent()


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_somebody_else_revokes_is_watched_only_in_whatever_order_it_arrives(site, order):
    site.configure(**watch_and_block())
    known = indicator("a", ONE)
    said = [known, indicator("a", TWO, days=1), revoked(known, days=2, created_by_ref=STRANGER)]
    for at, each in enumerate(order):
        site.write(f"{at}.json", [said[each]])
        site.change()
        site.consistent()
    assert site.at("block") == []
    assert site.at("watch") == [TWO]
