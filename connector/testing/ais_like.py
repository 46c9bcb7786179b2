"""A feed as CISA AIS gives one: its mix of patterns, markings, opinions and dirt; seed and size.

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
_ACS_ID: Final = "75ad3822-3fbe-4de8-ac94-f02f01bf778b"
_ACS: Final = (
    '{"type":"marking-definition","spec_version":"2.1",'
    f'"id":"marking-definition--{_ACS_ID}",'
    '"created":"2026-01-05T00:00:00.000Z","extensions":'
    '{"extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce":'
    '{"extension_type":"property-extension",'
    '"identifier":"isa:guide.19001.ACS3-00000000-0000-4000-8000-000000000001",'
    '"create_date_time":"2026-01-05T00:00:00Z",'
    '"responsible_entity_custodian":"USA.DHS.US-CERT",'
    '"policy_reference":"urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=deny",'
    '"access_privilege":[{"privilege_action":"CISAUSES","rule_effect":"permit",'
    '"privilege_scope":{"permitted_nationalities":["ALL"],"permitted_organizations":["ALL"]}}],'
    '"control_set":{"classification":"U","formal_determination":["AIS","FOUO"]}}}}'
).encode()
_OPINION: Final = (
    b'{"type":"opinion","spec_version":"2.1","id":"opinion--%s","created":"%s","modified":"%s",'
    b'"created_by_ref":"identity--00000000-0000-4000-8000-000000000100","opinion":"%s",'
    b'"object_refs":["%s"]}'
)
_INDICATES: Final = (
    b'{"type":"relationship","spec_version":"2.1","id":"relationship--%s","created":"%s",'
    b'"modified":"%s","relationship_type":"indicates","source_ref":"%s",'
    b'"target_ref":"malware--%s"}'
)
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


def whole_feed(size: int, seed: int = 1) -> Iterator[bytes]:
    """Yield a feed of so many indicators with all that comes with them, in order of arrival.

    Identities and an ACS marking first. Of a hundred indicators every one bears the marking, fifty
    have an opinion, ten point to malware, three come again in a newer version, one is taken back,
    and one is dirt: not JSON of STIX's form, or a file name where a domain should be.
    """
    draw = random.Random(seed)  # noqa: S311 - the same feed for the same seed, no secret
    yield from (_identity(number) for number in range(_PRODUCERS))
    yield from (_malware(number) for number in range(1, 20))
    yield _ACS
    marking = b'","marking-definition--' + _ACS_ID.encode() + b'"]'
    for number, plain in enumerate(indicators(size, seed)):
        raw = plain.replace(b'"]}', marking + b"}") if plain.endswith(b'"]}') else plain
        yield _dirt(draw, number) if draw.random() < 0.01 else raw
        yield from _company(draw, raw, number)


def _company(draw: random.Random, raw: bytes, number: int) -> Iterator[bytes]:
    """Yield what follows an indicator: opinion, relationship, newer version, revocation."""
    subject = raw.partition(b'"id":"')[2].partition(b'"')[0]
    when = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=number)
    stamp = _text(when).encode()
    if draw.random() < 0.5:
        word = (b"agree", b"neutral", b"strongly-agree", b"disagree")[draw.randrange(4)]
        yield _OPINION % (_uuid(draw.getrandbits(128)).encode(), stamp, stamp, word, subject)
    if draw.random() < 0.1:
        target = _uuid(draw.randrange(1, 20)).encode()
        yield _INDICATES % (_uuid(draw.getrandbits(128)).encode(), stamp, stamp, subject, target)
    if draw.random() < 0.03:
        yield raw.replace(raw[raw.index(b'"modified"') :][:37], b'"modified":"' + stamp + b'"', 1)
    if draw.random() < 0.01:
        yield revoked(raw, when + timedelta(seconds=1))


def _identity(number: int) -> bytes:
    country = ("US", "KR", "JP", "AU")[number % 4]
    return (
        f'{{"type":"identity","spec_version":"2.1","id":"identity--{_uuid(number << 8)}",'
        '"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z",'
        f'"name":"Producer {number} in {country}","identity_class":"organization",'
        '"labels":["ais-consent-everyone"]}'
    ).encode()


def _malware(number: int) -> bytes:
    return (
        f'{{"type":"malware","spec_version":"2.1","id":"malware--{_uuid(number)}",'
        '"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z",'
        f'"name":"Family {number}","is_family":true}}'
    ).encode()


def _dirt(draw: random.Random, number: int) -> bytes:
    if draw.random() < 0.5:
        return b'{"type":"indicator","id":"indicator--%d","pattern":17}' % number
    return (
        b'{"type":"indicator","spec_version":"2.1","id":"indicator--'
        + _uuid(draw.getrandbits(128)).encode()
        + b'","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z",'
        b'"pattern":"[domain-name:value = \'setup%d.exe\']","pattern_type":"stix",'
        b'"valid_from":"2026-01-01T00:00:00Z"}' % number
    )


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
