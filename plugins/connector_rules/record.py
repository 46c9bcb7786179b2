"""The record of a published rule file: one rule a line, exactly as the core passed it.

Each line also has the names that the rule uses in the file, so that a rule that has passed the same
checks before is not checked again.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from connector.adapter import Rule, RuleLanguage, UnavailableError

_HEAD: Final = "connector-rules 1 "


def first_line(checks: str) -> str:
    """Return the first line, which names the checks that the rules passed."""
    return f"{_HEAD}{checks}\n"


def line_of(rule: Rule, names: frozenset[str]) -> str:
    """Return a rule as one line."""
    modified = rule.modified.isoformat() if rule.modified else None
    said = [rule.indicator, rule.language, rule.text, rule.name, rule.feed, modified, sorted(names)]
    return f"{json.dumps(said)}\n"


def checks_of(path: Path) -> str:
    """Return the checks that the rules of a record passed."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        return lines.readline().removeprefix(_HEAD).rstrip("\n")


def rules(path: Path) -> Iterator[tuple[Rule, frozenset[str]]]:
    """Yield the rules of a record, each with its names."""
    try:
        with path.open(encoding="utf-8", newline="\n") as lines:
            next(lines, None)
            for line in lines:
                indicator, language, text, name, feed, modified, names = json.loads(line)
                when = datetime.fromisoformat(modified) if modified else None
                rule = Rule(indicator, RuleLanguage(language), text, name, feed, when)
                yield rule, frozenset(names)
    except (ValueError, TypeError) as error:
        raise UnavailableError(
            f"{path}: damaged; remove it, then the file is published again"
        ) from error
