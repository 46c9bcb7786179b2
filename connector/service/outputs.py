"""The configured outputs: each kept in step with its list; holds are accepted here."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Final

from connector.decisions.allowlist.allowlist import Allowlist
from connector.decisions.records import HoldKind
from connector.errors import (
    ConnectorError,
    RefusedError,
    StoppedError,
    UnavailableError,
    UndecidedError,
)
from connector.instants import SECOND, Clock
from connector.log import log
from connector.registry import release
from connector.service.cleaning import AutomaticCleaning
from connector.service.holds import Answer, HoldKeeper
from connector.service.isolation import isolate_bugs
from connector.service.lists import Lists
from connector.service.places import PlaceKeeper
from connector.service.readiness import waiting_for
from connector.store import queries as questions
from connector.store.outputs.drifts import never_read_back
from connector.store.outputs.kept_holds import HoldState
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult, ListMovedError
from connector.sync.calls import Call
from connector.sync.cycle import apply, propose
from connector.sync.device import alone_at
from connector.sync.output import Output
from connector.sync.proposal import Proposal
from connector.sync.view import CHANGED, EVERYTHING, Scope

_PLANS: Final = 5
_WAIT_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.2
_FIRST_REST: Final = 60 * SECOND
_RAN_AWAY: Final = 600 * SECOND


@dataclass(slots=True)
class FalseCalls:
    """Stamps that changed although the target was as we left it, as a kernel's does with any rule.

    Each in a row doubles the time until the next is heeded, up to the output's `verify_every`:
    else a busy neighbour would have us read a large target in every cycle.
    """

    rests_until: int = 0
    _rest: int = 0

    def note(self, output: Output, now: int, *, false: bool) -> None:
        """Note whether a call was false."""
        self._rest = min(2 * self._rest or _FIRST_REST, output.verify_every) if false else 0
        self.rests_until = now + self._rest


@dataclass(slots=True, eq=False)
class Outputs(Mapping[str, Output]):
    """The outputs by name; `feeds` are the names of all feeds, in the order of the file.

    `monotonic` shows by how much the clock was set. `records_later` leaves it to the
    store's `flush` to record cycles that found nothing to do after others that went well.
    """

    outputs: Mapping[str, Output]
    feeds: Collection[str]
    lists: Lists
    store: Store
    now: Clock
    applier: Applier
    places: PlaceKeeper
    cleaning: AutomaticCleaning
    monotonic: Callable[[], float] = time.monotonic
    records_later: bool = False
    _well: set[str] = field(default_factory=set)
    _cycles: dict[str, tuple[int, float]] = field(default_factory=dict)  # that went well
    _looks: dict[str, tuple[int, float]] = field(default_factory=dict)  # all cycles
    _calls: dict[str, FalseCalls] = field(default_factory=dict)
    _allowed: dict[str, Allowlist] = field(default_factory=dict)  # as each output last had it

    def __getitem__(self, name: str) -> Output:
        return self.outputs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)

    def scope_of(self, name: str) -> Scope:
        """Return what the next cycle of an output must cover."""
        output = self.outputs[name]
        state = self.store.outputs.open(name, output.listing.number)
        stale = state.verified_at is None or self.now() - state.verified_at >= output.verify_every
        asked = self.store.holds.asks_to_read(state.number, self.now())
        return EVERYTHING if stale or state.setup != output.setup or asked else CHANGED

    def feeds_of(self, name: str) -> tuple[str, ...]:
        """Return the feeds that an output's list takes, in the order of the file."""
        chosen = self.outputs[name].listing.policy.select.feeds or self.feeds
        return tuple(feed for feed in self.feeds if feed in chosen)

    @property
    def holds(self) -> HoldKeeper:
        """What keeps the holds of all outputs."""
        return HoldKeeper(self.store, self.now)

    def propose(self, name: str, scope: Scope | None = None, *, ahead: int = 0) -> Proposal:
        """Return what one output would write, without writing to its target.

        Raises UndecidedError while its list is being decided, or was never read.
        """
        with self.store.database.read() as transaction:
            rows = questions.feed_rows(transaction)
            in_step = questions.was_in_step(transaction, name)
        if feeds := waiting_for(self.feeds_of(name), rows, in_step=in_step):
            raise UndecidedError(f"waiting for the first poll of feed {', '.join(feeds)}")
        heeds = self.now() >= self._calls.setdefault(name, FalseCalls()).rests_until
        scope = scope or self.scope_of(name)
        allowlist = self.outputs[name].listing.allowlist()
        held = self._allowed.get(name) is not allowlist
        scope = replace(scope, held=held, heeds_stamp=heeds)
        return propose(self.outputs[name], self.store, scope, self.now(), ahead=ahead)

    def sync(self, name: str, scope: Scope | None = None) -> ApplyResult:
        """Bring one output in step with its list; what breaks a limit waits for a person.

        Raises the adapter's error if its target does not answer; that is recorded for `status`.
        """
        self.places.settle()
        output, outputs = self.outputs[name], self.store.outputs
        began, allowlist = (self.now(), self.monotonic()), output.listing.allowlist()
        state = outputs.open(name, output.listing.number)
        self._follow_clock(output, state.number)
        try:
            with isolate_bugs(output=name), self._alone(output):
                proposal, applied = self._in_step(output, scope)
        except UndecidedError:
            raise
        except ConnectorError as error:
            paused = str(error) if isinstance(error, RefusedError) else None
            self._well.discard(name)
            outputs.note_attempt(state.number, self.now(), str(error), paused)
            raise
        self._cycles[name], self._allowed[name] = began, allowlist
        well = name in self._well and not state.failing
        if self.records_later and well and proposal.plan.empty:
            outputs.note_quiet(state.number, self.now())
        else:
            outputs.note_attempt(state.number, self.now(), None, None)
            self._well.add(name)
        self._tell_drift(name, proposal)
        self._tell_noticed(name, proposal)
        self.store.database.checkpoint_after(applied.added + applied.updated + applied.removed)
        number, rolling = proposal.state.number, output.rollout is not None
        waiting = {"waiting": self.store.rollouts.waiting(number)} if rolling else {}
        held = self.store.holds.waiting(number)
        log.info(
            "output.applied", output=name, plan=proposal.plan.id, scope=proposal.scope.name,
            added=applied.added, updated=applied.updated, removed=applied.removed,
            rejected=applied.rejected, kept=proposal.plan.unchanged,
            **{state.value: sum(count) for state, count in held.items()}, **waiting,
        )  # fmt: skip
        absent = any(count.add for count in held.values()) or any(waiting.values())
        if not (proposal.aside.stops or absent or applied.later):
            self.cleaning.clean(name)  # all that is wanted is at the new place
        return applied

    def _alone(self, output: Output) -> AbstractContextManager[None]:
        return alone_at(output.device, self.applier.stopped, output.target.calls)

    def _tell_drift(self, name: str, proposal: Proposal) -> None:
        drift = proposal.drift
        if not any(drift):
            return
        self.store.drifts.note(proposal.state.number, *drift, self.now())
        log.warning(
            "output.drifted", output=name, **drift._asdict(),
            what="others changed the target since our last cycle; it is mended",
        )  # fmt: skip

    def _tell_noticed(self, name: str, proposal: Proposal) -> None:
        """Warn once of what nobody expects at a target, by type and count."""
        noticed, number = proposal.noticed, proposal.state.number
        if noticed is None:
            return
        if self.store.surprises.keep_odd(number, noticed.odd, self.now()):
            log.warning(
                "output.odd_values", output=name, count=sum(noticed.odd.values()),
                types=dict(noticed.odd),
                what="the target gives values that are not in canonical form: they are read as "
                "what they mean, or count as others'",
            )  # fmt: skip
        if not noticed.news:
            return
        with self.store.database.read() as transaction:
            told = never_read_back(transaction).get(number, ())
        log.warning(
            "output.never_read_back", output=name, count=noticed.news,
            types={one.type: one.count for one in told},
            what="the target took these entries, and never had them when it was read back",
        )  # fmt: skip

    def _in_step(self, output: Output, scope: Scope | None) -> tuple[Proposal, ApplyResult]:
        """Plan, set aside and apply; again from the plan when the list moved under it."""
        for _ in range(_PLANS):
            proposal = self.propose(output.name, scope, ahead=self._ahead(output.name))
            self.holds.keep(proposal)
            try:
                applied = apply(proposal, output, self.applier)
            except ListMovedError:
                continue
            if not applied.later:  # what the target did not let go is looked at again
                self.holds.applied(proposal)
            if proposal.surprised:
                self._calls[output.name].note(output, self.now(), false=not any(proposal.drift))
            return proposal, applied
        listed = output.listing.policy.name
        raise UnavailableError(
            f"list {listed} changed while it was being published; the next cycle tries again"
        )

    def _ahead(self, name: str) -> int:
        """Return by how much the clock was set forward since the output's last cycle here."""
        return self._ahead_since(self._cycles.get(name))

    def _ahead_since(self, moment: tuple[int, float] | None) -> int:
        if moment is None:
            return 0
        then, before = moment
        ahead = self.now() - then - int((self.monotonic() - before) * SECOND)
        return ahead if ahead > _RAN_AWAY else 0

    def _follow_clock(self, output: Output, number: int) -> None:
        """Have what waits for another output follow a clock that was set, once each time."""
        if output.rollout is not None:
            ahead = self._ahead_since(self._looks.get(output.name))
            self.store.rollouts.follow_clock(number, ahead, self.now())
        self._looks[output.name] = self.now(), self.monotonic()

    def accept(self, hold_id: str, by: str, why: str = "") -> Answer:
        """Accept what is left of a hold, and apply it."""
        held = self.holds.find(hold_id, self)
        if isinstance(held, Answer):
            return held
        self.places.settle()
        name = held.output
        listed = self.outputs[name].listing.policy.name
        if not self.lists.is_decided(listed):  # the file may have changed since it was held
            self.lists.refresh(listed)
        scope = EVERYTHING if held.kind is HoldKind.REPLACE else None
        self.holds.keep(self.propose(name, scope))
        if over := self.holds.accept(held, by, why):
            return over
        applied = self.sync(name, scope)
        return Answer(_words(name, hold_id, applied), done=True)

    def hand_over(self, hold_id: str, by: str, why: str = "") -> Answer:
        """Accept a hold and wait until the daemon has applied it or found nothing left of it."""
        held = self.holds.find(hold_id, self)
        if isinstance(held, Answer):
            return held
        if over := self.holds.accept(held, by, why):
            return over
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            kept = self.store.holds.find(hold_id)
            if kept is not None and kept.state is HoldState.DONE:
                return Answer(f"Hold {hold_id} applied to {held.output}", done=True)
            time.sleep(_LOOK_SECONDS)
        words = f"Hold {hold_id} for {held.output} is accepted; the daemon has not applied it yet"
        return Answer(words)

    def refuse(self, hold_id: str, by: str, why: str, until: int | None) -> Answer:
        """Leave the entries of a hold as they are."""
        held = self.holds.find(hold_id, self)
        return held if isinstance(held, Answer) else self.holds.refuse(held, by, why, until)

    def note_overdue(self, call: Call) -> None:
        """Record that an output fails, as a call of its adapter is past its deadline."""
        listed = self.outputs[call.output].listing.number
        number = self.store.outputs.open(call.output, listed).number
        self.store.outputs.note_attempt(number, self.now(), call.words, None)
        self._well.discard(call.output)  # the next that goes well is recorded at once
        call.overdue = True
        log.error("output.overdue", output=call.output, why=call.words)

    def close(self) -> None:
        """Close every adapter but those left in a call; one that fails stops no other."""
        for name, output in self.outputs.items():
            if output.target.calls.left:
                continue
            try:
                with isolate_bugs(output=name):
                    release(output.adapter)
            except (ConnectorError, StoppedError) as error:
                log.warning("output.unclosed", output=name, why=str(error))


def _words(output: str, hold_id: str, applied: ApplyResult) -> str:
    return (
        f"Hold {hold_id} applied to {output}: {applied.added:,} added, "
        f"{applied.updated:,} updated, {applied.removed:,} removed, {applied.rejected:,} rejected"
    )
