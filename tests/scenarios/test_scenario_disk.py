"""A full disk and a locked database: nothing is lost, nothing is owned by nobody, work goes on."""

import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from scenario_site import Site
from stix_samples import address, indicator

from connector.errors import StoreError, UnavailableError
from connector.store import sqlite
from connector.store.sqlite import SqliteDatabase

ONE, TWO = "192.0.2.1", "192.0.2.2"
MANY = [indicator(n, address(n)) for n in range(1, 2001)]


@contextmanager
def pragma(site: Site, words: str) -> Iterator[None]:
    """Hold every connection of the service to a pragma for a while."""
    database = site.service.store.database
    assert isinstance(database, SqliteDatabase)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "_PRAGMAS", (*sqlite._PRAGMAS, f"PRAGMA {words}"))
        database.disconnect()
        yield
    database.disconnect()


@contextmanager
def full_disk(site: Site, spare_pages: int = 0) -> Iterator[None]:
    with site.service.store.database.read() as transaction:
        pages = transaction.one("PRAGMA page_count")
    with pragma(site, f"max_page_count={pages + spare_pages}"):
        yield


@pytest.fixture
def running(site: Site) -> Site:
    site.configure()
    site.edit(lambda config: config["outputs"]["edge"]["options"].update(batch_size=100))
    site.edit(lambda config: config["outputs"]["edge"].update(limits={"small": 10_000}))
    site.write("one.json", [indicator("a", ONE), indicator("b", TWO)])
    site.once()
    return site


def test_a_disk_that_fills_up_anywhere_in_a_cycle_loses_nothing(running: Site) -> None:
    """Each try gets a little further; in the end the disk is large enough."""
    running.write("many.json", MANY)
    failures = []
    for spare_pages in range(0, 1000, 20):
        try:
            with full_disk(running, spare_pages):
                running.change()
        except UnavailableError as error:
            assert "full" in str(error)  # noqa: PT017 - each failure is told, the last try is not
            failures.append(len(running.at()))
        else:
            break
        assert {ONE, TWO} <= set(running.at())
        running.consistent(settled=False)
    assert len(failures) > 2
    assert len(running.at()) == 2002
    running.consistent()
    assert running.feed()["state"] == running.output()["state"] == "ok"


def test_a_disk_that_fills_up_while_entries_are_written_leaves_no_orphan(running: Site) -> None:
    """The target took a batch, and we could not write down that it did."""
    running.write("many.json", MANY)
    running.service.feeds.poll("files")
    running.service.lists.refresh("perimeter")
    spare_pages = 0
    while len(running.at()) == 2:
        with full_disk(running, spare_pages), pytest.raises(UnavailableError, match="full"):
            running.service.outputs.sync("edge")
        running.consistent(settled=False)
        spare_pages += 2
    assert len(running.at()) < 2002
    running.write("many.json", MANY[:1])
    running.open()
    running.change()
    assert running.at() == sorted([ONE, TWO, address(1)])
    running.consistent()


def test_a_database_that_others_lock_for_long_is_told_and_tried_again(running: Site) -> None:
    running.write("more.json", [indicator("c", "192.0.2.3")])
    other = sqlite3.connect(running.folder / "state" / "connector.db", isolation_level=None)
    with pragma(running, "busy_timeout=20"):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="locked"):
            running.change()
        assert running.at() == [ONE, TWO]
        other.execute("ROLLBACK")
        running.change()
    other.close()
    assert running.at() == [ONE, TWO, "192.0.2.3"]
    running.consistent()


def test_a_database_that_is_locked_after_the_target_took_a_batch_loses_no_owner(
    running: Site,
) -> None:
    running.write("more.json", [indicator("c", "192.0.2.3")])
    other = sqlite3.connect(
        running.folder / "state" / "connector.db", isolation_level=None, check_same_thread=False
    )
    with pragma(running, "busy_timeout=20"):
        device = running.rack["edge"]
        device.hook = lambda point: point == "added" and other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="locked"):
            running.change()
        device.hook = lambda _point: None
        other.execute("ROLLBACK")
    other.close()
    assert running.at() == [ONE, TWO, "192.0.2.3"]
    running.consistent(settled=False)
    running.write("more.json", [])
    running.open()
    running.change()
    assert running.at() == [ONE, TWO]
    running.consistent()


def test_a_database_that_is_locked_for_a_moment_is_waited_for(running: Site) -> None:
    running.write("more.json", [indicator("c", "192.0.2.3")])
    other = sqlite3.connect(
        running.folder / "state" / "connector.db", isolation_level=None, check_same_thread=False
    )
    other.execute("BEGIN IMMEDIATE")
    releasing = threading.Timer(0.3, other.execute, ["ROLLBACK"])
    releasing.start()
    running.change()
    releasing.join()
    other.close()
    assert running.at() == [ONE, TWO, "192.0.2.3"]
    running.consistent()


@pytest.mark.parametrize("damage", ["cut", "scribbled"])
def test_a_state_that_is_unreadable_stops_us_before_anything_is_removed(
    running: Site, damage: str
) -> None:
    running.close()
    path = running.folder / "state" / "connector.db"
    content = path.read_bytes()
    path.write_bytes(content[:5000] if damage == "cut" else b"\xff" * len(content))
    with pytest.raises(StoreError, match=r"connector\.db"):
        running.open()
    assert running.at() == [ONE, TWO]


_ON_SMALL_DISK = """
import sys
from datetime import datetime
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from scenario_site import Site, one_firewall
from stix_samples import address, indicator
from connector.errors import UnavailableError
site = Site(Path(sys.argv[1]))
site.configure(**one_firewall(small=10_000))
site.write("one.json", [indicator("a", "192.0.2.1")])
site.once()
filler = Path(sys.argv[1], "filler")
site.write("many.json", [indicator(n, address(n)) for n in range(1, 3001)])
try:
    with filler.open("wb") as file:
        while True:
            file.write(bytes(1 << 16))
            file.flush()
except OSError as error:
    assert error.errno == 28, error
try:
    site.change()
except UnavailableError as error:
    print("told:", error)
filler.unlink()
site.consistent(settled=False)
site.change()
assert len(site.at()) == 3001, len(site.at())
site.consistent()
print("recovered")
"""


def test_a_disk_that_is_really_full_is_told_and_left_without_loss(tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=24m none {tmp_path}"
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*inside, "true"], check=False).returncode:
        pytest.skip("needs unshare(1) and user namespaces, to mount a small disk")
    ran = subprocess.run(
        [*inside, sys.executable, "-c", _ON_SMALL_DISK, tmp_path / "site", Path(__file__).parent],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "told:" in ran.stdout
    assert "full" in ran.stdout.partition("told:")[2].partition("\n")[0]
    assert ran.stdout.strip().endswith("recovered")
