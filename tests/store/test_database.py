"""The database: who may read it, who holds it, its shape, its snapshots and its errors."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from connector.errors import ConnectorError, StoreError, UnavailableError
from connector.store import database as database_module
from connector.store import sqlite, upgrade
from connector.store.database import NEWEST, marks, numbers, parts
from connector.store.drivers import open_database
from connector.store.postgresql import PostgresqlDatabase
from connector.store.store import Store

MIGRATIONS = Path(database_module.__file__).parent / "migrations"
EARLIER = Path(__file__).parent / "earlier_tables"


def shape(url: str) -> dict[str, Any]:
    """Return what a state has: columns, what must be there, keys and indexes of every table."""
    engine = create_engine(url)
    looked = inspect(engine)
    found = {
        name: (
            [(column["name"], column["nullable"]) for column in looked.get_columns(name)],
            looked.get_pk_constraint(name)["constrained_columns"],
            sorted(key["column_names"] for key in looked.get_unique_constraints(name)),
            sorted(
                (index["name"], index["column_names"], bool(index["unique"]))
                for index in looked.get_indexes(name)
                if "duplicates_constraint" not in index
            ),
        )
        for name in looked.get_table_names()
    }
    engine.dispose()
    return found


def version_of(store: Store) -> object:
    with store.database.read() as transaction:
        return transaction.one("SELECT version_num FROM alembic_version")


def test_a_new_state_has_every_migration(store: Store) -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [NEWEST]
    assert version_of(store) == NEWEST


def test_migrations_lead_to_the_tables_that_a_new_state_has(tmp_path: Path) -> None:
    """Each migration keeps the `tables.sql` of before it here, under the name of that one."""
    new = f"sqlite:///{tmp_path}/new.db"
    made = Store(new)
    made.database.migrate()
    made.close()
    earlier = [each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][1:]
    for revision in earlier:
        file = tmp_path / f"{revision}.db"
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript((EARLIER / f"{revision}.sql").read_text())
            connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
            connection.commit()
        old = Store(f"sqlite:///{file}")
        old.database.migrate()
        old.close()
        assert shape(f"sqlite:///{file}") == shape(new)


NEXT = """\
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("feeds", sa.Column("colour", sa.Text()))
    {then}
