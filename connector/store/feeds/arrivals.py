"""Sorts a page's objects into rows: new ones, updates of those held, and repeats.

Nothing is written here; `connector.store.objects` writes a page in one transaction.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connector.decisions.records import ObjectState
from connector.decisions.selection import IndicatorAttributes
from connector.indicators.context import NOTHING_TOLD, Told
from connector.model import Claim
from connector.store.feeds.compression import Codec
from connector.store.feeds.versions import HeldVersion, News, ObjectVersion, news

_REVOKED: Final = int(ObjectState.REVOKED)
_UNREADABLE: Final = int(ObjectState.UNREADABLE)


@dataclass(slots=True)
class StoreResult:
    """What a page brought: new objects, new versions, what was taken back, repeats, quarantined."""

    new: int = 0
    updated: int = 0
    revoked: int = 0
    withdrawn: int = 0
    repeated: int = 0
    quarantined: int = 0
    refused: int = 0
    """New objects that were not taken because the feed is full."""
    marking_refs: set[str] = field(default_factory=set)
    """The markings of the page's objects."""
    markings: set[str] = field(default_factory=set)
    """The marking definitions in the page."""


@dataclass(slots=True)
class Arrivals:
    """The rows of one transaction, gathered before they are written."""

    feed: int
    now: int
    next_number: int
    codec: Codec
    room: int | None = None
    """How many new objects the feed may still add, or None if it has no bound."""
    dictionary: int = 0
    attributes: dict[IndicatorAttributes, int] = field(default_factory=dict)
    held: dict[bytes, HeldVersion] = field(default_factory=dict)
    rewritten: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    spoiled: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    states: dict[int, int] = field(default_factory=dict)
    disputes: dict[int, int | None] = field(default_factory=dict)
    claims: dict[int, Sequence[Claim]] = field(default_factory=dict)
    replaced: set[int] = field(default_factory=set)
    stirred: set[int] = field(default_factory=set)
    members: list[int] = field(default_factory=list)
    told: dict[int, tuple[bytes, Told]] = field(default_factory=dict)
    restated: set[int] = field(default_factory=set)
    fresh: list[bytes] = field(default_factory=list)
    creators: Counter[str] = field(default_factory=Counter)
    stored: StoreResult = field(default_factory=StoreResult)
    first: int = field(init=False)
    """The number of the first object that was never seen."""

    def __post_init__(self) -> None:
        self.first = self.next_number

    def take_new(self, given: Sequence[int], part: Sequence[ObjectVersion]) -> None:
        """Take what comes with objects that were never seen; nearly all are, so this is quick."""
        for number, version in zip(given, part, strict=True):
            self.claims[number] = version.claims()
            if version.state == _REVOKED:  # by whom nobody knows: it need not be its creator
                self.disputes[number] = min(version.modified, self.now)
            if version.told is None:
                self.fresh.append(version.key)
            else:
                self._keep_context(number, version)
        self.creators.update(version.attributes.created_by for version in part)
        self.members.extend(given)
        self.stored.new += len(given)

    def take_again(self, held: HeldVersion, version: ObjectVersion) -> None:
        """Take what a version says of an object that is held, if it is news."""
        held.disputed = self.disputes.get(held.number, held.disputed)
        held = self.held.setdefault(version.key, held)
        what = news(held, version, self.now)
        damaged = version.state == _UNREADABLE != held.state and what is News.NONE
        if not damaged:  # a damaged copy does not show that what it was a copy of is there
            self.members.append(held.number)
        if what is News.NONE:
            self.stored.repeated += 1
            return
        if what is News.FOREIGN:
            self.stored.quarantined += 1
            return
        self.stirred.add(held.number)
        if version.told is not None:
            self.restated.add(held.number)
        if what in (News.NEWER, News.CLAIMED):
            self.stored.updated += 1
            (self._spoil if version.state == _UNREADABLE else self._rewrite)(held, version)
        else:
            self._restate(held, version, what)

    def _restate(self, held: HeldVersion, version: ObjectVersion, what: News) -> None:
        """Take a revocation, a dispute or a return: the object's contents stay as they are."""
        before = held.state
        if what is News.RETURNED:
            held.state = held.standing
        else:
            revokes = what in (News.REVOKED, News.CONFIRMED)
            at = min(version.modified, self.now)
            held.disputed = self.disputes[held.number] = None if revokes else at
            if revokes:
                held.state = ObjectState.REVOKED
            elif before == ObjectState.CURRENT:
                held.state = held.standing
        if held.state == before:
            self.stored.repeated += 1
        elif what is News.RETURNED:
            self.stored.updated += 1
        else:
            self.stored.revoked += 1
        self.states[held.number] = int(held.state)

    def _rewrite(self, held: HeldVersion, version: ObjectVersion) -> None:
        held.modified, held.created_by = version.modified, version.attributes.created_by
        held.state = held.standing
        self.rewritten[held.number] = (
            held.state, version.modified, version.valid_from, version.valid_until,
            version.confidence, self.attributes[version.attributes], self.now, self.dictionary,
            self.codec.pack(version.raw), held.number,
        )  # fmt: skip
        self.states.pop(held.number, None)
        self.spoiled.pop(held.number, None)
        self.claims[held.number] = version.claims()
        if version.told is not None:
            self._keep_context(held.number, version)
        self.replaced.add(held.number)

    def _spoil(self, held: HeldVersion, version: ObjectVersion) -> None:
        """Take an unreadable version: the object's creator and markings stay known."""
        held.modified, held.state = max(held.modified, version.modified), ObjectState.UNREADABLE
        self.spoiled[held.number] = (
            _UNREADABLE, held.modified, self.dictionary, self.codec.pack(version.raw), held.number,
        )  # fmt: skip
        self.states.pop(held.number, None)
        self.claims[held.number] = version.claims()
        self.replaced.add(held.number)

    def _keep_context(self, number: int, version: ObjectVersion) -> None:
        """Put what a context object says beside it; its revocation says nothing."""
        told = version.told() if version.told is not None else None
        if told is not None and version.state == ObjectState.CURRENT:
            self.told[number] = (version.key, told.by(self.now))
        else:
            self.told[number] = (version.key, NOTHING_TOLD)
