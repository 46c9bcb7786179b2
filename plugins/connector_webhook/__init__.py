"""Signed JSON to a webhook, as entries come, change and go."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final
from urllib.parse import urlsplit

from pydantic import field_validator

from connector.adapter import (
    EVENT_FIELDS,
    EVENT_MAPPING,
    Batch,
    Event,
    EventAdapter,
    EventSettings,
    Field,
    HttpSettings,
    ObservableType,
    OwnName,
    Refused,
    Response,
    Secret,
    Taken,
    utc_now,
)

__all__ = ["WebhookAdapter", "WebhookSettings", "signature"]

_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_REFUSED: Final = frozenset({400, 413, 422})


class WebhookSettings(HttpSettings, EventSettings):
    """Where the webhook is, and the secret that it shares with us."""

    url: str = Field(
        description="Address that takes the events; plain http is accepted for this machine only."
    )
    secret: Secret = Field(
        description="Secret with which each request is signed; 24 random characters or more."
    )

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The events of one output at one address."""
        return frozenset({("webhook", self.url, self.owner_tag or OwnName("owner_tag"))})

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("should look like https://soc.example/hooks/indicators")
        if parts.scheme == "http" and parts.hostname not in _HERE:
            raise ValueError("should be https: anybody on the way could read the entries")
        return url


class WebhookAdapter(EventAdapter[WebhookSettings]):
    """Posts batches of events, signed with the time, so that none can be forged or sent again."""

    settings_type = WebhookSettings
    supports = frozenset(ObservableType)
    batch: ClassVar[Batch] = Batch(entries=2000)
    part_bytes = 256 * 1024
    fields = EVENT_FIELDS
    default_mapping = EVENT_MAPPING

    def worded(self, event: Event) -> str | Refused:
        """Return an event as an object of the batch."""
        entry = event.entry
        told = {
            "key": event.key,
            "action": event.action.value,
            "at": event.at.isoformat(),
            "type": entry.type.value,
            "value": entry.value,
            **entry.fields,
        }
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))

    def hand_over(self, events: Sequence[str]) -> Taken:
        """Post events in one signed request; halve a batch that the receiver refuses."""
        response = self._post(events)
        if response.status_code not in _REFUSED:
            return Taken(len(events), _refused(response, len(events)))
        if len(events) > 1:
            return self.hand_over(events[: len(events) // 2])
        return Taken(1, {0: str(response.error())})

    def _post(self, events: Sequence[str]) -> Response:
        body = f'{{"output":{json.dumps(self.tag)},"events":[{",".join(events)}]}}'.encode()
        # The same events have the same id, however often they are sent.
        name = f"evt_{hashlib.sha256(body).hexdigest()[:32]}"
        at = str(int(utc_now().timestamp()))
        secret = self.settings.secret.reveal()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": at,
            "webhook-signature": signature(secret, name, at, body),
        }
        return self.http.request(
            "POST", self.settings.url, headers=headers, body=body, accept_statuses=_REFUSED
        )


def signature(secret: str, name: str, at: str, body: bytes) -> str:
    """Return the signature of a request, as Standard Webhooks have it."""
    signed = f"{name}.{at}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _refused(response: Response, count: int) -> Mapping[int, str]:
    """Return the receiver's words on single events, where it has any."""
    try:
        said = json.loads(response.content or b"null")
        refused = said["refused"]
        return {int(at): str(words) for at, words in refused.items() if 0 <= int(at) < count}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
