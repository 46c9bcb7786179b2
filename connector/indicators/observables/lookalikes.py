"""What a text looks like to a reader that takes every line for an address, a name or a pattern.

We assume the most lenient reader in use: it reads addresses like the C library (`0x7f.1`,
`2130706433`), refangs, strips quotes, and ends a value where a comment or column may begin.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from connector.indicators.observables import names
from connector.indicators.observables.errors import UnfitValueError
from connector.indicators.observables.refang import refanged

SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_MARKS: Final = ("//", *"#;!@.~^|")
_WILDCARDS: Final = re.compile(r"[*?]")
_EVERYTHING: Final = frozenset({"all", "any", "default"})
# Names that only resolve inside an organisation (RFC 6762 appendix G, RFC 9476).
_PRIVATE_TOPS: Final = frozenset(
    {"alt", "corp", "home", "internal", "intranet", "lan", "local", "localdomain", "private"}
)

_DEFANGED: Final = re.compile(r"[\[({\\]|^h(?:xx|\*\*|tx|xt)p|^fxp")
_ENDS_A_VALUE: Final = re.compile(r"[\s,;|#]")
_ENDS_AN_AUTHORITY: Final = re.compile(r"[/\\?#]")
_ENDS_A_HOST: Final = re.compile(r"[/\\?#:%\]]")
_AROUND: Final = "\"'<>()[]{} "
_MORE_THAN_A_WORD: Final = re.compile(r"\.|:.*:|://|^[0-9]+/")
_DIGEST: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128}")
_AUTONOMOUS_SYSTEM: Final = re.compile(r"asn?\s?[0-9]{1,10}")
_HIVE: Final = re.compile(r"(?:hkey_[a-z_]+|hk(?:lm|cu|cr|u|cc))\\")
_PART: Final = r"(?:0x[0-9a-f]*|[0-9]+)"
_IPV4_LIKE: Final = re.compile(rf"{_PART}(?:\.{_PART}){{0,3}}\.?")
_IPV6_LIKE: Final = re.compile(r"\[?(?=[^:]*:[^:]*:)[0-9a-f:.]+(?:$|[^0-9a-z:.])")
_NAME: Final = re.compile(r"(?:[a-z0-9_-]+\.)*([a-z][a-z0-9-]*)\.?")


def pattern_like(line: str) -> str | None:
    """Return why a reader may take a line for a pattern, a negation or a comment, or None."""
    if mark := next(filter(line.startswith, _MARKS), None):
        return f"starts with {mark}, which readers take for a comment, a negation or a pattern"
    if _WILDCARDS.search(line):
        return "contains * or ?, which readers take for a wildcard"
    if len(line) > 1 and line[0] == line[-1] == "/":
        return "is enclosed in slashes, which readers take for a regular expression"
    if " #" in line:
        return "contains #, which readers take for the start of a comment"
    return None


def looks_like(line: str) -> str | None:
    """Return what a line looks like, such as "an address"; None if just like text."""
    return next(filter(None, map(_look, _seen_in(line))), None)


def is_registry_key(line: str) -> bool:
    """Return whether a line begins with a Windows registry hive."""
    return _HIVE.match(line.lower()) is not None


def _seen_in(line: str) -> Iterator[str]:
    """Yield what readers may see in a line: unquoted, refanged, and up to a separator."""
    folded = (line if line.isascii() else _unaccented(line)).lower()
    undone = refanged(folded) if _DEFANGED.search(folded) else folded
    for text in (folded,) if undone == folded else (folded, undone):
        yield text.strip(_AROUND)
        start = _ENDS_A_VALUE.split(text, maxsplit=1)[0].strip(_AROUND)
        # The first word of a sentence is not a one-word name.
        if start != text and _MORE_THAN_A_WORD.search(start):
            yield start


def _unaccented(line: str) -> str:
    """Return a line with full-width digits, letters and dots made plain."""
    return unicodedata.normalize("NFKC", line).replace("\u3002", ".")


def _look(text: str) -> str | None:
    if SCHEME.match(text):
        return "a URL"
    if _AUTONOMOUS_SYSTEM.fullmatch(text):
        return "an AS number"
    if " " in text:
        return None  # its start is examined separately
    if _DIGEST.fullmatch(text):
        return "a hash"
    if text in _EVERYTHING:
        return "everything"
    return _named_by(text)


def _named_by(text: str) -> str | None:
    if is_address(text):
        return "an address"
    if _is_name(text):
        return "a domain name"
    # An @ precedes the host and means nothing in a path: readers differ when it could be both.
    for authority in dict.fromkeys((text, _ENDS_AN_AUTHORITY.split(text, maxsplit=1)[0])):
        user, _, behind = authority.rpartition("@")
        host = _ENDS_A_HOST.split(behind.lstrip("["), maxsplit=1)[0]
        if is_address(host):
            return "an e-mail address" if user else "an address"
        if host != text and "." in host and _is_name(host):
            return "an e-mail address" if user else "a URL"
    return None


def is_address(text: str) -> bool:
    """Return whether a text in lower case looks like an address, a prefix or a range of them."""
    if text[:1].isdigit() and all(map(_IPV4_LIKE.fullmatch, text.split("-"))):  # a range, too
        return True
    return _IPV6_LIKE.match(text) is not None


def _is_name(text: str) -> bool:
    if len(text) > names.LONGEST_DOMAIN:
        return False
    if found := _NAME.fullmatch(text):
        return found[1] in _PRIVATE_TOPS or names.is_top_level(found[1])
    if "." not in text:
        return False
    try:
        names.domain(text)
    except UnfitValueError:
        return False
    return True
