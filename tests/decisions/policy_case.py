"""A list's policy and claims as decide gets them, each given only what a case is about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.decisions.decide import ClaimRow
from connector.decisions.selection import FeedDefaults, IndicatorAttributes, Select
from connector.decisions.verdict import ListPolicy
from connector.model import Observable, ObservableType, Purpose, RuleLanguage, Tlp

ADDRESS = Observable(ObservableType.IPV4_ADDR, "198.51.100.7")
NOW = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Protection:
    group: str
    value: str
    until: datetime | None = None


@dataclass(frozen=True)
class Allowlist:
    """Protects everything until an instant; nothing when it has none."""

    until: int | None = None
    for_ever: bool = False

    def protects(self, observable: Observable, now: datetime) -> Protection | None:
        if self.for_ever:
            return Protection("site", observable.value)
        if self.until is None or now >= at(self.until):
            return None
        return Protection("exceptions", observable.value, at(self.until))


def at(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def claim(number: int = 1, **fields: Any) -> ClaimRow:
    """Return an enforceable claim of a current, valid indicator of feed 1."""
    said = {
        "kind": 0, "feed": 1, "state": 0, "modified": 0, "valid_from": 0, "valid_until": None,
        "confidence": None, "attributes": 1,
    }  # fmt: skip
    return ClaimRow(number=number, **(said | fields))


def policy(
    *,
    purpose: Purpose = Purpose.BLOCK,
    select: Select | None = None,
    max_tlp: Tlp = Tlp.AMBER,
    rank_by: tuple[str, ...] = ("confidence", "newest"),
    defaults: Mapping[int, FeedDefaults] | None = None,
    attributes: Mapping[int, IndicatorAttributes] | None = None,
    levels: Mapping[IndicatorAttributes, Tlp] | None = None,
    level: Callable[[IndicatorAttributes, int], tuple[Tlp, str]] | None = None,
    allowlist: Allowlist | None = None,
    rules: frozenset[RuleLanguage] = frozenset(),
) -> ListPolicy:
    """Return a policy that takes everything, but for what is given."""
    known = attributes or {1: IndicatorAttributes()}
    found = levels or {}
    return ListPolicy(
        name="perimeter", purpose=purpose, select=select or Select(), max_tlp=max_tlp,
        rank_by=rank_by, defaults=defaults or {1: FeedDefaults("ais"), 2: FeedDefaults("isac")},
        attributes=known.__getitem__,
        level=level or (lambda each, _feed: (found.get(each, Tlp.GREEN), "")),
        allowlist=allowlist or Allowlist(), rules=rules,
    )  # fmt: skip
