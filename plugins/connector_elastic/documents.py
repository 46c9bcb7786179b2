"""Entries as documents in ECS and back, and the mapping of an index of them."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connector.adapter import (
    Choice,
    Entry,
    FieldSpec,
    FieldValue,
    Held,
    Instant,
    Observable,
    ObservableType,
    Text,
)

Document = dict[str, Any]

MATCHED_FOR: Final = timedelta(days=30)
"""How old `@timestamp` may be for the stock indicator-match rules."""

_NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
_T = ObservableType
_HASHES: Final = {_T.FILE_MD5: "md5", _T.FILE_SHA1: "sha1", _T.FILE_SHA256: "sha256",
                  _T.FILE_SHA512: "sha512"}  # fmt: skip
_HIVES: Final = {
    "HKEY_LOCAL_MACHINE": "HKLM", "HKEY_CURRENT_USER": "HKCU", "HKEY_USERS": "HKU",
    "HKEY_CLASSES_ROOT": "HKCR", "HKEY_CURRENT_CONFIG": "HKCC",
}  # fmt: skip
# Words of ECS for `threat.indicator.type`, where they differ from ours.
_TYPES: Final = {
    **dict.fromkeys(_HASHES, "file"), _T.FILE_NAME: "file", _T.ENDPOINT: "port",
    _T.EMAIL_SUBJECT: "email-message", _T.USER_AGENT: "software",
    _T.X509_SHA1: "x509-certificate", _T.X509_SHA256: "x509-certificate",
    _T.REGISTRY_KEY: "windows-registry-key", _T.PROCESS_COMMAND: "process",
}  # fmt: skip
_TEXT: Final = {"type": "keyword", "ignore_above": 8191}
_OWN: Final = ("connector.key", "connector.owner")

# Where each field of a mapping is in a document.
_PATHS: Final[Mapping[str, str]] = {
    "confidence": "threat.indicator.confidence",
    "description": "threat.indicator.description",
    "feed": "threat.feed.name",
    "first_seen": "threat.indicator.first_seen",
    "indicator": "threat.indicator.id",
    "modified_at": "threat.indicator.modified_at",
    "name": "threat.indicator.name",
    "provider": "threat.indicator.provider",
    "reference": "threat.indicator.reference",
    "tlp": "threat.indicator.marking.tlp",
    "valid_until": "connector.valid_until",
}
_INSTANTS: Final = ("first_seen", "modified_at", "valid_until")
MAPPED_FIELDS: Final[Mapping[str, FieldSpec]] = {
    **dict.fromkeys(_PATHS, Text()),
    **dict.fromkeys(_INSTANTS, Instant()),
    "confidence": Choice("Not Specified", "None", "Low", "Medium", "High"),
    "tlp": Choice("CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"),
}
DEFAULT_MAPPING: Final[Mapping[str, Mapping[str, Any]]] = {
    "confidence": {
        "from": "confidence",
        "steps": {"None": 0, "Low": 1, "Medium": 30, "High": 70},
        "default": "Not Specified",
    },
    "description": {"template": "{indicator.name}"},
    "feed": {"from": "feed.name"},
    "first_seen": {"from": "valid_from_epoch"},
    "indicator": {"from": "indicator.id"},
    "provider": {"from": "feed.name"},
    "tlp": {
        "from": "marking",
        "values": {
            "clear": "CLEAR", "green": "GREEN", "amber": "AMBER",
            "amber+strict": "AMBER+STRICT", "red": "RED",
        },
    },
    "valid_until": {"from": "valid_until_epoch"},
}  # fmt: skip


def _nested(flat: Mapping[str, Any]) -> Document:
    """Return a document whose names with dots are objects, as rules copy whole objects."""
    document: Document = {}
    for path, value in flat.items():
        *parents, name = path.split(".")
        inner = document
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[name] = value
    return document


def _flat(document: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            # Where the source is made up from the index, a list of one is its element.
            yield (
                f"{above}{name}",
                value[0] if isinstance(value, list) and len(value) == 1 else value,
            )


INDEX_MAPPING: Final[Document] = {
    # What others add is kept and not indexed: a feed cannot make an index of ever more fields.
    "dynamic": False,
    **_nested({
        f"properties.{path.replace('.', '.properties.')}": kind
        for path, kind in {
            "@timestamp": {"type": "date"},
            **dict.fromkeys(
                (
                    *_OWN, "connector.type", "connector.value", "connector.timestamp",
                    "event.kind", "event.category", "event.type", "event.module", "event.dataset",
                    "threat.indicator.type", "threat.indicator.url.domain",
                    "threat.indicator.url.full", "threat.indicator.url.original",
                    "threat.indicator.email.address", "threat.indicator.file.name",
                    "threat.indicator.registry.path",
                    *(f"threat.indicator.file.hash.{name}" for name in _HASHES.values()),
                    *_PATHS.values(),
                ),
                _TEXT,
            ),
            **{_PATHS[name]: {"type": "date"} for name in _INSTANTS},
            "threat.indicator.ip": {"type": "ip"},
            "threat.indicator.port": {"type": "long"},
            "threat.indicator.as.number": {"type": "long"},
        }.items()
    }),
}  # fmt: skip


def lacks(mapping: Mapping[str, Any]) -> list[str]:
    """Return the fields that an index must have as keywords, or our documents are not found."""
    own = mapping.get("properties", {}).get("connector", {}).get("properties", {})
    return [path for path in _OWN if own.get(path[10:], {}).get("type") != "keyword"]


def key_of(observable: Observable, owner: str) -> str:
    """Return the id of this owner's document of an observable."""
    named = f"{owner}|{observable.type}|{observable.value}"
    return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()


