"""A feed that is capped cannot push the others out, and no feed does so silently."""

from datetime import UTC, datetime
from typing import Any

import pytest
from scenario_site import Site, one_firewall
from stix_samples import Object, address, indicator, stamp

from connector.reports.explain import explain_value

FAR = stamp(datetime(9999, 1, 1, tzinfo=UTC))
GENUINE = [indicator(f"g{n}", address(n), confidence=85) for n in range(1, 51)]
HOSTILE = [
    indicator(f"h{n}", address(n), confidence=100, modified=FAR, created=FAR)
    for n in range(1001, 1060)
]
OURS = sorted(address(n) for n in range(1, 51))


def two_feeds(**caps: Any) -> dict[str, Any]:
    common = {"type": "bundle", "unmarked_tlp": "clear"}
    return {
        "files": {**common, "path": "bundles/"},
        "others": {**common, "path": "others.json", **caps},
    }


def write_theirs(site: Site, objects: list[Object]) -> None:
    site.write("../others.json", objects)


@pytest.fixture
def full(site: Site) -> Site:
    """A full list of 50 genuine entries, before the other feed sends anything."""
    site.configure(feeds=two_feeds(), **one_firewall(max_entries=50))
    site.write("one.json", GENUINE)
    write_theirs(site, [])
    site.once()
    assert site.at() == OURS
    return site


def capped(site: Site, **caps: Any) -> None:
    site.edit(lambda config: config["feeds"]["others"].update(caps))
    site.open()


def outcome(site: Site, value: str) -> tuple[str, str]:
    (found,) = explain_value(site.service.decider, value)["observables"]
    return found["outputs"][0]["reason"], found["outputs"][0]["detail"]


def test_a_feed_of_high_confidence_pushes_nothing_out_unseen(full: Site) -> None:
    write_theirs(full, HOSTILE)
    held = full.once().held["edge"]
    assert [sentence for hold in held for sentence in hold.sentences] == [
        "would displace 50 entries by rank, 100% of the 50 there; max_evict_ratio allows 20%",
    ]
    assert full.at() == OURS
    assert full.output()["state"] == "held"
    full.consistent(settled=False)
    for hold in held:
        assert full.service.outputs.accept(hold.id, "ops").done
    assert len(set(full.at()) - set(OURS)) == 50
    full.consistent()


def test_few_that_are_pushed_out_are_the_daily_course(full: Site) -> None:
    write_theirs(full, HOSTILE[:10])
    assert not full.once().held
    assert len(set(full.at()) - set(OURS)) == 10
    full.consistent()


def test_a_ratio_counts_for_few_too_where_the_file_says_so(full: Site) -> None:
    strict = {"max_evict_ratio": 0.1, "small": 6}
    full.edit(lambda config: config["outputs"]["edge"]["limits"].update(strict))
    full.open()
    write_theirs(full, HOSTILE[:6])
    [hold] = full.once().held["edge"]
    assert "would displace 6 entries by rank" in hold.sentences[0]
    assert full.at() == OURS


def test_a_feed_gets_no_more_than_its_share_of_a_full_list(full: Site) -> None:
    capped(full, max_share=0.2)
    write_theirs(full, HOSTILE)
    assert not full.once().held
    assert len(set(full.at()) & set(OURS)) == 40
    assert len(full.at()) == 50
    theirs = [found["pattern"].split("'")[1] for found in HOSTILE]
    beyond = next(value for value in theirs if value not in full.at())
    words = "claimed by feed others alone, which already fills its max_share, 20% of the capacity"
    assert outcome(full, beyond) == ("over_capacity", words)
    ours = next(value for value in OURS if value not in full.at())
    assert outcome(full, ours) == ("over_capacity", "")
    assert full.output()["reasons"] == {"over_capacity": 59, "written": 50}
    assert full.feed("others")["caps"] == {"max_share": {"limit": 0.2, "keeps_off": 49}}
    assert full.feed()["caps"] == {}
    metrics = full.metrics()
    assert 'connector_feed_cap{cap="max_share",feed="others"} 0.2' in metrics
    assert 'connector_feed_capped{cap="max_share",feed="others"} 49.0' in metrics
    full.consistent()
    assert full.idle()


def test_a_feed_may_fill_the_room_that_the_others_leave(full: Site) -> None:
    capped(full, max_share=0.2)
    write_theirs(full, HOSTILE)
    full.write("one.json", GENUINE[:30])
    full.once()
    assert len(full.at()) == 50
    assert set(full.at()) >= set(OURS) & {address(n) for n in range(1, 31)}
    full.consistent()


def test_a_feed_cannot_use_up_its_share_on_what_another_claims_too(full: Site) -> None:
    capped(full, max_share=0.0)
    copied = [indicator(f"copy{n}", address(n), confidence=100) for n in range(1, 51)]
    write_theirs(full, [*copied, *HOSTILE])
    assert not full.once().held
    assert full.at() == OURS
    full.consistent()


def test_no_more_than_max_confidence_counts_of_a_feed(full: Site) -> None:
    capped(full, max_confidence=60)
    write_theirs(full, HOSTILE)
    assert not full.once().held
    assert full.at() == OURS
    assert full.feed("others")["caps"] == {"max_confidence": {"limit": 60, "keeps_off": None}}
    assert 'connector_feed_cap{cap="max_confidence",feed="others"} 60.0' in full.metrics()
    (found,) = explain_value(full.service.decider, address(1001))["observables"]
    (claim,) = found["claims"]
    told = (claim["confidence"], claim["confidence_said"], claim["caps"])
    assert told == (60, "100", ["max_confidence"])
    full.consistent()


def test_a_confidence_that_is_capped_selects_as_capped(site: Site) -> None:
    site.configure(feeds=two_feeds(max_confidence=60, default_confidence=90), **one_firewall())
    site.edit(lambda config: config["lists"]["perimeter"].update(select={"min_confidence": 61}))
    site.write("one.json", [indicator("a", "192.0.2.1", confidence=61)])
    theirs = [indicator("b", "192.0.2.2", confidence=100), indicator("c", "192.0.2.3")]
    write_theirs(site, theirs)
    site.once()
    assert site.at() == ["192.0.2.1"]
    why = "confidence 60, capped by max_confidence of feed others, is below 61"
    assert outcome(site, "192.0.2.2") == ("deselected", why)
    site.consistent()
