"""Whether an object as received mentions a value, although no observable could be read."""

import re
from typing import Final

import msgspec

from connector.indicators.observables.lookup import meanings
from connector.indicators.observables.refang import refanged

__all__ = ["Mention"]

_ESCAPED: Final = re.compile(r"\\+(['\"/\\])")
_LONGEST: Final = 1 << 16
_WORD: Final = re.compile(r"[a-z0-9]+")
# People write these in other ways too, so they cannot be searched for literally.
_REWRITTEN: Final = frozenset({"http", "https", "ftp", "ftps", "dot", "at"})


class Mention:
    """Answers whether an original contains a value as a whole, defanged or not.

    `sub.bad.example` does not contain `bad.example`, nor 192.0.2.10 the address 192.0.2.1.
    """

    def __init__(self, asked: str) -> None:
        said = {asked, refanged(asked), *(meant.value for meant in meanings(asked))}
        plain = {_plain(text).strip().casefold() for text in said}
        texts = {text for text in plain if any(map(str.isalnum, text))}  # not mere punctuation
        whole = "|".join(map(_form_of, sorted(texts, key=len, reverse=True)))
        self._form = re.compile(rf"(?<![\w.-])(?:{whole or '(?!)'})(?![\w-]|\.\w)")
        self._words = [_words_of(text) for text in texts]

    def stands_in(self, raw: bytes) -> bool:
        """Return whether an original contains the value."""
        lower = raw[:_LONGEST].lower()
        if not any(all(word in lower for word in words) for words in self._words):
            return False  # the usual case
        return self._form.search(_text_of(raw)) is not None


def _form_of(text: str) -> str:
    """Return the pattern of a text, with defanging that is usual at its start allowed anywhere."""
    return re.escape(text).replace("http", r"h(?:tt|xx|tx|xt|\*\*)p")


def _words_of(text: str) -> list[bytes]:
    """Return a part that every spelling of a text contains."""
    return [word.encode() for word in _WORD.findall(text) if word not in _REWRITTEN]


def _text_of(raw: bytes) -> str:
    """Return an original as plain text: its pattern if that can be found, else all of it."""
    text = _pattern_of(raw) or raw[:_LONGEST].decode("utf-8", "replace")
    return refanged(_plain(text[:_LONGEST])).casefold()


def _pattern_of(raw: bytes) -> str:
    try:
        found = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get("pattern")
        return "" if found is None else msgspec.json.decode(found, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _plain(text: str) -> str:
    """Return a text without the backslashes with which JSON and patterns escape."""
    return _ESCAPED.sub(r"\1", text)
