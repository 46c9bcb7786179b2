"""Deleting by markings: of one feed's objects, little at once, and only as long as it says so."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from click.testing import Result
from scenario_site import BLOCK_ALL, Site
from stix_samples import TLP, Object, address, indicator, sid
from test_scenario_consent import acs
from test_scenario_disposal import STAYS, brief, rows
from test_scenario_trust import FEEDS, reason, say
from typer.testing import CliRunner

from connector.commands.app import app
from connector.indicators.markings.acs import ACS_EXTENSION
from connector.reports.explain import explain_value
from connector.reports.look import look_of
from connector.reports.status import healthy, status
from connector.testing.taxii.server import TaxiiServer

GREEN_1 = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
BRIEF = brief()["id"]
MANY = 30
ALL = MANY + 1  # with the marking itself, which is as restricted as what bears it
Feeds = Callable[..., dict[str, Any]]


def ends(ref: str, date: str = "2021-01-01T00:00:00Z") -> Object:
    """A marking that permits all and asks to purge what bears it, long since."""
    made = acs(ref)
    asked = {"disposition_date": date, "disposition_process": "purge"}
    made["extensions"][ACS_EXTENSION]["resource_disposition"] = asked
    return made


def lasting(ref: str = BRIEF) -> Object:
    """The same marking without an end."""
    return acs(ref)


def classified(ref: str = BRIEF) -> Object:
    return acs(ref, classification="S")


def bearing(ref: str, count: int = MANY) -> list[Object]:
    marked = {"object_marking_refs": [ref, TLP["clear"]]}
    return [indicator(n, address(n), **marked) for n in range(1, count + 1)]


def held(site: Site) -> int:
    return int(rows(site, "SELECT count(packed) FROM objects")[0][0])


def purges(site: Site, feed: str = "mine") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.feed(feed)["purges"]
    return found


@pytest.fixture
def two(site: Site) -> Site:
    edge = {"list": "perimeter", "adapter": "firewall", "options": {"device": "edge"}}
    free = {"max_remove_ratio": 1, "max_add_ratio": 1}
    site.configure(
        feeds=FEEDS, lists={"perimeter": BLOCK_ALL}, outputs={"edge": {**edge, "limits": free}}
    )
    for name in FEEDS:
        say(site, name)
    return site


@pytest.mark.parametrize("count", [200, 2_000])
def test_one_object_of_another_feed_empties_no_list_and_purges_nothing(
    site: Site, count: int
) -> None:
    site.configure(feeds=FEEDS)
    marked = {"object_marking_refs": [GREEN_1]}
    say(site, "mine", *(indicator(n, address(n), **marked) for n in range(count)))
    say(site, "theirs")
    site.once()
    say(site, "theirs", ends(GREEN_1))
    outcome = site.once()
    assert len(site.at()) == count
    assert (outcome.held, outcome.failures) == ({}, {})
    assert rows(site, "SELECT count(packed) FROM objects WHERE feed = 1") == [(count,)]
    assert site.reasons() == {"wanted": count}
    assert [feed["purges"] for feed in status(look_of(site.service))["feeds"]] == [[], []]
    site.consistent()


def test_a_published_marking_takes_no_extension_from_its_own_feed_either(two: Site) -> None:
    say(two, "mine", ends(GREEN_1), *bearing(GREEN_1, 2))
    two.once()
    assert len(two.at()) == 2


@pytest.mark.parametrize("theirs", ["white", "ends", "classified"])
def test_what_another_feed_calls_a_marking_is_nothing_to_one_that_never_sent_it(
    two: Site, theirs: str
) -> None:
    ref = sid("marking-definition", "never sent")
    white = {
        "type": "marking-definition", "id": ref, "created": "2026-01-01T00:00:00Z",
        "definition_type": "tlp", "definition": {"tlp": "white"},
    }  # fmt: skip
    said = {"white": white, "ends": ends(ref), "classified": classified(ref)}[theirs]
    say(two, "mine", indicator(1, "192.0.2.1", object_marking_refs=[ref]))
    say(two, "theirs", said)
    two.once()
    assert two.at() == []
    assert reason(two) == "withheld"
    assert held(two) == 1 + (theirs == "white")
    say(two, "mine", white, indicator(1, "192.0.2.1", object_marking_refs=[ref]))
    two.once()
    assert two.at() == ["192.0.2.1"], "its own feed resolved it"


def large(two: Site, marking: Object | None = None) -> Site:
    """Let what most objects of a feed bear come to its end."""
    say(two, "mine", STAYS, file="stays")
    say(two, "mine", *bearing(BRIEF), file="some")
    say(two, "mine", lasting(), file="marking")
    two.once()
    assert two.at()
    say(two, "mine", marking or ends(BRIEF), file="marking")
    two.once()
    return two


def test_much_is_withheld_at_once_and_deleted_only_when_a_person_says_so(
    two: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    large(two)
    assert two.at() == ["192.0.2.99"]
    assert two.reasons() == {"expired": MANY, "wanted": 1}
    assert held(two) == ALL + 1
    told = capsys.readouterr().out
    assert told.count("feed.purge_waits") == 1
    (waiting,) = purges(two)
    assert waiting == {"marking": BRIEF, "objects": ALL, "since": "2026-03-01T12:00:00Z"}
    assert not healthy(status(look_of(two.service)))
    assert 'connector_feed_purges_waiting{feed="mine"} 1.0' in two.metrics()
    assert "disposition date" in str(explain_value(two.service.decider, address(1)))
    two.clock.advance(hours=2)
    two.once()
    assert held(two) == ALL + 1
    assert "feed.purge_waits" not in capsys.readouterr().out, "it was told once"
    two.consistent()


def command(site: Site, *words: str) -> Result:
    try:
        return CliRunner().invoke(app, [*words, "--config", str(site.config_path)])
    finally:
        structlog.reset_defaults()


def published(site: Site) -> None:
    """An output that the command line knows too."""
    edge = {"list": "perimeter", "adapter": "edl", "options": {"file": "edge.txt"}}
    site.edit(lambda file: file.update(outputs={"edge": edge}))


def test_a_person_deletes_what_waits(two: Site) -> None:
    large(two)
    two.close()
    published(two)
    shown = command(two, "status")
    assert shown.exit_code == 1
    assert (
        "mine: objects that we may no longer keep have been waiting for deletion since"
        in shown.stdout
    )
    assert f"{ALL} of {BRIEF} (delete: connector feeds purge mine)" in shown.stdout
    assert command(two, "feeds", "purge", "nobody").exit_code == 1
    done = command(two, "feeds", "purge", "mine", "--json")
    told = json.loads(done.stdout[done.stdout.index("{") :])  # an old runner puts the log before it
    assert (done.exit_code, told) == (0, {"feed": "mine", "purged": ALL})
    again = command(two, "feeds", "purge", "mine")
    assert (again.exit_code, again.stdout) == (0, "mine: no purge is waiting\n")
    assert held(two) == 1
    assert purges(two) == []
    assert two.reasons() == {"expired": MANY, "wanted": 1}
    (said,) = rows(two, "SELECT result FROM audit WHERE action = 'dispose'")
    assert said[0].startswith(f"{ALL} objects: their disposition date has passed; ")


@pytest.mark.parametrize(
    ("closing", "how"),
    [
        (ends, "another"), (ends, "none"), (ends, "later"), (classified, "another"),
        (classified, "later"),
    ],
)  # fmt: skip
def test_what_waits_comes_back_when_its_feed_takes_the_marking_back(
    two: Site, closing: Callable[[str], Object], how: str
) -> None:
    large(two, closing(BRIEF))
    assert two.reasons()["wanted"] == 1
    assert held(two) == ALL + 1
    say(two, "mine", *{"another": [lasting()], "none": [], "later": [brief()]}[how], file="marking")
    for name in FEEDS:
        two.service.feeds.poll(name)
    two.service.lists.refresh("perimeter")
    assert two.reasons() == {"wanted": MANY + 1}
    assert purges(two) == []


def test_what_was_classified_stays_so_until_its_feed_says_otherwise(two: Site) -> None:
    large(two, classified())
    say(two, "mine", file="marking")
    two.once()
    assert two.reasons() == {"withheld": MANY, "wanted": 1}


def test_what_was_deleted_comes_back_when_its_marking_is_taken_back(two: Site) -> None:
    say(two, "mine", *bearing(BRIEF, 3), file="some")
    say(two, "mine", ends(BRIEF), file="marking")
    two.once()
    assert (two.at(), held(two)) == ([], 0)
    say(two, "mine", lasting(), file="marking")
    two.once()
    two.once()
    assert len(two.at()) == 3, "the file was read anew"
    assert held(two) == 4
    two.consistent()


def test_a_server_is_read_anew_for_what_a_marking_kept_out(
    site: Site, taxii: TaxiiServer, taxii_feed: Feeds
) -> None:
    site.configure(feeds={"mine": taxii_feed()})
    taxii.add_objects([ends(BRIEF), *bearing(BRIEF, 3)])
    site.change()
    assert (site.at(), held(site)) == ([], 0)
    taxii.add_objects([{**lasting(), "created": "2026-02-01T00:00:00Z"}])
    site.change()
    site.change()
    assert len(site.at()) == 3
    site.consistent()


def test_a_spill_of_much_is_withheld_and_waits_too(two: Site) -> None:
    large(two, classified())
    assert two.reasons() == {"withheld": MANY, "wanted": 1}
    assert [one["objects"] for one in purges(two)] == [ALL]
    two.close()
    published(two)
    assert command(two, "feeds", "purge", "mine").exit_code == 0
    assert rows(two, "SELECT count(*) FROM objects") == [(1,)]


def test_a_small_share_goes_at_once_though_it_is_many(two: Site) -> None:
    say(two, "mine", *(indicator(n, address(n)) for n in range(100, 200)), file="others")
    large(two)
    assert (len(two.at()), held(two), purges(two)) == (101, 101, [])
    assert two.reasons() == {"expired": MANY, "wanted": 101}


def test_what_comes_after_its_end_is_turned_away_and_asks_nobody(two: Site) -> None:
    say(two, "mine", ends(BRIEF), file="marking")
    say(two, "mine", *bearing(BRIEF), file="some")
    two.once()
    assert (two.at(), held(two), purges(two)) == ([], 0, [])
