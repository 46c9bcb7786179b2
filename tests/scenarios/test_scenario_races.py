"""Feeds, lists and outputs at work at once: no plan is made or published from half a list."""

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from dying_process import commits, tell
from scenario_site import Site, one_firewall, until
from stix_samples import address, indicator, sid

from connector.commands.terminal import out
from connector.daemon.workers import Workers
from connector.errors import StoppedError, UnavailableError, UndecidedError
from connector.reports.formatting import show_status
from connector.store.lists import lists
from connector.sync.view import EVERYTHING
from connector.testing.taxii.server import TaxiiServer

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"


def to_a_file(site: Site) -> None:
    output = {"list": "perimeter", "adapter": "edl", "options": {"file": "list.txt"}}
    site.configure(lists={"perimeter": {}}, outputs={"file": output})
    site.write("one.json", [indicator("a", ONE), indicator("b", TWO)])
    site.once()
    assert site.lines("list.txt") == [ONE, TWO]


def at_first_intent(site: Site, happens: Callable[[], None]) -> None:
    """Let something happen after the next plan was made and before it is written."""
    seen: list[str] = []

    def once(point: str) -> None:
        if not seen:
            seen.append(point)
            happens()

    tell(site.open().store.ledger, "intend", once, after="intended")


def publishes(site: Site, *values: str) -> Callable[[], None]:
    """The feed and the list move on, as their workers let them at any time."""

    def happens() -> None:
        site.write("one.json", [indicator(value, value) for value in values])
        site.service.feeds.poll("files")
        site.service.lists.refresh("perimeter")

    return happens


def test_a_list_that_is_emptied_between_plan_and_publication_is_not_published(site: Site) -> None:
    to_a_file(site)
    at_first_intent(site, publishes(site))
    site.write("two.json", [indicator("c", THREE)])
    site.service.feeds.poll("files")
    site.service.lists.refresh("perimeter")
    (site.bundles / "two.json").unlink()
    site.service.outputs.sync("file")
    assert "would remove all" in site.output("file")["held"][0]["broken_limits"][0]
    assert site.lines("list.txt") == [ONE, TWO]
    site.consistent(settled=False)
    site.once()
    assert site.lines("list.txt") == [ONE, TWO], "what was only intended is not there to be kept"
    site.consistent()


def test_a_list_that_moves_between_plan_and_publication_is_planned_anew(site: Site) -> None:
    to_a_file(site)
    at_first_intent(site, publishes(site, "198.51.100.1"))
    site.write("two.json", [indicator("c", THREE)])
    site.change()
    assert site.lines("list.txt") == [THREE, "198.51.100.1"]
    site.consistent()
    assert site.idle()


