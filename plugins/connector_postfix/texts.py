"""Maps that Postfix reads as text: networks (cidr), and patterns for headers and bodies (regexp).

Postfix loads them when a process starts, so a change needs a reload; `postmap` reads each before it
gets its name. A pattern is never more than its literal, with what may stand around it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from connector.adapter import (
    Command,
    Observable,
    ObservableType,
    TextDraft,
    TextFile,
    UnavailableError,
    observable_of,
)

from .keys import keys_of

__all__ = ["TextMap", "Tools", "body_checks", "header_checks", "networks"]

_T: Final = ObservableType
_SPECIAL: Final = re.compile(r"([][{}()*+?^$|.\\/])")
_ESCAPED: Final = re.compile(r"\\(.)")
_PLAIN: Final = re.compile(r"[!-~]+(?: [!-~]+)*")
_SHORTEST_SUBJECT: Final = 12
_SPACE: Final = "[[:space:]]+"  # a long header is folded at spaces
_SUBJECT: Final = ("/^Subject:[[:space:]]*", "[[:space:]]*$/")
_FROM: Final = ("/^From:(.*<|[[:space:]]*)", "(>[[:space:]]*|[[:space:]]*)$/")
# A URL begins where nothing before it can be of the same URL, in whose query it may be.
_IN_TEXT: Final = (
    r"/(^|[^A-Za-z0-9+.=\/?&%:_~@#!$*,;-])",
    '[].,;:!?)\'"]*([[:space:]<>"]|$)/',
)
_ANY_SCHEME: Final = r"([a-z][a-z0-9+.-]*:\/\/)?"
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://")
_HOST_ALONE: Final = re.compile(rf"(?:{_SCHEME.pattern})?[^/?#]+/")
_UNFIT: Final = "is not plain ASCII, and Postfix compares the encoded form that was sent"


def _literal(value: str) -> str:
    return _SPECIAL.sub(r"\\\1", value).replace(" ", _SPACE)


def _said_by(literal: str) -> str:
    return _ESCAPED.sub(r"\1", literal.replace(_SPACE, " "))


def _url_literal(url: str) -> str:
    """Return a URL as a pattern: with any scheme if it has none, and `/` alone may be missing."""
    scheme = "" if _SCHEME.match(url) else _ANY_SCHEME
    return f"{scheme}{_literal(url)}{'?' if _HOST_ALONE.fullmatch(url) else ''}"


def _url_said_by(literal: str) -> str:
    url = literal.removeprefix(_ANY_SCHEME)
    return _said_by(url.removesuffix("?") if url.endswith("/?") else url)


class Form(NamedTuple):
    """How values of one type stand in a map: what is before and after, and what has no pattern."""

    kind: ObservableType
    before: str = ""
    after: str = ""
    why_not: Callable[[str], str] = lambda _value: ""
    literal: Callable[[str], str] = str
    said_by: Callable[[str], str] = str

    def key(self, value: str) -> str:
        """Return the key of a value."""
        return f"{self.before}{self.literal(value)}{self.after}"

    def value(self, key: str) -> str | None:
        """Return the value of a key; None where it is in another form."""
        if not (key.startswith(self.before) and key.endswith(self.after)):
            return None
        return self.said_by(key[len(self.before) : len(key) - len(self.after)])


def _mailbox_why_not(value: str) -> str:
    try:
        keys_of(Observable(_T.EMAIL_ADDR, value))
    except ValueError as error:
        return str(error)
    return ""


def _subject_why_not(value: str) -> str:
    if len(value) < _SHORTEST_SUBJECT:
        return f"is shorter than {_SHORTEST_SUBJECT} characters: honest mail may have it"
    return "" if _PLAIN.fullmatch(value) else _UNFIT


def _url_why_not(value: str) -> str:
    return "" if _PLAIN.fullmatch(value) and " " not in value else _UNFIT


class TextMap:
    """One such file: its type for Postfix, and the forms of the values that it may have."""

    def __init__(self, path: Path, kind: str, forms: Mapping[ObservableType, Form]) -> None:
        self.kind = kind
        self._forms = forms
        self._file = TextFile(path)

    def takes(self, kind: ObservableType) -> bool:
        """Return whether values of a type go into this map."""
        return kind in self._forms

    def why_not(self, one: Observable) -> str:
        """Return why an entry has no line here; nothing if it has one."""
        if observable_of(one.type, one.value) != one:
            return f"is no {one.type} that a map can have"
        return self._forms[one.type].why_not(one.value)

    def line(self, one: Observable, value: str) -> str:
        """Return the line of an entry with what Postfix does."""
        return f"{self._forms[one.type].key(one.value)} {value}"

    def stamp(self) -> str:
        """Return what tells the file from any other in its place."""
        return self._file.stamp()

    def pairs(self) -> Iterator[tuple[Observable, str]]:
        """Yield entries with what Postfix does; a line in no form of ours is a text as it is."""
        for line in self._file.lines():
            key, _, value = line.partition(" ")  # in a key of ours a space is written otherwise
            yield self._meant(key) or Observable(_T.MUTEX, line), value

    def _meant(self, key: str) -> Observable | None:
        for form in self._forms.values():
            text = form.value(key)
            found = None if text is None else observable_of(form.kind, text)
            if found is not None and form.key(found.value) == key:
                return found
        return None

    @contextmanager
    def draft(self) -> Iterator[TextDraft]:
        """Open the next version, which is dropped unless it is published."""
        with self._file.draft() as draft:
            yield draft


def networks(path: Path) -> TextMap:
    """Return a map of client addresses and prefixes of any length."""
    return TextMap(path, "cidr", {kind: Form(kind) for kind in (_T.IPV4_ADDR, _T.IPV6_ADDR)})


def header_checks(path: Path) -> TextMap:
    """Return a map of subjects, and of addresses in From."""
    forms = {
        _T.EMAIL_SUBJECT: Form(_T.EMAIL_SUBJECT, *_SUBJECT, _subject_why_not, _literal, _said_by),
        _T.EMAIL_ADDR: Form(_T.EMAIL_ADDR, *_FROM, _mailbox_why_not, _literal, _said_by),
    }
    return TextMap(path, "regexp", forms)


def body_checks(path: Path) -> TextMap:
    """Return a map of URLs in the lines of a message."""
    form = Form(_T.URL, *_IN_TEXT, _url_why_not, _url_literal, _url_said_by)
    return TextMap(path, "regexp", {_T.URL: form})


class Tools:
    """Postfix's own programs: one reads a map in a test, the other has Postfix load all anew."""

    def __init__(self, postfix: tuple[str, ...], config: Path | None) -> None:
        chosen = () if config is None else ("-c", str(config))
        self._postfix = Command((*postfix, *chosen), package="postfix", option="postfix")
        self._postmap = Command(("postmap", *chosen), package="postfix", option="postfix")

    def test(self, kind: str, path: Path) -> None:
        """Raise UnavailableError unless Postfix reads a map without a word."""
        ran = self._postmap.run("-q", "connector.invalid", f"{kind}:{path}")
        if ran.complaint.strip():
            raise UnavailableError(f"postmap: {ran.words}")

    def reload(self) -> None:
        """Have Postfix load its maps anew, after a test of its configuration."""
        for verb in ("check", "reload"):
            if not (ran := self._postfix.run(verb)).succeeded:
                raise UnavailableError(f"postfix {verb}: {ran.words}")
