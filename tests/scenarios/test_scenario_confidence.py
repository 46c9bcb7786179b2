"""What a feed's producers write as confidence, read on the scale that the file names."""

from typing import Any

import pytest
from rich.console import Console
from scenario_site import Site
from stix_samples import indicator

from connector.errors import ConfigError
from connector.reports.explain import explain_value
from connector.reports.formatting import show_explanation

FILES = {"type": "bundle", "path": "bundles/", "unmarked_tlp": "clear"}
SURE = {"purpose": "block", "select": {"min_confidence": 60}}
SAID: list[tuple[Any, str]] = [
    (1, "192.0.2.1"), (2, "192.0.2.2"), (5, "192.0.2.5"), (6, "192.0.2.6"), (70, "192.0.2.70"),
    ("Probably True", "192.0.2.7"),
]  # fmt: skip


def scaled(site: Site, **feed: Any) -> None:
    site.configure(
        feeds={"files": {**FILES, **feed}},
        lists={"perimeter": SURE},
        outputs={
            "edge": {
                "list": "perimeter", "adapter": "firewall", "options": {"device": "edge"},
                "mapping": {"comment": {"template": "{confidence}"}},
            }
        },
    )  # fmt: skip


def comments(site: Site) -> dict[str, Any]:
    held = site.rack["edge"].entries()
    return {observable.value: fields["comment"] for observable, fields in held.items()}


def test_a_feed_is_read_on_the_scale_that_the_file_names(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    scaled(site, confidence_scale="admiralty", default_confidence=20)
    site.write("all.json", [indicator(value, value, confidence=said) for said, value in SAID])
    outcome = site.once()
    assert comments(site) == {"192.0.2.1": "90", "192.0.2.2": "70", "192.0.2.7": "70"}
    assert site.reasons() == {"deselected": 3, "wanted": 3}
    assert outcome.polled["files"].off_scale == 1, "70 is no step of it; 6 is one, and says nothing"
    told = capsys.readouterr()
    assert "feed.confidence_off_scale" in told.out + told.err
    site.consistent()


def test_a_scale_that_the_file_names_later_is_held_against_what_is_there(site: Site) -> None:
    scaled(site)
    site.write("all.json", [indicator(value, value, confidence=said) for said, value in SAID])
    outcome = site.once()
    assert site.at() == ["192.0.2.70"]
    assert site.reasons() == {"deselected": 4, "unreadable": 1, "wanted": 1}
    assert outcome.polled["files"].unreadable == 1
    site.consistent()
    site.edit(lambda config: config["feeds"]["files"].update(confidence_scale="admiralty"))
    site.open()
    site.change()
    assert site.at() == ["192.0.2.1", "192.0.2.2", "192.0.2.7"]
    assert site.reasons() == {"deselected": 3, "wanted": 3}
    site.consistent()


def test_explain_tells_what_was_said_beside_what_it_means(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    scaled(site, confidence_scale="admiralty")
    site.write("all.json", [indicator(value, value, confidence=said) for said, value in SAID])
    site.once()

    def told(value: str) -> tuple[Any, Any]:
        (observable,) = explain_value(site.service.decider, value)["observables"]
        (claim,) = observable["claims"]
        return claim["confidence"], claim["confidence_said"]

    assert told("192.0.2.2") == (70, "2")
    assert told("192.0.2.7") == (70, "probably true")
    assert told("192.0.2.70") == (None, "70")
    assert told("192.0.2.6") == (None, "6")
    for value in ("192.0.2.7", "192.0.2.70"):
        show_explanation(Console(width=500), explain_value(site.service.decider, value))
    shown = capsys.readouterr().out
    assert "confidence probably true, read as 70" in shown
    assert "confidence 70, read as nothing" in shown


def test_explain_gives_no_number_for_a_confidence_that_is_none(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    scaled(site)
    site.write("all.json", [indicator("192.0.2.1", "192.0.2.1", confidence=101)])
    site.once()
    answer = explain_value(site.service.decider, "192.0.2.1")
    (claim,) = answer["observables"][0]["claims"]
    assert claim["confidence"] is None
    show_explanation(Console(width=500), answer)
    assert "confidence on no scale, read as nothing" in capsys.readouterr().out


def test_a_scale_that_there_is_not_is_answered_with_those_that_there_are(site: Site) -> None:
    scaled(site, confidence_scale="admirality")
    with pytest.raises(ConfigError) as refused:
        site.load()
    assert "admiralty" in str(refused.value)
    assert "confidence_scale" in str(refused.value)
