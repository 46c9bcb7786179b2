"""Who is behind an indicator, and what others think of it, from page to firewall."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from scenario_site import FREED, Site
from stix_samples import PRODUCER, START, TLP, Object, indicator, revoked, sid, stamp

from connector.decisions.decide import Merged
from connector.model import Tlp
from connector.reports.explain import explain_value
from connector.testing.taxii.server import TaxiiServer

CISA = sid("identity", "cisa")


def said(kind: str, known_as: object, *, days: float = 0, **fields: Any) -> Object:
    made = stamp(START - timedelta(days=30) + timedelta(days=days))
    return {
        "type": kind, "spec_version": "2.1", "id": sid(kind, known_as), "created_by_ref": PRODUCER,
        "created": stamp(START - timedelta(days=30)), "modified": made, **fields,
    }  # fmt: skip


def link(word: str, source: Object, target: Object, **fields: Any) -> Object:
    name = (word, source["id"], target["id"])
    ends = {"source_ref": source["id"], "target_ref": target["id"]}
    return said("relationship", name, relationship_type=word, **ends, **fields)


def opinion(word: str, on: Object, *, by: str = CISA, **fields: Any) -> Object:
    about = {"opinion": word, "object_refs": [on["id"]], "created_by_ref": by}
    return said("opinion", (by, on["id"]), **about, **fields)


ONE, TWO, OTHER = (indicator(n, f"192.0.2.{n}") for n in (1, 2, 3))
MALWARE = said("malware", "rat", name="Rat")
LAZARUS = said("intrusion-set", "apt38", name="APT38", aliases=["Lazarus Group", "BlueNoroff"])
PYONGYANG = said("location", "kp", country="KP")
ATTRIBUTED: tuple[Object, ...] = (
    ONE, TWO, OTHER, MALWARE, LAZARUS, PYONGYANG,
    link("indicates", ONE, MALWARE), link("indicates", TWO, LAZARUS),
    link("attributed-to", MALWARE, LAZARUS), link("originates-from", LAZARUS, PYONGYANG),
)  # fmt: skip


# An entry that stays, where a limit would otherwise hold the plan that empties the list.
BEAR = said("intrusion-set", "bear", name="Bear")
STAYS = indicator("stays", "192.0.2.99", created_by_ref=sid("identity", "jp-cert"))
MOSCOW = said("location", "ru", country="RU")
ANCHOR = (
    STAYS, BEAR, MOSCOW, link("indicates", STAYS, BEAR), link("originates-from", BEAR, MOSCOW),
)  # fmt: skip


def selecting(**select: Any) -> dict[str, Any]:
    return {"lists": {"perimeter": {"purpose": "block", "select": select}}}


def mapped(template: str, listed: dict[str, Any]) -> dict[str, Any]:
    return {
        "lists": {"perimeter": {"purpose": "block", **listed}},
        "outputs": {
            "edge": {
                "list": "perimeter", "adapter": "firewall", "options": {"device": "edge"},
                "mapping": {"comment": {"template": template}},
            }
        },
    }  # fmt: skip


def comments(site: Site) -> dict[str, Any]:
    return {
        observable.value: fields["comment"]
        for observable, fields in site.rack["edge"].entries().items()
    }


@pytest.mark.parametrize(
    "context",
    [
        {"country": ["KP"]},
        {"country": ["kp", "RU"]},
        {"threat_actor": ["Lazarus Group"]},
        {"threat_actor": ["lazarus group"], "country": ["KP"]},
    ],
)
def test_an_actor_selects_what_is_attributed_to_it(site: Site, context: dict[str, Any]) -> None:
    site.configure(**selecting(context=context))
    site.write("all.json", ATTRIBUTED)
    site.once()
    assert site.at() == ["192.0.2.1", "192.0.2.2"]
    assert site.reasons() == {"deselected": 1, "wanted": 2}
    site.consistent()


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_arrival_ends_in_the_same_list(site: Site, seed: int) -> None:
    site.configure(**selecting(context={"country": ["KP"]}))
    order = list(ATTRIBUTED)
    Random(seed).shuffle(order)  # noqa: S311 - the same order for the same seed, no secret
    for number, one in enumerate(order):
        site.write(f"{number}.json", [one])
        site.change()
        site.consistent()
    assert site.at() == ["192.0.2.1", "192.0.2.2"]


def test_a_revoked_relationship_takes_its_words_away(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[..., dict[str, Any]]
) -> None:
    site.configure(feeds={"ais": taxii_feed()}, **selecting(context={"country": ["KP", "RU"]}))
    taxii.add_objects([*ATTRIBUTED, *ANCHOR])
    site.change()
    assert site.at() == ["192.0.2.1", "192.0.2.2", "192.0.2.99"]
    taxii.add_objects([revoked(link("attributed-to", MALWARE, LAZARUS))])
    site.change()
    assert site.at() == ["192.0.2.2", "192.0.2.99"]
    taxii.add_objects([revoked(LAZARUS)])
    site.change()
    assert site.at() == ["192.0.2.2", "192.0.2.99"], "without a name it still sits where it sat"
    taxii.add_objects([revoked(PYONGYANG)])
    site.change()
    assert site.at() == ["192.0.2.99"]
    site.consistent()


def test_a_producers_country_selects_its_indicators(site: Site) -> None:
    cert = said("identity", "kr-cert", name="a CERT", identity_class="organization")
    seoul = said("location", "kr", country="KR")
    theirs = indicator("theirs", "192.0.2.9", created_by_ref=cert["id"])
    site.configure(**selecting(context={"producer_country": ["KR", "JP"]}))
    known = said("identity", "jp-cert", name="another CERT", country="JP")
    site.write("one.json", [ONE, STAYS, theirs, cert, known])
    site.once()
    assert site.at() == ["192.0.2.99"]
    site.write("two.json", [seoul, link("located-at", cert, seoul)])
    site.change()
    assert site.at() == ["192.0.2.9", "192.0.2.99"]
    (site.bundles / "two.json").unlink()
    site.change()
    assert site.at() == ["192.0.2.99"]
    site.consistent()


def test_mappings_show_who_is_behind_it(site: Site) -> None:
    site.configure(**mapped("{context.threat_actor} {context.malware} {context.country}", {}))
    site.write("all.json", ATTRIBUTED)
    site.once()
    assert comments(site) == {
        "192.0.2.1": "APT38 Rat KP", "192.0.2.2": "APT38  KP", "192.0.2.3": "  ",
    }  # fmt: skip
    site.write(
        "more.json", [said("report", "march", name="Wave\nof March", object_refs=[OTHER["id"]])]
    )
    site.change()
    assert comments(site)["192.0.2.3"] == "  "
    site.edit(
        lambda file: file["outputs"]["edge"]["mapping"].update(comment={"from": "context.report"})
    )
    site.open()
    site.once()
    assert comments(site) == {"192.0.2.1": "", "192.0.2.2": "", "192.0.2.3": "Wave of March"}


@pytest.mark.parametrize(
    ("marked", "shown"),
    [
        ([], "APT38"),
        ([MALWARE], ""),
        ([LAZARUS], ""),
        ([link("attributed-to", MALWARE, LAZARUS)], ""),
        ([PYONGYANG], "APT38"),
    ],
)
def test_a_name_goes_no_further_than_every_object_that_led_to_it(
    site: Site, marked: Sequence[Object], shown: str
) -> None:
    hidden = [one["id"] for one in marked]
    red = {"object_marking_refs": [TLP["red"]]}
    site.configure(**mapped("{context.threat_actor}", {"audience": "community"}))
    site.write("all.json", [one | red if one["id"] in hidden else one for one in ATTRIBUTED])
    site.once()
    assert comments(site)["192.0.2.1"] == shown


def both_lists(**select: Any) -> dict[str, Any]:
    def firewall(name: str) -> dict[str, Any]:
        return {"list": name, "adapter": "firewall", "options": {"device": name}}

    return {
        "lists": {"edge": {"purpose": "block", "select": select}, "hunt": {"purpose": "watch"}},
        "outputs": {"edge": firewall("edge"), "hunt": firewall("hunt")},
    }


def test_an_opinion_a_day_later_turns_a_block_into_a_watch(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[..., dict[str, Any]]
) -> None:
    site.configure(feeds={"ais": taxii_feed(authoritative=[CISA])}, **both_lists())
    taxii.add_objects([ONE, TWO])
    site.change()
    assert site.at("edge") == site.at("hunt") == ["192.0.2.1", "192.0.2.2"]
    site.clock.advance(days=1)
    taxii.add_objects([opinion("strongly-disagree", ONE)])
    site.change()
    assert site.at("edge") == ["192.0.2.2"]
    assert site.at("hunt") == ["192.0.2.1", "192.0.2.2"]
    (claim,) = explain_value(site.service.decider, "192.0.2.1")["observables"][0]["claims"]
    detail = f"opinion: strongly-disagree by {CISA}"
    assert claim["reasons"]["edge"] == {"reason": "deselected", "detail": detail}
    assert claim["opinions"] == {CISA: "strongly-disagree"}
    taxii.add_objects([opinion("agree", ONE, days=2)])
    site.change()
    assert site.at("edge") == ["192.0.2.1", "192.0.2.2"], "its producer thinks better of it"
    site.consistent()


def test_only_those_named_as_authoritative_count(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[..., dict[str, Any]]
) -> None:
    site.configure(feeds={"ais": taxii_feed(authoritative=[CISA])})
    taxii.add_objects([ONE, TWO, opinion("disagree", ONE), opinion("disagree", TWO, by=PRODUCER)])
    site.change()
    assert site.at() == ["192.0.2.2"]


def test_another_feed_cannot_unblock_by_its_opinion(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[..., dict[str, Any]]
) -> None:
    files = {"type": "bundle", "path": "bundles/", "unmarked_tlp": "clear"}
    site.configure(feeds={"ais": taxii_feed(), "files": files})
    site.write("theirs.json", [opinion("strongly-disagree", ONE)])
    taxii.add_objects([ONE, TWO, opinion("strongly-disagree", TWO)])
    site.change()
    assert site.at() == ["192.0.2.1"]


def test_the_gate_wants_agreement_confidence_or_trust(site: Site) -> None:
    friend = sid("identity", "friend")
    site.configure(**selecting(opinions={"gate": True, "trusted": [friend]}))
    agreed = indicator("agreed", "192.0.2.4")
    sure = indicator("sure", "192.0.2.5", confidence=70)
    unsure = indicator("unsure", "192.0.2.6", confidence=69)
    trusted = indicator("trusted", "192.0.2.7", created_by_ref=friend)
    site.write("all.json", [ONE, agreed, sure, unsure, trusted, opinion("agree", agreed)])
    site.once()
    assert site.at() == ["192.0.2.4", "192.0.2.5", "192.0.2.7"]
    (claim,) = explain_value(site.service.decider, "192.0.2.6")["observables"][0]["claims"]
    assert (
        claim["reasons"]["perimeter"]["detail"] == "confidence 69 is below 70 (no opinion agrees)"
    )


def test_confidence_can_be_asked_for_by_a_word(site: Site) -> None:
    site.configure(**selecting(min_confidence="high"))
    made = [indicator(n, f"192.0.2.{n}", confidence=n) for n in (69, 70, 71)]
    site.write("all.json", made)
    site.once()
    assert site.at() == ["192.0.2.70", "192.0.2.71"]


def test_a_sighting_renews_what_would_end_by_age(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[..., dict[str, Any]]
) -> None:
    site.configure(feeds={"ais": taxii_feed(max_age={"default": "31d"})})
    seen = said("sighting", 1, days=30, sighting_of_ref=ONE["id"], count=3)
    taxii.add_objects([ONE, TWO, seen])
    site.change()
    assert site.at() == ["192.0.2.1", "192.0.2.2"]
    site.clock.advance(days=2)
    site.change()
    assert site.at() == ["192.0.2.1"]
    site.clock.advance(days=29)
    site.change()
    assert site.at() == []
    taxii.add_objects([said("sighting", 2, days=61, sighting_of_ref=TWO["id"])])
    site.change()
    assert site.at() == ["192.0.2.2"], "seen again after its end"
    taxii.add_objects([revoked(said("sighting", 2, sighting_of_ref=TWO["id"]), days=61.1)])
    site.change()
    assert site.at() == []
    site.consistent()


def merged(site: Site) -> Merged:
    wanted = site.service.store.wanted
    with site.service.store.database.read() as transaction:
        rows = wanted.rows(transaction, site.service.lists["perimeter"].number, None)
        return next(row.merged for row in rows if row.observable.value == "192.0.2.1")


def test_claims_of_several_feeds_are_merged_by_rule(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[..., dict[str, Any]]
) -> None:
    files = {"type": "bundle", "path": "bundles/", "unmarked_tlp": "clear"}
    template = "{confidence} {marking} {valid_from} {valid_until} {feed.name}"
    site.configure(
        feeds={"ais": taxii_feed(), "files": files}, allowlist=FREED, **mapped(template, {})
    )
    late, early, end = (stamp(START + timedelta(days=days)) for days in (-5, -20, 9))
    ours = indicator(
        "ours", "192.0.2.1", confidence=40, valid_from=early, valid_until=end,
        object_marking_refs=[TLP["amber"]],
    )  # fmt: skip
    theirs = indicator(
        "theirs", "192.0.2.1", confidence=90, valid_from=late,
        valid_until=stamp(START + timedelta(days=3)),
        object_marking_refs=[TLP["green"]],
    )  # fmt: skip
    left_out = indicator(
        "red", "192.0.2.1", confidence=99, object_marking_refs=[TLP["red"]],
        valid_until=stamp(START + timedelta(days=99)),
    )  # fmt: skip
    site.write("ours.json", [ours])
    taxii.add_objects([theirs, left_out, STAYS])
    site.change()
    assert comments(site)["192.0.2.1"] == "90 amber 2026-02-09T12:00:00Z 2026-03-10T12:00:00Z ais"
    assert merged(site).tlp is Tlp.AMBER
    reasons = {
        claim["indicator"]: claim["reasons"]["perimeter"]
        for claim in explain_value(site.service.decider, "192.0.2.1")["observables"][0]["claims"]
    }
    assert {one: found["reason"] for one, found in reasons.items()} == {
        ours["id"]: "superseded", theirs["id"]: "wanted", left_out["id"]: "withheld",
    }  # fmt: skip
    assert reasons[ours["id"]]["detail"] == f"{theirs['id']} provides the entry"
    site.clock.advance(days=3)
    site.change()
    assert comments(site)["192.0.2.1"] == "40 amber 2026-02-09T12:00:00Z 2026-03-10T12:00:00Z files"
    (site.bundles / "ours.json").unlink()
    site.change()
    assert site.at() == ["192.0.2.99"]
    site.consistent()


def test_one_feed_failing_never_unblocks_what_another_claims(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[..., dict[str, Any]]
) -> None:
    files = {"type": "bundle", "path": "bundles/", "unmarked_tlp": "clear"}
    site.configure(feeds={"ais": taxii_feed(), "files": files})
    site.write("ours.json", [ONE])
    taxii.add_objects([indicator("theirs", "192.0.2.1"), TWO])
    site.change()
    (site.bundles / "ours.json").write_text("{", encoding="utf-8")
    site.once()
    assert site.at() == ["192.0.2.1", "192.0.2.2"]
    taxii.add_objects([revoked(indicator("theirs", "192.0.2.1"))])
    site.once()
    assert site.at() == ["192.0.2.1", "192.0.2.2"], "the other's last word still stands"
    site.consistent(settled=False)
