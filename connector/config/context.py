"""How a list selects by context and opinions, and confidence written as a word."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from connector.config.values import Text, refused_word
from connector.decisions.context import OPINIONS, ContextChoice, OpinionRule
from connector.settings import Field, Settings

# The lowest value of each range (STIX 2.1 appendix A): none to high, then words of probability.
CONFIDENCE_WORDS: Final[Mapping[str, int]] = {
    "low": 1, "medium": 30, "high": 70,
    "unlikely": 20, "even": 40, "likely": 60, "highly-likely": 80, "certain": 100,
}  # fmt: skip


def _confidence(value: object) -> object:
    if not isinstance(value, str) or value.isdigit():  # a number in quotes has its own message
        return value
    if value not in CONFIDENCE_WORDS:
        raise refused_word(list(CONFIDENCE_WORDS), "a whole number from 0 to 100")
    return CONFIDENCE_WORDS[value]


LeastConfidence = Annotated[
    int,
    Field(ge=0, le=100),
    BeforeValidator(_confidence),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 100},
                {"enum": list(CONFIDENCE_WORDS)},
            ]
        }
    ),
]
"""A confidence as a number, or as a word on a STIX scale: the lowest number of its range."""


class Opinion(StrEnum):
    """A producer's opinion of an indicator, in STIX's words."""

    STRONGLY_DISAGREE = "strongly-disagree"
    DISAGREE = "disagree"
    NEUTRAL = "neutral"
    AGREE = "agree"
    STRONGLY_AGREE = "strongly-agree"


class ContextConfig(Settings):
    """The context that an indicator must have: one of the names or aliases of every kind given."""

    country: tuple[Text, ...] = Field(
        (), description="Country of the actor behind it, as the feed writes it, such as KP."
    )
    threat_actor: tuple[Text, ...] = Field(
        (), description="Threat actors and intrusion sets to which it is attributed."
    )
    malware: tuple[Text, ...] = Field((), description="Malware and tools that it indicates.")
    campaign: tuple[Text, ...] = Field((), description="Campaigns that it indicates.")
    sector: tuple[Text, ...] = Field(
        (), description="Sectors that the actor behind it targets, as the feed writes them."
    )
    report: tuple[Text, ...] = Field((), description="Reports and groupings that mention it.")
    producer_country: tuple[Text, ...] = Field(
        (), description="Country of the identity that created it, such as JP."
    )

    @property
    def choice(self) -> ContextChoice:
        """What `decide` requires of an indicator's context."""
        named = ((kind, getattr(self, kind)) for kind in type(self).model_fields)
        return ContextChoice(
            {kind: frozenset(word.casefold() for word in words) for kind, words in named if words}
        )


class OpinionsConfig(Settings):
    """How others' opinions of an indicator count; by default, disagreement prevents blocking."""

    min: Opinion | None = Field(
        None, description="Lowest opinion to take; indicators without an opinion are then left out."
    )
    gate: bool = Field(
        False,
        description="Block only indicators that others agree with, that have a confidence of at "
        "least 70, or that come from a trusted producer.",
    )
    trusted: tuple[Text, ...] = Field(
        (), description="Identities, by STIX id, whose indicators always pass the gate."
    )
    ignore: bool = Field(False, description="Ignore opinions.")

    @property
    def rule(self) -> OpinionRule:
        """How `decide` treats opinions."""
        lowest = 0 if self.min is None else OPINIONS.index(self.min.value) + 1
        return OpinionRule(self.ignore, lowest, self.gate, frozenset(self.trusted))
