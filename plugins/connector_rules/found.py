"""The rules of a file that someone else changed: ours, as they are there, and the rest as one."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from connector.adapter import Rule


class Written(NamedTuple):
    """A rule as it was written: a comment line that names it, and its text."""

    rule: Rule
    header: str
    body: str


class _Place(NamedTuple):
    start: int
    end: int
    rule: Rule


def rules_in(text: str, written: Iterable[Written], rest: Rule) -> Iterator[Rule]:
    """Yield what a text has of the rules that were written to it, then `rest` if it has more.

    A rule whose comment stands over another text, or whose text stands under another comment, is
    yielded with what is there. What follows an altered rule belongs to it, up to the next of ours.
    """
    places, changed, end = list[_Place](), list[Written](), 0
    for one in written:
        block = f"{one.header}\n{one.body}"
        start = text.find(block, end)  # in the order in which they were written
        start = text.find(block) if start < 0 else start
        if start < 0:
            changed.append(one)
            continue
        end = start + len(block)
        places.append(_Place(start, end, one.rule))
    places += _altered(text, changed, places)
    yield from (place.rule for place in places if place.rule.text)
    if _without(text, places).strip():
        yield rest


def _altered(text: str, changed: list[Written], places: list[_Place]) -> list[_Place]:
    """Return where rules are that are there otherwise; without a text where only a comment is."""
    starts: dict[int, Written] = {}
    for one in changed:
        if found := re.search(rf"^{re.escape(one.header)}\r?$", text, re.MULTILINE):
            starts[found.start()] = one
        elif (at := text.find(one.body)) >= 0 and one.body.strip():
            line = text.rfind("\n", 0, max(at - 1, 0)) + 1
            starts[line if text.startswith(one.header[:1], line) else at] = one
    bounds = sorted([*starts, *(place.start for place in places), len(text)])
    found_places = []
    for start, one in starts.items():
        end = next(bound for bound in bounds if bound > start)
        there = text[start:end].replace("\r\n", "\n")
        body = there.removeprefix(one.header).strip()
        shown = body if body != one.body.strip() else there  # it differs, if only in a blank line
        found_places.append(_Place(start, end, replace(one.rule, text=shown)))
    return found_places


def _without(text: str, places: Iterable[_Place]) -> str:
    """Return a text without these parts of it."""
    rest, at = [], 0
    for start, end, _rule in sorted(places, key=lambda place: place[:2]):
        rest.append(text[at:start])
        at = max(at, end)
    return "".join([*rest, text[at:]])
