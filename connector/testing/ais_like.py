"""A feed as CISA AIS gives one: its mix of patterns, its fields, a seed and a size.

Every value is reserved: addresses of 240.0.0.0/4 and 2001:db8::/32, names under .example. Lists
that are to hold them except the groups `special_purpose` and `documentation` of the allowlist.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Final

_FIRST_IPV4: Final = int(IPv4Address("240.0.0.0"))
_FIRST_IPV6: Final = int(IPv6Address("2001:db8::"))
_PRODUCERS: Final = 40
_TLP: Final = (
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
)
_TYPES: Final = ("malicious-activity", "anomalous-activity", "compromised", "attribution")
_OBJECT: Final = (
    '{"type":"indicator","spec_version":"2.1","id":"indicator--%s",'
    '"created_by_ref":"identity--%s","created":"%s","modified":"%s",'
    '"name":"Suspicious host %d","description":"Observed as infrastructure of an intrusion set; '
    "shared for defensive use within the receiving organisation. Reported by automated analysis "
    'and reviewed before release.","indicator_types":["%s"],'
    '"labels":["cisa-proprietary-false"],"pattern":"%s","pattern_type":"stix",'
    '"pattern_version":"2.1","valid_from":"%s","confidence":%d,'
    '"object_marking_refs":["%s"]%s}'
)


def indicators(
    size: int, seed: int = 1, *, kinds: str = "mixed", start: datetime | None = None
) -> Iterator[bytes]:
    """Yield indicators as raw JSON; `kinds` is `mixed`, `ipv4` or `ipv6`.

    The mix is that of real feeds: mostly single equalities of domains, file hashes, URLs and
    addresses, one in a hundred a combination. Each bears one observable that no other has.
    """
    draw = random.Random(seed)  # noqa: S311 - the same feed for the same seed, no secret
    first = start or datetime(2026, 1, 1, tzinfo=UTC)
    pattern = _PATTERNS[kinds]
    for number in range(size):
        at = _text(first + timedelta(seconds=number % 20_000_000))
        yield (
            _OBJECT
            % (
                _uuid(draw.getrandbits(128)),
                _uuid(draw.randrange(_PRODUCERS) << 8),
                at,
                at,
                number,
                _TYPES[0 if draw.random() < 0.9 else draw.randrange(1, len(_TYPES))],
                pattern(draw, number),
                at,
                draw.randrange(30, 100),
                _TLP[draw.randrange(len(_TLP))],
                "",
            )
        ).encode()


def revoked(raw: bytes, when: datetime) -> bytes:
    """Return the version of an indicator that takes it back."""
    head, _, rest = raw.partition(b'"modified":"')
    _old, _, tail = rest.partition(b'"')
    stamp = _text(when).encode()
    return head + b'"modified":"' + stamp + b'"' + tail[:-1] + b',"revoked":true}'


def _mixed(draw: random.Random, number: int) -> str:
    kind = draw.random()
    if kind < 0.43:
        return f"[domain-name:value = 'h{number:x}.bad{draw.randrange(1 << 20):x}.example']"
    if kind < 0.80:
        return f"[file:hashes.'SHA-256' = '{draw.getrandbits(232):058x}{number:06x}']"
    if kind < 0.89:
        return f"[url:value = 'http://h{number:x}.example/a/{draw.randrange(1 << 20):x}']"
    if kind < 0.96:
        return _ipv4(draw, number)
    if kind < 0.99:
        return _ipv6(draw, number)
    return (
        f"[file:name = 'f{number}.exe' AND file:hashes.MD5 = '{draw.getrandbits(104):026x}"
        f"{number:06x}']"
    )


def _ipv4(_draw: random.Random, number: int) -> str:
    return f"[ipv4-addr:value = '{IPv4Address(_FIRST_IPV4 + number * 7 + 1)}']"


def _ipv6(_draw: random.Random, number: int) -> str:
    return f"[ipv6-addr:value = '{IPv6Address(_FIRST_IPV6 + (number << 16) + 1)}']"


_PATTERNS: Final[dict[str, Callable[[random.Random, int], str]]] = {
    "mixed": _mixed,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
}


def _uuid(bits: int) -> str:
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


def _text(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
