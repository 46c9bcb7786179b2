"""Canonical forms of domain names and URLs."""

import re
from functools import cache, lru_cache
from typing import Final

import idna
from publicsuffixlist import PublicSuffixList

from connector.indicators.observables.addresses import IPV4, address
from connector.indicators.observables.errors import UnfitValueError, shown
from connector.model import ObservableType

LONGEST_DOMAIN: Final = 253
LONGEST_URL: Final = 2048
USERINFO_DROPPED: Final = "userinfo_dropped"
ACCOUNT_DROPPED: Final = "account_dropped"
FRAGMENT_DROPPED: Final = "fragment_dropped"

# Never in the DNS: names for documentation, tests and exercises (RFC 2606), and names that are
# resolved in other ways (RFC 6761, 6762, 7686 and 9476, and ICANN's `internal`).
_RESERVED: Final = frozenset(
    {
        *("example", "invalid", "localhost", "test"),
        *("alt", "arpa", "internal", "local", "localdomain", "onion"),
    }
)
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN: Final = re.compile(rf"(?:{_LABEL}\.)+([a-z][a-z0-9-]*)")
_DEFAULT_PORTS: Final = {
    "http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21", "ftps": "990",
    "sftp": "22", "ssh": "22", "tftp": "69", "ldap": "389", "ldaps": "636", "smb": "445",
    "imap": "143", "imaps": "993", "irc": "", "ircs": "", "mqtt": "1883", "mqtts": "8883",
    "pop3": "110", "pop3s": "995", "rdp": "3389", "rtmp": "1935", "rtsp": "554", "smtp": "25",
    "smtps": "465", "telnet": "23", "vnc": "5900",
    "socks4": "", "socks5": "", "stratum+ssl": "", "stratum+tcp": "", "tcp": "", "udp": "",
}  # fmt: skip
_PLAIN_URL: Final = re.compile(r"(?:https?://)?([a-z0-9_.-]+)/[\w!$%&()+./:;=?@\[\]~-]*", re.ASCII)
_AUTHORITY: Final = re.compile(r"([^/?]*)(.*)", re.DOTALL)
_HOST_PORT: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]*))?")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
# A comma would end a value in many lists; the others are not allowed in a URL (RFC 3986).
_ENCODED_IN_URLS: Final = re.compile(r"[^!-~]|[\",<>^`{|}]")
# In these schemes the account only says who asks; in all others it also selects the resource.
_WEB: Final = frozenset({"http", "https", "ws", "wss"})


@cache
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@lru_cache(maxsize=4096)
def is_top_level(label: str) -> bool:
    """Return whether this label, public or reserved, can be a top-level domain."""
    return label in _RESERVED or bool(_public_suffixes().is_public(label, accept_unknown=False))


def is_plain_domain(text: str) -> bool:
    """Return whether a text is already a domain name in canonical form."""
    plain = _DOMAIN.fullmatch(text)
    return plain is not None and len(text) <= LONGEST_DOMAIN and is_top_level(plain[1])


def is_plain_url(text: str) -> bool:
    """Return whether a text is already a URL in canonical form; false may mean undecided."""
    plain = _PLAIN_URL.fullmatch(text)
    return plain is not None and len(text) <= LONGEST_URL and _is_plain_host(plain[1])


def _is_plain_host(text: str) -> bool:
    return is_plain_domain(text) or IPV4.fullmatch(text) is not None


def domain(text: str) -> str:
    """Return the canonical form of a domain name, or of `*.` and a name for all names below it."""
    below, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    name = name.lower().removesuffix(".")
    if not name.isascii():
        name = _to_ascii(name)
    _check_domain(name)
    return below + name


def _to_ascii(name: str) -> str:
    try:
        labels = idna.uts46_remap(name, std3_rules=False, transitional=False).split(".")
        return ".".join(
            label if label.isascii() else idna.alabel(label).decode() for label in labels
        )
    except idna.IDNAError:
        raise UnfitValueError(f"{shown(name)} is not a name that the DNS can hold") from None


def _check_domain(name: str) -> None:
    if len(name) > LONGEST_DOMAIN:
        raise UnfitValueError(f"{shown(name)} is longer than {LONGEST_DOMAIN} characters")
    if "." not in name:
        raise UnfitValueError(f"{shown(name)} is a single label, not a domain name")
    form = _DOMAIN.fullmatch(name)
    if form is None:
        raise UnfitValueError(f"{shown(name)} is not written as a domain name")
    if not is_top_level(form[1]):
        raise UnfitValueError(f"there is no top-level domain {shown(form[1])} ({shown(name)})")


def url(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the canonical form of a URL, with or without a scheme, and what was dropped."""
    if "\\" in text:  # some readers take it for a slash, others for an ordinary character
        raise UnfitValueError(f"{shown(text)} contains a backslash")
    scheme, colon, rest = text.partition("://")
    if not colon:
        scheme, rest = "", text
    elif (scheme := scheme.lower()) not in _DEFAULT_PORTS:
        raise UnfitValueError(f"{shown(scheme)} is not a scheme of network traffic")
    rest, _, fragment = rest.partition("#")
    authority, path = _split_authority(rest)
    userinfo, _, host = authority.rpartition("@")
    if userinfo and not scheme:
        raise UnfitValueError(f"{shown(text)} has an @ before its path, but no scheme")
    account = USERINFO_DROPPED if scheme in _WEB else ACCOUNT_DROPPED
    dropped = (account,) * bool(userinfo) + (FRAGMENT_DROPPED,) * bool(fragment)
    whole = f"{scheme}{colon}{_host_port(host, scheme)}{path}"
    if len(whole) > LONGEST_URL:
        raise UnfitValueError(f"{shown(text)} is longer than {LONGEST_URL} characters")
    return whole, dropped


def _split_authority(rest: str) -> tuple[str, str]:
    parts = _AUTHORITY.fullmatch(rest)
    authority, path = (parts[1], parts[2]) if parts else (rest, "")
    path = _ENCODED_IN_URLS.sub(_percent_encoded, path)
    return authority, path if path.startswith("/") else "/" + path


def _percent_encoded(character: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in character[0].encode())


def _host_port(text: str, scheme: str) -> str:
    parts = _HOST_PORT.fullmatch(text)
    if parts is None:
        raise UnfitValueError(f"{shown(text)} is not a host, or a host and a port")
    host, port = _url_host(parts[1]), parts[2]
    if not port or port == _DEFAULT_PORTS.get(scheme):
        return host
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise UnfitValueError(f"{shown(port)} is not a port")
    return f"{host}:{port}"


def _url_host(text: str) -> str:
    if _is_plain_host(text):
        return text
    if text.startswith("[") and "/" not in text:
        kind, value = address(text[1:-1])
        return f"[{value}]" if kind is ObservableType.IPV6_ADDR else value
    host = domain(text)
    if host.startswith("*."):
        raise UnfitValueError(f"{shown(text)} has more than one host")
    return host
