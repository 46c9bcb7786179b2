"""Cuts JSON documents into their STIX objects, each left as the bytes that came."""

import re
from typing import Final

import msgspec

from connector.errors import UnavailableError
from connector.indicators.flat_json import elements, members

_BOM: Final = b"\xef\xbb\xbf"
_DEEPEST: Final = 8
# What some producers' own libraries write and no reader of ours takes: half a surrogate pair in a
# string, and numbers that JSON does not have. Other escapes are matched so that they are passed.
_STRING_OR_ODD_NUMBER: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|-?\b(?:NaN|Infinity)\b', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(?:u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.DOTALL)


class _Envelope(msgspec.Struct):
    objects: list[msgspec.Raw] | None = None
    more: bool | None = None
    next: str | int | None = None


class _Document(msgspec.Struct):
    type: str | None = None
    objects: msgspec.Raw = msgspec.Raw(b"")


_decode_envelope: Final = msgspec.json.Decoder(_Envelope).decode
_decode_document: Final = msgspec.json.Decoder(_Document).decode
_decode_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_check_whole: Final = msgspec.json.Decoder(msgspec.Raw).decode
_read_keys: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Envelope(msgspec.Struct, frozen=True):
    """A page of a TAXII collection; `next` is None where the server gave none."""

    objects: list[bytes]
    more: bool
    next: str | None


def read_envelope(content: bytes, where: str) -> Envelope:
    """Return the page, or raise when this is no envelope: a page of nothing must be a true one."""
    try:
        found = _read_envelope(content)
        if found.objects is None and found.more is None and _read_keys(content):
            raise UnavailableError(f"{where}: answered JSON that is no TAXII envelope")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnavailableError(f"{where}: answered half a page or nonsense: {error}") from error
    token = None if found.next is None else str(found.next)
    return Envelope(list(map(bytes, found.objects or ())), bool(found.more), token or None)


def read_bundle(content: bytes, where: str) -> list[bytes]:
    """Return the objects of a TAXII 2.0 page; a bundle without objects, or `{}`, is empty."""
    try:
        document = _read_document(content)
        if document.type == "bundle" or bytes(document.objects):
            return _unwrap(_read_list(bytes(document.objects) or b"[]"), where)
        if document.type is None and not _read_keys(content):
            return []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnavailableError(f"{where}: answered half a page or nonsense: {error}") from error
    raise UnavailableError(f"{where}: answered JSON that is no STIX bundle")


def read_document(content: bytes, where: str) -> list[bytes]:
    """Return the objects of a bundle, an envelope, a bare list or a single object."""
    try:
        return _objects(content.removeprefix(_BOM).strip(), where)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnavailableError(f"{where}: is not whole JSON: {error}") from error


def _read_envelope(content: bytes) -> _Envelope:
    try:
        return _decode_envelope(content)
    except (msgspec.DecodeError, RecursionError) as error:
        _blame_objects(error, content)
        named = members(content)
        plain = b",".join(
            b'"%s":%s' % (key.encode(), named[key]) for key in ("more", "next") if key in named
        )
        found = _decode_envelope(b"{" + plain + b"}")
        if named.get("objects", b"null") != b"null":
            found.objects = list(map(msgspec.Raw, elements(named["objects"])))
        return found


def _read_document(text: bytes) -> _Document:
    try:
        return _decode_document(text)
    except (msgspec.DecodeError, RecursionError) as error:
        _blame_objects(error, text)
        named = members(text)
        kind = msgspec.json.decode(named.get("type", b"null"), type=str | None)
        return _Document(kind, msgspec.Raw(named.get("objects", b"")))


def _read_list(text: bytes) -> list[msgspec.Raw]:
    try:
        return _decode_list(text)
    except (msgspec.DecodeError, RecursionError) as error:
        _blame_objects(error, text)
        return list(map(msgspec.Raw, elements(text)))


def _blame_objects(error: Exception, content: bytes) -> None:
    """Raise the error again, unless the document is whole and only what stands in it is at fault.

    One object that nobody can read must not keep the others, and all later pages, from us.
    """
    if isinstance(error, RecursionError):
        return
    if isinstance(error, msgspec.ValidationError):
        raise error
    try:
        _check_whole(_STRING_OR_ODD_NUMBER.sub(_softened, content))
    except RecursionError:
        return
    except msgspec.DecodeError:
        raise error from None


def _softened(found: re.Match[bytes]) -> bytes:
    if not found[0].startswith(b'"'):
        return b"0"
    return _ESCAPE.sub(lambda escape: escape[0] if len(escape[0]) == 2 else b" ", found[0])


def _objects(text: bytes, where: str, depth: int = 0) -> list[bytes]:
    if text.startswith(b"["):
        return _unwrap(_read_list(text), where)
    document = _read_document(text)
    if document.type not in (None, "bundle"):
        return [text]
    if listed := bytes(document.objects):
        return _unwrap(_read_list(listed), where, depth)
    if document.type is None:
        raise UnavailableError(f"{where}: is JSON, but neither a STIX bundle nor an object")
    return []


def _unwrap(raws: list[msgspec.Raw], where: str, depth: int = 0) -> list[bytes]:
    """Bundles do occur inside bundles."""
    found: list[bytes] = []
    for raw in map(bytes, raws):
        if depth < _DEEPEST and b'"bundle"' in raw and _is_bundle(raw):
            found += _objects(raw, where, depth + 1)
        else:
            found.append(raw)
    return found


def _is_bundle(raw: bytes) -> bool:
    return raw.startswith(b"{") and _read_document(raw).type == "bundle"
