"""A date in the future gives an object no more weight than one of the day it came."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from scenario_site import Site, one_firewall
from stix_samples import START, STRANGER, Object, indicator, sid, stamp

ONE, TWO = "192.0.2.1", "192.0.2.2"
FAR = stamp(datetime(9999, 12, 30, tzinfo=UTC))


def sighting(name: str, of: Object, **fields: Any) -> Object:
    return {
        "type": "sighting", "spec_version": "2.1", "id": sid("sighting", name),
        "created": of["created"], "modified": of["modified"], "sighting_of_ref": of["id"], **fields,
    }  # fmt: skip


def opinion(name: str, of: Object, said: str, modified: str) -> Object:
    return {
        "type": "opinion", "spec_version": "2.1", "id": sid("opinion", name), "opinion": said,
        "created": of["created"], "modified": modified, "object_refs": [of["id"]],
        "created_by_ref": STRANGER,
    }  # fmt: skip


def aging(site: Site) -> None:
    site.configure()
    site.edit(lambda config: config["feeds"]["files"].update(max_age="40d"))


@pytest.mark.parametrize("dates", [["modified"], ["created", "modified"]])
def test_an_object_of_the_year_9999_ages_from_the_day_it_came(site: Site, dates: list[str]) -> None:
    aging(site)
    site.write("one.json", [indicator("a", ONE, **dict.fromkeys(dates, FAR))])
    site.once()
    site.clock.advance(days=39, hours=23)
    site.change()
    assert site.at() == [ONE]
    site.clock.advance(hours=1)
    site.change()
    assert site.at() == []
    assert site.reasons() == {"expired": 1}
    site.consistent()


def test_a_newer_version_is_as_young_as_the_day_it_came(site: Site) -> None:
    aging(site)
    old = indicator("a", ONE)
    site.write("one.json", [old])
    site.once()
    site.clock.advance(days=5)
    site.write("one.json", [{**old, "modified": FAR}])
    site.change()
    site.clock.advance(days=39)
    site.change()
    assert site.at() == [ONE]
    site.clock.advance(days=1)
    site.change()
    assert site.at() == []


def test_sending_it_again_does_not_make_it_young(site: Site) -> None:
    aging(site)
    ahead = indicator("a", ONE, modified=FAR)
    site.write("one.json", [ahead])
    site.once()
    for day in range(40):
        site.clock.advance(days=1)
        site.write("one.json", [ahead, indicator(f"day {day}", f"198.51.100.{day}")])
        site.change()
    assert ONE not in site.at()


@pytest.mark.parametrize("dates", [["modified"], ["modified", "last_seen"]])
def test_a_sighting_of_the_year_9999_renews_from_the_day_it_came(
    site: Site, dates: list[str]
) -> None:
    aging(site)
    known = indicator("a", ONE)
    site.write("one.json", [known, sighting("s", known, **dict.fromkeys(dates, FAR))])
    site.once()
    site.clock.advance(days=39)
    site.change()
    assert site.at() == [ONE]
    site.clock.advance(days=1)
    site.change()
    assert site.at() == []


def test_what_begins_later_than_it_came_stands_no_longer_than_the_bound(site: Site) -> None:
    aging(site)
    begins = stamp(START + timedelta(days=100))
    site.write("one.json", [indicator("a", ONE, modified=FAR, valid_from=begins)])
    site.once()
    site.clock.advance(days=99)
    site.change()
    assert site.at() == []
    site.clock.advance(days=1)
    site.change()
    assert site.at() == [ONE]
    site.clock.advance(days=40)
    site.change()
    assert site.at() == []


@pytest.mark.parametrize("rank_by", [["newest"], ["confidence", "newest"]])
def test_what_comes_today_is_newer_than_what_came_yesterday_for_the_year_9999(
    site: Site, rank_by: list[str]
) -> None:
    site.configure(**one_firewall(max_entries=1))
    site.edit(lambda config: config["lists"]["perimeter"].update(rank_by=rank_by))
    site.write("one.json", [indicator("a", ONE, modified=FAR)])
    site.once()
    site.clock.advance(days=1)
    today = stamp(START + timedelta(days=1))
    site.write("two.json", [indicator("b", TWO, modified=today)])
    site.once()
    assert site.at() == [TWO]
    site.consistent()


def test_an_opinion_of_the_year_9999_gives_way_to_what_its_author_says_later(site: Site) -> None:
    site.configure()
    known = indicator("a", ONE)
    site.write("one.json", [known, opinion("first", known, "agree", FAR)])
    site.once()
    assert site.at() == [ONE]
    site.clock.advance(days=1)
    later = stamp(START + timedelta(days=1))
    site.write("two.json", [opinion("second", known, "strongly-disagree", later)])
    site.write("three.json", [indicator("b", TWO)])
    site.change()
    assert site.at() == [TWO]


def test_a_strangers_revocation_of_the_year_9999_ends_with_its_creators_next_version(
    site: Site,
) -> None:
    site.configure()
    known, other = indicator("a", ONE), indicator("b", TWO)
    foreign = {**known, "modified": FAR, "revoked": True, "created_by_ref": STRANGER}
    site.write("one.json", [known, other])
    site.once()
    site.clock.advance(hours=1)
    site.write("one.json", [known, other, foreign])
    site.change()
    assert site.at() == [TWO]
    site.clock.advance(days=1)
    confirmed = {**known, "modified": stamp(site.clock.moment)}
    for _ in range(3):  # the file shows that revocation in every run
        site.write("one.json", [confirmed, other, foreign])
        site.change()
        assert site.at() == [ONE, TWO]
        site.clock.advance(days=1)
        other = {**other, "modified": stamp(site.clock.moment)}
    site.consistent()
