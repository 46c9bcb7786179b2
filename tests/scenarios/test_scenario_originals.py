"""What outputs pass on: indicators as received, with markings and producer, or nothing of them."""

import json
from pathlib import Path
from typing import Any

import pytest
import stix2
from scenario_site import Site
from stix_samples import PRODUCER, START, TLP, Object, indicator, sid, stamp

from connector.feeds.bundle import BundleSettings
from connector.indicators.markings.tlp_definitions import tlp_definition
from connector.reports.explain import explain_value

FILE = "bundle.json"
STATEMENT = sid("marking-definition", "statement")
EVERYONE = "ais-consent-everyone"


def identity(*labels: str, **fields: Any) -> Object:
    return {
        "type": "identity", "spec_version": "2.1", "id": PRODUCER, "name": "Example Water District",
        "created": stamp(START), "modified": stamp(START), "identity_class": "organization",
        "labels": list(labels), "object_marking_refs": [TLP["clear"]], **fields,
    }  # fmt: skip


def statement(text: str = "Copyright 2026, Example ISAO") -> Object:
    return {
        "type": "marking-definition", "spec_version": "2.1", "id": STATEMENT,
        "created": stamp(START), "definition_type": "statement",
        "definition": {"statement": text},
    }  # fmt: skip


def marked(name: str, value: str, *levels: str, **fields: Any) -> Object:
    return indicator(name, value, object_marking_refs=[*levels], **fields)


class Publisher:
    """A site that publishes a bundle for its community."""

    def __init__(self, site: Site) -> None:
        self.site = site
        site.configure(
            lists={"perimeter": {"purpose": "block", "audience": "community"}},
            outputs={
                "partners": {
                    "list": "perimeter", "adapter": "edl",
                    "options": {"file": FILE, "format": "stix"},
                }
            },
        )  # fmt: skip

    @property
    def path(self) -> Path:
        return self.site.folder / "published" / FILE

    def tell(self, *objects: Object) -> dict[str, Object]:
        """Have the feed say this; return what is published, by id."""
        self.site.write("all.json", objects)
        self.site.change()
        return self.objects()

    def objects(self) -> dict[str, Object]:
        found = json.loads(self.path.read_bytes()).get("objects", [])
        assert len({one["id"] for one in found}) == len(found)
        return {one["id"]: one for one in found}

    def why_not(self, value: str = "192.0.2.1") -> str:
        """Return the reason and the words of `explain` for the output."""
        (told,) = explain_value(self.site.service.decider, value)["observables"]
        (output,) = told["outputs"]
        return f"{output['reason']}: {output['detail']}"


@pytest.fixture
def publisher(site: Site) -> Publisher:
    return Publisher(site)


def test_an_indicator_is_passed_on_as_received_with_its_markings_and_its_producer(
    publisher: Publisher,
) -> None:
    sent = marked("a", "192.0.2.1", TLP["green"], STATEMENT, x_own={"kept": [1.50]})
    told = [statement(), identity(EVERYONE), sent]
    assert publisher.tell(*told) == {one["id"]: one for one in told}
    text = publisher.path.read_text(encoding="utf-8")
    assert all(json.dumps(one) in text for one in told)  # byte for byte
    bundle = stix2.parse(text, allow_custom=True)
    assert [one["type"] for one in bundle.objects] == [
        "marking-definition", "identity", "indicator",
    ]  # fmt: skip


