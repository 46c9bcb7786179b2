"""Values as feeds write them, from the page to the list: what blocks, what is only watched."""

from typing import Any

from scenario_site import Site
from stix_samples import Object, indicator

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
    assert site.lines("email-addr.txt") == ["o'brien@bad.test", "u@[192.0.2.1]"]
    site.consistent()
