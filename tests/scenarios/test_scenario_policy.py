"""Several lists and outputs over the same claims: each takes what its policy says, no other."""

from typing import Any

import pytest
from connector_splunk_kvstore import SplunkKvstoreAdapter
from connector_splunk_kvstore.emulator.server import SplunkEmulator
from scenario_site import FREED, QuickRegistry, Site, one_firewall
from stix_samples import PRODUCER, STRANGER, TLP, indicator, revoked, sid

from connector.decisions import decide as policy
from connector.feeds.bundle import BundleFeed
from connector.reports.explain import explain_value
from connector.testing.taxii.faults import Status
from connector.testing.taxii.server import TaxiiServer

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"


def lists_at_firewalls(lists: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """Each list at a firewall of the same name."""
    outputs = {
        name: {"list": name, "adapter": "firewall", "options": {"device": name}} for name in lists
    }
    return {"lists": lists, "outputs": outputs, **sections}


def taken(site: Site) -> dict[str, list[str]]:
    return {name: site.at(name) for name in site.service.outputs}


def test_what_is_not_enforceable_is_watched_and_never_blocked(site: Site) -> None:
    site.configure(**lists_at_firewalls({"block": {}, "watch": {"purpose": "watch"}}))
    both = "[ipv4-addr:value = '192.0.2.1' AND domain-name:value = 'a.example']"
    site.write(
        "one.json",
        [
            indicator("not in", pattern="[ipv4-addr:value NOT IN ('192.0.2.9')]"),
            indicator("unequal", pattern="[ipv4-addr:value != '192.0.2.9']"),
            indicator("both", pattern=both),
            indicator("benign", TWO, indicator_types=["benign"]),
            indicator("labelled", THREE, indicator_types=None, labels=["benign"]),
            indicator("plain", "192.0.2.4"),
        ],
    )
    site.once()
    held = taken(site)
    assert held["block"] == ["192.0.2.4"]
    assert {ONE, "a.example", "192.0.2.4"} <= set(held["watch"])
    assert "192.0.2.9" not in held["watch"]
    site.consistent()


def test_an_or_of_1200_addresses_makes_1200_entries(site: Site) -> None:
    site.configure()
    operands = " OR ".join(
        f"ipv4-addr:value = '198.51.{n >> 8}.{n & 255}'" for n in range(25600, 26800)
    )
    site.write("one.json", [indicator("many", pattern=f"[{operands}]")])
    site.once()
    assert len(site.at()) == 1200
    assert site.reasons() == {"wanted": 1200}
    site.consistent()


AUDIENCES = {
    "own": ["clear", "green", "amber", "amber+strict"],
    "operator": ["clear", "green", "amber"],
    "community": ["clear", "green"],
    "public": ["clear"],
}


def test_a_marking_reaches_no_wider_audience_than_it_allows(site: Site) -> None:
    site.configure(**lists_at_firewalls({name: {"audience": name} for name in AUDIENCES}))
    unknown = "marking-definition--11111111-2222-4333-8444-555555555555"
    marked = {level: f"192.0.2.{n}" for n, level in enumerate(TLP, 1)}
    objects = [
        indicator(level, value, object_marking_refs=[TLP[level]]) for level, value in marked.items()
    ]
    objects.append(indicator("unknown", "192.0.2.9", object_marking_refs=[unknown]))
    both = [TLP["clear"], TLP["amber+strict"]]
    objects.append(indicator("two", "192.0.2.10", object_marking_refs=both))
    site.write("one.json", objects)
    site.once()
    for audience, levels in AUDIENCES.items():
        expected = [marked[level] for level in levels]
        if audience == "own":
            expected.append("192.0.2.10")
        assert site.at(audience) == sorted(expected), audience
        assert site.reasons(audience)["withheld"] == 7 - len(expected)
    site.consistent()


def test_a_marking_that_arrives_later_is_taken_at_its_word(
    site: Site, taxii: TaxiiServer, taxii_feed: Any
) -> None:
    site.configure(
        **lists_at_firewalls(
            {"own": {}, "public": {"audience": "public"}}, feeds={"ais": taxii_feed()}
        )
    )
    marking = sid("marking-definition", "late")
    taxii.add_objects([indicator("a", ONE, object_marking_refs=[marking])])
    site.once()
    assert taken(site) == {"own": [], "public": []}
    body = {"type": "marking-definition", "spec_version": "2.1", "id": marking}
    body |= {"created": "2026-01-01T00:00:00Z", "definition_type": "tlp"}
    taxii.add_objects([{**body, "definition": {"tlp": "amber"}}])
    site.change()
    assert taken(site) == {"own": [ONE], "public": []}
    site.consistent()


def test_a_marking_that_cannot_be_fetched_goes_to_nobody(
    site: Site, taxii: TaxiiServer, taxii_feed: Any
) -> None:
    site.configure(
        **lists_at_firewalls(
            {name: {"audience": name} for name in AUDIENCES}, feeds={"ais": taxii_feed()}
        )
    )
    marking = sid("marking-definition", "nowhere")
    green = [TLP["clear"]]
    taxii.add_objects(
        [
            indicator("a", ONE, object_marking_refs=[marking]),
            indicator("b", TWO, object_marking_refs=[marking, *green]),
            indicator("c", THREE, object_marking_refs=green),
        ]
    )
    taxii.faults = [Status(code=500, path=marking)]
    for _ in range(2):
        site.once()
        assert taken(site) == {audience: [THREE] for audience in AUDIENCES}
    assert any(marking in request.path for request in taxii.requests), "it was asked for by its id"
    site.consistent()


def test_amber_strict_is_in_our_own_siem_and_at_nothing_that_a_vendor_hosts(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"firewall": site.rack.adapter, "splunk_kvstore": SplunkKvstoreAdapter}
    site.registry = QuickRegistry(parts, {"bundle": BundleFeed})
    monkeypatch.setenv("SPLUNK_TOKEN", "a-long-token")
    lists = {"own": {"purpose": "watch"}, "hosted": {"audience": "operator"}}
    with SplunkEmulator(tokens={"a-long-token"}) as splunk:
        options = {"url": splunk.url, "app": "threat_lists", "collection": "seen"}
        options |= {"auth": {"token": {"env": "SPLUNK_TOKEN"}}}
        configured = lists_at_firewalls(lists)
        siem = {"list": "own", "adapter": "splunk_kvstore", "options": options}
        configured["outputs"]["siem"] = siem
        site.configure(**configured)
        site.write(
            "one.json",
            [
                indicator("strict", ONE, object_marking_refs=[TLP["amber+strict"]]),
                indicator("amber", TWO, object_marking_refs=[TLP["amber"]]),
            ],
        )
        assert not site.once().failures
        documents = splunk.collection("threat_lists", "seen").documents.values()
        assert sorted(document["value"] for document in documents) == [ONE, TWO]
        assert (site.at("own"), site.at("hosted")) == ([ONE, TWO], [TWO])
        assert site.output("hosted")["reasons"] == {"written": 1, "withheld": 1}
        (found,) = explain_value(site.service.decider, ONE)["observables"]
        assert {each["name"]: each["reason"] for each in found["outputs"]} == {
            "own": "written", "siem": "written", "hosted": "withheld",
        }  # fmt: skip
        site.consistent()
        site.close()


def test_what_bears_no_marking_is_as_restricted_as_its_feed_says(site: Site) -> None:
    site.configure(**lists_at_firewalls({"own": {}, "public": {"audience": "public"}}))
    site.write("one.json", [indicator("a", ONE)])
    site.edit(lambda config: config["feeds"]["files"].pop("unmarked_tlp"))
    site.once()
    assert taken(site) == {"own": [], "public": []}
    site.edit(lambda config: config["feeds"]["files"].update(unmarked_tlp="amber"))
    site.open()
    site.change()
    assert taken(site) == {"own": [ONE], "public": []}
    site.consistent()


def test_confidence_labels_types_and_producers_select(site: Site) -> None:
    selections: dict[str, Any] = {
        "sure": {"min_confidence": 60},
        "c2": {"labels": {"any": ["c2"]}},
        "no-test": {"labels": {"none": ["test"]}},
        "names": {"types": ["domain-name"]},
        "theirs": {"producers": {"any": [STRANGER]}},
        "all": {},
    }
    site.configure(**lists_at_firewalls({name: {"select": s} for name, s in selections.items()}))
    site.edit(lambda config: config["feeds"]["files"].update(default_confidence=50))
    site.write(
        "one.json",
        [
            indicator("a", ONE, confidence=60, labels=["c2"]),
            indicator("b", TWO, labels=["c2", "test"]),
            indicator("c", THREE, confidence=90, created_by_ref=STRANGER),
            indicator("d", "bad.example", confidence=59, created_by_ref=PRODUCER),
            indicator("e", "192.0.2.5", confidence=0),
        ],
    )
    site.once()
    assert taken(site) == {
        "sure": [ONE, THREE],
        "c2": [ONE, TWO],
        "no-test": [ONE, THREE, "bad.example"],
        "names": ["bad.example"],
        "theirs": [THREE],
        "all": [ONE, TWO, THREE, "bad.example"],
    }
    site.consistent()


def test_a_changed_policy_takes_effect_with_the_next_start(site: Site) -> None:
    site.configure()
    site.write("one.json", [indicator(n, f"192.0.2.{n}", confidence=10 * n) for n in range(1, 7)])
    site.once()
    select = {"min_confidence": 40}
    site.edit(lambda config: config["lists"]["perimeter"].update(select=select))
    site.open()
    site.change()
    assert site.at() == ["192.0.2.4", "192.0.2.5", "192.0.2.6"]
    assert site.reasons() == {"wanted": 3, "deselected": 3}
    site.consistent()


def test_a_feed_that_the_file_names_no_more_enforces_nothing(site: Site) -> None:
    two = {
        name: {"type": "bundle", "path": f"{name}/", "unmarked_tlp": "clear"}
        for name in ("bundles", "other")
    }
    site.configure(feeds=two, **one_firewall())
    site.write("one.json", [indicator("a", ONE)])
    clear = [TLP["clear"]]
    theirs = [indicator(v, v, object_marking_refs=clear) for v in (ONE, TWO)]
    site.write("../other/two.json", theirs)
    site.once()
    assert site.at() == [ONE, TWO]
    site.edit(lambda config: config["feeds"].pop("other"))
    site.open()
    site.change()
    assert site.at() == [ONE]
    assert site.reasons() == {"wanted": 1, "deselected": 2}
    site.consistent()


def test_what_is_allowlisted_is_blocked_by_no_list(site: Site) -> None:
    exceptions = [{"value": "192.0.2.0/31", "why": "ours"}, {"value": "a.example", "why": "ours"}]
    site.configure(
        **lists_at_firewalls({"block": {}, "watch": {"purpose": "watch"}}),
        allowlist={**FREED, "exceptions": exceptions},
    )
    site.write(
        "one.json",
        [
            indicator("a", "192.0.2.1"),
            indicator("b", "192.0.2.0/24", pattern="[ipv4-addr:value = '192.0.2.0/24']"),
            indicator("c", "www.a.example"),
            indicator("d", "192.0.2.2"),
        ],
    )
    site.once()
    assert site.at("block") == ["192.0.2.2"]
    assert site.reasons("block") == {"wanted": 1, "allowlisted": 3}
    site.consistent()


def test_each_list_tells_which_part_of_the_allowlist_costs_it_what(site: Site) -> None:
    exceptions = [{"value": "192.0.2.0/30", "why": "ours", "until": "2026-03-01"}]
    builtin = {"except": ["documentation", "special_purpose"]}
    site.configure(
        **lists_at_firewalls({"block": {}, "names": {"select": {"types": ["domain-name"]}}}),
        allowlist={"builtin": builtin, "exceptions": exceptions},
    )
    objects = [indicator(n, f"192.0.2.{n}") for n in range(1, 6)]
    objects += [indicator("again", ONE), indicator("resolver", "8.8.8.8")]
    objects += [indicator("mail", "gmail.com"), indicator("name", "bad.example")]
    site.write("one.json", objects)
    site.once()

    def suppressed() -> dict[str, dict[str, int]]:
        return {listed["name"]: listed["suppressed"] for listed in site.status()["lists"]}

    assert suppressed() == {
        "block": {"exception": 4, "mail_providers": 1, "public_resolvers": 1},
        "names": {"mail_providers": 1},
    }
    assert site.reasons("block")["allowlisted"] == 6
    told = site.metrics()
    assert 'connector_list_suppressed{group="exception",list="block"} 4.0' in told
    assert 'connector_list_suppressed{group="mail_providers",list="names"} 1.0' in told
    site.consistent()
    site.write("one.json", [*objects[1:-2], objects[-1]])
    site.change()
    assert suppressed() == {"block": {"exception": 3, "public_resolvers": 1}, "names": {}}
    site.consistent()
    site.clock.advance(days=1)
    site.change()
    assert suppressed() == {"block": {"public_resolvers": 1}, "names": {}}
    assert site.at("block") == [*(f"192.0.2.{n}" for n in range(1, 6)), "bad.example"]
    site.consistent()


def test_forty_outputs_of_one_list_decide_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {
        f"county-{n}": {
            "list": "perimeter", "adapter": "firewall", "options": {"device": f"county-{n}"}
        }
        for n in range(40)
    }  # fmt: skip
    site.configure(lists={"perimeter": {}}, outputs=outputs)
    site.write("one.json", [indicator(n, f"192.0.2.{n}") for n in range(1, 51)])
    asked: list[object] = []
    decide = policy.decide

    def counted(*arguments: Any) -> policy.Decision:
        asked.append(arguments[0])
        return decide(*arguments)

    monkeypatch.setattr("connector.sync.listing.decide", counted)
    site.once()
    assert len(asked) == 50
    assert all(len(held) == 50 for held in taken(site).values())
    site.write("two.json", [indicator("new", "198.51.100.1")])
    site.change()
    assert len(asked) == 51
    assert all(len(held) == 51 for held in taken(site).values())
    site.consistent()


def test_an_output_takes_only_the_types_it_is_for(site: Site) -> None:
    site.configure(
        lists={"perimeter": {}},
        outputs={
            "names": {
                "list": "perimeter",
                "adapter": "edl",
                "types": ["domain-name"],
                "options": {"file": "names.txt"},
            },
            "edge": {
                "list": "perimeter",
                "adapter": "firewall",
                "options": {"device": "edge", "types": ["ipv4-addr"]},
            },
        },
    )
    site.write("one.json", [indicator("a", ONE), indicator("b", "bad.example")])
    site.once()
    assert site.lines("names.txt") == ["bad.example"]
    assert site.at() == [ONE]
    for name in ("names", "edge"):
        assert site.output(name)["reasons"] == {"written": 1, "unsupported_type": 1}
    site.consistent()


def test_a_changed_mapping_is_written_to_entries_that_are_there(site: Site) -> None:
    site.configure()
    site.write("one.json", [indicator("a", ONE, confidence=70), indicator("b", TWO)])
    comment = {"comment": {"template": "from {feed.name}"}}
    site.edit(lambda config: config["outputs"]["edge"].update(mapping=comment))
    site.once()
    assert {fields["comment"] for fields in site.rack["edge"].entries().values()} == {"from files"}
    comment = {"comment": {"template": "by {feed.name}"}}
    site.edit(lambda config: config["outputs"]["edge"].update(mapping=comment))
    site.open()
    site.change()
    assert {fields["comment"] for fields in site.rack["edge"].entries().values()} == {"by files"}
    site.consistent()


def test_what_was_revoked_while_the_file_did_not_name_its_list_goes_when_it_does_again(
    site: Site,
) -> None:
    site.configure()
    known = [indicator("a", ONE), indicator("b", TWO)]
    site.write("one.json", known)
    site.once()
    named = site.config_path.read_text()
    site.configure(**lists_at_firewalls({"other": {}}))
    site.open()
    assert site.service.store.lists.retire(site.service.lists) == ["perimeter"]
    site.write("one.json", [known[0], revoked(known[1])])
    site.change()
    site.config_path.write_text(named)
    site.open()
    site.change()
    assert site.at() == [ONE]
    site.consistent()
