"""The architecture page shows the house as it is: rooms, ways and words."""

import re

import pytest
from test_docs import ROOT
from test_layers import APART, CONNECTOR, FLOORS

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
MOST_HOPS = 6
MOST_WORDS = 15


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def floors_of_the_page() -> dict[int, set[str]]:
    """Return what the table puts on each floor; words in brackets explain."""
    rows = re.findall(r"^\| (\d) \| (.*) \|$", section("Packages and floors"), re.M)
    return {
        int(floor): set(re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", rooms)))
        for floor, rooms in rows
    }


def test_its_floors_are_those_that_the_imports_are_held_to() -> None:
    assert floors_of_the_page() == FLOORS


def test_its_rooms_are_those_of_the_tree() -> None:
    shown = {room for rooms in floors_of_the_page().values() for room in rooms}
    packages = {path.parent.name for path in CONNECTOR.glob("*/__init__.py")}
    modules = {path.stem for path in CONNECTOR.glob("*.py")}
    assert shown | {APART} == packages | modules


@pytest.mark.parametrize("way", ["The way of one indicator", "The way of one hold"])
def test_a_way_has_few_hops_and_each_is_a_file(way: str) -> None:
    hops = re.findall(r"^\d\. \[.+?\]\((.+?)\)", section(way), re.M)
    assert 0 < len(hops) <= MOST_HOPS
    assert [hop for hop in hops if not (ROOT / "docs" / hop).is_file()] == []


def test_our_own_words_are_few_and_each_has_one_sentence() -> None:
    words = re.findall(r"^\| ([a-z]+) \| (.+) \|$", section("Our words"), re.M)[1:]
    assert 0 < len(words) <= MOST_WORDS
    assert [word for word, meaning in words if not re.fullmatch(r"[A-Z][^.]+\.", meaning)] == []
