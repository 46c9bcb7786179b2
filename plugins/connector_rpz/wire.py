"""Messages of DNS as bytes: a list of 100,000 names is too long for an object a record."""

import struct
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple

__all__ = [
    "AXFR",
    "EVERY",
    "Answer",
    "Found",
    "absent",
    "delete_all",
    "encoded",
    "message",
    "query",
    "record",
    "same",
]  # fmt: skip

AXFR: Final = 252
EVERY: Final = 255
_A, _CNAME, _SOA, _AAAA, _TSIG = 1, 5, 6, 28, 250
_NUMBERS: Final = {"A": _A, "CNAME": _CNAME, "AAAA": _AAAA}
_NAMES: Final = {_A: "A", 2: "NS", _CNAME: "CNAME", _SOA: "SOA", 16: "TXT", _AAAA: "AAAA"}
_IN, _NONE, _ANY = 1, 254, 255
_UPDATE: Final = 5 << 11
_ZONE_AT: Final = b"\xc0\x0c"  # a pointer to the name in the first question
_FURTHEST: Final = 0x4000  # where a pointer can point to
_HEADER: Final = struct.Struct("!HHHHHH")
_FIXED: Final = struct.Struct("!HHIH")
_MOST_JUMPS: Final = 128


def encoded(name: str) -> bytes:
    """Return a name of letters, digits and the like as its labels, without the root."""
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split("."))


def _data(kind: str, text: str) -> bytes:
    if kind != "CNAME":
        return ip_address(text).packed
    name = text.rstrip(".")
    return (encoded(name) if name else b"") + b"\0"


def record(kind: str, text: str, ttl: int) -> bytes:
    """Return what adds a record, all but its name."""
    data = _data(kind, text)
    return _FIXED.pack(_NUMBERS[kind], _IN, ttl, len(data)) + data


def delete_all(kind: str) -> bytes:
    """Return what deletes the records of one type, all but their name."""
    return _FIXED.pack(_NUMBERS[kind], _ANY, 0, 0)


def same(kind: str, text: str) -> bytes:
    """Return the condition that a name has this record, and no other of its type."""
    return record(kind, text, 0)


def absent() -> bytes:
    """Return the condition that a name has no record at all."""
    return _FIXED.pack(EVERY, _NONE, 0, 0)


def message(
    number: int, zone: bytes, owners: Sequence[bytes], if_all: Sequence[bytes] = (),
    then: Sequence[bytes] = (),
) -> bytes:  # fmt: skip
    """Return an update that does this to each name below the zone, or nothing of it.

    Nothing is done unless all of the conditions hold for each name; they are named as what is done.
    """
    counts = len(owners) * len(if_all), len(owners) * len(then)
    wire = bytearray(_HEADER.pack(number, _UPDATE, 1, *counts, 0))
    wire += zone + b"\0" + struct.pack("!HH", _SOA, _IN)
    seen: dict[bytes, bytes] = {}
    for what in filter(None, (if_all, then)):
        for owner in owners:
            name = seen.get(owner) or owner + _ZONE_AT
            if len(wire) < _FURTHEST:
                seen.setdefault(owner, struct.pack("!H", 0xC000 | len(wire)))
            wire += name
            wire += seen.get(owner, name).join(what)
    return bytes(wire)


def query(number: int, zone: bytes, owner: bytes, kind: int) -> bytes:
    """Return a question for the records of one type, without recursion."""
    return (
        _HEADER.pack(number, 0, 1, 0, 0, 0) + owner + zone + b"\0" + struct.pack("!HH", kind, _IN)
    )


class Found(NamedTuple):
    """A record of an answer: its name in small letters, its type, and its data as text."""

    owner: str
    kind: str
    text: str


class Answer:
    """A message that came, of which nothing is believed before its signature was checked."""

    def __init__(self, wire: bytes) -> None:
        self.wire = wire
        self.number, flags, *self._counts = _HEADER.unpack_from(wire)
        self.is_response = bool(flags & 0x8000)
        self.rcode: int = flags & 0xF
        self._seen: dict[int, str] = {}
        self._said: dict[tuple[int, bytes], str] = {}
        self.records: list[Found] = []
        self.signature: tuple[int, str, int, int] | None = None
        self._read()

    def _read(self) -> None:
        """Keep the records of the answer, and of the signature where it stands and its key."""
        at = _HEADER.size
        for _ in range(self._counts[0]):
            at = self._name(at)[1] + 4
        for nth in range(sum(self._counts[1:])):
            start = at
            owner, at = self._name(at)
            kind, _class, _ttl, length = _FIXED.unpack_from(self.wire, at)
            at += _FIXED.size
            if nth < self._counts[1]:
                named = _NAMES.get(kind) or f"TYPE{kind}"
                self.records.append(Found(owner, named, self._text(kind, at, length)))
            self.signature = (start, owner, at, length) if kind == _TSIG else None
            at += length

    def _name(self, at: int) -> tuple[str, int]:
        """Return a name, and where it ends; names that others point to are kept."""
        labels: list[str] = []
        starts: list[int] = []
        wire, seen, end, text = self.wire, self._seen, 0, ""
        for _ in range(_MOST_JUMPS):
            if (length := wire[at]) >= 0xC0:
                end = end or at + 2
                at = (length & 0x3F) << 8 | wire[at + 1]
                if (known := seen.get(at)) is not None:
                    text = known
                    break
            elif length:
                starts.append(at)
                labels.append(_label(wire[at + 1 : at + 1 + length]))
                at += 1 + length
            else:
                end = end or at + 1
                break
        else:
            raise ValueError("a name in its answer has no end")
        for label, start in zip(reversed(labels), reversed(starts), strict=True):
            text = f"{label}.{text}" if text else label
            seen[start] = text
        return text, end

    def _text(self, kind: int, at: int, length: int) -> str:
        data = self.wire[at : at + length]
        if len(data) < length:
            raise ValueError("its answer is cut off")
        if kind == _CNAME:
            return f"{self._name(at)[0]}."
        if kind == _SOA:
            return str(int.from_bytes(data[-20:-16]))
        known = self._said.get((kind, data))
        if known is None:
            address = kind in {_A, _AAAA}
            known = self._said[kind, data] = str(ip_address(data)) if address else data.hex()
        return known


def _label(data: bytes) -> str:
    text = data.decode("latin-1").lower()
    return text.replace("\\", "\\\\").replace(".", "\\.") if "." in text or "\\" in text else text
