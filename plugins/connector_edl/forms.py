"""How a value is written as one line, by format and type of observable."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from typing import Final

from connector.adapter import (
    ADDRESSES,
    ObservableType,
    as_prefix,
    families_of,
    misreading,
)

Writer = Callable[[str], str]


class Format(StrEnum):
    """Formats of a list that a device polls."""

    PLAIN = "plain"
    PANOS = "panos"
    FORTIGATE = "fortigate"


class NotWritableError(ValueError):
    """This format has no line that means exactly this value."""


DOMAINS: Final = frozenset({ObservableType.DOMAIN_NAME})
URLS: Final = frozenset({ObservableType.URL})
SYSTEMS: Final = frozenset({ObservableType.AUTONOMOUS_SYSTEM})
_HASHES: Final = tuple(
    frozenset({kind})
    for kind in (ObservableType.FILE_MD5, ObservableType.FILE_SHA1, ObservableType.FILE_SHA256)
)
# A device reads a list as one type and skips every line of another; the reader of a plain list
# takes each line for what it looks like.
KINDS: Final[Mapping[Format, tuple[frozenset[ObservableType], ...]]] = {
    Format.PLAIN: tuple(families_of(ObservableType)),
    Format.PANOS: (ADDRESSES, DOMAINS, URLS),
    Format.FORTIGATE: (ADDRESSES, DOMAINS, URLS, *_HASHES),
}

_HEX: Final = re.compile(r"[0-9a-f]+")
_DIGITS: Final = {
    ObservableType.FILE_MD5: 32, ObservableType.FILE_SHA1: 40, ObservableType.FILE_SHA256: 64
}  # fmt: skip
_LINE_BREAKING: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_EASY_URL: Final = re.compile(r"https?://[!-)+-~]+")
_ASCII_URL: Final = re.compile(r"[!-~]+")
_WEB: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<user>[^/?#@]*@)?"
    r"(?P<host>(?:[0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?)(?P<rest>(?:[/?#].*)?)"
)
# Nearly all: host and path without port, userinfo, wildcard or fragment.
_EASY_WEB: Final = re.compile(r"https?://([0-9a-z._-]+/[!\"$-)+-\]_-~]*)")
_PORT: Final = re.compile(r":([0-9]*)$")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_PANOS_LONGEST: Final = 254  # characters; PAN-OS documents 255, others found 255 to be too many


def _told_apart(kind: ObservableType, line: str) -> str:
    """Return a line that cannot be read as another type; NotWritableError names the other type."""
    if words := misreading(kind, line):
        raise NotWritableError(words)
    return line


def _one_line(value: str) -> str:
    if not value or value != value.strip():
        raise NotWritableError("is empty, or starts or ends with a space, which readers drop")
    if not value.isprintable():
        raise NotWritableError("contains a line break or control character")
    return value


def _plain_text(kind: ObservableType, value: str) -> str:
    return _told_apart(kind, _one_line(value))


def _plain_url(value: str) -> str:
    if _EASY_URL.fullmatch(value):
        return value
    if len(value.split()) != 1:
        raise NotWritableError("contains a space, where readers end the URL")
    return _told_apart(ObservableType.URL, _one_line(value))


def _plain_system(value: str) -> str:
    return _told_apart(ObservableType.AUTONOMOUS_SYSTEM, f"AS{value}")


def _device_hash(kind: ObservableType, value: str) -> str:
    if len(value) != _DIGITS[kind] or not _HEX.fullmatch(value):
        raise NotWritableError("is not a hash of the type in this list")
    return value


def _panos_domain(value: str) -> str:
    # Where the list's expand option is on, a bare name also matches all names below it; on every
    # firewall `^` means this name only.
    name = _domain(value)
    return _bounded(name if name.startswith("*.") else f"^{name}")


def _panos_url(value: str) -> str:
    if easy := _EASY_WEB.fullmatch(value):
        return _bounded(_no_prefix(easy[1]))
    web = _web_address(value)
    if "*" in value or "^" in value:
        raise NotWritableError("contains * or ^, which PAN-OS reads as a wildcard")
    # Without an ending slash `bad.example` also matches `bad.example.other.test`.
    rest = web["rest"] if web["rest"].startswith("/") else f"/{web['rest']}"
    return _bounded(_no_prefix(_without_default_port(web) + rest))


def _fortigate_url(value: str) -> str:
    _web_address(value)
    if "*" in value:
        raise NotWritableError("contains *, which FortiGate reads as a wildcard")
    return _no_prefix(value)


def _no_prefix(line: str) -> str:
    """Return a line that the device reads as a URL in any of its lists."""
    if words := as_prefix(line):
        raise NotWritableError(words)
    return line


def _web_address(value: str) -> re.Match[str]:
    """Parse a web address; refuse one that no line can match exactly."""
    web = _WEB.fullmatch(value) if _ASCII_URL.fullmatch(value) else None
    if web is not None and web["user"] and not web["scheme"]:
        raise NotWritableError("could be read as an e-mail address, and names another host")
    if web is None or (web["scheme"] or "http").lower() not in _DEFAULT_PORTS or value[0] == "#":
        raise NotWritableError("is not an ASCII web address, the only kind that the device reads")
    if "#" in web["rest"]:
        raise NotWritableError(
            "has a fragment, which no firewall sees: without it the line blocks the whole page"
        )
    return web


def _without_default_port(web: re.Match[str]) -> str:
    host, port = web["host"], _PORT.search(web["host"])
    if port is None:
        return host
    if port[1] != _DEFAULT_PORTS.get((web["scheme"] or "").lower()):
        raise NotWritableError(
            "names a port, which PAN-OS lists cannot express: without it the line blocks every port"
        )
    return host[: port.start()]


def _bounded(line: str) -> str:
    if len(line) > _PANOS_LONGEST:
        raise NotWritableError(
            f"is longer than the {_PANOS_LONGEST} characters of PAN-OS; cut, it would match more"
        )
    return line


_T: Final = ObservableType
_domain: Final = partial(_told_apart, _T.DOMAIN_NAME)
_VALUES: Final[Mapping[ObservableType, Writer]] = {
    kind: partial(_told_apart, kind) for kind in ObservableType
}
_ADDRESSES: Final = {kind: _VALUES[kind] for kind in ADDRESSES}
_TEXTS: Final = (
    *(_T.EMAIL_SUBJECT, _T.FILE_NAME, _T.USER_AGENT),
    *(_T.MUTEX, _T.REGISTRY_KEY, _T.PROCESS_COMMAND),
)
_WRITERS: Final[Mapping[Format, Mapping[ObservableType, Writer]]] = {
    Format.PLAIN: {
        **_VALUES,
        **{kind: partial(_plain_text, kind) for kind in _TEXTS},
        _T.URL: _plain_url,
        _T.AUTONOMOUS_SYSTEM: _plain_system,
    },
    Format.PANOS: {
        **_ADDRESSES,
        _T.DOMAIN_NAME: _panos_domain,
        _T.URL: _panos_url,
    },
    Format.FORTIGATE: {
        **_ADDRESSES,
        _T.DOMAIN_NAME: _domain,
        _T.URL: _fortigate_url,
        **{kind: partial(_device_hash, kind) for kinds in _HASHES for kind in kinds},
    },
}


def writers(form: Format, types: frozenset[ObservableType]) -> Mapping[ObservableType, Writer]:
    """Return the function that writes a value's line, or raises NotWritableError, by type."""
    return {kind: write for kind, write in _WRITERS[form].items() if kind in types}


def has_room_for_comments(form: Format, types: frozenset[ObservableType]) -> bool:
    """Return whether a line may continue after its value."""
    if form is Format.PANOS:
        return types <= ADDRESSES
    return form is Format.FORTIGATE and types in _HASHES


def folds(form: Format, types: frozenset[ObservableType]) -> bool:
    """Return whether two values may share a line, as `http://` and `https://` of one page do."""
    return form is Format.PANOS and types == URLS


def comment(text: str) -> str:
    """Return a text as the end of a line, in ASCII and without line breaks; it may be empty."""
    words = " ".join(_LINE_BREAKING.sub(" ", text).split())[:200].rstrip()
    line = words.encode("ascii", "replace").decode("ascii")
    # Some readers take the text after an address for its mask, or a dash for a range.
    return line if line[:1].isalpha() or not line else f"# {line}"
