"""What a list requires of an indicator's context: who is behind it, and others' opinions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connector.model import Context

OPINIONS: Final = ("strongly-disagree", "disagree", "neutral", "agree", "strongly-agree")
PRODUCER_COUNTRY: Final = "producer_country"
TRUSTED_FROM: Final = 70
_DISAGREE: Final = 2
_AGREE: Final = 4


NO_CONTEXT: Final = Context()


@dataclass(frozen=True, slots=True)
class ContextChoice:
    """What a list selects by context: one word of every kind named, ignoring case."""

    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def refuses(self, context: Context, countries: Collection[str]) -> str:
        """Return why the context is not taken, or empty if it is."""
        for kind, wanted in self.chosen.items():
            said = (
                {country.casefold() for country in countries}
                if kind == PRODUCER_COUNTRY
                else _said(context, kind)
            )
            if not wanted & said:
                return f"context: {kind} is not one of {', '.join(sorted(wanted))}"
        return ""

    @property
    def asks_producers(self) -> bool:
        """Whether it depends on the location of producers."""
        return PRODUCER_COUNTRY in self.chosen


def _said(context: Context, kind: str) -> set[str]:
    words = (word for word in context.words if word.kind == kind)
    return {name.casefold() for word in words for name in (word.name, *word.aliases)}


@dataclass(frozen=True, slots=True)
class OpinionRule:
    """How a list treats opinions.

    `lowest` is the lowest score that it takes, and then an opinion is required; `gate` requires
    agreement, confidence or a trusted producer for a block.
    """

    ignore: bool = False
    lowest: int = 0
    gate: bool = False
    trusted: frozenset[str] = frozenset()

    def refuses(self, counted: Sequence[tuple[str, int]], *, blocks: bool) -> str:
        """Return why these opinions, by producer, exclude the indicator; empty if they do not."""
        if self.ignore:
            return ""
        if self.lowest and not counted:
            return f"opinion: there is none, but {OPINIONS[self.lowest - 1]} is required"
        bound = self.lowest or (_DISAGREE + 1 if blocks else 0)
        worst = min(counted, key=lambda said: (said[1], said[0]), default=("", bound))
        if worst[1] >= bound:
            return ""
        return f"opinion: {OPINIONS[worst[1] - 1]} by {worst[0]}"

    def confidence_asked(
        self, counted: Sequence[tuple[str, int]], producer: str, *, blocks: bool
    ) -> int:
        """Return the confidence that the gate requires, or 0 if it is open."""
        if not self.gate or not blocks or producer in self.trusted:
            return 0
        agreed = bool(counted) and min(score for _producer, score in counted) >= _AGREE
        return 0 if agreed and not self.ignore else TRUSTED_FROM


def counted_opinions(context: Context, authoritative: Collection[str]) -> list[tuple[str, int]]:
    """Return the opinions that count: those of authoritative producers alone, if any are named.

    All of them are from the indicator's own feed: anyone can sign an opinion with another's name.
    """
    return [
        (by, score) for by, score in context.opinions if not authoritative or by in authoritative
    ]
