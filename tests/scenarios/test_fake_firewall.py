"""The firewall in a dictionary keeps an adapter's promises, so that scenarios may rely on it."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from firewall import FirewallAdapter, FirewallSettings, Rack

from connector.adapter import Entry, OutputContext, RefusedError, UnavailableError
from connector.model import Observable, ObservableType
from connector.testing.adapter_suite import AdapterSuite


class TestFirewall(AdapterSuite):
    impossible: ClassVar = {
        "neighbour": "one output keeps all of it",
        "fill": "it refuses what it has no room for, as some devices do: scenarios fill it",
        "restart_target": "a dictionary never restarts",
        "troubles": "a call fails or goes well: scenarios break it off half-way",
    }

    @pytest.fixture
    def contrary(self, adapter: FirewallAdapter) -> Callable[[Entry], None]:
        def put(entry: Entry) -> None:
            adapter.device.put_by_hand(entry.observable, {})
            adapter.device.contrary[entry.value] = "allowed by hand"

        return put

    @pytest.fixture
    def refuse(self, adapter: FirewallAdapter) -> Callable[[Entry], None]:
        return lambda entry: adapter.device.refuses.update({entry.value: "not in this country"})

    @pytest.fixture
    def wrong_credentials(self, adapter: FirewallAdapter) -> Callable[[], None]:
        def refused() -> None:
            adapter.device.fault = RefusedError("unknown user")

        return refused

    @pytest.fixture
    def adapter(self, tmp_path: Path) -> FirewallAdapter:
        # In memory: the file is written whole with each entry.
        return Rack().adapter(FirewallSettings(device="edge"), OutputContext("edge", tmp_path))

    @pytest.fixture
    def foreign(self, adapter: FirewallAdapter) -> Callable[[Entry], None]:
        return lambda entry: adapter.device.put_by_hand(entry.observable, {})

    @pytest.fixture
    def break_target(self, adapter: FirewallAdapter) -> Callable[[], None]:
        def cut_off() -> None:
            adapter.device.fault = UnavailableError("no route to host")

        return cut_off


def test_a_firewall_still_holds_its_table_when_another_process_asks(tmp_path: Path) -> None:
    entry = Entry(Observable(ObservableType.IPV4_ADDR, "192.0.2.1"), {"comment": "kept"})
    Rack(tmp_path)["edge"].add([entry])
    assert Rack(tmp_path)["edge"].entries() == {entry.observable: {"comment": "kept"}}
