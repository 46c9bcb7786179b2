"""What a list selects by context and opinions, and confidence as people word it."""

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
    if not isinstance(value, str) or value.isdigit():  # a number in quotes is told as such
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
"""A confidence as a number, or as a word of STIX's scales: the lowest number that it stands for."""


class Opinion(StrEnum):
    """What a producer thinks of an indicator, as STIX words it."""

    STRONGLY_DISAGREE = "strongly-disagree"
    DISAGREE = "disagree"
    NEUTRAL = "neutral"
    AGREE = "agree"
    STRONGLY_AGREE = "strongly-agree"


class ContextConfig(Settings):
    """What must be said of an indicator: one word of every kind named, by name or alias."""

    country: tuple[Text, ...] = Field(
        (), description="Where the actor behind it sits, as the feed writes it, such as KP."
    )
    threat_actor: tuple[Text, ...] = Field(
        (), description="Threat actors and intrusion sets that it is attributed to."
    )
    malware: tuple[Text, ...] = Field((), description="Malware and tools that it indicates.")
    campaign: tuple[Text, ...] = Field((), description="Campaigns that it indicates.")
    sector: tuple[Text, ...] = Field(
        (), description="Sectors that whoever is behind it targets, as the feed writes them."
    )
    report: tuple[Text, ...] = Field((), description="Reports and groupings that name it.")
    producer_country: tuple[Text, ...] = Field(
        (), description="Where the identity that created it sits, such as JP."
    )

    @property
    def choice(self) -> ContextChoice:
        """What decide asks of an indicator's context."""
        named = ((kind, getattr(self, kind)) for kind in type(self).model_fields)
        return ContextChoice(
            {kind: frozenset(word.casefold() for word in words) for kind, words in named if words}
        )


class OpinionsConfig(Settings):
    """What opinions of others on an indicator mean; by default disagreement keeps off blocks."""

    min: Opinion | None = Field(
        None, description="Lowest opinion to take; indicators without one are then not taken."
    )
    gate: bool = Field(
        False,
        description="Block only what is agreed with, has a confidence of 70, or comes from a "
        "trusted producer.",
    )
    trusted: tuple[Text, ...] = Field(
        (), description="Identities whose indicators pass the gate, by STIX id."
    )
    ignore: bool = Field(False, description="Take no notice of opinions.")

    @property
    def rule(self) -> OpinionRule:
        """What decide makes of opinions."""
        lowest = 0 if self.min is None else OPINIONS.index(self.min.value) + 1
        return OpinionRule(self.ignore, lowest, self.gate, frozenset(self.trusted))
