"""One pass over everything, for `run --once` and `plan`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from connector.errors import ConnectorError, StoreError
from connector.ingest.results import Intake
from connector.service.deadline import in_time
from connector.service.service import Service
from connector.store.outputs.kept_holds import HoldState, KeptHold, live_holds
from connector.sync.apply import ApplyResult
from connector.sync.proposal import Proposal
from connector.sync.view import EVERYTHING

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What one pass did: polled, applied, held and failed, by name."""

    polled: Mapping[str, Intake]
    failures: Mapping[str, str]
    applied: Mapping[str, ApplyResult] = field(default_factory=dict)
    held: Mapping[str, Sequence[KeptHold]] = field(default_factory=dict)


def run_once(service: Service, progress: Progress) -> RunResult:
    """Poll every feed, decide every list and sync every output once."""
    service.outputs.places.settle()
    service.store.objects.delete_unreferenced()
    taken = take_in(service, progress)
    applied, failures = {}, dict(taken.failures)
    outputs = service.outputs
    outputs.applier.progress = lambda output, done, total: progress(f"output {output}", done, total)
    for name in outputs:
        try:
            applied[name] = in_time(
                service.calls, service.stop.ask, partial(outputs.sync, name, EVERYTHING),
                outputs.note_overdue,
            )  # fmt: skip
        except StoreError:
            raise
        except ConnectorError as error:
            failures[f"output {name}"] = str(error)
    service.feeds.dispose()  # values that were on a target until now
    return RunResult(taken.polled, failures, applied, _held(service))


def _held(service: Service) -> dict[str, list[KeptHold]]:
    """Return what waits for a person, by output in the order of the file, the newest last."""
    with service.store.database.read() as transaction:
        holds = [hold for hold in live_holds(transaction) if hold.state is HoldState.HELD]
    by_output = {name: [hold for hold in holds if hold.output == name] for name in service.outputs}
    return {name: found for name, found in by_output.items() if found}


def take_in(service: Service, progress: Progress) -> RunResult:
    """Poll every feed and decide every list; a feed that fails does not affect the others."""
    polled, failures = {}, {}
    for name in service.feeds:
        try:
            polled[name] = service.feeds.poll(name, _objects_read(progress, f"feed {name}"))
        except StoreError:
            raise
        except ConnectorError as error:
            failures[f"feed {name}"] = str(error)
    service.feeds.dispose()
    service.lists.take_up_hosts()
    for name in service.lists:
        shown = partial(_count, progress, f"list {name}")
        shown(0)
        service.lists.refresh(name, everything=True, progress=shown)
    return RunResult(polled, failures)


def propose_all(
    service: Service, outputs: Sequence[str] | None, progress: Progress, *, polls: bool
) -> tuple[dict[str, Proposal], list[str]]:
    """Return the plans of outputs and what failed; targets are read, never written."""
    failures = dict(take_in(service, progress).failures) if polls else {}
    proposals: dict[str, Proposal] = {}
    for name in outputs or service.outputs:
        try:
            proposals[name] = in_time(
                service.calls, service.stop.ask, partial(service.outputs.propose, name, EVERYTHING)
            )
        except StoreError:
            raise
        except ConnectorError as error:
            failures[f"output {name}"] = str(error)
    return proposals, [f"{name}: {why}" for name, why in failures.items()]


def _objects_read(progress: Progress, what: str) -> Callable[[str, int], None]:
    """Return what counts the objects of a feed's pages, of whatever collection."""
    read = 0

    def page(_title: str, count: int) -> None:
        nonlocal read
        read += count
        progress(what, read, None)

    return page


def _count(progress: Progress, what: str, done: int) -> None:
    progress(what, done, None)
