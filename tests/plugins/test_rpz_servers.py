"""Several servers of one policy zone that differ: what is ours at one of them stays ours."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from connector_rpz import RpzAdapter, RpzSettings, server
from connector_rpz.names import observable_at
from connector_rpz.triggers import Records
from rpz_memory import LISTED, Memory

from connector.adapter import (
    Entry,
    Held,
    Later,
    ObservableType,
    Refused,
    SecretValue,
    observable_of,
)
from connector.testing.context import output_context

PASSED: Records = (("CNAME", "rpz-passthru."),)


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RpzAdapter:
    """An adapter for two servers."""
    monkeypatch.setattr(server, "Server", Memory)
    Memory.empty()
    settings = RpzSettings(
        zone="rpz.example", servers=("192.0.2.53", "192.0.2.54"), key_name="connector",
        key_secret=SecretValue("c2VjcmV0"),
    )  # fmt: skip
    return RpzAdapter(settings, output_context(settings, tmp_path))


def entry(value: str) -> Entry:
    found = observable_of(ObservableType.DOMAIN_NAME, value)
    assert found is not None
    return Entry(found)


def put(adapter: RpzAdapter, *zones: Mapping[str, Records]) -> Held:
    """The one entry that is read of servers with these zones."""
    for one, zone in zip(adapter._servers, zones, strict=True):
        one.zone.clear()
        one.zone.update(zone)
    (held,) = adapter.read()
    return held


def test_what_one_server_took_is_tried_again_and_what_none_took_is_refused(
    adapter: RpzAdapter,
) -> None:
    first, second = adapter._servers
    first.refuses = {"bad.example", "worse.example"}
    second.refuses = {"worse.example"}
    bad, worse, fine = map(entry, ("bad.example", "worse.example", "fine.example"))
    assert adapter.add([bad, worse, fine]) == {
        bad.observable: Later("answered REFUSED"),
        worse.observable: Refused("answered REFUSED"),
    }
    assert list(second.zone) == ["bad.example", "fine.example"]


def test_an_entry_that_a_server_lacks_is_told_with_what_the_others_have(
    adapter: RpzAdapter,
) -> None:
    held = put(adapter, {}, {"bad.example": LISTED})
    assert held.fields == adapter.as_held(entry("bad.example")).fields
    assert (held.contrary, bool(held.partly)) == ("", True)


@pytest.mark.parametrize(
    ("other", "partly"), [({}, False), ({"bad.example": PASSED}, False),
                          ({"bad.example": LISTED}, True)],
)  # fmt: skip
def test_what_others_let_pass_at_one_server_is_told_beside_what_another_has_of_ours(
    adapter: RpzAdapter, other: Mapping[str, Records], partly: bool
) -> None:
    held = put(adapter, {"bad.example": PASSED}, other)
    assert (held.contrary, bool(held.partly)) == ("rpz-passthru.", partly)
    if partly:
        assert held.fields == adapter.as_held(entry("bad.example")).fields


def test_a_name_that_reads_as_an_address_is_no_entry_of_that_address() -> None:
    assert observable_at("192.0.2.1") is None
    assert observable_at("bad.example") == entry("bad.example").observable
