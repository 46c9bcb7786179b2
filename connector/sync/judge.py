"""What a list may see and do with indicators: asked of the store before it decides, remembered."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from typing import Final

from connector.decisions.context import NO_CONTEXT
from connector.decisions.decide import needs_verdict, verdict_key
from connector.decisions.policy import ORIGINAL, PRODUCER, ListPolicy
from connector.decisions.records import ClaimRow
from connector.decisions.selection import FeedDefaults, IndicatorAttributes
from connector.decisions.verdict import Background, Verdict, VerdictKey, sharing_of, verdict_on
from connector.indicators.markings.redaction import closed_part, refused_consent
from connector.indicators.markings.sharing import Part, Sharing
from connector.instants import Clock, to_datetime
from connector.model import UNMARKED, Audience, Context, Purpose
from connector.store.store import Store

_VERDICTS_HELD: Final = 500_000


def background_of(
    attributes: IndicatorAttributes, feed: int, defaults: Mapping[int, FeedDefaults], store: Store
) -> Background:
    """Return what a feed says around its indicators with these attributes, but for context."""
    producer = store.producers.of(attributes.created_by, feed)
    return Background(attributes, defaults[feed], store.markings.of(feed), producer)


@dataclass(frozen=True, slots=True)
class _Known:
    """The verdicts based on the markings and producers that we have now."""

    verdicts: dict[VerdictKey, Verdict] = field(default_factory=dict)
    opened: dict[tuple[str, int], bool] = field(default_factory=dict)


class Judge:
    """Gives one list its verdicts, each judged once until time or news of its feed changes it.

    Whoever decides says as of when; entries are described as of `now`.
    """

    def __init__(self, policy: ListPolicy, store: Store, now: Clock) -> None:
        self._policy = policy
        self._store = store
        self._now = now
        self._known = _Known()

    def verdicts(self, claims: Iterable[ClaimRow], now: int) -> dict[VerdictKey, Verdict]:
        """Return the verdicts that deciding on these claims takes."""
        found: dict[VerdictKey, Verdict] = {}
        policy = self._policy
        for claim in claims:
            key = verdict_key(claim)
            if key not in found and needs_verdict(claim, policy, now):
                found[key] = self._verdict(key, now)
        return found

    def forget_verdicts(self) -> None:
        """Judge all attributes anew: a marking that was unknown has arrived, or a producer moved.

        Another thread may be judging by what was known before: that stays with what is forgotten.
        """
        self._known = _Known()

    def sharing(self, attributes: IndicatorAttributes, feed: int, now: int) -> Sharing:
        """Return what the markings on an indicator and its producer's consent allow this list."""
        return sharing_of(self._background(attributes, feed), self._policy.viewer, now)

    def hides(self, claim: ClaimRow) -> Collection[Part]:
        """Return what must not appear in the fields of an entry that a claim carries."""
        return self._verdict(verdict_key(claim), self._now()).hides

    def refusal_of_whole(self, attributes: IndicatorAttributes, feed: int) -> str:
        """Return why an object with these attributes must not be passed on as it is; or nothing."""
        return self._refusal_of_whole(self._background(attributes, feed), self._now())

    @property
    def moment(self) -> datetime:
        """As of when entries are described."""
        return to_datetime(self._now())

    def words(self, context: int, feed: int, kind: str) -> tuple[str, ...]:
        """Return the context of one kind, as far as the list's audience may see it."""
        return self._words(self._context(context), feed, kind, self._now()) if context else ()

    def producer_name(
        self, attributes: IndicatorAttributes, feed: int, hides: Collection[Part]
    ) -> str:
        """Return the name of an indicator's creator, if its consent and markings allow it."""
        return self._producer_name(attributes, feed, hides, self._now())

    def _verdict(self, key: VerdictKey, now: int) -> Verdict:
        known = self._known.verdicts
        verdict = known.get(key)
        if verdict is None or (verdict.until is not None and verdict.until <= now):
            verdict = self._judged(key, now)
            if len(known) > _VERDICTS_HELD:
                known.clear()
            known[key] = verdict
        return verdict

    def _judged(self, key: VerdictKey, now: int) -> Verdict:
        number, feed, context = key
        attributes, select = self._store.attributes(number), self._policy.select
        said = replace(self._background(attributes, feed), context=self._context(context))
        if select.context.asks_producers:
            countries = self._store.producers.countries(attributes.created_by, feed)
            said = replace(said, countries=countries)
        verdict = verdict_on(said, self._policy, now)
        if verdict.reason is not None:
            return verdict
        return verdict._replace(content_digest=self._content_digest(said, feed, verdict.hides, now))

    def _refusal_of_whole(self, said: Background, now: int) -> str:
        if said.feed.makes_objects:
            return f"feed {said.feed.name} gives no STIX: its objects are made here, nobody's words"
        viewer, attributes = self._policy.viewer, said.attributes
        sharing = sharing_of(said, viewer, now)
        if words := sharing.refusal(self._policy.purpose):
            return words
        for part, why in sharing.hidden.items():
            if part is not Part.PRODUCER_NAME:  # its identity can stay behind
                return f"{part} must not be shown: {why}"
        if words := closed_part(attributes.partly, said.markings, viewer, now):
            return words
        if not attributes.created_by or viewer.audience is Audience.OWN:
            return ""
        return refused_consent(said.producer.labels, viewer)

    def _background(self, attributes: IndicatorAttributes, feed: int) -> Background:
        return background_of(attributes, feed, self._policy.defaults, self._store)

    def _context(self, number: int) -> Context:
        return self._store.contexts(number) if number else NO_CONTEXT

    def _content_digest(
        self, said: Background, feed: int, hides: Collection[Part], now: int
    ) -> int:
        """Return bits that change when entries would show the same indicator differently."""
        shows = self._policy.shows
        told: list[str] = sorted(hides)
        if PRODUCER in shows:
            told.append(self._producer_name(said.attributes, feed, hides, now))
        if ORIGINAL in shows:
            told.append(self._refusal_of_whole(said, now))
        for kind in sorted(shows - {PRODUCER, ORIGINAL}):
            told += self._words(said.context, feed, kind, now)
        if not told:
            return 0
        return int.from_bytes(blake2b("\n".join(told).encode(), digest_size=7).digest(), "big")

    def _words(self, context: Context, feed: int, kind: str, now: int) -> tuple[str, ...]:
        words = (word for word in context.words if word.kind == kind)
        told = (
            word.name for word in words if all(self._tells(ref, feed, now) for ref in word.markings)
        )
        return tuple(dict.fromkeys(told))

    def _producer_name(
        self, attributes: IndicatorAttributes, feed: int, hides: Collection[Part], now: int
    ) -> str:
        if Part.PRODUCER_NAME in hides:
            return ""
        found = self._store.producers.of(attributes.created_by, feed)
        return found.name if all(self._tells(ref, feed, now) for ref in found.markings) else ""

    def _tells(self, marking: str, feed: int, now: int) -> bool:
        """Return whether an object with a marking may be named."""
        opened = self._known.opened
        known = opened.get((marking, feed))
        if known is None:
            markings = () if marking == UNMARKED else (marking,)
            sharing = self.sharing(IndicatorAttributes(markings=markings), feed, now)
            closed = sharing.expired or sharing.refusal(Purpose.WATCH) or Part.NAME in sharing.hides
            known = not closed
            if sharing.until is None:
                opened[marking, feed] = known
        return known
