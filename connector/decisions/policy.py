"""A list's policy: everything that the configuration says about one list, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connector.decisions.selection import FeedDefaults, Select
from connector.indicators.markings.applied import Viewer
from connector.model import Purpose, RuleLanguage

PRODUCER: Final = "producer"
ORIGINAL: Final = "original"
"""Among what outputs show: who made an indicator, and the whole of it."""


@dataclass(frozen=True, slots=True)
class ListPolicy:
    """Everything that decides about one list, but for what its feeds and the allowlist say.

    `viewer` is for whom markings are read; `defaults` are by the number of a feed. `shows` names
    what its outputs tell of context and producers, or that they pass indicators on whole: when
    that changes, the entries do. `rules` are the languages that its outputs take.
    """

    name: str
    purpose: Purpose
    select: Select
    viewer: Viewer
    rank_by: tuple[str, ...]
    defaults: Mapping[int, FeedDefaults]
    shows: frozenset[str] = frozenset()
    rules: frozenset[RuleLanguage] = frozenset()

    @property
    def shares(self) -> Mapping[int, float]:
        """The share of a full list that may come from one feed alone, if it has a bound."""
        return {
            feed: defaults.max_share
            for feed, defaults in self.defaults.items()
            if defaults.max_share is not None
        }
