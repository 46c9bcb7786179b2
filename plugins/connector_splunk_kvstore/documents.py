"""Entries as KV store documents and back, and the schema of a collection of them."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from connector.adapter import (
    Entry,
    FieldSpec,
    FieldValue,
    Held,
    Instant,
    Number,
    Observable,
    ObservableType,
    Text,
)

Document = dict[str, Any]

# Names that Splunk Enterprise Security reads, so that it can use the same documents. It has none
# for an endpoint: as `ip` it would match the address on every port.
TYPED_FIELDS: Final[Mapping[ObservableType, str]] = {
    ObservableType.IPV4_ADDR: "ip",
    ObservableType.IPV6_ADDR: "ip",
    ObservableType.ENDPOINT: "endpoint",
    ObservableType.DOMAIN_NAME: "domain",
    ObservableType.URL: "url",
    ObservableType.EMAIL_ADDR: "src_user",
    ObservableType.EMAIL_SUBJECT: "subject",
    ObservableType.FILE_MD5: "file_hash",
    ObservableType.FILE_SHA1: "file_hash",
    ObservableType.FILE_SHA256: "file_hash",
    ObservableType.FILE_SHA512: "file_hash",
    ObservableType.FILE_NAME: "file_name",
    ObservableType.AUTONOMOUS_SYSTEM: "autonomous_system",
    ObservableType.USER_AGENT: "http_user_agent",
    ObservableType.X509_SHA1: "ssl_hash",
    ObservableType.X509_SHA256: "ssl_hash",
    ObservableType.MUTEX: "mutex",
    ObservableType.REGISTRY_KEY: "registry_path",
    ObservableType.PROCESS_COMMAND: "process",
}

_KINDS: Final = frozenset(kind.value for kind in ObservableType)

MAPPED_FIELDS: Final[Mapping[str, FieldSpec]] = {
    "category": Text(),
    "confidence": Number(0, 100),
    "description": Text(),
    "feed": Text(),
    "indicator": Text(),
    "severity": Text(),
    "threat_key": Text(),
    "tlp": Text(),
    "valid_from": Instant(),
    "valid_until": Instant(),
    "weight": Number(),
}

DEFAULT_MAPPING: Final[Mapping[str, Mapping[str, Any]]] = {
    "description": {"template": "{indicator.name}"},
    "weight": {"from": "confidence", "default": 60},
    "confidence": {"from": "confidence"},
    "tlp": {"from": "marking"},
    "feed": {"from": "feed.name"},
    "indicator": {"from": "indicator.id"},
    "threat_key": {"template": "{feed.name}|{list.name}"},
    "valid_from": {"from": "valid_from_epoch"},
    "valid_until": {"from": "valid_until_epoch"},
}

# Text that a mapping fills is undeclared, so that it keeps the type it was written with.
FIELD_TYPES: Final[Mapping[str, str]] = {
    "type": "string",
    "value": "string",
    "source": "string",
    **dict.fromkeys(TYPED_FIELDS.values(), "string"),
    "weight": "number",
    "confidence": "number",
    "valid_from": "time",
    "valid_until": "time",
}
ACCELERATIONS: Final[Mapping[str, Mapping[str, int]]] = {
    "by_source": {"source": 1, "_key": 1},
    "by_valid_until": {"valid_until": 1},
}


def key_of(observable: Observable, tag: str) -> str:
    """Return the key of this owner's document of an observable, in hex.

    Other text would depend on everyone's URL quoting: the SDK turns a space in a path into a plus
    sign.
    """
    named = f"{tag}|{observable.type}|{observable.value}"
    return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()


def _fixed_part(observable: Observable, tag: str) -> Document:
    return {
        "_key": key_of(observable, tag),
        "type": observable.type.value,
        "value": observable.value,
        "source": tag,
        TYPED_FIELDS[observable.type]: observable.value,
    }


def document_of(entry: Entry, tag: str) -> Document:
    """Return the whole document of an entry, its fields always in the same order."""
    return _fixed_part(entry.observable, tag) | dict(sorted(entry.fields.items()))


def held_in(document: Mapping[str, Any], tag: str) -> Held | None:
    """Return the entry in a document, or None when the document is not as we write it.

    A document altered by hand counts as absent, so it is rewritten; one that has our tag but
    another key belongs to someone else. The store has only one type of number, so a whole number is
    read as the integer that it was.
    """
    kind, value = document.get("type"), document.get("value")
    if not isinstance(value, str) or not isinstance(kind, str) or kind not in _KINDS:
        return None
    observable = Observable(ObservableType(kind), value)
    if any(document.get(name) != held for name, held in _fixed_part(observable, tag).items()):
        return None
    fields: dict[str, FieldValue] = {
        name: int(held) if isinstance(held, float) and held.is_integer() else held
        for name, held in document.items()
        if name in MAPPED_FIELDS and isinstance(held, str | int | float)
    }
    return Held(observable, fields)


def misfit(document: Mapping[str, Any], types: Mapping[str, str]) -> str | None:
    """Return the reason why the collection would not store a document unchanged; None if it would.

    The store converts values to the declared type and silently drops those that it cannot convert.
    In a lookup with WILDCARD(field), which names below a domain need, `*` matches any text.
    """
    if "*" in str(document["value"]).removeprefix("*." if "domain" in document else ""):
        return "contains *, which a lookup may match with any text"
    for name, value in document.items():
        if isinstance(value, int | float) and not _storable(value):
            return f"{name}: {value} is a number that Splunk cannot store"
        declared = types.get(name, "")
        if not _fits(value, declared):
            return (
                f"{name}: the collection declares the type {declared}, the mapping gives "
                f"{type(value).__name__} {value!r:.80}; change the mapping or the collection"
            )
    return None


def _storable(value: float) -> bool:
    return abs(value) < 2**63  # false for infinity and NaN too


def _fits(value: object, declared: str) -> bool:
    if declared in ("number", "time"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if declared == "bool":
        return isinstance(value, bool)
    return declared != "string" or isinstance(value, str)
