"""A list's policy: what the attributes, markings and context of an indicator mean for it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import Any, Final, NamedTuple, Protocol

from connector.decisions.context import NO_CONTEXT, counted_opinions
from connector.decisions.selection import FeedDefaults, IndicatorAttributes, Select, refusal
from connector.model import (
    NOBODY,
    UNMARKED,
    Context,
    Observable,
    Producer,
    Purpose,
    Reason,
    RuleLanguage,
    Tlp,
)

_VERDICTS_HELD: Final = 500_000
# Among the parts that a marking hides.
_NAME: Final = "name"
_PRODUCER_NAME: Final = "producer_name"
_PRODUCER: Final = "producer"  # among what mappings show


class Protector(Protocol):
    """What decide asks of an allowlist."""

    def protects(self, observable: Observable, now: datetime) -> "ProtectionLike | None":
        """Return who protects it."""


class ProtectionLike(Protocol):
    """Who protects an observable, and until when."""

    @property
    def group(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def until(self) -> datetime | None: ...


class Shared(Protocol):
    """What all markings on an object allow for a list's audience."""

    @property
    def level(self) -> Tlp:
        """The TLP level that holds for it."""

    @property
    def until(self) -> int | None:
        """The next instant at which time alone changes it."""

    @property
    def expired(self) -> str:
        """Why it had to be disposed of by now; empty where it had not."""

    @property
    def hides(self) -> Collection[str]:
        """What must not appear in fields, comments and logs."""

    @property
    def hidden(self) -> Mapping[Any, str]:
        """The same with the reason of each."""

    @property
    def notes(self) -> Sequence[str]:
        """Contradictions to report, where the stricter side was taken."""

    def refusal(self, purpose: Purpose) -> str:
        """Return which marking keeps it off a list, and why; empty where none does."""


@dataclass(frozen=True, slots=True)
class _ByLevel:
    """What a TLP level alone allows."""

    why: str
    level: Tlp
    until: int | None = None
    expired: str = ""
    hides: Collection[str] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def refusal(self, _purpose: Purpose) -> str:
        return self.why


class Verdict(NamedTuple):
    """What attributes and context of an indicator mean for a list: a reason against it, or None."""

    reason: Reason | None
    detail: str
    min_confidence: int = 0
    until: int | None = None
    hides: Collection[str] = ()
    content_digest: int = 0
    level: Tlp = Tlp.RED


@dataclass(frozen=True, slots=True)
class _Known:
    """What was judged by the markings and producers that are at hand now."""

    verdicts: dict[tuple[int, int, int], Verdict] = field(default_factory=dict)
    opened: dict[tuple[str, int], bool] = field(default_factory=dict)


