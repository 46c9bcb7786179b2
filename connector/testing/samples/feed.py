"""The indicators that the demo explains: one for each reason why a claim is not enforced.

They are served together with those of `ais_like`, which have other values. Addresses and names are
reserved ones, so an allowlist has to leave out its `documentation` group. The few others are
examples of what an allowlist must refuse.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

import stix2

__all__ = ["MARKED_FOR_REVOCATION", "NEVER_STOPPED", "SHORT_LIVED", "Indicators", "on", "revoked"]

MARKED_FOR_REVOCATION: Final = "198.51.100.23"
SHORT_LIVED: Final = "flash.phish.example"
NEVER_STOPPED: Final = "8.8.8.8"

_IDS: Final = UUID("7c7a3d38-6f0c-4f0a-9d39-2f5a3c1f1a5e")
_TLP_2_0_RED: Final = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
_TLP_2_0_GREEN: Final = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
_YARA: Final = 'rule sample { strings: $a = "sample" condition: $a }'


def _identifier(kind: str, name: str) -> str:
    return f"{kind}--{uuid5(_IDS, name)}"


def _address(value: str) -> str:
    family = "ipv6" if ":" in value else "ipv4"
    return f"[{family}-addr:value = '{value}']"


def _domain(value: str) -> str:
    return f"[domain-name:value = '{value}']"


class Indicators:
    """Makes these indicators as of an instant, always with the same ids."""

    def __init__(self, now: datetime, short_life: timedelta = timedelta(seconds=12)) -> None:
        self._now = now
        self._short_life = short_life
        self._producer = stix2.Identity(
            id=_identifier("identity", "producer"), name="Sample ISAC",
            identity_class="organization", created=self._ago(90), modified=self._ago(90),
        )  # fmt: skip

    def all(self) -> list[stix2.Indicator | stix2.Identity | dict[str, Any]]:
        """Return indicators to enforce, and one for each reason not to."""
        return [self._producer, *self._enforced(), *self._refused(), *self._unread()]

    def _ago(self, days: float) -> datetime:
        return self._now - timedelta(days=days)

    def _make(self, name: str, pattern: str, **given: Any) -> stix2.Indicator:
        facts = {
            "created": self._ago(3), "modified": self._ago(3), "valid_from": self._ago(3),
            "pattern_type": "stix", "confidence": 80, "indicator_types": ["malicious-activity"],
            "object_marking_refs": [_TLP_2_0_GREEN],
        }  # fmt: skip
        return stix2.Indicator(
            id=_identifier("indicator", f"{name} {pattern}"), name=name, pattern=pattern,
            created_by_ref=self._producer.id, **{**facts, **given},
        )  # fmt: skip

    def _enforced(self) -> Iterator[stix2.Indicator]:
        for value in (MARKED_FOR_REVOCATION, "198.51.100.30"):
            yield self._make("command and control", _address(value))
        yield self._make("hijacked range", _address("203.0.113.128/26"))
        yield self._make("command and control", _address("2001:db8:bad::7"))
        yield self._make(
            "short campaign", _domain(SHORT_LIVED), valid_until=self._now + self._short_life
        )

    def _refused(self) -> Iterator[stix2.Indicator]:
        yield self._make("mistaken: a public resolver", _address(NEVER_STOPPED))
        yield self._make("mistaken: everybody's mail", _domain("gmail.com"))
        yield self._make("mistaken: private use", _address("10.20.30.40"))
        yield self._make("far too wide", _address("172.16.0.0/12"))
        yield self._make("last year's", _address("192.0.2.10"), valid_until=self._ago(1))
        yield self._make("next week's", _address("192.0.2.11"), valid_from=self._ago(-7))
        yield revoked(self._make("a false alarm", _address("192.0.2.12")), self._ago(2))
        yield self._make("a rumour", _address("192.0.2.13"), confidence=20)
        yield self._make("secret", _address("192.0.2.14"), object_marking_refs=[_TLP_2_0_RED])
        yield self._make("told twice", _address("198.51.100.30"), confidence=55)
        yield self._make("harmless scanner", _address("192.0.2.15"), indicator_types=["benign"])

    def _unread(self) -> Iterator[stix2.Indicator | dict[str, Any]]:
        both = "[ipv4-addr:value = '192.0.2.16'] AND [domain-name:value = 'cdn.shop.example']"
        yield self._make("needs more than the address", both)
        yield self._make("all but this one", "[ipv4-addr:value != '192.0.2.17']")
        yield self._make("a file rule", _YARA, pattern_type="yara")
        yield {
            "type": "indicator", "spec_version": "2.1",
            "id": _identifier("indicator", "broken"), "name": "no pattern, and no valid_from",
            "created": _written(self._now), "modified": _written(self._now),
        }  # fmt: skip


def revoked(found: stix2.Indicator, now: datetime) -> stix2.Indicator:
    """Return the version in which the producer revokes an indicator."""
    return stix2.versioning.new_version(found, revoked=True, modified=now)


def on(value: str, objects: Iterable[Any]) -> list[stix2.Indicator]:
    """Return the indicators whose pattern names exactly this value."""
    quoted = f"'{value}'"
    return [
        found for found in objects if isinstance(found, stix2.Indicator) and quoted in found.pattern
    ]


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
