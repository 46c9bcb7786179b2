"""The file that Graylog's `dsvhttp` fetches, read as its parser reads it."""

import re
from pathlib import Path
from typing import ClassVar

import pytest
from connector_graylog import GraylogAdapter, GraylogSettings

from connector.adapter import Entry, Observable, ObservableType, OutputContext, Refused
from connector.testing.adapter_suite import AdapterSuite

T = ObservableType


def graylog(folder: Path, *types: ObservableType) -> GraylogAdapter:
    settings = GraylogSettings(file="lookup.tsv", types=frozenset(types) or None)
    return GraylogAdapter(settings, OutputContext("edge", folder))


def looked_up(path: Path) -> dict[str, str]:
    """What Graylog has of a file: comments skipped, columns trimmed, no key twice.

    As DSVParser of graylog2-server reads it with a tab as separator and no quotes.
    """
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").split("\n"):
        columns = re.sub("\t+$", "", line).split("\t")
        if line.startswith("#") or len(columns) < 2:
            continue
        key, label = columns[0].strip(" \t\r\n"), columns[1].strip(" \t\r\n")
        assert key not in found, "the whole file would be refused"
        found[key] = label
    return found


class GraylogSuite(AdapterSuite):
    impossible: ClassVar = {
        "contrary": "a lookup has no exceptions",
        "refuse": "a file refuses by what a value is, which another test tries",
        "fill": "a file is as large as the disk",
        "wrong_credentials": "files have none but the rights of their folder",
        "restart_target": "a file outlives its server",
        "troubles": "a file is swapped in one step",
    }

    @pytest.fixture
    def neighbour(self, adapter, tmp_path):
        settings = GraylogSettings(file="other.tsv", types=adapter.settings.types)
        return GraylogAdapter(settings, OutputContext("other", tmp_path))

    @pytest.fixture
    def foreign(self, tmp_path):
        def put(entry):
            with (tmp_path / "lookup.tsv").open("a") as file:
                file.write(f"{entry.value}\tby hand\n")

        return put

    @pytest.fixture
    def break_target(self, tmp_path):
        def broken():
            (tmp_path / "lookup.tsv").unlink(missing_ok=True)
            (tmp_path / "lookup.tsv").mkdir()

        return broken


class TestAddresses(GraylogSuite):
    @pytest.fixture
    def adapter(self, tmp_path):
        return graylog(tmp_path)


class TestFileNames(GraylogSuite):
    @pytest.fixture
    def adapter(self, tmp_path):
        return graylog(tmp_path, T.FILE_NAME)


def test_graylog_finds_each_value_with_its_label(tmp_path: Path) -> None:
    adapter = graylog(tmp_path, T.URL)
    values = ["http://bad.example/a,b?x=1", 'http://bad.example/"', "https://bad.example/|x"]
    adapter.publish([Entry(Observable(T.URL, one), {"label": "ais\tC2 \n"}) for one in values])
    assert looked_up(tmp_path / "lookup.tsv") == dict.fromkeys(values, "ais C2")


def test_a_value_without_a_label_is_found_too(tmp_path: Path) -> None:
    graylog(tmp_path).publish([Entry(Observable(T.IPV4_ADDR, "192.0.2.1"))])
    assert looked_up(tmp_path / "lookup.tsv") == {"192.0.2.1": "listed"}


@pytest.mark.parametrize("value", ["#bad", " bad.exe", "bad\x0b.exe", "8.8.8.8", "*"])
def test_what_the_reader_takes_for_something_else_is_refused(tmp_path: Path, value: str) -> None:
    hostile, plain = (Observable(T.FILE_NAME, one) for one in (value, "plain.exe"))
    said = graylog(tmp_path, T.FILE_NAME).publish([Entry(hostile), Entry(plain)])
    assert isinstance(said[hostile], Refused)
    assert looked_up(tmp_path / "lookup.tsv") == {"plain.exe": "listed"}


@pytest.mark.parametrize(
    ("kind", "value"), [(T.IPV4_ADDR, "192.0.2.0/24"), (T.DOMAIN_NAME, "*.bad.example")]
)
def test_what_a_lookup_by_exact_key_never_finds_is_left_out(
    tmp_path: Path, kind: ObservableType, value: str
) -> None:
    assert not graylog(tmp_path, kind).accepts(Observable(kind, value))
