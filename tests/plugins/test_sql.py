"""Rows of a table: the same in PostgreSQL and in a SQLite file, beside those of other owners."""

import os
import re
import shlex
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from connector_sql import SqlAdapter, SqlSettings
from output_pages import PAGES, commands
from postgres_server import Postgres, postgres
from pydantic import ValidationError
from sqlalchemy import create_engine, text

from connector.adapter import (
    Entry,
    Observable,
    ObservableType,
    OutputContext,
    RefusedError,
    SecretValue,
    UnavailableError,
)
from connector.testing.adapter_suite import AdapterSuite

__all__ = ["postgres"]

T = ObservableType
BAD = Entry(Observable(T.DOMAIN_NAME, "bad.example"), {"confidence": 80, "note": "Bad"})
WORSE = Entry(Observable(T.IPV4_ADDR, "203.0.113.7"))


def adapter_on(url: str, folder: Path, output: str = "intel", **options: Any) -> SqlAdapter:
    return SqlAdapter(SqlSettings(url=url, **options), OutputContext(output, folder))


def sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Do what another program does at the database; return what the last statement finds."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                done = connection.execute(text(statement))
            return [tuple(row) for row in done] if done.returns_rows else []
    finally:
        engine.dispose()


@pytest.fixture(scope="module")
def intel(postgres: Postgres) -> str:
    """The URL of a database for the tests of this file: to make one takes a second."""
    return postgres.create("intel")


@pytest.fixture
def emptied(intel: str) -> str:
    sql(intel, "DROP TABLE IF EXISTS threat_indicators")
    return intel


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real_server)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/intel.db"
    found: str = request.getfixturevalue("emptied")
    return found


class TestSqlite(AdapterSuite):
    impossible: ClassVar = {
        "contrary": "a table has no exceptions",
        "refuse": "a database takes every text",
        "fill": "a table is as large as the disk",
        "wrong_credentials": "a file has none but the rights of its folder",
        "restart_target": "a table is on the disk",
        "troubles": "a batch is one transaction",
    }

    @pytest.fixture
    def url(self, tmp_path):
        (tmp_path / "folder").mkdir()
        return f"sqlite:///{tmp_path}/folder/intel.db"

    @pytest.fixture
    def adapter(self, url, tmp_path):
        made = adapter_on(url, tmp_path)
        yield made
        made.close()

    @pytest.fixture
    def neighbour(self, url, tmp_path):
        made = adapter_on(url, tmp_path, "other")
        yield made
        made.close()

    @pytest.fixture
    def foreign(self, url, tmp_path) -> Callable[[Any], None]:
        def put(theirs) -> None:
            other = adapter_on(url, tmp_path)
            other.add([theirs])
            other.close()

        return put

    @pytest.fixture
    def break_target(self, tmp_path):
        def damage() -> None:
            (tmp_path / "folder" / "intel.db").write_bytes(b"no database" * 100)

        return damage


@pytest.mark.real_server
class TestPostgresql(TestSqlite):
    @pytest.fixture
    def url(self, emptied):
        return emptied

    @pytest.fixture
    def break_target(self, adapter, url):
        other = url.replace("/intel?", "/postgres?")

        def close() -> None:
            adapter.close()
            sql(other, "ALTER DATABASE intel ALLOW_CONNECTIONS false")

        yield close
        sql(other, "ALTER DATABASE intel ALLOW_CONNECTIONS true")


def test_a_row_says_what_the_mapping_fills_and_goes_with_its_entry(url, tmp_path):
    adapter = adapter_on(url, tmp_path)
    assert list(adapter.read()) == []
    adapter.add([BAD, WORSE])
    query = "SELECT owner, type, value, confidence, note, tlp FROM threat_indicators ORDER BY type"
    assert sql(url, query) == [
        ("intel", "domain-name", "bad.example", 80, "Bad", None),
        ("intel", "ipv4-addr", "203.0.113.7", None, None, None),
    ]
    adapter.add([Entry(BAD.observable, {"note": "Worse"})])
    assert sql(url, query)[0] == ("intel", "domain-name", "bad.example", None, "Worse", None)
    adapter.remove([held for held in adapter.read() if held.observable == BAD.observable])
    assert [row[2] for row in sql(url, query)] == ["203.0.113.7"]
    adapter.close()


def test_the_stamp_tells_what_other_programs_do_and_not_what_nobody_does(url, tmp_path):
    adapter = adapter_on(url, tmp_path)
    adapter.add([BAD, WORSE])
    stamp = adapter.stamp()
    assert adapter.stamp() == stamp
    emptied = (
        "TRUNCATE threat_indicators" if "postgresql" in url else "DELETE FROM threat_indicators"
    )
    flush = ["SELECT pg_stat_force_next_flush()"] if "postgresql" in url else []
    for change in (
        "UPDATE threat_indicators SET note = 'altered' WHERE type = 'domain-name'",
        "DELETE FROM threat_indicators WHERE type = 'domain-name'",
        "INSERT INTO threat_indicators (owner, type, value) VALUES ('intel', 'mutex', 'theirs')",
        emptied,
        "DROP TABLE threat_indicators",
    ):
        sql(url, *flush, change)
        assert adapter.stamp() != stamp, change
        list(adapter.read())
        stamp = adapter.stamp()
    adapter.add([BAD])
    assert [held.value for held in adapter.read()] == ["bad.example"]
    adapter.close()