@dataclass(frozen=True)
class ListPolicy:
    """Everything that decides about one list; `defaults` and `verdicts` are by feed and attributes.

    `shows` names what the mappings of its outputs tell of context and producers: when that
    changes, the entries do. `rules` are the languages that its outputs take.
    """

    name: str
    purpose: Purpose
    select: Select
    max_tlp: Tlp
    rank_by: tuple[str, ...]
    defaults: Mapping[int, FeedDefaults]
    attributes: Callable[[int], IndicatorAttributes]
    level: Callable[[IndicatorAttributes, int], tuple[Tlp, str]]
    allowlist: Protector
    contexts: Callable[[int], Context] = lambda _number: NO_CONTEXT
    countries: Callable[[str, int], Collection[str]] = lambda _producer, _feed: ()
    sharing: Callable[[IndicatorAttributes, int], Shared] | None = None
    producer: Callable[[str, int], Producer] = lambda _producer, _feed: NOBODY
    shows: frozenset[str] = frozenset()
    rules: frozenset[RuleLanguage] = frozenset()
    _known: list["_Known"] = field(default_factory=lambda: [_Known()])

    @property
    def shares(self) -> Mapping[int, float]:
        """The part of a full list that may come from one feed alone, where it has a bound."""
        return {
            feed: defaults.max_share
            for feed, defaults in self.defaults.items()
            if defaults.max_share is not None
        }

    def verdict(self, attributes: int, feed: int, context: int = 0, now: int = 0) -> Verdict:
        """Return what an indicator's markings, labels, types, producer and context mean here."""
        verdicts = self._known[0].verdicts
        known = verdicts.get((attributes, feed, context))
        if known is None or (known.until is not None and known.until <= now):
            if len(verdicts) > _VERDICTS_HELD:
                verdicts.clear()
            known = self._judge(self.attributes(attributes), feed, context)
            verdicts[attributes, feed, context] = known
        return known

    def forget_verdicts(self) -> None:
        """Judge all attributes anew: a marking that was unknown has arrived, or a producer moved.

        Another thread may be judging by what was known before: that stays with what is forgotten.
        """
        self._known[0] = _Known()

    def words(self, context: int, feed: int, kind: str) -> tuple[str, ...]:
        """Return what context says of one kind, as far as the list's audience may be told."""
        if not context:
            return ()
        words = (word for word in self.contexts(context).words if word.kind == kind)
        told = (word.name for word in words if all(self._tells(ref, feed) for ref in word.markings))
        return tuple(dict.fromkeys(told))

    def producer_name(
        self, attributes: IndicatorAttributes, feed: int, hides: Collection[str]
    ) -> str:
        """Return the name of who created an indicator, where its consent and markings open it."""
        if _PRODUCER_NAME in hides:
            return ""
        found = self.producer(attributes.created_by, feed)
        return found.name if all(self._tells(ref, feed) for ref in found.markings) else ""

    def hidden(self, attributes: IndicatorAttributes, feed: int) -> Mapping[str, str]:
        """Return what stays out of the fields of this list's entries, each with the reason."""
        return self._shared(attributes, feed).hidden

    def notes(self, attributes: IndicatorAttributes, feed: int) -> Sequence[str]:
        """Return what contradicts itself among the markings; the stricter side was taken."""
        return self._shared(attributes, feed).notes

    def _tells(self, marking: str, feed: int) -> bool:
        """Return whether what bears a marking may be named."""
        opened = self._known[0].opened
        known = opened.get((marking, feed))
        if known is None:
            attributes = (
                IndicatorAttributes()
                if marking == UNMARKED
                else IndicatorAttributes(markings=(marking,))
            )
            shared = self._shared(attributes, feed)
            closed = shared.expired or shared.refusal(Purpose.WATCH) or _NAME in shared.hides
            known = not closed
            if shared.until is None:
                opened[marking, feed] = known
        return known

    def _judge(self, attributes: IndicatorAttributes, feed: int, number: int) -> Verdict:
        shared = self._shared(attributes, feed)
        judged = Verdict(None, "", 0, shared.until, shared.hides, 0, shared.level)
        if shared.expired:
            return judged._replace(reason=Reason.EXPIRED, detail=shared.expired)
        defaults, rule, blocks = (
            self.defaults[feed],
            self.select.opinions,
            self.purpose is Purpose.BLOCK,
        )
        if words := shared.refusal(self.purpose) if defaults.configured else "":
            return judged._replace(reason=Reason.WITHHELD, detail=words)
        context = self.contexts(number) if number else NO_CONTEXT
        counted = counted_opinions(context, defaults.authoritative)
        sits = partial(self.countries, attributes.created_by, feed)
        refused = refusal(self.select, self.purpose, defaults, attributes, context, sits)
        if refused := refused or rule.refuses(counted, blocks=blocks):
            return judged._replace(reason=Reason.DESELECTED, detail=refused)
        asked = rule.confidence_asked(counted, attributes.created_by, blocks=blocks)
        content_digest = self._content_digest(attributes, feed, number, shared.hides)
        return judged._replace(min_confidence=asked, content_digest=content_digest)

    def _content_digest(
        self, attributes: IndicatorAttributes, feed: int, context: int, hides: Collection[str]
    ) -> int:
        """Return bits that change when entries tell something else of the same indicator."""
        said = sorted(hides)
        if _PRODUCER in self.shows:
            said.append(self.producer_name(attributes, feed, hides))
        for kind in sorted(self.shows - {_PRODUCER}) if context else ():
            said += self.words(context, feed, kind)
        if not said:
            return 0
        return int.from_bytes(blake2b("\n".join(said).encode(), digest_size=7).digest(), "big")

    def _shared(self, attributes: IndicatorAttributes, feed: int) -> Shared:
        """Return what all markings allow; where only TLP is asked for, what that allows."""
        if self.sharing is not None:
            return self.sharing(attributes, feed)
        level, why = self.level(attributes, feed)
        words = f"{why or 'TLP:' + level.label} is stricter than TLP:{self.max_tlp.label}"
        return _ByLevel(words if level > self.max_tlp else "", level)
