"""YARA: checks that a text is one or more rules that do not affect the others in the file.

One fault makes an engine refuse the whole file, so every comment, string and brace of a text has to
be closed. Whether a rule compiles is left to `yara-python`, where it is installed.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from connector_rules.texts import RuleRejectedError

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
    """Return the names of the rules in a text; raise RuleRejectedError where it is refused."""
    return _Reader(list(_tokens(text)), modules).names()


def compile_alone(yara: Any, text: str) -> None:
    """Compile a text by itself; raise RuleRejectedError with the engine's message."""
    try:
        yara.compile(source=text, includes=False)
    except yara.Error as error:
        raise RuleRejectedError(f"does not compile: {error}") from error


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.group() == "/" or found.group() == '"':
            raise RuleRejectedError(f"is unreadable from {text[at : at + 20]!r} on")
        if found.lastgroup != "blank":
            # Wherever the word is, the engine would open the file that is named after it.
            if found.group() == "include":
                raise RuleRejectedError("includes a file from the machine that loads it")
            if (
                found.lastgroup in {"string", "regex"}
                and len(found.group().encode()) > _LONGEST_TEXT
            ):
                raise RuleRejectedError(
                    f"contains a string or regular expression of more than {_LONGEST_TEXT} bytes"
                )
            yield found.lastgroup or "", found.group()
        at = found.end()


class _Reader:
    """Reads the tokens of one text."""

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
                raise RuleRejectedError("is global: its condition would apply to every other rule")
            elif word == "rule":
                names.append(self._rule())
            elif word != "private":
                raise RuleRejectedError(f"contains {word[:20]!r} outside of a rule")
        if not names:
            raise RuleRejectedError("contains no rule")
        if len(set(names)) < len(names):
            raise RuleRejectedError("has two rules with the same name")
        return frozenset(names)

    def _next(self) -> Token:
        if self._at == len(self._tokens):
            raise RuleRejectedError("ends within a rule")
        self._at += 1
        return self._tokens[self._at - 1]

    def _import(self) -> None:
        kind, module = self._next()
        if kind != "string" or module[1:-1] not in self._modules:
            raise RuleRejectedError(f"imports {module[:40]}, which is not in `modules`")

    def _rule(self) -> str:
        kind, name = self._next()
        if kind != "word" or name in _KEYWORDS or len(name) > _LONGEST_NAME:
            raise RuleRejectedError(f"has a rule named {name[:40]!r}, which is not a valid name")
        _kind, sign = self._next()
        if sign == ":":
            while (found := self._next())[0] == "word":
                pass
            sign = found[1]
        if sign != "{":
            raise RuleRejectedError(f"rule {name}: should have a body in braces")
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
                raise RuleRejectedError(f"rule {name}: its braces do not close")
            last = text
        if conditions != 1:
            raise RuleRejectedError(f"rule {name}: should have exactly one condition")

    def _set(self, name: str) -> None:
        """Read a set of strings or rules; refuse a set of rules by the beginning of their names.

        The engine refuses a file in which a later rule's name begins like that.
        """
        kind = ""
        while (found := self._next())[1] != ")":
            if found[1] == "*" and kind == "word":
                raise RuleRejectedError(f"rule {name}: refers to rules by how their names begin")
            if found[1] in {"(", "{", "}"}:
                raise RuleRejectedError(f"rule {name}: its braces do not close")
            kind = found[0]