def _matched(one: Observable) -> dict[str, Any]:
    """Return the fields of ECS that say exactly this value; a rule would match them."""
    at = "threat.indicator"
    match one.type:
        case _T.IPV4_ADDR | _T.IPV6_ADDR if "/" not in one.value:  # its type takes no prefix
            return {f"{at}.ip": one.value}
        case _T.ENDPOINT:  # with its address alone it would match every port
            return {f"{at}.port": int(one.value.rpartition(":")[2].partition("/")[0])}
        case _T.DOMAIN_NAME if not one.below:
            return {f"{at}.url.domain": one.value}
        case _T.URL:
            return {f"{at}.url.full": one.value, f"{at}.url.original": one.value}
        case _T.EMAIL_ADDR:
            return {f"{at}.email.address": one.value}
        case _T.FILE_NAME:
            return {f"{at}.file.name": one.value}
        case _T.AUTONOMOUS_SYSTEM:
            return {f"{at}.as.number": int(one.value)}
        case _T.REGISTRY_KEY:
            hive, _, rest = one.value.partition("\\")
            return {f"{at}.registry.path": f"{_HIVES.get(hive, hive)}\\{rest}"}
        case kind if kind in _HASHES:
            return {f"{at}.file.hash.{_HASHES[kind]}": one.value}
    return {}


def _fixed_part(one: Observable, owner: str, timestamp: str) -> dict[str, Any]:
    return {
        "@timestamp": timestamp,
        "event.kind": "enrichment",
        "event.category": "threat",
        "event.type": "indicator",
        "event.module": "ti_connector",
        "event.dataset": "ti_connector.indicator",
        "threat.indicator.type": _TYPES.get(one.type, one.type.value),
        **_matched(one),
        "connector.key": key_of(one, owner),
        "connector.owner": owner,
        "connector.type": one.type.value,
        "connector.value": one.value,
        "connector.timestamp": timestamp,
    }


def instant(value: FieldValue) -> str:
    """Return a time in the one spelling in which every index gives it back."""
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
    else:
        moment = datetime.fromtimestamp(value, UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def with_instants(fields: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """Return fields with their times in that spelling."""
    return {name: instant(one) if name in _INSTANTS else one for name, one in fields.items()}


def document_of(entry: Entry, owner: str) -> Document:
    """Return the document of an entry.

    An end at the target is when the stock rules no longer match it: 30 days after `@timestamp`.
    """
    moment = (entry.expires or _NEVER) - MATCHED_FOR
    fields = with_instants(entry.fields)
    return _nested(
        _fixed_part(entry.observable, owner, instant(moment.isoformat()))
        | {_PATHS[name]: value for name, value in fields.items()}
    )


def held_in(document: Mapping[str, Any], owner: str) -> Held | None:
    """Return the entry in a document, or None when it is not as we write it.

    What others altered counts as absent, so it is written again; what a pipeline adds is ignored.
    """
    flat = dict(_flat(document))
    kind, value = flat.get("connector.type"), flat.get("connector.value")
    if kind not in frozenset(_T) or not isinstance(value, str):
        return None
    one = Observable(_T(kind), value)
    expected = _fixed_part(one, owner, str(flat.get("connector.timestamp")))
    if any(flat.get(path) != said for path, said in expected.items()):
        return None
    fields = {name: flat[path] for name, path in _PATHS.items() if flat.get(path) is not None}
    try:
        return Held(one, with_instants(fields), key_of(one, owner))
    except (ValueError, TypeError):
        return None
