"""One cycle of a feed: pages, objects, claims, store."""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from connector.decisions.decide import ObjectState
from connector.decisions.selection import IndicatorAttributes, MarkedPart
from connector.errors import ConnectorError, UnavailableError
from connector.feed import Collection, Feed, Page
from connector.indicators.context import CONTEXT_TYPES, read_context
from connector.indicators.identity import key_of_id, key_of_unreadable
from connector.indicators.pattern.reader import read_pattern
from connector.indicators.stix import StixObject, Unreadable, read_object
from connector.ingest.deletions import withdraw_deleted
from connector.ingest.spills import Door, definition_in
from connector.instants import Clock, to_instant
from connector.log import log
from connector.model import Claim, Reason, RuleLanguage, RuleRef
from connector.settings import Settings
from connector.store.database import parts
from connector.store.feeds.arrivals import StoreResult
from connector.store.feeds.definitions import BY_CURSOR, ShownIn
from connector.store.feeds.objects import READ_AT_ONCE, ObjectStore
from connector.store.feeds.runs import CollectionState
from connector.store.feeds.staging import StagedPage
from connector.store.feeds.versions import UNDATED, ObjectVersion

_BARE: Final = IndicatorAttributes()
_LANGUAGES: Final = {language.value: language for language in RuleLanguage}
_TAKEN_AT_ONCE: Final = 5000
_FAULTS_TOLD: Final = 3
MOST_PAGES_WAITING: Final = 100_000  # of one collection, while its run has not ended well
# Plain numbers: the database's driver asks an enum's class what to do with it, for every row.
_CURRENT: Final = int(ObjectState.CURRENT)
_REVOKED: Final = int(ObjectState.REVOKED)
_UNREADABLE: Final = int(ObjectState.UNREADABLE)

Progress = Callable[[str, int], None]


@dataclass(slots=True)
class PollResult:
    """What one poll of a feed brought."""

    objects: int = 0
    new: int = 0
    updated: int = 0
    revoked: int = 0
    withdrawn: int = 0
    quarantined: int = 0
    refused: int = 0
    unreadable: int = 0
    faults: list[str] = field(default_factory=list)
    off_scale: int = 0
    remarked: bool = False
    spilled: dict[str, str] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)
    markings: set[str] = field(default_factory=set)
    errors: list[ConnectorError] = field(default_factory=list)
    gaps: int = 0
    waiting: dict[str, int] = field(default_factory=dict)
    scale: Container[int] | None = None

    def add(self, stored: StoreResult) -> None:
        """Add what became of a page."""
        self.markings |= stored.markings
        self.marked |= stored.borne
        self.new += stored.new
        self.updated += stored.updated
        self.revoked += stored.revoked
        self.withdrawn += stored.withdrawn
        self.quarantined += stored.quarantined
        self.refused += stored.refused

    def count(self, versions: Sequence[ObjectVersion]) -> None:
        """Count what came, and what of it cannot be read."""
        self.objects += len(versions)
        unreadable = [version for version in versions if version.state == _UNREADABLE]
        self.unreadable += len(unreadable)
        for version in unreadable[: _FAULTS_TOLD - len(self.faults)]:
            self.faults.extend(claim.why for claim in version.claims())
        said = [version.confidence for version in versions if version.confidence is not None]
        if self.scale is None:
            self.unreadable += sum(confidence < 0 for confidence in said)
        else:
            self.off_scale += sum(confidence not in self.scale for confidence in said)


def poll(
    feed: Feed[Settings],
    name: str,
    number: int,
    store: ObjectStore,
    now: Clock,
    progress: Progress = lambda _title, _count: None,
    *,
    partial_runs: bool = False,
    scale: Container[int] | None = None,
    most: int | None = None,
) -> PollResult:
    """Read what is new in every collection of a feed into the store.

    A collection that fails leaves the others alone. What it gave before it failed is set aside
    until a later run goes on from there and ends well, or counts at once with `partial_runs`.
    `scale` is what the feed's producers may write as confidence, where that is not STIX's own;
    `most` is how many objects of it are kept: new ones beyond that wait at their source.
    Raises what `Feed.collections` raises; single failed collections are in `errors`.
    """
    polled = PollResult(scale=scale)
    store.begin_poll(number)
    collections = feed.collections()
    for collection in collections:
        intake = _Intake(
            feed, name, number, collection, store, now, polled, progress, partial_runs, most
        )
        try:
            intake.read()
        except ConnectorError as error:
            polled.errors.append(error)
            intake.note_what_waits()
    if polled.gaps > _FAULTS_TOLD:
        log.warning("feed.gaps", collections=polled.gaps, what="`connector status` lists them")
    if polled.waiting:
        title, pages = next(iter(polled.waiting.items()))
        log.warning("feed.run_unfinished", collection=title, pages_waiting=pages,
                    collections=len(polled.waiting))  # fmt: skip
    polled.withdrawn += store.drop_collections(number, {found.key for found in collections})
    if not polled.errors:
        polled.withdrawn += withdraw_deleted(feed, number, collections, store, now)
    return polled


