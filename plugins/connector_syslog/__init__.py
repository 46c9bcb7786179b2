"""Events to a syslog receiver of a SIEM: CEF, LEEF or JSON over UDP, TCP or TLS (RFC 5424)."""

import os
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from ssl import SSLContext
from typing import ClassVar, Final, Literal

from connector.adapter import (
    EVENT_MAPPING,
    Batch,
    Duration,
    Event,
    EventAdapter,
    EventSettings,
    Field,
    FieldSpec,
    Instant,
    Number,
    ObservableType,
    OutputContext,
    OwnName,
    Refused,
    Taken,
    Text,
    TlsSettings,
)
from connector_syslog.formats import FORMATS
from connector_syslog.transport import send_datagrams, send_stream

__all__ = ["SyslogAdapter", "SyslogSettings"]

_PORTS: Final = {"udp": 514, "tcp": 514, "tls": 6514}
_LONGEST: Final = {"udp": 2048, "tcp": 8192, "tls": 8192}
_INFORMATIONAL: Final = 6


class SyslogSettings(TlsSettings, EventSettings):
    """The receiver, and how it wants its messages."""

    host: str = Field(
        pattern=r"^[A-Za-z0-9._:-]{1,253}$", description="Name or address of the receiver."
    )
    port: int | None = Field(
        None, ge=1, le=65_535, description="Its port; 514 by default, with TLS 6514."
    )
    transport: Literal["udp", "tcp", "tls"] = Field(
        "tls",
        description="How messages travel. `udp` has no answer: what was sent counts as taken.",
    )
    format: Literal["cef", "leef", "json"] = Field("cef", description="Words of the message.")
    facility: int = Field(16, ge=0, le=23, description="Facility of each message; 16 is local0.")
    hostname: str | None = Field(
        None, pattern=r"^[!-~]{1,255}$",
        description="Name of the sender in each message; by default this machine's.",
    )  # fmt: skip
    max_bytes: int | None = Field(
        None, ge=480, le=65_000,
        description="Longest message that the receiver takes: a longer one is refused, not cut. "
        "By default 8192, and 2048 over UDP.",
    )  # fmt: skip
    timeout: Duration = Field(
        timedelta(seconds=10), description="How long the receiver may take to read a part."
    )

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The events of one output at one receiver; by whichever format."""
        tag = self.owner_tag or OwnName("owner_tag")
        return frozenset({("syslog", *self.receiver, tag)})

    @property
    def receiver(self) -> tuple[str, str, int]:
        """Transport, host and port."""
        return self.transport, self.host.lower(), self.port or _PORTS[self.transport]

    @property
    def credentials_are_for(self) -> object | None:
        """The receiver."""
        return self.receiver


class SyslogAdapter(EventAdapter[SyslogSettings]):
    """Sends an event as an entry comes, changes, is renewed and goes."""

    settings_type = SyslogSettings
    supports = frozenset(ObservableType)
    batch: ClassVar[Batch] = Batch(entries=2000)
    fields: ClassVar[Mapping[str, FieldSpec]] = {
        "name": Text(),
        "severity": Number(0, 10),
        "confidence": Number(0, 100),
        "category": Text(),
        "feed": Text(),
        "indicator": Text(),
        "tlp": Text(),
        "valid_from": Instant(),
        "valid_until": Instant(),
    }
    default_mapping = EVENT_MAPPING

    def __init__(self, settings: SyslogSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._tls: SSLContext | None = None
        self._moment: datetime | None = None
        self._header = ""

    def worded(self, event: Event) -> str | Refused:
        """Return an event as a message (RFC 5424 section 6), without a byte order mark.

        Receivers that read CEF or LEEF take the mark for a part of it.
        """
        body = FORMATS[self.settings.format](event, self.tag)
        if isinstance(body, Refused):
            return body
        if self._moment != event.at:  # many events are of one moment
            self._moment, self._header = event.at, self._header_at(event.at)
        text = f"{self._header} {event.action.value} - {body}"
        longest = self.settings.max_bytes or _LONGEST[self.settings.transport]
        if (size := len(text.encode())) > longest:
            return Refused(f"its message has {size:,} bytes, more than max_bytes, {longest:,}")
        return text

    def _header_at(self, at: datetime) -> str:
        priority = self.settings.facility * 8 + _INFORMATIONAL
        host = self.settings.hostname or socket.gethostname() or "-"
        moment = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return f"<{priority}>1 {moment} {host} connector {os.getpid()}"

    def hand_over(self, events: Sequence[str]) -> Taken:
        """Send messages, and see that the receiver has read them as far as it says so."""
        transport, host, port = self.settings.receiver
        messages = [event.encode() for event in events]
        seconds = self.settings.timeout.total_seconds()
        if transport == "udp":
            return Taken(send_datagrams(host, port, messages, seconds))
        if transport == "tls" and self._tls is None:
            self._tls = self.context.tls
        send_stream(host, port, messages, seconds, self._tls)
        return Taken(len(messages))