REFUSED: dict[str, tuple[list[Object], str]] = {
    "a part is marked red": (
        [
            identity(EVERYONE),
            marked("a", "192.0.2.1", TLP["green"], kill_chain_phases=[
                {"kill_chain_name": "k", "phase_name": "p"}], granular_markings=[
                {"selectors": ["kill_chain_phases"], "marking_ref": TLP["red"]}]),
        ],
        f"kill_chain_phases must not be shown: red: {TLP['red']}",
    ),
    "a label is marked": (
        [
            identity(EVERYONE),
            marked("a", "192.0.2.1", TLP["green"], labels=["x"], granular_markings=[
                {"selectors": ["labels.[0]"], "marking_ref": TLP["amber"]}]),
        ],
        f"labels must not be shown: amber: {TLP['amber']}",
    ),
    "its producer refuses to be named": (
        [identity("ais-consent-none"), marked("a", "192.0.2.1", TLP["green"])],
        "the producer's consent is 'none'",
    ),
    "its producer is unknown": (
        [marked("a", "192.0.2.1", TLP["green"])],
        "the identity that created it is missing, and with it its consent",
    ),
    "its marking is itself marked red": (
        [
            {**statement("Named Victim Corp"), "object_marking_refs": [TLP["red"]]},
            marked("a", "192.0.2.1", TLP["green"], STATEMENT, created_by_ref=None),
        ],
        f"its marking {STATEMENT} must stay here: red: {TLP['red']} is stricter than TLP:green",
    ),
    "a part of its marking is marked red": (
        [
            {**statement("Named Victim Corp"), "granular_markings": [
                {"selectors": ["definition"], "marking_ref": TLP["red"]}]},
            marked("a", "192.0.2.1", TLP["green"], STATEMENT, created_by_ref=None),
        ],
        f"its marking {STATEMENT} must stay here: definition must not be shown: red: {TLP['red']}",
    ),
    "who made its marking refuses to be named": (
        [
            identity("ais-consent-none"),
            {**statement(), "created_by_ref": PRODUCER},
            marked("a", "192.0.2.1", TLP["green"], STATEMENT, created_by_ref=None),
        ],
        f"its marking {STATEMENT} must stay here: the producer's consent is 'none'",
    ),
    "who made its marking is unknown": (
        [
            {**statement(), "created_by_ref": PRODUCER},
            marked("a", "192.0.2.1", TLP["green"], STATEMENT, created_by_ref=None),
        ],
        f"its marking {STATEMENT} must stay here: the identity that created it is missing, "
        "and with it its consent",
    ),
    "its pattern also names what is protected": (
        [
            identity(EVERYONE),
            marked("a", "192.0.2.1", TLP["green"],
                   pattern="[ipv4-addr:value = '192.0.2.1' OR ipv4-addr:value = '8.8.8.8']"),
        ],
        "its pattern also names what public_resolvers protects: 8.8.8.8",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_an_indicator_that_may_not_be_passed_on_whole_stays_here(
    case: str, publisher: Publisher
) -> None:
    objects, words = REFUSED[case]
    other = marked("b", "192.0.2.2", TLP["green"], created_by_ref=None)
    assert publisher.tell(*objects, other) == {other["id"]: other}
    assert publisher.why_not() == f"withheld: {words}"
    reasons = publisher.site.output("partners")["reasons"]
    assert reasons["withheld"] == 1 == reasons["written"]
    assert publisher.site.idle()
    publisher.site.consistent()


_NO_TEXT, _TWICE = b'"x_own": "\xff", ', b'"spec_version": "2.0", '
_SAID_TWICE = "what was received says one of its properties twice"
DAMAGE: dict[tuple[str, bytes], str] = {
    ("indicator", _NO_TEXT): "what was received has bytes or escapes that are no text in UTF-8",
    ("indicator", _TWICE): _SAID_TWICE,
    ("marking-definition", _NO_TEXT): f"red: {STATEMENT} is stricter than TLP:green",
    ("marking-definition", _TWICE): f"its marking {STATEMENT} must stay here: {_SAID_TWICE}",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_readers_may_refuse_or_read_otherwise_stays_here(
    damage: tuple[str, bytes], publisher: Publisher
) -> None:
    other = marked("b", "192.0.2.2", TLP["green"], created_by_ref=None)
    one = marked("a", "192.0.2.1", TLP["green"], STATEMENT, created_by_ref=None)
    publisher.site.write("all.json", [statement(), one, other])
    path, start = publisher.site.bundles / "all.json", b'{"type": "%s", ' % damage[0].encode()
    path.write_bytes(path.read_bytes().replace(start, start + damage[1], 1))
    publisher.site.change()
    assert publisher.objects() == {other["id"]: other}
    assert publisher.why_not() == f"withheld: {DAMAGE[damage]}"


class TwoFeeds(Publisher):
    """Publishes what two feeds say."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        (site.folder / "other").mkdir()
        second = {"type": "bundle", "path": "other/", "unmarked_tlp": "clear"}
        site.edit(lambda config: config["feeds"].update(second=second))

    def tell_both(self, one: list[Object], other: list[Object]) -> dict[str, Object]:
        """Have each feed say something, the second in other white space and another order."""
        turned = [dict(reversed(each.items())) for each in other]
        text = json.dumps({"type": "bundle", "objects": turned}, separators=(",", ":"))
        (self.site.folder / "other" / "all.json").write_text(text, encoding="utf-8")
        self.site.write("all.json", one)
        self.site.change()
        return self.objects()


def definition(level: str) -> Object:
    told = tlp_definition(TLP[level])
    assert told is not None
    return dict(json.loads(told))


def said_by(name: str, network: str, *markings: str) -> list[Object]:
    return [
        marked(f"{name}{n}", f"{network}.{n}", *markings, created_by_ref=None) for n in range(1, 4)
    ]


def test_feeds_that_write_the_same_markings_otherwise_do_not_exclude_each_other(
    site: Site,
) -> None:
    feeds, markings = TwoFeeds(site), [statement(), definition("green")]
    one = said_by("a", "192.0.2", TLP["green"], STATEMENT)
    other = said_by("b", "198.51.100", TLP["green"], STATEMENT)
    told = feeds.tell_both([*markings, *one], [*markings, *other])
    assert told == {each["id"]: each for each in (*markings, *one, *other)}
    assert site.idle()
    site.consistent()


def test_a_feed_that_alters_tlp_alters_nothing_for_others(site: Site) -> None:
    feeds = TwoFeeds(site)
    altered = {**definition("green"), "name": "TLP:CLEAR", "created": stamp(START)}
    one, other = said_by("a", "192.0.2", TLP["green"]), said_by("b", "198.51.100", TLP["green"])
    told = feeds.tell_both([altered, *one], [definition("green"), *other])
    assert told == {each["id"]: each for each in (definition("green"), *one, *other)}


def test_of_two_statements_with_one_id_the_first_stands_and_the_others_are_told(
    site: Site,
) -> None:
    feeds, forged = TwoFeeds(site), statement("Copyright by somebody else")
    one = said_by("a", "192.0.2", TLP["clear"], STATEMENT)
    other = said_by("b", "198.51.100", TLP["clear"], STATEMENT)
    told = feeds.tell_both([statement(), *one], [forged, *other])
    assert told == {each["id"]: each for each in (statement(), *one)}
    assert feeds.why_not("198.51.100.1") == (
        f"rejected: needs {STATEMENT}, which another feed defines otherwise for what stands "
        "before it here"
    )
    site.consistent()


def test_a_feed_that_alters_a_producer_keeps_no_indicator_of_it_away(site: Site) -> None:
    feeds = TwoFeeds(site)
    forged = identity(EVERYONE, name="Somebody else")
    one = [marked("a", "192.0.2.1", TLP["clear"])]
    other = [marked("b", "198.51.100.1", TLP["clear"])]
    told = feeds.tell_both([identity(EVERYONE), *one], [forged, *other])
    assert told == {each["id"]: each for each in (identity(EVERYONE), *one, *other)}


def test_what_waits_to_be_removed_stays_where_its_marking_was_written_otherwise(
    site: Site,
) -> None:
    feeds = TwoFeeds(site)
    one = said_by("a", "192.0.2", TLP["clear"], STATEMENT)
    other = [
        marked(f"b{n}", f"198.51.100.{n}", TLP["clear"], STATEMENT, created_by_ref=None)
        for n in range(1, 60)
    ]
    told = feeds.tell_both([statement(), *one], [statement(), *other])
    assert len(told) == len(one) + len(other) + 1
    newer = {**one[0], "modified": stamp(START), "description": "seen again"}
    after = feeds.tell_both([statement(), newer, *one[1:]], [statement()])
    assert site.output("partners")["held"]
    assert after == {**told, newer["id"]: newer}


def test_an_indicator_leaves_once_its_producer_takes_its_consent_back(
    publisher: Publisher,
) -> None:
    sent = marked("a", "192.0.2.1", TLP["green"])
    other = marked("b", "192.0.2.2", TLP["green"], created_by_ref=None)
    assert {sent["id"], PRODUCER} < publisher.tell(identity(EVERYONE), sent, other).keys()
    newer = stamp(START).replace("T12", "T13")
    told = publisher.tell(identity("ais-consent-none", modified=newer), sent, other)
    assert told == {other["id"]: other}
    assert publisher.why_not() == "withheld: the producer's consent is 'none'"
    stix2.parse(publisher.path.read_text(encoding="utf-8"))


def test_a_producer_that_says_nothing_of_consent_is_not_named(publisher: Publisher) -> None:
    sent = marked("a", "192.0.2.1", TLP["green"])
    assert publisher.tell(identity(), sent) == {sent["id"]: sent}


def test_what_a_feed_makes_of_another_format_is_nobodys_word(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BundleSettings, "makes_objects", True)
    publisher.site.write("all.json", [marked("a", "192.0.2.1", TLP["clear"], created_by_ref=None)])
    publisher.site.change()
    assert publisher.why_not().startswith("withheld: feed files gives no STIX")
    told = json.loads(publisher.path.read_bytes())
    assert told == json.loads(stix2.v21.Bundle(**told).serialize())  # STIX has no empty list


def test_an_unchanged_list_is_the_same_file_and_a_newer_version_another(
    publisher: Publisher,
) -> None:
    sent = [
        marked(str(number), f"192.0.2.{number}", TLP["clear"], created_by_ref=None)
        for number in range(1, 30)
    ]
    publisher.tell(*sent)
    before = publisher.path.read_bytes()
    publisher.path.unlink()
    publisher.tell(*reversed(sent))
    assert publisher.path.read_bytes() == before
    newer = {**sent[0], "modified": stamp(START), "description": "seen again"}
    assert publisher.tell(newer, *sent[1:])[newer["id"]] == newer


def test_what_waits_to_be_removed_stays_in_the_bundle_as_it_was(publisher: Publisher) -> None:
    sent = [
        marked(str(number), f"192.0.2.{number}", TLP["clear"], STATEMENT) for number in range(1, 60)
    ]
    told = publisher.tell(statement(), identity(EVERYONE), *sent)
    assert len(told) == len(sent) + 2
    newer = {**sent[0], "modified": stamp(START), "description": "seen again"}
    after = publisher.tell(statement(), identity(EVERYONE), newer)
    assert publisher.site.output("partners")["held"]
    assert after == {**told, newer["id"]: newer}


def test_a_bundle_that_others_changed_is_mended(publisher: Publisher) -> None:
    sent = [marked("a", "192.0.2.1", TLP["clear"], created_by_ref=None),
            marked("b", "192.0.2.2", TLP["clear"], created_by_ref=None)]  # fmt: skip
    publisher.tell(*sent)
    before = publisher.path.read_text(encoding="utf-8")
    for changed in (
        before.replace("malicious-activity", "benign", 1),
        json.dumps({"type": "bundle", "id": sid("bundle", "x"),
                    "objects": [*sent, marked("c", "192.0.2.3", TLP["red"])]}),
        json.dumps({"type": "bundle", "id": sid("bundle", "x"), "objects": sent[:1]}),
        "nonsense",
    ):  # fmt: skip
        publisher.path.write_text(changed, encoding="utf-8")
        publisher.site.change()
        assert publisher.path.read_text(encoding="utf-8") == before
