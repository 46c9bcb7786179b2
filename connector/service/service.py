"""The configured service: its feeds, lists and outputs over one store, and a cycle of each."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from connector.config.loading import Loaded
from connector.config.model import FeedConfig, PartialRuns
from connector.decisions.selection import FeedDefaults, IndicatorAttributes
from connector.errors import ConnectorError, RefusedError, UnavailableError, UndecidedError
from connector.feed import Feed
from connector.indicators.confidence import readings
from connector.ingest.missing_markings import resolve
from connector.ingest.poll import PollResult, poll
from connector.ingest.retention import Disposal
from connector.ingest.spills import Door
from connector.instants import SECOND, Clock
from connector.log import log
from connector.model import Audience, Tlp
from connector.reports import feed_states as feedwatch
from connector.service.allowlist import AllowlistInForce
from connector.service.readiness import waiting_for
from connector.store import queries as questions
from connector.store.lists.entry_rows import RefreshResult
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult, ListMovedError, StoppedError
from connector.sync.cycle import (
    CHANGED,
    EVERYTHING,
    Listing,
    Output,
    Proposal,
    Scope,
    check,
    propose,
    refresh,
)

_PLANS: Final = 5
_BULK: Final = 10_000

FeedProgress = Callable[[str, int], None]


@contextmanager
def isolate_bugs(**what: str) -> Iterator[None]:
    """Make of a bug in a cycle a failure of that cycle alone: it stops no other."""
    try:
        yield
    except (ConnectorError, StoppedError):
        raise
    except Exception as error:
        log.exception("cycle.bug", **what)
        words = f"a bug, see the traceback in the log: {error!r}"
        raise UnavailableError(words) from error


@dataclass(frozen=True, slots=True)
class ConfiguredFeed:
    """A configured feed with its number in the store."""

    name: str
    number: int
    feed: Feed[Any]
    config: FeedConfig

    @property
    def window(self) -> timedelta | None:
        """How far back the server answers; a feed's own option may say so too."""
        own: timedelta | None = getattr(self.feed.settings, "window", None)
        return self.config.window or own