def test_a_row_of_an_unknown_type_is_left_alone(url, tmp_path):
    adapter = adapter_on(url, tmp_path)
    adapter.add([BAD])
    sql(url, "INSERT INTO threat_indicators (owner, type, value) VALUES ('intel', 'phone', '1')")
    assert [held.value for held in adapter.read()] == ["bad.example"]
    adapter.close()


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("CREATE TABLE threat_indicators (value TEXT PRIMARY KEY)", "has no column owner, type"),
        (
            "CREATE TABLE threat_indicators (owner TEXT, type TEXT, value TEXT PRIMARY KEY, "
            "confidence INT, feed TEXT, indicator TEXT, note TEXT, tlp TEXT, valid_until TEXT)",
            "has another key",
        ),
    ],
)
def test_a_table_of_others_is_not_written_to(url, tmp_path, made, words):
    sql(url, made)
    adapter = adapter_on(url, tmp_path)
    for call in (lambda: adapter.add([BAD]), lambda: list(adapter.read())):
        with pytest.raises(RefusedError, match=words):
            call()
    assert sql(url, "SELECT count(*) FROM threat_indicators") == [(0,)]
    adapter.close()


def test_one_row_that_the_database_does_not_take_is_refused_by_name(url, tmp_path):
    adapter = adapter_on(url, tmp_path)
    adapter.add([WORSE])
    sql(
        url,
        "ALTER TABLE threat_indicators ADD COLUMN grade INT CHECK (grade > 0)"
        if "sqlite" in url
        else "ALTER TABLE threat_indicators ADD CHECK (value <> 'bad.example')",
    )
    if "sqlite" in url:
        sql(
            url,
            "CREATE TRIGGER no BEFORE INSERT ON threat_indicators WHEN NEW.value = 'bad.example' "
            "BEGIN SELECT RAISE(ABORT, 'violates check'); END",
        )
    other = Entry(Observable(T.DOMAIN_NAME, "worse.example"))
    outcomes = adapter.add([BAD, other])
    assert list(outcomes) == [BAD.observable]
    assert "violates check" in outcomes[BAD.observable].words
    assert {held.value for held in adapter.read()} == {"203.0.113.7", "worse.example"}
    adapter.close()


@pytest.mark.real_server
def test_a_user_without_rights_or_with_a_wrong_name_is_refused(emptied, tmp_path):
    url = emptied
    sql(url, "CREATE ROLE reader LOGIN", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    for wrong, error, words in (
        (url.replace("connector@", "reader@"), RefusedError, "permission denied"),
        (url.replace("connector@", "nobody@"), RefusedError, 'role "nobody" does not exist'),
        (url.replace("/intel?", "/none?"), UnavailableError, 'database "none" does not exist'),
    ):
        adapter = adapter_on(wrong, tmp_path)
        with pytest.raises(error, match=words):
            adapter.add([BAD])
        adapter.close()


def test_a_file_that_another_program_has_locked_fails_the_output_alone(tmp_path):
    url = f"sqlite:///{tmp_path}/intel.db?timeout=0"
    adapter = adapter_on(url, tmp_path)
    adapter.add([WORSE])
    holder = sqlite3.connect(tmp_path / "intel.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(UnavailableError, match="database is locked"):
        adapter.add([BAD])
    holder.close()
    assert [held.value for held in adapter.read()] == ["203.0.113.7"]
    adapter.close()


def test_a_folder_that_is_away_is_not_an_empty_table(tmp_path):
    folder, away = tmp_path / "mounted", tmp_path / "away"
    folder.mkdir()
    adapter = adapter_on(f"sqlite:///{folder}/intel.db", tmp_path)
    assert list(adapter.read()) == []
    adapter.add([BAD])
    adapter.close()
    folder.rename(away)
    for call in (adapter.stamp, lambda: list(adapter.read()), lambda: adapter.holds([])):
        with pytest.raises(UnavailableError, match=r"there is no folder \S+mounted; mount"):
            call()
    away.rename(folder)
    assert [held.value for held in adapter.read()] == ["bad.example"]
    adapter.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql+psycopg://u:secret@db.example/intel", "contains a literal secret"),
        ("postgresql://u@db.example/intel", "should be postgresql"),
        ("postgresql+psycopg://u@db.example", "should be postgresql"),
        ("sqlite:///relative.db", "should be postgresql"),
        ("mysql://u@db.example/intel", "should be postgresql"),
    ],
)
def test_a_url_that_is_none_is_refused_in_the_file(url, words):
    with pytest.raises(ValidationError, match=words) as refused:
        SqlSettings(url=url)
    assert os.fspath("secret@") not in str(refused.value.errors()[0]["msg"])


@pytest.mark.real_server
def test_user_database_and_table_are_made_as_the_page_says(postgres, tmp_path):
    page = (PAGES / "sql.md").read_text(encoding="utf-8")
    made, asked = re.findall(r"^```sql\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    for command in commands("sql.md"):
        own = command.replace("connector", "page_user").replace("intel", "page_intel")
        program, *words = shlex.split(own)
        postgres.administer(program, *words, said="its password\n" * 2)
    url = postgres.url_of("page_user", "page_intel")
    sql(url, made)
    adapter = adapter_on(url, tmp_path, password=SecretValue("its password"))
    assert adapter.add([BAD, WORSE]) == {}
    assert sorted(sql(url, asked)) == [("domain-name", 1), ("ipv4-addr", 1)]
    adapter.close()
