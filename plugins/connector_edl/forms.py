"""How one value is written as one line, for each format and type of observable."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from connector.adapter import ObservableType

Writer = Callable[[str], str]


class Format(StrEnum):
    """Dialects of a list that a device polls."""

    PLAIN = "plain"
    PANOS = "panos"
    FORTIGATE = "fortigate"


class NotWritableError(ValueError):
    """This format has no line that means exactly this value."""


ADDRESSES: Final = frozenset({ObservableType.IPV4_ADDR, ObservableType.IPV6_ADDR})
DOMAINS: Final = frozenset({ObservableType.DOMAIN_NAME})
URLS: Final = frozenset({ObservableType.URL})
_HASHES: Final = tuple(
    frozenset({kind})
    for kind in (ObservableType.FILE_MD5, ObservableType.FILE_SHA1, ObservableType.FILE_SHA256)
)
# A device reads a list as one kind and skips every line of another.
KINDS: Final[Mapping[Format, tuple[frozenset[ObservableType], ...]]] = {
    Format.PANOS: (ADDRESSES, DOMAINS, URLS),
    Format.FORTIGATE: (ADDRESSES, DOMAINS, URLS, *_HASHES),
}

_LINE_BREAKING: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f.:]+(?:/[0-9]{1,3})?")
_DOMAIN: Final = re.compile(r"(?:\*\.)?[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*")
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")
_ASCII_URL: Final = re.compile(r"[!-~]+")
_WEB: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?:[^/?#@]*@)?(?P<host>[^/?#@]+)(?P<rest>.*)"
)
# Nearly all: host and path without port, userinfo, wildcard or fragment.
_EASY_WEB: Final = re.compile(r"https?://([0-9a-z._-]+/[!\"$-)+-\]_-~]*)")
_PORT: Final = re.compile(r":([0-9]*)$")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_PANOS_LONGEST: Final = 254  # characters; PAN-OS counts 255 in, peers found 255 to be out


def _matching(pattern: re.Pattern[str], words: str) -> Writer:
    def write(value: str) -> str:
        if pattern.fullmatch(value) is None:
            raise NotWritableError(f"is not {words} that fits on a line of its own")
        return value

    return write


def _text(value: str) -> str:
    if not value or value != value.strip():
        raise NotWritableError("is empty, or starts or ends with a space that readers drop")
    if value[0] == "#":
        raise NotWritableError("starts with #, which readers of a plain list take for a comment")
    if not value.isprintable() and _LINE_BREAKING.search(value):
        raise NotWritableError("holds a line break or control character")
    return value


def _plain_url(value: str) -> str:
    if len(value.split()) != 1:
        raise NotWritableError("holds a space, where readers end the URL")
    return _text(value)


def _plain_mail(value: str) -> str:
    # What is quoted before the @ may be a whole address, or several: readers find those.
    if value.startswith('"'):
        raise NotWritableError("has a quoted local part, in which readers may see other addresses")
    return _text(value)


def _panos_domain(value: str) -> str:
    # A bare name grows to all names below it where the list has its expand option switched on;
    # `^` says on every firewall: this name only.
    name = _domain(value)
    return _bounded(name if name.startswith("*.") else f"^{name}")


def _panos_url(value: str) -> str:
    if easy := _EASY_WEB.fullmatch(value):
        return _bounded(easy[1])
    web = _web_address(value)
    if "*" in value or "^" in value:
        raise NotWritableError("holds * or ^, which PAN-OS reads as a wildcard")
    # Without an ending slash `bad.example` also matches `bad.example.other.test`.
    rest = web["rest"] if web["rest"].startswith("/") else f"/{web['rest']}"
    return _bounded(_without_default_port(web) + rest)


def _fortigate_url(value: str) -> str:
    _web_address(value)
    if "*" in value:
        raise NotWritableError("holds *, which FortiGate reads as a wildcard")
    return value


def _web_address(value: str) -> re.Match[str]:
    """Take a web address apart; refuse what a line could only say by meaning more than it."""
    web = _WEB.fullmatch(value) if _ASCII_URL.fullmatch(value) else None
    if web is None or (web["scheme"] or "http").lower() not in _DEFAULT_PORTS or value[0] == "#":
        raise NotWritableError("is not a web address in ASCII, and the device knows no others")
    if "#" in web["rest"]:
        raise NotWritableError(
            "holds a fragment, which no firewall sees: without it the line would stop the page"
        )
    return web


def _without_default_port(web: re.Match[str]) -> str:
    host, port = web["host"], _PORT.search(web["host"])
    if port is None:
        return host
    if port[1] != _DEFAULT_PORTS.get((web["scheme"] or "").lower()):
        raise NotWritableError(
            "names a port, which PAN-OS lists cannot hold: without it the line would stop all ports"
        )
    return host[: port.start()]


def _bounded(line: str) -> str:
    if len(line) > _PANOS_LONGEST:
        raise NotWritableError(
            f"is longer than the {_PANOS_LONGEST} characters PAN-OS takes; cut, it would match more"
        )
    return line


_address = _matching(_ADDRESS, "an address or prefix")
_domain = _matching(_DOMAIN, "a domain name")
_hash = _matching(_HEX, "a hash")
_PLAIN: Final[Mapping[ObservableType, Writer]] = {
    **dict.fromkeys(ObservableType, _text),
    **dict.fromkeys(ADDRESSES, _address),
    **dict.fromkeys(DOMAINS, _domain),
    **dict.fromkeys(URLS, _plain_url),
    ObservableType.EMAIL_ADDR: _plain_mail,
}
_WRITERS: Final[Mapping[Format, Mapping[ObservableType, Writer]]] = {
    Format.PLAIN: _PLAIN,
    Format.PANOS: {
        **dict.fromkeys(ADDRESSES, _address),
        **dict.fromkeys(DOMAINS, _panos_domain),
        **dict.fromkeys(URLS, _panos_url),
    },
    Format.FORTIGATE: {
        **dict.fromkeys(ADDRESSES, _address),
        **dict.fromkeys(DOMAINS, _domain),
        **dict.fromkeys(URLS, _fortigate_url),
        **{kind: _hash for kinds in _HASHES for kind in kinds},
    },
}


def writers(form: Format, types: frozenset[ObservableType]) -> Mapping[ObservableType, Writer]:
    """Return for each type the function that writes a value's line, or says why it cannot."""
    return {kind: write for kind, write in _WRITERS[form].items() if kind in types}


def has_room_for_comments(form: Format, types: frozenset[ObservableType]) -> bool:
    """Return whether a line may go on after its value."""
    if form is Format.PANOS:
        return types <= ADDRESSES
    return form is Format.FORTIGATE and types in _HASHES


def folds(form: Format, types: frozenset[ObservableType]) -> bool:
    """Return whether two values may share a line, as `http://` and `https://` of one page do."""
    return form is Format.PANOS and types == URLS


def comment(text: str) -> str:
    """Return a text as the end of a line: one line of ASCII, or nothing."""
    words = " ".join(_LINE_BREAKING.sub(" ", text).split())[:200].rstrip()
    return words.encode("ascii", "replace").decode("ascii")
