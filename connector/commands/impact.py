"""What a changed file would change on each output, computed on a copy of the state."""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from connector.config.loading import Loaded
from connector.errors import StoreError
from connector.registry import Registry
from connector.reports.formatting import print_line
from connector.reports.plans import plan_json
from connector.reports.status import place_json
from connector.reports.values import Json
from connector.service.build import build
from connector.service.location import state_file
from connector.service.placing import placing_of
from connector.service.service import Service
from connector.store.outputs.places import Standing
from connector.store.store import Store
from connector.sync.cycle import propose
from connector.sync.output import Output
from connector.sync.view import Scope

_AS_RECORDED = Scope(everything=True, verifies=False, heeds_stamp=False)


def impact(loaded: Loaded, registry: Registry) -> Json:
    """Return the plan of every output under this file, based on the ledger, and what it leaves.

    Polls no feed, reads no target, writes nothing. Raises StoreError unless the state is an SQLite
    file; without a state there is nothing to compare, and the plans are empty.
    """
    state = state_file(loaded)
    if state is None:
        raise StoreError("--impact needs a copy of the state, so it works with SQLite only")
    with TemporaryDirectory(prefix="connector-impact-") as folder:
        copy = Path(folder) / "state.db"
        if state.exists():
            _copy(state, copy)
        store = Store(f"sqlite:///{copy}")
        try:
            store.database.migrate()
            service = build(loaded, registry, store)
            service.outputs.places.settle(tells=False)
            for name in service.lists:
                service.lists.refresh(name, everything=True)
            return {
                "plans": [_plan(service, output) for output in service.outputs.values()],
                "left_behind": [
                    place_json(ledger, loaded.config.outputs)
                    for ledger in service.outputs.places.left
                    if ledger.standing is Standing.DROPPED
                ],
            }
        finally:
            store.close()


def _plan(service: Service, output: Output) -> Json:
    """Return the plan of an output, with where it is, what it moves from and what it takes over."""
    proposal = propose(output, service.store, _AS_RECORDED, service.now())
    keeper, cleaning = service.outputs.places, service.outputs.cleaning
    heirs = [words for event, words in keeper.settler.told if event == "took_over"]
    return {
        **plan_json(service, proposal),
        "places": placing_of(service.loaded, output.name).words,
        "cleans": [
            {"places": ledger.words, "entries": ledger.entries, "why_not": cleaning.why_not(ledger)}
            for ledger in keeper.left
            if (ledger.name, ledger.standing) == (output.name, Standing.MOVED)
        ],
        "takes_over": [
            {"output": words["of"], "entries": words["entries"]}
            for words in heirs
            if words["output"] == output.name != words["of"]
        ],
    }


def show_moves(console: Console, answer: Json) -> None:
    """Print which outputs would move, take over what others wrote, or be dropped."""
    for plan in answer["plans"]:
        name, place = plan["output"], ", ".join(plan["places"])
        for old in plan["cleans"]:
            there = f"{old['entries']:,} entries at {', '.join(old['places'])}"
            if old["why_not"] is None:
                words = f"would clean {there} and write {len(plan['add']):,} at {place}"
            else:
                words = f"would write {len(plan['add']):,} at {place} and leave {there} behind: "
                words += f"{old['why_not']} (remove: connector withdraw {name})"
            print_line(console, f"{name}: {words}")
        for left in plan["takes_over"]:
            words = f"would take over the {left['entries']:,} entries that {left['output']} wrote"
            print_line(console, f"{name}: {words} at {place}")
    for left in answer["left_behind"]:
        words = f"would leave {left['entries']:,} entries at {', '.join(left['places'])}"
        print_line(
            console,
            f"{left['output']}: is not in the file: {words} "
            f"(remove: connector withdraw {left['output']})",
        )


def _copy(state: Path, copy: Path) -> None:
    """Copy a consistent snapshot of a database that others may be writing to."""
    try:
        with (
            closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        raise StoreError(f"{state}: cannot be copied: {error}") from error
