"""The configured feeds: polls them, and passes the results to people and lists."""

from collections.abc import Callable, Iterator, Mapping

from connector.errors import ConnectorError, RefusedError, StoppedError
from connector.ingest import alarms
from connector.ingest.configured_feed import ConfiguredFeed
from connector.ingest.missing_markings import ask_for, missing
from connector.ingest.poll import Progress, poll
from connector.ingest.results import Intake
from connector.ingest.retention import Disposal
from connector.ingest.spills import Door
from connector.instants import SECOND, Clock
from connector.log import log
from connector.service.isolation import isolate_bugs
from connector.service.lists import Lists
from connector.store import queries
from connector.store.store import Store


class Feeds(Mapping[str, ConfiguredFeed]):
    """The feeds by name.

    What a poll brings reaches lists through the store, and by `Lists.take_up_markings` and
    `Lists.take_up_producers`: no other way.
    """

    def __init__(
        self,
        feeds: Mapping[str, ConfiguredFeed],
        store: Store,
        now: Clock,
        lists: Lists,
    ) -> None:
        self._feeds = dict(feeds)
        self._store = store
        self._now = now
        self._lists = lists
        self.stopped: Callable[[], bool] = lambda: False
        self._missing: dict[str, set[str]] = {}  # markings of objects without a definition
        self._faults: dict[str, tuple[str, ...]] = {}  # what the last poll could not read
        self._away: set[str] = set()  # feeds whose expiring window has been reported
        self._disposal = Disposal()

    def __getitem__(self, name: str) -> ConfiguredFeed:
        return self._feeds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._feeds)

    def __len__(self) -> int:
        return len(self._feeds)

    def poll(self, name: str, progress: Progress = lambda _title, _count: None) -> Intake:
        """Poll one feed once; raise the error of a failed poll after recording it."""
        feed = self[name]
        try:
            with isolate_bugs(feed=name), log.naming(feed=name):  # every log line names it
                intake = self._polled(feed, progress)
        except ConnectorError as error:
            paused = str(error) if isinstance(error, RefusedError) else None
            self._store.objects.note_attempt(feed.number, self._now(), str(error), paused)
            self.warn_of_windows()
            raise
        self._store.objects.note_attempt(feed.number, self._now(), None)
        self._store.database.checkpoint_after(intake.new + intake.updated)
        self._report(feed, intake)
        return intake

    def _polled(self, feed: ConfiguredFeed, progress: Progress) -> Intake:
        """Take in a feed's objects, and their effect on earlier decisions."""

        def go_on(title: str, count: int) -> None:
            progress(title, count)
            if self.stopped():  # the page is kept; the next run continues after it
                raise StoppedError

        objects = self._store.objects
        alarms.begin(feed, objects, self._now())
        polled = poll(feed, objects, self._now, go_on)
        alarms.judge(feed, polled, objects, self._now())
        # Of several collections, one may bring a marking before another fails.
        self._take_up(feed, polled.intake)
        self._lists.take_up_producers()
        polled.raise_error()
        for found in self._missing_markings(feed, polled.intake.marking_refs):
            self._take_up(feed, found)
        return polled.intake

    def _take_up(self, feed: ConfiguredFeed, intake: Intake) -> None:
        """Let lists follow what came of markings, and tell and purge what should not have come."""
        moved = self._store.objects.definitions.moved(feed.number)
        asked = self._store.markings.of(feed.number).look_again(intake.defined | moved)
        if asked or moved:
            self._lists.take_up_markings()
        for ref, why in intake.spilled.items():
            self._store.audit.record(f"feed {feed.name}", "spill", ref, why, [], self._now())
        if intake.spilled:
            self.dispose()

    def _missing_markings(
        self, feed: ConfiguredFeed, marking_refs: frozenset[str]
    ) -> Iterator[Intake]:
        """Request markings that are missing for the objects that have them."""
        wanted = self._missing.get(feed.name, set()) | marking_refs
        refs = missing(wanted, self._store.markings.of(feed.number))
        self._missing[feed.name] = refs
        door = Door(self._store.objects, feed.number)
        for found in ask_for(refs, feed.feed, door, self._now()):
            refs -= found.defined
            yield found

    def _report(self, feed: ConfiguredFeed, intake: Intake) -> None:
        """Log the result of a poll, and unreadable objects again whenever they change."""
        log.info(
            "feed.polled", feed=feed.name, objects=intake.objects, new=intake.new,
            updated=intake.updated, revoked=intake.revoked, withdrawn=intake.withdrawn,
            unreadable=intake.unreadable, quarantined=intake.quarantined,
        )  # fmt: skip
        if intake.faults and intake.faults != self._faults.get(feed.name):
            log.warning("feed.unreadable", feed=feed.name, such_as=list(intake.faults))
        self._faults[feed.name] = intake.faults
        if intake.off_scale:
            log.warning(
                "feed.confidence_off_scale", feed=feed.name, objects=intake.off_scale,
                scale=feed.config.confidence_scale.value,
                what="their confidence counts as not given",
            )  # fmt: skip

    def warn_of_windows(self) -> None:
        """Warn once about each feed that was not read for half of its server's window."""
        with self._store.database.read() as transaction:
            rows = queries.feed_rows(transaction)
        for name, feed in self.items():
            row = rows.get(name)
            if feed.window is None or row is None or row.last_success is None:
                continue
            away = (self._now() - row.last_success) // SECOND
            if away < feed.window.total_seconds() / 2:
                self._away.discard(name)
            elif name not in self._away:
                self._away.add(name)
                log.warning(
                    "feed.window", feed=name, seconds_without_success=away,
                    window_seconds=int(feed.window.total_seconds()), error=row.error,
                )  # fmt: skip

    def dispose(self) -> int:
        """Purge objects that markings no longer let us hold; return their number."""
        return self._disposal.apply(self._store, self._now())

    def close(self) -> None:
        """Close the connections of every feed."""
        for feed in self.values():
            feed.close()
