"""The feed made for tests, demo and benchmarks is what real feeds are (feed.md sections 7 to 9)."""

import re
from collections import Counter
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from itertools import islice

import msgspec
import pytest
import stix2
from stix2patterns.validator import run_validator

from connector.indicators.pattern.reader import read_pattern
from connector.model import ObservableType, Reason
from connector.testing.samples.ais_like import indicators, whole_feed
from connector.testing.samples.ais_patterns import Patterns

RESERVED = [
    ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
SIZE = 20_000


@pytest.fixture(scope="module")
def patterns() -> list[str]:
    """The patterns of plain indicators."""
    return [msgspec.json.decode(raw)["pattern"] for raw in indicators(SIZE)]


@pytest.mark.parametrize("make", [indicators, whole_feed])
def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(make) -> None:
    assert list(make(500, 7)) == list(make(500, 7))
    assert list(make(500, 7)) != list(make(500, 8))
    assert list(islice(make(10**9, 7), 500)) == list(islice(make(500, 7), 500))


def test_shapes_are_as_frequent_as_in_the_corpus(patterns: list[str]) -> None:
    single = [text for text in patterns if re.fullmatch(r"\[[^=]+ = '[^']*'\]", text)]
    assert 0.987 < len(single) / SIZE < 0.993
    joined = [text for text in patterns if " AND " in text and " OR " not in text]
    assert 0.006 < len(joined) / SIZE < 0.012
    assert any(" LIKE '%." in text for text in patterns)
    assert any("] AND [" in text for text in patterns)
    assert any(" OR " in text for text in patterns)


def test_properties_are_as_frequent_as_in_the_corpus(patterns: list[str]) -> None:
    paths = Counter(text[1:].split(" = ")[0] for text in patterns)
    corpus = {
        "domain-name:value": 7128, "file:hashes.'SHA-256'": 6443, "url:value": 1418,
        "ipv4-addr:value": 520, "file:name": 371, "process:command_line": 322,
    }  # fmt: skip
    for path, count in corpus.items():
        assert paths[path] / SIZE == pytest.approx(count / 16_529, rel=0.2), path
    urls = [text for text in patterns if text.startswith("[url:value")]
    without = [text for text in urls if "://" not in text]
    assert 0.32 < len(without) / len(urls) < 0.42


def test_every_pattern_is_valid_but_those_that_shall_not_be(patterns: list[str]) -> None:
    for text in patterns[:: len(patterns) // 300]:
        assert run_validator(text, stix_version="2.1") == [], text
    made = Patterns(1)
    for text in (made.composed() for _ in range(100)):
        assert run_validator(text, stix_version="2.1") == [], text


def test_no_two_indicators_speak_of_one_observable_and_all_values_are_reserved(
    patterns: list[str],
) -> None:
    found = Counter(
        claim.observable for text in patterns for claim in read_pattern(text) if claim.observable
    )
    assert set(found.values()) == {1}
    addresses = [
        each.value for each in found if each.type in (ObservableType.IPV4_ADDR, "ipv6-addr")
    ]
    assert addresses
    ipv4s = [value for value in addresses if ":" not in value]
    scarce = [value for value in ipv4s if value.startswith(("24", "25"))]
    assert len(ipv4s) - len(scarce) <= 762
    for value in set(addresses) - set(scarce):
        network = ip_network(value)
        assert any(
            network.version == each.version and network.subnet_of(each) for each in RESERVED
        ), value
    assert all(ip_address(value) in ip_network("240.0.0.0/4") for value in scarce)
    for each in found:
        if each.type in (ObservableType.DOMAIN_NAME, ObservableType.URL, ObservableType.EMAIL_ADDR):
            host = re.sub(r"^[a-z]+://|^.*@", "", each.value).partition("/")[0]
            assert host.endswith(".example"), each.value


def test_a_whole_feed_brings_all_that_a_real_one_brings() -> None:
    start = datetime(2025, 3, 1, tzinfo=UTC)
    objects = [msgspec.json.decode(raw) for raw in whole_feed(SIZE, start=start)]
    kinds = Counter(found["type"] for found in objects)
    assert set(kinds) == {
        "indicator", "opinion", "relationship", "sighting", "identity", "malware",
        "marking-definition",
    }  # fmt: skip
    assert 0.45 < kinds["opinion"] / SIZE < 0.55
    said = [found for found in objects if found["type"] == "indicator"]
    ids = Counter(found["id"] for found in said)
    assert 0.03 < sum(count > 1 for count in ids.values()) / SIZE < 0.05, "updates, revocations"
    assert 0.008 < sum("revoked" in found for found in said) / SIZE < 0.014
    told = Counter(str(found.get("pattern")) for found in said if "revoked" not in found)
    assert sum(count > 1 for count in told.values()) / SIZE > 0.03, "the same under several ids"
    assert sum("valid_until" in found for found in said) / SIZE < 0.02
    unread = [found for found in said if not isinstance(found.get("pattern"), str)]
    assert unread, "dirt"
    assert {found.get("pattern_type") for found in said} >= {"stix", "yara"}
    assert any(_fails(str(found.get("pattern", ""))) for found in said if found not in unread)
    stamps = [found["created"] for found in said if "created" in found]
    assert min(stamps).startswith("2025-03-01T00:00:00")
    assert max(stamps) < "2025-03-02"


def test_stix2_takes_every_object_that_is_not_dirt() -> None:
    """It takes milliseconds for each, so what makes millions writes them without it."""
    refused = []
    for raw in whole_feed(300):
        try:
            stix2.parse(raw, allow_custom=True)
        except (stix2.exceptions.STIXError, ValueError):
            refused.append(msgspec.json.decode(raw))
    assert 0 < len(refused) < 10
    for found in refused:
        assert found["type"] == "indicator"
        assert len(found) < 9 or _fails(found["pattern"]), found


def _fails(pattern: str) -> bool:
    return any(claim.reason is Reason.UNREADABLE for claim in read_pattern(pattern))
