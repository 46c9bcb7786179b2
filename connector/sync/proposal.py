"""What a cycle proposes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from connector.decisions.holds import Acceptance
from connector.decisions.plan import Plan
from connector.decisions.room import Room
from connector.decisions.set_aside import SetAside
from connector.store.outputs.held_changes import LookedAt
from connector.store.outputs.outputs import OutputState
from connector.store.outputs.rollouts import Turn
from connector.sync.drift import NO_DRIFT, Drift
from connector.sync.folding import Fold
from connector.sync.listing import Listing
from connector.sync.surprises import Noticed
from connector.sync.view import Scope


@dataclass(frozen=True, slots=True)
class InRollout:
    """Additions of a plan that wait for another output, and those that did and no longer do."""

    turn: Turn
    waiting: frozenset[int]
    gone: frozenset[int]


@dataclass(frozen=True)
class Proposal:
    """A plan, and what applying it needs to know of the moment it was made.

    `whole` is all that is due, `aside` which part of it goes on and which waits for a person;
    `looked` are the changes of earlier holds that it looked at.
    `seq` is how far the list had come; `room` is who fits where not all do. `stamp` is what the
    target said of itself before it was read; `surprised` says that it was read because of that;
    `drift` is what others did to it; `fold` has the entries that are one row there.
    `in_rollout` has what waits for another output; `noticed` what nobody expects at the target, if
    it was read.
    """

    whole: Plan
    aside: SetAside
    listing: Listing
    state: OutputState
    seq: int
    scope: Scope
    room: Room | None
    stamp: str | None = None
    surprised: bool = False
    drift: Drift = NO_DRIFT
    handles: Mapping[int, str] = field(default_factory=dict)
    fold: Fold | None = None
    now: int = 0
    looked: LookedAt = field(default_factory=LookedAt)
    in_rollout: InRollout | None = None
    noticed: Noticed | None = None

    @property
    def knows_the_target(self) -> bool:
        """Whether the target is as we left it, or was read: what it says of itself can be kept."""
        return self.scope.verifies or self.stamp == self.state.stamp

    @property
    def plan(self) -> Plan:
        """The part of the plan that goes on."""
        return self.aside.going

    @cached_property
    def accepted(self) -> Mapping[int, Acceptance]:
        """Who accepted each change that goes on because a person said so, by its number."""
        return self.looked.acceptances()

    @property
    def replaces(self) -> bool | None:
        """Whether a list of others would be replaced; None where the target was not read."""
        if not self.scope.verifies:
            return None
        return bool(self.whole.drifted and not self.whole.before)
