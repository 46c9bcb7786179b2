"""What a cycle costs: it follows what changed, not how much there is (promise P6)."""

import json
import sqlite3
from itertools import islice
from pathlib import Path

import pytest
from scenario_site import Site

from connector.service.service import Service
from connector.store.sqlite import SqliteDatabase
from connector.sync.view import CHANGED
from connector.testing.samples.ais_like import indicators

STEP = 10
CHANGES = 10


class Work:
    """Counts what SQLite's virtual machine does, in steps."""

    def __init__(self, service: Service, patch: pytest.MonkeyPatch) -> None:
        self.steps = 0
        connect = SqliteDatabase._connect

        def watched(database: SqliteDatabase) -> sqlite3.Connection:
            connection = connect(database)
            connection.set_progress_handler(self._step, STEP)
            return connection

        patch.setattr(SqliteDatabase, "_connect", watched)
        database = service.store.database
        assert isinstance(database, SqliteDatabase)
        database.disconnect()

    def _step(self) -> int:
        self.steps += STEP
        return 0


def work_of_a_small_change(folder: Path, size: int, patch: pytest.MonkeyPatch) -> int:
    site = Site(folder)
    site.configure(allowlist={"builtin": {"except": ["special_purpose", "documentation"]}})
    objects = [json.loads(raw) for raw in indicators(size, kinds="ipv4")]
    site.write("all.json", objects)
    site.once()
    service = site.service
    chosen = list(islice(objects, 0, size, size // CHANGES))[:CHANGES]
    newer = [{**held, "confidence": 99, "modified": "2026-06-01T00:00:00Z"} for held in chosen]
    site.write("changed.json", newer)
    service.feeds.poll("files")
    work = Work(service, patch)
    service.lists.refresh("perimeter")
    proposal = service.outputs.propose("edge", CHANGED)
    assert len(proposal.plan.add) + len(proposal.plan.update) <= CHANGES
    assert work.steps
    site.close()
    return work.steps


def test_a_small_change_costs_no_more_on_a_list_ten_times_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = work_of_a_small_change(tmp_path / "short", 150, monkeypatch)
    long = work_of_a_small_change(tmp_path / "long", 1500, monkeypatch)
    assert long < 1.5 * short, f"{short} steps on 150 entries, {long} on 1,500"


def test_a_bulk_of_changes_is_moved_out_of_the_log_at_once(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.configure(allowlist={"builtin": {"except": ["special_purpose", "documentation"]}})
    database = site.service.store.database.path
    assert database is not None
    objects = [json.loads(raw) for raw in indicators(10_100, kinds="ipv4")]
    site.write("few.json", objects[:100])
    site.service.feeds.poll("files")
    small = database.stat().st_size
    site.write("many.json", objects[100:])
    site.service.feeds.poll("files")
    assert database.stat().st_size > 10 * small, "else the next small change pays for it"
    site.close()


def test_a_cycle_that_finds_nothing_to_do_writes_nothing_and_costs_the_same_among_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four hundred outputs are asked each minute: what each would write is recorded together."""
    costs = []
    for count in (1, 30):
        site = Site(tmp_path / str(count))
        outputs = {
            f"edge{number}": {
                "list": "perimeter", "adapter": "firewall", "options": {"device": f"edge{number}"}
            }
            for number in range(count)
        }  # fmt: skip
        site.configure(
            allowlist={"builtin": {"except": ["special_purpose", "documentation"]}},
            lists={"perimeter": {}},
            outputs=outputs,
        )
        site.write("all.json", [json.loads(raw) for raw in indicators(20, kinds="ipv4")])
        site.once()
        site.service.outputs.records_later = True
        site.service.outputs.sync("edge0")
        with sqlite3.connect(site.folder / "state" / "connector.db") as beside:
            version = beside.execute("PRAGMA data_version").fetchone()
            work = Work(site.service, monkeypatch)
            site.service.outputs.sync("edge0")
            costs.append(work.steps)
            assert beside.execute("PRAGMA data_version").fetchone() == version
            site.clock.advance(minutes=1)
            site.service.outputs.sync("edge0")
            was = site.output("edge0")["last_success"]
            site.service.store.outputs.flush()
            assert site.output("edge0")["last_success"] > was
            assert beside.execute("PRAGMA data_version").fetchone() != version
        beside.close()
        site.close()
        monkeypatch.undo()
    assert costs[1] <= costs[0] + 2 * STEP
