"""Values as feeds write them, from the page to the list: what blocks, what is only watched."""

from typing import Any

import pytest
from scenario_site import Site
from stix_samples import Object, indicator

from connector.reports.explain import explain_value

WATCH: dict[str, Any] = {"purpose": "watch"}


def firewalls(**lists: dict[str, Any]) -> dict[str, Any]:
    """Each list at a firewall of the same name."""
    outputs = {
        name: {"list": name, "adapter": "firewall", "options": {"device": name}} for name in lists
    }
    return {"lists": lists, "outputs": outputs}


def equal(path: str, value: str) -> Object:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return indicator(value, pattern=f"[{path} = '{escaped}']")


def reasons(site: Site, name: str) -> dict[str, int]:
    (found,) = [one for one in site.status()["lists"] if one["name"] == name]
    return {reason: count for reason, count in found["reasons"].items() if count}


def test_a_wildcard_and_a_fragment_are_watched_and_never_blocked(site: Site) -> None:
    site.configure(**firewalls(block={}, watch=WATCH))
    site.write(
        "one.json",
        [
            equal("email-addr:value", "*@gmail.com"),
            equal("email-addr:value", "*@bad.example"),
            equal("url:value", "http://bad.example/*"),
            equal("url:value", "http://*.bad.example/"),
            equal("url:value", "http://www.search.test/?src=1#q=x"),
            equal("ipv4-addr:value", "192.0.2.*"),
            equal("domain-name:value", "a.*.example"),
            equal("file:name", "*.exe"),
        ],
    )
    site.once()
    assert site.at("block") == []
    assert reasons(site, "block") == {"not_enforceable": 8}
    assert site.at("watch") == ["http://bad.example/*", "http://www.search.test/?src=1"]
    assert reasons(site, "watch") == {"wanted": 4, "allowlisted": 1, "not_enforceable": 3}
    site.consistent()


def test_legal_values_with_quotes_commas_and_spaces_are_listed_where_a_line_can_hold_them(
    site: Site,
) -> None:
    kinds = ("file-name", "email-addr", "url")
    outputs = {
        kind: {
            "list": "perimeter",
            "adapter": "edl",
            "options": {"file": f"{kind}.txt", "types": [kind]},
        }
        for kind in kinds
    }
    site.configure(lists={"perimeter": {}}, outputs=outputs)
    site.write(
        "one.json",
        [
            equal("file:name", "Invoice, March.exe"),
            equal("url:value", "http://bad.test/o'neil.php"),
            equal("email-addr:value", "o'brien@bad.test"),
            equal("email-addr:value", '"x@good.test, y"@bad.test'),
            equal("email-addr:value", "u@[192.0.2.1]"),
        ],
    )
    site.once()
    assert reasons(site, "perimeter") == {"wanted": 5}
    assert site.lines("file-name.txt") == ["Invoice, March.exe"]
    assert site.lines("url.txt") == ["http://bad.test/o'neil.php"]
    assert site.lines("email-addr.txt") == ["o'brien@bad.test"], "the others are told as rejected"
    outcomes = explain_value(site.service.decider, "u@[192.0.2.1]")["observables"][0]["outputs"]
    assert {one["name"]: one["reason"] for one in outcomes}["email-addr"] == "rejected"
    site.consistent()


def widened(site: Site, **said: Any) -> None:
    site.edit(lambda config: config["feeds"]["files"].update(said))


def test_how_wide_a_block_may_be_takes_effect_without_a_new_poll(site: Site) -> None:
    site.configure(**firewalls(block={}, watch=WATCH))
    site.write(
        "one.json",
        [
            indicator("as", pattern="[autonomous-system:number = 64500]"),
            indicator("wide", pattern="[ipv4-addr:value ISSUBSET '198.51.96.0/20']"),
            indicator("six", pattern="[ipv6-addr:value = '2001:db8::/40']"),
            indicator("huge", pattern="[ipv4-addr:value = '198.48.0.0/14']"),
        ],
    )
    site.once()
    assert site.at("block") == []
    assert reasons(site, "block") == {"not_enforceable": 4}
    assert reasons(site, "watch") == {"wanted": 3, "allowlisted": 1}

    widened(site, widest={"ipv4": 16, "ipv6": 32}, wide=["autonomous-system"])
    site.open()
    site.service.lists.refresh("block", everything=True)
    site.service.outputs.sync("block")
    assert site.at("block") == ["198.51.96.0/20", "2001:db8::/40"]
    assert reasons(site, "block") == {"wanted": 3, "not_enforceable": 1}

    widened(site, widest={"ipv4": 21, "ipv6": 32}, wide=[])
    site.open()
    site.service.lists.refresh("block", everything=True)
    assert reasons(site, "block") == {"wanted": 1, "not_enforceable": 3}


