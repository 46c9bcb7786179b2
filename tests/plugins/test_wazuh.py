"""A CDB list of an emulated Wazuh manager: what rules see, and what its validator refuses."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from connector_wazuh import WazuhAdapter, WazuhSettings
from connector_wazuh.emulator import WazuhEmulator
from output_pages import blocks

from connector.adapter import (
    Entry,
    Observable,
    ObservableType,
    Refused,
    RefusedError,
    SecretValue,
    UnavailableError,
)
from connector.testing.adapter_suite import AdapterSuite
from connector.testing.context import output_context
from connector.testing.http_target import Fault

T = ObservableType
MakeAdapter = Callable[..., WazuhAdapter]
LIST = "connector-addresses"


@pytest.fixture
def manager() -> Iterator[WazuhEmulator]:
    with WazuhEmulator("connector", "s3cret") as emulator:
        yield emulator


@pytest.fixture
def make_adapter(manager: WazuhEmulator, tmp_path: Path) -> Iterator[MakeAdapter]:
    made = []

    def make(*types: ObservableType, **options: Any) -> WazuhAdapter:
        given = {"url": manager.url, "user": "connector", "password": SecretValue("s3cret")}
        settings = WazuhSettings(**{"cdb_list": LIST, **given, **options})
        kinds = frozenset(types or (T.IPV4_ADDR, T.IPV6_ADDR))
        made.append(WazuhAdapter(settings, output_context(settings, tmp_path, types=kinds)))
        return made[-1]

    yield make
    for adapter in made:
        adapter.close()
        adapter.context.close()


class TestWazuh(AdapterSuite):
    impossible: ClassVar = {
        "contrary": "a list has no exceptions",
        "refuse": "the manager refuses a list whole; what it would refuse is kept out of it",
        "fill": "a list has room for its bytes, and is refused whole",
    }

    @pytest.fixture
    def adapter(self, make_adapter):
        return make_adapter()

    @pytest.fixture
    def http_target(self, manager):
        return manager

    @pytest.fixture
    def neighbour(self, make_adapter):
        return make_adapter(cdb_list="other")

    @pytest.fixture
    def foreign(self, manager):
        def put(entry):
            key = f'"{entry.value}"' if ":" in entry.value else entry.value
            manager.files[LIST] = manager.files.get(LIST, "") + f"{key}:by hand\n"

        return put


def entries(kind: ObservableType, *values: str) -> list[Entry]:
    return [Entry(Observable(kind, value), {"label": "a feed"}) for value in values]


def put(adapter: WazuhAdapter, wanted: list[Entry]) -> dict[str, str]:
    """Publish and load a list; return the words on what was refused."""
    refused = adapter.publish(wanted)
    adapter.activate()
    return {one.value: said.words for one, said in refused.items() if isinstance(said, Refused)}


def test_rules_see_an_entry_once_it_is_loaded_and_no_more_once_it_is_gone(
    manager: WazuhEmulator, make_adapter: MakeAdapter
) -> None:
    adapter = make_adapter()
    wanted = [
        *entries(T.IPV4_ADDR, "192.0.2.7", "198.51.100.0/24"),
        *entries(T.IPV6_ADDR, "2001:db8::7"),
    ]
    adapter.publish(wanted)
    assert LIST not in manager.looked_up
    adapter.activate()
    seen = manager.looked_up[LIST]
    assert seen.keys() == {"192.0.2.7", "198.51.100.0/24", "2001:db8::7", "connector.invalid"}
    assert seen["2001:db8::7"] == "a feed"
    assert put(adapter, []) == {}
    assert manager.looked_up[LIST].keys() == {"connector.invalid"}
    assert list(adapter.read()) == []


@pytest.mark.parametrize("reload", ["analysisd", "cluster", "restart"])
def test_the_manager_loads_a_list_in_the_way_that_it_can(
    manager: WazuhEmulator, make_adapter: MakeAdapter, reload: str
) -> None:
    put(make_adapter(reload=reload), entries(T.IPV4_ADDR, "192.0.2.7"))
    assert "192.0.2.7" in manager.looked_up[LIST]


def test_one_value_that_the_validator_refuses_keeps_no_other_away(
    manager: WazuhEmulator, make_adapter: MakeAdapter
) -> None:
    fit = ("bad.exe", "bad name", "bäd-(1).exe", "stream:name")
    unfit = ('a"b', "a (1).exe", "c:/x", "TEMPLATE.exe", "a\u2028b", "a\nb:c", " a ", "192.0.2.7")
    adapter = make_adapter(T.FILE_NAME)
    assert put(adapter, entries(T.FILE_NAME, *fit, *unfit)).keys() == {*unfit}
    assert manager.looked_up[LIST].keys() == {*fit, "connector.invalid"}
    assert {held.value for held in adapter.read()} == {*fit}


def test_a_label_ends_no_line_and_hides_none(
    manager: WazuhEmulator, make_adapter: MakeAdapter
) -> None:
    one = Observable(T.IPV4_ADDR, "192.0.2.7")
    entry = Entry(one, {"label": 'x\n10.0.0.1:y "TEMPLATE"\u2028z'})
    adapter = make_adapter()
    assert put(adapter, [entry]) == {}
    assert manager.looked_up[LIST].keys() == {"192.0.2.7", "connector.invalid"}
    (held,) = adapter.read()
    assert held.fields == adapter.as_held(entry).fields


def test_an_answer_of_200_that_carries_an_error_is_an_error(
    manager: WazuhEmulator, make_adapter: MakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "validator", "(?!)")
    with pytest.raises(UnavailableError, match=r"Bad format in CDB list \(1800\)"):
        make_adapter().publish(entries(T.IPV4_ADDR, "192.0.2.7"))
    assert manager.files == {}


def test_a_list_that_is_too_large_leaves_the_old_one(
    manager: WazuhEmulator, make_adapter: MakeAdapter
) -> None:
    adapter = make_adapter()
    put(adapter, entries(T.IPV4_ADDR, "192.0.2.7"))
    manager.largest_body = 200
    with pytest.raises(UnavailableError, match="413"):
        adapter.publish(entries(T.IPV4_ADDR, *(f"192.0.2.{n}" for n in range(100))))
    assert [held.value for held in adapter.read()] == ["192.0.2.7"]


def test_a_session_that_ended_is_opened_anew_and_a_right_that_is_missing_is_told(
    manager: WazuhEmulator, make_adapter: MakeAdapter
) -> None:
    adapter = make_adapter()
    put(adapter, entries(T.IPV4_ADDR, "192.0.2.7"))
    manager.sessions.end()
    assert [held.value for held in adapter.read()] == ["192.0.2.7"]
    assert manager.sessions.opened == 2
    manager.fail(Fault.DENIED, "PUT /lists")
    with pytest.raises(RefusedError):
        adapter.publish([])


def test_what_a_list_leaves_out_is_told(make_adapter: MakeAdapter) -> None:
    (doubt,) = make_adapter(T.DOMAIN_NAME, T.FILE_MD5).doubts()
    assert "only domain-name are written" in doubt
    assert make_adapter(T.DOMAIN_NAME).doubts() == ()


def test_a_list_of_which_it_holds_nothing_is_no_bug(make_adapter: MakeAdapter) -> None:
    assert not make_adapter(T.URL).accepts(Observable(T.URL, "http://bad.example/"))


def test_the_page_has_rules_for_the_list_that_its_configuration_writes() -> None:
    (config,) = blocks("wazuh.md", "yaml")
    declared, rule = blocks("wazuh.md", "xml")
    assert f"cdb_list: {LIST}\n" in config
    assert f"<list>etc/lists/{LIST}</list>" in declared
    assert f">etc/lists/{LIST}</list>" in rule
