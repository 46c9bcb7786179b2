"""Signed JSON for a receiver that verifies each request as docs/outputs/webhook.md has it."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from connector_webhook import WebhookAdapter, WebhookSettings
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
from connector.testing.context import output_context
from connector.testing.http_target import Call, Fault, HttpTarget, Reply, route

SECRET = "n0t-a-sample-of-anything-else"
PAGE = Path(__file__).parents[2] / "docs" / "outputs" / "webhook.md"
MakeAdapter = Callable[..., WebhookAdapter]


class Receiver(HttpTarget):
    """Takes what the page's own code finds to be ours; refuses some values with its words."""

    def __init__(self) -> None:
        super().__init__()
        (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
        self.page: dict[str, Any] = {}
        exec(code, self.page)  # noqa: S102 - the code that the page gives to receivers
        self.events: list[dict[str, Any]] = []
        self.said: list[tuple[dict[str, str], bytes]] = []
        self.no: dict[str, str] = {}
        self.refuses_batches = False

    @route("POST", "/hook")
    def _hook(self, call: Call) -> Reply:
        headers = {name.lower(): value for name, value in call.headers.items()}
        self.said.append((headers, call.body))
        if not self.page["verified"](headers, call.body, SECRET):
            return Reply.of({})
        events = json.loads(call.body)["events"]
        refused = {str(at): self.no[one["value"]] for at, one in enumerate(events)
                   if one["value"] in self.no}  # fmt: skip
        if refused and self.refuses_batches:
            return Reply(422, b"no such site")
        self.events += [one for at, one in enumerate(events) if str(at) not in refused]
        return Reply.of({"refused": refused})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as target:
        yield target


@pytest.fixture
def make(receiver: Receiver, tmp_path: Path) -> Iterator[MakeAdapter]:
    made = []

    def make(secret: str = SECRET) -> WebhookAdapter:
        settings = WebhookSettings(url=f"{receiver.url}/hook", secret=SecretValue(secret))
        made.append(WebhookAdapter(settings, output_context(settings, tmp_path, "hook")))
        return made[-1]

    yield make
    for adapter in made:
        adapter.close()
        adapter.context.close()


def address(number: int, **fields: Any) -> Entry:
    return Entry(Observable(ObservableType.IPV4_ADDR, f"192.0.2.{number}"), fields)


def values(receiver: Receiver) -> list[tuple[str, str]]:
    return [(one["action"], one["value"]) for one in receiver.events]


def test_a_receiver_learns_what_came_and_what_went(receiver: Receiver, make: MakeAdapter) -> None:
    adapter, one = make(), address(1, name='북한 "x"', confidence=80)
    said = adapter.add([one])[one.observable]
    assert isinstance(said, Written)
    adapter.remove([Held(one.observable, handle=said.handle)])
    assert values(receiver) == [("add", "192.0.2.1"), ("remove", "192.0.2.1")]
    came, went = receiver.events
    assert came["name"] == '북한 "x"'
    assert came["key"] == went["key"]
    assert json.loads(receiver.said[0][1])["output"] == "hook"


def test_a_request_that_was_changed_forged_or_kept_is_not_taken(
    receiver: Receiver, make: MakeAdapter
) -> None:
    make().add([address(1)])
    headers, body = receiver.said[0]
    verified, at = receiver.page["verified"], float(headers["webhook-timestamp"])
    assert not verified(headers, body, SECRET, at)  # it was there before
    receiver.page["SEEN"].clear()
    for other in ({"webhook-id": "evt_other"}, {"webhook-timestamp": str(int(at) + 1)}):
        with pytest.raises(ValueError, match="not signed"):
            verified({**headers, **other}, body, SECRET, at)
    for changed, key in ((body.replace(b"192.0.2.1", b"192.0.2.9"), SECRET), (body, "other")):
        with pytest.raises(ValueError, match="not signed"):
            verified(headers, changed, key, at)
    with pytest.raises(ValueError, match="too old"):
        verified(headers, body, SECRET, at + 301)


def test_the_same_events_come_under_the_same_id_after_an_answer_that_was_lost(
    receiver: Receiver, make: MakeAdapter
) -> None:
    adapter = make()
    receiver.fail(Fault.CUT_OFF, times=1)
    said = adapter.add([address(1)])
    if not all(isinstance(one, Written) for one in said.values()):
        adapter.flush()
    assert len({headers["webhook-id"] for headers, _body in receiver.said}) == 1
    assert values(receiver) == [("add", "192.0.2.1")]


@pytest.mark.parametrize("refuses_batches", [False, True])
def test_one_event_that_is_refused_keeps_no_other_away(
    refuses_batches: bool, receiver: Receiver, make: MakeAdapter
) -> None:
    receiver.no["192.0.2.3"], receiver.refuses_batches = "no such site", refuses_batches
    entries = [address(number) for number in range(1, 8)]
    said = make().add(entries)
    refused = said[entries[2].observable]
    assert isinstance(refused, Refused)
    assert "no such site" in refused.words
    assert sorted(value for _action, value in values(receiver)) == [
        one.value for one in entries if one is not entries[2]
    ]


@pytest.mark.parametrize(
    ("fault", "raises"),
    [(Fault.AWAY, UnavailableError), (Fault.BUSY, UnavailableError), (Fault.DENIED, RefusedError)],
)
def test_while_the_receiver_is_away_events_wait_and_no_secret_is_told(
    fault: Fault, raises: type[Exception], receiver: Receiver, make: MakeAdapter
) -> None:
    adapter = make()
    receiver.fail(fault, times=100)
    assert {type(one) for one in adapter.add([address(1)]).values()} == {Later}
    with pytest.raises(raises) as caught:
        adapter.flush()
    assert SECRET not in str(caught.value)
    receiver.heal()
    assert {type(one) for one in adapter.add([address(1)]).values()} == {Written}
    assert values(receiver) == [("add", "192.0.2.1")]


@pytest.mark.parametrize(
    "url", ["http://soc.example/hook", "https://me:pw@soc.example/", "ftp://soc.example/", "soc"]
)
def test_an_address_that_others_could_read_along_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="should"):
        WebhookSettings(url=url, secret=SecretValue(SECRET))
