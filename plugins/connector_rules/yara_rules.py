"""YARA: whether a text is one or more rules that leave the others in the file alone.

An engine refuses a file whole for one fault in it, so a text has to be closed in itself: every
comment, string and brace. What a rule means is for `yara-python` to say, where it is installed.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from connector_rules.texts import NotWritableError

_TOKEN: Final = re.compile(
    r"""
      (?P<blank>[ \t\r\n]+|//[^\n]*|/\*.*?\*/)
    | (?P<string>"(?:[^"\\\n]|\\[^\n])*")
    | (?P<regex>/(?![/*])(?:[^/\\\n]|\\[^\n])+/)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<name>[$#@!][A-Za-z0-9_*]*)
    | (?P<number>[0-9]+(?:\.[0-9]+|x[0-9A-Fa-f]+|[KM]B)?)
    | (?P<sign>[!-~])
    """,
    re.VERBOSE | re.DOTALL,
)
_LONGEST_NAME: Final = 128
_LONGEST_TEXT: Final = 8_192  # bytes, with its quotes: YR_LEX_BUF_SIZE of the engine
_KEYWORDS: Final = frozenset({
    "all", "and", "any", "ascii", "at", "base64", "base64wide", "condition", "contains", "defined",
    "endswith", "entrypoint", "false", "filesize", "for", "fullword", "global", "icontains",
    "iendswith", "iequals", "import", "in", "include", "int16", "int16be", "int32", "int32be",
    "int8", "int8be", "istartswith", "matches", "meta", "nocase", "none", "not", "of", "or",
    "private", "rule", "startswith", "strings", "them", "true", "uint16", "uint16be", "uint32",
    "uint32be", "uint8", "uint8be", "wide", "xor"
})  # fmt: skip

Token = tuple[str, str]


def names_of(text: str, modules: Collection[str]) -> frozenset[str]:
    """Return the names of the rules in a text; raise NotWritableError when it may not stand."""
    return _Reader(list(_tokens(text)), modules).names()


def compile_alone(yara: Any, text: str) -> None:
    """Let the engine judge a text by itself; raise NotWritableError with its words."""
    try:
        yara.compile(source=text, includes=False)
    except yara.Error as error:
        raise NotWritableError(f"does not compile: {error}") from error


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.group() == "/" or found.group() == '"':
            raise NotWritableError(f"cannot be read from {text[at : at + 20]!r} on")
        if found.lastgroup != "blank":
            # Wherever the word stands, the engine would open the file that is named after it.
            if found.group() == "include":
                raise NotWritableError("includes a file of the machine that reads it")
            if (
                found.lastgroup in {"string", "regex"}
                and len(found.group().encode()) > _LONGEST_TEXT
            ):
                raise NotWritableError(f"holds a text of more than {_LONGEST_TEXT} bytes")
            yield found.lastgroup or "", found.group()
        at = found.end()


class _Reader:
    """Goes through the tokens of one text."""

    def __init__(self, tokens: Sequence[Token], modules: Collection[str]) -> None:
        self._tokens = tokens
        self._modules = modules
        self._at = 0

    def names(self) -> frozenset[str]:
        """Return the names of all rules."""
        names: list[str] = []
        while self._at < len(self._tokens):
            word = self._next()[1]
            if word == "import":
                self._import()
            elif word == "global":
                raise NotWritableError("is global: its condition would bind every other rule")
            elif word == "rule":
                names.append(self._rule())
            elif word != "private":
                raise NotWritableError(f"holds {word[:20]!r} outside of rules")
        if not names:
            raise NotWritableError("holds no rule")
        if len(set(names)) < len(names):
            raise NotWritableError("names two rules alike")
        return frozenset(names)

    def _next(self) -> Token:
        if self._at == len(self._tokens):
            raise NotWritableError("ends before its last rule does")
        self._at += 1
        return self._tokens[self._at - 1]

    def _import(self) -> None:
        kind, module = self._next()
        if kind != "string" or module[1:-1] not in self._modules:
            raise NotWritableError(f"imports {module[:40]}, which `modules` does not name")

    def _rule(self) -> str:
        kind, name = self._next()
        if kind != "word" or name in _KEYWORDS or len(name) > _LONGEST_NAME:
            raise NotWritableError(f"calls a rule {name[:40]!r}, which is not a name")
        _kind, sign = self._next()
        if sign == ":":
            while (found := self._next())[0] == "word":
                pass
            sign = found[1]
        if sign != "{":
            raise NotWritableError(f"rule {name}: a body in braces should follow")
        self._body(name)
        return name

    def _body(self, name: str) -> None:
        depth, last, conditions = 1, "", 0
        while depth:
            kind, text = self._next()
            if text == "(" and last == "of":
                self._set(name)
                text = ")"
            depth += (text == "{") - (text == "}")
            conditions += depth == 1 and text == ":" and last == "condition"
            if depth > 2 or (kind == "word" and text == "rule"):
                raise NotWritableError(f"rule {name}: its braces do not close")
            last = text
        if conditions != 1:
            raise NotWritableError(f"rule {name}: there should be one condition")

    def _set(self, name: str) -> None:
        """Read a set of strings or rules; of rules by names, and not by how they begin.

        The engine refuses a file in which a later rule is called as such a set begins.
        """
        kind = ""
        while (found := self._next())[1] != ")":
            if found[1] == "*" and kind == "word":
                raise NotWritableError(f"rule {name}: takes in rules by the beginning of a name")
            if found[1] in {"(", "{", "}"}:
                raise NotWritableError(f"rule {name}: its braces do not close")
            kind = found[0]
