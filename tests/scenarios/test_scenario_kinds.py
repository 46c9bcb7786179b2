"""A value stays of its kind all the way: a mutex named like an address blocks no address."""

from typing import Any

import pytest
from scenario_site import Site
from stix_samples import indicator

from connector.reports.explain import explain_value

DISGUISED = {
    "mutex": "[mutex:name = '8.8.8.8']",
    "file": "[file:name = '0.0.0.0/0']",
    "star": "[mutex:name = '*']",
    "top": "[file:name = 'gov']",
    "system": "[autonomous-system:number = 15169]",
    "subject": "[email-message:subject = 'google.com']",
    "agent": "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'any']",
}


def write_all(site: Site) -> None:
    disguised = [indicator(name, pattern=pattern) for name, pattern in DISGUISED.items()]
    site.write("feed.json", [*disguised, indicator("real", "192.0.2.1")])


def one_file(**more: Any) -> dict[str, Any]:
    output: dict[str, Any] = {"list": "b", "adapter": "edl", "options": {"file": "b.txt", **more}}
    return {"lists": {"b": {}}, "outputs": {"o": output}}


def test_a_file_with_all_defaults_holds_no_value_in_the_place_of_another(site: Site) -> None:
    site.configure(**one_file())
    write_all(site)
    site.once()
    assert site.lines("b.txt") == ["192.0.2.1"]
    reasons = site.output("o")["reasons"]
    assert reasons["written"] == 1
    assert reasons["unsupported_type"] >= len(DISGUISED) - 2
    site.consistent()


def test_check_says_at_the_outputs_line_which_kinds_a_file_leaves_out(site: Site) -> None:
    site.configure(**one_file())
    path = site.config_path
    line = path.read_text(encoding="utf-8").splitlines().index("    options:") + 1
    (warning,) = site.load().warnings
    assert warning.startswith(f"{path}:{line}: outputs.o.options.types: a file has one family")
    assert "Set `types: [ipv4-addr, ipv6-addr]`" in warning
    site.configure(**one_file(types=["ipv4-addr", "ipv6-addr"]))
    assert site.load().warnings == ()
    narrowed = one_file()
    narrowed["lists"]["b"] = {"select": {"types": ["domain-name"]}}
    site.configure(**narrowed)
    assert site.load().warnings == ()


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("mutex", "8.8.8.8", "could be read as an address"),
        ("file-name", "gov", "could be read as a domain name"),
    ],
)
def test_a_text_that_could_be_read_as_another_kind_is_rejected_and_explain_says_why(
    site: Site, kind: str, name: str, words: str
) -> None:
    site.configure(**one_file(types=[kind]))
    write_all(site)
    site.once()
    assert site.lines("b.txt") == []
    asked = explain_value(site.service.decider, name)
    assert words in str(asked)
    site.consistent()
