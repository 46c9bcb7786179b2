"""A compact binary key for each observable, so that stores need not index long texts."""

from collections.abc import Callable
from hashlib import blake2b
from ipaddress import IPv6Address
from typing import Final

from connector.model import ObservableType, RuleLanguage, Subject, SubjectType

LONGEST_KEY: Final = 64
_T = ObservableType
_L = RuleLanguage

# Stores keep these numbers: never change or reuse one.
_TYPE_BYTES: Final[dict[SubjectType, bytes]] = {
    _T.IPV4_ADDR: b"\x01",
    _T.IPV6_ADDR: b"\x02",
    _T.ENDPOINT: b"\x03",
    _T.DOMAIN_NAME: b"\x04",
    _T.URL: b"\x05",
    _T.EMAIL_ADDR: b"\x06",
    _T.EMAIL_SUBJECT: b"\x07",
    _T.FILE_MD5: b"\x08",
    _T.FILE_SHA1: b"\x09",
    _T.FILE_SHA256: b"\x0a",
    _T.FILE_SHA512: b"\x0b",
    _T.FILE_NAME: b"\x0c",
    _T.AUTONOMOUS_SYSTEM: b"\x0d",
    _T.USER_AGENT: b"\x0e",
    _T.X509_SHA1: b"\x0f",
    _T.X509_SHA256: b"\x10",
    _T.MUTEX: b"\x11",
    _T.REGISTRY_KEY: b"\x12",
    _T.PROCESS_COMMAND: b"\x13",
    _L.YARA: b"\x80",
    _L.SIGMA: b"\x81",
    _L.SNORT: b"\x82",
    _L.SURICATA: b"\x83",
}
_LONGEST_WHOLE: Final = 55
_KEPT: Final = 31
_SHORTENED: Final = b"\xff"  # not a byte of UTF-8, so no short value can look like this


def key_of(observable: Subject) -> bytes:
    """Return the key of an observable or rule: unique, stable, short; addresses keep order."""
    kind = observable.type
    return _TYPE_BYTES[kind] + _PACKINGS[kind](observable.value)


def _ipv4(value: str) -> bytes:
    host, _, length = value.partition("/")
    first, second, third, fourth = host.split(".")
    return bytes((int(first), int(second), int(third), int(fourth), int(length or 32)))


def _ipv6(value: str) -> bytes:
    host, _, length = value.partition("/")
    return IPv6Address(host).packed + bytes((int(length or 128),))


def _text(value: str) -> bytes:
    whole = value.encode()
    return whole if len(whole) <= _LONGEST_WHOLE else _shortened(whole)


def _long_digest(value: str) -> bytes:
    return _shortened(bytes.fromhex(value))


def _shortened(whole: bytes) -> bytes:
    return whole[:_KEPT] + _SHORTENED + blake2b(whole, digest_size=24).digest()


_PACKINGS: Final[dict[SubjectType, Callable[[str], bytes]]] = {
    **dict.fromkeys((*_T, *_L), _text),
    _T.IPV4_ADDR: _ipv4,
    _T.IPV6_ADDR: _ipv6,
    _T.FILE_MD5: bytes.fromhex,
    _T.FILE_SHA1: bytes.fromhex,
    _T.FILE_SHA256: bytes.fromhex,
    _T.FILE_SHA512: _long_digest,
    _T.X509_SHA1: bytes.fromhex,
    _T.X509_SHA256: bytes.fromhex,
}
