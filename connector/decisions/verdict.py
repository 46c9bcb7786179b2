"""A verdict: what markings, attributes, producer and context of an indicator mean for a list."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from connector.decisions.context import NO_CONTEXT, counted_opinions
from connector.decisions.policy import ListPolicy
from connector.decisions.selection import FeedDefaults, IndicatorAttributes, refusal
from connector.indicators.markings.applied import Viewer
from connector.indicators.markings.definition import KnownMarking
from connector.indicators.markings.redaction import Part
from connector.indicators.markings.sharing import Sharing, combine
from connector.model import NOBODY, Context, Producer, Purpose, Reason, Tlp

# By the numbers of attributes, feed and context: all that share these share the verdict.
VerdictKey = tuple[int, int, int]


class Verdict(NamedTuple):
    """What an indicator's background means for a list: a reason against it, or None.

    `until` is the next instant at which time alone changes it, `content_digest` changes with what
    entries may tell of context and producer.
    """

    reason: Reason | None
    detail: str
    min_confidence: int
    until: int | None
    hides: Collection[Part]
    level: Tlp
    created_by: str
    content_digest: int = 0


@dataclass(frozen=True, slots=True)
class Background:
    """What a verdict is made of: all that a feed says around an indicator's pattern.

    `markings` are those that the feed defined, by id; `countries` are where the producer sits.
    """

    attributes: IndicatorAttributes
    feed: FeedDefaults
    markings: Mapping[str, KnownMarking]
    producer: Producer = NOBODY
    countries: Collection[str] = ()
    context: Context = NO_CONTEXT


def sharing_of(said: Background, viewer: Viewer, now: int) -> Sharing:
    """Return what the markings on an indicator and its producer's consent allow a viewer."""
    attributes = said.attributes
    return combine(
        attributes.markings, attributes.partly, said.markings, said.feed.unmarked, viewer, now,
        attributes.labels, said.producer.labels,
    )  # fmt: skip


def verdict_on(said: Background, policy: ListPolicy, now: int) -> Verdict:
    """Return what an indicator's background means for a list."""
    sharing = sharing_of(said, policy.viewer, now)
    reason, detail = _against(said, sharing, policy)
    asked = 0
    if reason is None:
        counted = counted_opinions(said.context, said.feed.authoritative)
        blocks = policy.purpose is Purpose.BLOCK
        rule = policy.select.opinions
        asked = rule.confidence_asked(counted, said.attributes.created_by, blocks=blocks)
    return Verdict(
        reason, detail, asked, sharing.until, sharing.hides, sharing.level,
        said.attributes.created_by,
    )  # fmt: skip


def _against(said: Background, sharing: Sharing, policy: ListPolicy) -> tuple[Reason | None, str]:
    """Return the first reason against an indicator, and what says so."""
    if sharing.expired:
        return Reason.EXPIRED, sharing.expired
    if said.feed.configured and (words := sharing.refusal(policy.purpose)):
        return Reason.WITHHELD, words
    words = refusal(
        policy.select, policy.purpose, said.feed, said.attributes, said.context, said.countries
    )
    if not words:
        counted = counted_opinions(said.context, said.feed.authoritative)
        words = policy.select.opinions.refuses(counted, blocks=policy.purpose is Purpose.BLOCK)
    return (Reason.DESELECTED, words) if words else (None, "")