def test_no_output_takes_a_list_of_which_half_is_decided(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Piece by piece each part of a mass withdrawal would be small enough for the limits."""
    monkeypatch.setattr(lists, "CHUNK", 100)
    site.configure()
    many = [indicator(n, address(n)) for n in range(1, 1201)]
    site.write("many.json", many)
    site.once()
    site.write("many.json", many[:600])
    site.service.feeds.poll("files")
    tried: list[str] = []

    def between(point: str) -> None:
        if point == "after commit" and not tried:
            with site.service.store.database.read() as transaction:
                sql = "SELECT count(*) FROM entries WHERE wanted = 0"
                half = transaction.one(sql)
            if half:
                tried.append(str(half))
                with pytest.raises(UnavailableError, match="is still being decided"):
                    site.service.outputs.sync("edge")
                assert site.output()["state"] == "ok", "nothing is wrong with the target"

    with commits(between):
        site.service.lists.refresh("perimeter")
    assert tried == ["100"]
    assert len(site.at()) == 1200
    site.service.outputs.sync("edge")
    assert "remove 600 entries" in site.output()["held"][0]["broken_limits"][0]
    assert len(site.at()) == 1200
    site.consistent()


def test_a_marking_that_arrives_while_a_list_is_decided_is_not_forgotten(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[..., dict[str, Any]]
) -> None:
    site.configure(feeds={"ais": taxii_feed()}, **one_firewall())
    marking = sid("marking-definition", "late")
    taxii.add_objects([indicator("a", ONE, object_marking_refs=[marking]), indicator("b", TWO)])
    site.once()
    assert site.at() == [TWO]
    body = {"type": "marking-definition", "spec_version": "2.1", "id": marking}
    body |= {"created": "2026-01-01T00:00:00Z", "definition_type": "tlp"}
    came: list[str] = []

    def arrives(point: str) -> None:
        if not came:
            came.append(point)
            taxii.add_objects([{**body, "definition": {"tlp": "green"}}])
            site.service.feeds.poll("ais")

    with commits(lambda point: arrives(point) if point == "after commit" else None):
        site.service.lists.refresh("perimeter", everything=True)
    assert came
    site.change()
    assert site.at() == [ONE, TWO]
    site.consistent()


def test_a_list_that_is_decided_without_news_does_not_send_an_output_back_to_a_dead_target(
    site: Site,
) -> None:
    """Asking it takes longer than from one look at the lists to the next: `every` is the pace."""
    site.configure()
    site.write("one.json", [indicator("a", ONE)])
    site.open()
    site.service.feeds.poll("files")
    site.service.lists.refresh("perimeter")
    firewall = site.rack["edge"]
    firewall.fault, firewall.gate = UnavailableError("edge: no answer"), Event()
    failed: list[BaseException] = []
    workers = Workers(site.service, failed.append)
    output = workers.outputs["edge"]
    output.start()
    output.ask()
    assert firewall.waiting.wait(30)
    workers._refresh()
    assert not output._asked.is_set()
    firewall.gate.set()
    workers.stop()
    assert not failed
    assert site.output("edge")["error"] == "edge: no answer"


def test_an_output_that_was_asked_while_its_list_was_decided_is_not_forgotten(site: Site) -> None:
    """Also when nothing came of deciding, so that there is no other reason to ask it."""
    site.configure()
    site.write("one.json", [indicator("a", ONE)])
    site.open()
    site.service.feeds.poll("files")
    site.service.lists.refresh("perimeter")
    site.service.lists._deciding.add("perimeter")  # as while the lists' worker is at it
    failed: list[BaseException] = []
    workers = Workers(site.service, failed.append)
    output = workers.outputs["edge"]
    output.start()
    output.ask()
    until(lambda: "edge" in workers._waiting)
    assert site.at() == []
    site.service.lists._deciding.discard("perimeter")
    workers.lists.start()
    workers.lists.ask()
    until(lambda: site.at() == [ONE])
    until(lambda: not workers._waiting)
    workers.stop()
    assert not failed


def test_an_entry_whose_claim_was_replaced_stays_until_its_list_is_decided(site: Site) -> None:
    """Another indicator still claims the value, though not the one that carried its entry."""
    site.configure()
    site.write("one.json", [indicator("a", ONE, confidence=90), indicator("b", ONE, confidence=50)])
    site.once()
    site.write(
        "one.json",
        [indicator("a", TWO, confidence=90, days=1), indicator("b", ONE, confidence=50)],
    )
    site.service.feeds.poll("files")
    with pytest.raises(UndecidedError, match="perimeter"):
        site.service.outputs.sync("edge", EVERYTHING)
    assert site.at() == [ONE]
    assert site.output()["state"] == "ok"
    site.change()
    assert site.at() == [ONE, TWO]
    site.consistent()


def test_a_published_list_keeps_an_entry_whose_claim_was_replaced(site: Site) -> None:
    output = {"list": "perimeter", "adapter": "edl", "options": {"file": "list.txt"}}
    output["mapping"] = {"comment": {"template": "{indicator.id}"}}
    site.configure(outputs={"file": output})
    a, b = indicator("a", ONE, confidence=90), indicator("b", ONE, confidence=50)
    site.write("one.json", [a, b])
    site.once()
    written = site.lines("list.txt")
    site.write("one.json", [indicator("a", TWO, confidence=90, days=1), b])
    site.service.feeds.poll("files")
    with pytest.raises(UndecidedError, match="perimeter"):
        site.service.outputs.sync("file", EVERYTHING)
    assert site.lines("list.txt") == written


def test_what_calls_for_deciding_anew_is_not_lost_where_deciding_begins(site: Site) -> None:
    site.configure()
    site.write("one.json", [indicator("a", ONE)])
    site.once()

    class Asked(set[str]):
        """As when a marking arrives right after it was asked whether any had."""

        def __contains__(self, name: object) -> bool:
            found = super().__contains__(name)
            self.update(site.service.lists)
            return found

    site.service.lists._undecided = Asked()
    site.service.lists.refresh("perimeter")
    site.service.lists._undecided = set(site.service.lists._undecided)
    assert not site.service.lists.is_decided("perimeter")


def test_fields_that_change_while_they_are_written_are_recorded_as_written(site: Site) -> None:
    """From A to B under the write and back to A after it: the target must not keep B."""
    edge = one_firewall()["outputs"]["edge"]
    edge["mapping"] = {"comment": {"template": "{confidence}"}}
    site.configure(outputs={"edge": edge})

    def says(confidence: int, days: int) -> None:
        site.write("one.json", [indicator("a", ONE, confidence=confidence, days=days)])
        site.service.feeds.poll("files")
        site.service.lists.refresh("perimeter")

    def comments() -> list[Any]:
        return [fields["comment"] for fields in site.rack["edge"].entries().values()]

    at_first_intent(site, lambda: says(60, 1))
    says(50, 0)
    site.service.outputs.sync("edge")
    assert comments() == ["60"]
    says(50, 2)
    site.service.outputs.sync("edge")
    assert comments() == ["50"]
    site.consistent()


def test_a_list_that_cannot_be_decided_keeps_no_other_from_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.configure(
        lists={"broken": {}, "perimeter": {}},
        outputs={
            name: {"list": name, "adapter": "firewall", "options": {"device": name}}
            for name in ("broken", "perimeter")
        },
    )
    site.write("one.json", [indicator("a", ONE)])
    service = site.open()

    def trip(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(service.lists["broken"].judge, "verdicts", trip)
    failed: list[BaseException] = []
    workers = Workers(service, failed.append)
    workers.start()
    try:
        until(lambda: site.at("perimeter") == [ONE])
    finally:
        workers.stop()
    assert not failed
    assert site.at("broken") == []


def test_the_end_waits_for_no_more_than_a_page_or_a_part_of_a_list(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lists, "CHUNK", 100)
    site.configure()
    site.write("many.json", [indicator(n, address(n)) for n in range(1, 1201)])
    site.open().feeds.poll("files")
    site.service.stop.ask()
    with pytest.raises(StoppedError):
        site.service.lists.refresh("perimeter")
    with site.service.store.database.read() as transaction:
        wanted = transaction.one("SELECT count(*) FROM entries")
    assert wanted == 100
    with pytest.raises(UndecidedError):
        site.service.outputs.sync("edge")
    assert site.status()["lists"][0]["decided_at"] is None
    show_status(out, site.status())
    assert "not decided yet" in capsys.readouterr().out
    site.write("more.json", [indicator("more", ONE)])
    with pytest.raises(StoppedError):
        site.service.feeds.poll("files")
    assert site.feed()["error"] is None, "nothing is wrong with the feed"
    site.open()
    site.change()
    assert site.status()["lists"][0]["decided_at"] == "2026-03-01T12:00:00Z"
    assert len(site.at()) == 1201
    site.consistent()
