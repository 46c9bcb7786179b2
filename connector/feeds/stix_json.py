"""Splits JSON documents into their STIX objects, each as the bytes received.

The number of objects is bounded before any is built: a few bytes can compress millions of empty
ones.
"""

import re
from typing import Final

import msgspec

from connector.errors import UnavailableError
from connector.indicators.flat_json import TooManyError, elements, members

MOST_IN_A_PAGE: Final = 100_000  # ten times the largest page that we request
_MOST_IN_A_SMALL_FILE: Final = 10_000
_SMALLEST_OBJECT: Final = 64  # bytes: an id alone has about 50
_COMMAS: Final = 4  # per object allowed: with fewer, the decoder builds little
_DEEPEST: Final = 3
_EMPTY: Final = re.compile(rb"\s*\{\s*\}\s*")
# Some producers' libraries write what no reader of ours accepts: half a surrogate pair in a string,
# and numbers that JSON does not have. Other escapes are matched in order to skip them.
_STRING_OR_ODD_NUMBER: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|-?\b(?:NaN|Infinity)\b', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(?:u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.DOTALL)
_FAULTS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Envelope(msgspec.Struct):
    objects: list[msgspec.Raw] | None = None
    more: bool | None = None
    next: str | int | None = None


class _Uncut(msgspec.Struct):
    objects: msgspec.Raw = msgspec.Raw(b"null")
    more: bool | None = None
    next: str | int | None = None


class _Document(msgspec.Struct):
    type: str | None = None
    objects: msgspec.Raw = msgspec.Raw(b"")


_decode_envelope: Final = msgspec.json.Decoder(_Envelope).decode
_decode_uncut: Final = msgspec.json.Decoder(_Uncut).decode
_decode_document: Final = msgspec.json.Decoder(_Document).decode
_decode_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_check_whole: Final = msgspec.json.Decoder(msgspec.Raw).decode


class Envelope(msgspec.Struct, frozen=True):
    """A page of a TAXII collection; `next` is None if the server gave none."""

    objects: list[bytes]
    more: bool
    next: str | None


def read_envelope(content: bytes, where: str) -> Envelope:
    """Return the page; raise if this is not an envelope, as an empty page must be a real one."""
    try:
        found = _read_envelope(content)
        if found.objects is None and found.more is None and not _EMPTY.fullmatch(content):
            raise UnavailableError(f"{where}: returned JSON that is not a TAXII envelope")
    except TooManyError as error:
        raise _too_large(where) from error
    except _FAULTS as error:
        raise UnavailableError(
            f"{where}: returned an incomplete or invalid page: {error}"
        ) from error
    token = None if found.next is None else str(found.next)
    return Envelope(list(map(bytes, found.objects or ())), bool(found.more), token or None)


def read_bundle(content: bytes, where: str) -> list[bytes]:
    """Return the objects of a TAXII 2.0 page; a bundle without objects, or `{}`, is empty."""
    try:
        document = _read_document(content)
        if document.type == "bundle" or bytes(document.objects):
            cut = _Cut(where, MOST_IN_A_PAGE)
            return cut.unwrapped(cut.listed(bytes(document.objects) or b"[]"))
        if document.type is None and _EMPTY.fullmatch(content):
            return []
    except TooManyError as error:
        raise _too_large(where) from error
    except _FAULTS as error:
        raise UnavailableError(
            f"{where}: returned an incomplete or invalid page: {error}"
        ) from error
    raise UnavailableError(f"{where}: returned JSON that is not a STIX bundle")


