"""The suite holds an adapter to its own word on which entries are one row."""

import pytest

pytest_plugins = ["pytester"]

PLUGIN = """
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from connector.adapter import (
    ALL_WRITTEN, Entry, EntryAdapter, Held, Observable, ObservableType, OutputContext, Settings,
)
from connector.testing.folding_suite import FoldedEntries
from connector.testing.adapter_suite import AdapterSuite


class None_(Settings):
    pass


class Table(EntryAdapter[None_]):
    settings_type = None_
    supports = frozenset({ObservableType.URL})

    def __init__(self, settings, context):
        super().__init__(settings, context)
        self.rows = {}

    def held_as(self, observable):
        return observable.value.partition("://")[2]

    def row(self, value):
        return value.partition("://")[2]

    def read(self):
        return [Held(one) for one in self.rows.values()]

    def add(self, entries):
        self.rows.update({self.row(entry.value): entry.observable for entry in entries})
        return ALL_WRITTEN

    def remove(self, held):
        for each in held:
            self.rows.pop(self.row(each.value), None)
        return ALL_WRITTEN


class TestTable(AdapterSuite):
    @pytest.fixture
    def adapter(self, tmp_path):
        return Table(None_(), OutputContext("edge", tmp_path))
"""
BY_ITS_NAME = PLUGIN.replace(
    "self.rows.pop(self.row(each.value), None)",
    "self.rows = {row: one for row, one in self.rows.items() if one != each.observable}",
)
TWO_ROWS = PLUGIN.replace(
    'def row(self, value):\n        return value.partition("://")[2]',
    "def row(self, value):\n        return value",
)
OBJECT = PLUGIN.replace(
    'return observable.value.partition("://")[2]\n\n    def row', "return object()\n\n    def row"
)
HASHED = (
    PLUGIN.replace("ObservableType.URL", "ObservableType.IPV4_ADDR")
    .replace(
        'return observable.value.partition("://")[2]\n\n    def row',
        'return ("edge", observable.value.rpartition(".")[0])\n\n    def row',
    )
    .replace('return value.partition("://")[2]', 'return value.rpartition(".")[0]')
)
NETWORKS = HASHED.replace(
    'return ("edge", observable.value.rpartition(".")[0])',
    'return observable.value.rpartition(".")[0] + ".0/24"',
)


def run(pytester: pytest.Pytester, plugin: str) -> tuple[int, str]:
    pytester.makepyfile(test_table=plugin)
    result = pytester.runpytest("-q", "-p", "no:cacheprovider", "-k", "one_row or held_as")
    return result.ret, "\n".join(result.outlines)


def test_an_adapter_that_folds_as_it_says_passes(pytester: pytest.Pytester) -> None:
    assert run(pytester, PLUGIN)[0] == 0


def test_one_that_tells_what_its_rows_stop_passes(pytester: pytest.Pytester) -> None:
    ret, told = run(pytester, NETWORKS)
    assert ret == 0, told


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        (BY_ITS_NAME, "read() shows 1 rows that are 'http://twin.bad.example/a' by held_as(), "),
        (TWO_ROWS, "read() shows 2 rows that are 'https://twin.bad.example/a' by held_as(), "),
        (HASHED, "the key ('edge', '203.0.113'), which is no value: return what the row stops"),
        (OBJECT, "held_as() should return a text, a number or a tuple of them"),
    ],
)
def test_one_that_does_not_is_told_how(pytester: pytest.Pytester, plugin: str, words: str) -> None:
    ret, told = run(pytester, plugin)
    assert ret == 1
    assert words in told
