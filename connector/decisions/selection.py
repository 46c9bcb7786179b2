"""How a list selects by what many indicators share: feed, labels, types, producer, context."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connector.decisions.context import ContextChoice, OpinionRule
from connector.decisions.reach import WIDEST
from connector.model import Context, ObservableType, Purpose, SubjectType, Tlp


class MarkedPart(NamedTuple):
    """A marking on parts of an indicator, which its selectors name."""

    marking_ref: str
    selectors: tuple[str, ...]


class IndicatorAttributes(NamedTuple):
    """What many indicators share: creator, labels, types and markings."""

    created_by: str = ""
    labels: tuple[str, ...] = ()
    indicator_types: tuple[str, ...] = ()
    markings: tuple[str, ...] = ()
    partly: tuple[MarkedPart, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedDefaults:
    """What a feed's configuration adds: confidence, age bounds by type, whose opinion counts.

    `scale` maps its producers' confidence values to 0 to 100, or is None if they write just that.
    `widest` is the smallest reach that blocks, by type. `max_confidence` bounds the confidence that
    counts, `max_share` the share of a full list. What bears no
    TLP marking counts as `unmarked`. With `makes_objects` its objects are ours, made of another
    format.
    """

    name: str
    default_confidence: int | None = None
    max_age: Mapping[SubjectType, int] = field(default_factory=dict)
    configured: bool = True
    authoritative: frozenset[str] = frozenset()
    scale: Mapping[int, int | None] | None = None
    widest: Mapping[SubjectType, int] = field(default_factory=lambda: WIDEST)
    max_confidence: int | None = None
    max_share: float | None = None
    unmarked: Tlp = Tlp.RED
    makes_objects: bool = False

    def counts(self, said: int | None) -> int | None:
        """Return the confidence that counts: given or assumed, bounded by the feed's maximum."""
        if self.scale is None and self.max_confidence is None:  # as nearly always
            return self.default_confidence if said is None else said
        meant = self.reads(said)
        return self.capped(self.default_confidence if meant is None else meant)

    def capped(self, meant: int | None) -> int | None:
        """Return a confidence, bounded by the feed's maximum."""
        if meant is None or self.max_confidence is None:
            return meant
        return min(meant, self.max_confidence)

    def reads(self, said: int | None) -> int | None:
        """Return a confidence from 0 to 100, or None if none is given or it is not on the scale."""
        if said is None or self.scale is None:
            return said
        return self.scale.get(said)


@dataclass(frozen=True, slots=True)
class Choice:
    """Words of which at least one must be present, and words that must be absent."""

    any: frozenset[str] = frozenset()
    none: frozenset[str] = frozenset()

    def refuses(self, words: Sequence[str]) -> str:
        """Return why these words are not taken, or empty if they are."""
        if hit := self.none.intersection(words):
            return f"has {min(hit)}"
        if self.any and not self.any.intersection(words):
            return f"has none of {', '.join(sorted(self.any))}"
        return ""


@dataclass(frozen=True, slots=True)
class Select:
    """What a list takes from everything that its purpose and audience allow."""

    feeds: frozenset[str] = frozenset()
    types: frozenset[ObservableType] = frozenset()
    min_confidence: int = 0
    labels: Choice = Choice()
    indicator_types: Choice = Choice()
    producers: Choice = Choice()
    context: ContextChoice = field(default_factory=ContextChoice)
    opinions: OpinionRule = field(default_factory=OpinionRule)
    wide: frozenset[SubjectType] = frozenset()
    min_sources: int = 1


def refusal(
    select: Select,
    purpose: Purpose,
    defaults: FeedDefaults,
    attributes: IndicatorAttributes,
    context: Context,
    countries: Collection[str],
) -> str:
    """Return why a list does not take indicators with these attributes, or empty if it does."""
    if not defaults.configured:
        return f"feed {defaults.name} is no longer configured"
    if select.feeds and defaults.name not in select.feeds:
        return f"feed {defaults.name} is not selected"
    kinds = attributes.indicator_types or attributes.labels  # STIX 2.0 keeps the types in labels
    if purpose is Purpose.BLOCK and "benign" in kinds:
        return "indicator_types benign never blocks"
    if purpose is Purpose.BLOCK and _not_for_detection(attributes.labels):
        return "labelled as not for detection (misp:to_ids)"
    for name, choice, words in (
        ("label", select.labels, attributes.labels),
        ("indicator type", select.indicator_types, kinds),
        ("producer", select.producers, (attributes.created_by,)),
    ):
        if refused := choice.refuses(words):
            return f"{name}: {refused}"
    return select.context.refuses(context, countries)


def _not_for_detection(labels: Sequence[str]) -> bool:
    return any(
        label.lower().startswith("misp:to_ids=") and "false" in label.lower() for label in labels
    )
