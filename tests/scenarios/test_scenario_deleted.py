"""What a server deleted without a word: found by its manifest, withdrawn after two misses."""

from collections.abc import Callable
from typing import Any

import pytest
import structlog
from scenario_site import Site
from stix_samples import indicator

from connector.testing.taxii.faults import Body, CutJson, Header, NoNext, Status
from connector.testing.taxii.server import ServedCollection, TaxiiServer

Section = Callable[..., dict[str, Any]]
KNOWN = [indicator(n, f"192.0.2.{n}") for n in range(1, 11)]


@pytest.fixture(params=["2.1", "2.0"])
def compared(
    site: Site, taxii: TaxiiServer, taxii_feed: Section, request: pytest.FixtureRequest
) -> Site:
    """A site that compares every week, with a server that holds ten objects."""
    taxii.versions = (request.param,)
    site.configure(feeds={"isac": taxii_feed(page_size=3, reconcile_every="7d")})
    taxii.add_objects(KNOWN)
    site.change()
    assert len(site.at()) == 10
    return site


def week_later(site: Site) -> None:
    site.clock.advance(days=7)
    site.change()


def manifests(server: TaxiiServer) -> int:
    return sum(asked.path.endswith("/manifest/") for asked in server.requests)


def test_an_object_deleted_at_the_server_is_withdrawn_after_two_misses(
    compared: Site, taxii: TaxiiServer
) -> None:
    taxii.collections[0].remove(KNOWN[4]["id"])
    compared.change()
    assert manifests(taxii) == 0
    week_later(compared)
    assert manifests(taxii) > 0
    assert len(compared.at()) == 10
    compared.change()
    assert len(compared.at()) == 10
    compared.open()
    week_later(compared)
    assert "192.0.2.5" not in compared.at()
    assert len(compared.at()) == 9
    assert compared.reasons()["withdrawn"] == 1
    compared.consistent()


def test_a_single_miss_is_forgiven(compared: Site, taxii: TaxiiServer) -> None:
    rows = taxii.collections[0].rows
    taxii.collections[0].rows = [row for row in rows if row.id != KNOWN[4]["id"]]
    week_later(compared)
    taxii.collections[0].rows = rows
    week_later(compared)
    taxii.collections[0].rows = [row for row in rows if row.id != KNOWN[4]["id"]]
    week_later(compared)
    assert len(compared.at()) == 10


def test_what_the_manifest_shows_again_counts_again(compared: Site, taxii: TaxiiServer) -> None:
    rows = taxii.collections[0].rows
    taxii.collections[0].rows = [row for row in rows if row.id != KNOWN[4]["id"]]
    week_later(compared)
    week_later(compared)
    assert len(compared.at()) == 9
    taxii.collections[0].rows = rows
    week_later(compared)
    assert len(compared.at()) == 10
    compared.consistent()


def test_an_object_that_another_collection_holds_stays(compared: Site, taxii: TaxiiServer) -> None:
    other = ServedCollection(id="2b", title="Other")
    taxii.collections.append(other)
    taxii.add_objects(KNOWN[4:5], collection=other)
    compared.open()
    taxii.collections[0].remove(KNOWN[4]["id"])
    week_later(compared)
    week_later(compared)
    assert len(compared.at()) == 10


@pytest.mark.parametrize(
    "fault",
    [
        Status(code=501, path="/manifest/"),
        Status(code=403, path="/manifest/"),
        CutJson(path="/manifest/"),
        Body(path="/manifest/"),
        Body(path="/manifest/", body=b'{"objects": [{}]}', content_type="application/json"),
    ],
    ids=["absent", "closed", "cut off", "login page", "nameless"],
)
def test_a_manifest_that_is_not_told_to_the_end_proves_nothing(
    compared: Site, taxii: TaxiiServer, fault: Any
) -> None:
    taxii.collections[0].remove(KNOWN[4]["id"])
    taxii.faults = [fault]
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            week_later(compared)
    assert len(compared.at()) == 10
    assert [line["event"] for line in logs].count("feed.inventory_failed") == 3
    assert compared.feed("isac")["state"] == "ok"


@pytest.mark.parametrize("left", [0, 1, 4])
def test_a_manifest_that_names_less_than_half_is_not_believed(
    compared: Site, taxii: TaxiiServer, left: int
) -> None:
    for gone in KNOWN[left:]:
        taxii.collections[0].remove(gone["id"])
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            week_later(compared)
    assert len(compared.at()) == 10
    assert [line["event"] for line in logs].count("feed.inventory_short") == 3


def test_a_failed_comparison_is_made_up_for_an_hour_later(
    compared: Site, taxii: TaxiiServer
) -> None:
    taxii.faults = [Status(code=501, path="/manifest/")]
    week_later(compared)
    asked = manifests(taxii)
    compared.change()
    assert manifests(taxii) == asked
    compared.clock.advance(hours=1)
    compared.change()
    assert manifests(taxii) > asked


def test_a_manifest_without_tokens_is_read_to_its_end(compared: Site, taxii: TaxiiServer) -> None:
    taxii.faults = [NoNext(path="/manifest/"), Header(path="/manifest/")]
    taxii.collections[0].remove(KNOWN[4]["id"])
    week_later(compared)
    week_later(compared)
    assert len(compared.at()) == 9


def test_a_server_that_forgets_is_never_compared(
    site: Site, taxii: TaxiiServer, taxii_feed: Section
) -> None:
    site.configure(feeds={"ais": taxii_feed(window="47h", reconcile_every="1d")})
    taxii.add_objects(KNOWN)
    site.change()
    for _ in range(3):
        week_later(site)
    assert manifests(taxii) == 0
    assert len(site.at()) == 10
