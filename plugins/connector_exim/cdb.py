"""Constant databases (cdb, by D. J. Bernstein): written whole, looked up without being loaded.

2,048 bytes of pointers, then the records, then 256 hash tables. All numbers are little-endian words
of 32 bits, so a file ends at 4 GiB.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["DamagedError", "records_in", "written"]

_POINTERS: Final = 256
_HEAD: Final = 8 * _POINTERS
_MASK: Final = 0xFFFFFFFF
_PAIR: Final = struct.Struct("<II")


class DamagedError(ValueError):
    """The bytes are no constant database, or not a whole one."""


def written(records: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """Yield the parts of a database: first a place for its head, in the end the head itself."""
    yield bytes(_HEAD)
    at = _HEAD
    slots: list[list[tuple[int, int]]] = [[] for _ in range(_POINTERS)]
    for key, value in records:
        yield b"".join((_PAIR.pack(len(key), len(value)), key, value))
        hashed = _hash(key)
        slots[hashed % _POINTERS].append((hashed, at))
        at += _PAIR.size + len(key) + len(value)
    head = []
    for table in slots:
        head.append(_PAIR.pack(at, 2 * len(table)))
        yield (packed := _table(table))
        at += len(packed)
    if at > _MASK:
        raise ValueError("a cdb file has at most 4 GiB")
    yield b"".join(head)


def _hash(key: bytes) -> int:
    hashed = 5381
    for byte in key:
        hashed = ((hashed << 5) + hashed & _MASK) ^ byte
    return hashed


def _table(slots: list[tuple[int, int]]) -> bytes:
    """Return a hash table with twice as many places as there are keys."""
    size = 2 * len(slots)
    places: list[tuple[int, int]] = [(0, 0)] * size
    for hashed, at in slots:
        place = hashed // _POINTERS % size
        while places[place][1]:
            place = (place + 1) % size
        places[place] = hashed, at
    return b"".join(_PAIR.pack(*each) for each in places)


def records_in(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the records of a database; raise DamagedError unless it is a whole one."""
    if len(content) < _HEAD:
        raise DamagedError("it is shorter than its head")
    tables = [_PAIR.unpack_from(content, 8 * number) for number in range(_POINTERS)]
    end = tables[0][0]
    size = end + sum(_PAIR.size * length for _, length in tables)
    if end < _HEAD or size != len(content):
        raise DamagedError(f"it has {len(content)} bytes, not the {size} that its head says")
    at = _HEAD
    while at < end:
        key, value = _PAIR.unpack_from(content, at)
        start = at + _PAIR.size
        at = start + key + value
        if at > end:
            raise DamagedError("a record is longer than the file")
        yield content[start : start + key], content[start + key : at]
