"""Splits JSON without recursion, so that one object nested too deep does not cost us the others.

Only for documents that the decoder gave up on, or that may exceed our limits; the pieces are not
checked any further.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|["\[\]{},]', re.DOTALL)
_KEY: Final = re.compile(rb'("(?:[^"\\]|\\.)*+")\s*:', re.DOTALL)
_CLOSING: Final = {b"[": b"]", b"{": b"}"}
MOST_MEMBERS: Final = 1000


class TooManyError(ValueError):
    """An array or object has more parts than the limit; the rest was not read."""


def elements(text: bytes, most: int) -> list[bytes]:
    """Return the values of an array; raise msgspec.DecodeError if it is none, or TooManyError.

    Reading stops at the first value too many.
    """
    return _at_most(_parts(text, b"["), most)


def members(text: bytes) -> dict[str, bytes]:
    """Return the values of an object by key; raise like `elements`."""
    found: dict[str, bytes] = {}
    for part in _at_most(_parts(text, b"{"), MOST_MEMBERS):
        key = _KEY.match(part)
        if key is None:
            raise msgspec.DecodeError("JSON is malformed: a key is missing")
        found[msgspec.json.decode(key[1], type=str)] = part[key.end() :].strip()
    return found


def _at_most(parts: Iterator[bytes], most: int) -> list[bytes]:
    found: list[bytes] = []
    for part in parts:
        if len(found) == most:
            raise TooManyError
        found.append(part)
    return found


def _parts(text: bytes, opening: bytes) -> Iterator[bytes]:
    """Yield the text between the outermost commas."""
    text = text.strip()
    if not text.startswith(opening):
        raise msgspec.DecodeError(f"JSON is malformed: expected {opening.decode()}")
    closers: list[bytes] = []
    start = 1
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in _CLOSING:
            closers.append(_CLOSING[mark])
        elif mark == b",":
            if len(closers) == 1:
                yield _value(text[start : token.start()])
                start = token.end()
        elif mark in (b"]", b"}"):
            if closers.pop() != mark:
                break
            if not closers:
                yield from _last(text, start, token.start())
                return
        elif mark == b'"':
            break
    raise msgspec.DecodeError("JSON is malformed, or cut off")


def _last(text: bytes, start: int, end: int) -> Iterator[bytes]:
    if end + 1 != len(text):
        raise msgspec.DecodeError("JSON is malformed: trailing characters")
    if start > 1 or text[start:end].strip():  # else it is empty
        yield _value(text[start:end])


def _value(part: bytes) -> bytes:
    value = part.strip()
    if not value:
        raise msgspec.DecodeError("JSON is malformed: a value is missing")
    return value
