"""Cuts JSON without recursion: one object that is nested too deep is no reason to lose the others.

Only for documents at which the decoder gave up; what is cut out is not checked any further.
"""

import re
from typing import Final

import msgspec

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|["\[\]{},]', re.DOTALL)
_KEY: Final = re.compile(rb'("(?:[^"\\]|\\.)*+")\s*:', re.DOTALL)
_CLOSING: Final = {b"[": b"]", b"{": b"}"}


def elements(text: bytes) -> list[bytes]:
    """Return the values of an array; raise msgspec.DecodeError where it is none."""
    return _parts(text, b"[")


def members(text: bytes) -> dict[str, bytes]:
    """Return the values of an object by their keys; raise msgspec.DecodeError where it is none."""
    found: dict[str, bytes] = {}
    for part in _parts(text, b"{"):
        key = _KEY.match(part)
        if key is None:
            raise msgspec.DecodeError("JSON is malformed: a key is missing")
        found[msgspec.json.decode(key[1], type=str)] = part[key.end() :].strip()
    return found


def _parts(text: bytes, opening: bytes) -> list[bytes]:
    """Return what stands between the outermost commas."""
    text = text.strip()
    if not text.startswith(opening):
        raise msgspec.DecodeError(f"JSON is malformed: {opening.decode()} is expected")
    found: list[bytes] = []
    closers: list[bytes] = []
    start = 1
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in _CLOSING:
            closers.append(_CLOSING[mark])
        elif mark == b",":
            if len(closers) == 1:
                found.append(text[start : token.start()].strip())
                start = token.end()
        elif mark in (b"]", b"}"):
            if closers.pop() != mark:
                break
            if not closers:
                return _whole(text, found, start, token.start())
        elif mark == b'"':
            break
    raise msgspec.DecodeError("JSON is malformed, or cut off")


def _whole(text: bytes, found: list[bytes], start: int, end: int) -> list[bytes]:
    last = text[start:end].strip()
    parts = [*found, last] if found or last else []
    if end + 1 != len(text) or b"" in parts:
        raise msgspec.DecodeError("JSON is malformed: characters trail, or a value is missing")
    return parts