def test_explain_says_why_an_autonomous_system_does_not_block(site: Site) -> None:
    site.configure()
    site.write("one.json", [indicator("as", pattern="[autonomous-system:number = 64500]")])
    site.once()
    (found,) = explain_value(site.service.decider, "AS64500")["observables"]
    assert found["claims"][0]["enforceable"] is False
    assert "wide: [autonomous-system]" in found["claims"][0]["why"]
    assert found["outputs"][0]["reason"] == "not_enforceable"
    assert "wide: [autonomous-system]" in found["outputs"][0]["detail"]


def test_explain_finds_a_value_in_what_could_not_be_read(site: Site) -> None:
    site.configure()
    never = {"valid_from": "2026-02-01T00:00:00Z", "valid_until": "2026-01-01T00:00:00Z"}
    site.write(
        "one.json",
        [
            indicator("bad pattern", pattern="[domain-name:value = 'torn.test' AND"),
            indicator("no end", pattern="[url:value = 'hxxp://defanged[.]test/a\\\\b']"),
            indicator("regex", pattern="[domain-name:value MATCHES '^regex.test$']"),
            indicator("like", pattern="[url:value LIKE 'http://like.test/%']"),
            indicator("wild", pattern="[domain-name:value = 'a.*.wild.test']"),
            indicator("no date", "undated.test", valid_from=None),
            indicator("never", "never.test", **never),
            indicator("other", "other.test"),
        ],
    )
    site.once()
    for value, reason in {
        "torn.test": "unreadable",
        "http://defanged.test/a\\b": "unreadable",
        "regex.test": "unsupported_pattern",
        "hxxp://like[.]test/": "unsupported_pattern",
        "a.*.wild.test": "not_enforceable",
        "undated.test": "unreadable",
    }.items():
        answer = explain_value(site.service.decider, value)
        assert answer["found"], value
        assert [one["reason"] for one in answer["unread"]] == [reason], value
        assert answer["searched"] == {"unread": 6, "of": 6}
    answer = explain_value(site.service.decider, "never.test")
    assert answer["observables"][0]["outputs"][0]["reason"] == "expired"
    for value in ("torn.tes", "orn.test", "test", "unknown.test", ".", "'"):
        assert not explain_value(site.service.decider, value)["found"], value


def test_explain_looks_through_a_bounded_number_and_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.reports.mentioned.MOST_SEARCHED", 2)
    site.configure()
    patterns = [f"[domain-name:value MATCHES 'n{n}.test']" for n in range(5)]
    site.write("one.json", [indicator(text, pattern=text) for text in patterns])
    site.once()
    assert explain_value(site.service.decider, "n0.test")["searched"] == {"unread": 2, "of": 5}
    found = [explain_value(site.service.decider, f"n{n}.test")["found"] for n in range(5)]
    assert found == [False, False, False, True, True]


def test_special_use_names_are_watched_and_never_blocked(site: Site) -> None:
    allowlist = {"builtin": {"except": ["public_suffixes"]}}
    site.configure(**firewalls(block={}, watch=WATCH), allowlist=allowlist)
    names = ["hidden.onion", "printer.local", "db.internal", "bad.test"]
    site.write("one.json", [indicator(name, name) for name in names])
    site.once()
    assert (site.at("block"), site.at("watch")) == ([], sorted(names))
    assert reasons(site, "block") == {"allowlisted": 4}
    site.consistent()
