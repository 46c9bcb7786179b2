"""Snort and Suricata: checks that a text is exactly one rule that does only what is allowed."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from connector_rules import keywords, options
from connector_rules.texts import RuleRejectedError

_ACTION: Final = re.compile(r"[a-z]+")
_PROTOCOL: Final = re.compile(r"[a-z0-9_.+:-]+")
_PLACE: Final = re.compile(r"[]A-Za-z0-9_.,:/!$ [-]+")
_DIRECTIONS: Final = frozenset({"->", "<>", "=>"})
_BREAK: Final = re.compile("[\n\r]")
_VARIABLE: Final = re.compile(r"\$([A-Za-z0-9_]*)")
_HIGHEST_ID: Final = (1 << 32) - 1


class Action(StrEnum):
    """What a rule may do where it matches."""

    ALERT = "alert"
    DROP = "drop"
    REJECT = "reject"


class Dialect(NamedTuple):
    """How an engine reads a file of signatures."""

    longest_line: int  # bytes; the rest would begin another line, and another rule
    known: frozenset[str]
    options: Callable[[str], Iterator[options.Option]]
    short_headers: bool  # Snort 3 has rules for a service or a file, without addresses


# Suricata has a buffer of 8,192 bytes (`DETECT_MAX_RULE_SIZE`), Snort 2 one of 32,768
# (`MAX_LINE_LENGTH`), both with the terminator; Snort 3 has no bound.
SURICATA: Final = Dialect(8_191, keywords.SURICATA, options.of_suricata, short_headers=False)
SNORT: Final = Dialect(32_767, keywords.SNORT, options.of_snort, short_headers=True)


class Allowed(NamedTuple):
    """What the configuration allows rules to do and to need."""

    actions: Collection[Action]
    variables: Collection[str]
    keywords: Collection[str]


def names_of(text: str, dialect: Dialect, allowed: Allowed) -> frozenset[str]:
    """Return the rule's generator and signature id.

    Raises RuleRejectedError where the rule may not be written.
    """
    line = text.strip()
    if _BREAK.search(line):
        raise RuleRejectedError("contains a line break: each line would be a separate rule")
    if (length := len(line.encode())) > dialect.longest_line:
        raise RuleRejectedError(
            f"is {length} bytes long; the engine reads lines of at most {dialect.longest_line}, "
            "and would read the rest as another rule"
        )
    before, opened, after = line.partition("(")
    if not opened or not after.endswith(")"):
        raise RuleRejectedError("is not one rule: action, protocol, addresses, (options)")
    action, *places = _header(before, short=dialect.short_headers)
    if action not in allowed.actions:
        names = ", ".join(sorted(allowed.actions))
        raise RuleRejectedError(f"would {action} traffic, and `actions` allows only {names}")
    for name in _VARIABLE.findall(" ".join(places)):
        if name not in allowed.variables:
            raise RuleRejectedError(f"needs ${name}, which is not in `variables`")
    said = list(dialect.options(after[:-1]))
    _refuse_reaching(said, dialect.known, allowed.keywords)
    return frozenset([_id(said)])


def _header(text: str, *, short: bool) -> list[str]:
    """Return the action of a rule, then its addresses and ports."""
    words = list(_words(text.replace("\t", " ") + " " if short else text))
    if words and _ACTION.fullmatch(words[0]) and all(map(_PROTOCOL.fullmatch, words[1:2])):
        if short and len(words) < 3:
            return words[:1]
        places = [*words[2:4], *words[5:]]
        if len(words) == 7 and words[4] in _DIRECTIONS and all(map(_PLACE.fullmatch, places)):
            return [words[0], *places]
    raise RuleRejectedError("is not one rule: action, protocol, addresses, (options)")


def _words(text: str) -> Iterator[str]:
    """Yield words that end with a space; text in brackets belongs to one word.

    For Suricata, neither a tab nor a parenthesis ends a word.
    """
    word, depth = [], 0
    for sign in text:
        depth += (sign == "[") - (sign == "]")
        if depth < 0:
            break
        if depth or sign != " ":
            word.append(sign)
        elif word:
            yield "".join(word)
            word = []
    if depth:
        raise RuleRejectedError("has brackets that do not close")
    if word:
        raise RuleRejectedError("has no space before its options")


def _refuse_reaching(
    said: Iterable[options.Option], known: frozenset[str], allowed: Collection[str]
) -> None:
    for key, value in said:
        if key not in allowed and (reach := keywords.reach(known, key, value)):
            raise RuleRejectedError(f"uses {key}, which {reach} and is not in `keywords`")


def _id(said: Iterable[options.Option]) -> str:
    ids: dict[str, list[str]] = {"gid": [], "sid": []}
    for key, value in said:
        if key in ids:
            ids[key].append(value)
    sids, gids = ids["sid"], ids["gid"] or ["1"]
    if len(sids) != 1 or len(gids) != 1 or not all(map(_is_id, (*sids, *gids))):
        raise RuleRejectedError("should have exactly one sid, a number, and at most one gid")
    return f"{gids[0]}:{sids[0]}"


def _is_id(text: str) -> bool:
    """Whether every engine reads the text as the same number."""
    plain = text.isascii() and text.isdecimal() and len(text) < 11
    return plain and text[0] != "0" and int(text) <= _HIGHEST_ID
