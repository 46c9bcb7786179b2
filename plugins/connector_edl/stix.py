"""A list as a STIX 2.1 bundle: the indicators that carry it, each byte as its feed sent it.

Beside each stand its marking definitions and its producer, so that a reader knows what it may do
with it. A marking definition has one text here, as it has no versions: that of the first indicator
in the list that has it. The bundle's id comes of what is in it: an unchanged list is an unchanged
file.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from connector.adapter import (
    Draft,
    Entry,
    Observable,
    ObservableType,
    Original,
    Outcome,
    Published,
    Refused,
    Subject,
)
from connector_edl import record
from connector_edl.dialect import Dialect

_EVERY: Final = frozenset(ObservableType)
_PAGE: Final = 1000
_UUID_BYTES: Final = 16
_LOST: Final = "waits to be removed, and what was published of it is no longer in the file"
_TWICE: Final = "has an id that another object in this bundle has, with other contents"
_DEFINED: Final = "needs {}, which another feed defines otherwise for what stands before it here"
_MARKING: Final = "marking-definition--"
STIX: Final = Dialect(families=(_EVERY,), writers={}, remarks=False, objects=True)


class _Bundle(msgspec.Struct):
    objects: list[msgspec.Raw] = []


class _Part(msgspec.Struct):
    marking_ref: str | None = None


class _Object(msgspec.Struct):
    id: str
    modified: str | None = None
    created_by_ref: str | None = None
    object_marking_refs: list[str] = []
    granular_markings: list[_Part] = []


class Bundle:
    """The next version of a bundle, written an object at a time; none stands in it twice."""

    def __init__(self, draft: Draft, form: str) -> None:
        self._draft = draft
        self._digest = sha256()
        self._seen: dict[str, list[bytes]] = {}
        self._late: dict[str, Original] = {}
        draft.write(b'{"type":"bundle"', record.first_line(form).encode())

    @property
    def filled(self) -> bool:
        """Whether there is an object in it."""
        return bool(self._seen)

    def add(self, entry: Entry, original: Original) -> Outcome | None:
        """Add what carries an entry; return why it cannot stand beside the others."""
        fresh = []
        for one in (*original.beside, original):
            known = self._seen.get(one.id, ())
            if one.raw in known:
                continue
            if one.id.startswith(_MARKING) and known:
                if _meaning(one.raw) != _meaning(known[0]):
                    return Refused(_DEFINED.format(one.id))
                self._seen[one.id].append(one.raw)
            elif all(_version(one.raw) != _version(other) for other in known):
                fresh.append(one)
            elif one is original:
                return Refused(_TWICE)
        for one in fresh:
            self._write(one)
        self._record(entry)
        return None

    def keep(self, entry: Entry, original: Original) -> Outcome | None:
        """Keep what waits to be removed as it stands; return why it cannot stand beside the others.

        What the others say of its markings and its producer goes before what was said of them.
        """
        known = self._seen.get(original.id, ())
        if original.raw not in known:
            if any(_version(original.raw) == _version(other) for other in known):
                return Refused(_TWICE)
            self._write(original)
        for one in original.beside:
            self._late.setdefault(one.id, one)
        self._record(entry)
        return None

    def _record(self, entry: Entry) -> None:
        self._draft.write(b"", f"{record.line_of(entry)}\n".encode())

    def _write(self, one: Original) -> None:
        before = b",\n" if self._seen else b',"objects":[\n'
        self._seen.setdefault(one.id, []).append(one.raw)
        self._digest.update(one.raw)
        self._draft.write(before + one.raw, b"")

    def close(self) -> None:
        """Write its end: its id, in the form of a random one."""
        for name, one in self._late.items():
            if name not in self._seen:
                self._write(one)
        own = UUID(bytes=self._digest.digest()[:_UUID_BYTES], version=4)
        end = b"\n]" if self._seen else b""
        self._draft.write(end + f',"id":"bundle--{own}"}}\n'.encode(), b"")


def write_bundle(
    draft: Draft, entries: Iterable[Entry], form: str, published: Published
) -> tuple[bool, dict[Subject, Outcome]]:
    """Write a bundle; return whether anything is in it, and what is not and why.

    What waits to be removed comes without its original: it stays as the file has it.
    """
    refused: dict[Subject, Outcome] = {}
    bundle, stream = Bundle(draft, form), iter(entries)
    former: Mapping[str, Original] | None = None
    while batch := list(islice(stream, _PAGE)):
        for entry in batch:
            if entry.original is not None:
                outcome = bundle.add(entry, entry.original)
            else:
                former = originals_in(published.path) if former is None else former
                outcome = _kept(bundle, entry, former)
            if outcome is not None:
                refused[entry.observable] = outcome
    bundle.close()
    return bundle.filled, refused


def _kept(bundle: Bundle, entry: Entry, former: Mapping[str, Original]) -> Outcome | None:
    mark = _mark_of(entry)
    original = former.get(mark) or former.get(_without_beside(mark))
    return Refused(_LOST) if original is None else bundle.keep(entry, original)


def originals_in(path: Path) -> dict[str, Original]:
    """Return the objects of a published bundle by their marks; none where it is no bundle.

    Each is also there by its mark without what was beside it, then with its markings alone: what
    another feed said in the same words may stand there in its place.
    """
    objects = _objects_in(path)
    found: dict[str, Original] = {}
    for versions in objects.values():
        for raw in versions:
            one = _object_of(raw)
            for beside in _beside(one, objects):
                original = Original(one.id, raw, beside=beside)
                found[original.mark] = original
                found.setdefault(_without_beside(original.mark), original)
    return found


def _mark_of(entry: Entry) -> str:
    return str(entry.fields.get("original"))


def _without_beside(mark: str) -> str:
    return mark.rpartition(" ")[0]


def found_in(path: Path, recorded: Iterable[Entry]) -> Iterator[Entry]:
    """Yield the entries of a bundle that someone else changed, and then what is theirs in it."""
    found, ours = originals_in(path), set[bytes]()
    for entry in recorded:
        original = found.get(_mark_of(entry))
        if original is not None:
            ours |= {original.raw, *(one.raw for one in original.beside)}
            yield entry
    for name, versions in sorted(_objects_in(path).items()):
        if not ours.issuperset(versions):
            yield Entry(Observable(ObservableType.FILE_NAME, name), {"comment": ""})


def _objects_in(path: Path) -> Mapping[str, list[bytes]]:
    """Return the versions of each object of a bundle, by its id."""
    found: dict[str, list[bytes]] = {}
    try:
        for raw in msgspec.json.decode(path.read_bytes(), type=_Bundle).objects:
            found.setdefault(_object_of(raw).id, []).append(bytes(raw))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return found


def _beside(one: _Object, objects: Mapping[str, list[bytes]]) -> Iterator[tuple[Original, ...]]:
    """Yield what may have been written beside an object: its markings, with or without who made it.

    The identity may be there for another object alone.
    """
    granular = (part.marking_ref for part in one.granular_markings)
    refs = sorted({*one.object_marking_refs, *(ref for ref in granular if ref is not None)})
    markings = [Original(ref, objects[ref][0]) for ref in refs if ref in objects]
    yield tuple(markings)
    for raw in objects.get(one.created_by_ref or "", ()):
        yield (*markings, Original(one.created_by_ref or "", raw))


@lru_cache(maxsize=1000)
def _meaning(raw: bytes) -> bytes:
    """Return the same text for all that differs in white space, order and escapes alone."""
    return msgspec.json.encode(msgspec.json.decode(raw), order="sorted")


def _version(raw: bytes) -> str | None:
    return _object_of(raw).modified


_object_of: Final = msgspec.json.Decoder(_Object).decode