@dataclass(slots=True)
class Service:
    """Feeds, lists and outputs as the file names them; every cycle of the product is a method.

    `defaults` are by the number of a feed in the store; `level` says of an indicator how far its
    feed lets it travel. Both hold whatever lists there are.
    """

    loaded: Loaded
    store: Store
    now: Clock
    feeds: dict[str, ConfiguredFeed]
    listings: dict[str, Listing]
    outputs: dict[str, Output]
    applier: Applier
    allowlist: AllowlistInForce
    defaults: Mapping[int, FeedDefaults]
    level: Callable[[IndicatorAttributes, int], Tlp]
    undecided: set[str] = field(default_factory=set)
    deciding: set[str] = field(default_factory=set)
    unresolved: dict[str, set[str]] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)
    faults: dict[str, list[str]] = field(default_factory=dict)
    disposal: Disposal = field(default_factory=Disposal)

    def poll(self, name: str, progress: FeedProgress = lambda _title, _count: None) -> PollResult:
        """Poll one feed once; raises what a failed poll raises, after recording it."""
        feed = self.feeds[name]
        try:
            with isolate_bugs(feed=name), log.naming(feed=name):  # all that is logged names it
                polled = self._polled(name, progress)
        except ConnectorError as error:
            paused = str(error) if isinstance(error, RefusedError) else None
            self.store.objects.note_attempt(feed.number, self.now(), str(error), paused)
            self.warn_of_windows()
            raise
        self.store.objects.note_attempt(feed.number, self.now(), None)
        self._checkpoint_after(polled.new + polled.updated)
        log.info(
            "feed.polled", feed=name, objects=polled.objects, new=polled.new,
            updated=polled.updated, revoked=polled.revoked, withdrawn=polled.withdrawn,
            unreadable=polled.unreadable, quarantined=polled.quarantined,
        )  # fmt: skip
        if polled.faults and polled.faults != self.faults.get(name):
            log.warning("feed.unreadable", feed=name, such_as=polled.faults)
        self.faults[name] = polled.faults
        if polled.off_scale:
            log.warning(
                "feed.confidence_off_scale", feed=name, objects=polled.off_scale,
                scale=feed.config.confidence_scale.value,
                what="their confidence counts as not given",
            )  # fmt: skip
        return polled

    def _polled(self, name: str, progress: FeedProgress) -> PollResult:
        """Take in what a feed has, and what that means for what was decided before."""
        feed = self.feeds[name]

        def told(title: str, count: int) -> None:
            progress(title, count)
            self._go_on()  # the page is kept; the next run goes on behind it

        feedwatch.begin(feed, self.store.objects, self.now())
        polled = poll(
            feed.feed, name, feed.number, self.store.objects, self.now, told,
            partial_runs=feed.config.partial_runs is PartialRuns.ALLOW,
            scale=readings(feed.config.confidence_scale), most=feed.config.max_objects,
        )  # fmt: skip
        feedwatch.judge(feed, polled, self.store.objects, self.now())
        try:
            _raise_worst(polled)
            wanted = self.unresolved.get(name, set()) | polled.marked
            known, door = self.store.markings.of(feed.number), Door(self.store.objects, feed.number)
            self.unresolved[name] = resolve(feed.feed, wanted, known, door, polled, self.now())
        finally:  # of several collections, one may bring a marking before another fails
            self._learn_markings(feed.number, polled)
            self._report_spills(name, polled)
            self._learn_producers()
        return polled

    def _go_on(self) -> None:
        if self.applier.stopped():
            raise StoppedError

    def warn_of_windows(self) -> None:
        """Warn once of each feed that was not read for half of what its server remembers."""
        with self.store.database.read() as transaction:
            rows = questions.feed_rows(transaction)
        for name, feed in self.feeds.items():
            row = rows.get(name)
            if feed.window is None or row is None or row.last_success is None:
                continue
            away = (self.now() - row.last_success) // SECOND
            if away < feed.window.total_seconds() / 2:
                self.warned.discard(name)
            elif name not in self.warned:
                self.warned.add(name)
                log.warning(
                    "feed.window", feed=name, seconds_without_success=away,
                    window_seconds=int(feed.window.total_seconds()), error=row.error,
                )  # fmt: skip

    def _report_spills(self, name: str, polled: PollResult) -> None:
        for ref, why in polled.spilled.items():
            self.store.ledger.record(f"feed {name}", "spill", ref, why, [], self.now())
        if polled.spilled:
            self.dispose()

    def _learn_markings(self, feed: int, polled: PollResult) -> None:
        moved = self.store.objects.definitions.moved(feed)
        asked = self.store.markings.of(feed).look_again(polled.markings | moved)
        if asked or moved or polled.remarked:  # verdicts were made without these, or before
            for listing in self.listings.values():
                listing.policy.forget_verdicts()
            self.undecided.update(self.listings)

    def _learn_producers(self) -> None:
        """Judge anew what producers created of whom other things hold, and where they moved."""
        self._learn_consents()
        asking = {
            name: listing.policy
            for name, listing in self.listings.items()
            if listing.policy.select.context.asks_producers
        }
        if asking and self.store.producers.moved():
            for policy in asking.values():
                policy.forget_verdicts()
            self.undecided.update(asking)

    def _learn_consents(self) -> None:
        asking = {
            name for name, listing in self.listings.items()
            if self.loaded.config.lists[name].audience is not Audience.OWN
            or "producer" in listing.policy.shows
        }  # fmt: skip
        changed = self.store.producers.changed()
        if not changed:
            return
        for listing in self.listings.values():
            listing.policy.forget_verdicts()
        stirred = False
        try:
            producers = {producer for _feed, producer in changed}
            stirred = not asking or self.store.objects.mark_changed_of(producers)
        finally:
            if not stirred:
                self.undecided.update(asking)

    def refresh(
        self,
        name: str,
        *,
        everything: bool = False,
        progress: Callable[[int], None] = lambda _considered: None,
    ) -> RefreshResult:
        """Decide one list anew, on what changed or on everything."""

        def told(considered: int) -> None:
            progress(considered)
            self._go_on()

        self.deciding.add(name)
        if name in self.undecided:  # whatever calls for it from here on, calls for the next time
            self.undecided.discard(name)
            everything = True
        try:
            with isolate_bugs(list=name):
                done = refresh(
                    self.listings[name], self.store.lists, everything=everything, now=self.now(),
                    progress=told,
                )  # fmt: skip
        except BaseException as error:
            self.undecided.add(name)
            self.store.ledger.note_damage(self.listings[name].number, self.now(), error)
            raise
        finally:
            self.deciding.discard(name)
        self._checkpoint_after(done.considered)
        log.info(
            "list.refreshed", list=name, scope="everything" if everything else "changed",
            considered=done.considered, added=done.added, removed=done.removed,
            changed=done.changed,
        )  # fmt: skip
        return done

    def dispose(self) -> int:
        """Purge what markings let us hold no longer; return how many objects."""
        return self.disposal.apply(self.store, self.now())

    def is_decided(self, name: str) -> bool:
        """Return whether a list is whole, and by what the file, markings and exceptions say."""
        return name not in self.undecided and name not in self.deciding

    def take_up_hosts(self) -> None:
        """Look now and then which addresses our own hosts have; lists follow where those moved."""
        if self.allowlist.look_up_hosts(self.now()):
            self.undecided.update(self.listings)

    def take_up_exceptions(self) -> None:
        """Take up exceptions that `connector allow` made or ended since; lists follow."""
        change = self.store.exceptions.change()
        if change == self.allowlist.change:
            return
        rules = self.store.exceptions.rules(self.now())
        self.allowlist.take_up(rules, change)
        self.undecided.update(self.listings)
        log.info("allowlist.changed", exceptions=len(rules))

    def scope_of(self, name: str) -> Scope:
        """Return what the next cycle of an output has to look at."""
        output = self.outputs[name]
        state = self.store.ledger.open(name, output.listing.number)
        every = self.loaded.config.outputs[name].verify_every.total_seconds() * SECOND
        stale = state.verified_at is None or self.now() - state.verified_at >= every
        return EVERYTHING if stale or state.setup != output.setup else CHANGED

    def feeds_of(self, output: str) -> tuple[str, ...]:
        """Return the feeds that an output's list takes, in the order of the file."""
        chosen = self.outputs[output].listing.policy.select.feeds or self.feeds
        return tuple(name for name in self.feeds if name in chosen)

    def propose(self, name: str, scope: Scope | None = None) -> Proposal:
        """Return what one output would write; writes nothing to its target.

        Raises UndecidedError while its list is being decided, or was never read.
        """
        with self.store.database.read() as transaction:
            rows = questions.feed_rows(transaction)
            output = questions.output_rows(transaction).get(name)
        in_step = output is not None and output.last_success is not None
        if feeds := waiting_for(self.feeds_of(name), rows, in_step=in_step):
            raise UndecidedError(f"waiting for the first poll of feed {', '.join(feeds)}")
        return propose(self.outputs[name], self.store, scope or self.scope_of(name))

    def sync(self, name: str, scope: Scope | None = None, accepted: str = "") -> ApplyResult:
        """Bring one output in step with its list.

        Raises PlanRefusedError when a limit holds the plan, and what the adapter raises when its
        target does not answer; both are recorded for `status`.
        """
        output, ledger = self.outputs[name], self.store.ledger
        state = ledger.open(name, output.listing.number)
        try:
            with isolate_bugs(output=name):
                proposal, applied = self._in_step(output, scope, accepted)
        except UndecidedError:
            raise
        except ConnectorError as error:
            paused = str(error) if isinstance(error, RefusedError) else None
            ledger.note_attempt(state.number, self.now(), str(error), paused)
            raise
        ledger.note_attempt(state.number, self.now(), None, None)
        self._checkpoint_after(applied.added + applied.updated + applied.removed)
        log.info(
            "output.applied", output=name, plan=proposal.plan.id, scope=proposal.scope.name,
            added=applied.added, updated=applied.updated, removed=applied.removed,
            rejected=applied.rejected, kept=proposal.plan.unchanged,
        )  # fmt: skip
        return applied

    def _in_step(
        self, output: Output, scope: Scope | None, accepted: str
    ) -> tuple[Proposal, ApplyResult]:
        """Plan, check and carry out; again from the plan when the list moved under it."""
        ledger = self.store.ledger
        for _ in range(_PLANS):
            proposal = self.propose(output.name, scope)
            number, plan_id = proposal.state.number, proposal.plan.id
            agreed = ledger.accepted(number) | {accepted}
            for other in agreed - {accepted, plan_id}:
                ledger.set_plan_state(number, other, "outdated")
            self._check(proposal, output, agreed)
            try:
                applied = self.applier.apply(proposal, output)
            except ListMovedError:
                continue
            if plan_id in agreed:
                ledger.set_plan_state(number, plan_id, "done")
            return proposal, applied
        listed = output.listing.policy.name
        raise UnavailableError(
            f"list {listed} changed while it was being published; the next cycle tries again"
        )

    def _check(self, proposal: Proposal, output: Output, agreed: set[str]) -> None:
        try:
            check(proposal, output, agreed)
        except ConnectorError as error:
            broken = getattr(error, "broken", ())
            news = self.store.ledger.hold(proposal.state, proposal.plan, broken, self.now())
            self.store.ledger.mark(proposal.state, proposal.plan, self.now())
            if news:
                plan = proposal.plan
                self.store.ledger.record(output.name, "hold", plan.id, "held", [], self.now())
                log.warning(
                    "plan.held", output=output.name, plan=plan.id, add=len(plan.add),
                    update=len(plan.update), remove=len(plan.remove), broken=list(broken),
                )  # fmt: skip
            raise

    def _checkpoint_after(self, changes: int) -> None:
        if changes >= _BULK:
            self.store.database.checkpoint_passively()

    def close(self) -> None:
        """Let go of every transaction."""
        for feed in self.feeds.values():
            feed.feed.close()
        for output in self.outputs.values():
            output.adapter.close()


def _raise_worst(polled: PollResult) -> None:
    """Raise what a poll failed of; one closed collection does not pause those that answer."""
    for first in polled.errors[:1]:
        if isinstance(first, RefusedError) and polled.objects:
            raise UnavailableError(str(first))
        raise first