@dataclass(slots=True)
class _Intake:
    """One run over one collection."""

    feed: Feed[Settings]
    name: str
    number: int
    collection: Collection
    store: ObjectStore
    now: Clock
    polled: PollResult
    progress: Progress
    partial_runs: bool
    most: int | None
    refused_before: int = 0

    def read(self) -> None:
        """Read what is new; a run of several pages counts when it has ended well."""
        self.refused_before = self.polled.refused
        collection, staging = self.collection, self.store.staging
        state = self.store.collection(self.number, collection.key, collection.title)
        held = staging.standing(state.number)
        if held is not None and collection.whole and not held.ended:
            staging.drop(state.number)  # every run of it starts anew
            held = None
        if held is not None and (held.ended or self.partial_runs):
            state, held = self._apply_staged(state), None
        if held is not None and held.pages >= MOST_PAGES_WAITING:
            raise UnavailableError(
                f"{collection.title}: {held.pages} pages wait for the end of a run, and no more "
                "are taken: set partial_runs: allow to take in what came"
            )
        at_once = self.partial_runs or collection.at_once
        again = held is not None
        started = False
        for received in self.feed.pages(collection, held.cursor if held else state.cursor):
            begun = at_once and started
            shown = (
                ShownIn(state.number, state.run + (not begun)) if collection.whole else BY_CURSOR
            )
            page = Door(self.store, self.number).without_spills(
                received, self.polled.spilled, self.now(), shown
            )
            if not started:  # before the cursor moves past it
                self._note_gap()
            if at_once or (page.last and not started and held is None):
                if collection.whole and not started:
                    state = self.store.begin_run(state)
                self._take(state, page)
            else:
                staging.put(state.number, page.objects, page.cursor, ended=page.last, again=again)
            started = True
            self.progress(collection.title, len(page.objects))
        if not at_once and staging.standing(state.number) is not None:
            self._apply_staged(state)

    def _note_gap(self) -> None:
        """Note what can no longer be asked for; of many collections, the first are logged here."""
        gap = self.feed.gaps.get(self.collection.key)
        if gap is None:
            return
        after, until = to_instant(gap.after), to_instant(gap.until)
        if self.store.gaps.note(self.number, self.collection.key, after, until, self.now()):
            self.polled.gaps += 1
            if self.polled.gaps <= _FAULTS_TOLD:
                log.warning(
                    "feed.gap", collection=self.collection.title,
                    after=gap.after.isoformat(), until=gap.until.isoformat(),
                )  # fmt: skip

    def note_what_waits(self) -> None:
        """Note what a broken run left: nothing of it counts until it ended well."""
        state = self.store.collection(self.number, self.collection.key, self.collection.title)
        if held := self.store.staging.standing(state.number):
            self.polled.waiting[self.collection.title] = held.pages

    def _apply_staged(self, state: CollectionState) -> CollectionState:
        """Take in the pages of a run that ended; a crash on the way only repeats some of them."""
        staging, whole = self.store.staging, self.collection.whole
        if whole:
            state = self.store.begin_run(state)
        for staged in _gathered(staging.pages(state.number)):
            page = Page(staged.objects, staged.cursor, staged.ended)
            self._take(state, page)
            if not whole:  # a whole run that is repeated has to show all it holds again
                staging.drop(state.number, staged.number)
        staging.drop(state.number)
        return self.store.collection(self.number, self.collection.key, self.collection.title)

    def _take(self, state: CollectionState, page: Page) -> None:
        """Take a page in; behind what was refused the cursor stays, and all is read again."""
        polled = self.polled
        stored = self.store.store_page(
            self.number, state, _read(page.objects, self.name, polled), page.cursor,
            whole=self.collection.whole, now=self.now(), last=page.last,
            most=self.most, stays=polled.refused > self.refused_before,
        )  # fmt: skip
        polled.add(stored)


