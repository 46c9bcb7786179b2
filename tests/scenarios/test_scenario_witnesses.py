"""A list that asks for two witnesses follows what either of them says."""

from typing import Any

import pytest
from scenario_site import Site, one_firewall
from stix_samples import PRODUCER, STRANGER, indicator, revoked

from connector.reports.explain import explain_value

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
OURS = indicator("ours", ONE)
THEIRS = indicator("theirs", ONE, created_by_ref=STRANGER)
BOTH = (indicator("c", THREE), indicator("d", THREE, created_by_ref=STRANGER))


def two_feeds(**options: Any) -> dict[str, Any]:
    common = {"type": "bundle", "unmarked_tlp": "clear"}
    return {
        "files": {**common, "path": "bundles/"},
        "others": {**common, "path": "others.json", **options},
    }


@pytest.fixture
def asking(site: Site) -> Site:
    """A site whose list asks for two sources; one value has two, another has one."""
    site.configure(feeds=two_feeds(), **one_firewall())
    site.edit(lambda config: config["lists"]["perimeter"].update(select={"min_sources": 2}))
    site.write("one.json", [OURS, BOTH[0], indicator("alone", TWO), indicator("again", TWO)])
    site.write("../others.json", [THEIRS, BOTH[1]])
    site.once()
    return site


def detail(site: Site, value: str) -> dict[str, str]:
    (found,) = explain_value(site.service.decider, value)["observables"]
    return {found["outputs"][0]["reason"]: found["outputs"][0]["detail"]}


def test_what_one_feed_alone_claims_is_deselected_in_words(asking: Site) -> None:
    assert asking.at() == [ONE, THREE]
    words = "1 of the 2 independent feeds that min_sources requires claims it"
    assert detail(asking, TWO) == {"deselected": words}
    (found,) = explain_value(asking.service.decider, TWO)["observables"]
    reasons = [claim["reasons"]["perimeter"] for claim in found["claims"]]
    assert reasons == [{"reason": "deselected", "detail": words}] * 2
    assert asking.reasons() == {"deselected": 2, "superseded": 2, "wanted": 2}
    asking.consistent()


@pytest.mark.parametrize("file", ["one.json", "../others.json"])
def test_either_feed_takes_it_off(asking: Site, file: str) -> None:
    one, other = (THEIRS, BOTH[1]) if file.startswith("..") else (OURS, BOTH[0])
    asking.write(file, [revoked(one), other])
    asking.change()
    assert asking.at() == [THREE]
    assert "deselected" in detail(asking, ONE)
    asking.consistent()


def test_two_feeds_that_pass_on_one_producers_word_are_one_witness(site: Site) -> None:
    site.configure(feeds=two_feeds(), **one_firewall())
    site.edit(lambda config: config["lists"]["perimeter"].update(select={"min_sources": 2}))
    site.write("one.json", [OURS])
    site.write("../others.json", [indicator("relayed", ONE, created_by_ref=PRODUCER)])
    site.once()
    assert site.at() == []
    assert detail(site, ONE)["deselected"].startswith("1 of the 2 ")
    site.consistent()