"""


@pytest.fixture
def next_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A version of ours that has one migration more."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    monkeypatch.setattr(upgrade, "_MIGRATIONS", folder)
    monkeypatch.setattr(database_module, "NEWEST", "0002")
    return folder / "versions" / "0002_colours.py"


def test_a_migration_that_is_due_is_run_once(store: Store, next_migration: Path) -> None:
    next_migration.write_text(NEXT.format(then=""))
    number = store.objects.feed_number("ais")
    for _ in range(2):
        store.database.migrate()
    assert version_of(store) == "0002"
    with store.database.read() as transaction:
        assert transaction.rows("SELECT number, colour FROM feeds") == [(number, None)]


def test_a_migration_that_fails_leaves_the_state_as_it_was(
    store: Store, next_migration: Path
) -> None:
    next_migration.write_text(NEXT.format(then="op.drop_table('unheard_of')"))
    with pytest.raises(StoreError, match="unheard_of"):
        store.database.migrate()
    assert version_of(store) == "0001"
    with pytest.raises(StoreError, match="colour"), store.database.read() as transaction:
        transaction.rows("SELECT colour FROM feeds")


@pytest.mark.real_server
def test_both_databases_have_the_same_tables(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server = request.getfixturevalue("postgres")
    urls = [f"sqlite:///{tmp_path}/c.db", server.create("connector_tables")]
    for url in urls:
        store = Store(url)
        store.database.migrate()
        store.close()
    here, there = map(shape, urls)
    assert here == there
    assert len(here) > 30
    server.drop("connector_tables")


def test_migrating_again_changes_nothing(store: Store) -> None:
    number = store.objects.feed_number("ais")
    store.database.migrate()
    assert store.objects.feed_number("ais") == number


def test_every_migration_says_what_it_is_for() -> None:
    for revision in ScriptDirectory(str(MIGRATIONS)).walk_revisions():
        assert revision.doc, revision.revision


@pytest.fixture
def open_umask() -> object:
    before = os.umask(0)
    yield None
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("open_umask")
def test_only_the_service_user_reads_the_state_whatever_the_umask(tmp_path: Path) -> None:
    file = tmp_path / "state" / "connector.db"
    store = Store(f"sqlite:///{file}")
    store.database.migrate()
    assert store.database.claim_instance()
    with store.database.write() as transaction:
        transaction.run("INSERT INTO feeds (number, name) VALUES (1, 'x')")
        beside = sorted(path.name for path in file.parent.iterdir())
        assert beside == [f"connector.db{end}" for end in ("", "-shm", "-wal", ".lock")]
        assert {mode(path) for path in file.parent.iterdir()} == {0o600}
    assert mode(file.parent) == 0o700
    store.close()


def test_one_instance_holds_a_state_and_another_is_refused_until_it_lets_go(
    database_url: str,
) -> None:
    first, second, third = (open_database(database_url) for _ in range(3))
    assert first.claim_instance()
    assert not second.claim_instance()
    assert not second.claim_instance()
    second.close()
    assert not third.claim_instance(), "that the second let go frees nothing"
    first.close()
    assert third.claim_instance()
    third.close()


def test_a_killed_instance_leaves_no_lock_behind(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c.db"
    code = (
        "import sys, time; from connector.store.drivers import open_database; "
        f"print(open_database({url!r}).claim_instance(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        database = open_database(url)
        assert not database.claim_instance()
        holder.kill()
        holder.wait()
        assert database.claim_instance()
        database.close()


def test_a_state_in_memory_is_nobody_elses() -> None:
    one, other = open_database("sqlite://"), open_database("sqlite:///:memory:")
    assert one.claim_instance()
    assert other.claim_instance()
    assert (one.path, other.path) == (None, None)
    one.close()
    other.close()


def names(store: Store) -> list[str]:
    return sorted(store.feeds().values())


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.database.write() as transaction:
            transaction.run("INSERT INTO feeds (number, name) VALUES (7, 'x')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names(store) == []


def test_a_reader_sees_one_snapshot_while_others_write(store: Store) -> None:
    store.objects.feed_number("before")
    sql = "SELECT count(*) FROM feeds"
    with store.database.read() as transaction:
        assert transaction.one(sql) == 1
        writer = threading.Thread(target=store.objects.feed_number, args=["after"])
        writer.start()
        writer.join()
        assert transaction.one(sql) == 1
    assert names(store) == ["after", "before"]


def test_writers_take_turns(store: Store) -> None:
    def add(name: str) -> None:
        for number in range(5):
            store.objects.feed_number(f"{name}-{number}")

    threads = [threading.Thread(target=add, args=[name]) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(store)) == 20
    assert sorted(store.feeds()) == list(range(1, 21))


def test_as_many_outputs_read_at_once_as_there_are(store: Store) -> None:
    reading, go_on = threading.Semaphore(0), threading.Event()
    failed: list[ConnectorError] = []

    def read() -> None:
        try:
            with store.database.read() as transaction:
                transaction.one("SELECT 1")
                reading.release()
                go_on.wait(30)
        except ConnectorError as error:
            failed.append(error)
            reading.release()

    threads = [threading.Thread(target=read) for _ in range(40)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert reading.acquire(timeout=300)
    store.objects.feed_number("written meanwhile")
    go_on.set()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_stream_yields_all_rows_and_leaves_the_connection_for_others(store: Store) -> None:
    rows = [(number, f"feed {number}") for number in range(1, 5001)]
    with store.database.write() as transaction:
        transaction.many("INSERT INTO feeds (number, name) VALUES (?, ?)", rows)
        sql = "SELECT number, name FROM feeds ORDER BY number"
        streamed = [tuple(row) for row in transaction.stream(sql)]
        assert streamed == rows
        changed = transaction.run("DELETE FROM feeds WHERE number > ?", (10,))
        assert changed == 4990
    assert len(names(store)) == 10


def test_a_file_that_is_no_database_stops_us_and_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "connector.db"
    file.write_bytes(b"the ledger of somebody else" * 100)
    database = open_database(f"sqlite:///{file}")
    with pytest.raises(StoreError, match="file is not a database: restore a backup") as told:
        database.migrate()
    assert str(file) in str(told.value)
    assert file.read_bytes() == b"the ledger of somebody else" * 100
    database.close()


def test_the_state_of_a_later_version_stops_us_and_is_left_as_it_is(store: Store) -> None:
    later = "UPDATE alembic_version SET version_num = '9999'"
    with store.database.write() as transaction:
        transaction.run(later)
    with pytest.raises(StoreError, match="written by a later one"):
        store.database.migrate()
    assert version_of(store) == "9999"


def test_a_table_that_is_missing_stops_us(store: Store) -> None:
    with store.database.write() as transaction:
        transaction.run("DROP TABLE markings")
    with pytest.raises(StoreError, match="markings"):
        len(store.markings.of(1))


def test_a_lock_that_others_hold_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pragmas = [each.replace("=60000", "=50") for each in sqlite._PRAGMAS]
    monkeypatch.setattr(sqlite, "_PRAGMAS", pragmas)
    url = f"sqlite:///{tmp_path}/c.db"
    holder, other = Store(url), Store(url)
    holder.database.migrate()
    with holder.database.write(), pytest.raises(UnavailableError, match="database is locked"):
        other.objects.feed_number("ais")
    assert other.objects.feed_number("ais") == 1
    holder.close()
    other.close()


def test_a_full_disk_passes(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/c.db")
    store.database.migrate()

    def fill() -> None:
        with store.database.write() as transaction:
            pages = transaction.one("PRAGMA page_count")
            transaction.run(f"PRAGMA max_page_count={pages + 2}")
            rows = [(number, f"{number:0500}") for number in range(1, 1001)]
            transaction.many("INSERT INTO feeds (number, name) VALUES (?, ?)", rows)

    with pytest.raises(UnavailableError, match="full"):
        fill()
    assert names(store) == []
    store.close()


def test_a_folder_that_cannot_be_made_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/state/c\.db: cannot open the state: "):
        open_database(f"sqlite:///{tmp_path}/file/state/c.db")


def test_a_server_that_is_away_passes_and_its_password_is_not_told(tmp_path: Path) -> None:
    database = open_database(f"postgresql+psycopg://me:hunter2@/connector?host={tmp_path}")
    for ask in (database.migrate, database.claim_instance):
        with pytest.raises(UnavailableError) as told:
            ask()
        assert "hunter2" not in str(told.value)
        assert "postgresql+psycopg://me:***@/connector" in str(told.value)
    database.close()


@pytest.mark.real_server
def test_a_connection_that_the_server_ends_passes_and_the_next_one_works(
    request: pytest.FixtureRequest,
) -> None:
    server = request.getfixturevalue("postgres")
    address = server.create("connector_ended")
    store = Store(address)
    store.database.migrate()

    def ended() -> None:
        with store.database.read() as transaction:
            killer = Store(address)
            with killer.database.read() as other:
                other.rows(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = 'connector_ended' AND pid <> pg_backend_pid()",
                )  # fmt: skip
            killer.close()
            transaction.one("SELECT 1")

    with pytest.raises(UnavailableError):
        ended()
    assert store.objects.feed_number("ais") == 1
    store.close()
    server.drop("connector_ended")


def test_a_driver_that_is_not_installed_is_named_with_what_to_install() -> None:
    with pytest.raises(StoreError, match=r"install 'threat-feed-connector\[postgresql\]'") as told:
        open_database("postgresql+pg8000://me:hunter2@db.example/connector")
    assert "hunter2" not in str(told.value)


@pytest.mark.real_server
def test_a_wait_for_a_free_connection_in_vain_passes(request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue("postgres")
    database = PostgresqlDatabase(server.create("connector_busy"))
    database.engine.pool._timeout = 0.1
    with ExitStack() as busy:
        for _ in range(45):
            busy.enter_context(database.engine.connect())
        with pytest.raises(UnavailableError, match="limit"), database.read():
            pass
    with database.read() as transaction:
        assert transaction.one("SELECT 1") == 1
    database.close()
    server.drop("connector_busy")


def test_lists_of_numbers_and_marks_for_sql() -> None:
    assert numbers([3, 1, 2]) == "3,1,2"
    assert numbers([]) == "-1", "no row has it"
    assert marks("abc") == "?,?,?"
    assert [list(part) for part in parts(range(5), 2)] == [[0, 1], [2, 3], [4]]
    assert parts([]) == []


def test_a_state_of_another_user_says_as_whom_to_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_asked: object, **_more: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuses)
    with pytest.raises(StoreError, match="run this as the service's user"):
        open_database(f"sqlite:///{tmp_path}/c.db")


def test_few_connections_have_a_large_cache_however_many_read_at_once(tmp_path: Path) -> None:
    """Hundreds of outputs may each have a list open while their targets take it."""
    database = open_database(f"sqlite:///{tmp_path}/c.db")
    try:
        for _ in range(2):
            with ExitStack() as stack:
                reading = [stack.enter_context(database.read()) for _ in range(12)]
                sizes = [-each.one("PRAGMA cache_size") for each in reading]
            assert sorted(sizes)[-5:] == [65_536] * 5
            assert sum(sizes) == 5 * 65_536 + 7 * 2_048
            with database.read() as transaction:
                assert transaction.one("PRAGMA cache_size") == -65_536
            database.disconnect()
    finally:
        database.close()
