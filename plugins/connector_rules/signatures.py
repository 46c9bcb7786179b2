"""Snort and Suricata: whether a text is exactly one rule that only does what it is let do."""

import re
from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import Final

from connector_rules.texts import NotWritableError

_ACTION: Final = re.compile(r"[a-z]+")
_PROTOCOL: Final = re.compile(r"[a-z0-9_.+-]+")
_PLACE: Final = re.compile(r"[]A-Za-z0-9_.,:/!$ \t[-]+")
_DIRECTIONS: Final = frozenset({"->", "<>", "=>"})
# Suricata ends an option at the first semicolon that no backslash precedes, quoted or not.
_OPTION: Final = re.compile(
    r"""\s*(?P<key>[A-Za-z0-9_.-]+)\s*(?::(?P<value>(?:[^;"\\]|\\.|"(?:[^";\\]|\\.)*")*))?;"""
)
_BREAK: Final = re.compile("[\n\r\x85\u2028\u2029]")
_VARIABLE: Final = re.compile(r"\$([A-Za-z0-9_]*)")
_HIGHEST_ID: Final = (1 << 32) - 1

# What reads, writes or runs files, answers or changes traffic, or makes an engine look away.
_REFUSED: Final = frozenset({
    "activated_by", "activates", "bypass", "datarep", "dataset", "filestore", "logto", "lua",
    "luajit", "luaxform", "react", "replace", "resp", "session", "soid"
})  # fmt: skip


class Action(StrEnum):
    """What a rule may do where it matches."""

    ALERT = "alert"
    DROP = "drop"
    REJECT = "reject"


def names_of(
    text: str, actions: Collection[Action], variables: Collection[str], *, short: bool
) -> frozenset[str]:
    """Return the rule's generator and signature id; raise NotWritableError when it may not stand.

    `short` also takes headers without addresses.
    """
    line = text.strip()
    if _BREAK.search(line):
        raise NotWritableError("holds a line break: each line would be a rule of its own")
    before, opened, after = line.partition("(")
    if not opened or not after.endswith(")"):
        raise NotWritableError("is not one rule: action, protocol, addresses, (options)")
    action, *places = _header(before, short=short)
    if action not in actions:
        raise NotWritableError(f"would {action}; `actions` allows {', '.join(sorted(actions))}")
    for name in _VARIABLE.findall(" ".join(places)):
        if name not in variables:
            raise NotWritableError(f"needs ${name}, which `variables` does not name")
    return frozenset([_id(_options(after[:-1]))])


def _header(text: str, *, short: bool) -> list[str]:
    """Return the action of a rule, then its addresses and ports."""
    words = list(_words(text))
    if words and _ACTION.fullmatch(words[0]) and all(map(_PROTOCOL.fullmatch, words[1:2])):
        if short and len(words) < 3:  # Snort 3 knows rules of a service or a file
            return words[:1]
        places = [*words[2:4], *words[5:]]
        if len(words) == 7 and words[4] in _DIRECTIONS and all(map(_PLACE.fullmatch, places)):
            return [words[0], *places]
    raise NotWritableError("is not one rule: action, protocol, addresses, (options)")


def _words(text: str) -> Iterator[str]:
    """Yield what stands between blanks; a bracket holds together what is in it."""
    word, depth = [], 0
    for sign in text:
        depth += (sign == "[") - (sign == "]")
        if depth < 0:
            break
        if depth or not sign.isspace():
            word.append(sign)
        elif word:
            yield "".join(word)
            word = []
    if depth:
        raise NotWritableError("has brackets that do not close")
    if word:
        yield "".join(word)


def _options(text: str) -> Iterator[tuple[str, str]]:
    at, body = 0, text.rstrip()
    while at < len(body):
        found = _OPTION.match(body, at)
        if found is None:
            raise NotWritableError(f"its options cannot be read from {body[at : at + 20]!r} on")
        key = found["key"].lower()
        if key in _REFUSED:
            raise NotWritableError(f"uses {key}, which reaches beyond detection")
        yield key, (found["value"] or "").strip()
        at = found.end()


def _id(options: Iterator[tuple[str, str]]) -> str:
    ids: dict[str, list[str]] = {"gid": [], "sid": []}
    for key, value in options:
        if key in ids:
            ids[key].append(value)
    sids, gids = ids["sid"], ids["gid"] or ["1"]
    if len(sids) != 1 or len(gids) != 1 or not all(map(_is_id, (*sids, *gids))):
        raise NotWritableError("should have one sid, a number, and at most one gid")
    return f"{int(gids[0])}:{int(sids[0])}"


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 11 and 0 < int(text) <= _HIGHEST_ID
