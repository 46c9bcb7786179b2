"""What a newer version that is refused means for the older one: the same over every feed."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from scenario_site import Site
from stix_samples import START, STRANGER, Object, indicator, stamp

from connector.reports.explain import explain_value
from connector.testing.taxii.server import TaxiiServer

ONE, TWO = "192.0.2.1", "192.0.2.2"
BEGAN = START - timedelta(days=30)
SOON = START + timedelta(days=30)
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "ends as it begins": ({"valid_until": stamp(BEGAN)}, "expired"),
    "ends before it begins": ({"valid_until": stamp(BEGAN - timedelta(days=1))}, "expired"),
    "is yet to begin after it ends": (
        {"valid_from": stamp(SOON), "valid_until": stamp(SOON)}, "expired",
    ),
    "empty pattern": ({"pattern": ""}, "unreadable"),
    "no pattern": ({"pattern": "192.0.2.1"}, "unreadable"),
    "no valid_from": ({"valid_from": None}, "unreadable"),
    "no modified": ({"modified": None}, "unreadable"),
    "modified is no time": ({"modified": "2026-01-31 12:00:00"}, "unreadable"),
    "a field of another type": ({"labels": "c2"}, "unreadable"),
    "revoked is no flag": ({"revoked": "true"}, "unreadable"),
    "half a surrogate pair": ({"description": "\ud800"}, "unreadable"),
    "a number that JSON does not have": ({"x_score": float("nan")}, "unreadable"),
    "too large": ({"description": "x" * (1 << 20)}, "unreadable"),
}  # fmt: skip
Publish = Callable[[Sequence[Object], Sequence[Object]], None]


@pytest.fixture(params=["taxii", "bundle"])
def publish(
    request: pytest.FixtureRequest, site: Site, taxii: TaxiiServer,
    taxii_feed: Callable[..., dict[str, Any]],
) -> Publish:  # fmt: skip
    """Publishes what is new, beside what still stands: a server adds, a file is written anew."""
    if request.param == "taxii":
        site.configure(feeds={"ais": taxii_feed()})
        return lambda new, _standing: taxii.add_objects(new)
    site.configure()
    return lambda new, standing: site.write("one.json", [*new, *standing])


@pytest.mark.parametrize("fault", BAD)
def test_a_newer_version_that_is_refused_takes_the_older_one_off(
    site: Site, publish: Publish, fault: str
) -> None:
    fields, bucket = BAD[fault]
    kept = indicator("b", TWO)
    publish([indicator("a", ONE), kept], [])
    site.once()
    assert site.at() == [ONE, TWO]
    publish([indicator("a", ONE, days=1, **fields)], [kept])
    site.change()
    assert site.at() == [TWO]
    assert site.reasons() == {"wanted": 1, bucket: 1}, "one indicator is one claim"
    site.consistent()
    publish([indicator("a", ONE, days=2)], [kept])
    site.change()
    assert site.at() == [ONE, TWO]
    assert site.reasons() == {"wanted": 2}
    site.consistent()


def test_an_unreadable_version_that_bears_no_time_counts_as_received(
    site: Site, publish: Publish
) -> None:
    kept = indicator("b", TWO)
    publish([indicator("a", ONE), kept], [])
    site.once()
    publish([indicator("a", ONE, modified=None)], [kept])
    site.change()
    assert site.at() == [TWO]
    publish([indicator("a", ONE)], [kept])
    site.change()
    assert site.at() == [ONE, TWO]
    site.consistent()


def test_a_damaged_copy_of_what_was_read_loses_only_itself(site: Site, publish: Publish) -> None:
    whole, kept = indicator("a", ONE), indicator("b", TWO)
    publish([whole, kept], [])
    site.once()
    publish([{**whole, "pattern": ""}], [whole, kept])
    site.change()
    assert site.at() == [ONE, TWO]
    site.consistent()


def test_a_file_that_shows_no_more_than_a_damaged_copy_withdraws_it(site: Site) -> None:
    site.configure()
    whole, kept = indicator("a", ONE), indicator("b", TWO)
    site.write("one.json", [whole, kept])
    site.once()
    site.write("one.json", [{**whole, "pattern": ""}, kept])
    site.change()
    assert site.at() == [TWO]
    site.consistent()


def test_a_stranger_takes_nothing_off_by_an_unreadable_version(
    site: Site, publish: Publish
) -> None:
    kept = indicator("b", TWO)
    publish([indicator("a", ONE), kept], [])
    site.once()
    for author in (STRANGER, None):
        publish([indicator("a", ONE, days=9, pattern="", created_by_ref=author)], [kept])
        site.change()
        assert site.at() == [ONE, TWO]
    site.consistent()


def test_what_was_refused_is_explained_by_the_id_of_its_indicator(
    site: Site, publish: Publish
) -> None:
    kept, known = indicator("b", TWO), indicator("a", ONE)
    publish([known, kept], [])
    site.once()
    publish([indicator("a", ONE, days=1, valid_from=None)], [kept])
    site.change()
    (claim,) = explain_value(site.service.decider, known["id"])["unread"]
    assert claim["indicator"] == known["id"]
    assert "`valid_from` is required" in claim["why"]