def read_document(content: bytes, where: str) -> list[bytes]:
    """Return the objects of a bundle, an envelope, a bare list or a single object."""
    most = max(_MOST_IN_A_SMALL_FILE, len(content) // _SMALLEST_OBJECT)
    try:
        return _Cut(where, most).objects(content.strip())
    except TooManyError as error:
        raise UnavailableError(
            f"{where}: contains more than {most:,} objects of less than {_SMALLEST_OBJECT} bytes "
            "each: these are not STIX objects"
        ) from error
    except _FAULTS as error:
        raise UnavailableError(f"{where}: is incomplete or invalid JSON: {error}") from error


def _too_large(where: str) -> UnavailableError:
    return UnavailableError(
        f"{where}: returned a page of more than {MOST_IN_A_PAGE:,} objects: the server ignores "
        "the limit, which its operator must fix"
    )


def _read_envelope(content: bytes) -> _Envelope:
    try:
        if _may_hold_more(content, MOST_IN_A_PAGE):
            uncut = _decode_uncut(content)
            return _with_objects(_Envelope(None, uncut.more, uncut.next), bytes(uncut.objects))
        found = _decode_envelope(content)
    except (msgspec.DecodeError, RecursionError) as error:
        _blame_objects(error, content)
        named = members(content)
        plain = b",".join(
            b'"%s":%s' % (key.encode(), named[key]) for key in ("more", "next") if key in named
        )
        return _with_objects(_decode_envelope(b"{" + plain + b"}"), named.get("objects", b"null"))
    if found.objects is not None and len(found.objects) > MOST_IN_A_PAGE:
        raise TooManyError
    return found


def _with_objects(envelope: _Envelope, listed: bytes) -> _Envelope:
    if listed != b"null":
        envelope.objects = list(map(msgspec.Raw, elements(listed, MOST_IN_A_PAGE)))
    return envelope


def _may_hold_more(text: bytes, most: int) -> bool:
    """Return whether a list in the text may have many more elements than that, by its commas.

    A decoder would build all of them before it could count them; without it each costs more, but
    those beyond `most` are never built.
    """
    enough = _COMMAS * most
    return len(text) > 2 * enough and text.count(b",") > enough


def _read_document(text: bytes) -> _Document:
    try:
        return _decode_document(text)
    except (msgspec.DecodeError, RecursionError) as error:
        _blame_objects(error, text)
        named = members(text)
        kind = msgspec.json.decode(named.get("type", b"null"), type=str | None)
        return _Document(kind, msgspec.Raw(named.get("objects", b"")))


def _blame_objects(error: Exception, content: bytes) -> None:
    """Raise the error again, unless the document is complete and only its contents are invalid.

    One unreadable object must not cost us the others and all later pages.
    """
    if isinstance(error, RecursionError):
        return
    if isinstance(error, msgspec.ValidationError):
        raise error
    try:
        _check_whole(_softened(content))
    except RecursionError:
        return
    except msgspec.DecodeError:
        raise error from None


def _softened(content: bytes) -> bytearray:
    """Return the document, at the same length, with text that no reader accepts blanked out."""
    soft = bytearray(content)
    for found in _STRING_OR_ODD_NUMBER.finditer(content):
        if not found[0].startswith(b'"'):
            soft[found.start() : found.end()] = b"0".ljust(len(found[0]))
        elif b"\\u" in found[0]:
            soft[found.start() : found.end()] = _ESCAPE.sub(_blotted, found[0])
    return soft


def _blotted(escape: re.Match[bytes]) -> bytes:
    return escape[0] if len(escape[0]) == 2 else b" " * len(escape[0])


class _Cut:
    """One document being split, including nested bundles; `most` is for all of it."""

    def __init__(self, where: str, most: int) -> None:
        self._where = where
        self._most = most
        self._count = 0

    def objects(self, text: bytes, depth: int = 0) -> list[bytes]:
        """Return the objects of any shape of document."""
        if text.startswith(b"["):
            return self.unwrapped(self.listed(text), depth)
        document = _read_document(text)
        if document.type not in (None, "bundle"):
            return [text]
        if listed := bytes(document.objects):
            return self.unwrapped(self.listed(listed), depth)
        if document.type is None:
            raise UnavailableError(
                f"{self._where}: is JSON, but neither a STIX bundle nor an object"
            )
        return []

    def listed(self, text: bytes) -> list[bytes]:
        """Return the elements of a list."""
        if _may_hold_more(text, self._most):
            found = elements(text, self._most)
        else:
            try:
                found = list(map(bytes, _decode_list(text)))
            except (msgspec.DecodeError, RecursionError) as error:
                _blame_objects(error, text)
                found = elements(text, self._most)
        self._count += len(found)
        if self._count > self._most:
            raise TooManyError
        return found

    def unwrapped(self, raws: list[bytes], depth: int = 0) -> list[bytes]:
        """Return the objects, with bundles among them unpacked."""
        found: list[bytes] = []
        for raw in raws:
            if depth < _DEEPEST and b'"bundle"' in raw:
                found += self._opened(raw, depth + 1)
            else:
                found.append(raw)
        return found

    def _opened(self, raw: bytes, depth: int) -> list[bytes]:
        """Return the objects of a bundle; anything else is an object itself."""
        try:
            if raw.startswith(b"{") and _read_document(raw).type == "bundle":
                return self.objects(raw, depth)
        except _FAULTS:
            pass
        return [raw]
