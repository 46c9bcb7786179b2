"""Patterns as real feeds write them: the shapes, properties and dirt of feed.md sections 7 to 9.

Every value is reserved. The first 762 IPv4 addresses are from the documentation ranges, the
others from 240.0.0.0/4; lists of them need an allowlist without its groups `special_purpose` and
`documentation`.
"""

import random
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from itertools import accumulate
from typing import Final

_DOCUMENTATION: Final = ("203.0.113", "192.0.2", "198.51.100")
_HOSTS: Final = 254
_FIRST_IPV4: Final = int(IPv4Address("240.0.0.0"))
_FIRST_IPV6: Final = int(IPv6Address("2001:db8::"))

# Of 100,000 patterns in the corpus; the rest are single equalities.
_AND: Final = 850
_LIKE: Final = 50
_OBSERVATIONS: Final = 40
_OR_OF_ANDS: Final = 12
_ALL: Final = 100_000


class Patterns:
    """Draws patterns; no two have a value in common."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)  # noqa: S311 - the same feed for the same seed, no secret
        self._values = 0
        self._ipv4s = 0

    def of_kind(self, kinds: str) -> Callable[[], str]:
        """Return the function that draws patterns of one kind: `mixed`, `ipv4` or `ipv6`."""
        return {"mixed": self.mixed, "ipv4": self._ipv4, "ipv6": self._ipv6}[kinds]

    def mixed(self) -> str:
        """Return a pattern; shapes and properties are as frequent as in the corpus."""
        shape = self._draw.randrange(_ALL)
        if shape >= _AND + _LIKE + _OBSERVATIONS + _OR_OF_ANDS:
            return self._single()
        if shape < _AND:
            return self._draw.choice(_ANDS)(self)
        if shape < _AND + _LIKE:
            return f"[domain-name:value LIKE '%.{self._name()}']"
        if shape < _AND + _LIKE + _OBSERVATIONS:
            return f"{self._domain()} AND {self._sha256()}"
        hashed = f"file:name = '{self._file()}' AND file:hashes.MD5 = '{self._digest(32)}'"
        return f"[({hashed}) OR domain-name:value = '{self._name()}']"

    def composed(self) -> str:
        """Return a pattern of a shape that only hand-written and government content has."""
        return self._draw.choice(_COMPOSED)(self)

    def dirty(self) -> str:
        """Return a pattern whose value does not fit its property."""
        return self._draw.choice(_DIRTY)(self)

    def _single(self) -> str:
        return self._draw.choices(_SINGLES, cum_weights=_WEIGHTS)[0](self)

    def _next(self) -> int:
        self._values += 1
        return self._values

    def _name(self) -> str:
        return f"h{self._next():x}.bad{self._draw.randrange(1 << 20):x}.example"

    def _file(self) -> str:
        return f"f{self._next():x}.bin"

    def _digest(self, length: int) -> str:
        return f"{self._draw.getrandbits(4 * length - 32):0{length - 8}x}{self._next():08x}"

    def _address(self) -> str:
        number = self._ipv4s
        self._ipv4s += 1
        if number < _HOSTS * len(_DOCUMENTATION):
            return f"{_DOCUMENTATION[number // _HOSTS]}.{number % _HOSTS + 1}"
        return str(IPv4Address(_FIRST_IPV4 + number * 7 + 1))

    def _domain(self) -> str:
        return f"[domain-name:value = '{self._name()}']"

    def _sha256(self) -> str:
        return f"[file:hashes.'SHA-256' = '{self._digest(64)}']"

    def _weaker_digest(self) -> str:
        name, length = self._draw.choice((("MD5", 32), ("'SHA-1'", 40), ("'SHA-512'", 128)))
        return f"[file:hashes.{name} = '{self._digest(length)}']"

    def _url(self) -> str:
        scheme = "" if self._draw.random() < 0.37 else self._draw.choice(("http://", "https://"))
        path = "" if self._draw.random() < 0.05 else f"a/{self._draw.randrange(1 << 20):x}"
        return f"[url:value = '{scheme}{self._name()}/{path}']"

    def _ipv4(self) -> str:
        return f"[ipv4-addr:value = '{self._address()}']"

    def _ipv6(self) -> str:
        return f"[ipv6-addr:value = '{IPv6Address(_FIRST_IPV6 + (self._next() << 16) + 1)}']"

    def _file_name(self) -> str:
        return f"[file:name = '{self._file()}']"

    def _process(self) -> str:
        return f"[process:command_line = 'run {self._file()} -q']"

    def _key(self) -> str:
        key = f"HKEY_CURRENT_USER\\\\Software\\\\k{self._next():x}"
        return f"[windows-registry-key:key = '{key}']"

    def _sender(self) -> str:
        return f"[email-message:sender_ref.value = 'invoice@{self._name()}']"

    def _certificate(self) -> str:
        return f"[x509-certificate:hashes.'SHA-1' = '{self._digest(40)}']"

    def _custom(self) -> str:
        return f"[app:id = 'example.app{self._next():x}']"

    def _guarded(self) -> str:
        kind = "network-traffic:dst_ref.type = 'ipv4-addr'"
        return f"[{kind} AND network-traffic:dst_ref.value = '{self._address()}']"

    def _two_digests(self) -> str:
        weak = f"file:hashes.MD5 = '{self._digest(32)}'"
        return f"[{weak} AND file:hashes.'SHA-256' = '{self._digest(64)}']"

    def _named_digest(self) -> str:
        return f"[file:name = '{self._file()}' AND file:hashes.MD5 = '{self._digest(32)}']"

    def _tuple(self) -> str:
        port = f"network-traffic:dst_port = {self._draw.randrange(1024, 65536)}"
        return f"[network-traffic:dst_ref.value = '{self._address()}' AND {port}]"

    def _resolving(self) -> str:
        address = f"domain-name:resolves_to_refs[*].value = '{self._address()}'"
        return f"[domain-name:value = '{self._name()}' AND {address}]"

    def _named_like(self) -> str:
        return f"[file:name LIKE '{self._file()}%' AND file:parent_directory_ref.path = '/tmp']"

    def _several(self) -> str:
        return f"[domain-name:value IN ('{self._name()}', '{self._name()}', '{self._name()}')]"

    def _either(self) -> str:
        return f"[domain-name:value = '{self._name()}' OR ipv4-addr:value = '{self._address()}']"

    def _observed_either(self) -> str:
        return f"{self._domain()} OR {self._sha256()}"

    def _subset(self) -> str:
        return f"[ipv6-addr:value ISSUBSET '2001:db8:{self._next() % 65536:x}::/48']"

    def _matching(self) -> str:
        return f"[domain-name:value MATCHES '^{self._name()}$']"

    def _followed(self) -> str:
        return f"{self._domain()} FOLLOWEDBY {self._sha256()} WITHIN 300 SECONDS"

    def _repeated(self) -> str:
        return f"{self._domain()} REPEATS 5 TIMES"

    def _negated(self) -> str:
        return f"[domain-name:value NOT IN ('{self._name()}')]"

    def _unequal(self) -> str:
        return f"[domain-name:value != '{self._name()}']"

    def _large(self) -> str:
        return f"[file:size > {self._next()}]"

    def _defanged(self) -> str:
        return f"[domain-name:value = '{self._name().replace('.', '[.]')}']"

    def _shouted(self) -> str:
        return f"[domain-name:value = '{self._name().upper()}.']"

    def _program(self) -> str:
        return f"[domain-name:value = 'setup{self._next():x}.exe']"

    def _address_as_name(self) -> str:
        return f"[domain-name:value = '{self._address()}']"

    def _wrong_digest(self) -> str:
        return f"[file:hashes.MD5 = '{self._digest(64)}']"

    def _bare_label(self) -> str:
        return f"[domain-name:value = 'label{self._next():x}']"

    def _broken(self) -> str:
        return f"[domain-name:value = '{self._name()}"


_Draw = Callable[[Patterns], str]
# How often the corpus compares each property for equality, of 16,500.
_EQUALITIES: Final[dict[_Draw, int]] = {
    Patterns._domain: 7128,
    Patterns._sha256: 6443,
    Patterns._weaker_digest: 19,
    Patterns._url: 1418,
    Patterns._ipv4: 520,
    Patterns._ipv6: 136,
    Patterns._file_name: 371,
    Patterns._process: 322,
    Patterns._key: 122,
    Patterns._sender: 84,
    Patterns._certificate: 42,
    Patterns._custom: 40,
}
_SINGLES: Final = tuple(_EQUALITIES)
_WEIGHTS: Final = tuple(accumulate(_EQUALITIES.values()))
_ANDS: Final[tuple[_Draw, ...]] = (
    Patterns._guarded, Patterns._two_digests, Patterns._named_digest, Patterns._tuple,
    Patterns._resolving, Patterns._named_like,
)  # fmt: skip
_COMPOSED: Final[tuple[_Draw, ...]] = (
    Patterns._several, Patterns._either, Patterns._observed_either, Patterns._subset,
    Patterns._matching, Patterns._followed, Patterns._repeated, Patterns._negated,
    Patterns._unequal, Patterns._large,
)  # fmt: skip
_DIRTY: Final[tuple[_Draw, ...]] = (
    Patterns._defanged, Patterns._shouted, Patterns._program, Patterns._address_as_name,
    Patterns._wrong_digest, Patterns._bare_label, Patterns._broken,
)  # fmt: skip
