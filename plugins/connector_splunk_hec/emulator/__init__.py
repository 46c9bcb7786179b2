"""An HTTP event collector in memory, for tests: its answers and codes, from Splunk's documents."""

import json
from collections.abc import Iterator
from typing import Any, Final

from connector.testing.http_target import Call, HttpTarget, Reply, route

__all__ = ["HecEmulator"]

_TEXTS: Final = {
    0: "Success", 1: "Token disabled", 2: "Token is required", 3: "Invalid authorization",
    4: "Invalid token", 5: "No data", 6: "Invalid data format", 7: "Incorrect index",
    9: "Server is busy", 10: "Data channel is missing", 11: "Invalid data channel",
    12: "Event field is required", 13: "Event field cannot be blank", 14: "ACK is disabled",
}  # fmt: skip
_STATUSES: Final = {0: 200, 1: 403, 2: 401, 3: 401, 4: 403, 9: 503}


class HecEmulator(HttpTarget):
    """A collector with one token, which keeps the events that it took.

    `acknowledges` is the token's `useACK`; `indexed` says whether what came is indexed by now.
    """

    def __init__(self, token: str, *, indexes: tuple[str, ...] = ("main", "ti")) -> None:
        super().__init__()
        self.token, self.indexes = token, indexes
        self.disabled = self.acknowledges = False
        self.indexed = True
        self.largest_event = 5_242_880  # maxEventSize of props and inputs, as shipped
        self.largest_body = 838_860_800  # max_content_length of limits.conf, as shipped
        self.events: list[dict[str, Any]] = []
        self._acks = 0

    def refused(self, call: Call) -> Reply | None:
        """Return what a wrong or disabled token gets."""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if not token:
            return _said(2)
        if scheme != "Splunk":
            return _said(3)
        if token != self.token:
            return _said(4)
        return _said(1) if self.disabled else None

    @route("POST", "/services/collector/event")
    def _event(self, call: Call) -> Reply:
        channel = call.headers.get("x-splunk-request-channel", "")
        if self.acknowledges and not channel:
            return _said(10)
        if not call.body.strip():
            return _said(5)
        for at, event in enumerate(_objects(call.body.decode())):
            if (code := self._code(event)) != 0:
                return _said(code, **{"invalid-event-number": at})
            self.events.append(event)
        if not self.acknowledges:
            return _said(0)
        self._acks += 1
        return _said(0, ackId=self._acks - 1)

    def _code(self, event: Any) -> int:
        """Return the code for one event; those before a wrong one are kept."""
        if not isinstance(event, dict):
            return 6
        if "event" not in event:
            return 12
        if event["event"] in ("", None):
            return 13
        told = json.dumps(event["event"])
        if len(told) > self.largest_event or any(value in told for value in self.refuses):
            return 6
        return 0 if event.get("index", self.indexes[0]) in self.indexes else 7

    @route("POST", "/services/collector/ack")
    def _ack(self, call: Call) -> Reply:
        if not self.acknowledges:
            return _said(14)
        if not call.query.get("channel"):
            return _said(10)
        asked = call.json()["acks"]
        return Reply.of({"acks": {str(one): self.indexed and one < self._acks for one in asked}})


def _said(code: int, **more: Any) -> Reply:
    return Reply.of({"text": _TEXTS[code], "code": code, **more}, _STATUSES.get(code, 400))


def _objects(text: str) -> Iterator[Any]:
    """Yield objects that follow each other, with or without spaces; None for what is no JSON."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        try:
            found, at = decoder.raw_decode(text, at)
        except ValueError:
            yield None
            return
        yield found
