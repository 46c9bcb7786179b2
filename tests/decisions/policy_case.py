"""A list's policy and claims as decide gets them, each given only what a case is about.

Markings, allowlist and selection are the real ones: what a case decides, the service decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connector.decisions import explain
from connector.decisions.allowlist.allowlist import Allowlist, ExceptionRule
from connector.decisions.allowlist.groups import BuiltinGroup
from connector.decisions.decide import Decision, Verdicts, decide, needs_verdict, verdict_key
from connector.decisions.policy import ListPolicy
from connector.decisions.records import ClaimRow
from connector.decisions.selection import FeedDefaults, IndicatorAttributes, Select
from connector.decisions.verdict import Background, verdict_on
from connector.indicators.markings.acs_policy import Organisation
from connector.indicators.markings.applied import Viewer
from connector.indicators.markings.definition import KnownMarking
from connector.instants import NEVER, to_datetime
from connector.model import (
    Audience,
    Observable,
    ObservableType,
    Purpose,
    Reason,
    RuleLanguage,
    Subject,
    Tlp,
)

ADDRESS = Observable(ObservableType.IPV4_ADDR, "198.51.100.7")
NOW = 1_000_000
# The markings of TLP 2.0, by level.
MARKINGS = {
    Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    Tlp.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}


def marked(level: Tlp, **said: Any) -> IndicatorAttributes:
    """Return attributes that bear the TLP marking of a level."""
    return IndicatorAttributes(markings=(MARKINGS[level],), **said)


def protecting(until: int = NEVER) -> Allowlist:
    """Return an allowlist with one exception, for the address of all cases."""
    rule = ExceptionRule(ADDRESS.value, until=None if until == NEVER else to_datetime(until))
    return Allowlist.build(without=tuple(BuiltinGroup), exceptions=[rule])


NOTHING_PROTECTED = Allowlist.build(without=tuple(BuiltinGroup))


def claim(number: int = 1, **fields: Any) -> ClaimRow:
    """Return an enforceable claim of a current, valid indicator of feed 1."""
    said = {
        "kind": 0, "feed": 1, "state": 0, "modified": 0, "valid_from": 0, "valid_until": None,
        "confidence": None, "attributes": 1,
    }  # fmt: skip
    return ClaimRow(number=number, **(said | fields))


@dataclass(frozen=True)
class Listed:
    """A list with all that its decisions take: attributes by number, and markings by id."""

    policy: ListPolicy
    attributes: Mapping[int, IndicatorAttributes]
    allowlist: Allowlist
    markings: Mapping[str, KnownMarking] = field(default_factory=dict)

    def verdicts(self, claims: Sequence[ClaimRow], now: int) -> Verdicts:
        """Return the verdicts on those claims that need one, and no others."""
        return {
            verdict_key(each): verdict_on(self._background(each), self.policy, now)
            for each in claims
            if needs_verdict(each, self.policy, now)
        }

    def _background(self, said: ClaimRow) -> Background:
        defaults = self.policy.defaults[said.feed]
        return Background(self.attributes[said.attributes], defaults, self.markings)

    def decide(self, subject: Subject, claims: Sequence[ClaimRow], now: int) -> Decision:
        """Return what `decide` answers."""
        verdicts = self.verdicts(claims, now)
        return decide(subject, claims, verdicts, self.allowlist, self.policy, now)

    def explain(self, subject: Subject, said: ClaimRow, now: int) -> tuple[Reason, str]:
        """Return one claim's reason by itself, and in words."""
        return explain.explain(subject, said, self.verdicts([said], now), self.policy, now)

    def explain_all(
        self, subject: Subject, claims: Sequence[ClaimRow], now: int
    ) -> list[tuple[Reason, str]]:
        """Return each claim's reason beside the others, and in words."""
        verdicts = self.verdicts(claims, now)
        return explain.explain_all(subject, claims, verdicts, self.allowlist, self.policy, now)


def listed(
    *,
    purpose: Purpose = Purpose.BLOCK,
    select: Select | None = None,
    max_tlp: Tlp = Tlp.AMBER,
    unmarked: Tlp = Tlp.GREEN,
    rank_by: tuple[str, ...] = ("confidence", "newest"),
    defaults: Mapping[int, FeedDefaults] | None = None,
    attributes: Mapping[int, IndicatorAttributes] | None = None,
    markings: Mapping[str, KnownMarking] | None = None,
    allowlist: Allowlist = NOTHING_PROTECTED,
    rules: frozenset[RuleLanguage] = frozenset(),
) -> Listed:
    """Return a list of our own that takes everything, but for what is given.

    What bears no marking counts as `unmarked`, whichever feed it is of.
    """
    feeds = defaults or {1: FeedDefaults("ais"), 2: FeedDefaults("isac")}
    policy = ListPolicy(
        name="perimeter", purpose=purpose, select=select or Select(),
        viewer=Viewer(Organisation(), Audience.OWN, max_tlp), rank_by=rank_by, rules=rules,
        defaults={number: replace(feed, unmarked=unmarked) for number, feed in feeds.items()},
    )  # fmt: skip
    return Listed(policy, attributes or {1: IndicatorAttributes()}, allowlist, markings or {})
