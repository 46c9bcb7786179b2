"""One poll of a feed: its collections, the run over each, and a page of that taken in."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from connector.errors import ConnectorError, UnavailableError
from connector.feed import Collection, Page
from connector.ingest.configured_feed import ConfiguredFeed
from connector.ingest.deletions import withdraw_deleted
from connector.ingest.results import MOST_TOLD, CollectionResult, Intake, PollResult
from connector.ingest.spills import Door
from connector.ingest.versions import Reader
from connector.instants import Clock, to_instant
from connector.log import log
from connector.store.feeds.definitions import BY_CURSOR, ShownIn
from connector.store.feeds.objects import ObjectStore
from connector.store.feeds.runs import CollectionState
from connector.store.feeds.staging import StagedPage, Standing

_TAKEN_AT_ONCE: Final = 5000
MOST_PAGES_WAITING: Final = 100_000  # of one collection, until its run is complete

Progress = Callable[[str, int], None]


def poll(feed: ConfiguredFeed, store: ObjectStore, now: Clock, progress: Progress) -> PollResult:
    """Read what is new in every collection of a feed into the store.

    A collection that fails leaves the others alone. What it gave before it failed is set aside
    until a later run goes on from there and ends well, or counts at once with `partial_runs`.
    Raises what `Feed.collections` raises; single failed collections are in `errors`.
    """
    store.begin_poll(feed.number)
    collections = feed.feed.collections()
    results: list[CollectionResult] = []
    for collection in collections:
        gaps = sum(result.gap for result in results)
        run = CollectionRun(feed, collection, store, now, progress, tells_gap=gaps < MOST_TOLD)
        results.append(run.result())
    _tell_of_many(results)
    withdrawn = store.runs.drop_collections(feed.number, {found.key for found in collections})
    errors = tuple(result.error for result in results if result.error is not None)
    if not errors:
        withdrawn += withdraw_deleted(feed.feed, feed.number, collections, store, now)
    brought = [result.intake for result in results]
    return PollResult(Intake.total([*brought, Intake(withdrawn=withdrawn)]), errors)


def _tell_of_many(results: list[CollectionResult]) -> None:
    """Report gaps beyond those reported one by one, and runs that were not finished."""
    gaps = sum(result.gap for result in results)
    if gaps > MOST_TOLD:
        log.warning("feed.gaps", collections=gaps, what="`connector status` lists them")
    unfinished = [result for result in results if result.waiting]
    for first in unfinished[:1]:
        log.warning("feed.run_unfinished", collection=first.title, pages_waiting=first.waiting,
                    collections=len(unfinished))  # fmt: skip


@dataclass(slots=True)
class CollectionRun:
    """One run over one collection; a run of several pages counts when it has ended well."""

    feed: ConfiguredFeed
    collection: Collection
    store: ObjectStore
    now: Clock
    progress: Progress
    tells_gap: bool
    _gap: bool = False
    _refused: int = 0  # new objects: the cursor stays before the first of them

    def result(self) -> CollectionResult:
        """Read what is new; return what that brought, also where it failed on the way."""
        title, brought, error, waiting = self.collection.title, list[Intake](), None, 0
        try:
            for intake in self._read():
                brought.append(intake)
        except ConnectorError as failure:
            error, waiting = failure, self._pages_waiting()
        return CollectionResult(title, Intake.total(brought), error, self._gap, waiting)

    def _read(self) -> Iterator[Intake]:
        """Yield what each page brings: taken in at once, or when the last one has come."""
        state, collection = self._state(), self.collection
        held = self._held(state)
        if held is not None and (held.ended or self.feed.partial_runs):
            yield from self._take_staged(state)
            state, held = self._state(), None
        at_once = self.feed.partial_runs or collection.at_once
        first = True
        for received in self.feed.feed.pages(collection, held.cursor if held else state.cursor):
            page, spilled = self._admitted(received, state, begun=at_once and not first)
            yield Intake(spilled=spilled)
            if first:  # before the cursor moves past it
                self._note_gap()
            if at_once or (page.last and first and held is None):
                state = self._begun(state) if first else state
                yield from self._take(state, page)
            else:
                self.store.staging.put(
                    state.number, page.objects, page.cursor,
                    ended=page.last, again=held is not None,
                )  # fmt: skip
            first = False
            self.progress(collection.title, len(page.objects))
        if not at_once and self.store.staging.standing(state.number) is not None:
            yield from self._take_staged(state)

    def _state(self) -> CollectionState:
        return self.store.runs.collection(
            self.feed.number, self.collection.key, self.collection.title
        )

    def _held(self, state: CollectionState) -> Standing | None:
        """Return what an unfinished run left, where this one goes on from there."""
        held = self.store.staging.standing(state.number)
        if held is not None and self.collection.whole and not held.ended:
            self.store.staging.drop(state.number)  # every run of it starts from the beginning
            return None
        if held is None or held.ended or self.feed.partial_runs:
            return held
        if held.pages >= MOST_PAGES_WAITING:
            raise UnavailableError(
                f"{self.collection.title}: {held.pages} pages wait for the end of a run, and no "
                "more are taken: set partial_runs: allow to take in what came"
            )
        return held

    def _pages_waiting(self) -> int:
        """Return how many pages a broken run left: nothing of them counts until it ended well."""
        held = self.store.staging.standing(self._state().number)
        return 0 if held is None else held.pages

    def _begun(self, state: CollectionState) -> CollectionState:
        return self.store.runs.begin_run(state) if self.collection.whole else state

    def _admitted(
        self, received: Page, state: CollectionState, *, begun: bool
    ) -> tuple[Page, Mapping[str, str]]:
        """Return what of a page may be held, and the spills in it."""
        run = state.run if begun else state.run + 1
        shown = ShownIn(state.number, run) if self.collection.whole else BY_CURSOR
        return Door(self.store, self.feed.number).without_spills(received, self.now(), shown)

    def _note_gap(self) -> None:
        """Note what can no longer be asked for."""
        gap = self.feed.feed.gaps.get(self.collection.key)
        if gap is None:
            return
        after, until = to_instant(gap.after), to_instant(gap.until)
        self._gap = self.store.gaps.note(
            self.feed.number, self.collection.key, after, until, self.now()
        )
        if self._gap and self.tells_gap:
            log.warning(
                "feed.gap", collection=self.collection.title,
                after=gap.after.isoformat(), until=gap.until.isoformat(),
            )  # fmt: skip

    def _take_staged(self, state: CollectionState) -> Iterator[Intake]:
        """Take in the pages of a complete run; after a crash some of them are repeated."""
        staging, state = self.store.staging, self._begun(state)
        for staged in _gathered(staging.pages(state.number)):
            yield from self._take(state, Page(staged.objects, staged.cursor, staged.ended))
            if not self.collection.whole:  # a whole run has to show all it holds in one go
                staging.drop(state.number, staged.number)
        staging.drop(state.number)

    def _take(self, state: CollectionState, page: Page) -> Iterator[Intake]:
        """Take a page in; the cursor stops before refused objects, so they are read again."""
        yield Intake(objects=len(page.objects))
        reader = Reader(self.feed.name, self.feed.scale)
        stored = self.store.store_page(
            self.feed.number, state, reader.versions(page.objects), page.cursor,
            whole=self.collection.whole, now=self.now(), last=page.last,
            most=self.feed.config.max_objects, stays=self._refused > 0,
        )  # fmt: skip
        self._refused += stored.refused
        yield reader.intake()
        yield Intake.stored(stored)


def _gathered(pages: Iterator[StagedPage]) -> Iterator[StagedPage]:
    """Yield pages joined to thousands of objects, so a transaction touches index leaves once."""
    held: list[bytes] = []
    last: StagedPage | None = None
    for page in pages:
        held, last = [*held, *page.objects], page
        if len(held) >= _TAKEN_AT_ONCE:
            yield replace(page, objects=held)
            held, last = [], None
    if last is not None:
        yield replace(last, objects=held)
