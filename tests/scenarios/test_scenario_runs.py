"""A run of several pages counts when it has ended well, unless the file says otherwise."""

from collections.abc import Callable
from typing import Any

import pytest
import structlog
from dying_process import Nursery
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenario_site import Site
from stix_samples import indicator, revoked

from connector.errors import ConnectorError
from connector.testing.taxii.faults import Status
from connector.testing.taxii.server import TaxiiServer

Section = Callable[..., dict[str, Any]]
KNOWN = [indicator(n, f"192.0.2.{n}") for n in range(1, 11)]


@pytest.fixture
def paged(site: Site, taxii: TaxiiServer, taxii_feed: Section) -> Site:
    """A site that reads three objects in a page, from a server that holds ten."""
    site.configure(feeds={"ais": taxii_feed(page_size=3)})
    taxii.add_objects(KNOWN)
    return site


def poll_breaks(site: Site) -> None:
    with pytest.raises(ConnectorError):
        site.service.feeds.poll("ais")
    for name in site.service.lists:
        site.service.lists.refresh(name, everything=True)


def waiting(site: Site) -> int:
    """How many pages are set aside."""
    objects = site.service.store.objects
    (key,) = objects.runs.cursors(site.service.feeds["ais"].number)
    state = objects.runs.collection(site.service.feeds["ais"].number, key, "")
    standing = objects.staging.standing(state.number)
    return 0 if standing is None else standing.pages


def test_a_run_that_breaks_off_changes_no_list(paged: Site, taxii: TaxiiServer) -> None:
    taxii.faults = [Status(code=403, page=3)]
    with structlog.testing.capture_logs() as logs:
        poll_breaks(paged)
    assert paged.reasons() == {}
    assert paged.feed("ais")["objects"] == 0
    assert waiting(paged) == 2
    (told,) = [line for line in logs if line["event"] == "feed.run_unfinished"]
    assert told["pages_waiting"] == 2


def test_the_next_run_goes_on_and_all_of_it_counts(paged: Site, taxii: TaxiiServer) -> None:
    taxii.faults = [Status(code=403, page=3)]
    poll_breaks(paged)
    asked = len(taxii.requests)
    taxii.faults = []
    paged.change()
    assert len(paged.at()) == 10
    assert waiting(paged) == 0
    (first, *_) = [a for a in taxii.requests[asked:] if a.page]
    assert "added_after" in first.query
    paged.consistent()


def test_a_revocation_in_a_broken_run_waits_for_its_end(paged: Site, taxii: TaxiiServer) -> None:
    paged.change()
    taxii.add_objects([revoked(one) for one in KNOWN[:8]])
    taxii.faults = [Status(code=403, page=6)]
    poll_breaks(paged)
    assert len(paged.at()) == 10
    assert paged.idle()
    taxii.faults = []
    paged.change()
    assert paged.at() == ["192.0.2.10", "192.0.2.9"]


def test_a_run_of_one_page_counts_at_once(paged: Site, taxii: TaxiiServer) -> None:
    paged.edit(lambda config: config["feeds"]["ais"].update(page_size=100))
    paged.change()
    assert len(paged.at()) == 10


def test_every_page_counts_as_it_comes_where_the_file_allows_it(
    paged: Site, taxii: TaxiiServer
) -> None:
    paged.edit(lambda config: config["feeds"]["ais"].update(partial_runs="allow"))
    taxii.faults = [Status(code=403, page=3)]
    poll_breaks(paged)
    assert paged.feed("ais")["objects"] == 6


def test_what_waits_counts_once_the_file_allows_it(paged: Site, taxii: TaxiiServer) -> None:
    taxii.faults = [Status(code=403, page=3)]
    poll_breaks(paged)
    paged.edit(lambda config: config["feeds"]["ais"].update(partial_runs="allow"))
    taxii.faults = [Status(code=403, path="/objects/")]
    paged.open()
    poll_breaks(paged)
    assert paged.feed("ais")["objects"] == 6
    assert waiting(paged) == 0


def test_a_server_that_always_fails_at_one_page_fills_no_disk(
    paged: Site, taxii: TaxiiServer
) -> None:
    taxii.faults = [Status(code=403, paged_only=True)]
    poll_breaks(paged)
    pages = waiting(paged)
    for _ in range(5):
        poll_breaks(paged)
    assert waiting(paged) <= pages + 1


def test_pages_that_wait_for_the_end_of_a_run_are_bounded(
    paged: Site, taxii: TaxiiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.ingest.poll.MOST_PAGES_WAITING", 2)
    taxii.faults = [Status(code=403, page=3)]
    poll_breaks(paged)
    taxii.faults = []
    asked = len(taxii.requests)
    with pytest.raises(ConnectorError, match="2 pages wait for the end of a run, and no more"):
        paged.service.feeds.poll("ais")
    assert not [one for one in taxii.requests[asked:] if one.page]
    paged.edit(lambda config: config["feeds"]["ais"].update(partial_runs="allow"))
    paged.open()
    paged.change()
    assert len(paged.at()) == 10


@pytest.mark.parametrize("commit", range(1, 24, 2))
def test_a_kill_at_any_commit_of_a_run_ends_in_the_same_store(
    paged: Site, nursery: Nursery, commit: int
) -> None:
    nursery.kill_in_cycle(paged, "after commit", commit, whole=True)
    paged.consistent(settled=False)
    paged.once()
    assert len(paged.at()) == 10
    assert waiting(paged) == 0
    paged.consistent()
    assert paged.idle()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(breaks=st.lists(st.integers(1, 6), max_size=4))
def test_whereever_runs_break_the_end_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, breaks: list[int]
) -> None:
    site = Site(tmp_path_factory.mktemp("runs"))
    with TaxiiServer() as taxii:
        feed = {"type": "taxii", "url": taxii.url, "unmarked_tlp": "clear", "page_size": 2}
        site.configure(feeds={"ais": feed})
        taxii.add_objects([*KNOWN, *(revoked(one) for one in KNOWN[:3])])
        for page in breaks:
            asked = sum(1 for one in taxii.requests if one.page)
            taxii.faults = [Status(code=403, page=asked + page)]
            try:
                site.change()
            except ConnectorError:
                assert len(site.at()) in (0, 7)
        taxii.faults = []
        site.change()
        assert len(site.at()) == 7
        site.consistent()
    site.close()


def classified(number: int) -> dict[str, Any]:
    """An ACS 3.0 marking of something that may not be held at all."""
    body = {"extension_type": "property-extension", "control_set": {"classification": "S"}}
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": f"marking-definition--{number:08d}-0000-4000-8000-000000000000",
        "created": "2026-01-05T00:00:00.000Z",
        "extensions": {"extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce": body},
    }


@pytest.mark.parametrize("breaks", [True, False])
def test_pages_that_wait_hold_nothing_of_what_proves_to_be_classified(
    site: Site, taxii: TaxiiServer, taxii_feed: Section, breaks: bool
) -> None:
    site.configure(feeds={"ais": taxii_feed(page_size=3)})
    marking = classified(7)
    spilled = indicator("spill", "192.0.2.99", object_marking_refs=[marking["id"]])
    taxii.add_objects([spilled, *KNOWN[:4], marking, *KNOWN[4:]])
    if breaks:
        taxii.faults = [Status(code=403, page=3)]
        poll_breaks(site)
        objects = site.service.store.objects
        held = [raw for page in objects.staging.pages(1) for raw in page.objects]
        assert len(held) == 4
        assert not any(b"192.0.2.99" in raw for raw in held)
        taxii.faults = []
    site.change()
    assert len(site.at()) == 10
    assert site.feed("ais")["objects"] == 10
