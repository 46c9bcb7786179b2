"""A reader of signatures as Snort 3 describes itself: tokens, whatever lines they stand on.

Snort is in no Debian release, so this is what our files are held against. It knows the traps: a
comment or a bracket outside of quotes goes on over line ends, a parenthesis ends a rule.
"""

from collections.abc import Iterator, Sequence

_BLANK = " \t\r\n\v\f"
_HEX = "0123456789abcdefABCDEF"


class SnortRefusesError(Exception):
    """Snort would not start with this file."""


def rules_read_by_snort(text: str) -> list[tuple[str, Sequence[str]]]:
    """Return the action of each rule in a file, and its options by name."""
    return list(_Reader(text).rules())


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def rules(self) -> Iterator[tuple[str, Sequence[str]]]:
        while action := self._token("("):
            while (word := self._token("(")) != "(":
                if not word:
                    raise SnortRefusesError("incomplete rule")
            yield action, list(self._options())

    def _options(self) -> Iterator[str]:
        while (key := self._token("(:,;)")) != ")":
            if not key or key in "(:,;":
                raise SnortRefusesError("an option should have a name")
            yield key
            sign = self._token("(:,;)")
            if sign == ":" and self._value(key):
                return
            if sign not in (":", ";"):
                raise SnortRefusesError("an option should end")

    def _value(self, key: str) -> bool:
        """Go to the end of a value; return whether it ended the rule as well."""
        signs, notes = (";" if key == "reference" else "(:,;)"), key in {"metadata", "reference"}
        first = True
        while (token := self._token(signs, raw=key == "pcre")) != ";":
            if not token or (first and token in "(:,;)" and not notes):
                raise SnortRefusesError("a value should follow")
            if token == ")" and not notes:
                return True
            first = False
        if first and not notes:
            raise SnortRefusesError("a value should follow")
        return False

    def _token(self, signs: str, *, raw: bool = False) -> str:
        """Return the next token; nothing at the end. A `raw` string ends at a semicolon."""
        self._skip()
        begin = self._at
        if not (sign := self._take()):
            return ""
        if sign in signs:
            return sign
        if sign == "[":
            self._list()
        elif sign == '"' or (sign == "!" and self._next() == '"' and self._take()):
            self._string(raw=raw)
        else:
            while (ahead := self._next()) and ahead not in _BLANK and ahead not in signs:
                self._take()
                if ahead == "\\":
                    self._take()
        return self._text[begin : self._at]

    def _skip(self) -> None:
        while ahead := self._next():
            if ahead == "#":
                self._until("\n")
            elif self._text.startswith("/*", self._at):
                self._until("*/")
            elif ahead == "\\":
                self._at += 2
            elif ahead in _BLANK:
                self._at += 1
            else:
                return

    def _list(self) -> None:
        depth = 1
        while depth and (sign := self._take()):
            depth += (sign == "[") - (sign == "]")

    def _string(self, *, raw: bool) -> None:
        while ahead := self._next():
            if raw and ahead == ";":
                return
            self._take()
            if ahead == '"' and not raw:
                return
            if ahead == "\\" and (self._take() != "x" or raw):
                continue
            if ahead == "\\":  # a byte in two digits; what is none is taken all the same
                self._at += 1 if self._next() not in _HEX else 2

    def _until(self, end: str) -> None:
        found = self._text.find(end, self._at)
        self._at = len(self._text) if found < 0 else found + len(end)

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        sign = self._next()
        self._at += len(sign)
        return sign
