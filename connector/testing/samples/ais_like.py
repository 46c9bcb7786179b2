"""A feed like that of CISA AIS: indicators, markings, opinions, revocations, updates and dirt.

The same seed, size and start give the same bytes.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from connector.testing.samples.ais_patterns import Patterns

_START: Final = datetime(2025, 1, 1, tzinfo=UTC)
_SPREAD_SECONDS: Final = 20_000_000
_PRODUCERS: Final = 40
_TLP: Final = (
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
)
# Markings of a whole feed: TLP 2.0 too, and sometimes one that no list may accept.
_TLP_TOO: Final = (
    *_TLP * 30,
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
    "marking-definition--00000000-0000-4000-8000-00000000dead",
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
_SIGHTING: Final = (
    b'{"type":"sighting","spec_version":"2.1","id":"sighting--%s","created":"%s","modified":"%s",'
    b'"last_seen":"%s","sighting_of_ref":"%s"}'
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
    size: int, seed: int = 1, *, kinds: str = "mixed", start: datetime = _START
) -> Iterator[bytes]:
    """Yield indicators as raw JSON, a second apart; `kinds` is `mixed`, `ipv4` or `ipv6`.

    The mix is that of real feeds: 99 of a hundred patterns are a single equality, mostly of a
    domain or a file's SHA-256. No two have the same observable.
    """
    draw = random.Random(seed)  # noqa: S311 - the same feed for the same seed, no secret
    pattern = Patterns(seed).of_kind(kinds)
    for number in range(size):
        yield _indicator(draw, number, pattern(), _at(start, number), _TLP)


def whole_feed(size: int, seed: int = 1, *, start: datetime = _START) -> Iterator[bytes]:
    """Yield a feed of so many indicators and the objects around them, in order of arrival.

    Identities, families and an ACS marking come first. Of a hundred indicators all have that
    marking beside their TLP, fifty have an opinion, ten point to malware, five repeat another's
    pattern, three are updated, one is sighted, one is revoked, one has an end, one is dirt, and one
    in two hundred has a shape that only hand-written content has. Sometimes a revocation comes
    before its indicator.
    """
    draw = random.Random(seed)  # noqa: S311 - the same feed for the same seed, no secret
    patterns = Patterns(seed)
    yield from (_identity(number) for number in range(_PRODUCERS))
    yield from (_malware(number) for number in range(1, 20))
    yield _ACS
    told = patterns.mixed()
    for number in range(size):
        at = _at(start, number)
        chance = draw.random()
        if chance < 0.005:
            yield _malformed(draw, number, at)
            continue
        pattern = _drawn(patterns, told, chance)
        told = pattern if chance > 0.1 else told
        ends = _at(start, number + _SPREAD_SECONDS) if draw.random() < 0.01 else ""
        raw = _indicator(draw, number, pattern, at, _TLP_TOO, ends, acs=True)
        if draw.random() < 0.001:
            yield revoked(raw, start + timedelta(seconds=number + 1))
        yield raw
        yield from _followers(draw, raw, start + timedelta(seconds=number))


def _drawn(patterns: Patterns, told: str, chance: float) -> str:
    if chance < 0.01:
        return patterns.dirty()
    if chance < 0.015:
        return patterns.composed()
    return told if chance < 0.065 else patterns.mixed()


def _indicator(
    draw: random.Random,
    number: int,
    pattern: str,
    at: str,
    markings: tuple[str, ...],
    ends: str = "",
    *,
    acs: bool = False,
) -> bytes:
    if "\\" in pattern:
        pattern = pattern.replace("\\", "\\\\")
    marking = markings[draw.randrange(len(markings))]
    raw = _OBJECT % (
        _uuid(draw.getrandbits(128)),
        _uuid(draw.randrange(_PRODUCERS) << 8),
        at,
        at,
        number,
        _TYPES[0 if draw.random() < 0.9 else draw.randrange(1, len(_TYPES))],
        pattern,
        at,
        draw.randrange(30, 100),
        f'{marking}","marking-definition--{_ACS_ID}' if acs else marking,
        f',"valid_until":"{ends}"' if ends else "",
    )
    return raw.encode()


def _followers(draw: random.Random, raw: bytes, when: datetime) -> Iterator[bytes]:
    """Yield what follows an indicator: opinion, relationship, sighting, update, revocation."""
    subject = raw.partition(b'"id":"')[2].partition(b'"')[0]
    stamp = _text(when + timedelta(seconds=2)).encode()
    if draw.random() < 0.5:
        word = (b"agree", b"neutral", b"strongly-agree", b"disagree")[draw.randrange(4)]
        yield _OPINION % (_uuid(draw.getrandbits(128)).encode(), stamp, stamp, word, subject)
    if draw.random() < 0.1:
        target = _uuid(draw.randrange(1, 20)).encode()
        yield _INDICATES % (_uuid(draw.getrandbits(128)).encode(), stamp, stamp, subject, target)
    if draw.random() < 0.01:
        seen = _uuid(draw.getrandbits(128)).encode()
        yield _SIGHTING % (seen, stamp, stamp, stamp, subject)
    if draw.random() < 0.03:
        yield raw.replace(raw[raw.index(b'"modified"') :][:37], b'"modified":"' + stamp + b'"', 1)
    if draw.random() < 0.01:
        yield revoked(raw, when + timedelta(seconds=3))


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


def _malformed(draw: random.Random, number: int, at: str) -> bytes:
    """Return an indicator that is not valid STIX, or has a pattern of another language."""
    head = '{"type":"indicator","spec_version":"2.1","id":"indicator--%s","created":"%s"'
    head = head % (_uuid(draw.getrandbits(128)), at)
    kind = draw.randrange(4)
    if kind == 0:
        return b'{"type":"indicator","id":"indicator--%d","pattern":17}' % number
    if kind == 1:
        return f'{head},"modified":"yesterday","pattern_type":"stix"}}'.encode()
    pattern = f"[domain-name:value = 'm{number:x}.bad.example']"
    if kind == 2:  # without its valid_from
        rest = f'"modified":"{at}","pattern":"{pattern}","pattern_type":"stix"'
        return f"{head},{rest}}}".encode()
    rest = f'"modified":"{at}","valid_from":"{at}","pattern_type":"yara"'
    return f'{head},{rest},"pattern":"rule r{number} {{condition: true}}"}}'.encode()


def revoked(raw: bytes, when: datetime) -> bytes:
    """Return the version of an indicator that revokes it."""
    head, _, rest = raw.partition(b'"modified":"')
    _old, _, tail = rest.partition(b'"')
    stamp = _text(when).encode()
    return head + b'"modified":"' + stamp + b'"' + tail[:-1] + b',"revoked":true}'


def _at(start: datetime, number: int) -> str:
    return _text(start + timedelta(seconds=number % (2 * _SPREAD_SECONDS)))


def _uuid(bits: int) -> str:
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


def _text(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
