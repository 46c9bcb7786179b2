"""Values of every observable type: harmless ones, and valid ones that look like an attack."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from connector.adapter import ObservableType

# Prefixes do not overlap with the hosts that follow: some targets merge overlapping entries.
_FIRST_V4: Final = ("192.0.2.1", "192.0.2.77", "203.0.113.128/25")
_FIRST_V6: Final = ("2001:db8::1", "2001:db8:ffff:1::/64")
_V4: Final = int(IPv4Address("198.18.0.0"))
_V6: Final = int(IPv6Address("2001:db8:1::"))


def _digest(algorithm: str) -> Callable[[int], str]:
    return lambda n: hashlib.new(algorithm, b"sample %d" % n, usedforsecurity=False).hexdigest()


_NTH: Final[Mapping[ObservableType, Callable[[int], str]]] = {
    ObservableType.IPV4_ADDR: lambda n: str(IPv4Address(_V4 + n)),
    ObservableType.IPV6_ADDR: lambda n: str(IPv6Address(_V6 + n)),
    ObservableType.ENDPOINT: lambda n: f"{IPv4Address(_V4 + n)}:443/tcp",
    ObservableType.DOMAIN_NAME: lambda n: f"host-{n}.bad.example",
    ObservableType.URL: lambda n: f"https://host-{n}.bad.example/download/file?id={n}",
    ObservableType.EMAIL_ADDR: lambda n: f"sender-{n}@bad.example",
    ObservableType.EMAIL_SUBJECT: lambda n: f"Your invoice {n} is overdue",
    ObservableType.FILE_MD5: _digest("md5"),
    ObservableType.FILE_SHA1: _digest("sha1"),
    ObservableType.FILE_SHA256: _digest("sha256"),
    ObservableType.FILE_SHA512: _digest("sha512"),
    ObservableType.FILE_NAME: lambda n: f"invoice-{n}.exe",
    ObservableType.AUTONOMOUS_SYSTEM: lambda n: str(4_200_000_000 + n),
    ObservableType.USER_AGENT: lambda n: f"Mozilla/5.0 (compatible; sample {n})",
    ObservableType.X509_SHA1: _digest("sha1"),
    ObservableType.X509_SHA256: _digest("sha256"),
    ObservableType.MUTEX: lambda n: f"Global\\sample-{n}",
    ObservableType.REGISTRY_KEY: lambda n: f"HKEY_LOCAL_MACHINE\\Software\\Sample{n}",
    ObservableType.PROCESS_COMMAND: lambda n: f"sample.exe /quiet {n}",
}
_FIRST: Final[Mapping[ObservableType, Sequence[str]]] = {
    ObservableType.IPV4_ADDR: _FIRST_V4,
    ObservableType.IPV6_ADDR: _FIRST_V6,
    ObservableType.ENDPOINT: ("203.0.113.7:8443/tcp", "[2001:db8::7]:53/udp"),
    ObservableType.DOMAIN_NAME: ("bad.example", "*.worse.example", "xn--bcher-kva.example"),
    ObservableType.URL: ("http://bad.example/", "https://bad.example/a/b.php?x=1&y=2"),
}

_PLAIN_TEXTS: Final = (
    "# not a comment",
    "// nor this",
    "-rf",
    "--help",
    "*",
    "%s %n {} {{x}} ${HOME} $(reboot) @include",
    "semicolon; pipe | amp & <b>tag</b>",
    "back\\slash /regex/ ^caret$ [set] (group)",
    "caf\u00e9",
)
_QUOTES: Final = ("\"double\" 'single' ' or 1=1 --", "`reboot`", "a,b,c")
HOSTILE_TEXTS: Final = (
    *_PLAIN_TEXTS,
    *_QUOTES,
    "",
    " space before and after ",
    "two\nlines",
    "two\r\nlines",
    "a\ttab",
    "a\x00null",
    "an\x1bescape",
    "a\u2028separator",
    "a\x85next line",
    "caf\u00e9 \u202egnp.exe",
    "long " * 2000,
)
"""Texts that a mapped field may have: feeds write it, and its type allows any text."""

LOOKALIKES: Final = (
    *("8.8.8.8", "0.0.0.0/0", "::/0", "2130706433", "0x7f.1", "8.8.8.8 is down"),
    *("gov", "bad.example", "*.bad.example", "http://bad.example/", "bad.example/a"),
    *("sender@bad.example", "203.0.113.7:443/tcp", "15169", "AS15169", "any", "*", "?"),
    *("0" * 32, "d41d8cd98f00b204e9800998ecf8427e"),
)
"""Texts that a reader without types takes for an address, a name or everything."""

TEXT_TYPES: Final = frozenset(
    {
        ObservableType.EMAIL_SUBJECT,
        ObservableType.FILE_NAME,
        ObservableType.USER_AGENT,
        ObservableType.MUTEX,
        ObservableType.PROCESS_COMMAND,
    }
)
"""Types whose values may be any text."""

_HEX: Final = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_HOSTILE: Final[Mapping[ObservableType, Sequence[str]]] = {
    ObservableType.IPV4_ADDR: ("192.0.2.0", "192.0.2.255", "198.51.100.0/30"),
    ObservableType.IPV6_ADDR: ("2001:db8::", "2001:db8::ffff:c000:201", "2001:db8:2::/127"),
    ObservableType.ENDPOINT: ("203.0.113.7:1/tcp", "203.0.113.7:65535/udp", "[2001:db8::]:443/tcp"),
    ObservableType.DOMAIN_NAME: (
        "_dmarc.bad.example",
        "a--b.bad.example",
        "0.0.0.0.bad.example",
        "include.bad.example",
        "*.127.bad.example",
        f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 50}.example",
    ),
    ObservableType.URL: (
        "http://bad.example/*",
        "http://bad.example/*.*?*=*",
        "http://bad.example/?q=$(reboot)&r=!x;s=%22%0Aallow%20all%5E",
        "http://bad.example/[a-z]+(b)$",
        "http://bad.example/a//b/../c",
        "http://bad.example:8080/a",
        "https://bad.example/%00%0d%0a%23",
        "http://[2001:db8::7]/a",
        "http://bad.example/o'neil'--.php",
        "http://203.0.113.7/a",
        f"http://bad.example/{'a' * 2000}",
        f"http://bad.example/{'a' * 2000}b",
    ),
    ObservableType.EMAIL_ADDR: (
        "-option@bad.example",
        "*$%&@bad.example",
        "/root/x@bad.example",
        "a!b=c?^~+d@bad.example",
        "%s%n@bad.example",
        "o'brien`{x}|y#z@bad.example",
        '"a@good.example, b"@bad.example',
        '"*\\" or 1=1 --"@bad.example',
        "u@[192.0.2.1]",
        "u@[ipv6:2001:db8::7]",
        "j\u00fcrgen@bad.example",
    ),
    ObservableType.AUTONOMOUS_SYSTEM: ("1", "4294967294"),
    ObservableType.FILE_NAME: (*_PLAIN_TEXTS, *_QUOTES),
    ObservableType.MUTEX: (*_PLAIN_TEXTS, *_QUOTES),
    ObservableType.REGISTRY_KEY: tuple(f"HKEY_CURRENT_USER\\{text}" for text in _PLAIN_TEXTS),
}


def sample_values(kind: ObservableType) -> Iterator[str]:
    """Yield distinct, canonical, harmless values of one type, without end."""
    yield from _FIRST.get(kind, ())
    n = 0
    while True:
        n += 1
        yield _NTH[kind](n)


def hostile_values(kind: ObservableType) -> Sequence[str]:
    """Return values that are valid for their type and look like commands, comments or patterns."""
    if kind in _HOSTILE:
        return _HOSTILE[kind]
    algorithm = kind.value.rpartition("-")[2]
    if algorithm in _HEX:
        return ("0" * _HEX[algorithm], "f" * _HEX[algorithm], "e" + "0" * (_HEX[algorithm] - 1))
    return (*_PLAIN_TEXTS, *_QUOTES)
