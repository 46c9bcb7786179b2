"""Tests this adapter's promises."""

import pytest
from connector_plainlist import PlainListAdapter, PlainListSettings

from connector.adapter import OutputContext
from connector.testing.adapter_suite import AdapterSuite


class TestPlainList(AdapterSuite):
    @pytest.fixture
    def adapter(self, tmp_path):
        settings = PlainListSettings(file=tmp_path / "lists" / "block.txt")
        return PlainListAdapter(settings, OutputContext("edge", tmp_path))

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path):
        (tmp_path / "lists").mkdir()

    @pytest.fixture
    def break_target(self, tmp_path):
        def breaks():
            for name in ("block.txt", "block.new"):
                (tmp_path / "lists" / name).unlink(missing_ok=True)
                (tmp_path / "lists" / name).mkdir()

        return breaks
