"""Whether an object as received names a value, although nothing could be read from it."""

import re
from typing import Final

import msgspec

from connector.indicators.observables.lookup import meanings
from connector.indicators.observables.refang import refanged

__all__ = ["Mention"]

_ESCAPED: Final = re.compile(r"\\+(['\"/\\])")
_LONGEST: Final = 1 << 16
_WORD: Final = re.compile(r"[a-z0-9]+")
# What people write in another way, so that it cannot be looked for as it is.
_REWRITTEN: Final = frozenset({"http", "https", "ftp", "ftps", "dot", "at"})


class Mention:
    """Tells of originals whether a value stands in them as a whole, defanged or not.

    `sub.bad.example` does not name `bad.example`, nor 192.0.2.10 the address 192.0.2.1.
    """

    def __init__(self, asked: str) -> None:
        said = {asked, refanged(asked), *(meant.value for meant in meanings(asked))}
        plain = {_plain(text).strip().casefold() for text in said}
        texts = {text for text in plain if any(map(str.isalnum, text))}  # a mark names nothing
        whole = "|".join(map(_form_of, sorted(texts, key=len, reverse=True)))
        self._form = re.compile(rf"(?<![\w.-])(?:{whole or '(?!)'})(?![\w-]|\.\w)")
        self._words = [_words_of(text) for text in texts]

    def stands_in(self, raw: bytes) -> bool:
        """Return whether an original names the value."""
        lower = raw[:_LONGEST].lower()
        if not any(all(word in lower for word in words) for words in self._words):
            return False  # nearly all end here
        return self._form.search(_text_of(raw)) is not None


def _form_of(text: str) -> str:
    """Return the pattern of a text; what is defanged at its begin only stands anywhere here."""
    return re.escape(text).replace("http", r"h(?:tt|xx|tx|xt|\*\*)p")


def _words_of(text: str) -> list[bytes]:
    """Return what stands in every spelling of a text."""
    return [word.encode() for word in _WORD.findall(text) if word not in _REWRITTEN]


def _text_of(raw: bytes) -> str:
    """Return an original as plain text: its pattern where that can be told, else all of it."""
    text = _pattern_of(raw) or raw[:_LONGEST].decode("utf-8", "replace")
    return refanged(_plain(text[:_LONGEST])).casefold()


def _pattern_of(raw: bytes) -> str:
    try:
        found = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get("pattern")
        return "" if found is None else msgspec.json.decode(found, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _plain(text: str) -> str:
    """Return a text without the backslashes that JSON and patterns put before quotes and such."""
    return _ESCAPED.sub(r"\1", text)
