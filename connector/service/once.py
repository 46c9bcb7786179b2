"""One pass over everything, for `run --once` and `plan`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from connector.errors import ConnectorError, PlanRefusedError, StoreError
from connector.ingest.results import Intake
from connector.service.service import Service
from connector.sync.apply import ApplyResult
from connector.sync.proposal import EVERYTHING, Proposal

Progress = Callable[[str, int, int | None], None]


@dataclass(slots=True)
class RunResult:
    """What one pass did: polled, applied, held and failed, by name."""

    polled: dict[str, Intake] = field(default_factory=dict)
    applied: dict[str, ApplyResult] = field(default_factory=dict)
    held: dict[str, PlanRefusedError] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


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
    outputs = service.outputs
    outputs.applier.progress = lambda output, done, total: progress(f"output {output}", done, total)
    for name in outputs:
        try:
            outcome.applied[name] = outputs.sync(name, EVERYTHING)
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
            proposals[name] = service.outputs.propose(name, EVERYTHING)
        except StoreError:
            raise
        except ConnectorError as error:
            outcome.failures[f"output {name}"] = str(error)
    return proposals, [f"{name}: {why}" for name, why in outcome.failures.items()]
