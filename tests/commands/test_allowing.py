"""Exceptions by command, as an operator uses them: what they take off a list and give back."""

import re
from pathlib import Path

import pytest
from test_cli import CONFIG, Site

ONE, TWO, THREE = "198.51.100.1", "198.51.100.2", "203.0.113.3"


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    made = Site(tmp_path, capsys)
    made.config.write_text(CONFIG.replace("max_remove_ratio: 0.3", "max_remove_ratio: 1"))
    made.bring(ONE, TWO, THREE)
    assert made.run("run", "--once").code == 0
    assert made.published == [ONE, TWO, THREE]
    return made


def add(site: Site, *words: str) -> int:
    return site.run("allow", "add", *words, "--why", "state data centre").code


def test_an_exception_takes_what_it_covers_off_the_list_and_gives_it_back(site: Site) -> None:
    assert add(site, "198[.]51.100.0/24", "--ticket", "NET-112", "--until", "2100-01-01") == 0
    assert site.run("run", "--once").code == 0
    assert site.published == [THREE]
    assert re.search(r"mean time to removal: allowlisted [0-9.]+ s \(2\)", site.run("status").out)
    explained = site.run("explain", ONE, "--json").json
    assert explained["observables"][0]["outputs"][0]["reason"] == "allowlisted"
    assert site.run("allow", "remove", "198.51.100.0/24").code == 0
    assert site.run("run", "--once").code == 0
    assert site.published == [ONE, TWO, THREE]


def test_the_list_says_who_why_until_when_and_what_it_costs(site: Site) -> None:
    add(site, "198.51.100.0/24", "--ticket", "NET-112", "--until", "2100-01-01", "--owner", "ana")
    site.run("run", "--once")
    listed = site.run("allow", "list", "--json").json
    (found,) = listed["exceptions"]
    assert found["value"] == "198.51.100.0/24"
    assert found["why"] == "state data centre"
    assert found["ticket"] == "NET-112"
    assert found["owner"] == "ana"
    assert found["until"] == "2100-01-02T00:00:00Z"
    assert (found["state"], found["source"]) == ("in force", "command")
    assert listed["suppressed"] == [{"list": "perimeter", "group": "exception", "claims": 2}]
    shown = site.run("allow", "list").out
    for word in ("198[.]51[.]100[.]0/24", "NET-112", "ana", "perimeter", "exception"):
        assert word in shown


def test_suppressions_are_counted_by_warninglist(site: Site) -> None:
    text = CONFIG.replace("warninglists: []", "warninglists: [rfc5735, rfc1918]")
    text = text.replace("[documentation, ", "[documentation, special_purpose, ")
    site.config.write_text(text.replace("max_remove_ratio: 0.3", "max_remove_ratio: 1"))
    site.bring(ONE, THREE, "10.0.0.9", "10.0.0.10", "192.168.7.7", "192.169.7.7")
    assert site.run("run", "--once").code == 0
    assert site.published == ["192.169.7.7"]
    counted = site.run("allow", "list", "--json").json["suppressed"]
    # Of lists that overlap the first named is counted: it is the one that decides.
    assert counted == [{"list": "perimeter", "group": "warninglist:rfc5735", "claims": 5}]
    assert site.run("status", "--json").json["lists"][0]["suppressed"] == {"warninglist:rfc5735": 5}
    assert (
        "perimeter: suppressed by the allowlist: warninglist:rfc5735 5\n" in site.run("status").out
    )


def test_status_shows_how_many_values_had_to_be_normalised(site: Site) -> None:
    site.bring(ONE, "198[.]51[.]100[.]9")
    site.run("run", "--once")
    assert site.published == [ONE, "198.51.100.9"]
    assert "values normalised: refanged 1\n" in site.run("status").out


def test_what_was_removed_is_shown_on_request_only(site: Site) -> None:
    add(site, ONE)
    site.run("allow", "remove", ONE)
    assert site.run("allow", "list", "--json").json["exceptions"] == []
    assert "no exceptions" in site.run("allow", "list").out
    (found,) = site.run("allow", "list", "--all", "--json").json["exceptions"]
    assert found["state"] == "removed"
    assert found["removed_by"]


def test_a_second_exception_for_a_value_replaces_the_first(site: Site) -> None:
    add(site, ONE, "--owner", "ana")
    ran = site.run("allow", "add", ONE, "--why", "again", "--owner", "ben")
    assert "This replaces the exception of ana: state data centre" in ran.out
    (found,) = site.run("allow", "list", "--json").json["exceptions"]
    assert (found["owner"], found["why"]) == ("ben", "again")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["bad..example"], "bad..example: should be an address"),
        (["0.0.0.0/0"], "covers every address"),
        ([ONE, "--until", "2020-01-01"], "--until: 2020-01-01 is already over"),
        ([ONE, "--until", "soon"], "--until: should be a day, such as 2027-06-30, is soon"),
        ([ONE, "--why", "  "], "--why: give a reason"),
    ],
)
def test_an_exception_that_makes_no_sense_is_refused(
    site: Site, words: list[str], told: str
) -> None:
    why = [] if "--why" in words else ["--why", "x"]
    ran = site.run("allow", "add", *words, *why)
    assert ran.code == 1
    assert told in ran.err
    assert site.run("allow", "list", "--json").json["exceptions"] == []


def test_an_exception_needs_a_reason(site: Site) -> None:
    ran = site.run("allow", "add", ONE)
    assert ran.code == 2
    assert "--why" in ran.err


def test_removing_what_nobody_added_says_so(site: Site) -> None:
    ran = site.run("allow", "remove", ONE)
    assert ran.code == 1
    assert "has no exception" in ran.err


def test_an_exception_of_the_file_is_shown_and_has_to_be_taken_out_there(site: Site) -> None:
    entry = "  exceptions: [{value: 198.51.100.1, why: printed, until: 2020-01-01}]\n"
    site.config.write_text(CONFIG.replace("allowlist:\n", f"allowlist:\n{entry}"))
    (found,) = site.run("allow", "list", "--all", "--json").json["exceptions"]
    assert (found["source"], found["state"]) == ("file", "ended")
    ran = site.run("allow", "remove", ONE)
    assert ran.code == 1
    assert "remove it there" in ran.err


def test_a_warninglist_that_cannot_be_used_is_reported_in_the_log(site: Site) -> None:
    text = CONFIG.replace("warninglists: []", "warninglists: [phone_numbers]")
    site.config.write_text(text)
    ran = site.run("plan")
    assert "phone_numbers: is about nothing that a list of ours could hold" in ran.err
