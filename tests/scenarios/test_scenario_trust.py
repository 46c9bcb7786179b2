"""A feed speaks for itself: nothing that another sends changes what becomes of its objects."""

from typing import Any

import pytest
from scenario_site import Site
from stix_samples import PRODUCER, Object, indicator, sid, write_bundle
from test_scenario_consent import identity, sections
from test_scenario_context import ONE, TWO, comments, link, mapped, opinion, said, selecting

from connector.reports.explain import explain_value

FILES = {"type": "bundle", "unmarked_tlp": "clear"}
FEEDS = {name: {**FILES, "path": f"{name}/"} for name in ("mine", "theirs")}


def say(site: Site, feed: str, *objects: Object, file: str = "all") -> None:
    write_bundle(site.folder / feed / f"{file}.json", objects)


@pytest.fixture
def two(site: Site) -> Site:
    """A site with two feeds of files: one of ours, and one that is up to no good."""
    site.configure(feeds=FEEDS)
    for name in FEEDS:
        say(site, name)
    return site


def reason(site: Site, value: str = "192.0.2.1") -> str:
    """Why a value that one feed claims is, or is not, on the list."""
    (observable,) = explain_value(site.service.decider, value)["observables"]
    (claim,) = observable["claims"]
    return str(claim["reasons"]["perimeter"]["reason"])


@pytest.mark.parametrize("author", [None, ""])
def test_an_opinion_that_nobody_signed_takes_no_block_off(site: Site, author: Any) -> None:
    site.configure()
    site.write("all.json", [ONE, opinion("strongly-disagree", ONE, by=author)])
    site.once()
    assert site.at() == ["192.0.2.1"]
    (claim,) = explain_value(site.service.decider, "192.0.2.1")["observables"][0]["claims"]
    assert claim["opinions"] == {}


def test_an_authority_speaks_by_the_feed_that_trusts_it_alone(two: Site) -> None:
    authority = sid("identity", "authority")
    two.edit(lambda file: file["feeds"]["mine"].update(authoritative=[authority]))
    say(two, "mine", ONE, TWO, opinion("disagree", TWO, by=authority))
    say(two, "theirs", opinion("strongly-disagree", ONE, by=authority))
    two.once()
    assert two.at() == ["192.0.2.1"], "anybody can write another's name on an opinion"


def test_no_other_feed_chooses_what_a_list_takes_by_context(site: Site) -> None:
    site.configure(feeds=FEEDS, **selecting(context={"malware": ["Rat"], "country": ["KP"]}))
    rat, place = said("malware", "rat", name="Rat"), said("location", "kp", country="KP")
    story = [rat, place, link("indicates", ONE, rat), link("originates-from", rat, place)]
    say(site, "mine", ONE)
    say(site, "theirs", *story)
    site.once()
    assert site.at() == []
    say(site, "mine", ONE, *story)
    say(site, "theirs", said("malware", "rat", name="Kitten", days=9))
    site.once()
    assert site.at() == ["192.0.2.1"]


def test_no_other_feed_says_where_a_producer_sits(site: Site) -> None:
    site.configure(feeds=FEEDS, **selecting(context={"producer_country": ["KR"]}))
    say(site, "mine", ONE)
    say(site, "theirs", said("identity", "x", id=PRODUCER, name="CERT", country="KR"))
    site.once()
    assert site.at() == []


def test_no_other_feed_names_an_indicator(site: Site) -> None:
    site.configure(feeds=FEEDS, **mapped("{indicator.name}", {"select": {"feeds": ["mine"]}}))
    say(site, "mine", {**ONE, "name": "Ours"}, TWO)
    named = [{**indicator(n, f"198.51.100.{n}", days=9), "name": "Theirs"} for n in (1, 2)]
    say(site, "theirs", *named)
    site.once()
    assert comments(site) == {"192.0.2.1": "Ours", "192.0.2.2": ""}


def test_no_other_feed_withholds_by_an_identity_or_opens_it(site: Site) -> None:
    site.configure(feeds=FEEDS, **sections())
    say(site, "mine", identity("ais-consent-everyone"), indicator(1, "192.0.2.1"))
    say(site, "theirs", identity("ais-consent-everyone-cisa-proprietary", "cisa-proprietary"))
    site.once()
    assert site.at("partners") == ["192.0.2.1"]
    say(site, "mine", identity("ais-consent-none", days=1), indicator(1, "192.0.2.1"))
    say(site, "theirs", identity("ais-consent-everyone", days=9))
    site.once()
    (told,) = site.rack["edge"].entries().values()
    assert told["comment"] == ""


@pytest.mark.parametrize("odd", ["", "unmarked", "unmarked:2", "unmarked:x", "null"])
def test_a_word_whose_marking_is_no_id_is_told_to_nobody_and_stops_nothing(
    site: Site, odd: str
) -> None:
    site.configure(**mapped("{context.malware}", {}))
    rat = said("malware", "rat", name="Rat", object_marking_refs=[odd])
    site.write("all.json", [ONE, rat, link("indicates", ONE, rat)])
    site.once()
    assert comments(site) == {"192.0.2.1": ""}
