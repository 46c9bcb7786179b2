"""MISP attribute types as STIX patterns."""

from collections.abc import Callable, Mapping
from ipaddress import ip_interface
from typing import Final

Writer = Callable[[str], str]


class NoPatternError(ValueError):
    """The value does not have the form that its type promises."""


def quoted(value: str) -> str:
    """Return a value as a STIX string, so quoted that it cannot end the string or the pattern."""
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise NoPatternError("contains control characters")
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def pattern_of(kind: str, value: str) -> str | None:
    """Return the pattern of an attribute; None for a type that has none.

    A type of two parts, such as `filename|sha256`, needs both together.
    """
    value = value.strip()
    if not value:
        raise NoPatternError("is empty")
    if kind in _SINGLE:
        return f"[{_SINGLE[kind](value)}]"
    if kind in _PAIRS:
        first, bar, second = value.partition("|")
        if not (first and bar and second):
            raise NoPatternError(f"should be two values separated by |, as in {kind}")
        left, right = _PAIRS[kind]
        return f"[{left(first.strip())} AND {right(second.strip())}]"
    return None


def _equals(path: str) -> Writer:
    return lambda value: f"{path} = {quoted(value)}"


def _address(value: str) -> str:
    try:
        family = ip_interface(value).version
    except ValueError as error:
        raise NoPatternError("is not an IP address") from error
    return f"ipv{family}-addr:value = {quoted(value)}"


def _end(side: str) -> Writer:
    return lambda value: f"network-traffic:{side}_ref.value = {quoted(value)}"


def _port(side: str) -> Writer:
    return lambda value: f"network-traffic:{side}_port = {_number(value)}"


def _as_number(value: str) -> str:
    return f"autonomous-system:number = {_number(value.upper().removeprefix('AS'))}"


def _number(value: str) -> str:
    if not value.isascii() or not value.isdecimal() or len(value) > 10:
        raise NoPatternError("has no number where one is needed")
    return str(int(value))


_DIGESTS: Final = {
    "md5": "MD5",
    "sha1": "'SHA-1'",
    "sha256": "'SHA-256'",
    "sha512": "'SHA-512'",
}
_FILE_NAME: Final = _equals("file:name")
_SINGLE: Final[Mapping[str, Writer]] = {
    "ip-src": _address,
    "ip-dst": _address,
    "domain": _equals("domain-name:value"),
    "hostname": _equals("domain-name:value"),
    "url": _equals("url:value"),
    "email": _equals("email-addr:value"),
    "email-src": _equals("email-message:from_ref.value"),
    "email-dst": _equals("email-message:to_refs[*].value"),
    "email-subject": _equals("email-message:subject"),
    "filename": _FILE_NAME,
    "mutex": _equals("mutex:name"),
    "regkey": _equals("windows-registry-key:key"),
    "AS": _as_number,
    "user-agent": _equals(
        "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'"
    ),
    "x509-fingerprint-sha1": _equals("x509-certificate:hashes.'SHA-1'"),
    "x509-fingerprint-sha256": _equals("x509-certificate:hashes.'SHA-256'"),
    **{name: _equals(f"file:hashes.{path}") for name, path in _DIGESTS.items()},
}
_PAIRS: Final[Mapping[str, tuple[Writer, Writer]]] = {
    "ip-src|port": (_end("src"), _port("src")),
    "ip-dst|port": (_end("dst"), _port("dst")),
    "hostname|port": (_end("dst"), _port("dst")),
    "domain|ip": (_equals("domain-name:value"), _equals("domain-name:resolves_to_refs[*].value")),
    "regkey|value": (
        _equals("windows-registry-key:key"),
        _equals("windows-registry-key:values[*].data"),
    ),
    **{
        f"filename|{name}": (_FILE_NAME, _equals(f"file:hashes.{path}"))
        for name, path in _DIGESTS.items()
    },
}
# Types whose value is a whole pattern: STIX, or a rule in its own language.
WHOLE: Final = {
    "stix2-pattern": "stix",
    "snort": "snort",
    "yara": "yara",
    "sigma": "sigma",
    "pattern-in-traffic": "pcre",
}
