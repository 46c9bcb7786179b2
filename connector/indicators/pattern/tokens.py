"""The words of the STIX pattern language (STIX 2.1 section 9 and its ANTLR grammar)."""

import re
from typing import Final, NamedTuple

from connector.indicators.observables.errors import shown

UNQUOTED_HASH_NAME: Final = "unquoted hash name"
DOUBLE_QUOTES: Final = "double quotes"
MISSING_BRACKETS: Final = "missing brackets"

_KEYWORDS: Final = frozenset(
    {
        *("FOLLOWEDBY", "OR", "AND", "NOT", "EXISTS", "true", "false", "LAST"),
        *("IN", "LIKE", "MATCHES", "ISSUPERSET", "ISSUBSET"),
        *("START", "STOP", "WITHIN", "SECONDS", "REPEATS", "TIMES"),
    }
)
# The grammar skips less than \s matches: U+001C to U+001F are errors.
_BLANK: Final = (
    r"[\t\n\x0b\x0c\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
    r"|/\*.*?\*/|//[^\r\n]*"
)
_TIMESTAMP: Final = (
    r"t'[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?Z'"
)
# Invalid text is taken in one piece: retrying after each character of a hostile text would take
# time quadratic in its length.
_BASE64: Final = "[A-Za-z0-9+/]"
_TOKEN: Final = re.compile(
    rf"(?P<blank>{_BLANK})"
    rf"|(?P<timestamp>{_TIMESTAMP})"
    r"|(?P<hex>h'(?:[0-9A-Fa-f]{2})*')"
    rf"|(?P<binary>b'(?:{_BASE64}{{4}})*(?:{_BASE64}{{3}}=|{_BASE64}{{2}}==)?')"
    r"|(?P<string>'[^'\\]*(?:\\['\\][^'\\]*)*')"
    r'|(?P<quoted>"[^"\\]*(?:\\["\'\\][^"\\]*)*")'
    r"|(?P<float>\+?[0-9]*\.[0-9]+)"
    r"|(?P<negative_float>-[0-9]*\.[0-9]+)"
    r"|(?P<int>\+?(?:0|[1-9][0-9]*)(?![0-9]))"
    r"|(?P<negative_int>-(?:0|[1-9][0-9]*)(?![0-9]))"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|(?P<symbol>==|!=|<>|<=|>=|[=<>:.,()\[\]*])"
    r"|(?P<wrong>/\*.*|[+-]?[0-9]+|.)",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


class PatternSyntaxError(ValueError):
    """The text is not a pattern; the message says where and why."""


class Token(NamedTuple):
    """One word: its kind (a class of literals, or the keyword or symbol), text and position."""

    kind: str
    text: str
    at: int

    @property
    def unquoted(self) -> str:
        """The contents of a quoted text, without quotes and escapes."""
        inside = self.text[1:-1]
        return _ESCAPE.sub(r"\1", inside) if "\\" in inside else inside


class Words:
    """The words of one pattern, read from left to right, and the repairs made."""

    def __init__(self, pattern: str) -> None:
        self.repairs: list[str] = []
        self._tokens = _tokens(pattern)
        self._next = 0

    @property
    def next(self) -> Token:
        """The next word."""
        return self._tokens[self._next]

    def take(self, kind: str) -> bool:
        """Skip the next word if it is of this kind, and return whether it was."""
        is_there = self._tokens[self._next].kind == kind
        self._next += is_there
        return is_there

    def read(self, *kinds: str, what: str = "") -> Token:
        """Return the next word, which must be of one of these kinds, and move past it."""
        token = self._tokens[self._next]
        if token.kind not in kinds:
            raise self.problem(f"expected {what or ' or '.join(kinds)}")
        self._next += 1
        return token

    def problem(self, words: str) -> PatternSyntaxError:
        """Return the error at the next word."""
        token = self.next
        found = "the end" if token.kind == "end" else shown(token.text)
        return PatternSyntaxError(f"at character {token.at + 1}: {words}, not {found}")


def _tokens(pattern: str) -> list[Token]:
    found = [
        Token(_kind(match), match[0], match.start())
        for match in _TOKEN.finditer(pattern)
        if match.lastgroup != "blank"
    ]
    found.append(Token("end", "", len(pattern)))
    return found


def _kind(match: re.Match[str]) -> str:
    kind = match.lastgroup or "wrong"
    if kind == "symbol" or (kind == "word" and match[0] in _KEYWORDS):
        return match[0]
    return kind
