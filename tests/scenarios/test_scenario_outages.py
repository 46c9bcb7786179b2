"""Feeds and targets that fail: what is enforced stays as it is, it shows, and it recovers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from scenario_site import BLOCK_ALL, Site, one_firewall
from stix_samples import indicator, revoked

from connector.errors import RefusedError, StoreError, UnavailableError
from connector.reports.formatting import show_status
from connector.reports.status import healthy
from connector.testing.taxii.faults import (
    Body,
    CutConnection,
    CutJson,
    EmptyPage,
    Envelope,
    Fault,
    Header,
    NewTokens,
    NoNext,
    SameToken,
    Status,
)
from connector.testing.taxii.server import ServedCollection, TaxiiServer

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
Section = Callable[..., dict[str, Any]]


@pytest.fixture
def polled(site: Site, taxii: TaxiiServer, taxii_feed: Section) -> Site:
    site.configure(feeds={"ais": taxii_feed()}, **one_firewall())
    taxii.add_objects([indicator("a", ONE), indicator("b", TWO)])
    site.once()
    assert site.at() == [ONE, TWO]
    return site


FAULTS = {
    "401": (lambda: Status(code=401), "401"),
    "403": (lambda: Status(code=403), "403"),
    "500": (lambda: Status(code=500), "500"),
    "503": (lambda: Status(code=503), "503"),
    "html": (Body, "text/html"),
    "html-as-json": (lambda: Body(content_type="application/json"), "invalid page"),
    "half-json": (CutJson, "incomplete"),
    "half-connection": (CutConnection, ""),
    "stall": (lambda: CutConnection(stalls=True), ""),
    "other-json": (lambda: Body(body=b'{"a": 1}', content_type="application/json"), "envelope"),
    "list": (lambda: Body(body=b"[]", content_type="application/json"), "invalid page"),
    "no-bytes": (lambda: Body(body=b"", content_type="application/json"), ""),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_feed_that_answers_badly_leaves_lists_alone_and_recovers(
    polled: Site, taxii: TaxiiServer, taxii_feed: Section, name: str
) -> None:
    make, word = FAULTS[name]
    polled.edit(lambda config: config["feeds"]["ais"].update(read_timeout="1s"))
    polled.open()
    taxii.add_objects([indicator("c", THREE), revoked(indicator("a", ONE))])
    taxii.faults = [make()]
    outcome = polled.once()
    assert word in outcome.failures["feed ais"]
    assert polled.at() == [ONE, TWO]
    feed = polled.feed("ais")
    assert feed["state"] == ("paused" if name in {"401", "403"} else "failing")
    assert feed["error"]
    assert word in feed["error"]
    assert not healthy(polled.status())
    assert 'connector_feed_ok{feed="ais"} 0.0' in polled.metrics()
    polled.consistent()
    taxii.faults = []
    assert not polled.once().failures
    assert polled.at() == [TWO, THREE]
    assert polled.feed("ais")["state"] == "ok"
    assert healthy(polled.status())
    assert 'connector_feed_ok{feed="ais"} 1.0' in polled.metrics()
    polled.consistent()


def test_a_fault_on_the_second_page_keeps_the_first_and_goes_on_after_it(
    polled: Site, taxii: TaxiiServer
) -> None:
    polled.edit(lambda config: config["feeds"]["ais"].update(page_size=2))
    polled.open()
    taxii.add_objects([indicator(n, f"198.51.100.{n}") for n in range(1, 7)])
    taxii.faults = [Status(code=503, paged_only=True)]
    assert polled.once().failures
    held = polled.at()
    assert {ONE, TWO} <= set(held)
    polled.consistent()
    taxii.faults = []
    polled.change()
    assert len(polled.at()) == 8
    polled.consistent()


def test_a_server_that_is_gone_leaves_lists_alone(site: Site, taxii_feed: Section) -> None:
    with TaxiiServer() as server:
        site.configure(feeds={"ais": taxii_feed(url=server.url)}, **one_firewall())
        server.add_objects([indicator("a", ONE)])
        site.once()
    assert "feed ais" in site.once().failures
    assert site.at() == [ONE]
    site.open()
    assert "feed ais" in site.once().failures
    assert site.at() == [ONE]
    site.consistent()


def test_one_feed_that_fails_does_not_stop_the_other(
    site: Site, taxii: TaxiiServer, taxii_feed: Section
) -> None:
    bundles = {"type": "bundle", "path": "bundles/", "unmarked_tlp": "clear"}
    site.configure(feeds={"ais": taxii_feed(), "files": bundles}, **one_firewall())
    taxii.faults = [Status(code=500, path="/")]
    site.write("one.json", [indicator("a", ONE)])
    outcome = site.once()
    assert set(outcome.failures) == {"feed ais"}
    assert site.at() == [ONE]
    site.consistent()


def test_a_marking_that_came_before_the_failure_is_not_forgotten(
    site: Site, taxii: TaxiiServer, taxii_feed: Section
) -> None:
    """The page with the marking counts, though the collection after it fails."""
    marking = "marking-definition--11111111-2222-4333-8444-555555555555"
    other = ServedCollection(id="22222222-2222-4222-8222-222222222222", title="Other")
    taxii.collections.append(other)
    site.configure(feeds={"ais": taxii_feed()}, **one_firewall())
    taxii.add_objects([indicator("a", ONE, object_marking_refs=[marking])])
    site.once()
    assert site.at() == []
    assert site.reasons() == {"withheld": 1}
    site.consistent()
    green = {"type": "marking-definition", "spec_version": "2.1", "id": marking}
    green |= {"created": "2026-01-01T00:00:00Z", "definition_type": "tlp"}
    taxii.add_objects([{**green, "definition": {"tlp": "green"}}])
    taxii.faults = [Status(code=500, path=other.id)]
    with pytest.raises(UnavailableError):
        site.service.feeds.poll("ais")
    site.service.lists.refresh("perimeter")
    site.service.outputs.sync("edge")
    assert site.at() == [ONE]
    site.consistent()


@dataclass(kw_only=True)
class MoreForEver(NoNext):
    """Says `more` on every page, and `next` on none."""

    def envelope(self, envelope: Envelope) -> Envelope:
        return replace(envelope, more=True, next=None)


def served(taxii: TaxiiServer) -> list[str]:
    return [row.id for row in taxii.collections[0].rows]


@pytest.mark.parametrize("fault", [None, NoNext], ids=["with next", "without next"])
def test_objects_with_one_stamp_on_several_pages_are_all_read(
    site: Site, taxii: TaxiiServer, taxii_feed: Section, fault: type[Fault] | None
) -> None:
    site.configure(feeds={"ais": taxii_feed(page_size=100)}, **one_firewall())
    together = taxii.clock()
    objects = [indicator(n, f"2001:db8::{n:x}") for n in range(1, 251)]
    taxii.add_objects(objects, date_added=together)
    taxii.faults = [fault()] if fault else []
    assert not site.once().failures
    assert len(site.at()) == 250
    site.consistent()


def test_an_object_that_appears_with_an_earlier_stamp_is_read_at_the_next_poll(
    polled: Site, taxii: TaxiiServer
) -> None:
    from datetime import timedelta

    taxii.add_objects([indicator("late", THREE)], date_added=taxii.clock() - timedelta(minutes=2))
    polled.change()
    assert polled.at() == [ONE, TWO, THREE]
    polled.consistent()


@pytest.mark.parametrize("fault", [SameToken, NewTokens, EmptyPage, MoreForEver])
def test_a_server_that_pages_in_circles_ends_the_poll_and_nothing_else(
    polled: Site, taxii: TaxiiServer, fault: type[Fault]
) -> None:
    taxii.faults = [fault()]
    outcome = polled.once()
    assert outcome.failures["feed ais"]
    assert polled.at() == [ONE, TWO]
    taxii.faults = []
    assert not polled.once().failures
    polled.consistent()


@pytest.mark.parametrize("dated", [True, False], ids=["with its date", "without"])
def test_more_without_next_is_read_to_its_end(
    polled: Site, taxii: TaxiiServer, dated: bool
) -> None:
    polled.edit(lambda config: config["feeds"]["ais"].update(page_size=2))
    polled.open()
    taxii.add_objects([indicator(n, f"198.51.100.{n}") for n in range(1, 8)])
    taxii.faults = [NoNext(), *([] if dated else [Header()])]
    assert not polled.once().failures
    assert len(polled.at()) == 9
    polled.consistent()


def two_firewalls(**extra: Any) -> dict[str, Any]:
    outputs = {
        name: {"list": "perimeter", "adapter": "firewall", "options": {"device": name}, **extra}
        for name in ("edge", "core")
    }
    return {"lists": {"perimeter": BLOCK_ALL}, "outputs": outputs}


@pytest.mark.parametrize(
    ("fault", "state"),
    [(UnavailableError("no route to host"), "failing"), (RefusedError("403 of edge"), "paused")],
)
def test_a_target_that_is_down_waits_while_the_other_goes_on(
    site: Site, fault: UnavailableError | RefusedError, state: str
) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    site.once()
    site.rack["edge"].fault = fault
    site.write("one.json", [indicator("a", ONE), indicator("b", TWO)])
    outcome = site.once()
    assert set(outcome.failures) == {"output edge"}
    assert (site.at("edge"), site.at("core")) == ([ONE], [ONE, TWO])
    assert site.output("edge")["state"] == state
    assert str(fault) in site.output("edge")["error"]
    assert site.output("edge")["reasons"] == {"written": 1, "pending": 1}
    assert site.output("core")["state"] == "ok"
    site.consistent(settled=False)
    site.rack["edge"].fault = None
    assert not site.once().failures
    assert site.at("edge") == [ONE, TWO]
    assert site.output("edge")["state"] == "ok"
    site.consistent()


def test_status_says_when_a_feed_and_an_output_last_failed_and_when_that_was_over(
    site: Site, taxii: TaxiiServer, taxii_feed: Section
) -> None:
    site.configure(feeds={"ais": taxii_feed()}, **one_firewall())
    taxii.add_objects([indicator("a", ONE)])
    edge, parts = site.rack["edge"], lambda: (site.feed("ais"), site.output())
    site.once()
    assert {part[key] for part in parts() for key in ("last_failure", "last_recovery")} == {None}
    assert "last failed" not in shown(site)
    site.clock.advance(minutes=1)
    taxii.faults, edge.fault = [Status(code=500)], UnavailableError("no route to host")
    assert len(site.once().failures) == 2
    failed = site.feed("ais")["last_failure"]
    assert [(part["last_failure"], part["last_recovery"]) for part in parts()] == 2 * [
        (failed, None)
    ]
    assert shown(site).count(f"last failed at {failed}, not recovered since") == 2
    site.clock.advance(minutes=1)
    site.open()  # the next to run is another process
    taxii.faults, edge.fault = [], None
    assert not site.once().failures
    over = site.feed("ais")["last_success"]
    for _ in range(2):
        assert [(part["last_failure"], part["last_recovery"]) for part in parts()] == 2 * [
            (failed, over)
        ]
        assert shown(site).count(f"last failed at {failed}, recovered at {over}") == 2
        site.clock.advance(minutes=1)
        site.once()  # goes well again: that is no recovery


def shown(site: Site) -> str:
    out = Console(file=StringIO(), width=200)
    show_status(out, site.status())
    return out.file.getvalue()  # type: ignore[attr-defined] - a StringIO


def test_an_output_is_well_again_after_its_list_could_not_be_decided_with_nothing_to_do(
    site: Site,
) -> None:
    """As where the database broke off: what the daemon records later must not leave it failing."""
    site.configure()
    site.write("one.json", [indicator("a", ONE)])
    site.service.outputs.records_later = True
    site.change()
    outputs, listed = site.service.store.outputs, site.service.lists["perimeter"].number
    outputs.note_damage(listed, site.clock(), StoreError("the connection broke off"))
    assert site.output()["state"] == "failing"
    site.clock.advance(minutes=1)
    site.change()
    assert site.output()["state"] == "ok"
    assert site.output()["last_recovery"] == site.output()["last_success"]


def test_a_target_that_breaks_off_in_the_middle_of_a_batch_is_completed_later(site: Site) -> None:
    site.configure(**one_firewall())
    site.edit(lambda config: config["outputs"]["edge"]["options"].update(batch_size=2))
    site.write("one.json", [indicator(n, f"192.0.2.{n}") for n in range(1, 8)])
    seen: list[str] = []

    def breaks(point: str) -> None:
        seen.append(point)
        if point == "half added" and seen.count(point) >= 2:
            raise UnavailableError("connection reset")

    site.rack["edge"].hook = breaks
    assert site.once().failures
    assert site.at() == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    site.consistent(settled=False)
    site.rack["edge"].hook = lambda _point: None
    site.open()
    site.change()
    assert len(site.at()) == 7
    site.consistent()


def test_entries_that_the_target_refuses_are_told_with_its_words_and_asked_again(
    site: Site,
) -> None:
    site.configure()
    site.rack["edge"].refuses = {TWO: "reserved object"}
    site.write("one.json", [indicator("a", ONE), indicator("b", TWO)])
    outcome = site.once()
    assert outcome.applied["edge"].rejected == 1
    assert site.at() == [ONE]
    assert site.output()["reasons"] == {"written": 1, "rejected": 1}
    site.consistent()
    writes = site.rack["edge"].writes
    site.change()
    assert site.rack["edge"].writes == writes
    site.rack["edge"].refuses = {}
    site.once()
    assert site.at() == [ONE, TWO]
    site.consistent()


def test_an_update_that_the_target_refuses_leaves_the_entry_ours(site: Site) -> None:
    site.configure(**one_firewall())
    comment = {"comment": {"template": "confidence {confidence}"}}
    site.edit(lambda config: config["outputs"]["edge"].update(mapping=comment))
    site.write("one.json", [indicator("a", ONE, confidence=50), indicator("b", TWO)])
    site.once()
    site.rack["edge"].refuses = {ONE: "comment too long"}
    site.write("one.json", [indicator("a", ONE, confidence=60, days=1), indicator("b", TWO)])
    site.change()
    site.consistent(settled=False)
    site.once()
    site.consistent(settled=False)
    site.write("one.json", [indicator("b", TWO)])
    site.change()
    assert site.at() == [TWO]
    site.consistent()


def test_a_target_that_takes_smaller_batches_gets_smaller_batches(site: Site) -> None:
    site.configure()
    site.rack["edge"].largest_batch = 3
    site.write("one.json", [indicator(n, f"192.0.2.{n}") for n in range(1, 12)])
    site.once()
    assert len(site.at()) == 11
    site.write("one.json", [])
    site.write("two.json", [indicator(1, "192.0.2.1")])
    site.change()
    assert site.at() == [ONE]
    site.consistent()


def test_an_entry_that_is_too_large_by_itself_is_rejected_and_no_other(site: Site) -> None:
    site.configure()
    known = [indicator(n, f"192.0.2.{n}") for n in range(1, 4)]
    site.write("one.json", known)
    site.once()
    site.rack["edge"].largest_batch = 0
    site.write("one.json", [*known, indicator("a", "192.0.2.9")])
    assert site.once().failures == {}
    assert site.output()["reasons"] == {"rejected": 1, "written": 3}
    site.rack["edge"].largest_batch = 10
    site.write("one.json", known[:1])
    site.change()
    assert site.at() == [ONE]
    site.consistent()


def test_a_target_that_takes_not_even_one_entry_at_once_is_said_to_be_so(site: Site) -> None:
    site.configure()
    site.rack["edge"].largest_batch = 0
    site.write("one.json", [indicator(n, f"192.0.2.{n}") for n in range(1, 25)])
    outcome = site.once()
    assert "does not take even a single entry" in outcome.failures["output edge"]


def by_confidence(count: int) -> list[dict[str, Any]]:
    return [indicator(n, f"192.0.2.{n}", confidence=10 * n) for n in range(1, count + 1)]


@pytest.mark.parametrize("bound", ["max_entries", "adapter"])
def test_a_target_with_too_little_room_gets_the_best_and_the_rest_when_there_is_room(
    site: Site, bound: str
) -> None:
    site.configure(**one_firewall(**({"max_entries": 3} if bound == "max_entries" else {})))
    if bound == "adapter":
        site.edit(lambda config: config["outputs"]["edge"]["options"].update(max_table=3))
    site.write("one.json", by_confidence(5))
    site.once()
    assert site.at() == ["192.0.2.3", "192.0.2.4", "192.0.2.5"]
    assert site.output()["reasons"] == {"written": 3, "over_capacity": 2}
    site.consistent()
    site.write("two.json", [indicator("best", "198.51.100.1", confidence=99)])
    site.change()
    assert site.at() == ["192.0.2.4", "192.0.2.5", "198.51.100.1"]
    site.consistent()
    site.write("one.json", by_confidence(5)[:2])
    site.change()
    assert site.at() == ["192.0.2.1", "192.0.2.2", "198.51.100.1"]
    assert site.output()["reasons"] == {"written": 3, "withdrawn": 3}
    site.consistent()
    assert site.idle()


def test_what_gave_way_to_better_comes_back_also_where_that_was_cut_short(site: Site) -> None:
    site.configure(**one_firewall(max_entries=2))
    site.write("one.json", by_confidence(2))
    site.once()

    def breaks(point: str) -> None:
        if point == "removed":
            raise UnavailableError("no answer")

    site.write("one.json", by_confidence(3))
    site.rack["edge"].hook = breaks
    with pytest.raises(UnavailableError):
        site.change()
    site.rack["edge"].hook = lambda _point: None
    assert site.at() == ["192.0.2.2", "192.0.2.3"]
    site.write("one.json", [*by_confidence(2), revoked(by_confidence(3)[2])])
    site.change()
    assert site.at() == ["192.0.2.1", "192.0.2.2"]
    site.consistent()


def test_a_full_target_keeps_what_it_has_and_takes_the_rest_when_there_is_room(site: Site) -> None:
    site.configure()
    site.rack["edge"].capacity = 3
    site.write("one.json", by_confidence(5))
    site.once()
    assert len(site.at()) == 3
    assert site.output()["reasons"] == {"written": 3, "rejected": 2}
    site.consistent()
    site.rack["edge"].capacity = 5
    site.once()
    assert len(site.at()) == 5
    site.consistent()


def test_an_entry_that_somebody_removed_at_the_target_is_put_back_by_a_whole_pass(
    site: Site,
) -> None:
    site.configure()
    site.write("one.json", [indicator("a", ONE), indicator("b", TWO)])
    site.once()
    gone = next(iter(site.rack["edge"].entries()))
    site.rack["edge"].take_by_hand(gone)
    site.change()
    assert len(site.at()) == 1
    site.clock.advance(hours=7)
    site.change()
    assert site.at() == [ONE, TWO]
    site.consistent()
