"""What one pass did, as the documented JSON and for people."""

from dataclasses import asdict

from rich.console import Console

from connector.reports.formatting import print_line
from connector.reports.values import Json
from connector.service.once import RunResult


def outcome_json(outcome: RunResult) -> Json:
    """Return what one pass did, by feed and output: counts, holds and failures."""
    counts = ("objects", "new", "updated", "revoked", "withdrawn", "unreadable")
    return {
        "feeds": {
            name: {count: getattr(polled, count) for count in counts}
            for name, polled in outcome.polled.items()
        },
        "outputs": {name: asdict(applied) for name, applied in outcome.applied.items()},
        "held": {
            name: {
                "plan": holds[-1].id,
                "broken_limits": [sentence for hold in holds for sentence in hold.sentences],
                "holds": [
                    {"id": hold.id, "add": hold.add, "remove": hold.remove} for hold in holds
                ],
            }
            for name, holds in outcome.held.items()
        },
        "failures": outcome.failures,
    }


def tell_outcome(console: Console, outcome: RunResult) -> None:
    """Print what one pass did, one line per feed and output."""
    for name, polled in outcome.polled.items():
        print_line(
            console,
            f"feed {name}: {polled.objects:,} objects, {polled.new:,} new, "
            f"{polled.updated:,} updated, {polled.revoked:,} revoked, "
            f"{polled.withdrawn:,} withdrawn, {polled.unreadable:,} unreadable",
        )
        for fault in polled.faults:
            print_line(console, f"  unreadable: {fault}")
    for name, applied in outcome.applied.items():
        print_line(
            console,
            f"output {name}: {applied.added:,} added, {applied.updated:,} updated, "
            f"{applied.removed:,} removed, {applied.rejected:,} rejected",
        )
    for name, holds in outcome.held.items():
        for hold in holds:
            print_line(
                console,
                f"output {name}: hold {hold.id}: {hold.add:,} to add and {hold.remove:,} to remove "
                "wait for a person; all else was written",
            )
            for sentence in hold.sentences:
                print_line(console, f"  {sentence}")
            print_line(
                console,
                f"  review: connector plan {name} --held; accept: connector apply {hold.id}",
            )
    for name, why in outcome.failures.items():
        print_line(console, f"{name}: {why}")
