"""STIX ids as short binary keys: the sixteen bytes of the UUID if the id has one."""

from hashlib import blake2b
from typing import Final

_TYPES: Final = (
    "indicator", "marking-definition", "opinion", "relationship", "sighting", "identity",
    "malware", "tool", "attack-pattern", "report", "grouping", "observed-data", "note",
    "threat-actor", "intrusion-set", "campaign", "location", "infrastructure", "vulnerability",
    "course-of-action", "malware-analysis", "incident", "language-content",
    "extension-definition", "ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr",
    "email-message", "file", "artifact", "directory", "mutex", "process", "network-traffic",
    "autonomous-system", "mac-addr", "software", "user-account", "windows-registry-key",
    "x509-certificate",
)  # fmt: skip
# Stores keep these numbers: only ever append a type.
_CODES: Final = {name: bytes((code,)) for code, name in enumerate(_TYPES, 1)}
_NAMES: Final = {code: name for name, code in _CODES.items()}
_MARKING: Final = _CODES["marking-definition"]
_INDICATOR: Final = _CODES["indicator"]
_WHOLE: Final = b"\xff"
_UNREADABLE: Final = b"\xfe"
_ALONE: Final = (_CODES["opinion"], _CODES["sighting"], _CODES["relationship"])

# Key ranges, from the first key to just before the last: indicators, and unreadable objects.
INDICATOR_KEYS: Final = (
    (_INDICATOR, bytes((_INDICATOR[0] + 1,))),
    (_WHOLE + b"indicator--", _WHOLE + b"indicator-."),
)
UNREADABLE_KEYS: Final = (_UNREADABLE, _WHOLE)


def key_of_id(stix_id: str) -> bytes:
    """Return the key of an object's id; `id_of_key` reverses it."""
    kind, _, rest = stix_id.partition("--")
    code = _CODES.get(kind)
    if code is not None and len(rest) == 36 and rest[8:24:5] == "----":
        digits = rest.replace("-", "")  # other spellings of a UUID are different ids
        try:
            packed = bytes.fromhex(digits)
        except ValueError:
            packed = b""
        if len(packed) == 16 and packed.hex() == digits:
            return code + packed
    return _WHOLE + stix_id.encode("utf-8", "surrogatepass")


def id_of_key(key: bytes) -> str:
    """Return the id that a key was made from, or a name for an unreadable object."""
    if key[:1] == _WHOLE:
        return key[1:].decode("utf-8", "surrogatepass")
    if key[:1] == _UNREADABLE:
        return f"unreadable--{key[1:].hex()}"
    return f"{_NAMES[key[:1]]}--{_dashed(key[1:])}"


def key_of_unreadable(raw: bytes) -> bytes:
    """Return the key of an unreadable object: the same bytes give the same key."""
    return _UNREADABLE + blake2b(raw, digest_size=16).digest()


def is_marking(key: bytes) -> bool:
    """Return whether a key is that of a marking definition."""
    return key[:1] == _MARKING or key.startswith(_WHOLE + b"marking-definition--")


def is_indicator(key: bytes) -> bool:
    """Return whether a key is that of an indicator."""
    return key[:1] == _INDICATOR or key.startswith(_WHOLE + b"indicator--")


def speaks_alone(key: bytes) -> bool:
    """Return whether an object affects only the objects that it names itself."""
    return key[:1] in _ALONE


def _dashed(packed: bytes) -> str:
    text = packed.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
