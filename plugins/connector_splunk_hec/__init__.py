"""Events to an HTTP event collector (HEC) of Splunk, as entries come, change and go."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import field_validator

from connector.adapter import (
    EVENT_FIELDS,
    EVENT_MAPPING,
    Batch,
    Duration,
    Event,
    EventAdapter,
    EventSettings,
    Field,
    HttpSettings,
    ObservableType,
    OutputContext,
    OwnName,
    Refused,
    RefusedError,
    Response,
    Secret,
    ServerUrl,
    Taken,
    UnavailableError,
)

__all__ = ["HecAdapter", "HecSettings"]

_EVENT: Final = "/services/collector/event"
_ACK: Final = "/services/collector/ack"
_UNDERSTOOD: Final = frozenset({400, 401, 403, 413})
_LARGEST_PART: Final = 512 * 1024  # Splunk Cloud asks for requests below 1 MB
# Codes of answers, from "Troubleshoot HTTP Event Collector".
_OF_ONE_EVENT: Final = frozenset({6, 12, 13, 15})
_CHANNEL: Final = frozenset({10, 11})
_NO_ACK: Final = 14
_WRONG_INDEX: Final = 7


class HecSettings(HttpSettings, EventSettings):
    """Where the collector is, and where its events go."""

    url: ServerUrl = Field(
        description="The collector, as https://splunk.example:8088; plain http is accepted for "
        "this machine only."
    )
    token: Secret = Field(description="Token of the collector's input.")
    index: str | None = Field(
        None, pattern=r"^[a-z0-9_][a-z0-9_-]{0,79}$",
        description="Index of the events; by default the token's.",
    )  # fmt: skip
    sourcetype: str = Field(
        "connector:event", min_length=1, max_length=200, description="Source type of the events."
    )
    source: str = Field(
        "connector", min_length=1, max_length=200, description="Source of the events."
    )
    acknowledge: bool = Field(
        False,
        description="Whether an event counts once the indexer has it, for a token with indexer "
        "acknowledgement; else once the collector took it.",
    )
    acknowledge_within: Duration = Field(
        timedelta(minutes=2), description="How long the indexer may take to acknowledge a part."
    )

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The events of one output in one index."""
        parts = urlsplit(self.url)
        server = f"{parts.scheme}://{parts.netloc.lower()}"
        return frozenset({("hec", server, self.index, self.owner_tag or OwnName("owner_tag"))})

    @field_validator("url")
    @classmethod
    def _collector(cls, url: str) -> str:
        if urlsplit(url).path.strip("/"):
            raise ValueError("should end after the port")
        return url.rstrip("/")


class HecAdapter(EventAdapter[HecSettings]):
    """Sends an event as an entry comes, changes, is renewed and goes."""

    settings_type = HecSettings
    supports = frozenset(ObservableType)
    batch: ClassVar[Batch] = Batch(entries=2000)
    part_bytes = _LARGEST_PART
    fields = EVENT_FIELDS
    default_mapping = EVENT_MAPPING

    def __init__(self, settings: HecSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._channel = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{settings.url}|{self.tag}"))

    def worded(self, event: Event) -> str | Refused:
        """Return an event with what the collector wants to know of it."""
        entry = event.entry
        told = {
            "time": round(event.at.timestamp(), 3),
            "source": self.settings.source,
            "sourcetype": self.settings.sourcetype,
            **({"index": self.settings.index} if self.settings.index else {}),
            "event": {
                "action": event.action.value,
                "type": entry.type.value,
                "value": entry.value,
                "key": event.key,
                "output": self.tag,
                **entry.fields,
            },
        }
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))

    def hand_over(self, events: Sequence[str]) -> Taken:
        """Send events in one request, and wait for the acknowledgement where one is asked for."""
        response = self._ask(_EVENT, "\n".join(events).encode())
        if response.status_code == 413:
            if len(events) > 1:
                return self.hand_over(events[: len(events) // 2])
            return Taken(1, {0: "the collector refuses a request as large as this event"})
        answer = self._answer(response)
        if response.status_code == 200 and answer.get("code") == 0:
            if self.settings.acknowledge:
                self._await_acknowledgement(answer.get("ackId"))
            return Taken(len(events))
        return self._refused(response, answer, events)

    def _ask(self, path: str, body: bytes) -> Response:
        token = self.settings.token.reveal()
        self.http.keep_secret(token)
        headers = {"Authorization": f"Splunk {token}", "Content-Type": "application/json"}
        if self.settings.acknowledge:
            headers["X-Splunk-Request-Channel"] = self._channel
        url = f"{self.settings.url}{path}"
        return self.http.request(
            "POST", url, headers=headers, body=body, accept_statuses=_UNDERSTOOD
        )

    def _answer(self, response: Response) -> Mapping[str, Any]:
        """Return the body of an answer; raise where it is none of a collector."""
        if response.status_code in (401, 403) and not response.content.lstrip().startswith(b"{"):
            raise response.error(refused=True)
        answer = response.json()
        if not isinstance(answer, dict):
            raise response.error("it is no answer of a collector")
        return answer

    def _refused(
        self, response: Response, answer: Mapping[str, Any], events: Sequence[str]
    ) -> Taken:
        """Return which event was refused; raise where they all are, with what to do about it."""
        code, words = answer.get("code"), str(answer.get("text", ""))
        at = answer.get("invalid-event-number")
        # What comes before it was taken, what follows was not looked at.
        if code in _OF_ONE_EVENT and isinstance(at, int) and 0 <= at < len(events):
            if at and self.settings.acknowledge:  # there is no acknowledgement of those before
                return self.hand_over(events[:at])
            return Taken(at + 1, {at: words})
        if code in _CHANNEL:
            words = f"{words}: the token wants acknowledgements: set acknowledge: true"
        elif code == _NO_ACK:
            words = f"{words}: the token gives no acknowledgements: set acknowledge: false"
        elif code == _WRONG_INDEX:
            words = f"{words}: the token may not write to index {self.settings.index}"
        refused = response.status_code in (400, 401, 403)
        raise response.error(words, refused=refused)

    def _await_acknowledgement(self, number: object) -> None:
        if not isinstance(number, int):
            raise RefusedError(
                "the collector gave no acknowledgement: switch it on for the token, or set "
                "acknowledge: false"
            )
        asked = json.dumps({"acks": [number]}).encode()

        def is_indexed() -> bool:
            response = self._ask(f"{_ACK}?channel={self._channel}", asked)
            acks = self._answer(response).get("acks")
            if not isinstance(acks, dict):
                raise UnavailableError("the collector did not say what is indexed")
            return acks.get(str(number)) is True

        self.context.wait(is_indexed, self.settings.acknowledge_within)