def _gathered(pages: Iterator[StagedPage]) -> Iterator[StagedPage]:
    """Yield pages joined to thousands of objects: one transaction touches an index leaf once."""
    held: list[bytes] = []
    last: StagedPage | None = None
    for page in pages:
        held, last = [*held, *page.objects], page
        if len(held) >= _TAKEN_AT_ONCE:
            yield replace(page, objects=held)
            held, last = [], None
    if last is not None:
        yield replace(last, objects=held)


def _read(objects: Sequence[bytes], feed: str, polled: PollResult) -> Iterator[ObjectVersion]:
    """Yield a page's objects as the store takes them, read a part at a time."""
    for part in parts(objects, READ_AT_ONCE):
        versions = [read_version(raw, feed) for raw in part]
        polled.count(versions)
        yield from versions


def read_version(raw: bytes, feed: str) -> ObjectVersion:
    """Return one object as received of a feed, as the store takes it.

    An unreadable one says why it is.
    """
    found = read_object(raw)
    if isinstance(found, Unreadable):
        return _unreadable_version(found, raw)
    marking = definition_in(raw, found) if found.type == "marking-definition" else None
    modified = 0 if found.modified is None else to_instant(found.modified)
    return ObjectVersion(
        key_of_id(found.id),
        _REVOKED if found.revoked else _CURRENT,
        modified if marking is None else marking.version,
        None if found.valid_from is None else to_instant(found.valid_from),
        None if found.valid_until is None else to_instant(found.valid_until),
        found.confidence,
        _traits(found),
        raw,
        partial(_claims, found, feed),
        partial(read_context, raw) if found.type in CONTEXT_TYPES else None,
        marking,
    )


def _unreadable_version(found: Unreadable, raw: bytes) -> ObjectVersion:
    """Return what takes the place of the indicator's older versions; else it stands for itself."""
    claims = partial(_unreadable_claims, found)
    if not found.indicator:
        key = key_of_unreadable(raw)
        return ObjectVersion(key, _UNREADABLE, UNDATED, None, None, None, _BARE, raw, claims)
    modified = UNDATED if found.modified is None else to_instant(found.modified)
    return ObjectVersion(
        key_of_id(found.indicator), _UNREADABLE, modified, None, None, None, _BARE, raw, claims,
        unread_creator=found.created_by_ref,
    )  # fmt: skip


def _traits(found: StixObject) -> IndicatorAttributes:
    created_by = found.created_by_ref or ""
    if found.type != "indicator":
        return IndicatorAttributes(created_by)
    partly: tuple[MarkedPart, ...] = ()
    if found.granular_markings:
        partly = tuple(
            MarkedPart(part.marking_ref, part.selectors)
            for part in found.granular_markings
            if part.marking_ref is not None
        )
    return IndicatorAttributes(
        created_by,
        found.labels or (),
        found.indicator_types or (),
        found.object_marking_refs or (),
        partly,
    )


def _claims(found: StixObject, feed: str) -> Sequence[Claim]:
    if found.type != "indicator" or found.pattern is None:
        return ()
    if found.pattern_type not in (None, "stix"):
        if language := _LANGUAGES.get(found.pattern_type):
            why = f"a {language} rule, kept whole and never read for observables"
            return (Claim(RuleRef.of(language, found.id, feed), enforceable=True, why=why),)
        why = f"pattern type {found.pattern_type[:32]!r} is not read for observables"
        reason = Reason.UNSUPPORTED_PATTERN
        return (Claim(None, enforceable=False, reason=reason, why=why),)
    return read_pattern(found.pattern, found.pattern_version or found.spec_version or "2.0")


def _unreadable_claims(found: Unreadable) -> Sequence[Claim]:
    claim = found.claim
    if claim is None or not found.id or not found.id.isprintable():
        return () if claim is None else (claim,)
    return (claim._replace(why=f"{found.id}: {claim.why}"),)  # its key may not be its id
