"""Cuts JSON documents into their STIX objects, each left as the bytes that came."""

from typing import Final

import msgspec

from connector.errors import UnavailableError

_BOM: Final = b"\xef\xbb\xbf"


class _Envelope(msgspec.Struct):
    objects: list[msgspec.Raw] | None = None
    more: bool | None = None
    next: str | int | None = None


class _Document(msgspec.Struct):
    type: str | None = None
    objects: msgspec.Raw = msgspec.Raw(b"")


_read_envelope: Final = msgspec.json.Decoder(_Envelope).decode
_read_document: Final = msgspec.json.Decoder(_Document).decode
_read_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
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
    except msgspec.DecodeError as error:
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
    except msgspec.DecodeError as error:
        raise UnavailableError(f"{where}: answered half a page or nonsense: {error}") from error
    raise UnavailableError(f"{where}: answered JSON that is no STIX bundle")


def read_document(content: bytes, where: str) -> list[bytes]:
    """Return the objects of a bundle, an envelope, a bare list or a single object."""
    try:
        return _objects(content.removeprefix(_BOM).strip(), where)
    except msgspec.DecodeError as error:
        raise UnavailableError(f"{where}: is not whole JSON: {error}") from error


def _objects(text: bytes, where: str) -> list[bytes]:
    if text.startswith(b"["):
        return _unwrap(_read_list(text), where)
    document = _read_document(text)
    if document.type not in (None, "bundle"):
        return [text]
    if listed := bytes(document.objects):
        return _unwrap(_read_list(listed), where)
    if document.type is None:
        raise UnavailableError(f"{where}: is JSON, but neither a STIX bundle nor an object")
    return []


def _unwrap(raws: list[msgspec.Raw], where: str) -> list[bytes]:
    """Bundles do occur inside bundles."""
    found: list[bytes] = []
    for raw in map(bytes, raws):
        if b'"bundle"' in raw and raw.startswith(b"{") and _read_document(raw).type == "bundle":
            found += _objects(raw, where)
        else:
            found.append(raw)
    return found
