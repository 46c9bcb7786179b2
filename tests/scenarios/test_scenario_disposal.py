"""Objects that a marking told us to dispose of (ACS 3.0; feed.md section 2.3, rule 7)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dying_process import commits
from scenario_site import Clock, Site
from stix_samples import PRODUCER, START, TLP, Object, indicator, revoked, sid, stamp
from test_scenario_consent import acs
from test_scenario_context import link, said

from connector.daemon.workers import Workers
from connector.indicators.markings.acs import ACS_EXTENSION
from connector.reports.explain import explain_value
from connector.testing.taxii.server import TaxiiServer

BRIEF = sid("marking-definition", "brief")
LABEL = "a-word-of-the-object"
STAYS = indicator("stays", "192.0.2.99")
Feeds = Callable[..., dict[str, Any]]


def brief(days: float = 3, ref: str = BRIEF) -> Object:
    """A marking that permits all, until some days after the start."""
    made = acs(ref)
    date = {"disposition_date": f"2026-03-{1 + int(days):02}T12:00:00Z"}
    made["extensions"][ACS_EXTENSION]["resource_disposition"] = date
    return made


def marked(name: object = 1, value: str = "192.0.2.1", **fields: Any) -> Object:
    return indicator(
        name, value, object_marking_refs=[BRIEF, TLP["clear"]], labels=[LABEL], **fields
    )


def identity() -> Object:
    return {
        "type": "identity", "spec_version": "2.1", "id": PRODUCER, "name": "CERT",
        "created": stamp(START), "modified": stamp(START),
    }  # fmt: skip


def everything_is_due(site: Site) -> None:
    """Let the date pass with nothing coming in, as the daemon would find it."""
    site.clock.advance(days=4)
    for name in site.service.lists:
        site.service.lists.refresh(name)
    for output in site.service.outputs:
        site.service.outputs.sync(output)
    site.service.feeds.dispose()
    for name in site.service.lists:
        site.service.lists.refresh(name)


def rows(site: Site, sql: str) -> list[Any]:
    database = site.service.store.database
    with database.read() as transaction:
        return [tuple(row) for row in transaction.rows(sql)]


def written(site: Site, text: str) -> bool:
    """Whether a file of the state holds a text anywhere, also where it was deleted."""
    return any(text.encode() in file.read_bytes() for file in site.folder.glob("state/*"))


@pytest.fixture
def fed(site: Site, taxii: TaxiiServer, taxii_feed: Feeds) -> Site:
    site.configure(feeds={"ais": taxii_feed()})
    taxii.add_objects([STAYS, brief(), marked()])
    site.change()
    assert site.at() == ["192.0.2.1", "192.0.2.99"]
    return site


def test_time_alone_takes_the_entry_away_and_the_stored_copy(fed: Site) -> None:
    assert written(fed, LABEL)
    everything_is_due(fed)
    assert fed.at() == ["192.0.2.99"]
    assert fed.reasons() == {"expired": 1, "wanted": 1}
    assert rows(fed, "SELECT count(packed) FROM objects") == [(1,)]
    assert rows(fed, "SELECT value FROM observables ORDER BY value") == [("",), ("192.0.2.99",)]
    assert not written(fed, LABEL)
    assert fed.feed("ais")["objects"] == 3
    fed.consistent()
    assert fed.idle()


def test_what_is_left_says_why_it_left(fed: Site) -> None:
    ref = marked()["id"]
    everything_is_due(fed)
    (observable,) = explain_value(fed.service.decider, ref)["observables"]
    (outcome,) = observable["outputs"]
    assert outcome["reason"] == "expired"
    assert "disposition date" in outcome["detail"]
    assert explain_value(fed.service.decider, "192.0.2.1")["found"] is False


def test_the_audit_tells_it_by_marking_and_number_alone(fed: Site) -> None:
    everything_is_due(fed)
    told = rows(fed, "SELECT plan, result, count FROM audit WHERE action = 'dispose'")
    assert told == [(BRIEF, "2 objects: their disposition date has passed", 0)]


@pytest.mark.parametrize("again", [marked(), indicator(1, "192.0.2.1", days=-1)])
def test_no_replay_brings_it_back(fed: Site, taxii: TaxiiServer, again: Object) -> None:
    everything_is_due(fed)
    taxii.add_objects([again, brief()])
    fed.change()
    assert fed.at() == ["192.0.2.99"]
    assert rows(fed, "SELECT count(packed) FROM objects") == [(1,)]
    assert not written(fed, LABEL)
    fed.consistent()


def test_what_comes_after_its_date_is_not_taken_in(fed: Site, taxii: TaxiiServer) -> None:
    everything_is_due(fed)
    taxii.add_objects([marked(2, "192.0.2.2")])
    fed.change()
    assert fed.feed("ais")["objects"] == 3
    assert rows(fed, "SELECT value FROM observables WHERE value = '192.0.2.2'") == []


def test_a_marking_that_comes_after_its_own_date_takes_out_what_bears_it(
    site: Site, taxii: TaxiiServer, taxii_feed: Feeds
) -> None:
    site.configure(feeds={"ais": taxii_feed()})
    site.clock.advance(days=4)
    taxii.add_objects([STAYS, marked()])
    site.change()
    assert rows(site, "SELECT count(packed) FROM objects") == [(2,)]
    taxii.add_objects([brief()])
    site.change()
    site.service.feeds.dispose()
    assert rows(site, "SELECT count(packed) FROM objects") == [(1,)]
    assert not written(site, LABEL)
    site.change()
    site.consistent()


def test_a_new_version_without_the_marking_counts_again(fed: Site, taxii: TaxiiServer) -> None:
    everything_is_due(fed)
    taxii.add_objects([indicator(1, "192.0.2.1", days=20)])
    fed.change()
    assert fed.at() == ["192.0.2.1", "192.0.2.99"]
    assert fed.reasons() == {"wanted": 2}
    fed.consistent()


def test_a_value_that_another_indicator_claims_stays(fed: Site, taxii: TaxiiServer) -> None:
    taxii.add_objects([indicator("other", "192.0.2.1", days=1)])
    fed.change()
    everything_is_due(fed)
    assert fed.at() == ["192.0.2.1", "192.0.2.99"]
    assert fed.reasons() == {"expired": 1, "wanted": 2}
    fed.consistent()


def test_a_value_is_kept_until_the_target_has_let_go_of_it(fed: Site) -> None:
    fed.clock.advance(days=4)
    fed.service.feeds.dispose()
    assert rows(fed, "SELECT count(*) FROM observables WHERE value = '192.0.2.1'") == [(1,)]
    fed.change()
    assert fed.at() == ["192.0.2.99"]
    fed.service.feeds.dispose()
    assert rows(fed, "SELECT count(*) FROM observables WHERE value = '192.0.2.1'") == [(0,)]
    fed.consistent()


def test_one_that_was_revoked_stays_revoked(fed: Site, taxii: TaxiiServer) -> None:
    taxii.add_objects([revoked(marked(), days=2)])
    fed.change()
    everything_is_due(fed)
    assert fed.reasons() == {"revoked": 1, "wanted": 1}
    taxii.add_objects([indicator(1, "192.0.2.1", days=20)])
    fed.change()
    assert fed.at() == ["192.0.2.99"]
    fed.consistent()


def test_what_a_context_object_said_is_forgotten(
    site: Site, taxii: TaxiiServer, taxii_feed: Feeds
) -> None:
    site.configure(feeds={"ais": taxii_feed()})
    site.edit(lambda config: config["outputs"]["edge"].update(
        mapping={"comment": {"template": "{context.malware}"}}
    ))  # fmt: skip
    rat = said("malware", "rat", name="Plain Rat", object_marking_refs=[BRIEF, TLP["clear"]])
    taxii.add_objects([identity(), brief(), STAYS, rat, link("indicates", STAYS, rat)])
    site.change()
    (told,) = site.rack["edge"].entries().values()
    assert told["comment"] == "Plain Rat"
    everything_is_due(site)
    site.change()
    (told,) = site.rack["edge"].entries().values()
    assert told["comment"] == ""
    assert rows(site, "SELECT count(*) FROM nodes WHERE body LIKE '%Plain%'") == [(0,)]
    site.consistent()


def test_a_second_search_finds_what_passed_the_door_the_moment_before(
    fed: Site, monkeypatch: pytest.MonkeyPatch, taxii: TaxiiServer
) -> None:
    everything_is_due(fed)
    disposals = fed.service.store.objects.disposals
    with monkeypatch.context() as open_door:
        open_door.setattr(disposals, "closed", lambda *_asked, **_spills: {})
        taxii.add_objects([marked(2, "192.0.2.2")])
        fed.change()
    assert fed.at() == ["192.0.2.99"], "its marking expired it"
    fed.service.feeds.dispose()
    fed.clock.advance(hours=2)
    fed.service.feeds.dispose()
    assert rows(fed, "SELECT count(packed) FROM objects") == [(1,)]
    assert rows(fed, "SELECT turn FROM disposals") == [(None,)]


def test_pages_that_wait_are_searched_too(fed: Site) -> None:
    store = fed.service.store.objects
    state = store.runs.collection(1, "waiting", "waiting")
    raw = b'{"type":"note","object_marking_refs":["' + BRIEF.encode() + b'"]}'
    store.staging.put(state.number, [raw, b"{}"], "", ended=False)
    everything_is_due(fed)
    (page,) = store.staging.pages(state.number)
    assert page.objects == [b"{}"]


def test_the_daemon_does_it_by_itself(fed: Site) -> None:
    generation = Workers(fed.service, lambda _error: None)
    fed.clock.advance(days=4)
    assert generation.disposal in generation.workers
    generation.disposal.run()
    assert rows(fed, "SELECT count(packed) FROM objects") == [(1,)]


class DiedError(Exception):
    """Stands for the end of the process: nothing after it runs."""


def dying(nth: int) -> Callable[[str], None]:
    passed = iter(range(nth))

    def point(_where: str) -> None:
        if next(passed, None) is None:
            raise DiedError

    return point


def test_a_kill_on_the_way_is_healed_by_the_next_turn(
    site_folder: Path, taxii: TaxiiServer, taxii_feed: Feeds
) -> None:
    ends: list[Any] = []
    for nth in range(40):
        site = Site(site_folder / str(nth), Clock())
        site.configure(feeds={"ais": taxii_feed()})
        if not nth:
            others = [marked(n, f"192.0.2.{n}") for n in range(1, 5)]
            taxii.add_objects([STAYS, brief(), *others])
        site.change()
        site.clock.advance(days=4)
        died = False
        try:
            with commits(dying(nth)):
                site.service.feeds.dispose()
        except DiedError:
            died = True
        site.open()
        site.consistent(settled=False)
        site.change()
        site.service.feeds.dispose()
        site.change()
        site.consistent()
        left = rows(site, "SELECT value FROM observables ORDER BY number")
        ends.append((site.at(), site.reasons(), left, written(site, LABEL)))
        site.close()
        if not died:
            break
    assert nth > 4, "there is more than one commit on the way"
    assert not died
    assert ends == [ends[-1]] * len(ends)
    assert ends[-1][:2] == (["192.0.2.99"], {"expired": 4, "wanted": 1})
