"""Events for an emulated HTTP event collector: each once, and what its answers mean."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from connector_splunk_hec import HecAdapter, HecSettings
from connector_splunk_hec.emulator import HecEmulator
from pydantic import ValidationError

from connector.adapter import (
    Entry,
    Held,
    Later,
    Observable,
    ObservableType,
    Refused,
    RefusedError,
    SecretValue,
    UnavailableError,
    Written,
)
from connector.errors import ConnectorError
from connector.testing.context import output_context
from connector.testing.http_target import Fault

TOKEN = "12345678-1234-1234-1234-1234567890ab"
MakeAdapter = Callable[..., HecAdapter]


def address(number: int, **fields: Any) -> Entry:
    return Entry(Observable(ObservableType.IPV4_ADDR, f"192.0.2.{number}"), fields)


@pytest.fixture
def hec() -> Iterator[HecEmulator]:
    with HecEmulator(TOKEN) as emulator:
        yield emulator


@pytest.fixture
def make_adapter(hec: HecEmulator, tmp_path: Path) -> Iterator[MakeAdapter]:
    made = []

    def make(token: str = TOKEN, **options: Any) -> HecAdapter:
        settings = HecSettings(**{"url": hec.url, "token": SecretValue(token), **options})
        made.append(HecAdapter(settings, output_context(settings, tmp_path)))
        return made[-1]

    yield make
    for adapter in made:
        adapter.close()
        adapter.context.close()


def values(hec: HecEmulator) -> list[tuple[str, str]]:
    return [(one["event"]["action"], one["event"]["value"]) for one in hec.events]


def away(adapter: HecAdapter, entries: list[Entry]) -> ConnectorError:
    """The error with which a cycle ends that could not send these."""
    assert {type(one) for one in adapter.add(entries).values()} == {Later}
    with pytest.raises(ConnectorError) as caught:
        adapter.flush()
    assert TOKEN not in str(caught.value)
    return caught.value


def test_an_event_says_what_happened_to_which_entry(
    hec: HecEmulator, make_adapter: MakeAdapter
) -> None:
    adapter = make_adapter(index="ti", sourcetype="ti:change")
    one = address(1, name='북한 "x"', confidence=80)
    said = adapter.add([one])[one.observable]
    assert isinstance(said, Written)
    adapter.remove([Held(one.observable, handle=said.handle)])
    assert values(hec) == [("add", "192.0.2.1"), ("remove", "192.0.2.1")]
    first = hec.events[0]
    assert (first["index"], first["sourcetype"], first["source"]) == (
        "ti", "ti:change", "connector",
    )  # fmt: skip
    assert first["event"]["name"] == '북한 "x"'
    assert first["event"]["key"] == hec.events[1]["event"]["key"]


def test_one_event_that_the_collector_refuses_keeps_no_other_away(
    hec: HecEmulator, make_adapter: MakeAdapter
) -> None:
    hec.refuses["192.0.2.3"] = "no"
    entries = [address(number) for number in range(1, 6)]
    said = make_adapter().add(entries)
    assert said[entries[2].observable] == Refused("Invalid data format")
    assert [value for _action, value in values(hec)] == [
        "192.0.2.1", "192.0.2.2", "192.0.2.4", "192.0.2.5",
    ]  # fmt: skip


def test_what_comes_before_a_refused_event_is_acknowledged_as_well(
    hec: HecEmulator, make_adapter: MakeAdapter
) -> None:
    hec.acknowledges = True
    hec.refuses["192.0.2.3"] = "no"
    entries = [address(number) for number in range(1, 6)]
    said = make_adapter(acknowledge=True).add(entries)
    assert [type(one) for one in said.values()] == [Written, Written, Refused, Written, Written]
    assert hec._acks == 2


def test_a_part_that_is_too_large_is_halved(hec: HecEmulator, make_adapter: MakeAdapter) -> None:
    hec.largest_body = 1000
    entries = [address(number) for number in range(1, 40)]
    said = make_adapter().add([*entries, address(40, name="x" * 900)])
    assert len(values(hec)) == 39
    assert [type(one) for one in said.values()].count(Refused) == 1


@pytest.mark.parametrize(
    ("fault", "raises"),
    [
        (Fault.BUSY, UnavailableError),
        (Fault.AWAY, UnavailableError),
        (Fault.RESET_BEFORE, UnavailableError),
        (Fault.ERROR_PAGE, UnavailableError),
        (Fault.CUT_OFF, UnavailableError),
        (Fault.UNAUTHORIZED, RefusedError),
        (Fault.DENIED, RefusedError),
    ],
)
def test_what_is_no_answer_of_the_collector_has_nothing_taken(
    hec: HecEmulator, make_adapter: MakeAdapter, fault: Fault, raises: type[ConnectorError]
) -> None:
    adapter = make_adapter()
    hec.fail(fault, times=100)
    assert isinstance(away(adapter, [address(1)]), raises)
    hec.heal()
    hec.events.clear()  # of an answer that was cut off the events had come
    assert [type(one) for one in adapter.add([address(1)]).values()] == [Written]
    assert values(hec) == [("add", "192.0.2.1")]


@pytest.mark.parametrize("token", ["00000000-0000-0000-0000-000000000000", TOKEN])
def test_a_wrong_or_disabled_token_pauses_the_output_with_the_collectors_words(
    hec: HecEmulator, make_adapter: MakeAdapter, token: str
) -> None:
    hec.disabled = token == TOKEN
    error = away(make_adapter(token), [address(1)])
    assert isinstance(error, RefusedError)
    assert ("disabled" if hec.disabled else "Invalid token") in str(error)


def test_an_index_that_the_token_may_not_write_to_is_told(make_adapter: MakeAdapter) -> None:
    error = away(make_adapter(index="other"), [address(1)])
    assert isinstance(error, RefusedError)
    assert "index other" in str(error)


def test_with_acknowledgement_an_event_counts_once_it_is_indexed(
    hec: HecEmulator, make_adapter: MakeAdapter
) -> None:
    hec.acknowledges, hec.indexed = True, False
    adapter = make_adapter(acknowledge=True)
    assert "not done after" in str(away(adapter, [address(1)]))
    hec.indexed = True
    assert [type(one) for one in adapter.add([address(1)]).values()] == [Written]
    (channel,) = {call.headers["x-splunk-request-channel"] for call in hec.calls}
    assert len(channel) == 36


@pytest.mark.parametrize("acknowledges", [True, False])
def test_whether_the_token_acknowledges_is_told_where_the_file_says_otherwise(
    hec: HecEmulator, make_adapter: MakeAdapter, acknowledges: bool
) -> None:
    hec.acknowledges = acknowledges
    error = away(make_adapter(acknowledge=not acknowledges), [address(1)])
    assert isinstance(error, RefusedError)
    assert "acknowledge: " in str(error)


def test_a_token_never_crosses_the_network_unencrypted() -> None:
    with pytest.raises(ValidationError, match="should be https"):
        HecSettings(url="http://splunk.example:8088", token=SecretValue(TOKEN))
