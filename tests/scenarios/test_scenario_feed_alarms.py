"""A feed that is full, or no longer what it was, is told at the feed before any list."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console
from scenario_site import Site
from stix_samples import START, STRANGER, Object, address, indicator, pattern, revoked, stamp

from connector.ingest.alarms import acknowledge
from connector.reports.formatting import show_status
from connector.testing.taxii.server import TaxiiServer

OURS = [indicator(n, address(n)) for n in range(1, 151)]
FOREIGN = [indicator(f"f{n}", f"host{n}.example", created_by_ref=STRANGER) for n in range(1, 121)]


def alarms(site: Site) -> dict[str, str]:
    return {alarm["name"]: alarm["words"] for alarm in site.feed()["alarms"]}


@pytest.fixture
def known(site: Site) -> Site:
    """A feed of a hundred and fifty addresses of one producer."""
    site.configure()
    site.edit(lambda config: config["outputs"]["edge"].update(limits={"max_add_ratio": 1}))
    site.write("one.json", OURS)
    site.once()
    assert site.feed()["state"] == "ok"
    return site


def test_a_feed_whose_filter_broke_says_so(known: Site) -> None:
    known.write("two.json", FOREIGN)
    known.once()
    assert known.feed()["state"] == "alarm"
    assert alarms(known) == {
        "growth": "120 more objects than the 150 it had before, 80%; alarm.growth allows 50%",
        "producers": "120 of 120 new objects come from producers it never named before, 100%; "
        "alarm.producers allows 50%",
        "kinds": "120 of 120 new claims are on observable types it never sent before, "
        "100%; alarm.kinds allows 50%",
    }
    metrics = known.metrics()
    assert 'connector_feed_alarm{alarm="kinds",feed="files"} 1.0' in metrics
    assert 'connector_feed_ok{feed="files"} 0.0' in metrics
    assert len(known.at()) == 270, "it tells; what may be written is for limits to say"
    known.consistent()


def test_status_tells_people_of_caps_and_alarms_and_what_to_do(known: Site) -> None:
    known.edit(lambda config: config["feeds"]["files"].update(max_confidence=60, max_objects=150))
    known.write("two.json", FOREIGN)
    known.open()
    known.once()
    known.edit(lambda config: config["feeds"]["files"].update(max_objects=500))
    shown = Console(record=True, width=300, file=io.StringIO())
    show_status(shown, known.status())
    told = shown.export_text()
    assert "files: max_objects: 120 new objects are waiting at the source" in told
    assert "files: capped: max_confidence 60, max_objects 150 (excludes 120)" in told
    known.open()
    known.once()
    show_status(shown, known.status())
    told = shown.export_text()
    assert "files: capped: max_confidence 60, max_objects 500\n" in told
    assert "(acknowledge: connector feeds ack files)" in told


def test_an_alarm_is_logged_once(known: Site, capsys: pytest.CaptureFixture[str]) -> None:
    known.write("two.json", FOREIGN)
    known.once()
    assert capsys.readouterr().out.count("feed.alarm") == 3
    known.write("three.json", [indicator("more", "one-more.example", created_by_ref=STRANGER)])
    known.once()
    assert "feed.alarm" not in capsys.readouterr().out
    assert alarms(known)["growth"].startswith("121 more")


def test_an_alarm_stays_until_a_person_takes_it_for_usual(known: Site) -> None:
    known.write("two.json", FOREIGN)
    known.once()
    known.clock.advance(days=3)
    known.once()
    assert known.feed()["state"] == "alarm"
    feed = known.service.feeds["files"]
    objects = known.service.store.objects
    assert acknowledge(feed, objects, known.clock()) == 3
    assert (known.feed()["state"], known.feed()["alarms"]) == ("ok", [])
    more = [indicator(f"m{n}", f"more{n}.example", created_by_ref=STRANGER) for n in range(110)]
    known.write("three.json", more)
    known.once()
    assert alarms(known) == {}, "their producer and kind are known now, and 110 of 270 is no growth"


def test_one_value_under_many_ids_is_told(known: Site) -> None:
    known.write("two.json", [indicator(f"t{n}", address(n)) for n in range(1, 121)])
    known.edit(lambda config: config["feeds"]["files"].update(alarm={"growth": None}))
    known.open()
    known.once()
    assert set(alarms(known)) == {"twins"}
    known.consistent()


def test_a_feed_that_renews_all_its_ids_is_not_told(known: Site) -> None:
    known.write("one.json", [indicator(f"t{n}", address(n)) for n in range(1, 151)])
    known.once()
    assert alarms(known) == {}


def test_what_comes_slowly_is_counted_over_the_span(known: Site) -> None:
    for day in range(4):
        known.write(f"{day}.json", [indicator(f"{day} {n}", address(1000 * day + 500 + n))
                                    for n in range(50)])  # fmt: skip
        known.clock.advance(hours=5)
        known.once()
    assert set(alarms(known)) == {"growth"}


def test_what_comes_in_another_span_is_not(known: Site) -> None:
    for day in range(4):
        known.clock.advance(hours=25)
        known.write(f"{day}.json", [indicator(f"{day} {n}", address(1000 * day + 500 + n))
                                    for n in range(50)])  # fmt: skip
        known.once()
    assert alarms(known) == {}


def bounded(site: Site, most: int) -> None:
    site.edit(lambda config: config["feeds"]["files"].update(max_objects=most))
    site.open()


def test_a_full_feed_takes_nothing_new_and_follows_what_it_holds(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.configure()
    bounded(site, 3)
    few = [indicator(n, address(n)) for n in range(1, 4)]
    site.write("one.json", few)
    site.once()
    assert site.feed()["state"] == "ok"
    site.write("one.json", [*few, indicator(4, address(4)), indicator(5, address(5))])
    site.once()
    site.once()
    assert capsys.readouterr().out.count("feed.alarm") == 1
    assert len(site.at()) == 3
    assert (site.feed()["state"], site.feed()["objects"]) == ("full", 3)
    words = "2 new objects are waiting at the source because max_objects is 3"
    assert alarms(site) == {"max_objects": f"{words}: raise it and the next poll reads them"}
    assert site.feed()["caps"] == {"max_objects": {"limit": 3, "keeps_off": 2}}
    assert 'connector_feed_capped{cap="max_objects",feed="files"} 2.0' in site.metrics()
    site.consistent()
    newer = {**few[1], "pattern": pattern("192.0.2.9"), "modified": stamp(START)}
    site.write("one.json", [revoked(few[0]), newer, few[2], indicator(4, address(4))])
    site.once()
    assert site.at() == ["192.0.2.9", address(3)]
    site.consistent()


def test_nothing_is_lost_of_what_a_full_feed_left_at_its_server(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[..., dict[str, Any]]
) -> None:
    site.configure(feeds={"files": taxii_feed(page_size=2, max_objects=5)})
    taxii.add_objects(OURS[:3])
    site.once()
    taxii.add_objects(OURS[3:9])
    site.once()
    assert len(site.at()) == 5
    assert site.feed()["state"] == "full"
    taxii.add_objects([revoked(OURS[0])])
    site.once()
    assert len(site.at()) == 4, "a revocation behind what waits still counts"
    site.edit(lambda config: config["feeds"]["files"].update(max_objects=100))
    site.open()
    site.once()
    assert site.at() == sorted(address(n) for n in range(2, 10))
    assert (site.feed()["state"], site.feed()["alarms"]) == ("ok", [])
    site.consistent()


def test_an_object_that_is_forgotten_makes_room(site: Site) -> None:
    site.configure()
    bounded(site, 2)
    odd: Object = {**indicator("odd", address(9)), "pattern": ""}
    site.write("one.json", [indicator(1, address(1)), odd])
    site.once()
    site.write("one.json", [indicator(1, address(1)), indicator(2, address(2))])
    site.once()
    site.once()
    assert site.at() == [address(1), address(2)]
    assert (site.feed()["state"], site.feed()["objects"]) == ("ok", 2)
    site.consistent()
