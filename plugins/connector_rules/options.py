"""The options of a signature, split as its engine splits them.

Text that two readers could read in two ways is refused, so that nothing hides in a value.
"""

import re
from collections.abc import Iterator
from typing import Final

from connector_rules.texts import RuleRejectedError

Option = tuple[str, str]

_KEY: Final = re.compile(r"[A-Za-z0-9_.-]+")
# Suricata, `SigParseOptions`: quoted or not, a semicolon ends an option unless the character before
# it is a backslash, whatever comes before that.
_SURICATA_END: Final = re.compile(r"(?<!\\);")
_SURICATA_QUOTES: Final = re.compile(r'(?!!?").*|!?".*"')
# Snort 3 reads tokens (`get_token`), not lines: in an unquoted value a bracket, a comment or a
# parenthesis would continue into the rules that follow, or end the rule. Snort 2 expands variables
# wherever a dollar sign is not quoted.
_SNORT_OPTION: Final = re.compile(
    r"""\s*(?P<key>[a-z0-9_]+)\s*(?::(?P<value>(?:[^;"\\]|\\.|"(?:[^";\\]|\\.)*")*))?;""",
    re.ASCII,
)
_SNORT_STRING: Final = r'"(?:[^";\\]|\\x[0-9A-Fa-f]{2}|\\[^x])*"'
_SNORT_BARE: Final = r"""(?!/\*)[^\s,:;"()\[\]#\\$!](?:[^\s,:;"()$\\]|\\[;:,"])*"""
_SNORT_WORD: Final = rf"!?(?:{_SNORT_STRING}|{_SNORT_BARE})"
_SNORT_VALUE: Final = re.compile(rf"\s*{_SNORT_WORD}(?:[\s,:]+{_SNORT_WORD})*\s*", re.ASCII)
_SNORT_NOTE: Final = re.compile(rf"\s*{_SNORT_WORD}(?:[\s,:()]+{_SNORT_WORD})*[\s()]*", re.ASCII)
_SNORT_PATTERN: Final = re.compile(
    rf"""\s*!?"(?:[^";\\]|\\.)*"(?:\s*,\s*{_SNORT_BARE})*\s*""", re.ASCII
)
_SNORT_VALUES: Final = {
    **dict.fromkeys(("pcre", "regex", "sd_pattern"), _SNORT_PATTERN),
    **dict.fromkeys(("metadata", "reference"), _SNORT_NOTE),
}


def of_suricata(text: str) -> Iterator[Option]:
    """Yield each option, its name in lower case: the engine ignores case."""
    *parts, rest = _SURICATA_END.split(text)
    if rest.strip(" \t"):
        raise _unreadable(rest)
    for part in parts:
        key, _colon, value = (each.strip(" \t") for each in part.partition(":"))
        if not _KEY.fullmatch(key) or not _SURICATA_QUOTES.fullmatch(value):
            raise _unreadable(part)
        yield key.lower(), value


def of_snort(text: str) -> Iterator[Option]:
    """Yield each option."""
    at, body = 0, text.rstrip(" \t")
    while at < len(body):
        found = _SNORT_OPTION.match(body, at)
        if found is None:
            raise _unreadable(body[at:])
        key, value = found["key"], found["value"]
        if value is not None and not _SNORT_VALUES.get(key, _SNORT_VALUE).fullmatch(value):
            raise RuleRejectedError(
                f"its option {key} has an unquoted bracket, comment, variable or quote, which "
                "Snort would read as something else"
            )
        yield key, (value or "").strip(" \t")
        at = found.end()


def _unreadable(part: str) -> RuleRejectedError:
    return RuleRejectedError(f"its options are unreadable from {part.strip()[:20]!r} on")
