"""The words of an event in CEF, LEEF 2.0 and JSON, each by its own rules of escaping.

Constants, escapes and lengths: Micro Focus "Implementing ArcSight Common Event Format" (CEF 0),
IBM "Log Event Extended Format" 2.0. Neither has a way to write every value: one that a format
cannot carry as it is is refused, never changed; texts that a mapping fills lose what does not fit.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from connector.adapter import Action, Entry, Event, FieldValue, ObservableType, Refused

__all__ = ["FORMATS", "Formatter"]

Formatter = Callable[[Event, str], str | Refused]

T = ObservableType
_VENDOR: Final = "Threat Feed Connector"
_PRODUCT: Final = "connector"
_VERSION: Final = "1"
_NAMES: Final = {
    Action.ADD: "Indicator added",
    Action.UPDATE: "Indicator changed",
    Action.RENEW: "Indicator renewed",
    Action.REMOVE: "Indicator removed",
}
# What ends a line for some reader, and what no log should contain.
_CONTROLS: Final = re.compile("[\\x00-\\x1f\\x7f-\\x9f\u2028\u2029\ufeff]")
_CEF_VALUE: Final = 4000  # of cs1 to cs6, in characters
_CEF_SHORT: Final = 1023  # of request, msg and most others


def _severity(fields: Mapping[str, FieldValue]) -> int:
    """Return a severity from 0 to 10: the mapped one, or a tenth of the confidence."""
    mapped = fields.get("severity")
    if isinstance(mapped, int | float):
        return round(mapped)
    confidence = fields.get("confidence")
    return round(confidence / 10) if isinstance(confidence, int | float) else 5


def _moment(value: FieldValue) -> datetime:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return datetime.fromtimestamp(value, UTC)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _plain(text: str) -> str:
    """Return a text of a mapping on one line."""
    return text if text.isprintable() else _CONTROLS.sub(" ", text)


def _address_of(value: str) -> tuple[str, str, str]:
    """Return address, port and protocol of an endpoint."""
    host, _, rest = value.rpartition(":")
    port, _, protocol = rest.partition("/")
    return host.strip("[]"), port, protocol


# --- CEF


def _cef_header(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _cef(text: str) -> str:
    if "=" not in text and "\\" not in text:  # as nearly all
        return text
    return text.replace("\\", "\\\\").replace("=", "\\=")


@lru_cache(maxsize=64)
def _cef_begin(action: Action, severity: int, at: datetime, output: str) -> str:
    """Return what all messages of one moment begin with, up to the type."""
    header = "CEF:0", _VENDOR, _PRODUCT, _VERSION, action.value, _NAMES[action], str(severity)
    words = "|".join(map(_cef_header, header))
    return f"{words}|rt={_milliseconds(at)} act={action.value} cs2Label=output cs2={_cef(output)}"


_CEF_KEYS: Final[Mapping[ObservableType, str]] = {
    T.IPV4_ADDR: "src",
    T.DOMAIN_NAME: "dhost",
    T.URL: "request",
    T.EMAIL_ADDR: "suser",
    T.FILE_MD5: "fileHash",
    T.FILE_SHA1: "fileHash",
    T.FILE_SHA256: "fileHash",
    T.FILE_SHA512: "fileHash",
    T.FILE_NAME: "fname",
    T.USER_AGENT: "requestClientApplication",
}


_CEF_STRINGS: Final = (("cs3", "feed"), ("cs4", "indicator"), ("cs5", "tlp"), ("cs6", "category"))
_CEF_DATES: Final = (("deviceCustomDate1", "valid_from"), ("deviceCustomDate2", "valid_until"))


def _cef_typed(entry: Entry) -> dict[str, str]:
    """Return the keys that a rule of the receiver matches; a prefix has none of its own."""
    value = entry.value
    if entry.type is T.ENDPOINT:
        address, port, protocol = _address_of(value)
        if ":" in address:
            return {"c6a3": address, "c6a3Label": "Destination IPv6 Address", "dpt": port}
        return {"dst": address, "dpt": port, "proto": protocol.upper()}
    if entry.type is T.IPV6_ADDR and "/" not in value:
        return {"c6a2": value, "c6a2Label": "Source IPv6 Address"}
    key = _CEF_KEYS.get(entry.type)
    unfit = (
        key is None
        or len(value) > _CEF_SHORT
        or (entry.type is T.IPV4_ADDR and "/" in value)
        or entry.observable.below
    )
    return {} if unfit or key is None else {key: value}


def cef(event: Event, output: str) -> str | Refused:
    """Return an event in the Common Event Format; the value is always in `cs1`, too."""
    entry, fields = event.entry, event.entry.fields
    if _CONTROLS.search(entry.value):
        return Refused("contains a control character, which CEF cannot carry")
    if len(entry.value) > _CEF_VALUE:
        return Refused(f"has more than the {_CEF_VALUE:,} characters that CEF can carry")
    value = _cef(entry.value)
    parts = [
        _cef_begin(event.action, _severity(fields), event.at, output),
        f"cat={entry.type.value} externalId={event.key} cs1Label=value cs1={value}",
    ]
    parts += [f"{key}={_cef(text)}" for key, text in _cef_typed(entry).items()]
    for number, name in _CEF_STRINGS:
        if name in fields:
            parts.append(f"{number}Label={name} {number}={_cef(_plain(str(fields[name])))}")
    if "confidence" in fields:
        parts.append(f"cn1Label=confidence cn1={fields['confidence']}")
    for number, name in _CEF_DATES:
        if name in fields:
            at = _milliseconds(_moment(fields[name]))
            parts.append(f"{number}Label={name} {number}={at}")
    if "name" in fields:
        parts.append(f"msg={_cef(_plain(str(fields['name'])))}")
    return " ".join(parts)


# --- LEEF

# Lenient readers take a quote at the start for a quoted value, and a word before `=` for a name.
_LEEF_PAIR: Final = re.compile(r"^\s*[\"']|\s.*=")


def leef(event: Event, output: str) -> str | Refused:
    """Return an event in the Log Event Extended Format 2.0, its attributes separated by tabs."""
    entry, fields = event.entry, event.entry.fields
    if _CONTROLS.search(entry.value):
        return Refused("contains a control character, which LEEF cannot carry")
    if _LEEF_PAIR.search(entry.value):
        return Refused("could be read as another attribute or a quoted one: LEEF has no escapes")
    told: dict[str, object] = {
        "cat": entry.type.value,
        "devTime": _milliseconds(event.at),
        "sev": max(1, _severity(fields)),
        "action": event.action.value,
        "key": event.key,
        "value": entry.value,
        "output": output,
    }
    if entry.type in (T.IPV4_ADDR, T.IPV6_ADDR) and "/" not in entry.value:
        told["src"] = entry.value
    elif entry.type is T.ENDPOINT:
        told["dst"], told["dstPort"], told["proto"] = _address_of(entry.value)
    elif entry.type is T.URL:
        told["url"] = entry.value
    for name, value in fields.items():
        told[name] = _plain(str(value)).replace("=", ":").lstrip(" \"'")
    attributes = "\t".join(f"{key}={value}" for key, value in told.items())
    return f"LEEF:2.0|{_VENDOR}|{_PRODUCT}|{_VERSION}|{event.action.value}|x09|{attributes}"


# --- JSON


def as_json(event: Event, output: str) -> str:
    """Return an event as one JSON object on one line."""
    entry = event.entry
    told = {
        "time": event.at.isoformat(),
        "action": event.action.value,
        "type": entry.type.value,
        "value": entry.value,
        "key": event.key,
        "output": output,
        **entry.fields,
    }
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


FORMATS: Final[Mapping[str, Formatter]] = {"cef": cef, "leef": leef, "json": as_json}
