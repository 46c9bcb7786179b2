"""A window that was missed: warned of in time, recorded, shown everywhere, and acknowledged."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import structlog
from scenario_site import Clock, Site
from stix_samples import START, indicator, revoked
from typer.testing import CliRunner

from connector.commands.app import app
from connector.errors import ConnectorError
from connector.feeds.taxii.feed import MOST_SEARCHED
from connector.reports.explain import explain_value
from connector.reports.status import healthy
from connector.testing.taxii.faults import Status
from connector.testing.taxii.server import ServedCollection, TaxiiServer

Section = Callable[..., dict[str, Any]]


@pytest.fixture
def clock() -> Clock:
    """One clock for the service and for its server."""
    return Clock()


@pytest.fixture
def ais(clock: Clock) -> Iterator[TaxiiServer]:
    """A server that answers 48 hours back and no more."""
    with TaxiiServer(clock=lambda: clock.moment, history=timedelta(hours=48)) as server:
        server.add_objects([indicator("old", "192.0.2.1", days=30)])
        yield server


@pytest.fixture
def polled(site: Site, clock: Clock, ais: TaxiiServer) -> Site:
    """A site that has polled this server once."""
    site.clock = clock
    feed = {"type": "taxii", "url": ais.url, "profile": "ais", "unmarked_tlp": "clear"}
    site.configure(feeds={"ais": {**feed, "max_age": "30d", "read_timeout": "5s"}})
    site.change()
    assert site.feed("ais")["gaps"] == []
    return site


def outage(site: Site, **length: float) -> None:
    site.clock.advance(**length)


def test_an_outage_longer_than_the_window_leaves_a_gap_until_it_is_acknowledged(
    polled: Site,
) -> None:
    outage(polled, hours=52)
    polled.change()
    (gap,) = polled.feed("ais")["gaps"]
    assert gap == {
        "collection": "Indicators",
        "after": "2026-03-01T12:00:00Z",
        "until": "2026-03-01T17:00:00Z",
        "noted": "2026-03-03T16:00:00Z",
    }
    assert not healthy(polled.status())
    polled.change()
    polled.open()
    assert len(polled.feed("ais")["gaps"]) == 1
    gaps = polled.service.store.objects.gaps
    number = polled.service.feeds["ais"].number
    assert gaps.acknowledge(number, "operator", polled.clock()) == 1
    assert polled.feed("ais")["gaps"] == []
    assert healthy(polled.status())
    polled.change()
    assert gaps.found() == []
    assert [gap.acknowledged_by for gap in gaps.found(everything=True)] == ["operator"]


def test_after_52_hours_of_48_a_gap_is_told_and_age_still_removes_what_is_stale(
    polled: Site, ais: TaxiiServer
) -> None:
    """Its revocation came and went while nobody asked, so only its age can take it off."""
    assert polled.at() == ["192.0.2.1"]
    ais.faults = [Status(code=503, path="")]
    outage(polled, hours=1)
    ais.add_objects([revoked(indicator("old", "192.0.2.1"), days=31)])
    outage(polled, hours=51)
    with pytest.raises(ConnectorError):
        polled.service.feeds.poll("ais")
    ais.faults = []
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        polled.change()
    assert [line["feed"] for line in logs if line["event"] == "feed.gap"] == ["ais"]
    assert len(polled.feed("ais")["gaps"]) == 1
    assert not healthy(polled.status())
    assert polled.at() == ["192.0.2.1"], "nothing was lost that is still believed"
    outage(polled, days=27, hours=19)
    polled.change()
    assert polled.at() == ["192.0.2.1"]
    outage(polled, hours=1)
    polled.change()
    assert polled.at() == []
    assert polled.reasons() == {"expired": 1}
    polled.consistent()


def test_a_gap_is_on_record_before_the_cursor_moves_past_it(polled: Site, ais: TaxiiServer) -> None:
    outage(polled, hours=52)
    ais.add_objects([indicator(n, f"198.51.100.{n}") for n in range(1, 5)])
    ais.max_page_size = 2
    ais.faults = [Status(code=500, paged_only=True)]
    with pytest.raises(ConnectorError):
        polled.service.feeds.poll("ais")
    assert len(polled.service.store.objects.gaps.found()) == 1


def test_a_gap_that_grows_is_open_again(polled: Site) -> None:
    gaps, number = polled.service.store.objects.gaps, polled.service.feeds["ais"].number
    assert gaps.note(number, "key", 10, 20, 30)
    assert not gaps.note(number, "key", 10, 20, 31)
    gaps.acknowledge(number, "operator", 32)
    assert not gaps.note(number, "key", 10, 20, 33)
    assert gaps.found() == []
    assert gaps.note(number, "key", 10, 21, 34)
    assert [gap.until for gap in gaps.found()] == [21]


def test_metrics_and_explain_speak_of_a_gap(polled: Site) -> None:
    outage(polled, hours=52)
    polled.change()
    assert 'connector_feed_gaps{feed="ais"} 1.0' in polled.metrics()
    (gap,) = explain_value(polled.service.decider, "192.0.2.1")["gaps"]
    assert (gap["feed"], gap["until"]) == ("ais", "2026-03-01T17:00:00Z")


@pytest.mark.parametrize(("hours", "warned"), [(23, 0), (24, 1), (40, 1)])
def test_warns_once_when_half_of_the_window_went_by_without_success(
    polled: Site, ais: TaxiiServer, hours: int, warned: int
) -> None:
    ais.faults = [Status(code=503, path="")]
    outage(polled, hours=hours)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            with pytest.raises(ConnectorError):
                polled.service.feeds.poll("ais")
        polled.service.feeds.warn_of_windows()
    told = [line for line in logs if line["event"] == "feed.window"]
    assert len(told) == warned
    assert all(line["seconds_without_success"] == hours * 3600 for line in told)


def test_warns_again_in_the_next_outage(polled: Site) -> None:
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            outage(polled, hours=30)
            polled.service.feeds.warn_of_windows()
            polled.service.feeds.poll("ais")
            polled.service.feeds.warn_of_windows()
    assert [line["event"] for line in logs].count("feed.window") == 2


class TestCommand:
    @pytest.fixture
    def command(self, polled: Site, ais: TaxiiServer) -> Callable[..., Any]:
        """Runs the program on a site whose parts are those that are installed."""
        polled.edit(
            lambda config: config["outputs"].update(
                edge={"list": "perimeter", "adapter": "edl", "options": {"file": "edge.txt"}}
            )
        )
        outage(polled, hours=52)
        polled.service.feeds.poll("ais")
        polled.close()
        given = {"env": {"USER": "operator", "SUDO_USER": ""}, "catch_exceptions": False}

        def run(*words: str) -> Any:
            try:
                return CliRunner().invoke(app, [*words, "-c", str(polled.config_path)], **given)
            finally:
                structlog.reset_defaults()  # the command logs to a terminal that is gone now

        return run

    def test_lists_what_a_feed_can_see(self, command: Callable[..., Any], ais: TaxiiServer) -> None:
        done = command("feeds", "list", "--json")
        assert done.exit_code == 0
        (feed,) = json.loads(done.stdout)["feeds"]
        (found,) = feed["collections"]
        assert found["key"] == f"{ais.origin}/public/collections/{ais.collections[0].id}/"
        assert found["root"] == f"{ais.origin}/public/"
        assert found["names"] == [ais.collections[0].id]
        assert (found["readable"], found["chosen"], found["seen"]) == (True, True, True)
        assert START.strftime("%Y-%m-%dT%H:%M") in found["cursor"]
        assert [gap["acknowledged_at"] for gap in feed["gaps"]] == [None]

    def test_says_so_when_a_feed_does_not_answer(
        self, command: Callable[..., Any], ais: TaxiiServer
    ) -> None:
        ais.faults = [Status(code=404, path="")]
        done = command("feeds", "list", "--json")
        assert done.exit_code == 1
        (feed,) = json.loads(done.stdout)["feeds"]
        assert "answered 404" in feed["error"]
        assert [found["seen"] for found in feed["collections"]] == [False]

    def test_acknowledges_a_gap_by_name(self, command: Callable[..., Any]) -> None:
        assert "lost" in command("feeds", "list").stdout
        assert "connector feeds ack ais" in command("status").stdout
        done = command("feeds", "ack", "ais")
        assert (done.exit_code, done.stdout) == (0, "ais: gaps acknowledged: 1\n")
        assert "acknowledged by operator" in command("feeds", "list").stdout
        assert json.loads(command("feeds", "ack", "ais", "--json").stdout) == {
            "feed": "ais",
            "acknowledged": 0,
            "alarms": 0,
        }
        assert "connector feeds ack" not in command("status").stdout

    def test_names_the_feeds_there_are(self, command: Callable[..., Any]) -> None:
        done = command("feeds", "ack", "aiz")
        assert done.exit_code == 1
        assert "aiz is not a feed of this configuration (ais)" in done.output


def crowd(server: TaxiiServer, count: int) -> None:
    """Let a server have many collections, each with objects that were added just now."""
    server.collections[:] = [
        ServedCollection(id=f"c{n}", title=f"Collection {n}") for n in range(count)
    ]
    publish(server, count)


def publish(server: TaxiiServer, count: int) -> None:
    for n in range(count):
        objects = [indicator(f"{server.clock()} {n} {each}", "192.0.2.9") for each in range(3)]
        server.add_objects(objects, collection=server.collections[n])


def test_gaps_of_many_collections_are_told_in_few_lines(
    site: Site, clock: Clock, ais: TaxiiServer, taxii_feed: Section
) -> None:
    crowd(ais, 8)
    site.configure(feeds={"ais": taxii_feed(url=ais.url, window="47h")})
    site.service.feeds.poll("ais")
    clock.advance(hours=100)
    publish(ais, 8)
    with structlog.testing.capture_logs() as logs:
        site.service.feeds.poll("ais")
    events = [line["event"] for line in logs]
    assert events.count("feed.gap") == 3
    assert [line["collections"] for line in logs if line["event"] == "feed.gaps"] == [8]
    assert len(site.feed("ais")["gaps"]) == 8


def test_runs_of_many_collections_that_break_off_are_told_in_one_line(
    site: Site, ais: TaxiiServer, taxii_feed: Section
) -> None:
    crowd(ais, 8)
    site.configure(feeds={"ais": taxii_feed(url=ais.url, page_size=1)})
    ais.faults = [Status(code=400, paged_only=True)]
    with structlog.testing.capture_logs() as logs, pytest.raises(ConnectorError):
        site.service.feeds.poll("ais")
    told = [line["collections"] for line in logs if line["event"] == "feed.run_unfinished"]
    assert told == [8]


def test_a_marking_is_asked_for_in_so_many_collections(
    site: Site, ais: TaxiiServer, taxii_feed: Section
) -> None:
    crowd(ais, MOST_SEARCHED + 5)
    ref = "marking-definition--00000000-0000-4000-8000-000000000001"
    marked = indicator("marked", "192.0.2.8", object_marking_refs=[ref])
    ais.add_objects([marked])
    site.configure(feeds={"ais": taxii_feed(url=ais.url)})
    site.service.feeds.poll("ais")
    assert sum(ref in one.path for one in ais.requests) == MOST_SEARCHED
