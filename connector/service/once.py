"""One pass over everything, for `run --once`, `plan` and `apply`."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from connector.errors import ConnectorError, PlanRefusedError, StoreError
from connector.ingest.poll import PollResult
from connector.service.service import Service
from connector.sync.apply import ApplyResult
from connector.sync.cycle import EVERYTHING, Proposal, Scope

_WAIT_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.2

Progress = Callable[[str, int, int | None], None]


@dataclass(slots=True)
class RunResult:
    """What one pass did: polled, applied, held and failed, by name."""

    polled: dict[str, PollResult] = field(default_factory=dict)
    applied: dict[str, ApplyResult] = field(default_factory=dict)
    held: dict[str, PlanRefusedError] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What became of accepting a plan, in words for the operator."""

    words: str
    applied: bool = False
    outdated: bool = False


def take_in(service: Service, outcome: RunResult, progress: Progress) -> None:
    """Poll every feed and decide every list; a feed that fails leaves the others alone."""
    for name in service.feeds:
        read = 0

        def told(_title: str, count: int, name: str = name) -> None:
            nonlocal read
            read += count
            progress(f"feed {name}", read, None)

        try:
            outcome.polled[name] = service.feeds.poll(name, told)
        except StoreError:
            raise
        except ConnectorError as error:
            outcome.failures[f"feed {name}"] = str(error)
    service.feeds.dispose()
    service.lists.take_up_hosts()
    for name in service.lists:
        shown = partial(_count, progress, f"list {name}")
        shown(0)
        service.lists.refresh(name, everything=True, progress=shown)


def _count(progress: Progress, what: str, done: int) -> None:
    progress(what, done, None)


def run_once(service: Service, progress: Progress) -> RunResult:
    """Poll every feed, decide every list and sync every output once."""
    outcome = RunResult()
    service.store.objects.delete_unreferenced()
    take_in(service, outcome, progress)
    service.applier.progress = lambda output, done, total: progress(f"output {output}", done, total)
    for name in service.outputs:
        try:
            outcome.applied[name] = service.sync(name, EVERYTHING)
        except PlanRefusedError as error:
            outcome.held[name] = error
        except StoreError:
            raise
        except ConnectorError as error:
            outcome.failures[f"output {name}"] = str(error)
    service.feeds.dispose()  # values that were held at a target until now
    return outcome


def propose_all(
    service: Service, outputs: Sequence[str] | None, progress: Progress, *, polls: bool
) -> tuple[dict[str, Proposal], list[str]]:
    """Return the plans of outputs and what failed; targets are read, never written."""
    outcome = RunResult()
    if polls:
        take_in(service, outcome, progress)
    proposals: dict[str, Proposal] = {}
    for name in outputs or service.outputs:
        try:
            proposals[name] = service.propose(name, EVERYTHING)
        except StoreError:
            raise
        except ConnectorError as error:
            outcome.failures[f"output {name}"] = str(error)
    return proposals, [f"{name}: {why}" for name, why in outcome.failures.items()]


def accept(service: Service, plan_id: str, by: str, *, waits: bool) -> Acceptance:
    """Accept a held plan: carry it out, or let the running daemon do so and wait for it."""
    ledger = service.store.ledger
    with service.store.database.read() as transaction:
        known = ledger.plan_state(transaction, plan_id)
    if known is None or known[0] not in service.outputs:
        return Acceptance(f"Plan {plan_id} was never held; `connector status` names the held plans")
    output, state, scope = known
    if state != "held":
        return Acceptance(f"Plan {plan_id} for {output} is {state}, no longer held", outdated=True)
    number = ledger.open(output, service.outputs[output].listing.number).number
    if waits:
        return _hand_over(service, plan_id, output, number, by)
    listed = service.outputs[output].listing.policy.name
    if not service.lists.is_decided(listed):  # the file may have changed since it was held
        service.lists.refresh(listed)
    everything = scope == EVERYTHING.name
    proposal = service.propose(output, Scope(everything=everything, verifies=everything))
    if proposal.plan.id != plan_id:
        ledger.set_plan_state(number, plan_id, "outdated")
        return Acceptance(
            f"Plan {plan_id} for {output} is out of date: things have changed since it was held; "
            f"run `connector plan {output}` to see what would be written now",
            outdated=True,
        )
    ledger.set_plan_state(number, plan_id, "accepted", by)
    ledger.record(output, "accept", plan_id, by, [], service.now())
    applied = service.sync(output, proposal.scope, plan_id)
    return Acceptance(_words(output, plan_id, applied), applied=True)


def _words(output: str, plan_id: str, applied: ApplyResult) -> str:
    return (
        f"Plan {plan_id} applied to {output}: {applied.added:,} added, "
        f"{applied.updated:,} updated, {applied.removed:,} removed, {applied.rejected:,} rejected"
    )


def _hand_over(service: Service, plan_id: str, output: str, number: int, by: str) -> Acceptance:
    """Mark the plan as accepted and wait until the daemon carried it out or found it outdated."""
    ledger = service.store.ledger
    ledger.set_plan_state(number, plan_id, "accepted", by)
    ledger.record(output, "accept", plan_id, by, [], service.now())
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        with service.store.database.read() as transaction:
            known = ledger.plan_state(transaction, plan_id)
        if known is not None and known[1] == "done":
            return Acceptance(f"Plan {plan_id} applied to {output}", applied=True)
        if known is not None and known[1] in ("outdated", "replaced"):
            return Acceptance(f"Plan {plan_id} for {output} is out of date", outdated=True)
        time.sleep(_LOOK_SECONDS)
    return Acceptance(f"Plan {plan_id} for {output} is accepted; the daemon has not applied it yet")
