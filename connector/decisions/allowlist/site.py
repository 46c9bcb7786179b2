"""What a site adds to the allowlist: the lines of its files, and exceptions."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from connector.decisions.allowlist.protection import Scope
from connector.decisions.allowlist.values import read_allow_value

__all__ = ["ExceptionRule", "SiteRule", "end_of_day", "parse_site_lines"]


@dataclass(frozen=True, slots=True)
class SiteRule:
    """One line of a site file: a domain means this name and everything below."""

    value: str
    source: str
    why: str = ""
    ticket: str = ""
    until: datetime | None = None
    group: str = "site"
    scope: Scope = Scope.TREE


@dataclass(frozen=True, slots=True)
class ExceptionRule:
    """One more value that must not be stopped, until its end; a domain with everything below."""

    value: str
    why: str = ""
    ticket: str = ""
    until: datetime | None = None
    source: str = "allowlist.exceptions"


def end_of_day(day: date) -> datetime:
    """Return the instant at which a day ends in UTC: an entry `until` a day holds all that day."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def parse_site_lines(source: str, lines: Iterable[str]) -> tuple[list[SiteRule], list[str]]:
    """Return the rules of a site file, and its problems, each with file, line and word.

    A line is a value, and behind ` #` why it is there.
    """
    rules: list[SiteRule] = []
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        place = f"{source}:{number}"
        value, why = _split_comment(line.lstrip("\ufeff"))
        if not value:
            continue
        try:
            read_allow_value(value)
        except ValueError as error:
            problems.append(f"{place}: {value[:80]}: {error}")
        else:
            rules.append(SiteRule(value, place, why))
    return rules, problems


def _split_comment(line: str) -> tuple[str, str]:
    """A # starts a comment at the start of a line or behind a space; a URL may hold one."""
    found = re.search(r"(?:^|\s)#", line)
    if found is None:
        return line.strip(), ""
    return line[: found.start()].strip(), line[found.end() :].strip()
